# Two recorded builds side by side: one that failed elsewhere, one that passed here, and why.
. "$(dirname "$0")/console_lib.sh"
. "$(dirname "$0")/lib.sh"

# prog.txt reads lib.txt, and nothing says so: where both run at once it comes too early.
mkdir ci
cd ci || exit 1
cat >Makefile <<'M'
all: lib.txt prog.txt
lib.txt:
	until [ -e $(GO) ]; do sleep 0.05; done
	echo lib >$@
prog.txt:
	cat lib.txt >$@
M
: >now

say "failed in CI, passed here: why"
"$GANTRY" build --journal="$WORK/ci.zst" -- make -k -j2 GO=later >"$WORK/first" 2>&1 &
builder=$!
within 20 grep -q 'prog.txt  *exit 1' "$WORK/first" || fail "prog.txt did not fail"
: >later
wait $builder && fail "the first build did not fail"
rm -f ./*.txt
cp -r . "$WORK/here"
cd "$WORK/here" || exit 1
ok "$GANTRY" build -- make -j1 GO=now
ok "$GANTRY" compare "$WORK/ci.zst"
grep -qE '^result +failed, .* \| ok, ' "$WORK/out" || fail "the results are not told"
[ "$(sed -n '/^- /p' "$WORK/out" | head -1)" = '- prog.txt  (outcome, access)' ] ||
    fail "the failure does not come first"
grep -qE 'A  failed, exit 1; looked for lib.txt in vain at .*, before lib.txt was made' "$WORK/out" ||
    fail "what it touched in A is not told"
grep -qE 'B  ran; read lib.txt at .*, after lib.txt was made' "$WORK/out" || fail "nor in B"
has "$WORK/out" "nothing orders prog.txt after lib.txt: it is a race"
has "$WORK/out" "command: later"
ok "$GANTRY" compare --json "$WORK/ci.zst"
grep -qE '"differences":\[\{"target":"prog.txt","what":"outcome, access","path":"lib.txt",.*"ordered":false,"a":\{[^}]*"order":"before"\},"b":\{[^}]*"order":"after"\}' \
    "$WORK/out" || fail "the JSON is wrong"

say "on the screen, and of the last two builds by ="
open_screen 100 30 "$PWD"
remember_terminal compare
type_command "$GANTRY compare $WORK/ci.zst; echo \"status \$?\""
wait_for '^ compare ─'
wait_for '✗ +prog.txt +failed, exit 1 +ran'
wait_for 'nothing orders prog.txt after lib.txt'
keys l
wait_for 'log: .*prog.txt'
keys q
wait_for 'status 0'
same_terminal compare
type_command "clear; $GANTRY"
wait_for 'nothing built yet'
keys '='
wait_for 'of this configuration there is one'
keys Escape
within 5 not_on_screen 'compare ─' || fail "Esc does not close it"
rm -f ./*.txt
keys b
wait_for '✓ [0-9]+ done'
keys '='
wait_for 'compare ─+ [0-9]+ differ'
keys Escape
within 5 not_on_screen 'compare ─' || fail "Esc does not close it"
keys q
wait_for '^ready>'
close_screen

say "what cannot be compared is told in one line"
echo nonsense >"$WORK/nonsense"
refuses "is no journal" "$GANTRY" compare "$WORK/nonsense" "$WORK/ci.zst"
refuses "two are compared" "$GANTRY" compare -C "$WORK/ci"
refuses "usage: gantry compare" "$GANTRY" compare a b c
