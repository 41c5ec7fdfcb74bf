/*
 * Where a race comes from and how often it shows: the commits that brought the two rules in, and the
 * simulated schedules. `gantry races show` and `races blame`, and B on the screen.
 */
#ifndef GANTRY_TUI_RACE_ORIGIN_H
#define GANTRY_TUI_RACE_ORIGIN_H

#include "base/str.h"
#include "race/report.h"

/* Prints "shows in 0 % of -j2, 38 % of -j8 ... builds (simulated)". */
void race_origin_print_likelihood(const struct race_report *report,
                                  const struct report_finding *finding);
/* Prints a line for each side whose rule's place is known: by which commit that line is, or that it is in
 * none yet. `root` is the tree. How many lines were printed. */
unsigned race_origin_print_blame(const struct race_report *report, const char *root,
                                 const struct report_finding *finding);
/* Both as one JSON document: id, blame[{target, file, line, commit, author, date, summary}] and
 * likelihood[{lanes, part}]. */
void race_origin_json(const struct race_report *report, const char *root,
                      const struct report_finding *finding, struct str *out);

#endif
