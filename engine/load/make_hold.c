/*
 * Orders that are held in a make tree (race/hold.h). make does not know of them: it starts the second
 * step's recipe when it likes, and the gate of that waits until the first step is over.
 *
 * Nobody knows whether the first step comes at all in this build. What is up to date by our own record
 * is not waited for. Else the second waits as long as anything can bring the first: once no lane is
 * busy and every make only waits for gates that are held, nothing can, and one of them is let go. So a
 * ring, or a first step that nobody wants, costs time at most.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "load/make_internal.h"
#include "load/make_state.h"
#include "race/hold.h"
#include "race/report.h"

enum { QUIET_TICKS = 2 }; /* without a word from anyone, until one is let go */

/* What is known of one edge in this build. */
struct held_edge {
    const struct hold *hold;
    const struct hold_edge *edge;
    uint32_t first; /* index of names */
    bool expected; /* the first step may come */
    bool let_go; /* the second is not held for it any more */
    bool told; /* that the order was not kept */
};

struct make_holds {
    struct make_build *make;
    struct holds holds;
    VEC(struct held_edge) edges;
    struct intern names; /* of first steps */
    VEC(id_list) steps_of; /* by name: steps that came */
    struct intern seconds;
    unsigned quiet; /* ticks */
};

struct make_step *gate_step(struct connection *gate);

struct make_holds *make_holds_open(struct make_build *make)
{
    struct make_holds *held = mem_zero(1, sizeof *held);
    held->make = make;
    holds_open(make->build, &held->holds);
    for (size_t i = 0; i < held->holds.list.len; i++) {
        const struct hold *hold = &held->holds.list.at[i];
        for (size_t k = 0; k < hold->edges.len; k++) {
            const struct hold_edge *edge = &hold->edges.at[k];
            uint32_t name = intern_id(&held->names, edge->first);
            if (name == held->steps_of.len)
                vec_new(&held->steps_of);
            intern_id(&held->seconds, edge->second);
            vec_push(
                &held->edges,
                (struct held_edge){.hold = hold, .edge = edge, .first = name, .expected = true});
        }
    }
    return held;
}

void make_holds_close(struct make_holds *held)
{
    if (!held)
        return;
    for (size_t i = 0; i < held->steps_of.len; i++)
        vec_free(&held->steps_of.at[i]);
    vec_free(&held->steps_of);
    vec_free(&held->edges);
    intern_free(&held->names);
    intern_free(&held->seconds);
    holds_free(&held->holds);
    free(held);
}

unsigned make_holds_count(const struct make_holds *held)
{
    return held ? intern_count(&held->seconds) : 0;
}

void make_holds_prepare(struct make_holds *held)
{
    for (size_t i = 0; held && i < held->edges.len; i++)
        held->edges.at[i].expected =
            make_stale_may_run(held->make->kept, held->edges.at[i].edge->first);
}

void make_holds_came(struct make_holds *held, const struct make_step *step)
{
    uint32_t name = held ? intern_find(&held->names, step->target) : INTERN_NONE;
    if (name != INTERN_NONE)
        vec_push(&held->steps_of.at[name], step->id);
}

/* Whether an edge holds its second step back now. */
static bool holds_back(const struct make_holds *held, const struct held_edge *edge,
                       const struct make_step *step)
{
    const id_list *firsts = &held->steps_of.at[edge->first];
    bool same = strcmp(edge->edge->first, edge->edge->second) == 0;
    if (edge->let_go)
        return false;
    for (size_t i = 0; i < firsts->len; i++) {
        const struct make_step *first = held->make->steps.at[firsts->at[i]];
        if (first != step && !first->ended && (!same || first->begun))
            return true;
    }
    return !same && !firsts->len && edge->expected;
}

bool make_holds_back(const struct make_holds *held, const struct make_step *step)
{
    if (!held || step->begun || intern_find(&held->seconds, step->target) == INTERN_NONE)
        return false;
    for (size_t i = 0; i < held->edges.len; i++)
        if (strcmp(held->edges.at[i].edge->second, step->target) == 0 &&
            holds_back(held, &held->edges.at[i], step))
            return true;
    return false;
}

void make_holds_begun(struct make_holds *held, const struct make_step *step)
{
    for (size_t i = 0; held && i < held->edges.len; i++) {
        struct held_edge *edge = &held->edges.at[i];
        if (!edge->let_go || edge->told || strcmp(edge->edge->first, step->target) != 0)
            continue;
        edge->told = true;
        build_say(held->make->build, SEVERITY_WARNING,
                  "the order that %s holds was not kept: %s came after %s", edge->hold->id,
                  edge->edge->first, edge->edge->second);
    }
}

/* ---- when nothing can come any more ---- */

/* The state letter of a process, or 0. */
static char state_of(int32_t pid)
{
    char *path = mem_format("/proc/%ld/stat", (long)pid), *text = file_read(path, NULL, NULL);
    const char *end = text ? strrchr(text, ')') : NULL;
    char state = end && end[1] == ' ' ? end[2] : 0;
    free(text);
    free(path);
    return state;
}

/* A gate that waits, or of a recipe that waits for its own make. */
static bool is_waiting_gate(const struct make_build *make, int32_t pid)
{
    for (size_t i = 0; i < make->waiting.len; i++)
        if (gate_step(make->waiting.at[i])->gate_pid == pid)
            return true;
    for (size_t i = 0; i < make->steps.len; i++) {
        const struct make_step *step = make->steps.at[i];
        if (step->gate && step->gate_pid == pid)
            return step->nested != 0;
    }
    return false;
}

/* Whether a make sleeps and has no children but such gates: it waits for them, or for a job that they
 * have taken. */
static bool only_waits(const struct make_build *make, int32_t pid)
{
    if (state_of(pid) != 'S')
        return false;
    char *path = mem_format("/proc/%ld/task/%ld/children", (long)pid, (long)pid);
    char *text = file_read(path, NULL, NULL);
    bool waits = true;
    for (char *at = text; waits && at && *at;) {
        char *end;
        long child = strtol(at, &end, 10);
        if (end == at)
            break;
        waits = is_waiting_gate(make, (int32_t)child);
        at = end;
    }
    free(text);
    free(path);
    return waits;
}

static bool nothing_can_come(const struct make_holds *held)
{
    const struct make_build *make = held->make;
    if (make->lanes.busy || !make->waiting.len)
        return false;
    for (size_t i = 0; i < make->waiting.len; i++)
        if (!make_holds_back(held, gate_step(make->waiting.at[i])))
            return false;
    for (size_t i = 0; i < make->makes.len; i++)
        if (make->makes.at[i]->alive && !only_waits(make, make->makes.at[i]->pid))
            return false;
    return true;
}

static uint32_t recorded_step(const struct record *record, const char *target)
{
    for (uint32_t i = 0; record && i < record->steps.len; i++)
        if (strcmp(race_target(record, i), target) == 0)
            return i;
    return ORDER_TOP;
}

/* Whether another gate that is held must go on before a first step that this one waits for can come, by
 * the order of the last build. */
static bool waits_for_other(const struct make_holds *held, const struct make_step *step,
                            const struct record *record, struct order *order)
{
    for (size_t i = 0; i < held->edges.len; i++) {
        const struct held_edge *edge = &held->edges.at[i];
        if (strcmp(edge->edge->second, step->target) != 0 || !holds_back(held, edge, step))
            continue;
        uint32_t first = recorded_step(record, edge->edge->first);
        for (size_t k = 0; first != ORDER_TOP && k < held->make->waiting.len; k++) {
            const struct make_step *other = gate_step(held->make->waiting.at[k]);
            uint32_t before = recorded_step(record, other->target);
            if (other != step && before != ORDER_TOP && before != first &&
                order_before(order, before, first))
                return true;
        }
    }
    return false;
}

/* Of the gates that are held, the one that holds up the others. */
static struct make_step *choose(const struct make_holds *held)
{
    struct make_step *chosen = gate_step(held->make->waiting.at[0]);
    struct record *record =
        held->make->waiting.len > 1 ? record_read(held->make->state_dir, NULL) : NULL;
    struct record_input input;
    if (!record)
        return chosen;
    record_input(record, &input);
    struct order *order = order_new(&input.input.order);
    for (size_t i = 0; order && i < held->make->waiting.len; i++) {
        struct make_step *step = gate_step(held->make->waiting.at[i]);
        if (waits_for_other(held, step, record, order))
            continue;
        chosen = step;
        break;
    }
    order_free(order);
    record_input_free(&input);
    record_free(record);
    return chosen;
}

static void let_go(struct make_holds *held, const struct make_step *step)
{
    for (size_t i = 0; i < held->edges.len; i++) {
        struct held_edge *edge = &held->edges.at[i];
        if (strcmp(edge->edge->second, step->target) != 0 || !holds_back(held, edge, step))
            continue;
        edge->let_go = true;
        char *why =
            mem_format("%s is not held for %s in this build: nothing that runs can bring it",
                       edge->edge->second, edge->edge->first);
        holds_tell_let_go(held->make->build, edge->hold, edge->edge, why);
        free(why);
    }
}

void make_holds_tick(struct make_holds *held, bool heard)
{
    if (!held || !held->edges.len)
        return;
    if (heard || !nothing_can_come(held)) {
        held->quiet = 0;
        return;
    }
    if (++held->quiet < QUIET_TICKS)
        return;
    held->quiet = 0;
    let_go(held, choose(held));
    steps_give_lanes(held->make);
}
