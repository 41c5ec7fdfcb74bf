# The console in a real terminal: the whole journey at three sizes, and how it is left.
. "$(dirname "$0")/lib.sh"

# The bundled tree with a step more in the image uush, which says something and waits for `go`.
held_tree() {
    rm -rf "$WORK/$1"
    demo_tree "$WORK/$1"
    cd "$WORK/$1" || exit 1
    cat >>module.mk <<'M'
targets += held.txt
held.txt: rule = tool
held.txt: command = sh held.sh $@
held.txt: inputs = held.sh
M
    sed -i 's/^goals = loader.img$/goals = loader.img held.txt/' conf/images/uush.mk
    cat >held.sh <<'S'
echo "held, and says so"
echo half >"$1"
touch started
until [ -e go ]; do sleep 0.1; done
echo whole >>"$1"
S
    echo 'hello from the manifest screen' >hello.txt
}

# Processes that work in this tree, besides the screen's shell.
left() {
    for dir in /proc/[0-9]*; do
        [ "$(readlink "$dir/cwd" 2>/dev/null)" = "$PWD" ] || continue
        case $(tr '\0' ' ' <"$dir/cmdline" 2>/dev/null) in
        *lib.sh* | *console.sh* | 'bash --norc'* | tmux* | 'env '* | '') ;;
        *) echo "${dir#/proc/} $(tr '\0' ' ' <"$dir/cmdline")" ;;
        esac
    done
}
none_left() {
    [ -z "$(left)" ]
}

none_held() {
    ! left | grep 'held\.sh'
}

# remember_terminal, same_terminal: settings and what stood on the screen, before and after.
remember_terminal() {
    type_command "clear; echo before-$1; stty -a >$WORK/stty.before; stty -a | md5sum"
    wait_for '^[0-9a-f]{32} '
    shown=$(screen | grep -E '^[0-9a-f]{32} ')
}
same_terminal() {
    on_screen "^before-$1" || fail "what stood on the screen before is gone"
    type_command "clear; stty -a | md5sum"
    wait_for '^[0-9a-f]{32} '
    [ "$(screen | grep -E '^[0-9a-f]{32} ')" = "$shown" ] || fail "the terminal's settings have changed"
    modes=$(mux display-message -p -t t '#{alternate_on}#{mouse_any_flag}#{cursor_flag}')
    [ "$modes" = 001 ] || fail "alternate screen, mouse, cursor: $modes, not 001"
}

open_console() {
    type_command "$GANTRY"
    wait_for 'nothing built yet'
}

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
    wait_for '✓ [0-9]+ done' 60
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
held_tree term
open_screen 80 24 "$PWD"
remember_terminal term
type_command "$GANTRY ARCH=aarch64 image=uush; echo \"status \$?\""
within 60 test -e started || fail "the held step never started"
wait_for 'held.txt'
pid=$(pgrep -x gantry -P "$(mux display-message -p -t t '#{pane_pid}')")
[ -n "$pid" ] || fail "which process is it?"
kill -TERM "$pid"
wait_for 'status 143'
same_terminal term
within 10 none_left || fail "still running: $(left)"
close_screen
touch go
build_runs 1 ARCH=aarch64 image=uush held.txt
[ "$(cat build/release.aarch64/held.txt)" = "$(printf 'half\nwhole')" ] || fail "held.txt is not whole"

say "^C in the middle of a build"
held_tree interrupt
open_screen 80 24 "$PWD"
remember_terminal interrupt
type_command "$GANTRY ARCH=aarch64 image=uush; echo \"status \$?\""
within 60 test -e started || fail "the held step never started"
wait_for 'held.txt'
keys C-c
wait_for 'stopping'
keys C-c
wait_for 'cancelled'
within 20 none_held || fail "the held step still runs: $(left)"
keys C-c # nothing runs any more: it quits
wait_for 'status 130'
same_terminal interrupt
within 10 none_left || fail "still running: $(left)"
close_screen
touch go
build_runs 1 ARCH=aarch64 image=uush held.txt
[ "$(cat build/release.aarch64/held.txt)" = "$(printf 'half\nwhole')" ] || fail "held.txt is not whole"

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
