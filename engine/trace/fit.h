/*
 * Which programs the accelerator is put into: those that it can live in, and whose many calls are worth
 * its start. Private to the room; any thread.
 */
#ifndef GANTRY_TRACE_FIT_H
#define GANTRY_TRACE_FIT_H

#include <stdbool.h>

/* Whether a program (canonical path) is to have the accelerator: a dynamic one of this machine's glibc,
 * without a sanitizer, that is known to be busy. */
bool fit_for_guest(const char *program);
/* From now on it is known to be. */
void fit_is_busy(const char *program);
/* A compiler's own, where compilers have them: it looks at many files and writes one. */
bool fit_is_compiler(const char *program);

#endif
