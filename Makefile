# Gantry. `make help` says what there is.
# Every Debian package that anything here uses: building, the demo, the checks, the benchmarks.
PACKAGES = build-essential pkg-config git libncurses-dev ncurses-term libgit2-dev libpcre2-dev \
  libcmocka-dev libxxhash-dev libzstd-dev libext2fs-dev libjansson-dev libseccomp-dev liblz4-dev zlib1g-dev \
  uthash-dev libutf8proc-dev libvterm-dev nettle-dev grub-common qemu-utils qemu-system-x86 qemu-system-arm \
  gcc-aarch64-linux-gnu ant default-jdk-headless tmux clang libclang-rt-dev clang-format mandoc \
  strace procps ninja-build e2fsprogs

VERSION = 0.1.0
CC = gcc
O = out
SAN =
PREFIX = /usr/local
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
# libgit2 is opened on first use (engine/vcs): its headers are needed, no link.
LIBS = ncursesw libpcre2-8 libxxhash libzstd jansson liblz4 libutf8proc libseccomp nettle zlib
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu17 $(WARN) $(CFLAGS) $(SAN) -D_GNU_SOURCE -DNCURSES_WIDECHAR=1 \
  -DGANTRY_VERSION='"$(VERSION)"' -Iengine -I. -I$(O)/gen $(PKG_CFLAGS) -MMD -MP -pthread
ALL_LDFLAGS = $(SAN) -pthread $(LDFLAGS)
# Asked once, and only where something is compiled: `make deps` runs before pkg-config is there.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(LIBS) libgit2))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell pkg-config --libs $(if $(STATIC),--static) $(LIBS)))$(PKG_LIBS)
# Their archives go in: loading fifteen shared libraries takes twice the time of everything else that
# a build with nothing to do does (--version 1.8 ms of CPU, so 0.9). `make STATIC=` where there are none.
STATIC = -Wl,-Bstatic
ALL_LIBS = $(STATIC) $(PKG_LIBS) -lext2fs -lcom_err $(if $(STATIC),-Wl$(comma)-Bdynamic) -lm
comma = ,

# The gate and its hook are programs of their own, built by their own rules.
HOOK = $(wildcard engine/load/hook*.c)
GATE = engine/load/gate.c engine/load/gate_make.c
GUEST = $(wildcard engine/trace/accelerator*.c)
APART = $(GATE) $(HOOK) $(GUEST) engine/conf/embed_tool.c
ENGINE = $(filter-out $(APART),$(wildcard engine/*/*.c))
FRONT = $(wildcard tui/*.c views/*.c)
TESTS = $(shell find tests -name '*_test.c' 2>/dev/null)
HELPERS = $(wildcard tests/support/*.c)
OBJ = $(O)/obj
LIBGANTRY = $(O)/libgantry.a
FRONT_NO_MAIN = $(filter-out tui/main.c,$(FRONT))
TEST_PROGRAMS = $(TESTS:%.c=$(O)/%)

.PHONY: all deps demo check bench fuzz install uninstall clean help test asan tsan tests FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(O)/gantry

$(O)/gantry: $(FRONT:%.c=$(OBJ)/%.o) $(LIBGANTRY)
	@echo "  LINK $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

$(LIBGANTRY): $(ENGINE:%.c=$(OBJ)/%.o) $(OBJ)/gen/stock.o $(OBJ)/gen/payload.o
	@rm -f $@
	@echo "  AR $@"
	@ar rcsD $@ $^

$(OBJ)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(O)/tests/%_test: $(OBJ)/tests/%_test.o $(HELPERS:%.c=$(OBJ)/%.o) $(FRONT_NO_MAIN:%.c=$(OBJ)/%.o) $(LIBGANTRY)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS) -lcmocka -lvterm

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)

# The stock files (engine/conf/stock.h). The list is kept so that a removed file is noticed, too.
STOCK = $(sort $(shell find conf manifests tests/demo -name build -prune -o -type f ! -name '.*' -print))
$(O)/gen/stock.list: FORCE
	@mkdir -p $(@D)
	@echo '$(STOCK)' | cmp -s - $@ || echo '$(STOCK)' >$@
$(O)/gen/embed_tool: engine/conf/embed_tool.c
	@mkdir -p $(@D)
	@$(CC) -std=gnu17 $(WARN) -O1 -o $@ $<
$(O)/gen/stock.c: $(O)/gen/embed_tool $(O)/gen/stock.list $(STOCK)
	@echo "  GEN $@"
	@$(O)/gen/embed_tool $@ $(STOCK)
$(OBJ)/gen/stock.o: $(O)/gen/stock.c
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<


FUZZERS = $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/*_fuzz.c))
# Readers of images read from memory there: tests/fuzz/ram_file.c.
RAM_FILE = $(O)/tests/fuzz/image_fuzz $(O)/tests/fuzz/volume_fuzz
$(RAM_FILE): $(OBJ)/tests/fuzz/ram_file.o
$(RAM_FILE): LINK_FUZZ = -Wl,--wrap=open,--wrap=close,--wrap=fstat,--wrap=pread
$(O)/tests/fuzz/%_fuzz: $(OBJ)/tests/fuzz/%_fuzz.o $(FRONT_NO_MAIN:%.c=$(OBJ)/%.o) $(LIBGANTRY)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer $(LINK_FUZZ) -o $@ $^ $(ALL_LIBS)

# The variants, each in a directory of its own.
ASAN = O=$(O)/asan CFLAGS='-O1 -g -fno-omit-frame-pointer' \
  SAN='-fsanitize=address,undefined -fno-sanitize-recover=all'
TSAN = O=$(O)/tsan CFLAGS='-O1 -g' SAN=-fsanitize=thread
CLANG = O=$(O)/clang CC=clang CFLAGS=-O1
FUZZ = O=$(O)/fuzz CC=clang CFLAGS='-O2 -g -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION' \
  SAN='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all'
JOBS = $(shell nproc)
# Sub-makes get as many jobs as there are processors, unless make was told.
PARALLEL = $(if $(filter --jobserver%,$(MAKEFLAGS)),,-j$(JOBS))
FUZZ_SECONDS = 10

tests: all $(TEST_PROGRAMS)
fuzzers: $(FUZZERS)

# The gate and its hook (engine/load/gate.c, hook.c) travel inside of the program; see payload.h.
# Neither ever runs under a sanitizer: one has no libc, the other is a guest in make.
GATE_CFLAGS = -std=gnu17 $(WARN) -O2 -Iengine -D_GNU_SOURCE -MMD -MP
$(GATE:engine/load/%.c=$(O)/gate/%.o): $(O)/gate/%.o: engine/load/%.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(GATE_CFLAGS) -ffreestanding -fno-stack-protector -fno-pic -fno-asynchronous-unwind-tables \
	  -c -o $@ $<
$(O)/gate/gate: $(GATE:engine/load/%.c=$(O)/gate/%.o)
	@echo "  GATE $@"
	@$(CC) -static -nostdlib -Wl,--build-id=none,-z,noseparate-code,-s -o $@ $(filter %.o,$^)
$(HOOK:engine/load/%.c=$(O)/gate/%.o): $(O)/gate/%.o: engine/load/%.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(GATE_CFLAGS) -fPIC -fno-builtin -c -o $@ $<
$(O)/gate/hook.so: $(HOOK:engine/load/%.c=$(O)/gate/%.o)
	@echo "  HOOK $@"
	@$(CC) -shared -s -o $@ $(filter %.o,$^)
# The accelerator (engine/trace/accelerator*.c) is a guest in any program: nothing of its own is called.
# gcc makes calls of memset from loops unless told; clang's -fno-builtin says it all.
NO_LOOP_CALLS = $(if $(findstring clang,$(CC)),,-fno-tree-loop-distribute-patterns)
IS_X86 = $(filter x86_64,$(shell uname -m))
GUEST_CFLAGS = $(if $(IS_X86),-mno-red-zone -mgeneral-regs-only)
$(GUEST:engine/trace/%.c=$(O)/gate/%.o): $(O)/gate/%.o: engine/trace/%.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(GATE_CFLAGS) -fPIC -fno-builtin -fno-stack-protector $(NO_LOOP_CALLS) \
	  -U_FORTIFY_SOURCE -fvisibility=hidden $(GUEST_CFLAGS) -fno-asynchronous-unwind-tables -c -o $@ $<
# As a library for the dynamic linker, and, where there is a way in, as code that stands by itself.
$(O)/gate/accelerator.so: $(patsubst engine/trace/%.c,$(O)/gate/%.o,$(filter-out %_enter.c,$(GUEST)))
	@echo "  GUEST $@"
	@$(CC) -nostdlib -shared -s -Wl,-z,now,-z,noseparate-code,-z,norelro,--build-id=none -o $@ \
	  $(filter %.o,$^)
$(O)/gate/accelerator.elf: $(patsubst engine/trace/%.c,$(O)/gate/%.o,$(filter-out %_preload.c,$(GUEST))) \
  engine/trace/accelerator.ld
	@echo "  GUEST $@"
	@$(CC) -nostdlib -static -Wl,--build-id=none,--no-relax,-T,engine/trace/accelerator.ld -o $@ \
	  $(filter %.o,$^)
$(O)/gate/accelerator.bin: $(if $(IS_X86),$(O)/gate/accelerator.elf)
	@$(if $(IS_X86),objcopy -O binary -j .text $< $@,: >$@)
$(O)/gen/payload.S: Makefile
	@mkdir -p $(@D)
	@printf '%s\n' '.section .rodata' '.global payload_gate, payload_gate_end' \
	  '.global payload_hook, payload_hook_end' 'payload_gate: .incbin "$(O)/gate/gate"' \
	  'payload_gate_end:' 'payload_hook: .incbin "$(O)/gate/hook.so"' 'payload_hook_end:' \
	  '.global payload_accelerator, payload_accelerator_end' \
	  'payload_accelerator: .incbin "$(O)/gate/accelerator.so"' 'payload_accelerator_end:' \
	  '.global payload_entering, payload_entering_end' \
	  'payload_entering: .incbin "$(O)/gate/accelerator.bin"' 'payload_entering_end:' \
	  '.section .note.GNU-stack,"",%progbits' >$@
$(OBJ)/gen/payload.o: $(O)/gen/payload.S $(O)/gate/gate $(O)/gate/hook.so $(O)/gate/accelerator.so \
  $(O)/gate/accelerator.bin
	@mkdir -p $(@D)
	@$(CC) -c -o $@ $<
-include $(wildcard $(O)/gate/*.d)

# The unit tests alone, for a quick look; `make check` is everything.
test: tests
	@tests/check.sh -j$(JOBS) $(TEST_PROGRAMS:$(O)/%=unit:%)
asan:
	@$(MAKE) --no-print-directory $(PARALLEL) tests $(ASAN)
	@tests/check.sh -j$(JOBS) $(TEST_PROGRAMS:$(O)/%=asan:%)
tsan:
	@$(MAKE) --no-print-directory $(PARALLEL) tests $(TSAN)
	@tests/check.sh -j$(JOBS) $(TEST_PROGRAMS:$(O)/%=tsan:%)
fuzz:
	@$(MAKE) --no-print-directory $(PARALLEL) fuzzers $(FUZZ)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/check.sh -j$(JOBS) $(FUZZERS:$(O)/%=fuzz:%)

.PHONY: fuzzers variants variant-gcc variant-asan variant-tsan variant-clang variant-fuzz
variant-gcc: tests
variant-asan:
	@$(MAKE) --no-print-directory tests $(ASAN)
variant-tsan:
	@$(MAKE) --no-print-directory tests $(TSAN)
variant-clang:
	@$(MAKE) --no-print-directory tests $(CLANG)
variant-fuzz:
	@$(MAKE) --no-print-directory fuzzers $(FUZZ)
variants: variant-gcc variant-asan variant-tsan variant-clang variant-fuzz

# Everything that a change must pass; the last line counts. `.ci/run` is this.
CHECKS = lint:format lint:man lint:words lint:arch $(patsubst tests/e2e/%.sh,e2e:%,$(filter-out %lib.sh,$(wildcard tests/e2e/*.sh))) \
  $(TEST_PROGRAMS:$(O)/%=unit:%) $(TEST_PROGRAMS:$(O)/%=asan:%) $(TEST_PROGRAMS:$(O)/%=tsan:%) \
  $(FUZZERS:$(O)/%=fuzz:%)
check: deps
	@$(MAKE) --no-print-directory $(PARALLEL) variants
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/check.sh -j$(JOBS) $(CHECKS)

# Installs what is missing of PACKAGES, and does nothing where nothing is.
deps:
	@tests/deps.sh $(PACKAGES)

# Builds, composes and boots the bundled tree for two arches; then the console, on a terminal.
demo: deps
	@$(MAKE) --no-print-directory $(PARALLEL) all
	@tests/demo.sh $(abspath $(O))/gantry $(abspath $(O))/demo

$(O)/tests/bench/race_bench: $(OBJ)/tests/bench/race_bench.o $(LIBGANTRY)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)
$(O)/tests/bench/frame_bench: $(OBJ)/tests/bench/frame_bench.o $(FRONT_NO_MAIN:%.c=$(OBJ)/%.o) $(LIBGANTRY)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)
$(O)/tests/bench/console_bench: $(OBJ)/tests/bench/console_bench.o $(OBJ)/tests/support/pty.o $(LIBGANTRY)
	@mkdir -p $(@D)
	@echo "  LINK $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS) -lvterm
bench: all $(O)/tests/bench/race_bench $(O)/tests/bench/frame_bench $(O)/tests/bench/console_bench
	@tests/bench/run.sh $(abspath $(O))/gantry

BIN = $(DESTDIR)$(PREFIX)/bin
SHARE = $(DESTDIR)$(PREFIX)/share
install: all
	install -D -m 755 $(O)/gantry $(BIN)/gantry
	for page in man/*.[1-8]; do \
	  install -D -m 644 $$page $(SHARE)/man/man$${page##*.}/$${page##*/} || exit 1; done
	install -D -m 644 completions/gantry.bash $(SHARE)/bash-completion/completions/gantry
	install -D -m 644 completions/_gantry $(SHARE)/zsh/site-functions/_gantry
uninstall:
	rm -f $(BIN)/gantry $(patsubst man/%,$(SHARE)/man/man*/%,$(wildcard man/*.[1-8])) \
	  $(SHARE)/bash-completion/completions/gantry $(SHARE)/zsh/site-functions/_gantry

clean:
	rm -rf out

help:
	@echo 'make          out/gantry, which works from anywhere'
	@echo 'make deps     install the Debian packages that are missing (apt-get, sudo)'
	@echo 'make demo     build, compose and boot the bundled tree; then the console'
	@echo 'make check    everything that a change must pass    make test: the unit tests'
	@echo 'make asan     make tsan    the unit tests under sanitizers'
	@echo 'make fuzz     FUZZ_SECONDS=10 for each fuzzer'
	@echo 'make bench    the yardsticks: a table, and out/bench/bench.json'
	@echo 'make install  PREFIX=/usr/local DESTDIR=    make uninstall    make clean'
