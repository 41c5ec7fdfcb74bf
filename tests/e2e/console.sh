# The console in a real terminal: the whole journey at three sizes, and how it is left.
. "$(dirname "$0")/console_lib.sh"
. "$(dirname "$0")/lib.sh"

journey() {
    say "the journey at $1x$2"
    held_tree tree
    open_screen "$1" "$2" "$PWD"
    remember_terminal journey
    open_console

    # Pick aarch64 and uush: up and left from x64 release default, wherever that stands.
    keys 6
    wait_for 'default'
    keys Left Home
    for _ in 1 2 3 4 5 6 7; do keys Down; done # the last row: release uush
    keys Enter
    wait_for 'aarch64 release uush'

    # Build; look at the log of the step that runs, then at its place, then at the goal's cone.
    keys 1 b
    within 60 test -e started || fail "the held step never started"
    wait_for 'TOOL +.*held.txt'
    keys Tab Tab Tab Tab Tab # any pane, and round
    keys / ; type_text 'held.txt'; keys Enter
    wait_for 'cone: .*held.txt'
    keys l
    wait_for 'log: .*held.txt  running'
    wait_for 'held, and says so'
    keys 1 / ; type_text 'loader.elf'; keys Enter
    wait_for 'cone: .*loader.elf'
    keys w
    wait_for 'why .*loader.elf'
    keys Escape
    within 5 not_on_screen 'why .*loader.elf' || fail "Esc does not close the pop-up"
    touch go
    wait_for 'uush   ✓ [0-9]+ done' 60
    keys Escape
    within 5 not_on_screen 'cone: .*loader.elf' || fail "Esc does not give the goal's cone back"

    # A file in the manifest, with the path completed, and other arguments.
    keys 7
    wait_for '/bin/sh'
    keys End Enter
    wait_for 'EDIT'
    type_text 'data/hello.txt'
    keys Enter
    type_text 'hell'
    keys Tab # hello.txt comes before hello/
    wait_for 'hello/'
    keys Enter
    wait_for '• /data/hello.txt'
    wait_for '\+ /data/hello.txt'
    keys u
    wait_for 'changes nothing'
    keys U
    wait_for '• /data/hello.txt'
    keys Tab i
    wait_for 'EDIT'
    keys C-u
    type_text '--rootfs=ramfs /tools/uush.so -c "cat /data/hello.txt" --as-typed'
    keys Enter
    wait_for '•staged'

    # Nothing is written before it was shown; then everything, and the image.
    grep -q hello.txt manifests/*.skel && fail "a staged entry was written"
    keys c
    wait_for '\+/data/hello.txt: hello.txt'
    wait_for '\+ --rootfs=ramfs .*--as-typed'
    keys Enter
    wait_for 'the same' 60
    wait_for 'names in bootfs [0-9]+ of 110'
    grep -q '^/data/hello.txt: hello.txt$' manifests/bootfs.manifest.skel || fail "it was not written"
    run "$GANTRY" image args build/release.aarch64/images/uush/loader.img
    has "$WORK/out" '--as-typed'

    # Boot; the file and the arguments are there.
    keys r
    wait_for 'boot arguments: --rootfs=ramfs' 90
    wait_for 'hello from the manifest screen' 60
    wait_for 'uush>' 60
    keys i
    wait_for 'attached'
    type_text 'cat /data/hello.txt'
    keys Enter
    within 20 eval '[ "$(screen | grep -c "hello from the manifest screen")" -ge 2 ]' ||
        fail "cat does not show the file"
    type_text 'args'
    keys Enter
    wait_for 'argv\[3\] = --as-typed' 20
    type_text 'exit'
    keys Enter
    wait_for '✓ ok' 30

    keys q
    wait_for '^ready> *$'
    wait_for 'booted: ok'
    same_terminal journey
    close_screen
    within 10 none_left || fail "still running: $(left)"
}

for size in '80 24' '120 40' '200 60'; do
    journey $size
done

say "kill -TERM in the middle of a build: the terminal is as before, nothing is left"
held_build term 80 24
kill -TERM "$(console_pid)"
wait_for 'status 143'
same_terminal term
close_screen
stopped_well

say "^C in the middle of a build: drains, then kills, then quits"
held_build interrupt 80 24
keys C-c
wait_for 'stopping'
keys C-c
wait_for 'cancelled'
within 20 none_held || fail "the held step still runs: $(left)"
keys C-c
wait_for 'status 130'
same_terminal interrupt
close_screen
stopped_well

say "20x5: one right line of progress"
held_tree tiny
touch go
ok "$GANTRY" build --json ARCH=aarch64 image=uush
all=$(steps_run)
rm -rf build go started
open_screen 20 5 "$PWD"
type_command "$GANTRY ARCH=aarch64 image=uush"
within 60 test -e started || fail "the held step never started"
within 60 eval 'screen | head -1 | grep -q "^$((all - 1))/$all "' ||
    fail "$(screen | head -1), and $((all - 1)) of $all steps are done"
[ "$(screen | grep -c '[0-9]/[0-9]')" = 1 ] || fail "more than one line of progress"
touch go
wait_for "✓ $all done"
keys q
wait_for 'ready>'
close_screen
