# Makes within makes, jobs, and what recipes leave behind, under the gate as under plain make.
. "$(dirname "$0")/lib.sh"
. "$E2E/lib/make.sh"

say "recursion: \$(MAKE), plain make, by its path, MAKEFLAGS cleared, a bare environment"
files() {
    cat >Makefile <<'M'
all: one two three four five six seven
one: ; $(MAKE) -C sub N=one
two: ; make -C sub N=two
three: ; @$(shell command -v make) -C sub N=three
four: ; @MAKEFLAGS= make -C sub N=four
five: ; @env -u MAKEFLAGS -u MFLAGS sh -c 'cd sub && make N=five && make -s N=again'
six: ; @env -i PATH=/usr/bin:/bin make -C sub N=six
seven: ; @PATH=/usr/bin:/bin make -s -C sub N=seven | sed 's/^/piped: /'
M
    mkdir -p sub/sub
    cat >sub/Makefile <<'M'
all: t-$(N) ; @echo all $(N)
t-$(N): ; @echo "made by $(MAKELEVEL)" >$@; echo $@
	+@$(MAKE) -s -C sub
M
    printf 'all: x y\nx y: ; @echo deep $@\n' >sub/sub/Makefile
}
conforms
exits 0
stepped sub/t-two
stepped sub/t-five
stepped sub/sub/x

say "a script that calls make"
files() {
    printf 'all: a b\na b: ; @echo $@ >$@; echo $@\nfail: ; @exit 7\n' >Makefile
    printf '#!/bin/sh\necho "script $1"\nmake $JOBS\nmake fail; echo "make said $?"\nexit 9\n' >build
    chmod +x build
}
build() { "${MAKE[@]}" word; }
for level in 1 4; do
    JOBS=-j$level
    export JOBS
    MAKE=(./build)
    once plain
    MAKE=("$GANTRY" build "${GATED[@]}" -- ./build)
    once gate
    compare_runs "script $JOBS"
    exits 9
    stepped a
    stepped fail failed
    MAKE=("$GANTRY" build -j2 "${GATED[@]}" -- ./build)
    once gate
    compare_runs "script $JOBS, two lanes"
done
unset JOBS
unset -f build
build() { "${MAKE[@]}" "$@"; }

say "the jobserver: in from a make around, out to recipes and makes"
files() {
    cat >Makefile <<'M'
all: take sub
take: ; +@./tokens
sub: ; @$(MAKE) -s -f sub.mk
M
    cat >sub.mk <<'M'
all: a b c
a b c: ; @touch $@; sleep 0.02; echo $@
	+@echo "$(MAKEFLAGS)" | grep -c jobserver || :
M
    cat >tokens <<'S'
#!/bin/bash
auth=$(echo "$MAKEFLAGS" | sed -n 's/.*--jobserver-auth=\([0-9]*\),\([0-9]*\).*/\1/p')
[ "$auth" ] || { echo "no jobserver"; exit 0; }
[ -p /proc/self/fd/$auth ] && echo "a pipe"
if read -t 10 -r -n 1 token <&"$auth"; then
    echo "a token"
    eval "printf '$token' >&$(echo "$MAKEFLAGS" | sed -n 's/.*--jobserver-auth=[0-9]*,\([0-9]*\).*/\1/p')"
fi
S
    chmod +x tokens
    echo 'all: ; +@$(RUN)' >outer.mk
}
LEVELS="1 4 32" conforms
for level in 1 4; do
    build() { make -s -f outer.mk -j$level RUN="${MAKE[*]}"; }
    MAKE=(make)
    once plain
    MAKE=("$GANTRY" build "${GATED[@]}" -- make)
    once gate
    compare_runs "inside of make -j$level"
    stepped take
    unset -f build
    build() { "${MAKE[@]}" "$@"; }
done

say "as many run at once as were asked for, and no more"
files() {
    cat >Makefile <<'M'
all: $(addprefix t,1 2 3 4 5 6 7 8)
t%: ; @mkdir run.$*; ls -d run.* | wc -l; sleep 0.7; rmdir run.$*
sub: ; @$(MAKE) -s all
two: sub1 sub2
sub1: ; @make -s -j8 t1 t2 t3 t4
sub2: ; @make -s -j8 t5 t6 t7 t8
M
}
for goal in all sub; do
    MAKE=("$GANTRY" build -j3 "${GATED[@]}" -- make)
    once gate $goal
    exits 0
    [ "$(sort -n "$WORK/gate.out" | tail -1)" = 3 ] || fail "not 3 at once: $(sort -n "$WORK/gate.out" | tail -1)"
done
MAKE=("$GANTRY" build -j3 "${GATED[@]}" -- make)
once gate two # explicit -j8 below: the lanes hold them all the same
exits 0
[ "$(sort -n "$WORK/gate.out" | tail -1)" -le 3 ] || fail "more than 3 at once"

say "a process left behind, and output that comes late"
files() {
    cat >Makefile <<'M'
all: daemon late silent after
daemon: ; @setsid sh -c 'echo $$$$ >pid; echo started; exec sleep 120' >/dev/null 2>&1 & sleep 0.2; echo daemon
late: ; @(sleep 0.5; echo late; echo late error >&2; touch late.done) & echo not late
after: late silent ; @sleep 1.8; echo after
silent: ; @(sleep 0.3; echo out of nowhere) &
M
}
listing() {
    find . -name .gantry -prune -o -type f ! -name pid -print | sort
}
build() {
    "${MAKE[@]}" "$@"
    local result=$?
    kill -0 "$(cat pid)" || echo "the daemon is gone"
    kill "$(cat pid)"
    return $result
}
conforms
printed "late error"
printed "out of nowhere"
stepped late
unset -f build listing
. "$E2E/lib/make.sh"

say "standard input"
files() {
    cat >Makefile <<'M'
all: a b
a: ; @read x; echo "a got $$x"
b: a ; @cat; echo "the rest"
M
}
printf 'one\ntwo\nthree\n' >"$WORK/stdin"
STDIN=$WORK/stdin
LEVELS=1 conforms
files() {
    printf 'all: a\na: ; @cat; echo b\n' >Makefile
}
conforms
build() { "${MAKE[@]}" -f - <Makefile; }
conforms
STDIN=/dev/null
unset -f build
build() { "${MAKE[@]}" "$@"; }

say "descriptors, limits, signals and umask are inherited"
files() {
    cat >Makefile <<'M'
all:
	@umask; ulimit -n; ulimit -c
	@cat <&9
	@ls /proc/self/fd | tr '\n' ' '
	@grep -E '^Sig(Blk|Ign)' /proc/self/status; nice
M
}
build() {
    (umask 027 && ulimit -n 500 -c 0 && trap '' USR2 && exec 9<Makefile && nice -n 3 "${MAKE[@]}")
}
LEVELS=1 conforms
stepped all
unset -f build
build() { "${MAKE[@]}" "$@"; }

say "failures: one, several, by signal; status as make's own"
files() {
    cat >Makefile <<'M'
all: a b c d
a: ; @exit 5
b: ; @kill -SEGV $$$$
c: ; @kill -TERM $$$$
d: a ; @echo never
ok: ; @:
M
}
conforms -k
exits 2
printed "Segmentation fault"
stepped a failed
conforms ok

say "a make that is killed"
files() {
    printf 'all: ; @kill -KILL $(shell echo $$PPID); sleep 0.3\n' >Makefile
}
MAKE=("$GANTRY" build "${GATED[@]}" -- make)
once gate
exits 137
