/*
 * Whether the steps of a build touched what they had touched before. The record of a build (record.h)
 * is merged, written and searched as a whole: a fifth of a second for 51,000 steps. Most builds run a
 * few steps that touch what they touched last time; then the record stands, and what was found in it.
 *
 * Told by a file beside the record: a digest of what each step touched, and the findings. Of a file
 * that a step both makes and removes the place and the kind of name count, since mkstemp's are new each
 * time; that one is written where it was created before is no news. One thread.
 */
#ifndef GANTRY_RACE_SAME_H
#define GANTRY_RACE_SAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "race/record.h"

/* True where every step that ran is known to have touched the same in a build of the same graph
 * (run/fresh.h knows its id), and the record on disk is that build's; `findings` then gets the lines
 * that were kept. Settles the record. */
bool same_as_before(struct record *record, const char *state_dir, uint64_t graph,
                    struct str *findings);
/* Keeps that for the next build: the record was just written. `graph` 0: forgets it. */
void same_keep(const struct record *record, const char *state_dir, uint64_t graph,
               const struct str *findings);

#endif
