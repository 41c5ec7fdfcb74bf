/*
 * Declared order: whether one step must end before another begins. Reachability over the edges of
 * a build, near-constant a question: interval labels refute most ("GRAIL: Scalable Reachability
 * Index for Large Graphs", Yildirim, Chaoji, Zaki, PVLDB 2010), a spanning forest confirms many,
 * a pruned search decides the rest. Read-only once made, but for the marks of a search: one thread.
 */
#ifndef GANTRY_RACE_ORDER_H
#define GANTRY_RACE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

struct order;

#define ORDER_TOP UINT32_MAX /* parent of a step that no other step ran */

/* The build as the order sees it. Arrays are the caller's and must outlive the order. */
struct order_input {
    uint32_t steps;
    const uint32_t *need_start; /* steps + 1 entries: slices of needs */
    const uint32_t *needs; /* steps that come before (prerequisites and order-only) */
    const uint32_t *parent; /* the step whose sub-make ran this one, or ORDER_TOP; or NULL */
    const uint32_t *serial; /* steps of one number, but 0, never run beside each other; or NULL */
};

/* Makes the index. NULL where the edges have a cycle. */
struct order *order_new(const struct order_input *input);
void order_free(struct order *order);

/* Whether `first` is declared to end before `second` begins. Steps of recursive makes take the
 * order of their nearest ancestors that share a make; a step and what it ran itself are ordered
 * both ways. */
bool order_before(struct order *order, uint32_t first, uint32_t second);
/* The same without the last case and without serial makes: where it holds twice it holds across. */
bool order_strictly_before(struct order *order, uint32_t first, uint32_t second);
/* Whether they are declared in either order, or are one, or one ran the other. */
bool order_any(struct order *order, uint32_t a, uint32_t b);

#endif
