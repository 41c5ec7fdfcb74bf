/*
 * What is kept from one look to the next: a copy of the record's texts, steps and makes, which grows
 * with them; the accesses below the tree, in a list a path; and what was found so far, by the path at
 * which it was found. One look takes over what is new and marks the paths it concerns. Their
 * accesses alone make the input of a detector (detector.h); what it finds replaces what was found at
 * these paths before. An access counts from the moment on at which the order of its step is known.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "graph/graph.h"
#include "race/end.h"
#include "race/live_private.h"
#include "race/report.h"
#include "run/build_internal.h"

enum {
    PERIOD_MS = 250, /* between two looks at least, */
    SHARE = 30, /* and this many times what the last one cost */
    DESCRIBE_NS = 2500, /* what it costs to add a step of a graph, more or less */
    MODEST = 10, /* nice */
};

/* ---- one look ---- */

/* The accesses of the paths that are looked at, and of those that decide beside them. */
struct sight {
    struct live *live;
    const struct record_input *order;
    id_list wanted;
    VEC(struct race_access) accesses;
};

static void want(struct sight *sight, uint32_t path)
{
    unsigned char *mark = path == INTERN_NONE ? NULL : &sight->live->marked.at[path];
    if (!mark || (*mark & MARK_WANTED))
        return;
    *mark |= MARK_WANTED;
    vec_push(&sight->wanted, path);
}

/* A path, its directory, and the targets of the recipes that touched it. */
static void want_all_of(struct sight *sight, uint32_t path)
{
    const struct live *live = sight->live;
    const char *text = intern_text(&live->copy->texts, path);
    size_t length = live_directory_length(text);
    want(sight, path);
    if (length)
        want(sight, intern_find_n(&live->copy->texts, text, length));
    for (uint32_t at = live->last_of.at[path]; at; at = live->accesses.at[at - 1].next) {
        const struct race_step *step =
            &sight->order->steps.at[live->accesses.at[at - 1].access.step];
        if (step->recipe)
            want(sight, step->target);
    }
}

static void gather(struct sight *sight)
{
    struct live *live = sight->live;
    for (size_t i = 0; i < live->dirty.len; i++)
        want_all_of(sight, live->dirty.at[i]);
    for (size_t i = 0; i < sight->wanted.len; i++)
        for (uint32_t at = live->last_of.at[sight->wanted.at[i]]; at;
             at = live->accesses.at[at - 1].next)
            vec_push(&sight->accesses, live->accesses.at[at - 1].access);
    pthread_mutex_lock(&live->lock);
    for (size_t i = 0; i < live->watches.len; i++) {
        const struct watch *watch = live->watches.at[i];
        for (size_t k = 0; k < watch->accesses.len && live_is_ordered(live, watch->step); k++) {
            uint32_t path = watch->accesses.at[k].path;
            if (path < live->marked.len && (live->marked.at[path] & MARK_WANTED))
                vec_push(&sight->accesses, watch->accesses.at[k]);
        }
    }
    pthread_mutex_unlock(&live->lock);
    for (size_t i = 0; i < sight->wanted.len; i++)
        live->marked.at[sight->wanted.at[i]] &= (unsigned char)~MARK_WANTED;
}

/* Looks at all dirty paths; what was found at them before is forgotten. */
static void look(struct live *live, const struct record_input *order, struct order *index)
{
    struct sight sight = {.live = live, .order = order};
    struct race_result none = {0};
    gather(&sight);
    struct race_input input = order->input;
    input.accesses = sight.accesses.at;
    input.accesses_count = sight.accesses.len;
    input.goals_count = 0;
    struct detector detector;
    detector_open(&detector, &input, index, &none);
    size_t kept = 0;
    for (size_t i = 0; i < live->hits.len; i++)
        if (!(live->marked.at[live->hits.at[i].from] & MARK_DIRTY))
            live->hits.at[kept++] = live->hits.at[i];
    live->hits.len = kept;
    for (size_t i = 0; i < live->dirty.len; i++) {
        uint32_t path = live->dirty.at[i];
        size_t before = detector.hits.len;
        detector_look(&detector, path);
        for (size_t k = before; k < detector.hits.len; k++)
            vec_push(&live->hits, (struct live_hit){detector.hits.at[k], path});
        live->marked.at[path] &= (unsigned char)~MARK_DIRTY;
    }
    live->dirty.len = 0;
    detector_close(&detector);
    race_result_free(&none);
    vec_free(&sight.accesses);
    vec_free(&sight.wanted);
}

/* ---- telling ---- */

static struct told *told_of(struct live *live, const char *id)
{
    for (size_t i = 0; i < live->told.len; i++)
        if (strcmp(live->told.at[i].id, id) == 0)
            return &live->told.at[i];
    struct told *told = vec_new(&live->told);
    memcpy(told->id, id, sizeof told->id);
    return told;
}

static void tell_report(struct live *live, const struct race_report *report)
{
    VEC(bool) stands = {0};
    for (size_t i = 0; i < live->told.len; i++)
        vec_push(&stands, false);
    for (size_t i = 0; i < report->findings.len; i++) {
        const struct report_finding *finding = &report->findings.at[i];
        if (ledger_reason(&live->ledger, finding->id))
            continue;
        struct told *told = told_of(live, finding->id);
        size_t at = (size_t)(told - live->told.at);
        while (stands.len <= at)
            vec_push(&stands, false);
        stands.at[at] = true;
        if (!told->stands || told->class != finding->class)
            race_tell(live->build, report, finding,
                      ledger_verdict(&live->ledger, finding->id)->verdict);
        told->stands = true;
        told->class = finding->class;
    }
    for (size_t i = 0; i < live->told.len; i++)
        if (live->told.at[i].stands && !stands.at[i]) {
            live->told.at[i].stands = false;
            race_withdraw(live->build, live->told.at[i].id);
        }
    vec_free(&stands);
}

/* Groups all that was found as the end of the build will. */
static void tell(struct live *live, const struct record_input *order, struct order *index)
{
    struct race_report report;
    struct race_result result = {0};
    struct race_input input = order->input;
    input.accesses_count = 0;
    struct detector detector;
    detector_open(&detector, &input, index, &result);
    for (size_t i = 0; i < live->hits.len; i++)
        detector_add(&detector, &live->hits.at[i].witness);
    detector_group(&detector);
    detector_close(&detector);
    race_report_of(&report, live->copy, &result);
    tell_report(live, &report);
    race_report_free(&report);
}

static void look_once(struct live *live)
{
    live_take(live);
    if (!live->dirty.len)
        return;
    struct record_input order;
    record_input(live->copy, &order);
    struct order *index = order_new(&order.input.order);
    if (index) {
        look(live, &order, index);
        tell(live, &order, index);
        order_free(index);
    }
    record_input_free(&order);
}

/* ---- the thread ---- */

static uint64_t own_cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
}

/* Waits until it is time for the next look; false where there is to be none. */
static bool wait_for_next(struct live *live, uint64_t cost_ns)
{
    uint64_t pause_ns = cost_ns * SHARE, least_ns = (uint64_t)PERIOD_MS * 1000000;
    uint64_t until_ns = clock_ns() + (pause_ns > least_ns ? pause_ns : least_ns);
    struct timespec until = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};
    pthread_mutex_lock(&live->lock);
    while (!live->stop && clock_ns() < until_ns)
        pthread_cond_clockwait(&live->wake, &live->lock, CLOCK_MONOTONIC, &until);
    bool stop = live->stop;
    pthread_mutex_unlock(&live->lock);
    return !stop;
}

static void *run(void *data)
{
    struct live *live = data;
    uint64_t cost_ns = 0;
    pthread_setname_np(pthread_self(), "gantry-races");
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), MODEST);
    /* Whoever builds a few steps of many does not pay for all of them. */
    if (live->order.describe && !wait_for_next(live, live->order.graph->steps.len * DESCRIBE_NS))
        return NULL;
    while (wait_for_next(live, cost_ns)) {
        uint64_t before_ns = own_cpu_ns();
        if (live->order.describe)
            live->order.describe(live->build, live->order.graph);
        live->order.describe = NULL;
        look_once(live);
        cost_ns = own_cpu_ns() - before_ns;
    }
    return NULL;
}

struct live *live_start(struct build *build, const char *state_dir, const struct live_order *order)
{
    struct live *live = mem_zero(1, sizeof *live);
    struct err none = {0}; /* told at the end */
    live->build = build;
    live->order = *order;
    live->copy = record_new(build->options.root);
    live->copy->start_ns = build->races->start_ns;
    ledger_read(&live->ledger, build->options.root, state_dir, &none);
    pthread_mutex_init(&live->lock, NULL);
    pthread_cond_init(&live->wake, NULL);
    if (pthread_create(&live->thread, NULL, run, live) == 0)
        return live;
    live->thread = pthread_self();
    live_stop(live, NULL);
    return NULL;
}

void live_stop(struct live *live, str_list *told)
{
    if (!live)
        return;
    pthread_mutex_lock(&live->lock);
    live->stop = true;
    pthread_cond_signal(&live->wake);
    pthread_mutex_unlock(&live->lock);
    if (!pthread_equal(live->thread, pthread_self()))
        pthread_join(live->thread, NULL);
    if (told && live->order.reader)
        live_give_needs(live);
    for (size_t i = 0; told && i < live->told.len; i++)
        if (live->told.at[i].stands)
            vec_push(told, mem_copy(live->told.at[i].id));
    for (size_t i = 0; i < live->rules.len; i++)
        close(live->rules.at[i].fd);
    for (size_t i = 0; i < live->watches.len; i++)
        live_free_watch(live->watches.at[i]);
    ledger_free(&live->ledger);
    record_free(live->copy);
    vec_free(&live->rules);
    vec_free(&live->watches);
    vec_free(&live->needs);
    vec_free(&live->needs_of);
    vec_free(&live->ordered);
    vec_free(&live->waiting);
    vec_free(&live->accesses);
    vec_free(&live->last_of);
    vec_free(&live->matters);
    vec_free(&live->marked);
    vec_free(&live->dirty);
    intern_free(&live->directories);
    vec_free(&live->child_of);
    vec_free(&live->sibling_of);
    vec_free(&live->hits);
    vec_free(&live->told);
    pthread_cond_destroy(&live->wake);
    pthread_mutex_destroy(&live->lock);
    free(live);
}
