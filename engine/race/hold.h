/*
 * Orders that are held: what a finding says is missing in the makefiles is kept by every build of the
 * tree, as edges laid over the declared ones, until the mend is written. In <root>/.gantry-held,
 * beside what is excused. One thread.
 *
 *   # comment
 *   ID what it is                of the finding
 *   <tab>FIRST<tab>SECOND        targets as events name them: SECOND starts when FIRST has ended
 */
#ifndef GANTRY_RACE_HOLD_H
#define GANTRY_RACE_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"

#define HOLDS_FILE ".gantry-held"

struct build;
struct race_report;
struct report_finding;

struct hold_edge {
    char *first, *second; /* equal: two makes make it, and not at one time */
};

struct hold {
    char id[9];
    char *what;
    VEC(struct hold_edge) edges;
};

struct holds {
    VEC(struct hold) list;
};

/* A missing file holds nothing; err (file:line) where it is not as it should be. */
int holds_read(struct holds *holds, const char *root, struct err *err);
void holds_free(struct holds *holds);
/* The one of an id, or NULL. */
const struct hold *holds_find(const struct holds *holds, const char *id);
/* Holds a finding's order from now on. -1 and err where it is held already, where no order mends it,
 * or where it would close a ring with what else is held. */
int holds_add(const char *root, const struct race_report *report,
              const struct report_finding *finding, struct err *err);
/* Drops what is held for ids that begin so: how many that were; -1 and err. `id`, where not NULL, gets
 * the last one's. */
int holds_drop(const char *root, const char *prefix, char id[9], struct err *err);

/* At a build's begin: reads them, and sends EVENT_HOLD each. Trouble is told as a warning. */
void holds_open(struct build *build, struct holds *holds);
/* EVENT_HOLD: a build goes on without one of its edges ("let-go"), and why. */
void holds_tell_let_go(struct build *build, const struct hold *hold, const struct hold_edge *edge,
                       const char *why);

#endif
