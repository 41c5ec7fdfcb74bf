/*
 * Inside of detection: detect.c brings accesses together, classify.c says what a pair of them is.
 * Private to race; one thread.
 */
#ifndef GANTRY_RACE_DETECTOR_H
#define GANTRY_RACE_DETECTOR_H

#include "race/race.h"
#include "trace/trace.h"

/* Sets of kinds of access. */
enum {
    WRITES = ACCESS_WRITE | ACCESS_CREATE,
    REMOVES = ACCESS_REMOVE | ACCESS_RMDIR,
    CHANGES = ACCESS_WRITE | ACCESS_CREATE | ACCESS_REMOVE | ACCESS_RMDIR | ACCESS_MKDIR,
    USES = ACCESS_READ | ACCESS_EXEC | ACCESS_LINK,
    NAMES_CHANGE = ACCESS_CREATE | ACCESS_REMOVE | ACCESS_RMDIR | ACCESS_MKDIR,
};

enum { PAIRS_MAX = 1 << 13 }; /* of one path that are looked at one by one */

enum matter {
    CHANGED = 1,
    LISTED = 2,
    MADE = 4, /* by mkdir */
    UNMADE = 8, /* by rmdir */
    MISSED = 16, /* looked up in vain */
    RIVAL = 32, /* another of its name is made in a directory that was missed */
};

/* A directory that is made and was missed, a file that is made below it, and another one that is
 * found by the same name elsewhere. */
struct rival {
    uint32_t directory, made, other;
};

struct detector {
    const struct race_input *input;
    struct order *order;
    struct race_result *result;
    uint32_t paths;
    uint32_t *start; /* by path: first of `sorted`; paths + 1 entries */
    uint32_t *sorted; /* indexes of accesses, by path; only of paths that matter */
    uint8_t *matters; /* by path: enum matter */
    VEC(struct rival) rivals; /* by directory */
    VEC(struct race_witness) hits;
    uint32_t *parent_of; /* by step: union of those that share names, for grouping */
};

/* What kinds of access make of a path: a set of enum matter. */
static inline unsigned char race_matters(uint32_t kinds)
{
    return (unsigned char)((kinds & CHANGES ? CHANGED : 0) | (kinds & ACCESS_LIST ? LISTED : 0) |
                           (kinds & ACCESS_MKDIR ? MADE : 0) | (kinds & ACCESS_RMDIR ? UNMADE : 0));
}

/* detect.c. A detector of an input, whose order is given; all stay the caller's. */
void detector_open(struct detector *d, const struct race_input *input, struct order *order,
                   struct race_result *result);
/* Adds to `hits` what is to be told of a path and, where it was made or taken away, of its
 * directory. */
void detector_look(struct detector *d, uint32_t path);
void detector_add(struct detector *d, const struct race_witness *hit);
/* Makes findings and witnesses of all hits. */
void detector_group(struct detector *d);
void detector_close(struct detector *d);

enum { NO_RACE = RACE_CLASSES, WEAK_RACE };

static inline const char *path_of(const struct detector *d, uint32_t path)
{
    return intern_text(d->input->paths, path);
}

static inline const struct race_step *step_of(const struct detector *d, const struct race_access *a)
{
    return &d->input->steps[a->step];
}

static inline uint32_t count_of(const struct detector *d, uint32_t path)
{
    return d->start[path + 1] - d->start[path];
}

static inline const struct race_access *access_at(const struct detector *d, uint32_t path,
                                                  uint32_t i)
{
    return &d->input->accesses[d->sorted[d->start[path] + i]];
}

static inline const struct race_access *access_of(const struct detector *d, uint32_t path,
                                                  uint32_t step)
{
    for (uint32_t i = 0; i < count_of(d, path); i++)
        if (access_at(d, path, i)->step == step)
            return access_at(d, path, i);
    return NULL;
}

/* What two unordered accesses of one path are, an enum race_class, or NO_RACE, or WEAK_RACE: none by
 * a rule. `a` changes it. */
int race_classify(const struct detector *d, const struct race_access *a,
                  const struct race_access *b);
/* A named rule under which a pair of such a class is no race, or RACE_RULES. */
enum race_rule race_rule_for(const struct detector *d, const struct race_access *a,
                             const struct race_access *b, int class);
bool race_is_private(const struct race_access *a);
bool race_looks_like_cache(const char *path);
bool race_looks_like_depfile(const char *path);

#endif
