# Traced steps: the badge, a daemon that a step leaves behind, and what SIGKILL leaves.
. "$(dirname "$0")/lib.sh"
demo_tree
cd tree || exit 1
cat >>module.mk <<'M'
targets += daemon.txt held.txt
daemon.txt: rule = tool
daemon.txt: command = sh daemon.sh $@
daemon.txt: inputs = daemon.sh
held.txt: rule = tool
held.txt: command = sh held.sh $@
held.txt: inputs = held.sh
M
# Touches files and starts programs for as long as it lives: each answer writes one more name.
cat >daemon.sh <<'S'
cat >life.sh <<'L'
touch alive
while [ ! -e stop ]; do
    if [ -e ask ]; then mv ask answer && cat daemon.sh >>answer; fi
    sleep 0.05
done
rm -f stop
L
rm -f alive
setsid sh life.sh </dev/null >/dev/null 2>&1 &
while [ ! -e alive ]; do sleep 0.01; done
echo made >"$1"
S
cat >held.sh <<'S'
echo half >"$1"
touch started
sleep 1000
S

answers() {
    touch ask
    within 10 test -s answer || fail "the daemon does not work: $1"
    grep -q life.sh answer || fail "the daemon cannot read: $1"
    rm -f answer
}
guards() {
    local count=0 dir
    for dir in /proc/[0-9]*; do
        [ "$(cat "$dir/comm" 2>/dev/null)" = gantry-guard ] &&
            { tr '\0' '\n' <"$dir/environ"; } 2>/dev/null | grep -qxF "HOME=$HOME" && count=$((count + 1))
    done
    echo $count
}

say "--trace=on and off, told with each step"
run "$GANTRY" build ARCH=x64 --json daemon.txt --trace=off
[ $status = 0 ] || fail "exit $status"
grep '"target":"build/release.x64/daemon.txt"' "$WORK/out" | grep -q '"accesses":0,"traced":false' ||
    fail "the step was traced"
touch stop
within 10 test ! -e stop || fail "the untraced daemon does not end"
echo "# again" >>daemon.sh

say "a daemon outlives its step and its build"
ok "$GANTRY" build ARCH=x64 --json daemon.txt
grep '"target":"build/release.x64/daemon.txt"' "$WORK/out" |
    grep -q '"accesses":[1-9][0-9]*,"traced":true' || fail "the step was not traced"
answers "after its build"
# By ptrace none is left behind: nothing waits for its answer.
[ "${GANTRY_TRACE:-}" ] || [ "$(guards)" -gt 0 ] || fail "nothing guards the daemon"

say "and other builds"
echo 1 >>held.sh
"$GANTRY" build ARCH=x64 held.txt >"$WORK/out" 2>"$WORK/err" &
pid=$!
within 30 test -e started || fail "the step never started"
answers "during another build"
kill -KILL $pid
wait $pid 2>/dev/null
answers "after SIGKILL of another build"
touch stop
within 10 test ! -e stop || fail "the daemon does not end"
gone() {
    [ "$(guards)" = 0 ]
}
within 10 gone || fail "a guard is left with nothing to guard"

say "a daemon of a build that is killed while its step's build goes on"
rm -f started
cat >>daemon.sh <<'S'
touch started
[ -e quick ] || sleep 1000
S
"$GANTRY" build ARCH=x64 daemon.txt >"$WORK/out" 2>"$WORK/err" &
pid=$!
within 30 test -e started || fail "the step never started"
kill -KILL $pid
wait $pid 2>/dev/null
answers "after SIGKILL in the middle of its step"
touch stop
within 10 test ! -e stop || fail "the daemon does not end"
within 10 gone || fail "a guard is left with nothing to guard"

say "what cannot work so traced runs once more, otherwise"
cat >listener.c <<'C'
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void)
{
    struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    struct sock_fprog program = {1, &allow};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (fd < 0)
        perror("no listener");
    return fd < 0;
}
C
gcc -o listener listener.c
for name in listener plain; do
    printf 'targets += %s.txt\n%s.txt: rule = tool\n%s.txt: command = sh %s.sh $@\n%s.txt: inputs = %s.sh\n' \
        $name $name $name $name $name $name >>module.mk
done
echo './listener && echo yes >"$1"' >listener.sh
echo 'false' >plain.sh
ok "$GANTRY" build ARCH=x64 --json listener.txt
# Stopped at the calls of a filter alone, it would hide from us what it takes from others.
traced=true
[ "${GANTRY_TRACE-}" = ptrace-filter ] && traced=false
grep '"event":"step-end"' "$WORK/out" | grep -q '"outcome":"ran".*"traced":'$traced || fail "not marked traced: $traced"
[ -n "${GANTRY_TRACE-}" ] || has "$WORK/out" "once more, traced by ptrace"
run "$GANTRY" build ARCH=x64 --json plain.txt
[ $status = 1 ] || fail "exit $status of a step that just fails"
grep '"event":"step-end"' "$WORK/out" | grep -q '"outcome":"failed".*"traced":true' || fail "a failed step was run untraced"
