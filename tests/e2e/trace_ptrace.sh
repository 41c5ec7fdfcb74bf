# Tracing by ptrace, where there can be no listener: as good as the other; and steps that trace, or
# want privileges, themselves.
. "$(dirname "$0")/lib.sh"

for way in ptrace ptrace-filter; do
    for test in trace trace_make; do
        say "$test, by $way"
        GANTRY_TRACE=$way bash "$E2E/$test.sh" >"$WORK/out" 2>"$WORK/err" || fail "tests/e2e/$test.sh by $way"
    done
done

say "doctor says which, and why"
run env GANTRY_TRACE=ptrace "$GANTRY" doctor
has "$WORK/out" "by ptrace, which is slower: GANTRY_TRACE asks for it"

say "inside of a traced step there is no second listener: ptrace"
mkdir -p outer/inner
cd outer || exit 1
cat >Makefile <<'M'
all: inner.out doctor.out
inner.out:
	$(GANTRY) build --json -j4 -C inner -- make >$@
doctor.out:
	$(GANTRY) doctor >$@ || true
M
cat >inner/Makefile <<'M'
all: reader writer
writer:
	sh -c 'sleep 0.1; echo x >made; echo >writer'
reader:
	sleep 2; (cat made & wait) >reader 2>/dev/null || true
M
export GANTRY
ok "$GANTRY" build --json -j2 -- make
grep '"event":"step-end"' inner.out | grep '"target":"writer"' | grep -q '"accesses":[1-9][0-9]*,"traced":true' ||
    fail "an inner step was not traced"
has doctor.out "by ptrace, which is slower: something around Gantry supervises calls itself"
ok "$GANTRY" -C inner races
has "$WORK/out" "made"

say "the same accesses in each way, step by step"
cat >same.mk <<'M'
all: list hello.o hello
list:
	ls inner >$@; sort -o $@ $@; mkdir -p d/e; mv $@ d/x; cp d/x $@; (exec cat $@) | wc -l
hello.o:
	printf '\043include <stdio.h>\nint main(void) { return puts("x") < 0; }\n' >hello.c
	gcc -O2 -c -o $@ hello.c
hello: hello.o
	gcc -static -o $@ hello.o && ./$@
M
for way in '' ptrace ptrace-filter; do
    rm -rf d list hello hello.?
    GANTRY_TRACE=$way ok "$GANTRY" build --json -j1 -- make -B -f same.mk
    sed -n 's/.*"event":"step-end".*"target":"\([a-z.]*\)".*\("accesses":[1-9].*\)}/\1 \2/p' "$WORK/out" >"seen.$way"
    [ "$(wc -l <"seen.$way")" = 3 ] || fail "traced by '$way' there are not three steps"
    cmp -s seen. "seen.$way" || fail "by '$way': $(cat "seen.$way"), and by a listener: $(cat seen.)"
done

say "a recipe that traces"
if strace -o /dev/null true 2>/dev/null; then
    printf 'all:\n\tstrace -f -o calls.out sh -c "echo seen >by_strace"\n' >strace.mk
    for way in '' ptrace; do
        rm -f by_strace
        GANTRY_TRACE=$way ok "$GANTRY" build --json -- make -f strace.mk
        [ "$(cat by_strace)" = seen ] && grep -q execve calls.out || fail "strace does not work traced by '$way'"
        [ "$way" = ptrace ] && traced=false || traced=true
        grep '"event":"step-end"' "$WORK/out" | grep -q "\"outcome\":\"ran\".*\"traced\":$traced" ||
            fail "by '$way' the step is not marked traced: $traced"
        ok "$GANTRY" races
        [ "$(grep -c '1 traced, 1 of them not wholly' "$WORK/out")" = $([ $traced = true ]; echo $?) ] ||
            fail "by '$way' the races do not say whether all was seen"
    done
    GANTRY_TRACE=ptrace-filter run "$GANTRY" build --plain -- make -f strace.mk
    [ $status != 0 ] || fail "strace works where it cannot"
    grep -qh 'traces a process itself.*try gantry build --trace=off' "$WORK/out" "$WORK/err" ||
        fail "nothing is said about a recipe that traces"
fi

say "a recipe that wants privileges"
if [ "$(id -u)" = 0 ]; then
    printf '#include <unistd.h>\nint main(void) { return geteuid() != 65534; }\n' >privilege.c
    gcc -o privilege privilege.c
    chown 65534 privilege
    chmod 4755 privilege "$WORK"
    printf 'all:\n\t./privilege\n' >privilege.mk
    if ./privilege; then
        run "$GANTRY" build --plain -- make -f privilege.mk
        [ $status != 0 ] || fail "a set-user-ID program has its privilege in a traced step"
        grep -qh 'runs a set-user-ID program.*try gantry build --trace=off' "$WORK/out" "$WORK/err" ||
            fail "nothing is said about a set-user-ID program"
        ok "$GANTRY" build --plain --trace=off -- make -f privilege.mk
        cd ..
        demo_tree native
        cd native || exit 1
        cp -p ../outer/privilege .
        printf 'targets += p.txt\np.txt: rule = tool\np.txt: command = sh p.sh $@\np.txt: inputs = p.sh\n' >>module.mk
        echo './privilege && echo yes >"$1"' >p.sh
        ok "$GANTRY" build ARCH=x64 --json p.txt
        has "$WORK/out" "once more, untraced"
        grep '"event":"step-end"' "$WORK/out" | grep -q '"outcome":"ran".*"traced":false' || fail "not marked untraced"
        has "$WORK/out" "1 of the 1 steps that ran are not known"
    fi
fi

say "where nothing can be traced the build says so at its end"
cd "$WORK" || exit 1
cat >nothing.c <<'C'
#include <errno.h>
#include <seccomp.h>
#include <unistd.h>
int main(int count, char **words)
{
    (void)count;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 0);
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ptrace), 0);
    if (seccomp_load(filter) < 0)
        return 1;
    execvp(words[1], words + 1);
    return 127;
}
C
ok gcc -o nothing nothing.c -lseccomp
mkdir untraced && cd untraced || exit 1
printf 'all: a b\na:\n\techo 1 >a\nb: a\n\tcp a b\n' >Makefile
ok "$WORK/nothing" "$GANTRY" build --plain -- make
has "$WORK/err" "2 of the 2 steps that ran are not known"
rm b
ok "$WORK/nothing" "$GANTRY" build --plain --trace=off -- make
! grep -q "not known" "$WORK/err" || fail "what was asked for is warned of"
