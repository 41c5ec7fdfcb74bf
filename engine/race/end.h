/* The end of a traced build: the record is written, findings are told. For the build's coordinator. */
#ifndef GANTRY_RACE_END_H
#define GANTRY_RACE_END_H

#include <stdint.h>

#include "race/ledger.h"
#include "race/live.h"
#include "race/report.h"

struct build;
struct graph;

/* From here to the end of a make build findings are told as they come (race/live.h), unless nothing is
 * traced. `reader`: how a make's rules are read. */
void race_begin(struct build *build, const char *state_dir, live_reader *reader);
/* The same for a native build. The graph stays as it is until race_end_native. */
void race_begin_native(struct build *build, const struct graph *graph, const char *state_dir);
/* After it: its steps and their order become part of the record, and then as below. Where the graph is
 * the last build's (its id, or 0) and what ran touched what it touched before, the record stays as it is
 * and what was found in it is told again. */
void race_end_native(struct build *build, const struct graph *graph, uint64_t graph_id,
                     const char *state_dir);
/* After a build: where anything was traced, writes the record to the state directory, sends an
 * EVENT_FINDING each, and counts them in build->totals. Trouble is told as a warning. */
void race_end_of_build(struct build *build, const char *state_dir);
/* Where a build ends without that. */
void race_give_up(struct build *build);

/* Sends EVENT_FINDING. Any thread. */
void race_tell(struct build *build, const struct race_report *report,
               const struct report_finding *finding, enum race_verdict verdict);
/* Says that what was told is none. */
void race_withdraw(struct build *build, const char *id);

#endif
