# A tree of OSv driven whole: what scripts/build does by hand is one build, and the image is ours. The
# tree (tests/osv_tree) has OSv's shape and is written for this.
. "$(dirname "$0")/lib.sh"
# shellcheck disable=SC2154 # status is lib.sh's
command -v gcc >/dev/null || fail "gcc is missing"
cp -r "$E2E/../osv_tree" tree && cd tree || exit 1
OUT=build/release.x64
export ARCH=x64

# holds GUEST...: these are in the image.
holds() {
    ok "$GANTRY" image ls $OUT/usr.img
    for guest; do
        grep -qE "(^| )$guest( |/?\$)" "$WORK/out" || fail "the image has no $guest"
    done
}

say "names are checked: one line, the nearest spelling, exit 2"
refuses "did you mean 'native-example'?" "$GANTRY" build image=native-exmple
refuses "did you mean 'loud'?" "$GANTRY" config image=greet.lod
refuses "did you mean 'rofs'?" "$GANTRY" run fs=rof image=empty
refuses "did you mean conf_greeting?" "$GANTRY" compose conf_greting=2
refuses "did you mean usrskel?" "$GANTRY" build usrskl=x.skel
refuses "it is not in the list" "$GANTRY" build image=greet,-hello
refuses "a name is missing" "$GANTRY" build image=greet,,empty
refuses "no such file" "$GANTRY" build image=empty usrskel=none.skel
refuses "a number of MiB" "$GANTRY" build image=empty fs=rofs fs_size_mb=large
refuses "would be removed" "$GANTRY" build image=empty fs=rofs export=all export_dir=.
refuses "there are: none selected all" "$GANTRY" config export=some image=empty
[ ! -e .gantry/journal ] || [ -z "$(ls $OUT/usr.img 2>/dev/null)" ] || fail "an image out of nothing"
rm -rf build .gantry

say "config: what is in force, from where, and what there is"
ok "$GANTRY" config fs
has "$WORK/out" "fs = zfs"
fs=rofs ok "$GANTRY" config fs
has "$WORK/out" "    environment"
fs=rofs ok "$GANTRY" config fs fs=ext
has "$WORK/out" "overrides environment: rofs"
ok "$GANTRY" config image-names
has "$WORK/out" "image-names = default empty greet greeter libext native-example"

say "build: config, stage1, module.py, the kernel, and the image"
ok "$GANTRY" build image=native-example fs=rofs
has "$WORK/out" "STAGE osv-configured"
has "$WORK/out" "Modules: native-example (fs_type=rofs mode=release ARCH=x64)"
has "$WORK/out" "composed $OUT/usr.img: rofs, 7 names, a disk of 512.0M"
ok "$GANTRY" image args $OUT/usr.img
[ "$(cat "$WORK/out")" = "--rootfs=rofs /hello" ] || fail "other arguments"
[ "$(cat $OUT/cmdline)" = "--rootfs=rofs /hello" ] || fail "another cmdline"
holds /hello /libenviron.so /etc/hosts /etc/fstab /dev /data
ok "$GANTRY" image check $OUT/usr.img
[ "$(readlink build/last)" = release.x64 ] || fail "no build/last"
cmp -s static/etc/fstab_rofs $OUT/fstab || fail "another fstab"

say "what goes in is stripped, as OSv has it"
ok "$GANTRY" image get $OUT/usr.img /libenviron.so "$WORK/got"
cmp -s "$WORK/got" $OUT/libenviron-stripped.so || fail "libenviron.so is not stripped"
! cmp -s "$WORK/got" $OUT/libenviron.so || fail "nothing was stripped away"

say "a second build has nothing to do, the image included"
ok "$GANTRY" build image=native-example fs=rofs
ok "$GANTRY" build image=native-example fs=rofs
has "$WORK/out" "nothing to do"
has "$WORK/out" "up to date: $OUT/usr.img"
before=$(stat -c %Y.%i $OUT/usr.img)
touch apps/native-example/hello.c
ok "$GANTRY" build image=native-example fs=rofs
[ "$(stat -c %Y.%i $OUT/usr.img)" != "$before" ] || fail "the image has the old program"
echo 'default = api.run("/hello again")' >apps/native-example/module.py
ok "$GANTRY" build image=native-example fs=rofs
ok "$GANTRY" image args $OUT/usr.img
has "$WORK/out" "/hello again"

say "compose: the image alone, where the kernel fits; other pictures of the same list"
ok "$GANTRY" compose image=greet.loud,native-example,greeter,-greeter fs=rofs --json
! grep -q osv-stage1 "$WORK/out" || fail "the kernel was built again"
has "$WORK/out" '"event":"compose"'
ok "$GANTRY" image args $OUT/usr.img
has "$WORK/out" "/greet.so --loud&/hello again"
holds /greet.so /hello
ok "$GANTRY" compose modules=native-example fs=rofs
holds /greet.so /hello # the default of config.json comes with modules=
ok "$GANTRY" compose image=empty fs=rofs 'cmdline=/own words'
ok "$GANTRY" image args $OUT/usr.img
has "$WORK/out" "--rootfs=rofs /own words"

say "every file system, as scripts/build lays it out"
for fs in zfs ext rofs_with_zfs rofs_with_ext ramfs virtiofs; do
    [ $fs != zfs ] || touch $OUT/libsolaris.so
    ok "$GANTRY" compose image=native-example fs=$fs
    ok "$GANTRY" image check $OUT/usr.img
    ok "$GANTRY" image args $OUT/usr.img
    has "$WORK/out" "--rootfs=$fs "
    ok "$GANTRY" image info $OUT/usr.img
    case $fs in
    zfs | ext) has "$WORK/out" "0x200000   510.0M  partition 2    $fs" ;;
    rofs_*) has "$WORK/out" "510.0M  partition 3    ${fs#rofs_with_}" && holds /hello ;;
    *) has "$WORK/out" "0x200000        0  partition 2" ;;
    esac
    case $fs in
    zfs | ext) holds /hello /etc/fstab ;;
    esac
done
has $OUT/bootfs_manifest.last "bootfs_empty.manifest.skel"
ok "$GANTRY" compose image=native-example fs=rofs_with_zfs
ok "$GANTRY" image cat $OUT/usr.img /etc/fstab
has "$WORK/out" "/dev/vblk0.2 /data      zfs       defaults 0 0"

say "a ramfs kernel is made of usr.manifest, with what nobody declared made first"
rm -f $OUT/tools/mount.so
ok "$GANTRY" build image=native-example fs=ramfs
[ -f $OUT/tools/mount.so ] || fail "tools/mount.so was not made"
has $OUT/bootfs.bin "/hello: "
before=$(stat -c %Y.%i $OUT/loader.elf)
ok "$GANTRY" build image=native-example fs=ramfs
[ "$(stat -c %Y.%i $OUT/loader.elf)" = "$before" ] || fail "the kernel was linked again"

say "sizes, formats, exported options, own targets"
ok "$GANTRY" compose image=native-example fs=zfs fs_size_mb=256 img_format=raw
[ "$(stat -c %s $OUT/usr.img)" = $((256 << 20)) ] || fail "not 256 MiB of raw"
ok "$GANTRY" build conf_greeting=7 $OUT/loader.o
ok "$GANTRY" build conf_greeting=7 image=empty fs=rofs
grep -q "conf_greeting=7" .gantry/osv/*.mk || fail "conf_greeting was lost"
ok "$GANTRY" build --json image=empty fs=rofs conf_greeting=7
has "$WORK/out" '"loader":"osv"'
has "$WORK/out" '"image":"empty"'

say "export: the files in a directory of the host, which is emptied first"
mkdir -p "$WORK/exported" && touch "$WORK/exported/old"
ok "$GANTRY" compose image=native-example fs=rofs export=all export_dir="$WORK/exported"
cmp -s "$WORK/exported/hello" apps/native-example/hello || fail "no hello was exported"
[ ! -e "$WORK/exported/old" ] || fail "what was there is there"

say "the other mode beside it; an image from the environment does not reach the tree's make"
image=native-example ok "$GANTRY" build mode=debug fs=rofs
[ -f build/debug.x64/usr.img ] || fail "no build/debug.x64/usr.img"

say "a tree with a blank in its path; two composes at once; one that is stopped"
cp -r "$E2E/../osv_tree" "$WORK/a tree"
ok "$GANTRY" -C "$WORK/a tree" build image=native-example fs=rofs
"$GANTRY" -C "$WORK/a tree" compose image=greet fs=zfs >/dev/null 2>&1 &
run "$GANTRY" -C "$WORK/a tree" compose image=native-example fs=ext
wait $! # one of them may have been told that the other builds
ok "$GANTRY" -C "$WORK/a tree" compose image=native-example fs=rofs
ok "$GANTRY" image check "$WORK/a tree/$OUT/usr.img"
before=$(stat -c %Y.%i "$WORK/a tree/$OUT/usr.img")
printf 'module:\n\tsleep 60\n' >"$WORK/a tree/modules/greet/Makefile"
timeout -s INT 2 "$GANTRY" -C "$WORK/a tree" build image=greet fs=rofs >"$WORK/out" 2>&1
status=$?
[ $status = 124 ] || [ $status = 130 ] || fail "exit $status"
[ "$(stat -c %Y.%i "$WORK/a tree/$OUT/usr.img")" = "$before" ] || fail "an image of half a build"

say "a missing file of the manifest is told by its line"
echo '/lost: ${MODULE_DIR}/lost' >>apps/native-example/usr.manifest
run "$GANTRY" compose image=native-example fs=rofs
[ $status = 2 ] || fail "exit $status"
grep -qE "$OUT/usr.manifest:[0-9]+: /lost: .*/apps/native-example/lost is not there" "$WORK/err" || fail "not said"

say "scripts/build itself goes through the gate, as ever"
run "$GANTRY" build -- ./scripts/build
[ $status = 9 ] || fail "exit $status, not 9"
