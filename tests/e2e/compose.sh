# Composing: without QEMU, Python or target programs, unprivileged, to the bit the same; and boot
# arguments in place.
. "$(dirname "$0")/lib.sh"
demo_tree
# A place of another depth and name, another user, another time zone, umask and locale.
mkdir -p "$WORK/some/where/else"
demo_tree "$WORK/some/where/else/tree"
let_nobody "$WORK/tree" "$WORK/some/where/else"

say "no QEMU, no Python, no target program is started"
(
    cd tree || exit 1
    for selection in 'ARCH=x64 image=default' 'ARCH=aarch64 image=default'; do
        # shellcheck disable=SC2086 # two words
        ok as_nobody strace -f --seccomp-bpf -qq -e trace=execve -e signal=none -o "$WORK/some/where/else/trace" \
            env HOME="$WORK/some/where/else" "$WORK/gantry" compose $selection
        cat "$WORK/some/where/else/trace" >>"$WORK/trace"
    done
) || exit 1
grep -q '/ant"' trace || fail "strace has not seen the build"
grep -E 'execve\("[^"]*(qemu|python)' trace && fail "composing starts these"
# Of what the build made only programs of the build machine may run: their names are in host/.
grep -E 'execve\("[^"]*build/[^"]*"' trace | grep -v '/host/' && fail "composing runs what it builds"

say "the same bytes from another place, by another user, in another time zone"
(
    cd / || exit 1
    umask 077
    export TZ=Asia/Kolkata LC_ALL=C
    for arch in x64 aarch64; do
        ok "$GANTRY" -C "$WORK/some/where/else/tree" -j1 compose ARCH=$arch image=default
    done
) || exit 1
for file in release.x64/{loader,usr}.img release.aarch64/{loader,usr}.img release.x64/hello/hello.jar; do
    cmp "tree/build/$file" "some/where/else/tree/build/$file" || fail "$file differs"
done

say "and twice in one place"
cp -L tree/build/release.x64/usr.img first.img
rm tree/build/release.x64/images/default/{usr,loader,rofs}.img
touch -d 2001-01-01 tree/data/disk/motd
ok "$GANTRY" -C tree compose ARCH=x64 image=default
cmp first.img tree/build/release.x64/usr.img || fail "usr.img differs"

say "arguments are changed in place, and nothing else is"
for format in raw qcow2; do
    ok "$GANTRY" -C tree compose ARCH=x64 image=default img_format=$format
    cp -L tree/build/release.x64/usr.img one.img
    cp one.img two.img
    ok "$GANTRY" image set-args two.img '--rootfs=rofs /tools/uush.so -c "echo other words"'
    ok "$GANTRY" image args two.img
    [ "$(cat out)" = '--rootfs=rofs /tools/uush.so -c "echo other words"' ] || fail "other arguments"
    [ "$(stat -c %s one.img)" = "$(stat -c %s two.img)" ] || fail "its size has changed"
    changed=$(cmp -l one.img two.img | awk 'NR == 1 { first = $1 } { last = $1 } END { print last - first }')
    [ "$changed" -gt 0 ] && [ "$changed" -lt 1024 ] || fail "$format: bytes $changed apart have changed"
    [ $format = qcow2 ] || [ "$(cmp -l one.img two.img | awk '$1 <= 512 || $1 > 1536' | wc -l)" = 0 ] ||
        fail "bytes outside of the arguments have changed"
    ok "$GANTRY" image check two.img
done

say "1,023 bytes are taken, 1,024 are refused with the limit named"
cp -L tree/build/release.x64/images/default/loader.img two.img
ok "$GANTRY" image set-args two.img "$(printf '%01023d' 0)"
ok "$GANTRY" image args two.img
[ "$(head -c 1023 out)" = "$(printf '%01023d' 0)" ] || fail "not those that were set"
cp two.img before.img
refuses 1023 "$GANTRY" image set-args two.img "$(printf '%01024d' 0)"
refuses 1023 "$GANTRY" image set-args two.img "$(printf '%09999d' 0)"
cmp two.img before.img || fail "a refused edit has changed the image"
refuses 1023 "$GANTRY" -C tree compose ARCH=x64 image=default cmdline="$(printf '%01024d' 0)"

say "long work tells how far it is"
head -c 400M /dev/zero | tr '\0' x >tree/data/disk/large
echo '/data/large: data/disk/large' >>tree/manifests/usr.manifest.skel
ok "$GANTRY" -C tree compose --json ARCH=x64 image=default
grep '"event":"step-progress"' out >progress || fail "nothing told"
step=$(sed -n 's/.*"event":"step-begin".*"step":\([0-9]*\),"target":"[^"]*rofs.img".*/\1/p' out)
[ -n "$step" ] || fail "rofs.img was not made"
sed -E 's/.*"step":([0-9]+),"bytes":([0-9]+),"total":([0-9]+).*/\1 \2 \3/' progress >numbers
grep -q "^$step " numbers || fail "not of rofs.img"
awk '{ if ($2 > $3 || $3 < 400 * 1024 * 1024 || $2 < last[$1]) bad = 1; last[$1] = $2 } END { exit bad }' numbers ||
    fail "$(cat numbers)"
sed -i '$d' tree/manifests/usr.manifest.skel
rm tree/data/disk/large

say "compose tells the parts; --json as events"
ok "$GANTRY" -C tree compose ARCH=x64 image=default
has out "partition 2"
has out 'args: --rootfs=rofs /tools/uush.so'
ok "$GANTRY" -C tree compose --json ARCH=x64 image=default
has out '"event":"compose","t_ns":0,"part":"partition 2"'
