/*
 * Toolchains: which programs build for the target, and which for the build machine.
 * build = uname of this machine; host tools = HOST_CC; target = arch. Any thread.
 */
#ifndef GANTRY_TOOLCHAIN_TOOLCHAIN_H
#define GANTRY_TOOLCHAIN_TOOLCHAIN_H

#include "base/err.h"
#include "conf/conf.h"

struct toolchain {
    char
        *prefix; /* CROSS_PREFIX: given, else conf's cross-prefix where arch is not the machine's */
    char *cc, *cxx, *ld, *ar, *strip, *objcopy; /* prefix applied; CC=... overrides one */
    char *host_cc;
    char *build_arch; /* uname -m */
};

/*
 * Resolves the toolchain of a configuration. Checked without running the target's programs: the
 * compiler must be on PATH, else err names the Debian package; a prefix whose -dumpmachine does not
 * fit the arch is an error. Results of probing are kept by (path, identity).
 */
int toolchain_resolve(struct toolchain *tools, struct conf *conf, struct err *err);
void toolchain_free(struct toolchain *tools);
/* The first line of `cc --version`, for people; the caller frees; NULL where it cannot be run. */
char *toolchain_version(const char *program);

#endif
