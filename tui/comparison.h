/*
 * Two journals compared in the background (engine/journal/compare.h): a thread reads them, the loop
 * waits for its descriptor. The loop's thread only.
 */
#ifndef GANTRY_TUI_COMPARISON_H
#define GANTRY_TUI_COMPARISON_H

#include <stdbool.h>

#include "journal/compare.h"

struct comparison;

/* Starts reading; both paths are copied. NULL and err where the machine refuses. */
struct comparison *comparison_start(const char *first, const char *second, struct err *err);
/* Readable once it is done. */
int comparison_fd(const struct comparison *comparison);
/* True once: what was compared can be shown now. */
bool comparison_take(struct comparison *comparison);
/* What came of it; NULL: not done, or it failed; *why says which. Owned by the comparison. */
const struct compare *comparison_result(const struct comparison *comparison, const char **why);
/* Waits for the thread. */
void comparison_close(struct comparison *comparison);

#endif
