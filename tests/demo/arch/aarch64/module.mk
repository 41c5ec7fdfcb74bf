# aarch64: a Linux Image header (preboot) -> loader.elf, both in loader.img; QEMU loads it.
# No floating point or vector registers, neither in the kernel nor in programs: the kernel enables
# and saves none.
arch-cflags += -mgeneral-regs-only

arch-drivers = virtio virtio_mmio virtio_pci virtio_blk pci

loader.elf: objects += arch/aarch64/start.o arch/aarch64/arch.o arch/aarch64/mmu.o
loader.elf: objects += arch/aarch64/fault.o
# loader.img puts the kernel 64 KiB behind its own start.
loader.elf: ldflags += --defsym=KERNEL_ELF_OFFSET=0x10000

targets += preboot.elf preboot.bin
preboot.elf: rule = link
preboot.elf: objects = arch/aarch64/preboot.o
preboot.elf: scripts = arch/aarch64/preboot.ld
preboot.elf: ldflags = -static -nostdlib --build-id=none -z noexecstack
preboot.bin: rule = binary
preboot.bin: inputs = preboot.elf

# loader.img's header says how large the whole of it is.
image-targets += loader.img usr.img
loader.img usr.img: rule = disk
loader.img usr.img: cmdline-at = 0x200
loader.img: parts = preboot.bin@0 loader-stripped.elf@0x10000
loader.img: size-of = loader.img
loader.img: size-field = 0x10:8:1
# Only a disk: sector 0 holds the partition table, the arguments follow at 0x200 for whoever
# boots it to hand to the kernel.
usr.img: parts = rofs.img@p2
usr.img: align = $(img_align)
usr.img: format = $(img_format)
