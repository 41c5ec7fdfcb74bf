# The bundled tree: a small kernel with a shell, for every arch that has conf/<arch>.mk and
# arch/<arch>/. Nothing outside those two places knows an arch by name.
modules += kernel drivers lib host arch/$(arch)

# Public headers are in include/, what the build writes for itself in gen/include/.
cppflags = -I. -Iinclude -Iarch/$(arch) -I$(out)/gen/include

# How programs are linked: position independent, started at program_entry (lib/program.c),
# nothing left for a dynamic linker but RELATIVE relocations.
program-ldflags = -pie --no-dynamic-linker -Bsymbolic -z text -z norelro -z noexecstack
program-ldflags += -z max-page-size=0x1000 --build-id=none --hash-style=sysv -e program_entry
program-libraries = lib/libprogram.a lib/libtiny.a
