#!/bin/bash
# Races of make trees from one successful traced build: what is flagged (and that nothing else is),
# proved in a view, mended, gone; and what must stay silent.
. "$(dirname "$0")/races_lib.sh"

# flagged J CLASS PATH FIRST SECOND: after a build on J lanes exactly one finding, of one of the
# classes (a|b), that names both steps at that path.
flagged() {
    local path=${3//./\\.} one=${4//./\\.} other=${5//./\\.}
    ok "$GANTRY" build --plain "-j$1" -- make
    ok "$GANTRY" races
    [ "$(grep -c '^[!?]' "$WORK/out")" = 1 ] || fail "-j$1: not one finding in $PWD"
    ok "$GANTRY" races show "$(finding)"
    sed -n 1p "$WORK/out" | grep -qE "^[0-9a-f]{8} ($2) " || fail "-j$1: not of $2 in $PWD"
    if grep -q '^seen at' "$WORK/out"; then
        grep -qE "^  $path: ($one, $other|$other, $one) " "$WORK/out" || fail "-j$1: not at $3 by $4 and $5"
    else
        sed -n 2p "$WORK/out" | grep -qE "(^| )$path([ ,.]|\$)" || fail "-j$1: not at $3"
        grep -qE "^  first  ($one|$other)( |\$)" "$WORK/out" || fail "-j$1: not by $4"
        grep -qE "^  second ($one|$other)( |\$)" "$WORK/out" || fail "-j$1: not by $5"
    fi
}

# proved TEXT: the experiment fails, and what failed has the text; so does the plain script.
proved() {
    export TMPDIR=$WORK/views
    mkdir -p "$TMPDIR"
    id=$(finding)
    ok "$GANTRY" races prove "$id"
    if ! grep -q "^$id proved" "$WORK/out"; then
        grep -q 'no view' "$WORK/out" && say "no view can be made here: not proved" && return
        fail "not proved: $PWD"
    fi
    has "$WORK/out" "$1"
    [ -z "$(ls "$TMPDIR")" ] || fail "something is left of a view"
    run sh .gantry/prove/"$id".sh
    [[ $1 == *bytes* ]] || [ $status != 0 ] || fail "the script of $PWD shows no failure"
}

# mended: the edit is made, the finding is gone, and from clean all orders go well.
mended() {
    id=$(finding)
    ok "$GANTRY" races mend "$id" --apply
    ok "$GANTRY" races verify "$id"
    has "$WORK/out" "is gone, and nothing new came"
    for seed in 1 2 3; do
        make -s clean
        ok "$GANTRY" build --plain -j4 --shuffle=$seed -- make
    done
    make -s clean
    flagged_none 4
    ok "$GANTRY" races undo "$id"
}

flagged_none() {
    ok "$GANTRY" build --plain "-j$1" -- make
    ok "$GANTRY" races
    grep -q '^[!?]' "$WORK/out" && fail "-j$1: something was found in $PWD"
    return 0
}

say "a header that nobody declared, at several objects"
tree header <<'E'
all: prog
prog: version.h main.o util.o
    cc -o $@ main.o util.o
version.h:
    echo '#define V 1' > $@
main.o: main.c
    cc -c -o $@ main.c
util.o: util.c
    cc -c -o $@ util.c
clean:
    rm -f prog *.o version.h
E
printf '#include "version.h"\nint main(void) { return V - 1; }\n' >main.c
printf '#include "version.h"\nint v = V;\n' >util.c
for j in 1 2 16; do
    clean_tree
    "$GANTRY" build --plain -j1 -- make version.h >/dev/null # so that any -j goes well
    flagged $j missing-edge version.h version.h main.o
    ok "$GANTRY" races show "$(finding)"
    has "$WORK/out" "Makefile:5"
done
proved "version.h: No such file"
[ -e version.h ] || fail "the experiment reached the tree"
mended

say "some random order of steps shows it; the mended tree goes well in each"
failed=0
for seed in 1 2 3 4 5 6 7 8; do
    clean_tree
    run "$GANTRY" build --plain -j1 --shuffle=$seed -- make
    [ $status = 0 ] || failed=$((failed + 1))
done
[ $failed != 0 ] && [ $failed != 8 ] || fail "$failed of 8 orders failed"

say "an incremental build knows what the steps of the last one touched"
clean_tree
flagged 1 missing-edge version.h version.h main.o
touch main.c
flagged 1 missing-edge version.h version.h main.o
flagged 1 missing-edge version.h version.h main.o

say "exit status, baseline, excuses, SARIF"
run "$GANTRY" build --plain --fail-on=races -- make
[ $status = 1 ] || fail "exit $status, not 1"
ok "$GANTRY" races list --write-baseline base
ok "$GANTRY" races list --baseline base --fail-on=races
run "$GANTRY" races list --fail-on=races
[ $status = 1 ] || fail "exit $status, not 1"
ok "$GANTRY" races list --sarif
grep -q '"artifactLocation":{"uri":"Makefile"' "$WORK/out" || fail "not the expected SARIF"
refuses "--reason" "$GANTRY" races suppress "$(finding)"
refuses "no finding" "$GANTRY" races show 00000000
ok "$GANTRY" races suppress "$(finding)" --reason "never changes"
ok "$GANTRY" build --plain --fail-on=races -- make
ok "$GANTRY" races
has "$WORK/out" "1 excused"
git init -q . && git add -A && git -c user.name=x -c user.email=x@x commit -qm x
rm .gantry-races
ok "$GANTRY" races --since HEAD
has "$WORK/out" "0 findings"
ok "$GANTRY" races show "$(finding)"
has "$WORK/out" "Makefile:5 is by $(git rev-parse --short HEAD), x, 20"
ok "$GANTRY" races blame "$(finding)"
has "$WORK/out" "% of -j8"
has "$WORK/out" "Makefile:5 is by $(git rev-parse --short HEAD), x, 20"
ok "$GANTRY" races blame "$(finding)" --json
has "$WORK/out" "\"commit\":\"$(git rev-parse --short HEAD)\",\"author\":\"x\""
echo >>main.c
ok "$GANTRY" races --since HEAD
has "$WORK/out" "1 finding"
git checkout -q main.c
git rm -q --cached version.h main.o util.o prog && git -c user.name=x -c user.email=x@x commit -qm y
ok "$GANTRY" races --since HEAD # what the build makes is no change
has "$WORK/out" "0 findings"
echo >>util.c # not told first, but one that reads it
ok "$GANTRY" races --since HEAD
has "$WORK/out" "1 finding"
git checkout -q util.c

say "the console tells what was found out, without another build"
rm -f .gantry/races.verdicts
make -s clean
make -s version.h
open_screen 110 30 "$PWD"
type_command "$GANTRY -j1 -- make"
wait_for '✓ [0-9]+ done .*⚑1'
keys 4
wait_for '⚑ [0-9a-f]{8} suspected'
keys P
wait_for 'what came of it stands below' 120
if ! screen | grep -q 'no view'; then
    wait_for '⚑ [0-9a-f]{8} proved'
    wait_for 'version.h: No such file'
fi
keys M
wait_for '[+]main.o.*: version.h'
keys O
wait_for 'held 1'
wait_for 'main.o starts when version.h has ended'
[ -e .gantry-held ] || fail "nothing is held"
keys O
wait_for 'is held no more'
keys S
type_text "never changes"
keys Enter
wait_for 'nothing that counts'
screen | head -1 | grep -q '⚑' && fail "the header counts what is excused"
keys q
wait_for 'ready>'
close_screen
rm .gantry-races

say "hints, which are no races"
tree hints <<'E'
all: out/prog
out/prog: out/main.o out/words
    cc -o $@ out/main.o
out/main.o: main.c out/words | out/dir
    cc -c -o $@ main.c
out/words: words.sh | out/dir
    sh words.sh > $@
    echo generated > words.log
out/dir:
    mkdir -p out
    touch $@
clean:
    rm -rf out
E
printf '#include "own.h"\nint main(void) { return OWN; }\n' >main.c
echo '#define OWN 0' >own.h
echo 'cat list' >words.sh
echo word >list
flagged_none 2
ok "$GANTRY" races
grep -q '^-' "$WORK/out" && fail "hints are told unasked"
ok "$GANTRY" races list --all --fail-on=races
[ "$(grep -c '^-' "$WORK/out")" = 4 ] || fail "not four hints: $(cat "$WORK/out")"
has "$WORK/out" "out/main.o reads own.h, which no rule names for it"
has "$WORK/out" "out/words reads list, which no rule names for it"
has "$WORK/out" "out/main.o waits for out/words and uses nothing that it makes (and 1 more)"
has "$WORK/out" "out/words writes words.log, outside of out"
ok "$GANTRY" races list --all --json
has "$WORK/out" '"class":"unused-edge","severity":"note","target":"out/main.o","needs":"out/words"'
ok "$GANTRY" graph --unused
[ "$(wc -l <"$WORK/out")" = 1 ] || fail "not one wait in vain"
has "$WORK/out" "out/main.o waits for out/words"
refuses "no traced build" "$GANTRY" -C "$WORK" graph --unused

say "one recipe for several targets"
tree group <<'E'
all: lib/p.c lib/p.h lib/p.x
lib/p.c lib/p.h: p.y
    cp p.y p.tmp
    mkdir -p lib
    cp p.tmp lib/p.c
    mv p.tmp lib/p.h
lib/p.x: lib/p.c lib/p.h
    cat lib/p.c lib/p.h > $@
clean:
    rm -rf lib
E
echo grammar >p.y
clean_tree
flagged 1 double-work lib/p.c lib/p.c lib/p.h
proved "Error 1" # who comes second finds p.tmp gone, or there already
mended

say "objects in a directory that only a phony target makes"
tree directory <<'E'
all: dirs obj/a.o obj/b.o
dirs:
    mkdir obj
obj/a.o: a.c
    cc -c -o $@ a.c
obj/b.o: b.c
    cc -c -o $@ b.c
clean:
    rm -rf obj
.PHONY: dirs
E
echo 'int a;' >a.c && echo 'int b;' >b.c
clean_tree
flagged 1 directory obj dirs obj/a.o
proved "can't create obj"

say "two scanners pass through one name"
tree scratch <<'E'
all: lev.c dgn.c
lev.c: lev.l
    cp lev.l lex.yy.c
    mv lex.yy.c $@
dgn.c: dgn.l
    cp dgn.l lex.yy.c
    mv lex.yy.c $@
clean:
    rm -f lev.c dgn.c lex.yy.c
E
echo 1 >lev.l && echo 2 >dgn.l
clean_tree
flagged 1 'scratch|write-write' lex.yy.c lev.c dgn.c
proved "lex.yy.c"
mended

say "two sub-makes archive one library"
tree submakes <<'E'
all: library examples
library:
    $(MAKE) -C lib lib.a
examples:
    $(MAKE) -C ex
clean:
    rm -f lib/lib.a ex/one
.PHONY: library examples
E
mkdir lib ex
printf 'lib.a: a.c\n\tcp a.c lib.a\n' >lib/Makefile
printf 'one: ../lib/lib.a\n\tcp ../lib/lib.a one\n../lib/lib.a: ../lib/a.c\n\t$(MAKE) -C ../lib lib.a\n' \
    >ex/Makefile
echo 1 >lib/a.c
clean_tree
flagged 1 write-write lib/lib.a lib/lib.a lib/lib.a

say "what a sub-make reads itself: its makefiles, and by \$(shell)"
for how in 'include ../made.mk' 'VALUE := $(shell cat ../made.mk)'; do
    tree "own-${how%% *}" <<'E'
all: one two
one:
    $(MAKE) -C a
two:
    $(MAKE) -C b
clean:
    echo 'VALUE = 0' >made.mk; rm -f a/own.mk
.PHONY: one two
E
    mkdir a b
    printf 'all: ../made.mk\n-include own.mk\nown.mk:\n\techo OWN = 1 >$@\n.PHONY: ../made.mk\n../made.mk:\n\techo VALUE = 1 >$@\n' >a/Makefile
    printf '%s\nall:\n\techo $(VALUE)\n.PHONY: all\n' "$how" >b/Makefile
    clean_tree
    flagged 1 'missing-edge|overwrite' made.mk made.mk 'make -C b'
    ok "$GANTRY" races mend "$(finding)"
    has "$WORK/out" '+two: | one'
done

say "other harm: removal, search path, change in place, other bytes"
tree removal <<'E'
all: a b
a:
    cat part > a
b:
    echo done > b; rm -f part
clean:
    rm -f a b; echo x > part
E
clean_tree
flagged 1 removal part a b
proved "part: No such file"
mended
tree shadow <<'E'
all: a.o first/v.h
a.o: a.c
    cc -Ifirst -Iinc -c a.c
first/v.h:
    mkdir -p first; echo '#define V 2' > first/v.h
clean:
    rm -rf first a.o
E
mkdir inc && echo '#define V 1' >inc/v.h && printf '#include <v.h>\nint v = V;\n' >a.c
clean_tree
flagged 1 shadow first first/v.h a.o
proved "a.o has other bytes"
tree overwrite <<'E'
all: a b
a:
    sed -i s/1/2/ conf; echo > a
b:
    cat conf > b
clean:
    rm -f a b; echo 1 > conf
E
clean_tree
git init -q . && git add -A && git -c user.name=x -c user.email=x@x commit -qm x
flagged 1 overwrite conf a b
proved "b has other bytes"
tree twice <<'E'
all: a b
a:
    echo a > a; echo from a > shared
b:
    echo b > b; echo from b > shared
clean:
    rm -f a b shared
E
flagged 1 write-write shared a b
proved "shared has other bytes"

say "a command that depends on the goal that comes first"
tree goal <<'E'
COMPILE = cc $(CFLAGS) -c
all: lib.so prog
lib.so: CFLAGS += -DLIB
lib.so: shared.o
    cc -shared -o $@ shared.o
prog: LDLIBS = -lm
prog: shared.o main.o
    cc -o $@ main.o shared.o $(LDLIBS)
%.o: %.c
    $(COMPILE) -fPIC -o $@ $<
clean:
    rm -f *.o lib.so prog
E
echo 'int shared;' >shared.c && echo 'int main(void) { return 0; }' >main.c
clean_tree
flagged 1 goal-dependent shared.o shared.o shared.o
has "$WORK/out" "uses CFLAGS, which lib.so sets"
sed -i 's/^lib.so: CFLAGS/lib.so: private CFLAGS/' Makefile
clean_tree
flagged_none 1

say "makes that are in order, and what is no race"
tree silent <<'E'
all: one two
one:
    $(MAKE) -C a; $(MAKE) -C b
two: log.h
    mkdir -p out/two; echo two >> log; echo x > out/two/x.tmp; mv out/two/x.tmp out/two/x
three: log.h
    mkdir -p out/three; echo three >> log; cat log.h > out/three/x
log.h:
    echo > $@.tmp; mv $@.tmp $@
all: three
three: WORD := of a target alone
three: export SEEN = $(shell echo word)
clean:
    rm -rf out log log.h a/x
.PHONY: one two three
E
mkdir a b
printf 'all: x\nx:\n\techo > x\n' >a/Makefile
printf 'all:\n\tcat ../a/x\n' >b/Makefile
for j in 1 2 16; do
    clean_tree
    flagged_none $j
done

say "a make that \$(shell) runs while makefiles are read comes before all recipes"
for how in -j1 ''; do
    tree "shell$how" <<'E'
READ := $(shell $(MAKE) -s -f conf.mk HOW config)
include out/conf.mk
all: one two
one: out/conf.h
    cat out/conf.h > out/one
two:
    cat out/conf.mk tmp > out/two
out/conf.h: ;
.PHONY: one two
E
    sed -i "s/HOW/$how/" Makefile
    sed 's/^    /\t/' >conf.mk <<'E'
config: out/conf.mk out/conf.h
out/conf.mk:
    mkdir -p out; echo m > tmp; cp tmp $@; echo V=1 > $@
out/conf.h:
    mkdir -p out; echo h > tmp; cp tmp $@
E
    for j in 1 2; do
        rm -rf out tmp
        if [ "$how" ]; then
            flagged_none $j
        else
            flagged $j write-write tmp out/conf.mk out/conf.h
        fi
    done
done

say "a make that runs its recipes one by one"
tree serial <<'E'
all: a b
a:
    echo > shared; echo > a
b:
    cat shared > b
.NOTPARALLEL:
clean:
    rm -f a b shared
E
clean_tree
flagged_none 1

say "untraced builds say nothing of races"
tree untraced <<'E'
all: ; echo
E
ok "$GANTRY" build --plain --trace=off -- make
refuses "build first" "$GANTRY" races

say "a native tree"
ok "$GANTRY" demo "$WORK/native"
cd "$WORK/native" || exit 1
cat >>module.mk <<'E'
targets += one.h two.txt
one.h: rule = tool
one.h: inputs = README.md
one.h: command = cp README.md $@
two.txt: rule = tool
two.txt: inputs = README.md
two.txt: command = sh two.sh $@
goals = one.h two.txt
E
echo 'cat "${1%/*}/one.h" >"$1"' >two.sh
ok "$GANTRY" build --plain -j1
ok "$GANTRY" races
has "$WORK/out" "1 finding;"
has "$WORK/out" "two.txt reads"
id=$(finding)
ok "$GANTRY" races mend "$id" --apply
has module.mk "two.txt: inputs += one.h"
ok "$GANTRY" races verify "$id"
ok "$GANTRY" races undo "$id"
grep -q "inputs += one.h" module.mk && fail "the edit was not taken back"
exit 0
