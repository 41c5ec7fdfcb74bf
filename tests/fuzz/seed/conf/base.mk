# Stock configuration, read first: what every arch and mode starts from. A tree's own conf/base.mk
# replaces this file; conf/<arch>.mk, conf/<mode>.mk and conf/images/<image>.mk are read after it.

# Options of the kernel. 0 or 1; each is seen by C and assembler as CONF_<name>.
conf-preempt = 1
conf-tracing = 0
conf-debug_memory = 0
conf-logger_debug = 0
# 1 only in mode=debug: assertions on, no optimisation.
conf-DEBUG_BUILD = 0

conf-options = preempt tracing debug_memory logger_debug DEBUG_BUILD
conf-defines = $(foreach option,$(conf-options),-DCONF_$(option)=$(conf-$(option)))

# Language and warnings. Freestanding: nothing of the build machine's C library may come in.
cflags = -std=gnu17 -ffreestanding -fno-builtin-printf -fno-stack-protector -fno-common
cflags += -fno-asynchronous-unwind-tables -fPIE -fvisibility=hidden -g
cflags += -Wall -Wextra -Wshadow -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Werror
asflags = -g -Wa,--noexecstack -Wa,--fatal-warnings

# Programs that run on the build machine.
host-cflags = -std=gnu17 -O1 -Wall -Wextra -Werror

# The disk that holds the root file system: raw or qcow2, partitions start at multiples of align.
img_format = raw
img_align = 0x200000

# Root file system of images that have a disk.
fs = rofs
