#include "race/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vec.h"

/* An interval per labelling: `last` is the step's place in a post-order walk towards what it needs,
 * `low` the least place among all it can reach. a reaches b only if b's interval lies in a's. */
enum { LABELLINGS = 3 };
struct label {
    uint32_t low[LABELLINGS], last[LABELLINGS];
    uint32_t enter, leave; /* of the walk's own forest: containment proves */
};

struct order {
    struct order_input input;
    struct label *labels;
    uint32_t *depth; /* of recursion, by step */
    uint32_t *marks; /* by step: the search that saw it */
    uint32_t mark;
    VEC(uint32_t) stack;
};

static const uint32_t *needs_of(const struct order *order, uint32_t step, uint32_t *count)
{
    uint32_t start = order->input.need_start[step];
    *count = order->input.need_start[step + 1] - start;
    return order->input.needs + start;
}

/* One walk over all steps, its roots and branches rotated by `turn`. False on a cycle. */
static bool label_all(struct order *order, unsigned turn)
{
    enum { NEW, OPEN, DONE };
    uint32_t steps = order->input.steps, place = 0, clock = 0;
    uint8_t *state = mem_zero(steps, 1);
    uint32_t *next = mem_zero(steps, sizeof *next);
    bool acyclic = true;
    for (uint32_t r = 0; r < steps && acyclic; r++) {
        uint32_t root = turn & 1 ? steps - 1 - r : r;
        if (state[root] != NEW)
            continue;
        order->stack.len = 0;
        vec_push(&order->stack, root);
        state[root] = OPEN;
        while (order->stack.len && acyclic) {
            uint32_t step = order->stack.at[order->stack.len - 1], count;
            struct label *label = &order->labels[step];
            const uint32_t *needs = needs_of(order, step, &count);
            if (next[step] == 0) {
                label->low[turn] = UINT32_MAX;
                if (turn == 0)
                    label->enter = clock++;
            }
            if (next[step] < count) {
                uint32_t at = (next[step]++ + turn * 7) % count;
                uint32_t need = needs[turn & 1 ? count - 1 - at : at];
                acyclic = state[need] != OPEN;
                if (state[need] == NEW) {
                    state[need] = OPEN;
                    vec_push(&order->stack, need);
                }
                continue;
            }
            for (uint32_t i = 0; i < count; i++)
                if (order->labels[needs[i]].low[turn] < label->low[turn])
                    label->low[turn] = order->labels[needs[i]].low[turn];
            label->last[turn] = place++;
            if (label->last[turn] < label->low[turn])
                label->low[turn] = label->last[turn];
            if (turn == 0)
                label->leave = clock++;
            state[step] = DONE;
            order->stack.len--;
        }
    }
    free(state);
    free(next);
    return acyclic;
}

struct order *order_new(const struct order_input *input)
{
    struct order *order = mem_zero(1, sizeof *order);
    order->input = *input;
    order->labels = mem_zero(input->steps, sizeof *order->labels);
    order->marks = mem_zero(input->steps, sizeof *order->marks);
    order->depth = mem_zero(input->steps, sizeof *order->depth);
    for (uint32_t step = 0; input->parent && step < input->steps; step++)
        for (uint32_t up = input->parent[step];
             up != ORDER_TOP && order->depth[step] <= input->steps; up = input->parent[up])
            order->depth[step]++;
    for (unsigned turn = 0; turn < LABELLINGS; turn++) {
        if (!label_all(order, turn)) {
            order_free(order);
            return NULL;
        }
    }
    return order;
}

void order_free(struct order *order)
{
    if (!order)
        return;
    free(order->labels);
    free(order->marks);
    free(order->depth);
    vec_free(&order->stack);
    free(order);
}

static bool may_reach(const struct label *from, const struct label *to)
{
    for (unsigned i = 0; i < LABELLINGS; i++)
        if (to->low[i] < from->low[i] || to->last[i] > from->last[i])
            return false;
    return true;
}

/* Whether `from` needs `to`, directly or not. */
static bool reaches(struct order *order, uint32_t from, uint32_t to)
{
    const struct label *labels = order->labels, *goal = &labels[to];
    if (!may_reach(&labels[from], goal))
        return false;
    if (labels[from].enter < goal->enter && goal->leave < labels[from].leave)
        return true;
    if (++order->mark == 0) {
        memset(order->marks, 0, order->input.steps * sizeof *order->marks);
        order->mark = 1;
    }
    order->stack.len = 0;
    vec_push(&order->stack, from);
    while (order->stack.len) {
        uint32_t step = order->stack.at[--order->stack.len], count;
        const uint32_t *needs = needs_of(order, step, &count);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t need = needs[i];
            if (need == to)
                return true;
            if (order->marks[need] == order->mark || !may_reach(&labels[need], goal))
                continue;
            if (labels[need].enter < goal->enter && goal->leave < labels[need].leave)
                return true;
            order->marks[need] = order->mark;
            vec_push(&order->stack, need);
        }
    }
    return false;
}

/* Climbs both to steps of one make, or of makes that one recipe ran. True where they meet (one is
 * the other or ran it), or where that make runs its recipes one by one. */
static bool climb(const struct order *order, uint32_t *a, uint32_t *b)
{
    const uint32_t *parent = order->input.parent;
    while (*a != *b && parent) {
        uint32_t up_a = parent[*a], up_b = parent[*b];
        if (up_a == up_b)
            break;
        if (order->depth[*a] >= order->depth[*b] && up_a != ORDER_TOP)
            *a = up_a;
        else
            *b = up_b;
    }
    const uint32_t *serial = order->input.serial;
    return *a == *b || (serial && serial[*a] && serial[*a] == serial[*b]);
}

bool order_before(struct order *order, uint32_t first, uint32_t second)
{
    return climb(order, &first, &second) || reaches(order, second, first);
}

bool order_strictly_before(struct order *order, uint32_t first, uint32_t second)
{
    return !climb(order, &first, &second) && reaches(order, second, first);
}

bool order_any(struct order *order, uint32_t a, uint32_t b)
{
    return climb(order, &a, &b) || reaches(order, a, b) || reaches(order, b, a);
}
