/*
 * Races while the build goes on. A thread of low priority looks again and again at what the record
 * has grown by, and at what running steps have touched so far, and tells findings as they come:
 * EVENT_FINDING, the same ids as at the end. It looks only at paths that something new was done to,
 * and only at steps whose declared order is known; what turns out to be ordered after all is told
 * again with the verdict "withdrawn". Uses at most a few percent of one processor: in very large
 * builds it looks less often.
 *
 * In a make tree the order comes from copies of make that tell what it knows of its rules by then
 * (load/hook.c); how such a text is read is the loader's business. In a native tree it comes from the
 * graph, all at once.
 */
#ifndef GANTRY_RACE_LIVE_H
#define GANTRY_RACE_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/vec.h"

struct build;
struct graph;
struct live;
struct trace;
struct trace_server;

/* Reads what a make says of its rules: tells of each step what it needs. `steps`: target as that make
 * names it -> step + 1, as pointers. */
typedef void live_needs(void *data, uint32_t step, const uint32_t *needs, uint32_t count);
typedef void live_reader(const char *text, size_t length, const struct map *steps, live_needs *tell,
                         void *data);

/* Where the order of steps comes from. */
struct live_order {
    live_reader *reader; /* or NULL: what steps need is in the record, */
    /* where this, or NULL, adds it: called once, by the thread, if the build lasts for some time. */
    void (*describe)(struct build *build, const struct graph *graph);
    const struct graph *graph; /* for `describe` */
};

/* Starts looking at build->races. What is excused in the tree is not told. NULL where no thread can be
 * had: then all is told at the end. */
struct live *live_start(struct build *build, const char *state_dir, const struct live_order *order);
/* Ends the thread. Ids that were told and still stand go to `told`, if not NULL. NULL is none. */
void live_stop(struct live *live, str_list *told);

/* All of these: any thread; NULL for `live` does nothing. */
/* A text came that the reader is to read: a file, which is read in a while through a copy of `fd`. */
void live_rules(struct live *live, uint32_t make, int fd);
/* A step's processes run: what they touch is looked at, until live_unwatch. */
void live_watch(struct live *live, uint32_t step, struct trace_server *server,
                const struct trace *trace);
void live_unwatch(struct live *live, uint32_t step);

#endif
