/*
 * What the $(shell)s of makes cost in the last build that is recorded. The loop's or a command's thread.
 */
#ifndef GANTRY_TUI_SHELL_REPORT_H
#define GANTRY_TUI_SHELL_REPORT_H

#include <stdint.h>

#include "base/str.h"
#include "views/shell_cost.h"

struct shell_report {
    struct shell_costs costs;
    uint64_t build_ns; /* of that build */
    struct str text; /* its lines, as at the end of the build; empty where nothing took much */
};

/* Reads the newest journal of a state directory; empty where there is none. */
void shell_report_read(struct shell_report *report, const char *state_dir);
/* Adds an array of all that are worth telling to a JSON document. */
void shell_report_put(const struct shell_report *report, struct str *doc, const char *key);
void shell_report_free(struct shell_report *report);

#endif
