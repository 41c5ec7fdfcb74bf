# A tree in the shape that OSv's had in 2014: a top makefile that writes another one into the build
# directory, module.py from a recipe, conf- options, and a disk of 10 GiB with a ZFS pool behind the loader.
. "$(dirname "$0")/lib.sh"
cp -r "$E2E/../osv_tree" tree && cd tree || exit 1
rm -r scripts/build conf/Makefile ./usr_*.skel bootfs_*.skel
OUT=build/release.x64
export ARCH=x64
sed -i 's/^conf_/conf-/' conf/*.mk
cat >Makefile <<'M'
mode=release
ARCH := x64
out = build/$(mode).$(ARCH)
ifdef image
$(error image= reached the top makefile)
endif
all: $(out)/Makefile
	$(MAKE) -r -C $(out) $@
$(out)/Makefile: Makefile
	mkdir -p $(out)
	echo 'mode = $(mode)' >$@
	echo 'src = $(abspath .)' >>$@
	echo 'out = $(abspath $(out))' >>$@
	echo 'VPATH = $(abspath .)' >>$@
	echo 'include $(abspath build.mk)' >>$@
M
cat >build.mk <<'M'
include $(src)/conf/base.mk
modules ?= !default
all: loader.img usr.img
loader.elf: $(src)/loader.c
	@echo "  LD $@"
	@$(CC) -g -O0 -ffreestanding -fno-pie -fno-stack-protector -mcmodel=large -DGREETING=$(conf-greeting) -nostdlib -static -no-pie \
		-Wl,-Ttext=0x40200000 -Wl,-e,premain -o $@ $<
boot.bin: $(src)/arch/x64/boot.S
	@$(CC) -c -o boot.o $< && objcopy -O binary boot.o $@
loader.img: boot.bin loader.elf
	@cat boot.bin >$@ && truncate -s 65536 $@
libenviron.so tools/mount.so: $(src)/loader.c
	@mkdir -p tools && echo 'int marker;' | $(CC) -shared -fPIC -nostdlib -xc - -o $@
fstab: $(src)/static/etc/fstab
	@cp $< $@
.PHONY: process-modules
process-modules: libenviron.so tools/mount.so fstab
	+OSV_BASE=$(src) OSV_BUILD_PATH=$(out) MAKEFLAGS= $(src)/scripts/module.py build -c '$(modules)'
	@printf '[manifest]\n/usr/lib/base: %%(miscbase)s/base\n' >bootfs.manifest
cmdline usr.manifest bootfs.manifest: process-modules
usr.img: ; @echo "a guest would be booted" >&2; exit 1
M
mkdir -p external/x64/misc.bin && echo base >external/x64/misc.bin/base

say "config: its options, its defaults"
ok "$GANTRY" config conf-preempt
has "$WORK/out" "conf-preempt = 1"
ok "$GANTRY" config fs_size_mb
has "$WORK/out" "stock conf/osv/2014.mk"
refuses "there are: zfs" "$GANTRY" build fs=rofs image=empty
refuses "did you mean 'native-example'?" "$GANTRY" build image=native-exampl

say "build: no guest is booted for the disk"
ok "$GANTRY" build image=native-example
[ -f $OUT/Makefile ] || fail "no makefile in the build directory"
ok "$GANTRY" image info $OUT/usr.img
has "$WORK/out" "qcow2, a disk of 10.0G"
has "$WORK/out" "partition 2    zfs"
has "$WORK/out" "  args: /hello"
ok "$GANTRY" image check $OUT/usr.img
for guest in /hello /libenviron.so /etc/fstab /usr/lib/base; do
    ok "$GANTRY" image cat $OUT/usr.img $guest
done
[ "$(cat "$WORK/out")" = base ] || fail "not what %(miscbase)s says"

say "the other list of modules, a smaller disk, a target of its own; run"
ok "$GANTRY" compose image=greet.loud,native-example fs_size_mb=512
ok "$GANTRY" image args $OUT/usr.img
has "$WORK/out" "/greet.so --loud&/hello"
rm $OUT/loader.elf
ok "$GANTRY" build loader.elf conf-greeting=1
[ -f $OUT/loader.elf ] || fail "no loader.elf"
if command -v qemu-system-x86_64 >/dev/null; then
    ok "$GANTRY" run image=native-example fs_size_mb=512 --tcg -m 64 -c 1 --timeout=60
    has "$WORK/out" "Cmdline: /hello"
    has "$WORK/out" "fall_over at loader.c:"
fi
