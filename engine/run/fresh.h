/*
 * The short way of a build that has nothing to do: a snapshot (state/snapshot.h) of all that decided
 * the last one, kept by what was asked for. Used by both runners, in the coordinator's thread.
 */
#ifndef GANTRY_RUN_FRESH_H
#define GANTRY_RUN_FRESH_H

#include "run/build_internal.h"
#include "state/snapshot.h"

/* What is kept beside the snapshot for the events of a build that has nothing to do. */
struct fresh_facts {
    uint64_t steps, files, edges;
    const char *arch, *mode, *image; /* or NULL */
    uint64_t graph; /* id of the graph that load_keep wrote, or 0 */
    uint64_t again; /* how many times it was made of the one before, since one was made anew */
};

struct fresh {
    struct build *build;
    char *file; /* the snapshot */
    uint64_t key; /* of what was asked for */
    int root_fd;
    struct snapshot snapshot; /* the one in the making */
    bool complete; /* all of the steps is in it */
    bool again; /* it is what has changed since the last one, and what has not is there */
    struct fresh_facts facts;
    struct snapshot_seen seen; /* the last one, once fresh_look has compared it */
    struct fresh_facts last; /* of that */
};

/* `dir`: where snapshots are (made if need be); `asked`: everything that tells one build from
 * another besides files and environment. */
void fresh_open(struct fresh *fresh, struct build *build, const char *dir, const char *asked);
void fresh_close(struct fresh *fresh);
/* Where something else may be kept for the same that was asked for: new. */
char *fresh_file(const struct fresh *fresh, const char *kind);
/* Compares the last snapshot with the files: then `seen` tells what has changed, and what has not need
 * not be looked at again. For a runner that goes on with that; others save the time. */
void fresh_look(struct fresh *fresh);
/* Loading was left out, since what it reads is as it was: the snapshot in the making gets all that
 * from the last one. Of that what has changed, though it makes no difference, at once: */
void fresh_take_touched(struct fresh *fresh);
/* and where it is not made of the last one, all of it. */
void fresh_take_loading(struct fresh *fresh);
/* Whether a file is by now as it was when the last snapshot was made; as it was when that was compared. */
bool fresh_is_same(const struct fresh *fresh, const char *path);
bool fresh_was_same(const struct fresh *fresh, const char *path);
/*
 * True where nothing has changed since: build-begin (as `begin` says, with the kept selection) and
 * graph have been sent and the totals are set; the runner returns 0. False: build. Where it is known what
 * has changed (build_options.changes) little else is looked at.
 */
bool fresh_answers(struct fresh *fresh, const struct event *begin);

/* From now on what this thread looks at (base/look.h) goes into the snapshot, until fresh_unwatch: as
 * what loading reads, or (`later`) as what is so at the end, not when it is looked at. */
void fresh_watch(struct fresh *fresh, bool later);
void fresh_unwatch(void);
/* A file that decides, as it is now. */
void fresh_add_file(struct fresh *fresh, const char *path);
/* The build ended well and all is in: keeps the snapshot, or removes an old one. */
void fresh_keep(struct fresh *fresh);
void fresh_drop(struct fresh *fresh);

/* Whether a variable never counts, whoever names it: what each terminal and each login has its own. */
bool fresh_ignores(const char *name);
/* The variables that count for every step whatever it is, NULL-ended; and a hash of their values. */
extern const char *const fresh_variables[];
uint64_t fresh_environment(void);
/* The same without one of them (NULL: with all), with the locale or without. */
uint64_t fresh_environment_but(const char *left_out, bool locale);

#endif
