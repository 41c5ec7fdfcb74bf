/* Putting verdicts into words: only for steps that are stale, so it may take its time. Private to
 * plan. The texts stand in the plan's scratch strings until the next verdict. */
#ifndef GANTRY_PLAN_WHY_H
#define GANTRY_PLAN_WHY_H

#include "plan/plan.h"

/* A file's content before, by its version, and now. */
void why_contents(struct plan *plan, struct why *why, const struct version *was);
/* The words of the command that went and came. */
void why_command(struct plan *plan, struct why *why, step_id step,
                 const struct step_record *record);
/* The declared input that was added, removed or moved. */
void why_inputs(struct plan *plan, struct why *why, step_id step, const struct step_record *record);

/* The reason as one text of the state, for the record; and back into its four parts. */
text_id why_text(struct plan *plan, const struct why *why);

#endif
