/*
 * A job: one run of a step in a lane's thread, from its parent directories to the hashes of what it
 * made. The coordinator makes it, hands it over, and records what comes back. Private to run.
 */
#ifndef GANTRY_RUN_JOB_H
#define GANTRY_RUN_JOB_H

#include "plan/plan.h"
#include "run/build_internal.h"
#include "run/steplog.h"
#include "trace/trace.h"

struct job {
    struct build *build;
    const struct graph *graph;
    const struct run_settings *settings;
    struct state *state; /* for state_known_hash alone */
    const struct products *products; /* the plan's */
    struct system_files *system_files; /* shared by all jobs (run/results.h) */
    int root_fd;
    const char *real_root; /* the tree's canonical path, or NULL: not known */
    char *const *environment;
    step_id step;
    uint32_t lane;
    bool token; /* holds one of the jobserver's */

    enum outcome outcome; /* OUTCOME_RAN, OUTCOME_FAILED or OUTCOME_CANCELLED */
    int exit, signal;
    struct ran ran; /* its arrays are the job's */
    struct trace *trace; /* what its command touched; the job's. NULL: untraced, or no command */
    struct seen *seen;
    uint32_t seen_count;
    struct err err; /* the machine refused (no space): the build cannot go on; else ERR_NONE */
};

/* Runs it. Lane thread. */
void job_run(struct job *job);
void job_free(struct job *job);

#endif
