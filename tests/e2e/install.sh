# What make offers besides: install, uninstall, the demo, completions.
. "$(dirname "$0")/lib.sh"
source=$(cd "$(dirname "$GANTRY")/.." && pwd)

say "make install: DESTDIR and PREFIX; the program works from there"
ok make -s -C "$source" install DESTDIR="$WORK/dest" PREFIX=/opt/x
for file in bin/gantry share/man/man1/gantry.1 share/bash-completion/completions/gantry \
    share/zsh/site-functions/_gantry; do
    [ -f "dest/opt/x/$file" ] || fail "no $file"
done
[ "$(find dest -type f | grep -vc '^dest/opt/x/')" = 0 ] || fail "files outside of PREFIX"
cd /
ok env PATH="$WORK/dest/opt/x/bin:$PATH" gantry demo "$WORK/tree"
ok env PATH="$WORK/dest/opt/x/bin:$PATH" gantry -C "$WORK/tree" compose ARCH=x64 image=uush
cd "$WORK" || exit 1
ok make -s -C "$source" uninstall DESTDIR="$WORK/dest" PREFIX=/opt/x
[ "$(find dest ! -type d | wc -l)" = 0 ] || fail "left: $(find dest ! -type d)"

say "the demo: two arches built, composed and booted; twice, and not over other people's files"
for _ in 1 2; do
    ok "$source/tests/demo.sh" "$GANTRY" "$WORK/demo"
    for line in '^uush .* on x64' '^uush .* on aarch64' '^kernel base 0x200000$' '^kernel base 0x40080000$' \
        '^boot arguments: --rootfs=rofs ' '^boot arguments: --rootfs=ramfs '; do
        grep -qE "$line" out || fail "the demo does not show: $line"
    done
    grep -qxF "$(cat demo/data/disk/motd)" out || fail "no file from the disk"
    grep -qxF "$(cat demo/data/bootfs/motd)" out || fail "no file from RAM"
done
mkdir other
touch other/file
run "$source/tests/demo.sh" "$GANTRY" "$WORK/other"
[ $status != 0 ] || fail "the demo wrote into a directory that is not its own"
[ -f other/file ] || fail "and removed what was there"

say "the demo is not content with just any boot"
cat >lying <<S
#!/bin/sh
case \$* in *' run '*) "$GANTRY" "\$@" | sed 's/kernel base 0x/kernel base 0x1/' ;; *) exec "$GANTRY" "\$@" ;; esac
S
chmod +x lying
run "$source/tests/demo.sh" "$WORK/lying" "$WORK/demo"
[ $status = 1 ] || fail "exit $status of a demo with another kernel base"
has err "the guest did not print: kernel base"

say "completions: commands, options, what a tree offers"
complete_words() {
    bash -c '. "$0/completions/gantry.bash"; shift 0; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gantry; printf "%s\n" "${COMPREPLY[@]}"' \
        "$source" "$@" 2>/dev/null
}
complete_words "$GANTRY" comp >out
has out compose
complete_words "$GANTRY" --pl >out
has out --plain
complete_words "$GANTRY" -C tree ARCH = a >out
has out aarch64
grep -q release out && fail "a mode is offered as an arch"
complete_words "$GANTRY" -C tree image = '' >out
has out uush
complete_words "$GANTRY" -C tree explain kernel/m >out
has out kernel/main.o
