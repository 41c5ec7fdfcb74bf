/* The end of a traced build: the record is written, findings are told. For the build's coordinator. */
#ifndef GANTRY_RACE_END_H
#define GANTRY_RACE_END_H

struct build;
struct graph;

/* Before a native build: its steps and their order become part of the record. */
void race_begin_native(struct build *build, const struct graph *graph);
/* After it: where anything was traced, writes the record to the state directory, sends an
 * EVENT_FINDING each, and counts them in build->totals. Trouble is told as a warning. */
void race_end_of_build(struct build *build, const char *state_dir);

#endif
