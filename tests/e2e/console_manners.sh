# The console as a guest of the terminal: idle, suspended, resized, stalled, cut off.
. "$(dirname "$0")/console_lib.sh"
. "$(dirname "$0")/lib.sh"

say "idle: no byte, no processor time"
demo_tree
cd tree || exit 1
open_screen 80 24 "$PWD"
open_console
pid=$(console_pid)
# Processor time in ticks and bytes written, so far.
spent() {
    cut -d ' ' -f 14,15 "/proc/$pid/stat"
    grep wchar "/proc/$pid/io"
}
# The first frames, and what is read for them: until a second passes in which nothing is spent.
at_rest() {
    before=$(spent)
    sleep 1
    [ "$(spent)" = "$before" ]
}
within 2 at_rest || fail "never at rest: $before, then $(spent)"
before=$(spent)
sleep 3
[ "$(spent)" = "$before" ] || fail "idle, and spent: $before, then $(spent)"
keys q
wait_for '^ready>'
close_screen
cd "$WORK" || exit 1

say "the tour comes at the first start, can be dismissed, and never comes back"
rm "$HOME/.local/state/gantry/toured"
demo_tree tour
cd tour || exit 1
open_screen 80 24 "$PWD"
type_command "$GANTRY"
wait_for 'tour: welcome, 1 of 6'
keys Enter
wait_for 'tour: moving, 2 of 6'
keys Escape
within 5 not_on_screen 'tour:' || fail "Esc does not dismiss the tour"
on_screen 'nothing built yet' || fail "there is no screen below it"
keys q
wait_for '^ready>'
type_command "clear; $GANTRY"
wait_for 'nothing built yet'
not_on_screen 'tour:' || fail "the tour came back"
keys q
wait_for '^ready>'
close_screen
cd "$WORK" || exit 1

say "^Z gives the terminal back, fg takes it again, the build goes on"
held_build suspend 80 24
keys C-z
wait_for 'Stopped'
modes=$(mux display-message -p -t t '#{alternate_on}#{cursor_flag}')
[ "$modes" = 01 ] || fail "suspended, and alternate screen, cursor are $modes"
touch go
type_command 'fg'
wait_for 'uush   ✓ [0-9]+ done' 60
keys q
wait_for 'gantry: ok: aarch64 release uush'
same_terminal suspend
close_screen
within 10 none_left || fail "still running: $(left)"

say "a storm of sizes ends in a whole picture"
held_build storm 120 40
for i in $(seq 60); do
    mux resize-window -t t -x $((20 + RANDOM % 180)) -y $((3 + RANDOM % 57))
done
mux resize-window -t t -x 100 -y 30
wait_for '^ lanes ─+ [0-9]+ of [0-9]+ ──$'
within 10 eval '[ "$(screen | grep -c "^ lanes ")" = 1 ]' || fail "the picture is not whole"
within 10 eval "screen | head -1 | grep -q 'aarch64 release uush'" || fail "the header is not whole"
within 10 eval "screen | tail -1 | grep -q 'q quit'" || fail "the key line is not whole"
keys q q
wait_for 'status 1'
same_terminal storm
close_screen
within 20 none_left || fail "still running: $(left)"

say "a terminal that is closed ends the build"
held_build closed 80 24
close_screen
stopped_well

say "a terminal that nobody reads does not hold the build up"
held_tree stalled
mkfifo "$WORK/stalled.out"
sleep 1000 <>"$WORK/stalled.out" & # held open, never read
reader=$!
head -c 65536 /dev/zero >"$WORK/stalled.out" # full from the beginning
touch go
# A program between: what it cannot write it does not read from the terminal.
(exec script -qefc "stty cols 200 rows 60; $GANTRY ARCH=aarch64 image=uush" /dev/null) \
    >"$WORK/stalled.out" 2>&1 </dev/zero &
writer=$!
within 60 grep -qs whole build/release.aarch64/held.txt || fail "the step did not run"
within 60 test -e build/release.aarch64/images/uush/loader.img || fail "the build stands still"
kill "$writer" 2>/dev/null
kill "$reader" 2>/dev/null
within 20 none_left || fail "still running: $(left)"
