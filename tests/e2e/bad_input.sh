# Bad input: one clear line on standard error, nothing else there, and exit 2.
. "$(dirname "$0")/lib.sh"
demo_tree
cd tree || exit 1

# quiet_refuses TEXT COMMAND...: and nothing on standard output either.
quiet_refuses() {
    refuses "$@"
    [ ! -s "$WORK/out" ] || fail "words on standard output, too, of: ${*:2}"
}

say "unknown ARCH, mode, image: those that exist, and the nearest"
quiet_refuses "unknown ARCH 'aarch46' (from command line); there are: aarch64 x64; did you mean 'aarch64'?" \
    "$GANTRY" build ARCH=aarch46
quiet_refuses "there are: debug release; did you mean 'release'?" "$GANTRY" build mode=relase
quiet_refuses "there are: default tests uush; did you mean 'uush'?" "$GANTRY" build image=uusj
quiet_refuses "unknown fs 'rofss' (from command line); there are: rofs ramfs; did you mean 'rofs'?" \
    "$GANTRY" compose fs=rofss
quiet_refuses "unknown img_format 'vhdx' (from command line); there are: raw qcow2" \
    "$GANTRY" build img_format=vhdx
for command in compose run check config doctor 'explain usr.img' 'graph' log clean; do
    # shellcheck disable=SC2086 # words
    quiet_refuses "unknown ARCH 'sparc'" "$GANTRY" $command ARCH=sparc
done
export ARCH=vax
quiet_refuses "(from environment)" "$GANTRY" build
unset ARCH

say "a missing cross compiler: the package to install"
mkdir "$WORK/bin"
for program in gcc cc ld ar as strip objcopy; do
    ln -s "$(command -v $program)" "$WORK/bin/"
done
quiet_refuses "apt-get install gcc-aarch64-linux-gnu" env PATH="$WORK/bin" "$GANTRY" build ARCH=aarch64
quiet_refuses "CROSS_PREFIX" "$GANTRY" build CROSS_PREFIX=riscv-none-
quiet_refuses "builds for" "$GANTRY" build ARCH=aarch64 CROSS_PREFIX=
quiet_refuses "HOST_CC" "$GANTRY" build HOST_CC=nothing-cc
say "a missing QEMU, too"
ok "$GANTRY" compose ARCH=x64 image=uush
quiet_refuses "apt-get install qemu-system-x86" \
    env PATH="$WORK/bin" "$GANTRY" run --as-is ARCH=x64 image=uush

say "a missing file in a manifest: the line, before anything runs"
echo '/data/nothing: data/nothing.bin' >>manifests/usr.manifest.skel
line=$(wc -l <manifests/usr.manifest.skel)
quiet_refuses "manifests/usr.manifest.skel:$line: /data/nothing: data/nothing.bin is not there" \
    "$GANTRY" build ARCH=x64 mode=debug image=default
[ ! -e build/debug.x64/kernel/main.o ] || fail "something was built"
# What does not need the manifest is built.
ok "$GANTRY" build ARCH=x64 image=default mode=debug lib/crc32.o
refuses "usr.manifest.skel:$line: " "$GANTRY" manifest check --dir . manifests/usr.manifest.skel
sed -i '$d' manifests/usr.manifest.skel

say "a syntax error in conf: the line"
cp conf/base.mk "$WORK/base.mk"
line=$(($(wc -l <conf/base.mk) + 1))
for text in 'ifeq ($(a),b' 'no assignment' 'x = $(shell date)' 'y = $(nothing' 'all: ; cc' 'endif' 'define z'; do
    printf '%s\n' "$text" >>conf/base.mk
    quiet_refuses "conf/base.mk:$line: " "$GANTRY" build ARCH=x64
    cp "$WORK/base.mk" conf/base.mk
done

say "a cycle: as a path"
cp module.mk "$WORK/saved"
cat >>module.mk <<'M'
targets += a.txt b.txt c.txt
a.txt b.txt c.txt: rule = tool
a.txt b.txt c.txt: command = cp $< $@
a.txt: inputs = b.txt
b.txt: inputs = c.txt
c.txt: inputs = a.txt
M
for command in build graph; do
    quiet_refuses "a.txt -> " "$GANTRY" $command ARCH=x64
    grep -qE 'module\.mk:[0-9]+: a cycle: (build/release\.x64/([abc])\.txt) -> .* -> \1$' "$WORK/err" ||
        fail "no path from a file back to itself"
done
cp "$WORK/saved" module.mk

say "targets that nothing makes, words that mean several"
quiet_refuses "did you mean kernel/main.o?" "$GANTRY" build kernel/mian.o
quiet_refuses "say which" "$GANTRY" build main.o
quiet_refuses "is a source" "$GANTRY" build kernel/main.c
quiet_refuses "did you mean" "$GANTRY" explain usr.imgg

say "a full disk"
small_disk='mount -t tmpfs -o size=$1 none build && shift && exec "$@"'
for size in 64k 400k 4m; do
    rm -rf build
    mkdir build
    if ! unshare -rm sh -c "$small_disk" - 1m true 2>/dev/null; then
        echo "no mounts here: skipped"
        break
    fi
    run unshare -rm sh -c "$small_disk" - $size "$GANTRY" build ARCH=x64 image=default
    [ $status = 2 ] || fail "exit $status with a disk of $size"
    # Besides that line only warnings of what else did not fit.
    [ "$(grep -vc ': warning: ' "$WORK/err")" = 1 ] || fail "not one line for a disk of $size"
    has "$WORK/err" "No space left on device"
done
rm -rf build

say "a build directory that cannot be written"
let_nobody # the tree stays ours
chmod -R a+rX "$WORK/tree"
if [ "$(id -u)" = 0 ]; then
    quiet_refuses "$WORK/tree/build: Permission denied" as_nobody "$WORK/gantry" build ARCH=x64
    ok "$GANTRY" build ARCH=x64 image=uush
    quiet_refuses "Permission denied" as_nobody "$WORK/gantry" build ARCH=x64 image=uush
    quiet_refuses "Permission denied" as_nobody "$WORK/gantry" clean ARCH=x64
    ok as_nobody "$WORK/gantry" explain ARCH=x64 image=uush loader.img
else
    mkdir build
    chmod 555 build
    quiet_refuses "Permission denied" "$GANTRY" build ARCH=x64
    chmod 755 build
fi

say "no tree, no terminal, a terminal that nobody knows"
mkdir "$WORK/empty"
quiet_refuses "gantry demo DIR" "$GANTRY" -C "$WORK/empty" build
quiet_refuses "gantry demo DIR" "$GANTRY" -C "$WORK/empty"
echo 'all: ; :' >"$WORK/empty/Makefile"
quiet_refuses "gantry build -- make" "$GANTRY" -C "$WORK/empty" run
ok "$GANTRY" ARCH=x64 image=uush
has "$WORK/out" "up to date"
open_screen 80 24
type_command "clear; TERM=nothing-known $GANTRY -C tree; echo \"status \$?\""
wait_for 'status 2'
on_screen 'gantry: .*nothing-known' || fail "no word about the terminal"
type_command "clear; TERM=dumb $GANTRY -C tree ARCH=x64 image=uush; echo \"status \$?\""
wait_for 'status 0'
on_screen 'up to date' || fail "no lines on a dumb terminal"
close_screen
