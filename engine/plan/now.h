/*
 * The files as they are now: each path is looked at once, and compared with the versions that the
 * state knows. Owned by the coordinator's thread.
 */
#ifndef GANTRY_PLAN_NOW_H
#define GANTRY_PLAN_NOW_H

#include "state/snapshot.h"
#include "state/state.h"

struct now {
    struct state *state;
    int root_fd; /* paths are relative to it, or absolute */
    VEC(version_id) versions; /* by text id: the present version, or NOW_UNSEEN, NOW_OTHER */
    VEC(uint32_t) held; /* by set id: the epoch in which it was found to hold, or 0 */
    uint32_t epoch; /* from 1 up: grows when a path gets another version */
    name_filter *counts; /* what listings are made of; NULL: all names. Set after now_open */
    const void *counts_data;
};

/* Values besides versions. */
#define NOW_UNSEEN (VERSION_NONE) /* not looked at in this build */
#define NOW_OTHER (VERSION_NONE - 1) /* a content that no step has read or made */

void now_open(struct now *now, struct state *state, int root_fd);
void now_close(struct now *now);
/* Takes over what was found to be as it was, so that it is not looked at a second time. */
void now_seed(struct now *now, const struct snapshot_seen *seen);
/* The present version of a path: its file is looked at where it was not yet. */
version_id now_of(struct now *now, text_id path);
/* True where the version is the present one of its path. */
bool now_is(struct now *now, version_id version);
/* True where all versions of a set are; else *other is the first that is not. */
bool now_holds(struct now *now, set_id set, version_id *other);
/* From now on this is a path's version (or NOW_OTHER; NOW_UNSEEN: it is to be looked at again). */
void now_set(struct now *now, text_id path, version_id version);
/* A version more of the path is about to be known: one that was not known before may be it. */
void now_review(struct now *now, text_id path);

/* What identity and hash are of a path of the state: with its mark. */
struct identity now_identity(int root_fd, const char *path);
struct hash now_hash(int root_fd, const char *path, const struct identity *id, name_filter *counts,
                     const void *data);
/* The path without its mark. */
const char *now_plain(const char *path);

#endif
