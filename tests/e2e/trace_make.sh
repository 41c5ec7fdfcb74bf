# A traced make: whose an access is, sub-makes, $(shell), daemons, SIGKILL.
. "$(dirname "$0")/lib.sh"
mkdir -p tree/sub
cd tree || exit 1
cat >Makefile <<'M'
X := $(shell cat config)
all: reader other sub.done
writer:
	sh -c 'sleep 0.1; echo $X >made; echo >writer'
reader:
	sleep 2; (cat made & wait) >reader 2>/dev/null || true
all: writer
other:
	: >other
	cat other
sub.done:
	$(MAKE) -C sub
	: >sub.done
M
printf 'all:\n\tsleep 2; cat ../made >x; : >y\n' >sub/Makefile
echo one >config

ended() {
    grep '"event":"step-end"' "$WORK/out" | grep "\"target\":\"$1\"" | grep -q "$2" ||
        fail "the end of $1 has no $2"
}

say "each step has its own accesses; the race is between the two that run it"
ok "$GANTRY" build --json -j4 -- make
ended writer '"accesses":[1-9][0-9]*,"traced":true'
ended sub/all '"accesses":[1-9][0-9]*,"traced":true'
ok "$GANTRY" races --json
grep -q '"class":"missing-edge"' "$WORK/out" || fail "no race was found"
races=$(grep -o '"target":"[a-z./]*"' "$WORK/out" | LC_ALL=C sort -u | tr -d '\n')
[ "$races" = '"target":"reader""target":"sub/all""target":"writer"' ] ||
    fail "the races are between: $races"

say "what \$(shell) costs: by makefile, line and command; each call as an event"
mkdir -p costs/sub
printf 'all:\n\t$(MAKE) -C sub\n\t@echo $(shell true)\n' >costs/Makefile
cat >costs/sub/Makefile <<'M'
# The commands differ late, the line is one.
PATHS := $(foreach i,1 2 3 4 5 6 7 8 9 10 11 12,$(shell sleep 0.06; echo some quite long command that ends with $i))
all: ; @echo $(words $(PATHS))
M
ok "$GANTRY" -C costs build --plain -- make
grep -qE '^make spent [0-9.]+s in 12 calls of sleep 0.06; echo some quite long command .* from sub/Makefile:2$' "$WORK/out" ||
    fail "the summary does not tell what \$(shell) cost"
rm -rf costs/.gantry
ok "$GANTRY" -C costs build --json -- make
[ "$(grep -c '"event":"shell-call".*"path":"sub/Makefile","make":"sub","line":2,"command":"sleep 0.06; echo' "$WORK/out")" = 12 ] ||
    fail "not an event for each call of \$(shell)"
grep '"event":"shell-call"' "$WORK/out" | grep '"line":3,' | grep -q '"path":"Makefile"' ||
    fail "the call in a recipe is not told with its line"
ok "$GANTRY" replay --plain costs/.gantry/journal/*
has "$WORK/out" "12 calls of sleep 0.06"

say "--trace=off"
rm -f writer reader other made sub.done
ok "$GANTRY" build --json --trace=off -- make
ended writer '"accesses":0,"traced":false'

say "a daemon that a recipe leaves behind works on"
cat >life.sh <<'L'
: >alive
while [ ! -e stop ]; do
    if [ -e ask ]; then mv ask answer && cat config >>answer; fi
    sleep 0.05
done
rm -f stop
L
cat >daemon.mk <<'M'
daemon:
	setsid sh life.sh </dev/null >/dev/null 2>&1 & while [ ! -e alive ]; do sleep 0.01; done
	[ -e quick ] || { : >started; sleep 1000; }
M
answers() {
    : >ask
    within 10 test -s answer || fail "the daemon does not work $1"
    rm -f answer
}
: >quick
ok "$GANTRY" build --json -- make -f daemon.mk
answers "after its build"
: >stop
within 10 test ! -e stop || fail "the daemon does not end"
rm -f quick alive

say "after SIGKILL no step is left"
left() {
    for dir in /proc/[0-9]*; do
        [ "$(readlink "$dir/cwd" 2>/dev/null)" = "$WORK/tree" ] || continue
        case $(tr '\0' ' ' <"$dir/cmdline" 2>/dev/null) in
        *lib.sh* | *trace_make.sh* | '') ;;
        *) echo "${dir#/proc/} $(tr '\0' ' ' <"$dir/cmdline")" ;;
        esac
    done
}
none_left() {
    [ -z "$(left)" ]
}
"$GANTRY" build --plain -- make -f daemon.mk >"$WORK/out" 2>"$WORK/err" &
pid=$!
within 30 test -e started || fail "the step never started"
kill -KILL $pid
wait $pid 2>/dev/null
within 20 none_left || fail "still running: $(left)"

say "a name that was changed is no reason to look everything up anew for the rest of the build"
cd "$WORK" || exit 1
mkdir -p names/deep
printf 'all:\n\tln -s nowhere link; for i in $$(seq 300); do test -e deep/$$i; done; true\n' >names/Makefile
if [ -z "${GANTRY_TRACE-}" ]; then # what strace traces cannot be traced by ptrace
    ok strace -f -qq -e trace=newfstatat,lstat -o "$WORK/trace" "$GANTRY" -C names build --plain -- make
    looks=$(grep -c '"[^"]*/names/deep", .*AT_SYMLINK_NOFOLLOW' "$WORK/trace")
    [ "$looks" -gt 0 ] || fail "strace does not show how Gantry looks"
    [ "$looks" -lt 60 ] || fail "the directory is looked at $looks times for 300 files"
fi
