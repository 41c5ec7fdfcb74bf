# What a make tree with nothing to do is answered from: steps that make runs each time, what they print
# and do elsewhere; makes that run once inside of $(shell); files that users edit, and files that two
# steps make. Each case is a tree of its own.
. "$(dirname "$0")/lib.sh"

# tree NAME: the Makefile is standard input; inside of the new tree from then on.
tree() {
    say "$1"
    mkdir "$WORK/$1" && cd "$WORK/$1" || exit 1
    cat >Makefile
}

# build N [ARGS...]: runs so many steps.
build() {
    local wanted=$1 ran
    shift
    sleep 0.03
    ok "$GANTRY" build --json -j2 -- make "$@"
    ran=$(grep -c '"event":"step-end".*"outcome":"ran"' "$WORK/out")
    [ "$ran" = "$wanted" ] || fail "$ran steps ran, not $wanted: make $*"
    sleep 0.03
}

starts_make() {
    ok strace -f -qq -e trace=execve -o "$WORK/trace" "$GANTRY" build --plain -- make "$@"
    grep -q '/make"' "$WORK/trace"
}
answered() {
    ! starts_make "$@" || fail "make is started although nothing has changed"
    has "$WORK/out" "nothing to do"
}
asked() {
    starts_make "$@" || fail "make is not started: $asked_why"
}

tree forced <<'M'
$(shell mkdir -p out && cp in.txt out/shell.txt)
VERSION := $(shell cat version.txt)
all: out/app links
out/app: main.c out/options out/manifest.last | headers
	@echo "  CC  $@"; gcc -Iout -o $@ $<
headers: perhaps-version
perhaps-version:
	@echo "  GEN  out/version.h"; sh gen-version out/version.h
out/options: stage
	@if [ "`cat out/options 2>&1`" != "$(VERSION)" ]; then echo -n $(VERSION) >out/options; fi
stage: links
links:
	@ln -nsf out last
out/manifest.last: force
	@test "`cat $@ 2>&1`" = one || echo -n one >$@
.PHONY: all headers perhaps-version stage links force
M
cat >gen-version <<'S'
new=$(mktemp)
echo "#define VERSION \"$(cat version.txt)\"" >$new
if cmp -s $new $1; then rm $new; else mv $new $1; fi
S
echo 1.0 >version.txt
echo in >in.txt
printf '#include "version.h"\nint main(void) { return sizeof VERSION; }\n' >main.c
build 5
answered
build 0
answered
rm last
asked_why="the link that a step makes each time is gone"
asked
[ -L last ] || fail "the link is not made again"
answered
echo damage >out/version.h
build 2
[ "$(cat out/version.h)" = '#define VERSION "1.0"' ] || fail "a damaged header stays"
answered
rm out/version.h
build 2
[ -f out/version.h ] || fail "a removed header stays away"
answered
echo 1.1 >version.txt
build 4
[ "$(cat out/options)" = 1.1 ] || fail "options are not made again"
answered
sed -i 's/sizeof/(int)sizeof/' main.c
build 3
answered

# What is done each time and cannot be known without doing it: make is asked.
each_time() {
    local name=$1
    asked_why=$2
    tree "each-time-$name"
    echo 1 >in
    touch present
    build "$3"
    asked
    asked
}
each_time prints "a step prints what no recipe says" 1 <<'M'
all: ; @cat in
M
each_time counts "a step prints what it counts" 1 <<'M'
all: ; @wc -c <in
M
each_time forced-file "a file's step prints each time" 1 <<'M'
all: report
report: FORCE ; @wc -c <in | tee $@
FORCE:
M
each_time clock "a step asks for the time" 1 <<'M'
all: ; @date >stamp
M
each_time shell-clock "make asks for the time" 1 <<'M'
D := $(shell date)
all: in ; @test -n "$(D)"
M
export OUTSIDE=$WORK/outside
mkdir "$OUTSIDE"
each_time outside "a step writes outside of the tree" 1 <<'M'
all: ; @cp in $(OUTSIDE)/copy
M
each_time shell-outside "make writes outside of the tree" 1 <<'M'
X := $(shell cp in $(OUTSIDE)/copy2)
all: in ; @true
M
each_time network "a step speaks to the network" 1 <<'M'
SHELL = /bin/bash
all: ; @(: </dev/tcp/127.0.0.1/9) 2>/dev/null || true
M
each_time deed "a step is named as a deed" 2 <<'M'
all: run-tests ; @true
run-tests: ; @true
.PHONY: run-tests
M

tree names <<'M'
all: checklist.o _build_kconfig
checklist.o: in FORCE ; @cmp -s in $@ || cp in $@
_build_kconfig: ; @true
.PHONY: _build_kconfig FORCE
M
echo 1 >in
build 2
answered

tree announced <<'M'
all: a b
	@echo 'All is  "done".'
a: ; @printf '' >a; mkdir -p $(OUTSIDE)
b: FORCE ; @echo "  LD	" b; cmp -s in $@ || cp in $@
FORCE:
M
echo 1 >in
build 3
answered
rm -r b
asked_why="an output is gone"
asked
[ -f b ] || fail "b is not made again"
answered

tree directories <<'M'
all: ; @mkdir -p out/tmp; rm -f old
M
touch old
build 1
answered
rm -r out
asked_why="a directory that a step makes each time is gone"
asked
[ -d out/tmp ] || fail "the directory is not made again"
answered
touch old
asked_why="a file that a step removes each time is there"
asked
[ ! -e old ] || fail "the file is not removed"

tree nested <<'M'
ifeq (,$(wildcard out/config.mk))
$(shell $(MAKE) -f config.make >&2)
endif
include out/config.mk
all: app1 app2 app3
app%: main.c out/config.h
	gcc -include out/config.h -DNAME=$(NAME) -o $@ $<
M
cat >config.make <<'M'
all: out/config.mk out/config.h
out/.config: defaults
	mkdir -p out; cp defaults out/.config
out/config.mk: out/.config
	sed s/=/:=/ out/.config >$@
out/config.h: out/.config
	sed 's/\(.*\)=\(.*\)/#define \1 \2/' out/.config >$@
M
echo NAME=1 >defaults
echo 'int main(void) { return NAME; }' >main.c
build 6
answered
echo NAME=2 >defaults
# As under plain make: nothing makes the configuration again, and nobody waits for it twice.
build 0
answered
echo '/* */' >>main.c
build 3
answered
rm out/config.mk
build 6
[ "$(cat out/config.h)" = "#define NAME 2" ] || fail "the configuration is not made again"
answered

say "what users edit is theirs"
echo NAME=5 >out/.config
build 0 -f config.make out/.config
[ "$(cat out/.config)" = NAME=5 ] || fail "an edited .config is overwritten"
build 2 -f config.make
[ "$(cat out/config.h)" = "#define NAME 5" ] || fail "an edited .config is not used"
build 3
answered

tree edited <<'M'
all: app note.txt
app: main.c config.h ; gcc -o $@ $<
config.h: ; cp config.def.h $@
note.txt: note.in ; cp $< $@
M
echo '#define N 1' >config.def.h
echo note >note.in
printf '#include "config.h"\nint main(void) { return N; }\n' >main.c
build 3
answered
echo '#define N 2' >config.h
build 1
[ "$(cat config.h)" = '#define N 2' ] || fail "what a user wrote is overwritten"
./app
[ $? = 2 ] || fail "what a user wrote is not compiled"
answered
echo '/* */' >>config.def.h
build 0
[ "$(cat config.h)" = '#define N 2' ] || fail "what a user wrote is overwritten later"
echo mine >note.txt
build 1
[ "$(cat note.txt)" = note ] || fail "note.txt is not what its step makes"
[ "$(cat .gantry/changed/note.txt)" = mine ] || fail "what somebody wrote into note.txt is lost"
grep -q 'note.txt was changed' "$WORK/out" || fail "it is not told"
answered

tree sources <<'M'
all: patched
patched: fix ; sed -i s/one/two/ source.txt; touch $@
M
echo one >source.txt
echo fix >fix
build 1
echo "more one" >>source.txt
build 1
[ "$(cat source.txt)" = "$(printf 'two\nmore two')" ] || fail "a source that a step edits is gone"
answered

tree shared <<'M'
all: app.stripped
app: main.c ; gcc -g -o $@ $<
app.stripped: app ; strip app; touch $@
M
echo 'int main(void) { return 0; }' >main.c
build 2
answered
build 0
touch main.c
build 0
sed -i 's/return 0/return 1/' main.c
build 2
answered
echo damage >app
build 2
./app
[ $? = 1 ] || fail "a damaged output that two steps make is not made again"

tree goals <<'M'
FLAGS = -O1
all: a.o
docs: doc.txt
doc.txt: doc.in ; cp $< $@
%.o: %.c ; gcc $(FLAGS) -c -o $@ $<
none: ; gcc -c -o none.o none.c
none.o: ; gcc -c -o $@ none.c
M
echo 'int a;' >a.c
echo 'int n;' >none.c
echo doc >doc.in
build 1
build 1 docs
build 1 none.o
build 0
build 0 docs
answered
answered docs
answered none.o
build 1 FLAGS=-O2
answered FLAGS=-O2
build 0 docs
answered docs
answered FLAGS=-O2
build 1
answered
build 0 none.o
answered none.o
echo '# nothing' >>Makefile
build 0
build 0 docs
build 0 none.o
[ -f none.o ] || fail "none.o is gone"
answered none.o

tree verbose <<'M'
q = $(if $V, $1, @echo "  $2"; $1)
all: a.o b
a.o: a.c
	@mkdir -p out
	$(call q, gcc -c -o $@ $<, CC $@)
b: a.o
	@echo "  B $@"
	$(call q, cat $< >$@, B $@)
M
echo 'int a;' >a.c
build 2
build 0 V=1
answered V=1
build 0
answered
sed -i 's/-c -o/-O2 -c -o/' Makefile
build 1

tree orphans <<'M'
ifeq (,$(wildcard out/config.mk))
$(shell $(MAKE) -f config.make >&2)
endif
include out/config.mk
OBJS := $(patsubst %.c,out/%.o,$(sort $(wildcard *.c)))
all: out/app
out/app: $(OBJS) ; gcc -o $@ $^
out/%.o: %.c ; gcc -DX=$(X) -MMD -c -o $@ $<
docs: out/doc.txt
out/doc.txt: doc.in ; cp $< $@
-include $(wildcard out/*.d)
M
printf 'out/config.mk: out/config.in ; cp $< $@\nout/config.in: ; mkdir -p out; echo X=1 >$@\n' >config.make
echo 'int main(void) { return 0; }' >main.c
echo 'int extra;' >extra.c
echo doc >doc.in
build 5
build 1 docs
ok "$GANTRY" clean --orphans
grep -q 'removed 0 files' "$WORK/out" || fail "something is an orphan right after a build"
rm extra.c
build 1
ok "$GANTRY" clean --orphans -n
for file in out/extra.o out/extra.d; do
    has "$WORK/out" "would remove $file"
    [ -f $file ] || fail "$file is removed by a dry run"
done
ok "$GANTRY" clean --orphans
[ "$(grep -c '^out/' "$WORK/out")" = 2 ] || fail "more than extra.o and extra.d was removed"
[ ! -e out/extra.o ] && [ -f out/config.in ] && [ -f out/doc.txt ] && [ -f out/main.o ] || fail "removed: $(ls out)"
build 0
answered
ok "$GANTRY" clean --orphans --json
grep -q '"removed":\[\]' "$WORK/out" || fail "orphans are left"
refuses "make clean" "$GANTRY" clean

tree lines <<'M'
SHELL = /bin/bash
.SHELLFLAGS = -ec
all: app plain other
app: in
	cd sub; cat ../in >../app
	@echo "  ADD $@"; [[ -s app ]] && cat <<<"$(WORD)" >>app
	echo "it's $$(pwd)" >/dev/null; echo last >>$@
plain: in
	cp in plain
	mkdir -p made
	touch plain
other: SHELL = /bin/sh
other: .SHELLFLAGS = -c
other: in
	cat in >$@
	echo $(WORD) >>$@
M
mkdir sub
sed -i 's/^all:/WORD := one\nall:/' Makefile
echo in >in
build 3
answered
echo '# nothing' >>Makefile
build 0
answered
sed -i 's/^WORD.*/WORD := two/' Makefile
build 2
[ "$(cat app)" = "$(printf 'in\ntwo\nlast')" ] || fail "app has other lines than from clean: $(cat app)"
[ "$(cat other)" = "$(printf 'in\ntwo')" ] || fail "other has other lines than from clean: $(cat other)"
[ ! -e .gantry/before ] || [ -z "$(ls .gantry/before)" ] || fail "scripts are left"
answered
sed -i 's/touch plain/false/' Makefile
rm -f plain2
run "$GANTRY" build --json -- make
[ $status != 0 ] || fail "a last line that fails does not fail the build"
sed -i 's/false$/echo more >>plain/' Makefile
build 1
[ "$(cat plain)" = "$(printf 'in\nmore')" ] || fail "plain has other lines than from clean: $(cat plain)"
answered
sed -i 's/cat in >\$@/cat in >$@; false/; s/^WORD.*/WORD := three/' Makefile
run "$GANTRY" build --json -- make
[ $status != 0 ] || fail "a first line that fails does not fail the build"
