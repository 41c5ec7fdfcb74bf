#!/bin/bash
# Orders that are held until they are mended: every build of the tree keeps them, on any number of lanes,
# in make trees and native ones; a ring, or a first step that does not come, holds nothing up.
. "$(dirname "$0")/races_lib.sh"

# held_order FIRST SECOND: in the last build the second began when the first had ended.
held_order() {
    "$GANTRY" replay --json |
        sed -nE 's,^\{"event":"step-(begin|end)"\,"t_ns":[0-9]+\,"step":[0-9]*\,"target":"([^"]*)".*,\1 \2,p' >"$WORK/steps"
    local ended began
    ended=$(grep -n "^end $1\$" "$WORK/steps" | tail -1 | cut -d: -f1)
    began=$(grep -n "^begin $2\$" "$WORK/steps" | head -1 | cut -d: -f1)
    [ -n "$ended" ] && [ -n "$began" ] && [ "$ended" -lt "$began" ] ||
        fail "$2 did not wait for $1: $(tr '\n' ';' <"$WORK/steps")"
}

# flag: builds, and says the id of the first finding.
flag() {
    ok "$GANTRY" build --plain "$@"
    id=$("$GANTRY" races list | sed -n 's/^[!?] \([0-9a-f]*\) .*/\1/p' | head -1)
    [ -n "$id" ] || fail "nothing was found"
}

say "make starts the user first; it is held at its gate"
tree order <<'E'
all: user gen.h other
user:
    cat gen.h >user 2>/dev/null || echo none >user
gen.h: part
    sleep 0.3; cp part gen.h
part:
    sleep 0.2; echo 1 >part
other:
    touch other
clean:
    rm -f user gen.h other part
E
flag -j4 -- make
ok "$GANTRY" races hold "$id"
has "$WORK/out" "held: user starts when gen.h has ended"
run "$GANTRY" races hold "$id"
[ $status = 2 ] || fail "held twice: exit $status"
has "$WORK/err" "is held already"
for j in "" -j1 -j2 -j4 -j16; do
    clean_tree
    ok "$GANTRY" build --plain $j -- make
    has "$WORK/out" "held $id: user starts when gen.h has ended"
    has "$WORK/out" "1 race, 1 held: gantry races"
    held_order gen.h user
    [ "$(cat user)" = 1 ] || fail "$j: the order was not kept"
done
clean_tree
ok "$GANTRY" build --plain -- make -j4
held_order gen.h user
clean_tree
ok "$GANTRY" build --plain --shuffle=3 -- make
held_order gen.h user

say "list, show and the journal say so"
ok "$GANTRY" races list
has "$WORK/out" "after  [held]"
has "$WORK/out" "1 held in .gantry-held"
ok "$GANTRY" races show "$id"
has "$WORK/out" "held: user starts when gen.h has ended"
ok "$GANTRY" races list --json
has "$WORK/out" '"held":true'
ok "$GANTRY" replay --json
grep -q "event.:.hold.*$id.*state.:.held" "$WORK/out" || fail "the journal says nothing"

say "that it is held makes nothing stale; what is up to date is not waited for"
ok "$GANTRY" build --plain -- make
has "$WORK/out" "nothing to do"
has "$WORK/out" "held $id"
rm user
ok "$GANTRY" build --plain -j2 -- make
grep -q "let go" "$WORK/out" && fail "it was waited for: $(cat "$WORK/out")"
[ "$(cat user)" = 1 ] || fail "user was not made"

say "a first step that this goal does not want, and one that comes after the second by now"
clean_tree
ok "$GANTRY" build --plain -j2 -- make user
has "$WORK/out" "let go $id: user is not held for gen.h"
clean_tree
cp Makefile Makefile.before
echo 'part: user' >>Makefile
for j in "" -j1 -j4; do
    clean_tree
    ok "$GANTRY" build --plain $j -- make
    has "$WORK/out" "let go $id"
    has "$WORK/err" "warning: the order that $id holds was not kept"
done
mv Makefile.before Makefile
rm -rf .gantry
clean_tree
run "$GANTRY" build --plain -j2 -- make nothing
[ $status != 0 ] || fail "there is no such target"

say "with two that wait, the one goes that holds up the other"
tree two <<'E'
all: user late gen.h extra
user:
    cat gen.h >user 2>/dev/null || echo none >user
late:
    cat extra >late 2>/dev/null || echo none >late
gen.h: late
    echo 1 >gen.h
extra:
    echo 1 >extra
clean:
    rm -f user late gen.h extra
E
ok "$GANTRY" build --plain -j4 -- make
ids=$("$GANTRY" races list | sed -n 's/^[!?] \([0-9a-f]*\) .*/\1/p')
for id in $ids; do
    ok "$GANTRY" races hold "$id"
done
[ "$(grep -c '^	' .gantry-held)" = 2 ] || fail "not both are held"
clean_tree
ok "$GANTRY" build --plain -j4 -- make user gen.h
held_order gen.h user
[ "$(cat user)" = 1 ] || fail "the wrong one was let go"

say "what would go in a ring is refused"
tree ring <<'E'
all: user gen.h
user:
    cat gen.h; echo 1 >user
gen.h: gen.c
    echo 1 >gen.h
gen.c:
    cat user >gen.c
.PHONY: user
E
echo 0 >gen.h
echo 0 >user
touch -d 2001-01-01 gen.h user
ok "$GANTRY" build --plain -j1 -- make
refused=0
for id in $("$GANTRY" races list | sed -n 's/^[!?] \([0-9a-f]*\) .*/\1/p'); do
    run "$GANTRY" races hold "$id"
    [ $status = 0 ] || refused=$((refused + 1))
done
[ $refused = 1 ] || fail "$refused were refused"

say "two makes that write one file: not at one time"
tree below <<'E'
all: one two
one:
    $(MAKE) -C lib x.a
two:
    $(MAKE) -C lib x.a V=2
.PHONY: all one two
clean:
    rm -f lib/x.a
E
mkdir lib
printf '.PHONY: x.a\nx.a:\n\tmkdir busy && sleep 0.3 && echo >x.a && rmdir busy\n' >lib/Makefile
flag -j1 -- make
ok "$GANTRY" races hold "$id"
for j in -j2 -j8; do
    for _ in 1 2 3; do
        ok "$GANTRY" build --plain $j -- make
    done
done

say "mended, it is held no more; released, neither; a damaged file holds nothing"
cd "$WORK/order" || exit 1
clean_tree
flag -j4 -- make
ok "$GANTRY" races show "$id"
has "$WORK/out" "held: user"
ok "$GANTRY" races mend "$id" --apply
has "$WORK/out" "$id is held no more"
[ ! -e .gantry-held ] || fail "the file is there still"
ok "$GANTRY" races verify "$id"
ok "$GANTRY" races undo "$id"
clean_tree
flag -j4 -- make
ok "$GANTRY" races hold "$id"
ok "$GANTRY" races release "${id%????}"
has "$WORK/out" "$id is held no more"
run "$GANTRY" races release "$id"
[ $status = 2 ] || fail "released twice: exit $status"
echo "what is this" >.gantry-held
ok "$GANTRY" build --plain -j4 -- make
has "$WORK/err" ".gantry-held:1"
run "$GANTRY" races list
[ $status = 2 ] || fail "exit $status"
rm .gantry-held

say "a native tree"
ok "$GANTRY" demo "$WORK/native"
cd "$WORK/native" || exit 1
cat >>module.mk <<'E'
targets += one.h two.txt
one.h: rule = tool
one.h: inputs = README.md
one.h: command = sh one.sh $@
two.txt: rule = tool
two.txt: inputs = README.md
two.txt: command = sh two.sh $@
goals = one.h two.txt
E
echo 'sleep 0.3; cp README.md "$1"' >one.sh
echo 'cat "${1%/*}/one.h" >"$1" 2>/dev/null || echo none >"$1"' >two.sh
flag -j4
ok "$GANTRY" races hold "$id"
one=$(sed -n 's/^	\(.*\)	.*/\1/p' .gantry-held)
two=$(sed -n 's/^	.*	\(.*\)/\1/p' .gantry-held)
for j in -j1 -j4; do
    for seed in 1 2 3; do
        rm -f "$one" "$two"
        ok "$GANTRY" build --plain $j --shuffle=$seed
        has "$WORK/out" "held $id"
        held_order "$one" "$two"
        cmp -s "$two" README.md || fail "$j: the order was not kept"
    done
done
rm -f "$two"
ok "$GANTRY" build --plain two.txt
ok "$GANTRY" build --plain
has "$WORK/out" "nothing to do"
has "$WORK/out" "held $id"
echo "two.txt: inputs += one.h" >>module.mk
rm -f "$one" "$two"
ok "$GANTRY" build --plain -j4
held_order "$one" "$two"
sed -i 's/^two.txt: inputs += one.h/one.h: inputs += two.txt/' module.mk
rm -f "$one" "$two"
ok "$GANTRY" build --plain -j4
has "$WORK/out" "it comes before that one already"
exit 0
