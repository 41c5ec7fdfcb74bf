# The self-tests: one program, and a second one that the first runs.
targets += selftest/selftest.elf selftest/echoargs.elf tests/selftest.so tests/echoargs.so

selftest/selftest.elf: objects = selftest/main.o selftest/library.o selftest/memory.o
selftest/selftest.elf: objects += selftest/files.o selftest/disk.o selftest/programs.o
selftest/echoargs.elf: objects = selftest/echoargs.o

selftest/selftest.elf selftest/echoargs.elf: rule = link
selftest/selftest.elf selftest/echoargs.elf: libraries = $(program-libraries)
selftest/selftest.elf selftest/echoargs.elf: ldflags = $(program-ldflags)

tests/selftest.so tests/echoargs.so: rule = strip
tests/selftest.so: inputs = selftest/selftest.elf
tests/echoargs.so: inputs = selftest/echoargs.elf
