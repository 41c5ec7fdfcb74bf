# Small programs for the shell, one source file each.
tool-names = hexdump sum lsdev

targets += $(tool-names:%=tools/%.elf) $(tool-names:%=tools/%.so)

tools/hexdump.elf: objects = tools/hexdump.o
tools/sum.elf: objects = tools/sum.o
tools/lsdev.elf: objects = tools/lsdev.o

tools/hexdump.elf tools/sum.elf tools/lsdev.elf: rule = link
tools/hexdump.elf tools/sum.elf tools/lsdev.elf: libraries = $(program-libraries)
tools/hexdump.elf tools/sum.elf tools/lsdev.elf: ldflags = $(program-ldflags)

tools/hexdump.so tools/sum.so tools/lsdev.so: rule = strip
tools/hexdump.so: inputs = tools/hexdump.elf
tools/sum.so: inputs = tools/sum.elf
tools/lsdev.so: inputs = tools/lsdev.elf
