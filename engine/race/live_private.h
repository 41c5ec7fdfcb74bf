/*
 * Inside of looking for races while the build goes on: live_take.c takes over what is new, live.c
 * looks at it and tells. All but what stands under the lock is the looking thread's own.
 */
#ifndef GANTRY_RACE_LIVE_PRIVATE_H
#define GANTRY_RACE_LIVE_PRIVATE_H

#include <pthread.h>

#include "base/ids.h"
#include "race/detector.h"
#include "race/ledger.h"
#include "race/live.h"
#include "race/record.h"

typedef VEC(uint32_t) id_list;

/* A text of rules that waits to be read. */
struct rules {
    uint32_t make;
    int fd;
};

/* A step that runs, and what it was seen to touch. */
struct watch {
    uint32_t step;
    struct trace_server *server; /* NULL: it has ended; its accesses come by the record */
    const struct trace *trace;
    uint64_t since_ns;
    unsigned looks_since_end;
    struct ids names; /* of the trace, in the order of accesses */
    VEC(struct race_access) accesses;
    id_list fresh; /* indexes of accesses that came or grew and were not noted yet */
};

struct live_access {
    struct race_access access;
    uint32_t next; /* of the same path, + 1 */
};

/* What a reader told of a step: a slice of live->needs. */
struct told_needs {
    uint32_t start, count;
    bool known;
};

/* What was found when `from` was looked at. */
struct live_hit {
    struct race_witness witness;
    uint32_t from;
};

struct told {
    char id[9];
    enum race_class class;
    bool stands;
};

struct live {
    struct build *build;
    struct live_order order;
    struct ledger ledger;
    pthread_t thread;

    pthread_mutex_t lock; /* of these: */
    pthread_cond_t wake;
    bool stop;
    VEC(struct rules) rules;
    VEC(struct watch *) watches;

    /* The thread's own. */
    struct record *copy; /* without needs of its own and without accesses */
    size_t taken; /* accesses of the record that were taken over */
    id_list needs; /* what readers told */
    VEC(struct told_needs) needs_of; /* by step */
    VEC(unsigned char) ordered; /* by step: its place in the declared order is known */
    VEC(struct race_access) waiting; /* accesses of steps whose place is not */
    VEC(struct live_access) accesses;
    id_list last_of; /* by path: index of accesses + 1 */
    VEC(unsigned char) matters; /* by path: enum matter */
    VEC(unsigned char) marked; /* by path: enum mark */
    id_list dirty; /* paths that are to be looked at */
    struct intern directories; /* of changed paths */
    id_list child_of; /* by directory: path + 1 */
    id_list sibling_of; /* by path: path + 1 */
    VEC(struct live_hit) hits;
    VEC(struct told) told;
};

enum mark { MARK_DIRTY = 1, MARK_WANTED = 2 /* its accesses belong to the input */ };

/* ---- live_take.c ---- */

/* Takes over what the record has grown by, what makes said of their rules, and what running steps
 * have touched; marks the paths that are to be looked at anew in `dirty`. */
void live_take(struct live *live);
/* Whether a step's place in the declared order is known. */
bool live_is_ordered(const struct live *live, uint32_t step);
void live_free_watch(struct watch *watch);
/* After the thread's end: what makes said of steps whose data base never came goes into the record. */
void live_give_needs(struct live *live);
/* Length of what stands before the last slash of a path; 0 for a name in the root. */
size_t live_directory_length(const char *path);

#endif
