/* What the coordinator tells of graph and steps. Private to run. */
#ifndef GANTRY_RUN_TELL_H
#define GANTRY_RUN_TELL_H

#include "plan/plan.h"
#include "run/build_internal.h"
#include "run/job.h"

/* The graph's size, and a record of each step of the cone; those that are not fresh are added. A
 * step that waits for a verdict has `waiting` prerequisites or was judged stale. */
void tell_graph(struct build *build, struct plan *plan, const struct run_settings *settings);
/* A step's record as an event, which lives during the call alone. */
void tell_step_to(const struct plan *plan, const char *out, step_id step, bool fresh,
                  void (*to)(void *data, const struct event *event), void *data);
/* One step's record; `fresh`: up to date as it stands. */
void tell_step(struct build *build, struct plan *plan, const char *out, step_id step, bool fresh);
void tell_begin(struct build *build, const struct plan *plan, step_id step, uint32_t lane);
void tell_end(struct build *build, const struct plan *plan, const struct job *job);

#endif
