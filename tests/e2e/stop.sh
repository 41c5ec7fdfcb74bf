# ^C, SIGTERM and SIGKILL in the middle of a build; two builds at once.
. "$(dirname "$0")/lib.sh"
demo_tree
cd tree || exit 1
# A step that has written half of its output and then waits, with a child that waits too.
cat >>module.mk <<'M'
targets += held.txt
held.txt: rule = tool
held.txt: command = sh held.sh $@
held.txt: inputs = held.sh
M
cat >held.sh <<'S'
echo half >"$1"
touch started
[ -e go ] || { sleep 1000 & sleep 1000; }
echo whole >>"$1"
S
output=build/release.x64/held.txt

# Processes that work in this tree, besides the screen's shell.
left() {
    for dir in /proc/[0-9]*; do
        [ "$(readlink "$dir/cwd" 2>/dev/null)" = "$WORK/tree" ] || continue
        pid=${dir#/proc/}
        case $(tr '\0' ' ' <"$dir/cmdline" 2>/dev/null) in
        *lib.sh* | *stop.sh* | 'bash --norc'* | tmux* | 'env '* | '') ;;
        *) echo "$pid $(tr '\0' ' ' <"$dir/cmdline")" ;;
        esac
    done
}
none_left() {
    [ -z "$(left)" ]
}

# After whatever stopped the build: no process, and the step runs again, whole.
stopped_well() {
    within 10 none_left || fail "still running: $(left)"
    touch go
    build_runs 1 ARCH=x64 held.txt
    [ "$(cat $output)" = "$(printf 'half\nwhole')" ] || fail "held.txt is not whole"
    rm -f go started
    echo "# $RANDOM$RANDOM" >>held.sh
}

for signal in TERM HUP; do
    say "SIG$signal"
    "$GANTRY" build ARCH=x64 held.txt >"$WORK/out" 2>"$WORK/err" &
    pid=$!
    within 30 test -e started || fail "the step never started"
    kill -$signal $pid
    wait $pid
    status=$?
    [ $status = $((128 + $(kill -l $signal))) ] || fail "exit $status after SIG$signal"
    stopped_well
done

say "^C on the terminal"
open_screen 80 24 "$WORK/tree"
type_command "stty -a >$WORK/stty.before; $GANTRY build ARCH=x64 held.txt; echo \"status \$?\""
within 30 test -e started || fail "the step never started"
keys C-c
wait_for 'status 130'
type_command "stty -a >$WORK/stty.after"
within 10 test -s "$WORK/stty.after" || fail "no shell"
cmp "$WORK/stty.before" "$WORK/stty.after" || fail "the terminal has changed"
close_screen
stopped_well

say "SIGKILL: the steps end, the next build is whole"
"$GANTRY" build ARCH=x64 held.txt >"$WORK/out" 2>"$WORK/err" &
pid=$!
within 30 test -e started || fail "the step never started"
kill -KILL $pid
wait $pid 2>/dev/null
stopped_well

say "a second build at once is told who holds the lock"
"$GANTRY" build ARCH=x64 held.txt >"$WORK/first" 2>&1 &
pid=$!
within 30 test -e started || fail "the step never started"
refuses "$pid" "$GANTRY" build ARCH=x64 held.txt
kill -TERM $pid
wait $pid
stopped_well
