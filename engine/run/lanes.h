/*
 * The table of lanes: which step holds which, and why the others stand still. Shared by the native
 * runner, whose lanes are threads, and the make runner, whose lanes are held by gates.
 * Owned and called by the coordinator's thread alone.
 */
#ifndef GANTRY_RUN_LANES_H
#define GANTRY_RUN_LANES_H

#include <stdint.h>

#include "run/build_internal.h"

struct lane {
    uint32_t step; /* EVENT_NONE: free */
    char *idle_why; /* what was told last for a free lane, or NULL */
};

struct lanes {
    struct build *build;
    struct lane *lane;
    unsigned count, busy;
};

void lanes_open(struct lanes *lanes, struct build *build, unsigned count);
void lanes_close(struct lanes *lanes);
/* The lowest free lane for a step, or EVENT_NONE where all are taken. */
uint32_t lanes_acquire(struct lanes *lanes, uint32_t step);
/* One more lane, where nobody limits their number. */
void lanes_add(struct lanes *lanes);
void lanes_release(struct lanes *lanes, uint32_t lane);
/* Tells why the free lanes stand still ("waits for kernel/main.o"), once a reason. */
void lanes_idle(struct lanes *lanes, const char *why);
/* True where the machine's load is under options.load_limit, or none is set, or nothing runs. */
bool lanes_load_allows(const struct lanes *lanes);

#endif
