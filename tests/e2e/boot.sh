# Booting: run and check for both arches, verdicts, typed input, and an arch that nobody knew before.
. "$(dirname "$0")/lib.sh"
demo_tree

# boots ARCH IMAGE FILE: the banner, the kernel base, the arguments as composed, and a file.
boots() {
    local pick=(ARCH="$1" image="$2") base args
    ok "$GANTRY" -C tree run "${pick[@]}" --timeout=60 --expect="\\Q$(cat "tree/$3")\\E"
    cp out console
    base=$("$GANTRY" -C tree config kernel_base "${pick[@]}" | sed -n '1s/.* = //p')
    args=$("$GANTRY" image args tree/build/release/"$4")
    grep -q "^uush .* on $1" console || fail "no banner of uush"
    grep -qxF "kernel base $base" console || fail "not the kernel base $base"
    grep -qxF "boot arguments: $args" console || fail "not the boot arguments $args"
    has console "boot ended: ok"
}

for arch in x64 aarch64; do
    say "$arch boots from RAM and from disk"
    boots $arch uush data/bootfs/motd loader.img
    boots $arch default data/disk/motd usr.img

    say "$arch: set-args, and the kernel prints them"
    ok "$GANTRY" image set-args tree/build/release/usr.img \
        '--rootfs=rofs /tools/uush.so -c "echo \"other words\"; exit"'
    ok "$GANTRY" -C tree run --as-is ARCH=$arch image=default --timeout=60
    args=$("$GANTRY" image args tree/build/release/usr.img)
    grep -qxF "boot arguments: $args" out || fail "the kernel has other arguments than $args"
    grep -qx 'other words' out || fail "the shell did not run them"

    say "$arch: the tests, each by name"
    ok "$GANTRY" -C tree check ARCH=$arch
    has out "ok      rofs"
    grep -qE "^ok: $arch release: [0-9]+ passed, 0 failed" out || fail "no summary"
    ok "$GANTRY" -C tree check --json ARCH=$arch mode=debug
    [ "$(wc -l <out)" = 1 ] || fail "more than one document"
    has out "\"ok\":true,\"arch\":\"$arch\",\"mode\":\"debug\",\"image\":\"tests\",\"verdict\":\"ok\",\"complete\":true"
    has out '{"name":"rofs","ok":true,"reason":null}'
done

say "a test that fails is named, and the exit status is 1"
cp tree/selftest/files/note.txt note
echo wrong >tree/selftest/files/note.txt
run "$GANTRY" -C tree check ARCH=x64
[ $status = 1 ] || fail "exit $status of a failed check"
grep -q '^FAILED  ' out || fail "no test failed"
grep -qE '^FAILED: x64 release: [0-9]+ passed, [1-9]' out || fail "no summary"
run "$GANTRY" -C tree check --json ARCH=x64
[ $status = 1 ] || fail "exit $status of a failed check"
has out '"ok":false'
cp note tree/selftest/files/note.txt

say "tests that do not end are no success"
run "$GANTRY" -C tree check ARCH=x64 cmdline='--rootfs=rofs /tools/uush.so -c exit'
[ $status = 1 ] || fail "exit $status of tests that never ran"
has out "did not end"

say "verdicts: what was expected, what was not, and time"
quick='cmdline=--rootfs=ramfs /tools/uush.so -c "echo hello; exit"'
slow='cmdline=--rootfs=ramfs /tools/uush.so'
ok "$GANTRY" -C tree run ARCH=x64 image=uush "$quick" --timeout=60
has out "hello"
ok "$GANTRY" -C tree run ARCH=x64 image=uush "$quick" --timeout 60 --expect 'hel+o'
run "$GANTRY" -C tree run ARCH=x64 image=uush "$quick" --timeout=60 --expect='good bye'
[ $status = 1 ] || fail "exit $status where the text did not appear"
has err "good bye"
run "$GANTRY" -C tree run ARCH=x64 image=uush "$slow" --timeout=2
[ $status = 1 ] || fail "exit $status where time was over"
has err "2 s are over"
ok "$GANTRY" -C tree run --json ARCH=x64 image=uush "$quick"
has out '"event":"vm-end"'
has out '"verdict":"ok"'
ok "$GANTRY" -C tree run ARCH=x64 image=uush "$quick" --memory=64 --cpus 1 --tcg -v -- -name given
has out "-m 64"
has out "-accel tcg"
has out "-name given"
refuses "--timeout=soon" "$GANTRY" -C tree run --timeout=soon
refuses "--timout" "$GANTRY" -C tree run --timout=3
refuses "usr.img" "$GANTRY" -C tree run usr.img
rm -rf tree/build/debug.x64
refuses "gantry compose" "$GANTRY" -C tree run --as-is ARCH=x64 mode=debug

say "what is typed is the guest's, ^C too; ^] ends it, and the terminal is as before"
open_screen 80 24 "$WORK/tree"
type_command "stty -a >$WORK/stty.before; $GANTRY run ARCH=x64 image=uush; echo \"status \$?\""
wait_for 'uush> ?$'
type_text 'echo typed-$x; uptime'
keys C-u
type_text 'echo one two'
keys Enter
wait_for '^one two'
keys C-c
type_text 'echo still here'
keys Enter
wait_for '^still here'
keys 'C-]'
wait_for 'status 0'
on_screen 'boot ended: stopped' || fail "no verdict"
type_command "stty -a >$WORK/stty.after"
within 10 test -s "$WORK/stty.after" || fail "no shell"
cmp stty.before stty.after || fail "the terminal has changed"

say "SIGTERM ends the guest, and the terminal is as before"
type_command "clear; $GANTRY run ARCH=x64 image=uush 'cmdline=--rootfs=ramfs /tools/uush.so -c \"echo second-boot\"'; echo \"status \$?\""
wait_for '^second-boot'
pid=$(pgrep -nx gantry -P "$(mux display-message -p -t t '#{pane_pid}')")
qemu=$(pgrep -P "$pid" qemu)
[ -n "$qemu" ] || fail "no QEMU"
kill -TERM "$pid"
wait_for 'status 143'
within 10 eval '! kill -0 $qemu 2>/dev/null' || fail "QEMU is still running"
rm stty.after
type_command "stty -a >$WORK/stty.after"
within 10 test -s "$WORK/stty.after" || fail "no shell"
cmp stty.before stty.after || fail "the terminal has changed"
close_screen

say "another arch: a conf file and a folder are all that it takes"
demo_tree third
cp -r third/arch/aarch64 third/arch/moon
grep -rlF arch/aarch64 third/arch/moon | xargs sed -i 's,arch/aarch64,arch/moon,g'
cp third/conf/aarch64.mk third/conf/moon.mk
# Its first stage is one that nobody has seen: no magic, another offset.
sed -i 's/"ARMd"/"MOON"/; s/\.quad   0x80000 /.quad   0x90000 /' third/arch/moon/preboot.S
ok "$GANTRY" -C third compose ARCH=moon
has out "args: --rootfs=ramfs"
ok "$GANTRY" -C third run ARCH=moon --timeout=60 --expect='uush .* on moon'
ok "$GANTRY" -C third check ARCH=moon
refuses "there are: aarch64 moon x64" "$GANTRY" -C third build ARCH=mars
