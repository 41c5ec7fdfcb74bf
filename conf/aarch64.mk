# aarch64: QEMU's virt board. QEMU loads loader.img as if it were a Linux Image.

# strict-align: until the MMU is on, an unaligned access faults.
arch-cflags = -mstrict-align -mtls-dialect=desc -ftls-model=local-exec

cross-prefix = aarch64-linux-gnu-
cross-packages = gcc-aarch64-linux-gnu
cross-cxx-packages = g++-aarch64-linux-gnu
# What uname -m and the compiler call this machine.
machine = aarch64
elf-machine = 183

# RAM starts at 0x40000000; the Image header asks for an offset of 0x80000.
kernel_base = 0x40080000

default-image = uush

qemu = qemu-system-aarch64
qemu-package = qemu-system-arm
qemu-machine = -machine virt,gic-version=3 -cpu cortex-a57 -m 256 -smp 1
qemu-boot = kernel
qemu-disk = -drive file=%(disk),format=%(format),if=none,id=hd0,cache=unsafe -device virtio-blk-device,drive=hd0
qemu-more-disk = -drive file=%(disk),format=%(format),if=none,id=hd%(number),cache=unsafe -device virtio-blk-device,drive=hd%(number)
qemu-kvm-arch = aarch64
# KVM runs the machine's own processor only.
qemu-kvm = -accel kvm -cpu max
# Prints OK on the PL011 and powers off by PSCI: run once in each boot of the machine, it tells
# whether KVM works here.
qemu-probe = 0020a1d2 e1098052 010000b9 61098052 010000b9 41018052 010000b9
qemu-probe += 0080b052 00018072 020000d4 00000014
