# The console on a recorded build, and on one that runs elsewhere.
. "$(dirname "$0")/console_lib.sh"
. "$(dirname "$0")/lib.sh"

say "attach shows a build of another terminal, and ends as it ends"
held_tree tree
"$GANTRY" build ARCH=aarch64 image=uush >"$WORK/first" 2>&1 &
builder=$!
within 60 test -e started || fail "the held step never started"
open_screen 80 24 "$PWD"
remember_terminal attach
type_command "$GANTRY attach ARCH=aarch64 image=uush; echo \"status \$?\""
wait_for 'aarch64 release uush, attached'
wait_for 'TOOL +held.txt'
keys b
wait_for 'only looked at'
touch go
wait_for 'attached   ✓ [0-9]+ done' 60
wait $builder || fail "the build that was looked at failed"
keys q
wait_for 'status 0'
same_terminal attach

say "the loss of the one that looks is nothing to the build"
rm -rf build go started
"$GANTRY" build ARCH=aarch64 image=uush >"$WORK/first" 2>&1 &
builder=$!
within 60 test -e started || fail "the held step never started"
type_command "clear; $GANTRY attach ARCH=aarch64 image=uush; echo \"status \$?\""
wait_for 'TOOL +held.txt'
kill -KILL "$(console_pid)"
wait_for 'status 137'
type_command "reset; $GANTRY attach ARCH=aarch64 image=uush"
wait_for 'TOOL +held.txt'
close_screen # nor is a terminal that is closed
touch go
wait $builder || fail "the build ended with the console that looked at it"

say "the loss of the one that builds ends what is looked at, and says so"
rm -rf build go started
# Its step says something more when it is told to, so that the journal goes on for as long as we like.
sed -i 's/^until .*/until [ -e go ]; do sleep 0.1; [ ! -e word ] || { echo "held still"; rm word; }; done/' held.sh
# A session of its own, so that no shell tells of its end.
setsid "$GANTRY" build ARCH=aarch64 image=uush >"$WORK/first" 2>&1 &
builder=$!
within 60 test -e started || fail "the held step never started"
open_screen 80 24 "$PWD"
remember_terminal lost
type_command "$GANTRY attach ARCH=aarch64 image=uush; echo \"status \$?\""
wait_for 'TOOL +held.txt'
"$GANTRY" attach ARCH=aarch64 image=uush >"$WORK/lines" 2>&1 &
looker=$!
sleep 5 # so long the journal plays below, and can be seen to
touch word
said_twice() {
    [ "$("$GANTRY" replay --json ARCH=aarch64 image=uush | grep -c '"event":"step-output".*"stream"')" -ge 2 ]
}
within 60 said_twice || fail "the journal does not go on"
kill -KILL $builder
wait_for 'that build was killed: its journal stops here' 10
wait_for '⊘ [0-9]+/[0-9]+ cancelled'
keys q
wait_for 'status 1'
same_terminal lost
close_screen
wait $looker
[ $? = 1 ] || fail "attach in lines does not end with 1 where the build was killed"
has "$WORK/lines" 'that build was killed'
within 20 none_left || fail "still running: $(left)"

say "a journal that stops in the middle is shown and played to where it stops"
open_screen 100 30 "$PWD"
type_command "$GANTRY replay ARCH=aarch64 image=uush"
wait_for 'recorded   ⊘ [0-9]+/[0-9]+ cancelled'
keys Home Space
wait_for '^ playing ─'
wait_for '^ replay ─' 30
keys q
wait_for '^ready>'
close_screen
rm -f started
"$GANTRY" build ARCH=aarch64 image=uush >"$WORK/first" 2>&1 &
builder=$!
within 60 test -e started || fail "the held step never started"
sleep 5 # so long it plays
touch go
wait $builder || fail "the build after the one that was killed failed"

say "replay shows the whole, plays it from its beginning, and builds nothing"
open_screen 120 40 "$PWD"
remember_terminal replay
type_command "$GANTRY replay ARCH=aarch64 image=uush; echo \"status \$?\""
wait_for '^ replay ─.*cursor'
wait_for 'aarch64 release uush, recorded   ✓ [0-9]+ done'
keys Home Space
wait_for '^ playing ─.*cursor'
wait_for 'recorded   [0-9]+/[0-9]+ '
wait_for 'recorded   ✓ [0-9]+ done' 60
wait_for '^ replay ─.*cursor'
keys b
wait_for 'only looked at'
keys q
wait_for 'status 0'
same_terminal replay

say "p prints it as lines, a key comes back"
type_command "clear; $GANTRY replay ARCH=aarch64 image=uush; echo \"status \$?\""
wait_for '^ replay ─.*cursor'
keys p
wait_for '^ran [0-9]+, '
keys Space
wait_for '^ replay ─.*cursor'
keys q
wait_for 'status 0'
close_screen

say "what is no journal is told in one line"
echo nonsense >"$WORK/nonsense"
refuses nonsense "$GANTRY" replay "$WORK/nonsense"
