# A launcher before compile commands: of a native tree as a word before them, of a make tree by links on
# PATH. Another one makes nothing stale, and lanes tell it.
. "$(dirname "$0")/lib.sh"
mkdir "$WORK/bin"
# Stands in for ccache: says how it was called, and runs the compiler, which it finds as ccache does.
cat >"$WORK/bin/ccache" <<'S'
#!/bin/sh
echo "${0##*/} $*" >>"$LAUNCHED"
case $0 in */ccache) exec "$@" ;; esac
PATH=$(echo "$PATH" | tr : '\n' | grep -v '/launcher$' | paste -sd :)
exec "${0##*/}" "$@"
S
chmod +x "$WORK/bin/ccache"
export PATH=$WORK/bin:$PATH LAUNCHED=$WORK/launched
launched() {
    if [ -f "$LAUNCHED" ]; then wc -l <"$LAUNCHED"; else echo 0; fi
}

say "a native tree"
demo_tree
cd tree || exit 1
ok "$GANTRY" build --journal="$WORK/j" --launcher=ccache image=uush
has "$LAUNCHED" "ccache gcc "
grep -q -e ' -c ' "$LAUNCHED" || fail "no compile was launched"
grep -qv -e ' -c ' "$LAUNCHED" && fail "launched what is no compile"
ok "$GANTRY" replay "$WORK/j" --json
grep '"event":"step-begin"' "$WORK/out" | grep '"target":"[^"]*/kernel/main.o"' | grep -q '"host":"ccache"' ||
    fail "the lane does not tell the launcher"
grep '"event":"step-begin"' "$WORK/out" | grep '"target":"[^"]*/loader.elf"' | grep -q '"host"' &&
    fail "a link tells a launcher"

say "another launcher makes nothing stale"
before=$(launched)
build_runs 0 image=uush
build_runs 0 image=uush launcher=ccache
touch kernel/main.c
echo '//' >>kernel/main.c
ok "$GANTRY" build image=uush
[ "$(launched)" = "$before" ] || fail "launched, though there is no launcher"

say "saved, in a profile, taken back, or not there"
ok "$GANTRY" config set 'launcher=ccache'
echo '//' >>kernel/main.c
ok "$GANTRY" build image=uush
[ "$(launched)" -gt "$before" ] || fail "the saved launcher was not used"
before=$(launched)
echo '//' >>kernel/main.c
ok "$GANTRY" build image=uush --launcher=none
[ "$(launched)" = "$before" ] || fail "none is a launcher"
ok "$GANTRY" config launcher --launcher=none
has "$WORK/out" "command line"
run "$GANTRY" build image=uush --launcher=no-such-thing
[ $status = 2 ] || fail "exit $status for a launcher that is not there"
has "$WORK/err" "launcher=no-such-thing: it is not on PATH; install it"
refuses "--launcher wants a value" "$GANTRY" build --launcher=

say "a make tree"
mkdir "$WORK/make" && cd "$WORK/make" || exit 1
printf 'all: a.o b.o prog\na.o b.o: %%.o: %%.c\n\tgcc -c -o $@ $<\nprog: a.o b.o ; cc -o $@ a.o b.o\n' >Makefile
echo 'int b(void); int main(void) { return b(); }' >a.c
echo 'int b(void) { return 0; }' >b.c
rm -f "$LAUNCHED"
ok "$GANTRY" build --journal="$WORK/j" --launcher=ccache -- make
has "$LAUNCHED" "gcc -c -o a.o a.c"
./prog || fail "the program does not run"
ok "$GANTRY" replay "$WORK/j" --json
has "$WORK/out" '"host":"ccache"'
has "$WORK/out" '"text":"gcc -c -o a.o a.c"' # the recipe is what it was
before=$(launched)
rm a.o
ok "$GANTRY" build -- make
[ "$(launched)" = "$before" ] || fail "launched, though there is no launcher"
cp "$WORK/bin/ccache" "$WORK/bin/own-wrapper"
rm a.o
run "$GANTRY" build --launcher=own-wrapper -- make
[ $status = 2 ] || fail "exit $status for one that cannot stand in for compilers"
has "$WORK/err" "only ccache, distcc and icecc"
