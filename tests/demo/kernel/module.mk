# loader.elf: the kernel with its bootfs inside, so it belongs to an image.
image-targets += bootfs.bin kernel/bootfs_blob.o loader.elf loader-stripped.elf rofs.img

bootfs.bin: rule = bootfs
bootfs.bin: manifests = $(bootfs-manifests)

rofs.img: rule = rofs
rofs.img: manifests = $(usr-manifests)

# The assembler takes bootfs.bin in by .incbin, which no depfile tells.
kernel/bootfs_blob.o: inputs = bootfs.bin
kernel/bootfs_blob.o: cppflags += -I$(image-out)

loader.elf: rule = link
loader.elf: scripts = kernel/loader.ld
loader.elf: ldflags += -static -nostdlib --build-id=none -z max-page-size=0x1000 -z noexecstack
loader.elf: ldflags += --no-warn-rwx-segments --defsym=KERNEL_BASE=$(kernel_base)
loader.elf: objects += kernel/main.o kernel/console.o kernel/options.o kernel/alloc.o
loader.elf: objects += kernel/vfs.o kernel/bootfs.o kernel/bootfs_blob.o kernel/rofs.o
loader.elf: objects += kernel/block.o kernel/elf.o kernel/api.o kernel/fdt.o
loader.elf: objects += $(if $(filter 1,$(conf-tracing)),kernel/trace.o)
loader.elf: libraries += lib/libtiny.a

loader-stripped.elf: rule = strip
loader-stripped.elf: inputs = loader.elf
