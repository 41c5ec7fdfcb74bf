# uush, the shell.
targets += uush/uush.elf tools/uush.so

uush/uush.elf: rule = link
uush/uush.elf: objects = uush/main.o uush/commands.o uush/line.o
uush/uush.elf: libraries = $(program-libraries)
uush/uush.elf: ldflags = $(program-ldflags)

tools/uush.so: rule = strip
tools/uush.so: inputs = uush/uush.elf
