/*
 * The coordinator of a native build: judges steps as they come up, hands stale ones to lanes by
 * critical path, records what they did. It alone touches plan, state and lanes; jobs travel to the
 * lane threads and back by queues.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "plan/libraries.h"
#include "plan/plan.h"
#include "race/hold.h"
#include "run/build_internal.h"
#include "run/fresh.h"
#include "run/guard.h"
#include "run/job.h"
#include "run/jobserver.h"
#include "run/lanes.h"
#include "run/results.h"
#include "run/spawn.h"
#include "run/tell.h"

struct ready_step {
    step_id step;
    uint64_t cost_ns;
};

struct worker {
    pthread_t thread;
    struct queue *jobs; /* NULL: not started */
    struct queue *done; /* the coordinator's */
};

struct schedule {
    struct build *build;
    const struct graph *graph;
    const struct run_settings *settings;
    struct state state;
    struct plan plan;
    struct lanes lanes;
    struct worker *workers; /* by lane */
    struct queue *done; /* struct job * */
    VEC(struct ready_step) heap; /* the costliest first */
    struct event **why; /* by step: its step-ready, from the verdict to the end of its run */
    struct jobserver jobserver;
    bool has_jobserver;
    char **environment, **make_environment;
    struct system_files *system_files;
    char *real_root; /* canonical, or NULL */
    bool failed; /* a step failed: without -k nothing more is started */
    bool broken; /* the machine refused: exit 2 */
    uint32_t open; /* steps that are neither settled nor given up */
};

/* What decides who goes first: the time until the end of all; shuffled, its place by the seed. */
static uint64_t cost_of(struct schedule *s, step_id step)
{
    const uint32_t seed = s->build->options.shuffle;
    const uint64_t key[2] = {seed, step};
    return seed ? hash_bytes(key, sizeof key).low >> 1 : plan_cost_ns(&s->plan, step);
}

/* The heap. */

static void heap_push(struct schedule *s, struct ready_step step)
{
    vec_push(&s->heap, step);
    size_t at = s->heap.len - 1;
    while (at && s->heap.at[(at - 1) / 2].cost_ns < step.cost_ns) {
        s->heap.at[at] = s->heap.at[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    s->heap.at[at] = step;
}

static step_id heap_pop(struct schedule *s)
{
    step_id top = s->heap.at[0].step;
    struct ready_step last = s->heap.at[--s->heap.len];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= s->heap.len)
            break;
        if (child + 1 < s->heap.len && s->heap.at[child].cost_ns < s->heap.at[child + 1].cost_ns)
            child++;
        if (s->heap.at[child].cost_ns <= last.cost_ns)
            break;
        s->heap.at[at] = s->heap.at[child];
        at = child;
    }
    if (s->heap.len)
        s->heap.at[at] = last;
    return top;
}

/* Judging. */

/* Takes every step that came up: fresh ones are settled at once, stale ones become ready. Before
 * the graph was told, verdicts are kept back (`told` false). */
static void judge_all(struct schedule *s, bool told)
{
    for (step_id step; (step = plan_next(&s->plan)) != STEP_NONE;) {
        struct why why;
        if (plan_judge(&s->plan, step, &why) == VERDICT_FRESH) {
            s->open--;
            plan_settle(&s->plan, step);
            if (told)
                tell_step(s->build, &s->plan, s->settings->out, step, true);
            continue;
        }
        struct event event = {.kind = EVENT_STEP_READY,
                              .step = step,
                              .target = graph_step_target(s->graph, step),
                              .rule = s->graph->steps.at[step].rule,
                              .reason = why.reason,
                              .path = why.path,
                              .was = why.was,
                              .now = why.now};
        s->why[step] = event_copy(&event);
        if (told)
            build_send(s->build, s->why[step]);
        if (s->build->options.dry_run) {
            s->open--;
            plan_assume_changed(&s->plan, step);
            plan_settle(&s->plan, step);
        } else {
            heap_push(s, (struct ready_step){step, cost_of(s, step)});
        }
    }
}

/* Lanes. */

static struct job end_mark;

static void *work_lane(void *data)
{
    struct worker *worker = data;
    for (struct job *job; (job = queue_wait(worker->jobs, -1)) != &end_mark;) {
        job_run(job);
        queue_push(worker->done, job);
    }
    return NULL;
}

static int start_worker(struct schedule *s, uint32_t lane, struct err *err)
{
    struct worker *worker = &s->workers[lane];
    if (worker->jobs)
        return 0;
    worker->done = s->done;
    worker->jobs = queue_new();
    if (!worker->jobs)
        return err_errno(err, "cannot open lane %u", lane);
    int number = pthread_create(&worker->thread, NULL, work_lane, worker);
    if (!number)
        return 0;
    queue_free(worker->jobs, NULL);
    worker->jobs = NULL;
    errno = number;
    return err_errno(err, "cannot start a thread for lane %u", lane);
}

static void stop_workers(struct schedule *s)
{
    for (uint32_t lane = 0; lane < s->build->lanes; lane++) {
        struct worker *worker = &s->workers[lane];
        if (!worker->jobs)
            continue;
        queue_push(worker->jobs, &end_mark);
        pthread_join(worker->thread, NULL);
        queue_free(worker->jobs, NULL);
    }
}

/* Commands that run jobs of their own: a make below, and gcc's link-time optimiser. */
static bool wants_jobserver(const struct step *step)
{
    if (step->shell)
        return strstr(step->shell, "make") != NULL;
    if (!step->argv)
        return false;
    const char *program = path_base(step->argv[0]);
    if (!strcmp(program, "make") || !strcmp(program, "gmake"))
        return true;
    for (const char *const *word = step->argv; *word; word++)
        if (str_starts(*word, "-flto"))
            return true;
    return false;
}

/* From the first step that shares jobs on, each lane's step holds a token of the server. */
static void open_jobserver(struct schedule *s)
{
    struct err err = {0};
    if (jobserver_open(&s->jobserver, s->build->lanes, &err) < 0) {
        build_say(s->build, SEVERITY_WARNING, "%s; jobs of nested makes are not counted", err.text);
        return;
    }
    s->has_jobserver = true;
    for (unsigned i = 0; i < s->lanes.busy; i++)
        jobserver_take(&s->jobserver);
    char *flags = jobserver_makeflags(&s->jobserver);
    s->make_environment = spawn_environment(flags);
    free(flags);
}

/* The machine refused: said once, since what runs still will find the same. */
static int broken(struct schedule *s, const struct err *err)
{
    if (!s->broken)
        build_say(s->build, SEVERITY_ERROR, "%s", err->text);
    s->broken = true;
    return -1;
}

static int start_step(struct schedule *s, step_id step)
{
    const struct step *what = &s->graph->steps.at[step];
    struct err err = {0};
    if (!s->build->guard && !(s->build->guard = guard_new(&err)))
        return broken(s, &err);
    bool shares = wants_jobserver(what);
    if (shares && !s->has_jobserver)
        open_jobserver(s);
    uint32_t lane = lanes_acquire(&s->lanes, step);
    if (start_worker(s, lane, &err) < 0)
        return broken(s, &err);
    struct job *job = mem_zero(1, sizeof *job);
    *job = (struct job){.build = s->build,
                        .graph = s->graph,
                        .settings = s->settings,
                        .state = &s->state,
                        .products = &s->plan.products,
                        .system_files = s->system_files,
                        .root_fd = s->plan.root_fd,
                        .real_root = s->real_root,
                        .environment =
                            shares && s->has_jobserver ? s->make_environment : s->environment,
                        .step = step,
                        .lane = lane,
                        .token = s->has_jobserver};
    tell_begin(s->build, &s->plan, step, lane);
    queue_push(s->workers[lane].jobs, job);
    return 0;
}

/* Why lanes stand still though steps are left. */
static void tell_idle(struct schedule *s, const char *why)
{
    if (s->lanes.busy == s->lanes.count || !s->lanes.busy)
        return;
    if (why) {
        lanes_idle(&s->lanes, why);
        return;
    }
    /* What all wait for is the running step with the longest way to go. */
    step_id longest = STEP_NONE;
    for (unsigned i = 0; i < s->lanes.count; i++) {
        step_id step = s->lanes.lane[i].step;
        if (step != EVENT_NONE && (longest == STEP_NONE ||
                                   plan_cost_ns(&s->plan, step) > plan_cost_ns(&s->plan, longest)))
            longest = step;
    }
    char *text = mem_format("waits for %s", graph_step_target(s->graph, longest));
    lanes_idle(&s->lanes, text);
    free(text);
}

static bool may_start(const struct schedule *s)
{
    return build_stopping(s->build) == STOP_NO && !s->broken &&
           (!s->failed || s->build->options.keep_going);
}

/* Fills the lanes. True where the load or the jobserver held something back: try again soon. */
static bool fill_lanes(struct schedule *s)
{
    while (s->heap.len && s->lanes.busy < s->lanes.count && may_start(s)) {
        if (!lanes_load_allows(&s->lanes)) {
            tell_idle(s, "the machine's load is over the limit");
            return true;
        }
        if (s->has_jobserver && !jobserver_take(&s->jobserver)) {
            tell_idle(s, "a nested make has the jobs");
            return true;
        }
        step_id step = heap_pop(s);
        if (start_step(s, step) < 0)
            return false;
    }
    if (may_start(s))
        tell_idle(s, NULL);
    return false;
}

/* Results. */

static void record(struct schedule *s, struct job *job)
{
    const struct event *ready = s->why[job->step];
    struct why why = {ready->reason, ready->path, ready->was, ready->now};
    bool changed;
    plan_record(&s->plan, job->step, &job->ran, &why, &changed);
    if (!changed) {
        job->outcome = OUTCOME_UNCHANGED;
        s->build->totals.unchanged++;
    }
    struct err err = {0};
    if (state_commit(&s->state, &err) < 0)
        broken(s, &err);
}

static void finish_job(struct schedule *s, struct job *job)
{
    lanes_release(&s->lanes, job->lane);
    if (job->token)
        jobserver_give(&s->jobserver);
    s->open--;
    s->build->totals.run++;
    s->build->totals.cpu_ns += job->ran.cpu_ns;
    if (job->err.kind != ERR_NONE && !s->broken)
        broken(s, &job->err);
    if (job->outcome == OUTCOME_RAN) {
        record(s, job);
    } else {
        s->failed = true;
        s->build->totals.failed += job->outcome == OUTCOME_FAILED;
    }
    tell_end(s->build, &s->plan, job);
    if (job->outcome == OUTCOME_RAN || job->outcome == OUTCOME_UNCHANGED)
        plan_settle(&s->plan, job->step);
    free(s->why[job->step]);
    s->why[job->step] = NULL;
    job_free(job);
}

/* Waits for a lane's result or a command. */
static void wait_for_news(struct schedule *s, bool again_soon)
{
    bool stopping = build_stopping(s->build) != STOP_NO;
    struct pollfd fds[2] = {{.fd = queue_fd(s->done), .events = POLLIN},
                            {.fd = stopping ? -1 : s->build->wake_fd, .events = POLLIN}};
    poll(fds, 2, again_soon ? 100 : -1);
    for (struct job *job; (job = queue_pop(s->done));)
        finish_job(s, job);
}

static void run_all(struct schedule *s)
{
    for (;;) {
        judge_all(s, true);
        bool again_soon = fill_lanes(s);
        if (s->lanes.busy) {
            wait_for_news(s, again_soon);
            continue;
        }
        if (s->heap.len && may_start(s))
            continue;
        if (!s->open || !may_start(s) || s->failed || !plan_drop_extra(&s->plan))
            return;
    }
}

/* Opening and closing. */

/* What the last snapshot is good for. It was compared before this build had the lock: another one may
 * have run since. */
static void take_last(struct schedule *s)
{
    const struct fresh *fresh = s->settings->fresh;
    bool same = fresh && fresh_is_same(fresh, s->state.path);
    s->plan.described = same && s->settings->graph_id;
    if (fresh && (same || !fresh_was_same(fresh, s->state.path)))
        now_seed(&s->plan.now, &fresh->seen);
}

static int open_all(struct schedule *s, struct err *err)
{
    struct str notes = {0};
    int status = state_open(&s->state, s->settings->state_dir, STATE_WRITE, &notes, err);
    if (notes.len)
        build_say(s->build, SEVERITY_WARNING, "%s", str_text(&notes));
    str_free(&notes);
    if (status == 0)
        status = plan_open(&s->plan, s->graph, &s->state, s->build->options.root, err);
    if (status < 0)
        return -1;
    s->plan.environment_hash = fresh_environment();
    s->plan.any_locale = fresh_environment_but(NULL, false);
    take_last(s);
    s->done = queue_new();
    if (!s->done)
        return err_errno(err, "cannot start a build");
    lanes_open(&s->lanes, s->build, s->build->lanes);
    s->workers = mem_zero(s->build->lanes, sizeof *s->workers);
    s->why = mem_zero(s->graph->steps.len, sizeof *s->why);
    s->environment = spawn_environment(NULL);
    s->system_files = system_files_new();
    s->real_root = realpath(s->build->options.root, NULL);
    return 0;
}

static void close_all(struct schedule *s)
{
    if (s->workers)
        stop_workers(s);
    if (s->lanes.lane)
        lanes_close(&s->lanes);
    for (size_t i = 0; s->why && i < s->graph->steps.len; i++)
        free(s->why[i]);
    free(s->why);
    free(s->workers);
    vec_free(&s->heap);
    if (s->has_jobserver)
        jobserver_close(&s->jobserver);
    free(s->environment);
    free(s->make_environment);
    system_files_free(s->system_files);
    free(s->real_root);
    queue_free(s->done, NULL);
    if (s->plan.graph)
        plan_close(&s->plan);
    state_close(&s->state);
}

/* What can be said of the input of steps that are not fresh, before anything runs. */
static int check_cone(struct schedule *s)
{
    struct err err = {0};
    for (step_id step = 0; step < s->graph->steps.len; step++) {
        const struct step *what = &s->graph->steps.at[step];
        if (!s->plan.in_cone[step] || s->plan.verdict[step] == VERDICT_FRESH || !what->check)
            continue;
        if (what->check(what->data, s->graph, s->build->options.root, &err) < 0) {
            build_say(s->build, SEVERITY_ERROR, "%s", err.text);
            return -1;
        }
    }
    return 0;
}

static int run_cone(struct schedule *s)
{
    struct plan *plan = &s->plan;
    s->open = plan->cone_count;
    judge_all(s, false);
    if (check_cone(s) < 0)
        return 2;
    tell_graph(s->build, plan, s->settings);
    for (step_id step = 0; step < s->graph->steps.len; step++)
        if (s->why[step])
            build_send(s->build, s->why[step]);
    if (!s->build->options.dry_run)
        run_all(s);
    struct err err = {0};
    if (!s->broken && state_commit(&s->state, &err) < 0)
        broken(s, &err);
    return s->broken ? 2 : s->failed || s->open ? 1 : 0;
}

/* All is done: what decided it is kept for the next build, the log with it. */
static void keep_fresh(struct schedule *s)
{
    struct fresh *fresh = s->settings->fresh;
    struct fresh_facts facts = {.files = s->graph->files.len};
    /* Paths of what is not used any more stay in one that is made of the last, for a while. */
    enum { AGAIN_MOST = 200 };
    fresh->again = s->plan.described && fresh->last.again < AGAIN_MOST &&
                   plan_take_changes(&s->plan, &fresh->seen, &fresh->snapshot);
    if (!fresh->again) {
        if (s->settings->graph_id)
            fresh_take_loading(fresh);
        if (!plan_take_snapshot(&s->plan, &fresh->snapshot)) {
            fresh_drop(fresh);
            return;
        }
    }
    for (step_id step = 0; step < s->graph->steps.len; step++) {
        const struct step *what = &s->graph->steps.at[step];
        if (!s->plan.in_cone[step])
            continue;
        facts.steps += !(what->flags & STEP_PHONY);
        facts.edges += what->inputs_count + what->order_count;
    }
    fresh_add_file(fresh, s->state.path);
    fresh_add_file(fresh, LIBRARIES_CACHE);
    fresh->facts = facts;
    fresh->complete = true;
}

static step_id step_that_makes(const struct graph *graph, const char *target)
{
    file_id file = graph_find_file(graph, target);
    return file == FILE_NONE ? STEP_NONE : graph->files.at[file].producer;
}

/* Gives the plan the orders that are held. */
static void hold_orders(struct schedule *s)
{
    const struct holds *holds = s->settings->holds;
    for (size_t i = 0; holds && i < holds->list.len; i++)
        for (size_t k = 0; k < holds->list.at[i].edges.len; k++) {
            const struct hold_edge *edge = &holds->list.at[i].edges.at[k];
            step_id first = step_that_makes(s->graph, edge->first),
                    second = step_that_makes(s->graph, edge->second);
            if (first != STEP_NONE && second != STEP_NONE)
                plan_hold(&s->plan, first, second);
        }
}

/* Says which of them the plan could not take, though both steps are to be had. */
static void tell_let_go(struct schedule *s)
{
    const struct holds *holds = s->settings->holds;
    for (size_t i = 0; holds && i < holds->list.len; i++)
        for (size_t k = 0; k < holds->list.at[i].edges.len; k++) {
            const struct hold_edge *edge = &holds->list.at[i].edges.at[k];
            step_id first = step_that_makes(s->graph, edge->first),
                    second = step_that_makes(s->graph, edge->second);
            if (first == STEP_NONE || second == STEP_NONE || !s->plan.in_cone[first] ||
                !s->plan.in_cone[second] || plan_holds(&s->plan, first, second))
                continue;
            char *why = mem_format("%s is not held for %s: it comes before that one already",
                                   edge->second, edge->first);
            holds_tell_let_go(s->build, &holds->list.at[i], edge, why);
            free(why);
        }
}

int build_run_graph(struct build *build, const struct graph *graph,
                    const struct run_settings *settings)
{
    struct schedule s = {.build = build, .graph = graph, .settings = settings};
    struct err err = {0};
    file_list goals = {0};
    int status = 2;
    if (open_all(&s, &err) == 0 && plan_goals(graph, settings->out, settings->targets,
                                              settings->targets_count, &goals, &err) == 0) {
        hold_orders(&s);
        plan_select(&s.plan, goals.at, goals.len);
        tell_let_go(&s);
        status = run_cone(&s);
        if (status == 0 && settings->fresh && !build->options.dry_run)
            keep_fresh(&s);
    } else {
        build_say(build, SEVERITY_ERROR, "%s", err.text);
        status = err_exit_status(&err);
    }
    vec_free(&goals);
    close_all(&s);
    return status;
}
