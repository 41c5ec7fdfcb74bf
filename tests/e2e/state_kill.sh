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
