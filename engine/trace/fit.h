/*
 * Which programs the accelerator is put into: those that it can live in, and whose many calls are worth
 * its start. Private to the room; any thread.
 */
#ifndef GANTRY_TRACE_FIT_H
#define GANTRY_TRACE_FIT_H

#include <stdbool.h>

/* Whether a program (canonical path) is to have the accelerator: a dynamic one of this machine's glibc,
 * without a sanitizer, that is known to be busy. The number of its dynamic linker (inject.h) into
 * `linker`. */
bool fit_for_guest(const char *program, unsigned *linker);
/* From now on it is known to be. */
void fit_is_busy(const char *program);
/* A compiler's own or an assembler, where those are: it looks at files and writes one, executes nothing and
 * stays in its directory. */
bool fit_only_looks(const char *program);
/* An assembler, which looks by open and stat alone. */
bool fit_only_opens(const char *program);

#endif
