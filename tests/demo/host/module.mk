# Programs of the build machine, and what they generate.
targets += host/mkconfig gen/include/config.h
generated-headers += gen/include/config.h

host/mkconfig: rule = host
host/mkconfig: sources = host/mkconfig.c

# The options that are on, for the shell's `info`.
comma = ,
empty =
space = $(empty) $(empty)
on-options = $(subst $(space),$(comma),$(foreach option,$(conf-options),$(if $(filter 1,$(conf-$(option))),$(option))))

gen/include/config.h: rule = header
gen/include/config.h: inputs = VERSION
gen/include/config.h: command = $(out)/host/mkconfig -o $@ VERSION ARCH=$(arch) MODE=$(mode) ELF_MACHINE=$(elf-machine) OPTIONS=$(on-options)
host-cflags += -Iinclude
