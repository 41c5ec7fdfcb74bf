# Stock configuration, read first: what every arch and mode starts from. A tree's own conf/base.mk
# replaces this file; conf/<arch>.mk, conf/<mode>.mk and conf/images/<image>.mk are read after it.

# Options of the kernel. 0 or 1; each is seen by C and assembler as CONF_<name>.
# preempt: for kernels that have threads; the bundled one has none, and only tells what was chosen.
conf-preempt = 1
# A ring of the latest events, which the shell's `trace` shows.
conf-tracing = 0
# Released memory is filled, and checked before it is given out again.
conf-debug_memory = 0
# The kernel tells what it does, as with --verbose.
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

# What stands before compile commands (ccache, distcc, icecc, with options); another one makes nothing
# stale.
launcher =

# Programs that run on the build machine.
host-cflags = -std=gnu17 -O1 -Wall -Wextra -Werror

# The disk that holds the root file system: raw or qcow2, partitions start at multiples of align.
img_format = raw
values-img_format = raw qcow2
img_align = 0x200000

# Root file system of images that have a disk. Values of a variable that has values-<name> are one of
# these, so that a slip of the pen is told and not built.
fs = rofs
values-fs = rofs ramfs

# Where Debian has what trees ask of this machine (needs, host-needs, the commands of targets).
package-ant = ant default-jdk-headless
package-python3 = python3
package-awk = gawk
package-readelf = binutils
