# Helpers of the end-to-end tests; sourced. Each test runs in a directory of its own, which goes
# away with it, and ends at the first thing that is not as it should be.
# shellcheck shell=bash
set -u
E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
GANTRY=${GANTRY:?the program under test}
export LC_ALL=C.UTF-8 TERM=${TERM:-xterm-256color} HOME
unset CI NO_COLOR MAKEFLAGS MAKELEVEL MFLAGS GNUMAKEFLAGS ARCH mode image CROSS_PREFIX cmdline fs
WORK=$(mktemp -d /tmp/gantry-e2e-XXXXXX)
HOME=$WORK/home
mkdir -p "$HOME/.local/state/gantry"
: >"$HOME/.local/state/gantry/toured" # no tour: it is no first start
TMUX_SOCKET=gantry-e2e-$$

clean_up() {
    tmux -L "$TMUX_SOCKET" kill-server 2>/dev/null
    chmod -R u+rwX "$WORK" 2>/dev/null
    rm -rf "$WORK"
}
trap clean_up EXIT
cd "$WORK" || exit 1

say() {
    printf '== %s\n' "$*"
}

fail() {
    printf 'FAILED: %s\n' "$*"
    [ -f "$WORK/out" ] && sed 's/^/  out| /' "$WORK/out" | cut -c 1-400 | tail -30
    [ -f "$WORK/err" ] && sed 's/^/  err| /' "$WORK/err" | cut -c 1-400 | tail -30
    if tmux -L "$TMUX_SOCKET" has-session 2>/dev/null; then
        echo "  screen:"
        screen | sed 's/^/  |/'
    fi
    exit 1
}

# run COMMAND...: into the files out, err; the exit status in $status.
run() {
    "$@" >"$WORK/out" 2>"$WORK/err" </dev/null
    status=$?
}

# ok COMMAND...: must exit with 0.
ok() {
    run "$@"
    [ $status = 0 ] || fail "exit $status of: $*"
}

# has FILE TEXT: a line of the file has the text.
has() {
    grep -qF -e "$2" "$1" || fail "no '$2' in $1"
}

# refuses TEXT COMMAND...: exit 2, and on standard error one line, which has the text.
refuses() {
    local text=$1
    shift
    run "$@"
    [ $status = 2 ] || fail "exit $status, not 2, of: $*"
    [ "$(wc -l <"$WORK/err")" = 1 ] || fail "not one line on standard error of: $*"
    has "$WORK/err" "$text"
}

# within SECONDS COMMAND...: tries again until the command succeeds; a slow or busy machine has six
# times as long.
within() {
    local tries=$(($1 * 20 * 6))
    shift
    while ! "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.05
    done
}

# The bundled tree in ./tree (or $1).
demo_tree() {
    ok "$GANTRY" demo "${1:-tree}"
}

# How many steps the last `ok gantry ... --json` ran.
steps_run() {
    sed -n 's/.*"event":"build-end".*"steps_run":\([0-9]*\).*/\1/p' "$WORK/out"
}

# build_runs N ARGS...: a build that ends well, having run N steps.
build_runs() {
    local wanted=$1
    shift
    ok "$GANTRY" build --json "$@"
    [ "$(steps_run)" = "$wanted" ] || fail "ran $(steps_run) steps, not $wanted: build $*"
}

# as_nobody COMMAND...: without any privilege. Where the tests have none, as they are. What is run must
# be readable by everybody: see let_nobody.
as_nobody() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --inh-caps=-all "$@"
    else
        "$@"
    fi
}
# let_nobody [DIR...]: nobody may read the program under test, and owns these.
let_nobody() {
    chmod 755 "$WORK"
    install -m 755 "$GANTRY" "$WORK/gantry"
    [ "$(id -u)" != 0 ] || [ $# = 0 ] || chown -R 65534:65534 "$@"
}

# --- a screen ---

mux() {
    tmux -L "$TMUX_SOCKET" -f /dev/null "$@"
}

# open_screen COLUMNS ROWS [DIR]: a shell in a terminal of that size.
open_screen() {
    mux new-session -d -x "$1" -y "$2" -s t -c "${3:-$WORK}" "env PS1='ready> ' bash --norc --noprofile" ||
        fail "tmux does not start"
    mux set-option -g escape-time 0
    wait_for 'ready>'
}

screen() {
    mux capture-pane -p -t t
}

# type TEXT: as from the keyboard. keys NAME...: tmux's key names.
type_text() {
    mux send-keys -t t -l -- "$1"
}
keys() {
    mux send-keys -t t "$@"
}

on_screen() {
    screen | grep -qE -e "$1"
}
not_on_screen() {
    ! on_screen "$1"
}

# wait_for PATTERN [SECONDS]: until the screen has it (30 s).
wait_for() {
    within "${2:-30}" on_screen "$1" || fail "the screen never showed: $1"
}

# type_command TEXT: at the shell of the screen.
type_command() {
    type_text "$1"
    keys Enter
}

# close_screen: the shell ends, and so does the server.
close_screen() {
    mux kill-server 2>/dev/null
    within 5 eval '! mux has-session 2>/dev/null' || fail "tmux does not end"
}
