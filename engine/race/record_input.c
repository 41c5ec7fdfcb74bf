/*
 * From a record to what the detector reads. Edges come from the makes' data bases; to these are
 * added barriers: pseudo-steps after the last step of a make and before the first of one that the
 * same recipe ran later. A recipe of several targets that ran once in a serial build would have run
 * for each of them in a parallel one: the runs that were spared are forecast.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "race/record.h"
#include "trace/trace.h"

typedef VEC(uint32_t) id_list;

struct edge {
    uint32_t need, step;
};

struct builder {
    const struct record *record;
    struct record_input *out;
    uint32_t steps; /* barriers included */
    VEC(struct edge) edges;
    id_list parents; /* by step */
    uint32_t *of_make; /* steps by make: slices of `sorted` */
    uint32_t *sorted;
};

static void add_edge(struct builder *b, uint32_t need, uint32_t step)
{
    vec_push(&b->edges, (struct edge){need, step});
}

static uint32_t make_of(const struct record *record, const struct record_step *step)
{
    return step->make < record->makes.len ? step->make : 0;
}

/* Declared edges, but those that the build itself refutes: make drops an edge that closes a ring. */
static void add_declared(struct builder *b)
{
    const struct record *record = b->record;
    for (uint32_t i = 0; i < record->steps.len; i++) {
        const struct record_step *step = &record->steps.at[i];
        for (uint32_t k = 0; k < step->needs_count; k++) {
            uint32_t id = record->needs.at[step->needs + k];
            const struct record_step *need = id < record->steps.len ? &record->steps.at[id] : NULL;
            bool both_ran = need && (need->flags & step->flags & RECORD_RAN);
            if (need && id != i &&
                !(both_ran && step->wall_ns && need->begin_ns > step->begin_ns + step->wall_ns))
                add_edge(b, id, i);
        }
    }
}

static void sort_by_make(struct builder *b)
{
    const struct record *record = b->record;
    size_t makes = record->makes.len + 1;
    b->of_make = mem_zero(makes + 2, sizeof *b->of_make);
    b->sorted = mem_alloc((record->steps.len + 1) * sizeof *b->sorted);
    for (size_t i = 0; i < record->steps.len; i++)
        b->of_make[make_of(record, &record->steps.at[i]) + 2]++;
    for (size_t i = 0; i < makes; i++)
        b->of_make[i + 2] += b->of_make[i + 1];
    for (uint32_t i = 0; i < record->steps.len; i++)
        b->sorted[b->of_make[make_of(record, &record->steps.at[i]) + 1]++] = i;
}

/* What a make does itself comes before its steps: it reads its makefiles first of all, and what it
 * looks at later it looks at in their order. */
static void add_makes(struct builder *b)
{
    const struct record *record = b->record;
    for (uint32_t i = (uint32_t)record->steps.len; i-- > 0;) {
        if (!(record->steps.at[i].flags & RECORD_MAKE))
            continue;
        uint32_t make = make_of(record, &record->steps.at[i]);
        for (uint32_t s = b->of_make[make]; s < b->of_make[make + 1]; s++)
            if (b->sorted[s] != i)
                add_edge(b, i, b->sorted[s]);
    }
}

static int by_begin(const void *left, const void *right, void *data)
{
    const struct record *record = data;
    const struct record_make *a = &record->makes.at[*(const uint32_t *)left],
                             *b = &record->makes.at[*(const uint32_t *)right];
    if (a->parent != b->parent)
        return a->parent < b->parent ? -1 : 1;
    return a->begin_ns < b->begin_ns ? -1 : a->begin_ns > b->begin_ns;
}

/* Whether a make had ended when its sibling began. */
static bool ended_before(const struct record_make *a, const struct record_make *b)
{
    return (a->end_ns && a->end_ns <= b->begin_ns) || (a->pid && a->pid == b->pid);
}

/* The makes of one recipe, in order of their beginnings. */
static void add_barriers(struct builder *b, const uint32_t *makes, uint32_t count)
{
    const struct record *record = b->record;
    uint32_t last = ORDER_TOP;
    bool *done = mem_zero(count, sizeof *done);
    for (uint32_t i = 1; i < count; i++) {
        const struct record_make *make = &record->makes.at[makes[i]];
        uint32_t barrier = ORDER_TOP;
        for (uint32_t k = 0; k < i; k++) {
            if (done[k] || !ended_before(&record->makes.at[makes[k]], make))
                continue;
            done[k] = true;
            if (barrier == ORDER_TOP) {
                barrier = b->steps++;
                vec_push(&b->parents, make->parent);
                if (last != ORDER_TOP)
                    add_edge(b, last, barrier);
            }
            for (uint32_t s = b->of_make[makes[k]]; s < b->of_make[makes[k] + 1]; s++)
                add_edge(b, b->sorted[s], barrier);
        }
        if (barrier != ORDER_TOP)
            last = barrier;
        for (uint32_t s = b->of_make[makes[i]]; last != ORDER_TOP && s < b->of_make[makes[i] + 1];
             s++)
            add_edge(b, last, b->sorted[s]);
    }
    free(done);
}

static void order_makes(struct builder *b)
{
    const struct record *record = b->record;
    id_list makes = {0};
    for (uint32_t i = 0; i < record->makes.len; i++)
        vec_push(&makes, i);
    if (makes.len)
        qsort_r(makes.at, makes.len, sizeof *makes.at, by_begin, (void *)(uintptr_t)record);
    for (uint32_t i = 0, end; i < makes.len; i = end) {
        uint32_t parent = record->makes.at[makes.at[i]].parent;
        for (end = i; end < makes.len && record->makes.at[makes.at[end]].parent == parent;)
            end++;
        add_barriers(b, makes.at + i, end - i);
    }
    vec_free(&makes);
}

/* Whether a make had started a recipe when another began. */
static bool has_started(const struct builder *b, uint32_t make, uint64_t begin_ns)
{
    for (uint32_t s = b->of_make[make]; s < b->of_make[make + 1]; s++) {
        const struct record_step *step = &b->record->steps.at[b->sorted[s]];
        bool recipe = !(step->flags & RECORD_MAKE); /* that one stands for the make itself */
        if (recipe && (step->flags & RECORD_RAN) && step->begin_ns < begin_ns)
            return true;
    }
    return false;
}

/* What a $(shell) did while a make read its makefiles is done before all recipes of that make, and
 * of what it became by executing itself again. A $(shell) in a recipe is between recipes. */
static void order_shells(struct builder *b)
{
    const struct record *record = b->record;
    for (uint32_t i = 0; i < record->makes.len; i++) {
        const struct record_make *make = &record->makes.at[i];
        if (make->shell_of >= record->makes.len || make->shell_of == i || !make->end_ns ||
            has_started(b, make->shell_of, make->begin_ns))
            continue;
        const struct record_make *above = &record->makes.at[make->shell_of];
        uint32_t barrier = b->steps++;
        vec_push(&b->parents, make->parent);
        for (uint32_t s = b->of_make[i]; s < b->of_make[i + 1]; s++)
            add_edge(b, b->sorted[s], barrier);
        for (uint32_t k = make->shell_of; k < record->makes.len; k++) {
            bool same =
                k == make->shell_of || (above->pid && record->makes.at[k].pid == above->pid);
            for (uint32_t s = b->of_make[k]; same && s < b->of_make[k + 1]; s++)
                add_edge(b, barrier, b->sorted[s]);
        }
    }
}

/* Edges as slices by step. */
static void pack_edges(struct builder *b)
{
    struct record_input *out = b->out;
    vec_reserve(&out->need_start, (size_t)b->steps + 2);
    memset(out->need_start.at, 0, ((size_t)b->steps + 2) * sizeof *out->need_start.at);
    vec_reserve(&out->needs, b->edges.len + 1);
    uint32_t *start = out->need_start.at;
    for (size_t i = 0; i < b->edges.len; i++)
        start[b->edges.at[i].step + 1]++;
    for (uint32_t i = 0; i < b->steps; i++)
        start[i + 1] += start[i];
    for (size_t i = b->edges.len; i-- > 0;)
        out->needs.at[--start[b->edges.at[i].step + 1]] = b->edges.at[i].need;
    memmove(start, start + 1, b->steps * sizeof *start);
    start[b->steps] = (uint32_t)b->edges.len;
    out->needs.len = b->edges.len;
    out->need_start.len = (size_t)b->steps + 1;
}

/* Turns edges that close a ring into edges to nothing: their need becomes the step's first one. */
static void break_rings(struct builder *b)
{
    enum { NEW, OPEN, DONE };
    const uint32_t *start = b->out->need_start.at;
    uint32_t *needs = b->out->needs.at;
    unsigned char *state = mem_zero((size_t)b->steps + 1, 1);
    uint32_t *next = mem_zero((size_t)b->steps + 1, sizeof *next);
    uint32_t *kept = mem_zero((size_t)b->steps + 1, sizeof *kept); /* needs that stay */
    id_list stack = {0};
    for (uint32_t root = 0; root < b->steps; root++) {
        if (state[root] == NEW)
            vec_push(&stack, root);
        while (stack.len) {
            uint32_t step = stack.at[stack.len - 1];
            state[step] = OPEN;
            if (start[step] + next[step] == start[step + 1]) {
                state[step] = DONE;
                stack.len--;
                continue;
            }
            uint32_t need = needs[start[step] + next[step]++];
            if (state[need] == OPEN)
                continue;
            needs[start[step] + kept[step]++] = need;
            if (state[need] == NEW)
                vec_push(&stack, need);
        }
    }
    uint32_t used = 0;
    for (uint32_t step = 0; step < b->steps; step++) {
        uint32_t from = start[step];
        b->out->need_start.at[step] = used;
        memmove(needs + used, needs + from, kept[step] * sizeof *needs);
        used += kept[step];
    }
    b->out->need_start.at[b->steps] = used;
    b->out->needs.len = used;
    free(state);
    free(next);
    free(kept);
    vec_free(&stack);
}

/* ---- steps ---- */

static uint64_t recipe_of(const struct record *record, const struct record_step *step)
{
    if (step->file == INTERN_NONE || !step->line)
        return 0;
    return ((uint64_t)make_of(record, step) + 1) << 48 ^ (uint64_t)step->file << 24 ^ step->line;
}

/* The path that a step's target is, where anyone touched it; or INTERN_NONE. */
static uint32_t target_path(const struct record *record, const struct record_step *step)
{
    if (step->target == INTERN_NONE)
        return INTERN_NONE;
    char *joined = path_join(record_text(record, record->root), record_text(record, step->target));
    char *clean = path_clean(joined);
    uint32_t id = intern_find(&record->texts, clean);
    free(joined);
    free(clean);
    return id;
}

/* By .NOTPARALLEL, or because it was started with -j1 by a makefile: its own words say so, or it has
 * one job where its parent had more. */
static bool is_serial(const struct record *record, uint32_t number)
{
    const struct record_make *make = number < record->makes.len ? &record->makes.at[number] : NULL;
    if (!make || make->serial)
        return make && make->serial;
    bool is_below = make->parent < record->steps.len || make->shell_of < record->makes.len;
    if (make->asked_one_job && is_below)
        return true;
    if (!make->one_job || make->parent >= record->steps.len)
        return false;
    uint32_t above = make_of(record, &record->steps.at[make->parent]);
    return !record->makes.at[above].one_job;
}

static void add_steps(struct builder *b)
{
    const struct record *record = b->record;
    for (uint32_t i = 0; i < record->steps.len; i++) {
        const struct record_step *step = &record->steps.at[i];
        vec_push(&b->parents,
                 record->makes.len ? record->makes.at[make_of(record, step)].parent : ORDER_TOP);
        vec_push(&b->out->serial,
                 is_serial(record, make_of(record, step)) ? make_of(record, step) + 1 : 0);
        vec_push(&b->out->steps,
                 (struct race_step){.recipe = recipe_of(record, step),
                                    .command = step->command == INTERN_NONE
                                                   ? NULL
                                                   : record_text(record, step->command),
                                    .target = target_path(record, step)});
    }
}

/* Steps that were spared because another made their target: the same recipe, run for another of its
 * targets, would have written all that it wrote; a recipe of another make at least the target. */
static void add_forecasts(struct builder *b)
{
    const struct record *record = b->record;
    struct race_step *steps = b->out->steps.at;
    size_t count = record->accesses.len,
           room = (intern_count(&record->texts) + 1) * sizeof(uint32_t);
    uint32_t *writer = memset(mem_alloc(room), 0xff, room);
    for (size_t i = 0; i < count; i++)
        if (record->accesses.at[i].kinds & (ACCESS_WRITE | ACCESS_CREATE))
            writer[record->accesses.at[i].path] = record->accesses.at[i].step;
    for (uint32_t i = 0; i < record->steps.len; i++) {
        const struct record_step *step = &record->steps.at[i];
        uint32_t by = steps[i].target == INTERN_NONE ? UINT32_MAX : writer[steps[i].target];
        if (step->accesses_count || (step->flags & RECORD_RAN) || !steps[i].recipe ||
            by == UINT32_MAX || by == i)
            continue;
        bool same = steps[by].recipe == steps[i].recipe;
        if (!same && steps[by].target != steps[i].target)
            continue; /* a by-product: make may have seen one from before */
        steps[i].forecast = true;
        steps[i].command = steps[by].command;
        const struct record_step *done = &record->steps.at[by];
        for (uint32_t k = 0; k < done->accesses_count; k++) {
            struct race_access access = record->accesses.at[done->accesses + k];
            if (!same && access.path != steps[i].target)
                continue;
            if (!access.left || !(access.kinds & (ACCESS_WRITE | ACCESS_CREATE)))
                continue;
            if (!b->out->accesses.len) { /* only now is a copy needed */
                vec_reserve(&b->out->accesses, count + 1);
                memcpy(b->out->accesses.at, record->accesses.at,
                       count * sizeof *record->accesses.at);
                b->out->accesses.len = count;
            }
            access.step = i;
            vec_push(&b->out->accesses, access);
        }
    }
    free(writer);
}

/* What steps touched whose place in the order nobody knows is left out. */
static void leave_out_loose(struct builder *b)
{
    const struct record *record = b->record;
    struct record_input *out = b->out;
    bool any = false;
    for (size_t i = 0; i < record->steps.len && !any; i++)
        any = (record->steps.at[i].flags & RECORD_LOOSE) && record->steps.at[i].accesses_count;
    if (!any)
        return;
    if (!out->accesses.len)
        for (size_t i = 0; i < record->accesses.len; i++)
            vec_push(&out->accesses, record->accesses.at[i]);
    size_t kept = 0;
    for (size_t i = 0; i < out->accesses.len; i++)
        if (!(record->steps.at[out->accesses.at[i].step].flags & RECORD_LOOSE))
            out->accesses.at[kept++] = out->accesses.at[i];
    out->accesses.len = kept;
    out->filtered = true;
}

void record_input(const struct record *record, struct record_input *out)
{
    *out = (struct record_input){0};
    struct builder b = {.record = record, .out = out, .steps = (uint32_t)record->steps.len};
    add_steps(&b);
    add_forecasts(&b);
    leave_out_loose(&b);
    add_declared(&b);
    sort_by_make(&b);
    add_makes(&b);
    order_makes(&b);
    order_shells(&b);
    pack_edges(&b);
    break_rings(&b);
    for (size_t i = 0; i < record->goals.len; i++) {
        const struct record_goal *goal = &record->goals.at[i];
        if (goal->step < record->steps.len)
            vec_push(&out->goals, (struct race_witness){goal->step, goal->step, goal->path,
                                                        RACE_GOAL_DEPENDENT});
    }
    while (out->serial.len < b.steps)
        vec_push(&out->serial, 0u);
    out->parent.at = b.parents.at;
    out->parent.len = b.parents.len;
    out->parent.cap = b.parents.cap;
    bool own = out->accesses.len || out->filtered;
    out->input = (struct race_input){
        .order = {b.steps, out->need_start.at, out->needs.at, out->parent.at, out->serial.at},
        .steps = out->steps.at,
        .paths = &record->texts,
        .goals = out->goals.at,
        .goals_count = (uint32_t)out->goals.len,
        .accesses = own ? out->accesses.at : record->accesses.at,
        .accesses_count = own ? out->accesses.len : record->accesses.len,
    };
    vec_free(&b.edges);
    free(b.of_make);
    free(b.sorted);
}

void record_input_free(struct record_input *input)
{
    vec_free(&input->steps);
    vec_free(&input->need_start);
    vec_free(&input->needs);
    vec_free(&input->parent);
    vec_free(&input->serial);
    vec_free(&input->goals);
    vec_free(&input->accesses);
}
