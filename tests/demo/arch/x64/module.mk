# x64: BIOS boot sector -> lzloader.elf -> loader.elf. The disk is laid out as OSv lays out its own.
# No floating point or vector registers, neither in the kernel nor in programs: the kernel enables
# and saves none.
arch-cflags += -mgeneral-regs-only

arch-drivers = virtio virtio_pci virtio_blk pci

loader.elf: objects += arch/x64/start.o arch/x64/arch.o arch/x64/fault.o arch/x64/fault_entry.o
loader.elf: ldflags += --defsym=KERNEL_ELF_OFFSET=0

# The boot sector.
targets += boot.elf boot.bin
boot.elf: rule = link
boot.elf: objects = arch/x64/boot16.o
boot.elf: scripts = arch/x64/boot16.ld
boot.elf: ldflags = -static -nostdlib --build-id=none -z noexecstack
boot.bin: rule = binary
boot.bin: inputs = boot.elf
arch/x64/boot16.o arch/x64/lzentry.o: cppflags += -DLZLOADER_BASE=$(lzloader_base)

# The kernel, compressed, behind a stub that unpacks it.
image-targets += loader-stripped.elf.lz4 arch/x64/lzblob.o lzloader.elf
loader-stripped.elf.lz4: rule = compress
loader-stripped.elf.lz4: format = lz4
loader-stripped.elf.lz4: inputs = loader-stripped.elf
arch/x64/lzblob.o: inputs = loader-stripped.elf.lz4
arch/x64/lzblob.o: cppflags += -I$(image-out)
arch/x64/lzloader.o: cppflags += -DKERNEL_BASE=$(kernel_base) -DLZLOADER_BASE=$(lzloader_base)
lzloader.elf: rule = link
lzloader.elf: objects = arch/x64/lzentry.o arch/x64/lzloader.o arch/x64/lzblob.o
lzloader.elf: libraries = lib/libtiny.a
lzloader.elf: scripts = arch/x64/lzloader.ld
lzloader.elf: ldflags = -static -nostdlib --build-id=none -z max-page-size=0x1000
# The boot sector reads the whole file: no debug information in it.
lzloader.elf: ldflags += --strip-debug -z noexecstack --no-warn-rwx-segments
lzloader.elf: ldflags += --defsym=LZLOADER_BASE=$(lzloader_base)

# The disks. The boot sector is told how many 32 KiB blocks lzloader.elf has. They are filled up to
# 512 KiB: a BIOS reads the first sector by cylinder and head, and gives none to a disk that is
# smaller than one cylinder (16 heads of 63 sectors).
image-targets += loader.img usr.img
loader.img usr.img: rule = disk
loader.img usr.img: size-of = lzloader.elf
loader.img usr.img: size-field = 0x10:2:0x8000
loader.img usr.img: cmdline-at = 0x200
loader.img usr.img: pad = 0x80000
loader.img: parts = boot.bin@0 lzloader.elf@0x10000
usr.img: parts = boot.bin@0 lzloader.elf@0x10000 rofs.img@p2
usr.img: align = $(img_align)
usr.img: format = $(img_format)
