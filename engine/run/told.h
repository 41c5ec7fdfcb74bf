/*
 * The records of a graph's steps as a journal has them, kept from one build to the next: of 50,000
 * steps that are up to date but one, 50,000 records would be written anew each time. Private to run;
 * the coordinator's thread.
 */
#ifndef GANTRY_RUN_TOLD_H
#define GANTRY_RUN_TOLD_H

#include <stddef.h>
#include <stdint.h>

struct fresh;
struct plan;

/* EVENT_STEP of each step of the cone, as if all were fresh: a zstd frame for journal_add_frame, new.
 * Taken from the file of the last build where graph (its id) and cone are the same; else made and
 * kept. `out` as in struct run_settings. */
char *told_frame(const struct fresh *fresh, uint64_t graph, struct plan *plan, const char *out,
                 size_t *length);

#endif
