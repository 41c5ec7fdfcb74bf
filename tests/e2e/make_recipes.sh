# Recipes under the gate do what they do under plain make: shells, prefixes, quoting, limits.
. "$(dirname "$0")/lib.sh"
. "$E2E/lib/make.sh"

say "a Makefile's own SHELL and .SHELLFLAGS"
files() {
    cat >Makefile <<'M'
all: bash perl mine plain specific
SHELL = /bin/bash
.SHELLFLAGS = -eu -o pipefail -c
bash: ; @a=(1 2 3); echo "$${a[@]}" $$BASH; set -o | grep pipefail; echo $$- | grep -o u
perl: SHELL = /usr/bin/perl
perl: .SHELLFLAGS = -e
perl: ; print join("-", 1..5), "\n"; # not a shell at all
mine: SHELL = ./my shell
mine: .SHELLFLAGS = -x -y
mine: ; echo $$HOME "quoted  text" | cat
plain: SHELL = /bin/sh
plain: ; @echo $$0
specific: ; @false | true; echo never
M
    cat >'my shell' <<'S'
#!/bin/sh
printf '<%s>\n' "$0" "$@"
S
    cp 'my shell' my
    chmod +x my 'my shell'
}
conforms -k
exits 2
printed "<-x>"
printed "1-2-3-4-5"

say ".ONESHELL"
files() {
    cat >Makefile <<'M'
.ONESHELL:
all: a b c
a:
	@x=1
	cd sub
	echo $$x $$(basename $$PWD) >../out
	-@echo not a prefix in line 4
b: SHELL = /usr/bin/perl
b: .SHELLFLAGS = -e
b:
	my $$n = 0;
	for my $$i (1..4) {
	    $$n += $$i;
	}
	print "sum $$n\n";
c:
	-@false
	exit 3
M
    mkdir sub
}
conforms -k
printed "sum 10"
printed "Error 3 (ignored)"

say "+, - and @"
files() {
    cat >Makefile <<'M'
all: plus minus at mixed fails
plus:
	+@echo plus always
	echo not under -n
minus:
	-false
	-exit 7
	- @sh -c 'kill -9 $$$$'
	@-no-such-command-anywhere
at:
	@echo quiet
	@ echo with blank
	  @  -  +  echo all three
	echo loud
mixed: ; @echo one; echo two \
	three; \
	echo four
fails:
	@echo before
	@exit 4
	@echo after
M
}
conforms -k
exits 2
printed "Error 4"
conforms -k -n
conforms -i
exits 0
conforms -k -s

say "names with blanks, quotes, dollars, UTF-8 and worse"
files() {
    cat >Makefile <<'M'
.SUFFIXES:
all: a\ b it's "q" d$$x ü→λ back\slash 50%\ off h\#sh semi;colon star* [x] ~tilde -dash {curly,x} tab	end
a\ b it's "q" d$$x ü→λ back\slash h\#sh star* [x] ~tilde {curly,x} tab end: ; @printf '%s\n' 'made "$(subst ','\'',$@)" from <$(subst ','\'',$^)>' >'$(subst ','\'',$@)'
a\ b: in\ put 
50%\ off: ; @echo "$@" >"$@"
-dash: ; @echo "$@" >./"$@"
in\ put: ; @touch "$@"
M
    printf 'semi\\;colon: ; @echo done\n' >>Makefile
    printf 'bytes: ; @printf "\\\\377\\\\n" >"\xff\xfe"; echo "\xc3\x28"\nall: bytes\n' >>Makefile
}
conforms -k

say "environment: exported, target-specific, unexported"
files() {
    cat >Makefile <<'M'
export A = global
B = not exported
export C := $(A) c
unexport LC_ALL
all: one two pattern.x sub
	@echo all: $$A $$B $$C $${LC_ALL-unset}
one: export A = of one
one: export D = $(D0) line
one: dep ; @echo one: $$A $$D '$(A)'
dep: ; @echo dep: $$A $$D
two: private A = private
two: A += more
two: dep2 ; @echo two: "$$A" '$(A)'
dep2: ; @echo dep2: "$$A"
%.x: A := pattern
%.x: ; @echo $@: "$$A"
export MULTI
define MULTI
line one
line two
endef
sub: ; @echo "$$MULTI"; env | grep -E '^(A|B|C|D|MAKELEVEL|MAKEFLAGS|MFLAGS|GANTRY_T)=' | sort
	@$(MAKE) -s -f sub.mk
M
    cat >sub.mk <<'M'
all: ; @echo sub: $(A) $(C) $(origin C) $(MAKELEVEL) "$(MAKEFLAGS)"
M
}
D0=from-outside conforms D0=given
conforms
say "MAKEFLAGS and MAKEOVERRIDES as makefiles see them"
files() {
    cat >Makefile <<'M'
$(info reading $(MAKEFLAGS))
ifneq ($(findstring p,$(firstword -$(MAKEFLAGS))),)
$(error -p can be seen)
endif
all: ; @echo "$(filter-out --jobserver%,$(MAKEFLAGS))" "$(MFLAGS)" "$(MAKEOVERRIDES)" "$(MAKECMDGOALS)"; +$(MAKE) -f s.mk X='a b'
M
    echo 'all: ; @echo "$(filter-out --jobserver%,$(MAKEFLAGS))"; echo "$$MAKEFLAGS" | grep -c "[^-]p"' >s.mk
}
conforms -k "V=x y" all
exits 2
printed "V=x"

say "recipes of 2 MB over many lines"
files() {
    {
        echo 'all: a b c d'
        for t in a b c d; do
            echo "$t:"
            line=$(printf "%50000s" '' | tr ' ' "$t")
            for i in 1 2 3 4 5 6 7 8 9 10; do
                printf '\t@echo %s | wc -c >>%s.n\n' "$line$i" $t
            done
        done
    } >Makefile
}
ONLY_LEVELS=1 LEVELS="1 4" conforms
exits 0

say "a simple command of 1 MB, and one that no system runs"
files() {
    {
        printf 'all: big ; @wc -c *.n\nbig:\n\t@./count'
        seq -f ' argument-%07.0f' 1 60000 | tr -d '\n'
        printf '\n\nhuge: ; @/bin/echo '
        printf '%200000s' '' | tr ' ' x
        printf '\nshell: ; @: "'
        printf '%200000s' '' | tr ' ' x
        printf '"\n'
    } >Makefile
    printf '#!/bin/sh\necho $# >count.n\n' >count
    chmod +x count
}
ONLY_LEVELS=1 LEVELS="1 4" conforms all
exits 0
[ "$(cat "$T/count.n")" = 60000 ] || fail "arguments were lost"
ONLY_LEVELS=1 LEVELS="1 4" conforms -k huge shell
exits 2
printed "Argument list too long"

say "10,000 recipes"
files() {
    {
        echo 'all: $(addprefix t,$(shell seq 10000))'
        echo 't%: ; @:'
        echo 't5000: ; @echo $@ >middle'
    } >Makefile
}
ONLY_LEVELS=1 LEVELS=4 conforms
exits 0

say "programs that cannot be run"
files() {
    cat >Makefile <<'M'
all: none dir text script empty
none: ; ./none x
dir: ; ./sub
text: ; ./text y
script: ; @./noshebang z
empty: ; @./empty
M
    mkdir sub
    echo text >text
    echo 'echo ran as sh: $0 $1' >noshebang
    : >empty
    chmod +x noshebang empty
}
conforms -k
exits 2
printed "ran as sh"
