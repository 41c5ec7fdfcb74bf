# libtiny.a: what the kernel, the decompressor and the programs share. libprogram.a: what every
# program starts with.
targets += lib/libtiny.a lib/libprogram.a

lib/libtiny.a: rule = archive
lib/libtiny.a: objects = lib/string.o lib/format.o lib/split.o lib/crc32.o lib/lz4.o

lib/libprogram.a: rule = archive
lib/libprogram.a: objects = lib/program.o

# gcc would turn memcpy's own loop into a call of memcpy.
lib/string.o: cflags += -fno-tree-loop-distribute-patterns
# The decompressor and the checksum are the only hot loops; fast in debug mode too.
lib/lz4.o lib/crc32.o: conf-opt += -O2
