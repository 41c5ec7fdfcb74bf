# Rules under the gate mean what they mean under plain make.
. "$(dirname "$0")/lib.sh"
. "$E2E/lib/make.sh"

say "order-only prerequisites"
files() {
    cat >Makefile <<'M'
all: out/a out/b again
out/%: %.in | out stamp ; cp $< $@; echo '$^' '|' '$|'
out stamp: ; mkdir $@
again: out/a out/b ; @touch out/new; $(MAKE) -s out/a out/b check
check: | stamp ; @echo order only: '$|' '$?'
M
    touch a.in b.in
}
conforms
exits 0

say "grouped targets"
files() {
    cat >Makefile <<'M'
all: one.h two.c three x.p x.q user
one.h two.c three &: src ; @echo grammar runs once for $@; touch one.h two.c three
%.p %.q: %.s ; @echo pattern runs once for $*; touch $*.p $*.q
user: two.c x.q ; @cat two.c x.q >$@
separate also: src ; @echo independent $@
all: separate also
M
    touch src x.s
}
conforms
printed "grammar runs once"

say "double-colon rules"
files() {
    cat >Makefile <<'M'
all: log other
log:: a ; @echo from a >>$@
log:: b ; @echo from b >>$@
log:: ; @echo always >>$@
other:: ; @echo other 1
other:: ; @echo other 2; false
other:: ; @echo other 3
M
    touch a
    sleep 0.01
    touch log
    sleep 0.01
    touch b
}
conforms -k
exits 2

say "pattern and suffix rules, chains and intermediate files"
files() {
    cat >Makefile <<'M'
.SUFFIXES: .z .y .x
all: prog lib(member) s.z sub/deep.o t.3 %match stem-a.long stem-b.long
.x.y: ; sed s/x/y/ $< >$@
.y.z: ; sed s/y/z/ $< >$@
prog: m1.o m2.o ; cat $^ >$@
%.o: %.c ; @echo obj $* '$(*D)' '$(*F)' $(@D); cp $< $@
%.c: %.gen ; cp $< $@
lib(member): ; @echo archive member $% of $@; touch member; ar crD lib member
t.3: t.2 ; cp $< $@
t.2: t.1 ; cp $< $@
.PRECIOUS: m2.c
.SECONDARY: t.2
%match: ; @echo literal $@
stem-%.long: stem-%.short ; cp $< $@
stem-%.short: ; echo short for $* >$@
stem-b.%: ; echo shorter stem $* >$@
M
    mkdir sub
    echo x >s.x
    echo 1 >m1.gen
    echo 2 >m2.gen
    echo deep >sub/deep.c
    echo t >t.1
}
conforms
exits 0

say "VPATH and vpath"
files() {
    cat >Makefile <<'M'
VPATH = src:../t/more
vpath %.h include
vpath %.h
vpath %.q include
all: main.o found.q.out -lnone ; @echo all: $^
main.o: main.c main.h ; cat $^ >$@
%.q.out: %.q ; cp $< $@
GPATH = gsrc
-lnone: ; @echo library
gen.c: ; touch $@
M
    mkdir src more include
    echo c >src/main.c
    echo h >more/main.h
    echo q >include/found.q
}
conforms

say "secondary expansion"
files() {
    cat >Makefile <<'M'
.SECONDEXPANSION:
all: a.out b.out sub/c.out
a.out_SRC = 1.s 2.s
b.out_SRC = 2.s
%.out: $$($$@_SRC) $$(addsuffix .extra,$$*) | $$(@D)/. ; @mkdir -p $(@D); echo $@: $^ '|' $| >$@
%.extra: ; @mkdir -p $(@D); touch $@
%/.: ; mkdir -p $@
1.s 2.s: ; touch $@
late: $$(LATE) ; @echo late $^
LATE = 1.s
all: late
M
}
conforms
exits 0

say "generated makefiles and re-execution"
files() {
    cat >Makefile <<'M'
$(info restart $(MAKE_RESTARTS))
include gen.mk sub/two.mk
-include never.mk
all: $(things) ; @echo built $(things) $(two)
gen.mk: list ; @echo generating; echo things = $$(cat list) >$@
sub/two.mk: gen.mk ; mkdir -p sub; echo two = 2 >$@
$(things): ; touch $@
never.mk: ; @false
M
    echo x y z >list
}
conforms
printed "restart 1"
say "a makefile that cannot be made"
files() {
    cat >Makefile <<'M'
all: ; @echo never
include must.mk
must.mk: ; @echo trying; exit 3
M
}
conforms
exits 2

say ".NOTPARALLEL"
files() {
    cat >Makefile <<'M'
.NOTPARALLEL:
all: a b c sub
a: ; @echo a1; sleep 0.05; echo a2
b: ; @echo b1; sleep 0.02; echo b2
c: ; @echo c
sub: ; +@$(MAKE) -s -f sub.mk
M
    printf 'all: x y\nx: ; @sleep 0.05; echo x\ny: ; @echo y\n' >sub.mk
}
conforms

say ".DELETE_ON_ERROR, .PRECIOUS, and neither"
files() {
    cat >Makefile <<'M'
all: a b c
include $(wildcard extra.mk)
a b c: ; echo half >$@; exit 1
M
    echo ".DELETE_ON_ERROR:" >extra.mk
    echo ".PRECIOUS: b" >>extra.mk
}
conforms -k
printed "Deleting file 'a'"
[ -e "$T/a" ] && fail "a was not deleted"
files() {
    printf 'all: a b\na b: ; echo half >$@; exit 1\n' >Makefile
}
conforms -k

say ".INTERMEDIATE and .SECONDARY"
files() {
    cat >Makefile <<'M'
.INTERMEDIATE: i1 i2
.SECONDARY: s1
all: o1 o2
o1: i1 s1 ; cat $^ >$@
o2: i2 ; cat $^ >$@; exit 1
i1 i2 s1: ; echo $@ >$@
M
}
conforms -k

say ".DEFAULT, .PHONY, .IGNORE, .SILENT, empty and no recipes, FORCE"
files() {
    cat >Makefile <<'M'
.PHONY: all clean
.IGNORE: ignored
.SILENT: silent
all: ignored silent empty nothing unknown forced clean
ignored: ; false
silent: ; echo silent
empty: ;
nothing: FORCE
FORCE:
.DEFAULT: ; @echo default for $@
forced: FORCE ; @echo forced $?
clean: ; rm -f x
M
    touch clean x
}
conforms
exits 0

say "goals, several at once, and none that there are"
files() {
    printf 'a: ; @echo a\nb: a ; @echo b; touch b\nc: missing.h ; @echo c\n' >Makefile
}
conforms b a b
conforms -k c b
exits 2
conforms nothing-like-this
exits 2

say "circular dependencies, overridden recipes, warnings"
files() {
    cat >Makefile <<'M'
all: x y ; $(warning in a recipe)@echo all
x: y ; @echo x
y: x ; @echo y first
y: ; @echo y second
$(warning in the makefile)
$(info said)
M
}
conforms
files() {
    printf 'a: ; @echo a\n$(error the end)\n' >Makefile
}
conforms
exits 2
files() {
    printf 'a: b ; @echo a\n\t@echo $(error in recipe)\nb: ; @echo b\n' >Makefile
}
conforms
exits 2
files() {
    printf 'a: ; @echo a\n  wrong line\n' >Makefile
}
conforms
exits 2
