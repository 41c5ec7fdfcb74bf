# A make tree edit by edit: after each, the outputs have the bytes of a build from clean, and the
# build after that has nothing to do and starts no make. The table of steps goes to standard output.
. "$(dirname "$0")/lib.sh"
"$GANTRY" doctor >"$WORK/out" 2>&1
mkdir -p tree/src tree/inc1 tree/inc2 tree/sub tools
printf '#!/bin/sh\nexec /usr/bin/gcc "$@"\n' >tools/cc-tree
chmod +x tools/cc-tree
PATH=$WORK/tools:$PATH
cd tree || exit 1
cat >Makefile <<'M'
CFLAGS ?= -O1
NAMED ?= never used
SRCS := $(sort $(wildcard src/*.c))
OBJS := $(SRCS:src/%.c=obj/%.o)
VER := $(shell cat version.txt)
all: app data.txt sub/lib.a
	@true
app: $(OBJS)
	cc-tree -o $@ $^
obj/%.o: src/%.c gen.h | obj
	cc-tree $(CFLAGS) -DVER='"$(VER)"' -Iinc1 -Iinc2 -I. -MMD -MP -c -o $@ $<
obj:
	mkdir -p obj
gen.h: gen.sh
	sh gen.sh > gen.h
data.txt:
	./manifest.sh > $@
sub/lib.a: FORCE
	$(MAKE) -C sub lib.a
FORCE:
.PHONY: all FORCE
-include $(OBJS:.o=.d)
M
printf 'lib.a: x.o\n\trm -f $@; ar rcsD $@ $^\nx.o: x.c\n\tcc-tree -c -o $@ $<\n' >sub/Makefile
echo 'int x;' >sub/x.c
echo 'echo "#define GEN 1"' >gen.sh
printf '#!/bin/sh\nfor f in $(cat manifest.lst); do cat $f; done\n' >manifest.sh
chmod +x manifest.sh
echo asset.txt >manifest.lst
echo hello >asset.txt
echo 1.0 >version.txt
echo '#define H 2' >inc2/h.h
for i in a b c; do
    printf '#include "h.h"\n#include "gen.h"\nconst char *v_%s = VER;\nint f_%s(void) { return H + GEN; }\n#ifdef NEW\nint new_%s;\n#endif\n' \
        $i $i $i >src/$i.c
done
echo 'int f_a(void); int main(void) { return f_a(); }' >src/main.c
sleep 0.1

settings=(NAMED=before)
build() {
    ok env "${settings[@]}" "$GANTRY" build --json -j2 -- make
    steps=$(grep -c '"event":"step-end".*"outcome":"ran"' "$WORK/out")
    cp "$WORK/out" "$WORK/calls"
    grep -q '"outcome":"unchanged"' "$WORK/calls" && fail "a step that did not run counts as one"
    compared=$(grep -c "every command is compared" "$WORK/out")
}

# What a build from clean gives, by plain make, in a copy.
compare() {
    local made
    rm -rf "$WORK/clean"
    cp -a . "$WORK/clean"
    (cd "$WORK/clean" && rm -rf .gantry obj app data.txt gen.h sub/lib.a sub/x.o &&
        env "${settings[@]}" make -s >/dev/null 2>&1) || fail "$1: make fails in a clean copy"
    made=$(cd "$WORK/clean" && find app data.txt gen.h sub/lib.a sub/x.o obj -name '*.[oah]' -o -type f ! -name '*.d' ! -name '*.[oah]')
    for file in $made; do
        cmp -s "$file" "$WORK/clean/$file" || fail "$1: $file is not what a build from clean gives"
    done
}

null() {
    ok env "${settings[@]}" strace -f -qq -e trace=execve -o "$WORK/trace" "$GANTRY" build --plain -- make
    grep -q '/make"' "$WORK/trace" && fail "$1: the build after it starts make"
    has "$WORK/out" "nothing to do"
}

# edit NAME MOST COMMAND: the edit; at most so many steps may run for it.
edit() {
    sleep 0.05
    eval "$3"
    sleep 0.05
    build
    compare "$1"
    printf '%-44s %3d steps\n' "$1" "$steps"
    [ "$steps" -le "$2" ] || fail "$1: $steps steps ran, not at most $2"
    null "$1"
}

say "from nothing"
edit "first build" 12 :
say "edits"
edit "source" 4 'echo "int more_a;" >>src/a.c'
edit "source of a sub-make" 4 'echo "int y;" >>sub/x.c'
edit "header" 6 'echo "#define H 3" >inc2/h.h'
edit "comment in a header: same objects" 6 'echo "/* no more */" >>inc2/h.h'
edit "generated header" 8 "echo 'echo \"#define GEN 2\"' >gen.sh"
edit "generator that makes the same" 3 "echo '# a comment' >>gen.sh"
spared=$(grep '"event":"step",' "$WORK/calls" | grep -v '"path"' | grep -c '"state":"fresh"')
[ "$spared" -ge 4 ] || fail "only $spared of make's calls are told to be spared"
edit "script that make does not know" 3 "sed -i 's/cat \$f/cat \$f \$f/' manifest.sh"
edit "asset that only a manifest names" 3 'echo "hello again" >asset.txt'
edit "manifest" 3 'echo asset.txt >>manifest.lst'
edit "makefile: another flag" 9 "sed -i 's/-MMD/-MMD -fno-ident/' Makefile"
edit "makefile: a comment" 4 "echo '# nothing' >>Makefile"
edit "makefile of a sub-make" 5 "sed -i 's/-c -o/-O2 -c -o/' sub/Makefile"
edit "what \$(shell) reads" 9 'echo 1.1 >version.txt'
edit "removed .d file" 4 'rm obj/b.d'
edit "new file that shadows an include" 7 'echo "#define H 4" >inc1/h.h'
edit "removed file" 7 'rm inc1/h.h'
edit "new source" 5 'echo "int d;" >src/d.c'
edit "removed source" 4 'rm src/d.c'
edit "touched only" 2 'touch src/b.c inc2/h.h gen.sh'
edit "what an editor leaves" 2 'touch src/.b.c.swp src/b.c~ "src/.#b.c" "src/#b.c#" src/4913'
[ "$compared" = 0 ] || fail "what an editor leaves counts"
edit "changed and changed back" 2 'cp src/c.c keep; echo "int z;" >>src/c.c; cp keep src/c.c; rm keep'
edit "removed output" 4 'rm obj/c.o'
edit "damaged output" 4 'echo damage >obj/a.o'
edit "environment variable" 9 'settings=(NAMED=before CFLAGS=-O2)'
edit "environment of a new terminal" 0 'settings+=(TMUX_PANE=%7 SSH_TTY=/dev/pts/9 SSH_CLIENT=x TERM=dumb COLUMNS=40)'
mkdir "$WORK/empty"
edit "a PATH that leads to the same programs" 2 'PATH=$WORK/empty:$PATH:/nowhere'
edit "replaced compiler" 12 "printf '#!/bin/sh\nexec /usr/bin/gcc -DNEW \"\$@\"\n' >'$WORK/tools/cc-tree'"
mkdir "$WORK/first"
edit "a PATH that leads to another compiler" 12 "printf '#!/bin/sh\nexec /usr/bin/gcc \"\$@\"\n' >'$WORK/first/cc-tree'; chmod +x '$WORK/first/cc-tree'; PATH=$WORK/first:\$PATH"
[ "$steps" -ge 6 ] || fail "only $steps steps ran with another compiler"
rm "$WORK/first/cc-tree"
edit "a PATH that leads back" 12 :
edit "a copy that keeps its time" 4 'cp -p src/c.c ../c.c; sed -i s/v_c/V_c/ ../c.c; touch -r src/c.c ../c.c; cp -p ../c.c src/c.c'

say "a file saved while its compile runs is compiled again"
printf '#!/bin/sh\n/usr/bin/gcc "$@" || exit 1\ncase "$*" in *"-c -o obj/b.o"*) sleep 0.4 ;; esac\n' >"$WORK/tools/cc-tree"
sleep 0.05
echo 'int saved_1;' >>src/b.c
env "${settings[@]}" "$GANTRY" build --plain -j2 -- make >"$WORK/out" 2>&1 &
sleep 0.5
until [ -s obj/b.o ]; do sleep 0.02; done
echo 'int saved_2;' >>src/b.c
wait
build
compare "saved during its compile"

say "two steps make one file: whoever comes first is not stale when the other runs again"
mkdir "$WORK/two"
cd "$WORK/two" || exit 1
cat >Makefile <<'M'
all: b
b: b.in | a
	echo b >shared; cp b.in $@
a: a.in
	echo a >shared; cp a.in $@
M
echo 1 >a.in
echo 1 >b.in
# after WANTED COMMAND: ... and the next build runs that many steps and leaves b's; the one after has
# nothing to do.
after() {
    eval "$2"
    build_runs "$1" -j1 -- make
    [ "$(cat shared)" = b ] || fail "$(cat shared) wrote last after: $2"
    build_runs 0 -j1 -- make
    grep -q '"event":"step-ready"' "$WORK/out" && fail "make is asked again after: $2"
}
sleep 0.05
after 2 :
after 1 'rm b'
after 1 'echo 2 >b.in'
after 2 'echo 2 >a.in'
after 1 'rm b; echo 3 >b.in'

say "and whoever comes behind is"
cat >Makefile <<'M'
all: x.stamp
x.stamp: x
	echo more >>x; touch $@
x: x.in
	cp x.in x
M
echo 1 >x.in
build_runs 2 -j1 -- make
build_runs 0 -j1 -- make
rm x
build_runs 2 -j1 -- make
[ "$(tr '\n' ' ' <x)" = '1 more ' ] || fail "x is: $(cat x)"
build_runs 0 -j1 -- make

say "a file that a step makes and others append to"
cat >Makefile <<'M'
all: one two
one: log one.in
	echo one >>log; cp one.in $@
two: log two.in | one
	echo two >>log; cp two.in $@
log: log.in
	cp log.in log
M
echo log >log.in
echo 1 >one.in
echo 1 >two.in
build_runs 3 -j1 -- make
build_runs 0 -j1 -- make
echo 2 >one.in
build_runs 1 -j1 -- make # as make does: two is no older than the log
build_runs 0 -j1 -- make
echo new >log.in
build_runs 3 -j1 -- make
[ "$(tr '\n' ' ' <log)" = 'new one two ' ] || fail "the log is: $(cat log)"
build_runs 0 -j1 -- make
echo '# an edit' >>Makefile
build_runs 0 -j1 -- make
[ "$(tr '\n' ' ' <log)" = 'new one two ' ] || fail "the log is: $(cat log)"

say "the locale counts for what sorts, and not for what compiles; what it comes to, and not its words"
mkdir "$WORK/locale"
cd "$WORK/locale" || exit 1
cat >Makefile <<'M'
all: a.o b.o list
%.o: %.c
	gcc -c -o $@ $<
	mkdir -p kept && cp $@ kept
list: words
	LC_TIME=C sort words >$@
M
echo 'int a;' >a.c
echo 'int b;' >b.c
printf 'b\nB\na\n' >words
locale() {
    ok env -u LC_ALL LANG= "${@:2}" "$GANTRY" build --json -j1 -- make
    [ "$(steps_run)" = "$1" ] || fail "$(steps_run) steps ran, not $1, with ${*:2}"
}
sleep 0.05
locale 3 LC_ALL=C
locale 0 LANG=C
locale 0 LANG=xx_XX.UTF-8 # such is not here
locale 0 LC_ALL=POSIX LANG=C.UTF-8
locale 0 LC_MESSAGES=C.UTF-8 LANGUAGE=de
locale 1 LC_ALL=C.UTF-8
locale 0 LANG=C.UTF-8
locale 1 LANG=C
printf 'all: sum\n\t@:\nsum: words\n\tbash -c "cat w*" >$@\n' >Makefile
locale 1 LC_ALL=C
locale 1 LC_ALL=C.UTF-8
