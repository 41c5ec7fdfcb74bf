# A kernel that was linked with a reserve for its bootfs: what is in bootfs changes, and nothing is
# linked again.
. "$(dirname "$0")/lib.sh"
demo_tree
cd tree || exit 1

# The bundled kernel is linked with its bootfs; this one with an empty one of 64 KiB.
sed -i 's/^loader\.elf:/linked.elf:/' kernel/module.mk arch/*/module.mk drivers/module.mk lib/module.mk
sed -i 's/bootfs\.bin/bootfs-reserve.bin/' kernel/bootfs_blob.S
sed -i 's/^kernel\/bootfs_blob\.o: inputs = .*/kernel\/bootfs_blob.o: inputs = bootfs-reserve.bin/' kernel/module.mk
cat >>kernel/module.mk <<'M'
image-targets += bootfs-reserve.bin linked.elf
bootfs-reserve.bin: rule = reserve
bootfs-reserve.bin: reserve = 0x20000
loader.elf: rule = embed
loader.elf: inputs = linked.elf bootfs.bin
loader.elf: symbol = bootfs_blob
M

for arch in x64 aarch64; do
    say "$arch: the kernel finds its files in the reserve"
    ok "$GANTRY" run ARCH=$arch image=uush --timeout=60 --expect="\\Q$(cat data/bootfs/motd)\\E"

    say "$arch: other files, nothing linked, and they are found"
    sed -i 's/^/Changed: /' data/bootfs/motd
    ok "$GANTRY" build --json ARCH=$arch image=uush
    grep '"event":"step-begin"' "$WORK/out" | grep -oE '"target":"[^"]*"' >"$WORK/began"
    grep -q 'loader\.elf"' "$WORK/began" || fail "nothing was embedded"
    grep -E 'linked\.elf"|\.o"' "$WORK/began" | grep -v lzblob && fail "it was linked again"
    ok "$GANTRY" run --as-is ARCH=$arch image=uush --timeout=60 --expect="\\Q$(cat data/bootfs/motd)\\E"
done

say "the same bytes as from clean"
for arch in x64 aarch64; do # the first one's files changed again meanwhile
    ok "$GANTRY" build ARCH=$arch image=uush
    cp -L build/release.$arch/loader.img "$WORK/$arch.img"
done
rm -rf build
for arch in x64 aarch64; do
    ok "$GANTRY" build ARCH=$arch image=uush
    cmp -s build/release.$arch/loader.img "$WORK/$arch.img" || fail "$arch: loader.img differs"
done

say "more than the reserve holds: one line that says so, and the old kernel stays"
head -c 200000 /dev/urandom >data/bootfs/motd
cp -L build/release.x64/loader.elf "$WORK/loader.elf"
run "$GANTRY" build ARCH=x64 image=uush
[ $status = 1 ] || fail "exit $status"
cat "$WORK/out" "$WORK/err" >"$WORK/said"
has "$WORK/said" "link it with a larger one"

say "by hand, with a kernel and a bootfs from anywhere"
printf '/etc/motd: %s/hand\n' "$WORK" >"$WORK/hand.manifest"
echo "by hand" >"$WORK/hand"
ok "$GANTRY" image pack --layout=bare --fs=ramfs --manifest "$WORK/hand.manifest" -o "$WORK/hand.bin"
ok "$GANTRY" image embed "$WORK/loader.elf" "$WORK/hand.bin" bootfs_blob
grep -q "by hand" "$WORK/loader.elf" || fail "it is not there"
refuses "no symbol bootfs_start" "$GANTRY" image embed "$WORK/loader.elf" "$WORK/hand.bin"
