/*
 * Mending: the edit that removes a race, as a diff at the right place of a makefile; applied only
 * when asked, by a temporary name and rename, with its undo kept. What no edit of ours can mend
 * (two recipes that want names of their own) is advice.
 */
#ifndef GANTRY_RACE_MEND_H
#define GANTRY_RACE_MEND_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct race_report;
struct report_finding;

struct mend {
    char *file; /* absolute; NULL: advice only */
    unsigned line; /* where the edit is, from 1 */
    char *before, *after; /* the file's text */
    struct str diff; /* unified, names relative to the tree */
    struct str advice; /* a sentence or two: what the edit does, or what to do by hand */
};

/* What would mend a finding. -1 and err where a makefile cannot be read. */
int race_mend(const struct race_report *report, const struct report_finding *finding,
              struct mend *mend, struct err *err);
void mend_free(struct mend *mend);

/* Applies it, keeping what was before in <state_dir>/mend. -1 and err where the file has changed
 * since the mend was made, or cannot be written. */
int mend_apply(const struct mend *mend, const char *state_dir, const char *id, struct err *err);
/* Whether an edit for a finding, by its whole id, was made and can be taken back. */
bool mend_is_applied(const char *state_dir, const char *id);
/* Takes it back; refuses where the file was changed since. `file` gets its name (new). */
int mend_undo(const char *state_dir, const char *id, char **file, struct err *err);

#endif
