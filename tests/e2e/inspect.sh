# Looking: config, explain, graph, log, doctor; and clean, which removes what builds made, only.
. "$(dirname "$0")/lib.sh"
demo_tree
cd tree || exit 1

# valid_json: standard output is one JSON document.
valid_json() {
    [ "$(wc -l <"$WORK/out")" = 1 ] || fail "not one line of JSON"
    # As good a parser as is sure to be here.
    ok_json=$("$GANTRY" --version >/dev/null && tr -d '\n' <"$WORK/out" | sed -E 's/"([^"\\]|\\.)*"/s/g; s/-?[0-9.]+([eE][-+]?[0-9]+)?/n/g; s/true|false|null/n/g; :a; s/\{(s:[sn](,s:[sn])*)?\}/s/g; s/\[([sn](,[sn])*)?\]/s/g; ta')
    [ "$ok_json" = s ] || fail "no JSON: $ok_json"
}

say "config: every value, where it came from, and what it overrides"
ok "$GANTRY" config fs
has "$WORK/out" "fs = rofs"
has "$WORK/out" "    conf/base.mk:"
export fs=from-environment
ok "$GANTRY" config fs fs=ramfs
[ "$(sed -n '1p;2p' "$WORK/out")" = "$(printf 'fs = ramfs\n    command line')" ] || fail "not the word"
has "$WORK/out" "overrides environment: from-environment"
has "$WORK/out" "overrides conf/base.mk:"
unset fs
ok "$GANTRY" config set ARCH=aarch64 image=uush 'cmdline=--rootfs=ramfs /tools/uush.so # x'
ok "$GANTRY" config arch
has "$WORK/out" "arch = aarch64"
has "$WORK/out" "selection.mk:"
ok "$GANTRY" config ARCH=x64 arch
has "$WORK/out" "arch = x64"
has "$WORK/out" "overrides build/.gantry/selection.mk:"
ok "$GANTRY" config cmdline
has "$WORK/out" 'cmdline = --rootfs=ramfs /tools/uush.so # x'
refuses "there are: default tests uush" "$GANTRY" config set image=nothing
ok "$GANTRY" config --json image
valid_json
has "$WORK/out" '"name":"image","value":"uush"'
ok "$GANTRY" config --json
valid_json
ok "$GANTRY" config unset arch image cmdline
ok "$GANTRY" config image ARCH=x64
has "$WORK/out" "image = default"
refuses "did you mean cmdline?" "$GANTRY" config cmdlin

say "explain: down to the change that started it"
export ARCH=x64 image=default
ok "$GANTRY" explain loader.img
has "$WORK/out" "it was never built"
ok "$GANTRY" build
ok "$GANTRY" explain loader.img
has "$WORK/out" "up to date"
echo '/* Longer. */' >>kernel/kernel.h
ok "$GANTRY" explain loader.img
has "$WORK/out" "build/release.x64/images/default/loader.elf will be built again, since"
grep -A 2 'a header that it read changed: kernel/kernel.h' "$WORK/out" | grep -qE '^    was [0-9a-f]{8}$' ||
    fail "no hash of what it was"
ok "$GANTRY" explain --json loader.img
valid_json
has "$WORK/out" '"state":"stale"'
has "$WORK/out" '"reason":"header","path":"kernel/kernel.h"'
ok "$GANTRY" build
ok "$GANTRY" explain kernel/main.o
has "$WORK/out" "up to date"
has "$WORK/out" "a header that it read changed: kernel/kernel.h"
ok "$GANTRY" explain usr.img cmdline=other
has "$WORK/out" "its command or settings changed"
ok "$GANTRY" explain kernel/main.c
has "$WORK/out" "source"

say "graph: as lines, for others, a cone, a path"
ok "$GANTRY" graph
has "$WORK/out" "build/release.x64/boot.bin: build/release.x64/boot.elf"
steps=$(wc -l <"$WORK/out")
ok "$GANTRY" graph --cone boot.bin
[ "$(wc -l <"$WORK/out")" -lt "$((steps / 2))" ] || fail "the cone is no smaller"
grep -q kernel/main "$WORK/out" && fail "the cone has what is not needed"
ok "$GANTRY" graph --path usr.img arch/x64/boot16.S
[ "$(sed -n '1p;$p' "$WORK/out")" = "$(printf '%s\nneeds arch/x64/boot16.S' build/release.x64/images/default/usr.img)" ] ||
    fail "no path from end to end"
ok "$GANTRY" graph --path usr.img kernel/kernel.h
[ "$(sed -n '$p' "$WORK/out")" = 'reads kernel/kernel.h' ] || fail "no way to a header"
ok "$GANTRY" graph --format=dot
has "$WORK/out" '"build/release.x64/boot.bin" -> "build/release.x64/boot.elf";'
ok "$GANTRY" graph --json
valid_json
ok "$GANTRY" graph --format=compdb
valid_json
has "$WORK/out" '"file":"kernel/main.c"'
refuses "dot" "$GANTRY" graph --format=png
run "$GANTRY" graph --path boot.bin hello/hello.jar
[ $status = 1 ] || fail "exit $status where there is no path"

say "log: what a step printed, made safe"
cat >>module.mk <<'M'
targets += loud.txt
loud.txt: rule = tool
loud.txt: command = sh loud.sh $@
loud.txt: inputs = loud.sh
M
printf '%s\n' 'printf "one\\033]0;title\\007 two\\n"; echo three >&2; touch $1' >loud.sh
ok "$GANTRY" build loud.txt
ok "$GANTRY" log loud.txt
[ "$(cat "$WORK/out")" = "$(printf 'one two\nthree')" ] || fail "another log"
ok "$GANTRY" log build/release.x64/loud.txt
ok "$GANTRY" log --json loud.txt
valid_json
ok "$GANTRY" log
has "$WORK/out" loud.txt
ok "$GANTRY" log --plain=raw loud.txt
grep -q title "$WORK/out" || fail "raw is not raw"
refuses "gantry log lists" "$GANTRY" log kernel/main.o

say "doctor"
run "$GANTRY" doctor
[ $status = 0 ] || fail "exit $status though all is here"
for line in '^ok +x64 needs +.* are there' '^ok +x64 compiler +gcc' '^ok +aarch64 compiler +aarch64' '^ok +x64 QEMU' 'tracing' 'user namespaces' 'KVM'; do
    grep -qE "$line" "$WORK/out" || fail "no line like $line"
done
ok "$GANTRY" -C / doctor --json
valid_json
mkdir "$WORK/bin"
for program in gcc cc ld ar as strip objcopy; do
    ln -s "$(command -v $program)" "$WORK/bin/"
done
run env PATH="$WORK/bin" "$GANTRY" doctor ARCH=aarch64
[ $status = 1 ] || fail "exit $status without a compiler for the picked arch"
grep -qE '^install: apt-get install .*gcc-aarch64-linux-gnu' "$WORK/out" || fail "nothing to install"
grep -q 'install: .*qemu-system-arm' "$WORK/out" || fail "no QEMU to install"
echo 'needs += no-such.h ./no/such
package-no-such.h = libno-such-dev
install-./no/such = sh fetch.sh' >>module.mk
run "$GANTRY" doctor
[ $status = 1 ] || fail "exit $status though the tree needs what is not there"
grep -qE '^needed +x64 needs +header no-such.h is not there' "$WORK/out" || fail "no header is missing"
grep -qE '^install: apt-get install .*libno-such-dev' "$WORK/out" || fail "no package for a header"
has "$WORK/out" "run: sh fetch.sh"
sed -i '/such/d' module.mk

say "clean: what builds made, and nothing else"
ok "$GANTRY" build mode=debug image=uush
ok "$GANTRY" build image=uush
git init -q . && git add -f -A -- ':!build' && git -c user.name=x -c user.email=x commit -qm x
echo mine >build/release.x64/kernel/notes.txt
ln -s /etc/passwd build/release.x64/mine
ok "$GANTRY" clean -n
has "$WORK/out" "would remove build/release.x64/kernel/main.o"
[ -f build/release.x64/kernel/main.o ] || fail "-n has removed"
ok "$GANTRY" clean
has "$WORK/out" "left: "
left=$(cd build/release.x64 && find . ! -type d | sort | tr '\n' ' ')
[ "$left" = "./kernel/notes.txt ./mine " ] || fail "left are: $left"
[ -f build/debug.x64/loader.img ] || fail "another mode's build was removed"
[ -z "$(git status --porcelain -- ':!build')" ] || fail "sources were changed"
rm build/release.x64/kernel/notes.txt build/release.x64/mine
ok "$GANTRY" clean
ok "$GANTRY" clean --json mode=debug
valid_json
[ ! -e build/release.x64 ] && [ ! -e build/release ] && [ ! -e build/debug.x64 ] && [ ! -e build/debug ] ||
    fail "something is left: $(ls build)"

say "clean --orphans: what no image makes any more"
ok "$GANTRY" build
ok "$GANTRY" build image=uush
sed -i 's/ lsdev$//; /^tools\/lsdev/d; s, tools/lsdev\.[a-z]*,,' tools/module.mk
sed -i '/lsdev/d' tools/usr.manifest
ok "$GANTRY" build
ok "$GANTRY" clean --orphans
for file in elf o so; do
    has "$WORK/out" "build/release.x64/tools/lsdev.$file"
    [ ! -e build/release.x64/tools/lsdev.$file ] || fail "lsdev.$file is still there"
done
[ "$(grep -c '^build/release.x64/' "$WORK/out")" -le 5 ] || fail "more was removed"
build_runs 0
build_runs 0 image=uush

say "clean after kill -9: half-written files go, too"
sed -i 's/sh loud.sh/sh slow.sh/; s/inputs = loud.sh/inputs = slow.sh/' module.mk
printf 'echo half >$1; touch started; sleep 1000\n' >slow.sh
"$GANTRY" build loud.txt >/dev/null 2>&1 &
pid=$!
within 30 test -e started || fail "the step never started"
refuses "held by pid $pid" "$GANTRY" clean
kill -KILL $pid
wait $pid 2>/dev/null
within 10 "$GANTRY" clean >/dev/null || fail "clean does not work"
[ ! -e build/release.x64 ] || fail "left: $(find build/release.x64)"
