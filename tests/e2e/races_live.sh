#!/bin/bash
# Races are told while the build goes on: within a second of the later access, on any number of
# lanes, in sub-makes and while the step that shows them still runs; and what the makefiles order, by
# whatever way, is not told meanwhile either.
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

# told_early CLASS TARGET DELAY: the first finding is of the class, came within a second of the access
# that the target's step makes DELAY ms after it began, and more than a second before the end; it is
# told once more at the end, and nothing else is.
told_early() {
    local at first class end
    findings >"$WORK/out"
    at=$(($(begun "$2") + $3))
    read -r first class _ <"$WORK/out"
    end=$(sed -n 's/ end$//p' "$WORK/out")
    [ "$class" = "$1" ] || fail "the first finding is none of $1"
    [ $((first - at)) -le 1000 ] || fail "told $((first - at)) ms after the access of $2"
    [ $((end - first)) -gt 1000 ] || fail "told only $((end - first)) ms before the end"
    [ "$(grep -c "$1 suspected" "$WORK/out")" = 2 ] && [ "$(wc -l <"$WORK/out")" = 3 ] ||
        fail "not told once early and once at the end"
}

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
    sleep 4; touch $@
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
    sleep 0.3; cat part; sleep 4; touch $@
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
    sleep 4
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
