# kill -9 of a traced build at many instants: the next build always ends with the bytes of a build
# from clean. And a state that is damaged, foreign or cannot be written.
. "$(dirname "$0")/lib.sh"
INSTANTS=${INSTANTS:-12}
mkdir make
cd make || exit 1
cat >Makefile <<'M'
app: a.o b.o c.o d.o gen.h
	cat a.o b.o c.o d.o >$@; sleep 0.01; cat gen.h >>$@
gen.h:
	cat gen.in >$@; sleep 0.02; cat gen.in >>$@
%.o: %.c
	cat $< >$@; sleep 0.02; cat side gen.in $< >>$@
M
for i in a b c d; do echo "source $i" >$i.c; done
echo generated >gen.in
echo side >side
sleep 0.05

clean_bytes() {
    rm -rf "$WORK/clean"
    mkdir "$WORK/clean"
    cp Makefile ./*.c gen.in side "$WORK/clean"
    (cd "$WORK/clean" && make -s) || fail "make fails"
}

# The builds that are killed: from clean, or after an edit of what make knows, or does not.
for ((n = 0; n < INSTANTS; n++)); do
    case $((n % 4)) in
    0) rm -f app ./*.o gen.h ;;
    1) echo "side $n" >side ;;
    2) echo "generated $n" >gen.in ;;
    3) echo "source $n" >b.c ;;
    esac
    clean_bytes
    sleep 0.02
    "$GANTRY" build --plain -j2 -- make >"$WORK/out" 2>&1 &
    pid=$!
    sleep "0.$(printf %03d $(((n * 37 + 5) % 200)))"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    ok "$GANTRY" build --plain -j2 -- make
    cmp -s app "$WORK/clean/app" || fail "killed at instant $n: another app than from clean"
done
say "$INSTANTS builds killed, $INSTANTS right"

say "the same of a native tree"
cd "$WORK" || exit 1
demo_tree
cd tree || exit 1
cat >>module.mk <<'M'
targets += all.txt a.txt b.txt c.txt gen.txt
all.txt: rule = tool
all.txt: command = sh join.sh $@ build/release.x64/a.txt build/release.x64/b.txt build/release.x64/c.txt
all.txt: inputs = join.sh a.txt b.txt c.txt
a.txt: rule = tool
a.txt: command = sh join.sh $@ a.in build/release.x64/gen.txt
a.txt: inputs = join.sh a.in gen.txt
b.txt: rule = tool
b.txt: command = sh join.sh $@ b.in
b.txt: inputs = join.sh
c.txt: rule = tool
c.txt: command = sh join.sh $@ c.in
c.txt: inputs = join.sh c.in
gen.txt: rule = tool
gen.txt: command = sh join.sh $@ gen.in
gen.txt: inputs = join.sh gen.in
M
cat >join.sh <<'S'
out=$1
shift
cat "$1" >"$out"
sleep 0.02
shift
cat side "$@" >>"$out"
S
for i in a b c gen; do echo "native $i" >$i.in; done
echo side >side
# What a build from clean gives, in order.
clean_native() {
    rm -rf "$WORK/clean"
    mkdir -p "$WORK/clean/build/release.x64"
    cp join.sh ./*.in side "$WORK/clean"
    (
        cd "$WORK/clean" || exit 1
        sh join.sh build/release.x64/gen.txt gen.in
        sh join.sh build/release.x64/a.txt a.in build/release.x64/gen.txt
        for i in b c; do sh join.sh build/release.x64/$i.txt $i.in; done
        sh join.sh build/release.x64/all.txt build/release.x64/a.txt build/release.x64/b.txt build/release.x64/c.txt
    )
}
for ((n = 0; n < INSTANTS; n++)); do
    case $((n % 4)) in
    0) rm -f build/release.x64/*.txt ;;
    1) echo "side $n" >side ;;
    2) echo "generated $n" >gen.in ;;
    3) echo "source $n" >b.in ;; # declared nowhere: only seen
    esac
    clean_native
    sleep 0.02
    "$GANTRY" build ARCH=x64 -j2 --plain all.txt >"$WORK/out" 2>&1 &
    pid=$!
    sleep "0.$(printf %03d $(((n * 37 + 5) % 200)))"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    ok "$GANTRY" build ARCH=x64 -j2 --plain all.txt
    cmp -s build/release.x64/all.txt "$WORK/clean/build/release.x64/all.txt" ||
        fail "killed at instant $n: another all.txt than from clean"
done
say "$INSTANTS native builds killed, $INSTANTS right"
cd "$WORK/make" || exit 1

say "damage"
ok "$GANTRY" build -- make
ok "$GANTRY" build -- make
has "$WORK/out" "nothing to do"
cp .gantry/state "$WORK/state"
size=$(stat -c %s "$WORK/state")
for ((n = 0; n < INSTANTS; n++)); do
    at=$(((n * 7919 + 13) % size))
    cp "$WORK/state" .gantry/state
    if [ $((n % 2)) = 0 ]; then
        truncate -s $at .gantry/state
    else
        printf '\377' | dd of=.gantry/state bs=1 seek=$at conv=notrunc status=none
    fi
    echo "damage $n" >side
    clean_bytes
    ok "$GANTRY" build --plain -- make
    cmp -s app "$WORK/clean/app" || fail "damage at byte $at: another app than from clean"
done

say "foreign"
echo "this is no state" >.gantry/state
echo "foreign" >side
clean_bytes
run "$GANTRY" build --plain -- make
[ $status = 0 ] || fail "a foreign state stops the build"
grep -h 'moved to' "$WORK/out" "$WORK/err" >"$WORK/said"
[ "$(wc -l <"$WORK/said")" = 1 ] || fail "not one line about a foreign state"

say "one that cannot be written"
rm -f .gantry/state
mkdir .gantry/state
echo "unwritable" >side
clean_bytes
run "$GANTRY" build --plain -- make
[ $status = 0 ] || fail "a state that cannot be written stops the build"
[ "$(grep -hc 'cannot write\|Is a directory' "$WORK/err")" = 1 ] || fail "not one line about it"
cmp -s app "$WORK/clean/app" || fail "without a state: another app than from clean"
