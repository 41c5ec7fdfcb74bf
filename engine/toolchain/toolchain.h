/*
 * Toolchains: which programs build for the target, and which for the build machine.
 * build = uname of this machine; host tools = HOST_CC; target = arch. Any thread.
 */
#ifndef GANTRY_TOOLCHAIN_TOOLCHAIN_H
#define GANTRY_TOOLCHAIN_TOOLCHAIN_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/conf.h"

struct toolchain {
    char
        *prefix; /* CROSS_PREFIX: given, else conf's cross-prefix where arch is not the machine's */
    char *cc, *cxx, *ld, *ar, *strip, *objcopy; /* prefix applied; CC=... overrides one */
    char *host_cc;
    char *build_arch; /* uname -m */
    char *identity; /* changes where one of the target's programs does: part of steps' signatures */
    char *host_identity; /* the same of host_cc */
};

/*
 * Resolves the toolchain of a configuration. The programs must be on PATH, else err names the Debian
 * package to install; a compiler whose -dumpmachine is none of the conf's `machine` is an error.
 * The compiler is asked once: answers are kept in build/.gantry/toolchain by path and identity.
 */
int toolchain_resolve(struct toolchain *tools, struct conf *conf, struct err *err);
void toolchain_free(struct toolchain *tools);
/* The first line of `cc --version`, for people; the caller frees; NULL where it cannot be run. */
char *toolchain_version(const char *program);
/* The file on PATH that the first word of a command is; the caller frees; NULL where none is. */
char *toolchain_find(const char *command);
/* Whether a program's name (no directory) is this tool for any machine and in any version: gcc-12 and
 * x86_64-linux-gnu-gcc are gcc, gcc-ar is not. */
bool toolchain_names(const char *name, const char *tool);

#endif
