# A build whenever a file is saved: on the screen, and as a command.
. "$(dirname "$0")/console_lib.sh"
. "$(dirname "$0")/lib.sh"

demo_tree
cd tree || exit 1
ok "$GANTRY" build ARCH=aarch64 image=uush

say "the action watch builds what is saved, and again builds no more"
open_screen 100 30 "$PWD"
type_command "$GANTRY ARCH=aarch64 image=uush"
wait_for '✓ nothing to do'
keys ':'
type_text 'watch'
keys Enter
wait_for 'watching: a build starts whenever a file is saved'
wait_for 'uush, watching'
echo '/* one */' >>kernel/main.c
wait_for 'watching   ✓ [0-9]+ done' 60
echo 'int broken = ;' >>kernel/main.c
wait_for '✗ [0-9]+/[0-9]+ failed' 60
sed -i '$d' kernel/main.c
wait_for 'watching   ✓ [0-9]+ done' 60
keys ':'
type_text 'watch'
keys Enter
wait_for 'files are watched no more'
keys q
wait_for '^ready>'
close_screen

say "gantry build --watch does the same, until ^C"
"$GANTRY" build --watch ARCH=aarch64 image=uush >"$WORK/watched" 2>&1 &
builder=$!
within 30 grep -q '^watching .*: ^C ends' "$WORK/watched" || fail "it does not watch"
echo '/* two */' >>kernel/main.c
within 60 eval '[ "$(grep -c "^watching" "$WORK/watched")" = 2 ]' || fail "it did not build what was saved"
grep -qE '^ran [1-9]' "$WORK/watched" || fail "nothing ran"
# builds N TEXT: so many builds have ended, and the last one said this.
builds() {
    within 60 eval '[ "$(grep -c "^watching" "$WORK/watched")" = '"$1"' ]' || fail "there is no build number $1"
    grep -v '^watching' "$WORK/watched" | tail -1 | grep -qE "$2" || fail "build $1 did not say $2"
}
echo more >notes.txt
builds 3 '^nothing to do'
rm build/release.aarch64/kernel/main.o # no edit, but it is not forgotten
echo more >>notes.txt
builds 4 '^ran [1-9]'
[ -f build/release.aarch64/kernel/main.o ] || fail "a removed product stays away"
echo 'int broken = ;' >>kernel/main.c
builds 5 'failed'
echo more >>notes.txt # is no reason to forget what is broken
builds 6 'failed'
sed -i '$d' kernel/main.c
builds 7 '^ran'
mkdir -p more/deep && echo more >more/deep/notes.txt
builds 8 '^nothing to do'
kill -TERM $builder
wait $builder
[ $? = 143 ] || fail "SIGTERM does not end it"

say "a build of which it is known what was touched looks at little else"
"$GANTRY" build --watch ARCH=aarch64 image=uush >"$WORK/watched" 2>&1 &
builder=$!
builds 1 '^nothing to do'
strace -f -qq -e trace=newfstatat,stat,statx -o "$WORK/calls" -p $builder 2>/dev/null &
tracer=$!
within 30 grep -q . /proc/$builder/status
within 30 eval '[ "$(sed -n "s/^TracerPid:[[:space:]]*//p" /proc/$builder/status)" != 0 ]' || fail "strace does not attach"
echo more >>notes.txt
builds 2 '^nothing to do'
kill -INT $tracer
wait $tracer
grep -q 'kernel/main\.c"' "$WORK/calls" && fail "kernel/main.c is looked at though nobody touched it"
grep -q 'notes\.txt"' "$WORK/calls" && fail "a file that decides nothing is looked at"
kill -TERM $builder
wait $builder

say "make trees: what make writes is no edit"
mkdir "$WORK/make" && cd "$WORK/make" || exit 1
printf 'out: in\n\tcp in out\n' >Makefile
echo one >in
"$GANTRY" build --watch -- make >"$WORK/watched" 2>&1 &
builder=$!
within 30 grep -q '^watching' "$WORK/watched" || fail "it does not watch"
sleep 1
[ "$(grep -c '^watching' "$WORK/watched")" = 1 ] || fail "it built again by itself"
echo two >in
within 30 grep -q two out || fail "it did not build what was saved"
kill -TERM $builder
wait $builder
within 10 none_left || fail "still running: $(left)"
