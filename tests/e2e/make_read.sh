# An edit of what make reads: where it comes to no other rule or variable, no command is compared and
# none runs; where it does, or may, all are. The outputs are those of a build from clean each time.
. "$(dirname "$0")/lib.sh"
mkdir tree
cd tree || exit 1
cat >Makefile <<'M'
# what all use
FLAGS = one
LATE = $(shell cat word; sed -n 's/^# late: //p' late.mk)
define SCRIPT
echo $(FLAGS) >$@
# kept as it is
cat $< >>$@
endef
vpath %.in in1 in2
all: a.out b.out c.out d.out sub/s.out
	@:
%.out: %.in
	$(SCRIPT)
c.out: LOCAL = local
c.out: c.in
	echo $(LOCAL) $(LATE) >$@
d.out: d.in script
	./script <$< >$@
sub/s.out: FORCE
	@$(MAKE) --no-print-directory -C sub s.out
FORCE:
-include late.mk
include made.mk
made.mk: made.in
	cp $< $@
.PHONY: all FORCE
M
mkdir in1 in2 sub
printf 'WORD = sub\ns.out: s.in ; echo $(WORD) >$@; cat $< >>$@\n' >sub/Makefile
for file in a b c d; do echo $file >in1/$file.in; done
echo 'late a' >in2/a.in
echo s >sub/s.in
echo word >word
echo '# late: nothing' >late.mk
echo '# made' >made.in
printf '#!/bin/sh\ncat\necho "exported: $EXPORTED"\n' >script
chmod +x script
unset EXPORTED

# edit RULES COMMAND [CHANGED...]: after the edit the outputs are those of a clean build. RULES: "same"
# where no command is compared, "other" where all are. The files that must change, of all outputs.
edit() {
    local rules=$1 command=$2
    shift 2
    rm -rf "$WORK/before"
    mkdir "$WORK/before"
    cp ./*.out sub/s.out "$WORK/before" 2>/dev/null
    sleep 0.05
    eval "$command" || fail "$command"
    sleep 0.05
    ok "$GANTRY" build --json -j2 -- make
    ran=$(steps_run)
    compared=$(grep -c 'every command is compared' "$WORK/out")
    [ "$compared" = "$([ "$rules" = other ] && echo 1 || echo 0)" ] || fail "not $rules: $command"
    rm -rf "$WORK/clean"
    cp -a . "$WORK/clean"
    (cd "$WORK/clean" && rm -rf .gantry ./*.out sub/s.out made.mk && make -s) >"$WORK/plain" 2>&1 ||
        fail "plain make fails after: $command"
    for file in a.out b.out c.out d.out sub/s.out; do
        cmp -s $file "$WORK/clean/$file" || fail "$file is not what a clean build gives after: $command"
    done
    for file in "$@"; do
        cmp -s "$file" "$WORK/before/$(basename "$file")" && fail "$file did not change: $command"
    done
    ok "$GANTRY" build --json -j2 -- make
    has "$WORK/out" '"steps_run":0'
}

# The second one, since what make remade and read at once may count as too young to be known.
say "first builds"
ok "$GANTRY" build --json -j2 -- make
ok "$GANTRY" build --json -j2 -- make
edit same :

say "no rule and no variable is another"
edit same 'echo "# a comment" >>Makefile'
[ "$ran" -le 2 ] || fail "$ran steps ran after a comment" # those that make runs each time
edit same 'sed -i "1i # one more line above all" Makefile'
[ "$ran" -le 2 ] || fail "$ran steps ran after a line more" # those that make runs each time
edit same 'touch Makefile made.mk late.mk'
edit same 'sed -i "s/^FLAGS = one/FLAGS  =  one/" Makefile'

say "a variable, a define, a target's own, a recipe, a search path, a rule"
edit other 'sed -i "s/^FLAGS .*/FLAGS = two/" Makefile' a.out b.out
edit other 'sed -i "s/# kept as it is/echo kept >>\$@/" Makefile' a.out b.out
edit other 'sed -i "s/^echo kept/# not kept: echo/" Makefile' a.out b.out
edit other 'sed -i "s/LOCAL = local/LOCAL = other/" Makefile' c.out
edit other 'sed -i "s/^vpath .*/vpath %.in in2 in1/" Makefile' a.out
edit other 'echo "%.out: FLAGS += patterns" >>Makefile' a.out b.out
edit other 'printf "d.out: d.in\n\ttr a-z A-Z <\$< >\$@\n" >>Makefile' d.out
edit other 'sed -i "\$d" Makefile; sed -i "\$d" Makefile' d.out

say "what is exported is no part of any command, and yet of what it does"
edit other 'echo "export EXPORTED = 1" >>Makefile' d.out
edit other 'sed -i "s/^export EXPORTED = 1/export EXPORTED = 2/" Makefile' d.out
edit same 'echo "# a comment" >>Makefile'
edit other 'sed -i "s/^export EXPORTED/EXPORTED/" Makefile' d.out

say "what recipes read of makefiles by \$(shell), what they read besides, other makes' makefiles"
edit other 'echo "# late: something" >late.mk' c.out
edit other 'echo another >word' c.out
edit other 'sed -i "s/WORD = sub/WORD = below/" sub/Makefile' sub/s.out
edit other 'echo "# a comment" >>sub/Makefile'
edit same 'echo "# a comment" >>Makefile'

say "a makefile that is remade: make executes itself again"
edit other 'echo "FLAGS = remade" >made.in' a.out b.out
edit same 'echo "# a comment" >>made.in'
edit same 'echo "# a comment" >>Makefile'

say "what a makefile includes is in its place when commands are compared, though nothing declared makes it"
cat >>Makefile <<'N'
all: free.out
-include free.d
free.out:
	echo $(FLAGS) >$@; echo '# free' >free.d
N
edit other :
edit other 'sed -i "s/^LATE = /LATE = more /" Makefile' c.out

say "a build that fails in the middle, and the edit taken back"
cp Makefile "$WORK/good"
sed -i 's/^FLAGS .*/FLAGS = three/' Makefile
echo 'FLAGS = four' >made.in
mv script hidden
run "$GANTRY" build --plain -k -j2 -- make -k
[ $status != 0 ] || fail "it does not fail"
mv hidden script
cp "$WORK/good" Makefile
printf 'FLAGS = remade\n# a comment\n' >made.in
rm -rf "$WORK/clean"
ok "$GANTRY" build --json -j2 -- make
cp -a . "$WORK/clean"
(cd "$WORK/clean" && rm -rf .gantry ./*.out sub/s.out made.mk && make -s) >"$WORK/plain" 2>&1
for file in a.out b.out c.out d.out sub/s.out; do
    cmp -s $file "$WORK/clean/$file" || fail "$file is not what a clean build gives after a failed one"
done
