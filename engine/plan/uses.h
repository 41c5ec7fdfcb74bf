/*
 * From what a process tree was seen to touch to what counts for staleness: each access becomes marks
 * of a path (state.h: PATH_...) that are looked at again in later builds. Shared by native steps and
 * by those of makes. Any thread.
 */
#ifndef GANTRY_PLAN_USES_H
#define GANTRY_PLAN_USES_H

#include <stdbool.h>
#include <stdint.h>

struct trace;

/* A use of a path. */
enum use {
    USE_CONTENT = 1, /* what is in the file */
    USE_EXISTS = 2, /* that it is there */
    USE_ABSENT = 4, /* that it is not: it was looked for in vain */
    USE_LINK = 8, /* what the symbolic link says */
    USE_LIST = 16, /* the names in the directory */
    USE_MADE = 32, /* it may be an output: look whether it is there now, and what it is */
    USE_APPENDED = 128, /* alone: all writing to it was at its end, as to a log that nobody reads */
    USE_WAS_THERE = 64, /* with USE_MADE: it was there before, so it is no output unless known */
};

/* Where the tree is, and what in it is ours. */
struct use_place {
    const char *root; /* absolute */
    const char *state_dir; /* absolute */
};

/* Called for each path that counts, by its name and relative to the root where it is below. */
typedef void use_fn(void *data, uint32_t name, const char *path, unsigned uses);

/* Goes through a trace. Left out: /dev, /proc, /sys, the dynamic linker's cache, the state directory, temporary files of the
 * step, and what it writes outside of the tree. */
void uses_of_trace(const struct trace *trace, const struct use_place *place, use_fn *each,
                   void *data);

/* Whether a process tree changed something outside of the tree that is there still: no device that
 * swallows it, no cache, no temporary file that is gone. */
bool uses_reach_outside(const struct trace *trace, const struct use_place *place);

#endif
