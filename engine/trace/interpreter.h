/* What the kernel opens by itself when a program is executed. Private to the room. */
#ifndef GANTRY_TRACE_INTERPRETER_H
#define GANTRY_TRACE_INTERPRETER_H

#include <stdbool.h>

#include "base/str.h"

/* The interpreter that a script's first line names (execve(2)), or the dynamic linker that an ELF
 * program asks for (PT_INTERP, elf(5)), into `out`; false where it has none. */
bool interpreter_of(const char *program, struct str *out);
/* The same for the canonical path of our own view; of the system's programs it is remembered as long
 * as what they are is (resolve.h). */
bool interpreter_of_common(const char *program, struct str *out);

#endif
