/* Which findings can be due to what changed since a commit: for CI, which is to fail on new ones. */
#ifndef GANTRY_RACE_SINCE_H
#define GANTRY_RACE_SINCE_H

#include <stdbool.h>

#include "base/err.h"

struct race_report;

/* Clears keep[i] (by finding) where neither the recipe nor a read source file of either step has
 * changed between the revision and the work tree. Asks git; -1 and err where that fails. */
int race_since(const struct race_report *report, const char *revision, bool *keep, struct err *err);

#endif
