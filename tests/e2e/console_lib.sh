# Helpers of the console's end-to-end tests, on top of lib.sh; sourced.
# shellcheck shell=bash disable=SC2034

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
        *lib.sh* | *e2e/console* | 'bash --norc'* | tmux* | 'env '* | '') ;;
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

# For the screen's shell: a sum of the terminal's settings.
stty_sum() {
    # shellcheck disable=SC2016 # for that shell
    echo '$(stty -g | md5sum)'
}

# remember_terminal, same_terminal: settings and what stood on the screen, before and after.
remember_terminal() {
    type_command "clear; echo before-$1; echo at-first $(stty_sum)"
    wait_for '^at-first [0-9a-f]{32}'
    shown=$(screen | sed -n 's/^at-first //p')
}
same_terminal() {
    on_screen "^before-$1" || fail "what stood on the screen before is gone"
    type_command "clear; echo at-last $(stty_sum)"
    wait_for '^at-last [0-9a-f]{32}'
    [ "$(screen | sed -n 's/^at-last //p')" = "$shown" ] || fail "the terminal's settings have changed"
    modes=$(mux display-message -p -t t '#{alternate_on}#{mouse_any_flag}#{cursor_flag}')
    [ "$modes" = 001 ] || fail "alternate screen, mouse, cursor: $modes, not 001"
}

open_console() {
    type_command "$GANTRY"
    wait_for 'nothing built yet'
}

# The console that runs in the screen's shell.
console_pid() {
    pgrep -x gantry -P "$(mux display-message -p -t t '#{pane_pid}')"
}

# held_build NAME COLUMNS ROWS: the console builds, and a step of it waits for `go`.
held_build() {
    held_tree "$1"
    open_screen "$2" "$3" "$PWD"
    remember_terminal "$1"
    type_command "$GANTRY ARCH=aarch64 image=uush; echo \"status \$?\""
    within 60 test -e started || fail "the held step never started"
    wait_for 'held.txt'
}

# After whatever stopped the build: no process, and the step runs again, whole.
stopped_well() {
    within 20 none_left || fail "still running: $(left)"
    touch go
    build_runs 1 ARCH=aarch64 image=uush held.txt
    [ "$(cat build/release.aarch64/held.txt)" = "$(printf 'half\nwhole')" ] ||
        fail "held.txt is not whole"
}
