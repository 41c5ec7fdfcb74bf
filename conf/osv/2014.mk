# What stands for a tree of OSv as it was in 2014 (told by build.mk, and no scripts/build): its top
# makefile writes build/<mode>.<arch>/Makefile, and all else is made there.
image = $(if $(filter aarch64,$(arch)),uush,default)
fs = zfs
fs_size_mb = 10240
export = none
img_format = qcow2
launcher =
boot-image = $(if $(filter aarch64,$(arch)),loader.img,usr.img)

osv-fs = zfs
osv-layout = 2014
osv-dataset = zfs
# Made by the makefile in the build directory; the files of both manifests are on the disk.
osv-goals = loader.img usr.manifest cmdline
osv-manifests = bootfs.manifest usr.manifest
osv-variables = gccbase glibcbase miscbase jdkbase
gccbase = external/$(arch)/gcc.bin
glibcbase = external/$(arch)/glibc.bin
miscbase = external/$(arch)/misc.bin
jdkbase = $(firstword $(wildcard external/$(arch)/openjdk.bin/usr/lib/jvm/java*))

qemu-machine-x64 = -machine pc -vga none -m 2048 -smp 4
qemu-machine-aarch64 = -machine virt,gic-version=2 -cpu cortex-a57 -m 2048 -smp 4
qemu-machine = $(qemu-machine-$(arch))
qemu-nics = 1
qemu-nic = -netdev user,id=un%(nic),net=192.168.122.0/24,host=192.168.122.1%(forwards)
qemu-nic += -device virtio-net-pci,netdev=un%(nic)
qemu-devices = -device virtio-rng-pci
symbols = $(out)/loader.elf
symbols-base = 0x100000000000
# What it says last where its program does not start.
osv-no-program = Failed to load object: .*|Failed looking up main|Failed to create the main thread, err=-?[0-9]+
osv-no-elf = can't read elf header: .*|bad elf (header|class|endianness|version)|bad os abi|bad p_type|missing tag
osv-no-symbol = symbol not found .*|symbol is not a function .*
osv-no-start = ($(osv-no-program)|$(osv-no-elf)|$(osv-no-symbol))\. Powering off\.$$
osv-no-command = Failed to parse command line|This image has an empty command line\. Nothing to run
guest-failed = $(osv-no-start)|^($(osv-no-command))\.$$
osv-check = /testrunner.so
