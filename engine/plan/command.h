/* A step's command: compared by hash, kept as a template that most steps of a rule share, and shown
 * as a line. */
#ifndef GANTRY_PLAN_COMMAND_H
#define GANTRY_PLAN_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "graph/graph.h"

/* The hash of all that is executed: words or line or signature, directory, depfile. */
uint64_t command_hash(const struct step *step, struct str *scratch);

/* The command as a line in `out` (emptied first). As a template, \1 stands for the target without
 * its suffix and \2 for the first input. */
void command_text(const struct graph *graph, step_id step, bool as_template, struct str *out);
/* A template as the line that it was for this step, appended. */
void command_expand(const struct graph *graph, step_id step, const char *text, struct str *out);

#endif
