# x64: PCs. The disk boots itself, through the BIOS.
arch-cflags = -msse2

cross-prefix = x86_64-linux-gnu-
cross-packages = gcc-x86-64-linux-gnu
cross-cxx-packages = g++-x86-64-linux-gnu
# What uname -m and the compiler call this machine.
machine = x86_64
elf-machine = 62

# Where loader.elf is linked to run, and where its compressed form (lzloader.elf) runs to unpack it.
# The kernel may fill what lies between.
kernel_base = 0x200000
lzloader_base = 0x1800000

default-image = default

qemu = qemu-system-x86_64
qemu-package = qemu-system-x86
qemu-machine = -machine pc -m 256 -smp 1
qemu-boot = disk
qemu-disk = -drive file=%(disk),format=%(format),if=none,id=hd0,cache=unsafe -device virtio-blk-pci,drive=hd0,bootindex=0
qemu-more-disk = -drive file=%(disk),format=%(format),if=none,id=hd%(number),cache=unsafe -device virtio-blk-pci,drive=hd%(number)
qemu-kvm-arch = x86_64
# A boot sector that prints OK on the serial line and resets: run once in each boot of the machine,
# it tells whether KVM works here.
qemu-probe = ba f8 03 b0 4f ee b0 4b ee b0 0a ee b0 fe e6 64 f4 eb fd
