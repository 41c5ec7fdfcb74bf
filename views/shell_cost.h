/*
 * What $(shell) costs: the calls that one line of a makefile made again and again, added up.
 */
#ifndef GANTRY_VIEWS_SHELL_COST_H
#define GANTRY_VIEWS_SHELL_COST_H

#include <stdint.h>

#include "base/map.h"
#include "base/str.h"
#include "journal/event.h"

/* Zeroed: empty. */
struct shell_costs {
    struct map by_place; /* "Makefile:285 COMMAND" -> what it cost */
};

/* The calls of one place. */
struct shell_cost {
    const char *command; /* its beginning */
    const char *from; /* "Makefile:285", or the directory of its make */
    uint64_t calls, repeated, wall_ns; /* repeated: those that were not run again */
};

/* Takes one EVENT_SHELL_CALL in. */
void shell_costs_add(struct shell_costs *costs, const struct event *event);
/* Gives the dearest places, at most three, that took at least half a second and a hundredth of the
 * build's time, the dearest first. Texts live for the call. */
typedef void shell_cost_fn(void *data, const struct shell_cost *cost);
void shell_costs_each(const struct shell_costs *costs, uint64_t build_ns, shell_cost_fn *each,
                      void *data);
/* Appends a line for each of them: "make spent 28.1s in 1192 calls of g++ -E ... from Makefile:285". */
void shell_costs_tell(const struct shell_costs *costs, uint64_t build_ns, struct str *out);
void shell_costs_free(struct shell_costs *costs);

#endif
