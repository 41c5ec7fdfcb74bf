/*
 * The plan: which steps of a cone are stale, and why; in which order they can be judged and run.
 *
 * A step is judged when all that it needs is settled (fresh, or run), so a verdict is final: what an
 * earlier step rewrote with the same bytes is no reason. Owned by the coordinator's thread.
 */
#ifndef GANTRY_PLAN_PLAN_H
#define GANTRY_PLAN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/graph.h"
#include "plan/now.h"
#include "state/state.h"
#include "trace/names.h"

enum verdict { VERDICT_NONE, VERDICT_FRESH, VERDICT_STALE };

/* Why a step is stale. Texts live until the next verdict. */
struct why {
    const char *reason; /* new forced command environment input header output (see event.h);
                           NULL: fresh */
    const char *path; /* the file that decided it, or NULL */
    const char *was, *now;
};

/* A file as it was when a step ended. */
struct seen {
    /* Relative to the root where it is in the tree; with its mark. The graph's, or a trace's name. */
    const char *path;
    uint32_t name; /* that one, or INTERN_NONE */
    struct identity id;
    struct hash hash; /* hash_unknown: changed while the step ran */
    bool was_there; /* an undeclared output that was there before: counts only if it was one then */
};

/* What a run of a step left, to be recorded. */
struct ran {
    const struct seen *inputs, *outputs; /* as the graph has them; outputs may have more, at the
                                            end: made though not declared */
    const struct seen *headers; /* all else that it used */
    uint32_t inputs_count, headers_count, outputs_count;
    bool traced; /* nothing that it used is left out */
    bool any_locale; /* and all that it ran does the same in any locale */
    uint64_t wall_ns, cpu_ns, rss_kib;
};

struct plan_edge {
    step_id from, to;
};

/* What the steps of a graph make, and the directories above that; read-only, any thread. */
struct products {
    const struct graph *graph;
    struct intern dirs;
};
/* A name_filter: false for products. `data` is a struct products. */
bool product_counts(const void *data, const char *path);

/* Steps that make files of a set: a slice of plan->makers. */
struct set_makers {
    uint32_t first, count;
    bool known;
};

struct plan {
    const struct graph *graph;
    struct state *state;
    int root_fd;
    text_id *text_of_file; /* by file_id; TEXT_NONE until needed */
    file_id *file_of_text; /* by text_id, of the texts that state had at plan_open */
    uint32_t texts_known;
    uint64_t environment_hash; /* of the variables that steps see; 0: does not count. Set by the
                                  caller after plan_open */
    uint64_t any_locale; /* the same without the locale */
    bool
        described; /* graph and records are those of a build that had judged each step fresh: commands
                       and names need not be compared again. Set by the caller after plan_open */
    name_memo text_of_name; /* of traces: text_id + 1 */
    struct now now;
    struct products products;
    uint8_t *in_cone; /* by step_id */
    uint8_t *verdict; /* by step_id: enum verdict, VERDICT_NONE before it is judged */
    uint32_t cone_count; /* steps in the cone */
    uint32_t *waiting; /* by step_id: prerequisites that are not settled */
    struct set_makers *set_makers; /* by set id, of the sets that state had; NULL until needed */
    VEC(step_id) makers;
    VEC(struct plan_edge) extra; /* order by headers that steps make, and held; sorted by `from` */
    VEC(struct plan_edge) held; /* order that the caller adds */
    VEC(step_id) ready; /* settled prerequisites, not judged yet */
    uint64_t *cost_ns; /* by step_id: the longest way to the end; NULL until asked for */
    struct str text, was, now_text, why_path; /* scratch, and texts of the last why */
};

/* The graph must be finished; state and graph must outlive the plan. */
int plan_open(struct plan *plan, const struct graph *graph, struct state *state, const char *root,
              struct err *err);
void plan_close(struct plan *plan);

/* The files that names on the command line mean: a path, or one under `out`, or the end of exactly
 * one target's path; none: the graph's goals. Err names the nearest target. */
typedef VEC(file_id) file_list;
int plan_goals(const struct graph *graph, const char *out, const char *const *names, size_t count,
               file_list *goals, struct err *err);

/* Before plan_select: where both steps are in the cone, `first` is to come first. What would close a
 * ring is left out then. */
void plan_hold(struct plan *plan, step_id first, step_id second);
/* Whether such an order stands; after plan_select. */
bool plan_holds(const struct plan *plan, step_id first, step_id second);
/* Sets the cone of some files. Call once. */
void plan_select(struct plan *plan, const file_id *goals, size_t count);
/* The next step whose prerequisites are settled, or STEP_NONE. */
step_id plan_next(struct plan *plan);
/* Judges such a step. `why` may be NULL. */
enum verdict plan_judge(struct plan *plan, step_id step, struct why *why);
/* The step is fresh or has run: those that wait for it may come up. */
void plan_settle(struct plan *plan, step_id step);
/* For a dry run: takes the step's outputs for changed. */
void plan_assume_changed(struct plan *plan, step_id step);
/* Nothing runs and nothing comes up, yet steps wait: drops the order that only headers gave (it may
 * go in circles). False where there was none. */
bool plan_drop_extra(struct plan *plan);

/* Records a run in the state (not yet committed). *changed: its outputs' content differs. */
void plan_record(struct plan *plan, step_id step, const struct ran *ran, const struct why *why,
                 bool *changed);

/* The longest way from the step's start to the end of the cone by recorded durations. */
uint64_t plan_cost_ns(struct plan *plan, step_id step);
/* What the step took last, or 0. */
uint64_t plan_expect_ns(const struct plan *plan, step_id step);
/* Once all of the cone is fresh or has run: puts every path that decides it into a snapshot. False
 * where something is not as recorded (or has no record), so that there is none to be had. */
struct snapshot;
bool plan_take_snapshot(struct plan *plan, struct snapshot *snapshot);
/* The same where all but the steps that ran was in the last one, and this was compared before anything
 * ran: puts in what snapshot_write_again wants. */
struct snapshot_seen;
bool plan_take_changes(struct plan *plan, const struct snapshot_seen *last,
                       struct snapshot *changes);
/* Puts one version's path in. */
void plan_snapshot_version(const struct state *state, struct snapshot *snapshot, version_id id);
/* The step's record, or NULL. */
const struct step_record *plan_record_of(const struct plan *plan, step_id step);

#endif
