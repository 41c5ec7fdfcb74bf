# Gantry. `make help` says what there is.
PACKAGES = build-essential pkg-config git libncurses-dev ncurses-term libgit2-dev libpcre2-dev \
  libcmocka-dev libxxhash-dev libzstd-dev libext2fs-dev libjansson-dev libseccomp-dev liblz4-dev \
  uthash-dev libutf8proc-dev libvterm-dev qemu-utils qemu-system-x86 qemu-system-arm \
  gcc-aarch64-linux-gnu ant default-jdk-headless tmux clang strace

VERSION = 0.1.0
CC = gcc
O = out
SAN =
PREFIX = /usr/local
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
# libgit2 is opened on first use (engine/vcs): its headers are needed, no link.
LIBS = ncursesw libpcre2-8 libxxhash libzstd jansson liblz4 libutf8proc libseccomp
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu17 $(WARN) $(CFLAGS) $(SAN) -D_GNU_SOURCE -DNCURSES_WIDECHAR=1 \
  -DGANTRY_VERSION='"$(VERSION)"' -Iengine -I. -I$(O)/gen $(shell pkg-config --cflags $(LIBS) libgit2) -MMD -MP -pthread
ALL_LDFLAGS = $(SAN) -pthread $(LDFLAGS)
ALL_LIBS = $(shell pkg-config --libs $(LIBS)) -lext2fs -lcom_err -lm

# The gate and its hook are programs of their own, built by their own rules.
APART = engine/load/gate.c engine/load/hook.c engine/conf/embed_tool.c
ENGINE = $(filter-out $(APART),$(wildcard engine/*/*.c))
FRONT = $(wildcard tui/*.c views/*.c)
TESTS = $(shell find tests -name '*_test.c' 2>/dev/null)
HELPERS = $(wildcard tests/support/*.c)
OBJ = $(O)/obj
LIBGANTRY = $(O)/libgantry.a
FRONT_NO_MAIN = $(filter-out tui/main.c,$(FRONT))
TEST_PROGRAMS = $(TESTS:%.c=$(O)/%)

.PHONY: all deps demo check bench install clean help test asan tsan
.DELETE_ON_ERROR:
.SECONDARY:

all: $(O)/gantry

$(O)/gantry: $(FRONT:%.c=$(OBJ)/%.o) $(LIBGANTRY)
	@echo "  LINK $@"
	@$(CC) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

$(LIBGANTRY): $(ENGINE:%.c=$(OBJ)/%.o) $(OBJ)/gen/stock.o
	@rm -f $@
	ar rcsD $@ $^

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
.PHONY: FORCE

# Runs every unit test program; the first failure stops.
test: all $(TEST_PROGRAMS)
	@for t in $(TEST_PROGRAMS); do echo "== $$t"; GANTRY=$(abspath $(O))/gantry $$t || exit 1; done
	@echo "all $(words $(TEST_PROGRAMS)) test programs passed"

asan:
	$(MAKE) test O=$(O)/asan CFLAGS='-O1 -g -fno-omit-frame-pointer' SAN='-fsanitize=address,undefined -fno-sanitize-recover=all'
tsan:
	$(MAKE) test O=$(O)/tsan CFLAGS='-O1 -g' SAN=-fsanitize=thread

clean:
	rm -rf out
