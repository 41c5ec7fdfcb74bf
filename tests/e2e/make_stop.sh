# ^C, signals and kill -9 in the middle of a make under the gate; the terminal itself.
. "$(dirname "$0")/lib.sh"
. "$E2E/lib/make.sh"

mkdir -p "$T"
cd "$T" || exit 1
cat >Makefile <<'M'
all: before.txt held.txt after.txt
before.txt: ; @echo done >$@
held.txt: before.txt ; @echo half >$@; touch started; [ -e go ] || { sleep 1000 & sleep 1000; }; echo whole >>$@
after.txt: held.txt ; @cat held.txt >$@
sub: ; @$(MAKE) -s
loud: ; @trap 'echo cleaning; sleep 0.3; rm -f scratch; exit 3' INT TERM; touch scratch started; [ -e go ] || { sleep 1000 & wait; }
M

# Processes that work in this tree, besides the screen's shell.
left() {
    for dir in /proc/[0-9]*; do
        [ "$(readlink "$dir/cwd" 2>/dev/null)" = "$T" ] || continue
        case $(tr '\0' ' ' <"$dir/cmdline" 2>/dev/null) in
        *make_stop.sh* | 'bash --norc'* | tmux* | 'env '* | '') ;;
        *) echo "${dir#/proc/} $(tr '\0' ' ' <"$dir/cmdline")" ;;
        esac
    done
}
none_left() {
    [ -z "$(left)" ]
}

# Whatever stopped the build: no process is left, nothing half-written is there or is taken for built.
stopped_well() {
    within 10 none_left || fail "still running: $(left)"
    [ -e before.txt ] || fail "before.txt is gone"
    touch go
    ok "$GANTRY" build -j2 --plain=raw -- make
    [ "$(cat after.txt)" = "$(printf 'half\nwhole')" ] || fail "after.txt is not whole"
    rm -f go started ./*.txt
}

for signal in TERM HUP INT; do
    for jobs in '' -j4; do
        for goal in all sub; do
            say "SIG$signal $jobs $goal"
            # shellcheck disable=SC2086
            env --default-signal=INT "$GANTRY" build $jobs --plain=raw -- make $goal >"$WORK/out" 2>"$WORK/err" </dev/null &
            pid=$!
            within 30 test -e started || fail "the recipe never started"
            kill -$signal $pid
            wait $pid
            status=$?
            [ $status = $((128 + $(kill -l $signal))) ] || fail "exit $status after SIG$signal"
            [ -e held.txt ] && fail "make did not delete held.txt"
            stopped_well
        done
    done
done

say "kill -9: nothing goes on, and what was half made is made again"
"$GANTRY" build -j4 --plain -- make >"$WORK/out" 2>"$WORK/err" </dev/null &
pid=$!
within 30 test -e started || fail "the recipe never started"
kill -KILL $pid
wait $pid 2>/dev/null
within 10 none_left || fail "still running: $(left)"
touch go
ok "$GANTRY" build -j2 --plain=raw -- make
[ "$(cat after.txt)" = "$(printf 'half\nwhole')" ] || fail "after.txt is not whole"
rm -f go started ./*.txt

for jobs in '' -j4; do
    say "^C on the terminal $jobs"
    open_screen 80 24 "$T"
    type_command "stty -a >$WORK/stty.before; $GANTRY build $jobs --plain=raw -- make; echo \"status \$?\""
    within 30 test -e started || fail "the recipe never started"
    keys C-c
    wait_for 'status 130'
    type_command "stty -a >$WORK/stty.after; echo same"
    wait_for 'same'
    cmp "$WORK/stty.before" "$WORK/stty.after" || fail "the terminal is not as it was"
    [ -e held.txt ] && fail "make did not delete held.txt"
    stopped_well
    say "a recipe that cleans up after ^C is given the time $jobs"
    type_command "clear; $GANTRY build $jobs --plain=raw -- make loud; echo \"status \$?\""
    within 30 test -e started || fail "the recipe never started"
    keys C-c
    wait_for 'status 130'
    [ -e scratch ] && fail "the recipe was not let clean up"
    rm -f started
    close_screen
done

cat >tty.mk <<'M'
all menuconfig: ; @test -t 0 && test -t 1 && test -t 2 && echo "on a terminal"; printf 'name? '; read name </dev/tty; echo "hello $$name"; stty size
both: menuconfig other
other: ; @test -t 1 || echo other has none
M

# asks ARGS...: the recipe talks with who sits at the terminal.
asks() {
    open_screen 80 24 "$T"
    type_command "$GANTRY build $*; echo \"status \$?\""
    wait_for 'name?'
    screen | grep -q 'on a terminal' || fail "it is not on a terminal: $*"
    type_command "gantry"
    wait_for 'hello gantry'
    wait_for '24 80'
    wait_for 'status 0'
}

say "a recipe that needs the terminal"
asks --plain=raw -- make -f tty.mk
close_screen
asks -j1 --plain=raw -- make -f tty.mk
close_screen
say "with many lanes it is lent to what goes by the name of such a target"
asks -j4 --plain=raw -- make -f tty.mk both
wait_for 'other has none'
close_screen

say "a static make is told of, and builds all the same"
mkdir static
cat >static/make.c <<'C'
#include <stdio.h>
int main(void) { puts("a static make"); return 3; }
C
gcc -static -o static/make static/make.c || fail "no static program can be made"
run env PATH="$PWD/static:$PATH" "$GANTRY" build --plain -- make
[ $status = 3 ] || fail "exit $status, not its own 3"
has "$WORK/out" "a static make"
has "$WORK/err" "static/make is a static program"
