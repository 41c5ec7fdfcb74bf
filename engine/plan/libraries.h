/*
 * The dynamic linker's cache. Nearly every program reads it, and each package that is installed writes
 * it anew: as an input it would make everything stale. The libraries that it led to are inputs
 * themselves; of the cache only counts whether it leads to them still. The coordinator's thread.
 */
#ifndef GANTRY_PLAN_LIBRARIES_H
#define GANTRY_PLAN_LIBRARIES_H

#include "plan/now.h"

#define LIBRARIES_CACHE "/etc/ld.so.cache"

/* Where the cache has changed since this was called last for the state: libraries that it no longer
 * comes to first count as changed (NOW_OTHER). Before anything is judged. */
void libraries_check(struct now *now, struct state *state);
/* The same for another cache file. */
void libraries_check_file(struct now *now, struct state *state, const char *cache);

#endif
