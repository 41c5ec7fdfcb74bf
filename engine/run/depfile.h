/* Depfiles: the make rules that a compiler writes with -MD (gcc, clang: "Preprocessor Options").
 * Private to run. Any thread. */
#ifndef GANTRY_RUN_DEPFILE_H
#define GANTRY_RUN_DEPFILE_H

#include "base/vec.h"

/* Appends the prerequisites of all rules in `text`, as written but unescaped; targets are left
 * out. The strings are new. */
void depfile_parse(const char *text, str_list *paths);

#endif
