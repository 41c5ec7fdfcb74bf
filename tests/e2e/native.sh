# Native builds: every variant side by side, and what runs again after which change.
. "$(dirname "$0")/lib.sh"
demo_tree
cd tree || exit 1

say "2 arches, 2 modes, 2 images side by side"
for arch in x64 aarch64; do
    for mode in release debug; do
        for image in default uush; do
            ok "$GANTRY" build --json ARCH=$arch mode=$mode image=$image
            [ "$(steps_run)" -ge 5 ] || fail "$arch $mode $image: only $(steps_run) steps ran"
            [ "$(readlink build/$mode)" = $mode.$arch ] || fail "build/$mode is no link to $mode.$arch"
            [ -f build/$mode/loader.img ] || fail "no build/$mode/loader.img"
            [ $image = uush ] || [ -f build/$mode/usr.img ] || fail "no build/$mode/usr.img"
            [ $image = default ] || [ ! -e build/$mode/usr.img ] ||
                fail "build/$mode/usr.img is another image's"
            for file in loader.elf loader-stripped.elf; do
                [ "$(readlink build/$mode/$file)" = images/$image/$file ] ||
                    fail "build/$mode/$file is not $image's"
            done
        done
    done
done
[ -f build/release.x64/lzloader.elf ] || fail "no lzloader.elf"

say "a second run of each runs nothing"
for arch in x64 aarch64; do
    for mode in release debug; do
        for image in default uush; do
            build_runs 0 ARCH=$arch mode=$mode image=$image
        done
    done
done

say "a changed comment in a header: its users are compiled, nothing is linked"
sed -i '1s,^/\*,/* Changed.,' kernel/vfs.h
[ "$(head -c 11 kernel/vfs.h)" = "/* Changed." ] || fail "kernel/vfs.h does not start with a comment"
sleep 0.05 # what changes in the tick in which a step begins counts as changed while it ran
ok "$GANTRY" build --json ARCH=x64 image=default
users=$(grep -lE '"(kernel/)?vfs\.h"' kernel/*.c drivers/*.c arch/x64/*.c | wc -l)
[ "$(steps_run)" -ge "$users" ] || fail "$(steps_run) steps ran for $users direct users of vfs.h"
ended=$(grep -c '"event":"step-end"' "$WORK/out")
same=$(grep '"event":"step-end"' "$WORK/out" | grep -c '"outcome":"unchanged"')
[ "$ended" = "$same" ] || fail "of $ended steps only $same rewrote the same bytes"
grep '"event":"step-begin"' "$WORK/out" | grep -E '"target":"[^"]*"' -o | grep -v '\.o"$' &&
    fail "something other than an object was made"
build_runs 0 ARCH=x64 image=default

say "a touched source: nothing, since its content is the same"
touch kernel/main.c
build_runs 0 ARCH=x64 image=default

say "a changed source: its object, and what takes that in"
sed -i 's/uush "/uush: "/; $a static const int unused_by_all __attribute__((unused)) = 1;' lib/crc32.c
ok "$GANTRY" build --json ARCH=x64 image=default
[ "$(steps_run)" -gt 0 ] && [ "$(steps_run)" -lt 30 ] || fail "$(steps_run) steps ran"

say "changed boot arguments: one step, and the image has them"
build_runs 1 ARCH=x64 image=default cmdline='--rootfs=rofs /tools/sum.so /etc/motd'
ok "$GANTRY" image args build/release.x64/usr.img
[ "$(cat "$WORK/out")" = '--rootfs=rofs /tools/sum.so /etc/motd' ] || fail "other arguments"
build_runs 1 ARCH=x64 image=default
ok "$GANTRY" build ARCH=aarch64 image=uush
build_runs 1 ARCH=aarch64 image=uush cmdline='--rootfs=ramfs /tools/uush.so'
build_runs 1 ARCH=aarch64 image=uush

say "a file that an image takes in: the file system and the disk"
echo "one more line" >>data/disk/motd
build_runs 2 ARCH=x64 image=default
ok "$GANTRY" image cat build/release.x64/usr.img /etc/motd
has "$WORK/out" "one more line"
