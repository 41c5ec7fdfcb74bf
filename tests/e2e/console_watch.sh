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
kill -TERM $builder
wait $builder
[ $? = 143 ] || fail "SIGTERM does not end it"

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
