/*
 * Every step is two nodes, its start and its end, with its duration between; a step that runs a make
 * takes no time itself, starts before the steps of that make and ends after them. Nodes are let go
 * by counting what they still wait for; running steps lie in a heap by the time of their end, ready
 * ones in a heap by the order in which they were started when they were recorded.
 */
#include "race/simulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "race/report.h"

enum { WORK_MAX = 40000000 };

struct item {
    double key;
    uint32_t step;
};

struct heap {
    struct item *at;
    uint32_t len;
};

static void heap_push(struct heap *heap, double key, uint32_t step)
{
    uint32_t i = heap->len++;
    for (; i && heap->at[(i - 1) / 2].key > key; i = (i - 1) / 2)
        heap->at[i] = heap->at[(i - 1) / 2];
    heap->at[i] = (struct item){key, step};
}

static struct item heap_pop(struct heap *heap)
{
    struct item top = heap->at[0], last = heap->at[--heap->len];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= heap->len)
            break;
        if (child + 1 < heap->len && heap->at[child + 1].key < heap->at[child].key)
            child++;
        if (heap->at[child].key >= last.key)
            break;
        heap->at[i] = heap->at[child];
        i = child;
    }
    heap->at[i] = last;
    return top;
}

struct simulation {
    uint32_t steps; /* barriers too */
    const struct record *record;
    const struct race_step *infos;
    uint64_t spared_ns; /* how long a step takes that was spared its work when recorded */
    uint32_t *start, *next; /* edges between nodes, as slices by node */
    uint32_t *waits, *left; /* by node: what it waits for, at first and now */
    bool *has_make; /* by step: it only waits for its make */
    double *began, *ended;
    struct heap ready, running;
    unsigned lanes, busy;
    double now;
    uint64_t seed;
    uint32_t *stack; /* nodes that are to be let go */
    uint32_t stack_len;
};

static double draw(struct simulation *s)
{
    s->seed = s->seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(s->seed >> 11) / (double)(1ull << 53);
}

static double duration(struct simulation *s, uint32_t step)
{
    if (step >= s->record->steps.len || s->has_make[step])
        return 0;
    uint64_t ns = s->infos[step].forecast ? s->spared_ns : s->record->steps.at[step].wall_ns;
    return (double)ns * exp2(draw(s) * 2 - 1);
}

static double priority(const struct simulation *s, uint32_t step)
{
    const struct record_step *of = &s->record->steps.at[step];
    return of->flags & RECORD_RAN ? (double)of->begin_ns : (double)step;
}

static void count_edges(struct simulation *s, const struct race_report *report, bool fill)
{
    const struct order_input *order = &report->input.input.order;
    for (uint32_t step = 0; step < s->steps; step++) {
        for (uint32_t i = order->need_start[step]; i < order->need_start[step + 1]; i++) {
            uint32_t from = 2 * order->needs[i] + 1, to = 2 * step;
            if (fill)
                s->next[--s->start[from + 1]] = to;
            else
                s->start[from + 1]++, s->waits[to]++;
        }
        uint32_t parent = order->parent[step];
        if (parent == ORDER_TOP)
            continue;
        const uint32_t pairs[2][2] = {{2 * parent, 2 * step}, {2 * step + 1, 2 * parent + 1}};
        for (unsigned i = 0; i < 2; i++) {
            if (fill)
                s->next[--s->start[pairs[i][0] + 1]] = pairs[i][1];
            else
                s->start[pairs[i][0] + 1]++, s->waits[pairs[i][1]]++;
        }
        s->has_make[parent] = true;
    }
}

static void open_simulation(struct simulation *s, const struct race_report *report, unsigned lanes)
{
    size_t nodes = 2 * (size_t)report->input.input.order.steps + 2;
    *s = (struct simulation){.steps = report->input.input.order.steps,
                             .record = report->record,
                             .infos = report->input.steps.at,
                             .lanes = lanes,
                             .seed = 0x9e3779b97f4a7c15u};
    s->start = mem_zero(nodes + 1, sizeof *s->start);
    s->waits = mem_zero(nodes, sizeof *s->waits);
    s->left = mem_zero(nodes, sizeof *s->left);
    s->stack = mem_zero(nodes, sizeof *s->stack);
    s->has_make = mem_zero(nodes, sizeof *s->has_make);
    s->began = mem_zero(nodes, sizeof *s->began);
    s->ended = mem_zero(nodes, sizeof *s->ended);
    s->ready.at = mem_zero(nodes, sizeof *s->ready.at);
    s->running.at = mem_zero(nodes, sizeof *s->running.at);
    count_edges(s, report, false);
    for (size_t i = 0; i < nodes; i++)
        s->start[i + 1] += s->start[i];
    s->next = mem_zero((size_t)s->start[nodes] + 1, sizeof *s->next);
    /* Filling counts each slice's end down to its beginning: shift, so that [i] begins it. */
    count_edges(s, report, true);
    uint32_t all = s->start[nodes];
    memmove(s->start, s->start + 1, nodes * sizeof *s->start);
    s->start[nodes - 1] = all;
    s->start[nodes] = all;
    for (uint32_t step = 0; step < s->steps; step++)
        s->waits[2 * step + 1]++; /* its own work */
}

static void close_simulation(struct simulation *s)
{
    free(s->start);
    free(s->next);
    free(s->waits);
    free(s->left);
    free(s->stack);
    free(s->has_make);
    free(s->began);
    free(s->ended);
    free(s->ready.at);
    free(s->running.at);
}

static void let_go(struct simulation *s, uint32_t node)
{
    if (s->left[node] && --s->left[node] == 0)
        s->stack[s->stack_len++] = node;
}

/* All nodes that wait for nothing any more. */
static void settle_nodes(struct simulation *s)
{
    while (s->stack_len) {
        uint32_t node = s->stack[--s->stack_len], step = node / 2;
        if (node & 1) {
            s->ended[step] = s->now;
        } else {
            double work = duration(s, step);
            if (work > 0) {
                s->began[step] = work; /* until it starts: how long it takes */
                heap_push(&s->ready, priority(s, step), step);
            } else {
                s->began[step] = s->now;
                let_go(s, node + 1);
            }
        }
        for (uint32_t i = s->start[node]; i < s->start[node + 1]; i++)
            let_go(s, s->next[i]);
    }
}

static void run_once(struct simulation *s)
{
    memcpy(s->left, s->waits, 2 * (size_t)s->steps * sizeof *s->left);
    s->now = 0;
    s->busy = 0;
    s->ready.len = s->running.len = s->stack_len = 0;
    for (uint32_t step = 0; step < s->steps; step++)
        if (s->waits[2 * step] == 0)
            s->stack[s->stack_len++] = 2 * step;
    settle_nodes(s);
    while (s->ready.len || s->running.len) {
        while (s->ready.len && s->busy < s->lanes) {
            uint32_t step = heap_pop(&s->ready).step;
            double work = s->began[step];
            s->began[step] = s->now;
            heap_push(&s->running, s->now + work, step);
            s->busy++;
        }
        struct item done = heap_pop(&s->running);
        s->now = done.key;
        s->busy--;
        let_go(s, 2 * done.step + 1);
        settle_nodes(s);
    }
}

static bool is_shared(enum race_class class)
{
    return class == RACE_WRITE_WRITE || class == RACE_SCRATCH || class == RACE_DOUBLE_WORK ||
           class == RACE_CHECK_THEN_CREATE;
}

double race_likelihood(const struct race_report *report, const struct report_finding *finding,
                       unsigned lanes, unsigned runs)
{
    struct simulation s;
    open_simulation(&s, report, lanes);
    s.spared_ns = report->record->steps.at[finding->first].wall_ns +
                  report->record->steps.at[finding->second].wall_ns;
    uint64_t work = (uint64_t)s.steps + s.start[2 * s.steps] + 1;
    if (work * runs > WORK_MAX)
        runs = (unsigned)(WORK_MAX / work) + 20;
    unsigned shown = 0;
    uint32_t a = finding->first, b = finding->second;
    for (unsigned run = 0; run < runs; run++) {
        run_once(&s);
        bool early = s.began[b] < s.ended[a];
        shown += is_shared(finding->class) ? early && s.began[a] < s.ended[b] : early;
    }
    close_simulation(&s);
    return (double)shown / runs;
}
