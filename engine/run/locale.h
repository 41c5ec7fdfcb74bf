/*
 * What of the locale counts for a build. LC_ALL and LANG say it in several ways, the names of locales
 * that this machine does not have say nothing, and most of what a build runs does not care. Any thread.
 */
#ifndef GANTRY_RUN_LOCALE_H
#define GANTRY_RUN_LOCALE_H

#include <stdbool.h>

struct str;
struct trace;

/* Appends what programs make of the variables, by category, of those in which data is sorted, read or
 * written, where that is not "C"; what messages are said in does not count. */
void locale_put(struct str *out);

/* Whether what was run may depend on it: false where all programs that were executed are known to
 * compile, link, copy or remove alike in any locale. `command`: what a shell was given. */
bool locale_matters(const struct trace *trace, const char *command);

#endif
