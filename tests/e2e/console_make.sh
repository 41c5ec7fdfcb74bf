# The console on a make tree: before the end of its first build it says why the cone is no tree yet; later
# ones begin with what the build before them recorded.
. "$(dirname "$0")/console_lib.sh"
. "$(dirname "$0")/lib.sh"
mkdir "$WORK/make" && cd "$WORK/make" || exit 1
cat >Makefile <<'M'
all: last.txt
last.txt: held.txt first.txt ; @cat held.txt first.txt >$@
held.txt: in.txt ; @echo held, and says so; touch started; until [ -e go ]; do sleep 0.1; done; cp in.txt $@
first.txt: ; @echo first >$@
M
echo 1 >in.txt
touch go

say "a first build knows of no time, and not what waits for what"
rm -f go
open_screen 120 40 "$PWD"
type_command "$GANTRY -j2 -- make; echo \"status \$?\""
within 60 test -e started || fail "the held recipe never started"
wait_for 'what waits for what, make tells when it ends'
keys p # as lines, from its beginning, while it runs
wait_for '^\[1/[^]]*\] .*first\.txt'
keys Enter
wait_for 'cone: all'
touch go
wait_for '✓ done' 60
keys q
wait_for 'status 0'
close_screen

say "the next says what it took before, what waits for what, and how much is left"
rm -f go started
echo 2 >in.txt
open_screen 120 40 "$PWD"
type_command "$GANTRY -j2 -- make; echo \"status \$?\""
within 60 test -e started || fail "the held recipe never started"
wait_for 'held.txt .* of [0-9.]+m?s'
wait_for ' [01]/~[23] '
wait_for 'cone: last.txt .*waits for .*by the last build'
wait_for 'tail: held.txt'
wait_for 'held, and says so'

say "at its end the cone is a tree, and what took longest comes first"
touch go
wait_for '✓ done' 60
wait_for 'cone: last.txt'
wait_for ' longest '
keys q
wait_for 'status 0'
close_screen
within 10 none_left || fail "still running: $(left)"

say "of what was never built to its end nothing is forecast"
rm -rf .gantry started held.txt first.txt last.txt go
for round in 1 2; do
    rm -f started
    echo "round $round" >in.txt
    open_screen 120 40 "$PWD"
    type_command "$GANTRY -j2 -- make; echo \"status \$?\""
    within 60 test -e started || fail "the held recipe never started"
    wait_for 'what waits for what, make tells when it ends'
    keys x
    wait_for 'stopping'
    keys x
    wait_for 'cancelled +[0-9]+ ran' 60 # the build, not only its step
    keys q
    wait_for 'status [0-9]'
    close_screen
done
within 10 none_left || fail "still running: $(left)"
