# Booting a tree of OSv's shape: the options of scripts/run.py, arguments that leave the image alone, and
# the addresses of a crash.
. "$(dirname "$0")/lib.sh"
# shellcheck disable=SC2154 # status is lib.sh's
command -v qemu-system-x86_64 >/dev/null || fail "qemu-system-x86_64 is missing"
cp -r "$E2E/../osv_tree" tree && cd tree || exit 1
OUT=build/release.x64
export ARCH=x64 image=native-example fs=rofs

say "what is not there is told with what makes it"
refuses "gantry build" "$GANTRY" run --as-is
refuses "did you mean 'native-example'?" "$GANTRY" run image=native-exampel

say "run builds, composes and boots; a crash is told by file and line"
ok "$GANTRY" run --tcg -m 64M -c 1 --timeout=60
has "$WORK/out" "Cmdline: --rootfs=rofs /hello"
has "$WORK/out" "0x0000000040200004 fall_over at loader.c:"
has "$WORK/out" "0x0000100000001004 main at apps/native-example/hello.c:"
has "$WORK/out" "boot ended: ok"

say "a guest that powers off since it ran nothing has failed"
# The stand-in's last line stands for OSv's.
run "$GANTRY" run --as-is --tcg -m 64 --timeout=60 guest-failed='^.*4100>$'
[ $status = 1 ] || fail "exit $status"
has "$WORK/err" "the guest gave up: 0x0000100000001004 <???+4100>"
has "$WORK/out" "boot ended: failed"
run "$GANTRY" run --as-is --tcg -m 64 --timeout=60 guest-refused='^Cmdline: ' guest-begins=never
[ $status = 1 ] || fail "exit $status"
has "$WORK/err" "the guest gave up: Cmdline: --rootfs=rofs /hello"
ok "$GANTRY" run --as-is --tcg -m 64 --timeout=60 guest-refused='^.backtrace'
ok "$GANTRY" run --as-is --tcg -m 64 --timeout=60 guest-failed=backtrace
ok "$GANTRY" run --as-is --tcg -m 64 --timeout=60 --expect='4100>' guest-failed='4100>$'
refuses "missing closing parenthesis" "$GANTRY" run --as-is --tcg guest-failed='('

say "other arguments: the guest gets them, the image keeps its own"
sum=$(sha256sum <$OUT/usr.img)
ok "$GANTRY" run --as-is --tcg -m 64 --timeout=60 -e '/other words' -V
has "$WORK/out" "Cmdline: --verbose /other words"
[ "$(sha256sum <$OUT/usr.img)" = "$sum" ] || fail "the image was changed"
ok "$GANTRY" compose img_format=raw
ok "$GANTRY" run --as-is --tcg -m 64 --timeout=60 img_format=raw --execute='/raw, too'
has "$WORK/out" "Cmdline: /raw, too"
ok "$GANTRY" image args $OUT/usr.img
has "$WORK/out" "--rootfs=rofs /hello"
refuses "at most 1023" "$GANTRY" run --as-is --tcg -e "$(printf '%01100d' 7)"

ok "$GANTRY" image set-args $OUT/usr.img '/set by hand'
ok "$GANTRY" run --as-is --tcg -m 64 --timeout=60 img_format=raw
has "$WORK/out" "Cmdline: /set by hand"

say "what QEMU is told"
port=$((20000 + $$ % 10000)) # another check may run beside this one
ok "$GANTRY" run --as-is --tcg -m 1G --cpus=2 --nics=2 --forward=tcp::0-:80 --forward=udp::0-:53 \
    --gdb=$port --timeout=60 --json -- -name guest
grep '"event":"vm-begin"' "$WORK/out" >"$WORK/begin" || fail "no vm-begin"
for word in '-m 1024' '-smp 2' 'id=un0,net=192.168.122.0/24,host=192.168.122.1,hostfwd=tcp::0-:80,hostfwd=udp::0-:53' \
    'id=un1,net=192.168.122.0/24,host=192.168.122.1 ' 'virtio-net-pci,netdev=un1' \
    "-gdb tcp:127.0.0.1:$port,server=on,wait=off" 'virtio-rng-pci' '-snapshot' '-name guest'; do
    has "$WORK/begin" "$word"
done
ok "$GANTRY" run --as-is --tcg -m 64 --nics=0 --timeout=60 --json
grep '"event":"vm-begin"' "$WORK/out" >"$WORK/begin"
! grep -q netdev "$WORK/begin" || fail "a network card though none was wanted"
run "$GANTRY" run --as-is --tcg -m 64 --wait --timeout=1
[ $status = 1 ] || fail "exit $status: it did not wait"
! grep -q Cmdline "$WORK/out" || fail "it did not wait"

say "-n with --as-is prints the command line, which a shell can run"
tells() { # tells TEXT NAME=VALUE...: the command line with these values has the text
    local text=$1
    shift
    ok "$GANTRY" run -n --as-is --tcg "$@"
    has "$WORK/out" "$text"
    ! grep -q Cmdline "$WORK/out" || fail "it was booted"
}
tells "-machine pc -vga none -m 2048 -smp 4"
tells "virtio-blk-pci,drive=hd0,bootindex=0"
tells "-device nvme,serial=gantry,drive=hd0,bootindex=0" qemu-bus=nvme
tells "scsi-hd,bus=scsi0.0,drive=hd0,scsi-id=1,lun=0,bootindex=0" qemu-bus=scsi
tells "-machine q35" qemu-bus=sata
tells "ide-hd,drive=hd0,bus=ide.0,bootindex=0" qemu-bus=ide
tells "virtio-blk-pci,drive=hd0,disable-legacy=on,disable-modern=off,num-queues=4,bootindex=0" \
    qemu-virtio=modern qemu-queues=4
tells "-device vmxnet3,netdev=un0,mac=52:54:00:12:34:56" qemu-card=vmxnet3 qemu-mac=52:54:00:12:34:56
tells "tap,id=un0,ifname=tap7,script=no" qemu-tap=tap7
tells "bridge,id=un0,br=virbr0" qemu-bridge=virbr0
refuses "did you mean 'nvme'?" "$GANTRY" run -n --as-is qemu-bus=nvem
refuses "which forwards" "$GANTRY" run --as-is qemu-tap=tap7 --forward=tcp::0-:80
tells "# the disk is $PWD/$OUT/usr.img with other boot arguments over it: /x" -e /x
ok "$GANTRY" run -n --as-is --tcg -m 64
ok timeout 60 sh -c "$(cat "$WORK/out")"
has "$WORK/out" "Cmdline: /set by hand"

say "more before the arguments; another image; more disks"
ok "$GANTRY" run --as-is --tcg -m 64 --timeout=60 --prepend=--trace=sched --prepend=--nopci
has "$WORK/out" "Cmdline: --trace=sched --nopci /set by hand"
ok "$GANTRY" run --as-is --tcg -m 64 --timeout=60 --prepend=--nopci -V -e '/x y'
has "$WORK/out" "Cmdline: --nopci --verbose /x y"
printf '/hello: %s\n' apps/native-example/hello >other.manifest
for format in raw qcow2 vmdk vdi vhd; do
    ok "$GANTRY" image pack --loader $OUT/loader.img --fs=rofs --manifest other.manifest --args="/of $format" \
        --format=$format -o "other,$format"
    ok "$GANTRY" run -i "other,$format" --tcg -m 64 --timeout=60
    grep -q "Cmdline: --rootfs=rofs /of $format" "$WORK/out" || fail "$format"
done
ok "$GANTRY" run --tcg -m 64 --timeout=60 --image=other,raw --disk=other,qcow2 --disk "other,vhd" --json
grep '"event":"vm-begin"' "$WORK/out" >"$WORK/begin"
has "$WORK/begin" "file=$PWD/other,,qcow2,format=qcow2,if=none,id=hd1"
has "$WORK/begin" "file=$PWD/other,,vhd,format=vpc,if=none,id=hd2"
has "$WORK/begin" "virtio-blk-pci,drive=hd2"
refuses "nothing-there" "$GANTRY" run --tcg -i nothing-there
refuses "nothing-there" "$GANTRY" run --tcg --as-is --disk=nothing-there

say "bad words"
refuses "a number from 1 to 65535" "$GANTRY" run --gdb=0
refuses "no network card to forward to" "$GANTRY" run --as-is --nics=0 --forward=tcp::1-:1
refuses "M or G" "$GANTRY" run -m 2X
refuses "loader-stripped.elf" "$GANTRY" run --as-is --kernel
refuses "run takes options only" "$GANTRY" run usr.img

say "check boots the test runner, and reads what it says (the stand-in prints its arguments)"
runner() { # runner TEXT NAME=VALUE...: the report of a runner that printed this
    local text=$1
    shift
    run "$GANTRY" check image=native-example qemu-kvm-arch=none qemu-machine='-m 64' osv-check="$text" "$@"
}
good=$'/testrunner.so\nrunning /tests/tst-a.so\nok.\nrunning /tests/tst-b\nok.\nAll tests complete - 0/2 failures'
runner "$good" symbols=
[ $status = 0 ] || fail "exit $status"
has "$WORK/out" "ok      tst-a.so"
has "$WORK/out" "ok: x64 release: 2 passed, 0 failed"
runner "${good/ok./failed.}" symbols= --json
[ $status = 1 ] || fail "exit $status"
has "$WORK/out" '"name":"tst-a.so","ok":false,"reason":"it returned an error"'
runner $'/testrunner.so\nrunning /tests/tst-a.so\nok.'
[ $status = 1 ] || fail "exit $status"
has "$WORK/err" "the guest crashed"
has "$WORK/out" "0 passed, 1 failed, and more did not run"

say "a directory by virtio-fs: its server is started, and ended again"
cat >virtiofsd <<'S'
#!/bin/sh
echo "$@" >"${0%/*}/asked"
trap 'echo ended >>"${0%/*}/asked"; exit 0' TERM
: >"${1#--socket-path=}"
while :; do sleep 0.1; done
S
chmod +x virtiofsd && mkdir shared
ok "$GANTRY" run --as-is --tcg -m 64 --timeout=60 --virtiofs=shared --virtiofs-tag=mine \
    virtiofsd="$PWD/virtiofsd --socket-path=%(socket) -o source=%(dir)" qemu-virtiofs='-name %(tag)-%(memory)' --json
has asked "source=$PWD/shared"
has asked "ended"
grep '"event":"vm-begin"' "$WORK/out" | grep -q -e '-name mine-64' || fail "the device was not told"
socket=$(sed -n 's/^--socket-path=\([^ ]*\).*/\1/p' asked)
[ -n "$socket" ] && [ ! -e "${socket%/*}" ] || fail "its directory is left behind"
run "$GANTRY" run --as-is --tcg --virtiofs=shared virtiofsd=/bin/false
[ $status = 1 ] || fail "exit $status"
has "$WORK/err" "/bin/false does not run"
refuses "nowhere" "$GANTRY" run --as-is --tcg --virtiofs=nowhere

say "an arch whose kernel QEMU loads: its disk stands beside it"
if command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-system-aarch64 >/dev/null; then
    sed -i 's/-mcmodel=large//' Makefile
    machine_of() { od -An -tu1 -j18 -N1 "$1" | tr -d ' '; }
    hello=apps/native-example/hello
    [ "$(machine_of $hello)" = 62 ] || fail "$hello is for machine $(machine_of $hello)"
    ok env -u ARCH "$GANTRY" build ARCH=aarch64 CROSS_PREFIX=aarch64-linux-gnu-
    [ "$(machine_of $hello)" = 183 ] || fail "a module was built by the build machine's compiler"
    ! grep -q "another machine" "$WORK/err" || fail "a warning for nothing"
    [ -f build/release.aarch64/disk.img ] || fail "no disk.img"
    ok "$GANTRY" image info build/release.aarch64/disk.img
    has "$WORK/out" "0x200"
    ok env -u ARCH "$GANTRY" run --as-is ARCH=aarch64 CROSS_PREFIX=aarch64-linux-gnu- -m 128 -c 1 --timeout=60
    has "$WORK/out" "boot: --rootfs=rofs /hello"
    has "$WORK/out" "Booted by -kernel"

    say "a program of another machine is told"
    cp /bin/true foreign
    printf '/foreign: %s\n' "$PWD/foreign" >>apps/native-example/usr.manifest
    ok env -u ARCH "$GANTRY" build ARCH=aarch64 CROSS_PREFIX=aarch64-linux-gnu-
    has "$WORK/err" "/foreign: $PWD/foreign is a program for another machine than the kernel (ELF machine 62, not 183)"
fi
