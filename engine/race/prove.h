/*
 * Proof: does a race do harm? Experiments in views of the tree (race/view.h). First what is as it
 * should be, twice; then what another legal schedule may do: the second step before the first, both
 * in the other order, both at once with slow tools. The user's tree is never touched.
 * Blocks for as long as it takes (bounded); for a thread of its own.
 */
#ifndef GANTRY_RACE_PROVE_H
#define GANTRY_RACE_PROVE_H

#include <signal.h>

#include "base/err.h"
#include "base/str.h"
#include "race/ledger.h"

struct race_report;
struct report_finding;

struct proof {
    enum race_verdict verdict;
    struct str evidence; /* what was done and what came of it; the failing output */
    char *script; /* path of a plain shell script that repeats it, or NULL */
};

/* Called before each experiment: which of how many, and what it is. */
typedef void proof_progress(void *data, unsigned done, unsigned of, const char *experiment);

/* Tries a finding; writes the script into <state_dir>/prove. -1 and err only where the script or the
 * verdict cannot be kept; what cannot be tried is VERDICT_UNDECIDED, and says why. `stop` (may be
 * NULL), once it is not 0, ends it with what is known by then. */
int race_prove(const struct race_report *report, const struct report_finding *finding,
               const char *state_dir, const volatile sig_atomic_t *stop, proof_progress *progress,
               void *data, struct proof *proof, struct err *err);
void proof_free(struct proof *proof);

#endif
