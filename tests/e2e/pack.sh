# gantry image: packed from manifests by anyone, anywhere, the same to the bit; read back, changed,
# taken back, converted.
. "$(dirname "$0")/lib.sh"

mkdir -p src/bin "src/etc"
printf '#!/bin/sh\n' >src/bin/run
chmod +x src/bin/run
seq 1 60000 >src/etc/numbers
: >src/etc/empty
cat >usr.manifest <<'EOF'
[manifest]
# What the guest sees.
/**: %(src)s/**
/link: ->/etc/numbers
EOF
chmod -R a+rX "$WORK"
cp -r src other
touch -d 1999-01-01 other/bin/run other/etc
let_nobody "$WORK"

say "every file system, by another user, in another place, time zone and locale"
for fs in rofs zfs ext ramfs; do
    ok "$GANTRY" image pack --layout=bare --fs=$fs --manifest usr.manifest -D src=src -o one.$fs
    (
        umask 077
        export TZ=Asia/Kolkata LC_ALL=C
        ok as_nobody env HOME="$WORK" "$WORK/gantry" -C "$WORK" image pack --layout=bare --fs=$fs \
            --manifest usr.manifest -D src="$WORK/other" -o two.$fs
    ) || exit 1
    cmp one.$fs two.$fs || fail "$fs is not the same"
    ok "$GANTRY" image check one.$fs
    ok "$GANTRY" image cat one.$fs /link
    cmp out src/etc/numbers || fail "$fs: /link"
done
ok "$GANTRY" image diff one.zfs one.ext
ok "$GANTRY" image diff one.rofs one.zfs

say "a disk beside a kernel has no boot arguments, and its file system is not written over"
for fs in rofs zfs ext; do
    ok "$GANTRY" image pack --layout=beside --fs=$fs --manifest usr.manifest -D src=src -o beside
    cp beside kept
    ok "$GANTRY" image check beside
    ok "$GANTRY" image info beside
    has out "partition 2"
    grep -q "command line" out && fail "$fs: it has arguments"
    refuses "partition" "$GANTRY" image set-args beside /bin/run
    cmp beside kept || fail "$fs: it was written to"
done

say "a disk of two file systems in every format"
printf '/var/log/first: src/etc/numbers\n' >data.manifest
for format in raw qcow2 vmdk vdi vhd gce; do
    ok "$GANTRY" image pack --fs=rofs_with_ext --manifest usr.manifest --data data.manifest \
        -D src=src --args '/bin/run x' --format=$format -o disk.$format
    ok "$GANTRY" image info disk.$format
    has out "rofs"
    has out "ext"
    has out "args: --rootfs=rofs /bin/run x"
    ok "$GANTRY" image check disk.$format
    ok "$GANTRY" image diff disk.raw disk.$format
done

say "arguments: changed, remembered, taken back"
ok "$GANTRY" image set-args disk.qcow2 -- --rootfs=rofs /bin/other
ok "$GANTRY" image history disk.qcow2
has out "--rootfs=rofs /bin/run x"
ok "$GANTRY" image undo disk.qcow2
has out "--rootfs=rofs /bin/run x"
refuses "no change of its arguments" "$GANTRY" image undo disk.qcow2

say "converted there and back"
ok "$GANTRY" image convert disk.qcow2 vmdk there.vmdk
ok "$GANTRY" image convert there.vmdk raw back.raw
cmp back.raw disk.raw || fail "another disk came back"

say "told with hashes"
ok "$GANTRY" image list one.zfs
has out "$(sha256sum <src/etc/numbers | cut -c 1-64)"
ok "$GANTRY" image list one.zfs spdx
has out '"spdxVersion":"SPDX-2.3"'
ok "$GANTRY" image list one.zfs cyclonedx
has out '"bomFormat":"CycloneDX"'

say "a layout of one's own"
mkdir conf
printf 'layout-mine = first=4 align=1M table=standard\nfs-mine = zfs\n' >conf/layouts.conf
ok "$GANTRY" image pack --layout=mine --fs=mine --manifest usr.manifest -D src=src -o mine.raw
ok "$GANTRY" image info mine.raw
has out "partition 4"
rm -r conf

say "refused, and the old image stays"
cp one.rofs old
refuses "there are osv" "$GANTRY" image pack --layout=ovs --manifest usr.manifest -D src=src -o old
refuses "there are rofs" "$GANTRY" image pack --fs=fat --manifest usr.manifest -D src=src -o old
refuses "bytes of bootfs" "$GANTRY" image pack --layout=bare --fs=ramfs --size=1K --manifest usr.manifest \
    -D src=src -o old
refuses "no size" "$GANTRY" image pack --fs=ext --size=big --manifest usr.manifest -D src=src -o old
refuses "usr.manifest:3" "$GANTRY" image pack --manifest usr.manifest -D src=nowhere -o old
cmp old one.rofs || fail "the old image is gone"
