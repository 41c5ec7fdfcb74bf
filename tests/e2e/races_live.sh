#!/bin/bash
# Races are told while the build goes on: soon after the later access, on any number of lanes, in
# sub-makes and while the step that shows them still runs; and what the makefiles order, by whatever
# way, is not told meanwhile either.
. "$(dirname "$0")/races_lib.sh"

# findings: of each finding in the journal "MS CLASS VERDICT", of the build's end "MS end".
findings() {
    "$GANTRY" replay --json >"$WORK/events" || fail "no journal"
    sed -nE -e 's/^\{"event":"finding","t_ns":([0-9]+)[0-9]{6},.*"class":"([^"]*)".*"verdict":"([^"]*)".*/\1 \2 \3/p' \
        -e 's/^\{"event":"finding","t_ns":([0-9]+)[0-9]{6},.*"verdict":"withdrawn".*/\1 - withdrawn/p' \
        -e 's/^\{"event":"build-end","t_ns":([0-9]+)[0-9]{6},.*/\1 end/p' "$WORK/events"
}

# begun TARGET: ms of the build at which its step began.
begun() {
    "$GANTRY" replay --json |
        sed -nE 's,^\{"event":"step-begin"\,"t_ns":([0-9]+)[0-9]{6}\,"step":[0-9]*\,"target":"'"$1"'".*,\1,p'
}

# told_early CLASS TARGET DELAY: the first finding is of the class, and came while the build ran: a step
# waited for it. It is told once more at the end, and nothing else is. How long after the access that
# the target's step makes DELAY ms after it began goes to standard output.
told_early() {
    local first class
    findings >"$WORK/out"
    read -r first class _ <"$WORK/out"
    [ "$class" = "$1" ] || fail "the first finding is none of $1"
    [ "$(grep -c "$1 suspected" "$WORK/out")" = 2 ] && [ "$(wc -l <"$WORK/out")" = 3 ] ||
        fail "not told once early and once at the end: $(cat "$WORK/out")"
    echo "told $((first - $(begun "$2") - $3)) ms after the access of $2"
}

# wait_for PATTERN: in a step; waits until the journal of the build that runs has such an event. What a
# step waits for in vain fails it: no machine's load makes a difference.
mkdir "$WORK/tools"
cat >"$WORK/tools/wait_for" <<E
#!/bin/sh
for _ in \$(seq 600); do
    '$GANTRY' replay --json 2>/dev/null | grep -q "\$1" && exit 0
    sleep 0.1
done
echo "nothing like \$1 in a minute" >&2
exit 1
E
chmod +x "$WORK/tools/wait_for"
PATH=$WORK/tools:$PATH

say "a header that nobody declared; headers that phony targets without recipes bring"
tree header <<'E'
all: version.h prog last
prog: main.o util.o
    cat main.o util.o > $@
headers: deep
deep: ok.h
ok.h:
    echo > $@
version.h:
    echo > $@
main.o: | headers
    sleep 0.3; cat version.h ok.h > $@
util.o: main.o
    cat ok.h > $@
last: prog
    wait_for '"event":"finding"'; touch $@
.PHONY: headers deep
clean:
    rm -f prog last *.o *.h
E
for j in 1 4; do
    clean_tree
    ok "$GANTRY" build --plain "-j$j" -- make
    told_early missing-edge main.o 300
done

say "while the step that reads still runs"
tree long <<'E'
all: part whole
part:
    echo > $@
whole:
    sleep 0.3; cat part; wait_for '"event":"finding"'; touch $@
clean:
    rm -f part whole
E
clean_tree
ok "$GANTRY" build --plain -j2 -- make
told_early missing-edge whole 300

say "in the sub-makes of two recipes"
tree below <<'E'
all: library examples last
library:
    $(MAKE) -C lib
examples:
    $(MAKE) -C ex
last: library examples
    wait_for '"event":"finding"'
clean:
    rm -f lib/x.a ex/one
.PHONY: library examples last
E
mkdir lib ex
printf 'x.a: ; echo > x.a; sleep 1\n' >lib/Makefile
printf 'one: again ; cp ../lib/x.a one\nagain: ; echo > ../lib/x.a\n' >ex/Makefile
clean_tree
ok "$GANTRY" build --plain -j1 -- make
told_early write-write ex/again 0

say "what is in order says nothing, early or late"
tree silent <<'E'
all: one two last
one: | made
    $(MAKE) -C a; $(MAKE) -C b; sleep 1
two: log.h
    mkdir -p out/two; echo two >> log; echo x > out/two/x.tmp; mv out/two/x.tmp out/two/x; sleep 1
made: log.h
log.h:
    echo > $@.tmp; mv $@.tmp $@
last: one two
    cat out/two/x log.h; sleep 2
clean:
    rm -rf out log log.h a/x
.PHONY: one two made last
E
mkdir a b
printf 'all: x\nx:\n\techo > x; sleep 1\n' >a/Makefile
printf 'all:\n\tcat ../a/x ../log.h; sleep 1\n' >b/Makefile
for j in 1 4; do
    clean_tree
    ok "$GANTRY" build --plain "-j$j" -- make
    [ "$(findings | wc -l)" = 1 ] || fail "something was told: $(findings)"
done

say "a native tree: while the step that reads still runs, and before the next one ends"
ok "$GANTRY" demo "$WORK/native"
cd "$WORK/native" || exit 1
cat >>module.mk <<'E'
targets += one.h two.txt three.txt
one.h: rule = tool
one.h: inputs = README.md
one.h: command = cp README.md $@
two.txt: rule = tool
two.txt: inputs = README.md
two.txt: command = sh two.sh $@
three.txt: rule = tool
three.txt: inputs = two.txt
three.txt: command = sh three.sh $@
goals = one.h three.txt
E
told="wait_for '\"event\":\"finding\".*\"class\":\"missing-edge\"'"
made="wait_for '\"event\":\"step-end\".*one.h\"'"
for case in within between; do
    printf '%s && cat "${1%%/*}/one.h" >"$1"\n' "$made" >two.sh
    echo 'echo 3 >"$1"' >three.sh
    [ $case = within ] && echo "$told" >>two.sh
    [ $case = between ] && echo "$told && echo 3 >\"\$1\"" >three.sh
    for j in 2 4; do
        rm -rf build
        ok "$GANTRY" build --plain "-j$j"
        findings >"$WORK/out"
        [ "$(grep -c "missing-edge suspected" "$WORK/out")" = 2 ] && [ "$(wc -l <"$WORK/out")" = 3 ] ||
            fail "$case, -j$j: not told once early and once at the end: $(cat "$WORK/out")"
    done
done

say "a build that is killed: what is in order is told neither then nor later, what is not stays"
tree killed <<'E'
all: one.h two rival
one.h:
    echo > $@
sub: one.h
two: | sub rival
    cat one.h; wait_for '"event":"finding"'; touch half; sleep 60; touch $@
rival:
    sleep 0.3; cat one.h; touch $@
.PHONY: sub all
E
for signals in 1 2 3; do
    rm -rf one.h two half rival .gantry
    "$GANTRY" build --plain -j2 -- make >"$WORK/out" 2>&1 &
    pid=$!
    for _ in $(seq 1200); do
        [ -e half ] && break
        sleep 0.1
    done
    for _ in $(seq $signals); do
        kill -TERM $pid 2>/dev/null
        sleep 0.1
    done
    wait $pid && fail "it ended well"
    ok "$GANTRY" races list
    has "$WORK/out" "rival reads one.h, which one.h makes"
    grep -q "two reads" "$WORK/out" && fail "what is in order was told"
    [ "$(grep -c '^!' "$WORK/out")" = 1 ] || fail "something else was found"
done

say "make deletes nothing that a copy of it had to do with"
tree stop <<'E'
all: one two
one:
    echo > $@; sleep 1
two: one
    echo half > $@; sleep 30
clean:
    rm -f one two
E
"$GANTRY" build --plain -j1 -- make >"$WORK/out" 2>&1 &
pid=$!
for _ in $(seq 100); do
    [ -s two ] && break
    sleep 0.1
done
sleep 0.5
kill -TERM $pid
wait $pid
[ -e one ] || fail "what was made is gone"
[ ! -e two ] || fail "what was half made stays"

exit 0
