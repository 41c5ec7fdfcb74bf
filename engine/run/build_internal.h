/*
 * Inside of a build: what the native runner (native.c) and the make runner (load/make.c) share.
 * One coordinator thread owns a struct build; lane threads may call only what says so.
 */
#ifndef GANTRY_RUN_BUILD_INTERNAL_H
#define GANTRY_RUN_BUILD_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/arena.h"
#include "journal/event.h"
#include "journal/journal.h"
#include "run/build.h"
#include "toolchain/launcher.h"

/* STOP_NOW: asked a second time, no more waiting for SIGTERM to be heard. */
enum stop_state { STOP_NO, STOP_DRAIN, STOP_KILL, STOP_NOW };

/* What build-end tells; the runner counts. */
struct totals {
    uint64_t total, run, unchanged, failed;
    uint64_t untraced; /* of those that ran; where they should not have */
    uint64_t findings; /* races but the slight ones */
    uint64_t cpu_ns;
};

struct build {
    struct build_options options; /* its strings live in the build's own arena */
    struct arena arena;
    const char *arch, *mode,
        *image; /* what build-begin tells of the selection; in the arena, or NULL */
    const char *also_asked; /* tells this build from another one of the same command; or NULL */
    unsigned lanes; /* options.lanes, or the processors of this machine */
    struct queue *events;
    struct journal *journal;
    uint64_t start_ns;
    _Atomic int stop; /* enum stop_state; only grows. Any thread */
    int wake_fd; /* eventfd, readable from the first command on; never read, so all may poll it */
    int kill_fd; /* the same for BUILD_KILL */
    int now_fd; /* and for a second BUILD_KILL */
    struct totals totals;
    struct guard *guard; /* ends the steps if we are killed; see guard.h. NULL before the first */
    struct meter *meter; /* where options.metered; else NULL */
    pthread_t thread; /* the coordinator */
    int (*runner)(struct build *build, void *data);
    void *runner_data;
    struct touched *touched; /* which paths the journal has (touched.c); any thread */
    struct launcher launcher; /* set before the first step, freed with the build */
    struct record *races; /* what the race detector reads (race/record.h); any thread may add */
    struct live *live; /* looks for races meanwhile (race/live.h); NULL: nobody does */
    pthread_mutex_t diag_lock;
    struct diag *diag; /* made with the first output that is scanned; under diag_lock */
};

/* What a build's thread does between begin and end; gives the exit status. */
typedef int build_runner(struct build *build, void *data);
/* build_start with a runner of one's own: for tests. */
struct build *build_start_with(const struct build_options *options, struct queue *events,
                               build_runner *runner, void *data, struct err *err);

/* Sends an event to the reader and to the journal. Any thread; the event is copied. */
void build_send(struct build *build, const struct event *event);
/* To the reader alone: the journal has it already. */
void build_show(struct build *build, const struct event *event);
/* The same for a sentence: EVENT_MESSAGE. */
void build_say(struct build *build, enum severity severity, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
struct trace;
/* What a step's process tree touched, for the journal alone (EVENT_TOUCHED). Any thread. */
void build_tell_touched(struct build *build, uint32_t step, const struct trace *trace);
struct touched *touched_new(const char *root);
void touched_free(struct touched *touched);
/* Starts the journal at options.journal or in `state_dir`/journal. What was sent before is in it. */
int build_open_journal(struct build *build, const char *state_dir, struct err *err);
/* Any thread. */
enum stop_state build_stopping(const struct build *build);

/* The runners, called in the coordinator's thread. Each returns the exit status (0, 1, 2), having
 * told by events what went wrong; build.c makes 128 + SIGINT of a build that was stopped, and sends
 * build-end. They send build-begin themselves, first of all. `data` is not used. */
int native_build_run(struct build *build, void *data);
int make_build_run(struct build *build, void *data);
int osv_build_run(struct build *build, void *data);

struct graph;
struct fresh;
struct holds;
struct run_settings {
    const char *state_dir; /* absolute; its lock is held by the caller */
    const char *out; /* prefix that is left out of log names and source dirs, or "" */
    const char *const *targets; /* goals as paths; none: the graph's own */
    size_t targets_count;
    const struct holds *holds; /* orders that the graph lacks (race/hold.h); or NULL */
    struct fresh *fresh; /* NULL; or gets, at a good end, all that decided */
    uint64_t graph_id; /* the graph is the one that was kept under this id, for `fresh`; or 0 */
};
/* Runs what is stale of a finished graph: the heart of the native runner, and the tests' entry. */
int build_run_graph(struct build *build, const struct graph *graph,
                    const struct run_settings *settings);

#endif
