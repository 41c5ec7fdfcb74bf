/*
 * The state of a configuration: what each step did last, kept over builds and crashes.
 *
 * On disk it is one append-only file of checksummed records (see log.c); in memory, flat arrays.
 * Texts (paths, command templates, reasons) are interned once. A *version* is one content of one
 * path; a step's record names the versions of all that it read and made, so whether a step is fresh
 * is a comparison of small numbers, and each file is looked at once however many steps read it.
 *
 * Owned by the coordinator's thread; only state_known_hash may be called by others.
 */
#ifndef GANTRY_STATE_STATE_H
#define GANTRY_STATE_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "state/identity.h"

typedef uint32_t text_id;
typedef uint32_t version_id;
typedef uint32_t set_id;
#define VERSION_NONE UINT32_MAX
#define TEXT_NONE UINT32_MAX

/* The path may be one of these instead: what is known of it then is less than its content. */
#define PATH_EXISTS '\1' /* before the path: that it is there, or not, is all that counts */
#define PATH_LINK '\2' /* before the path: what the symbolic link says */
#define PATH_LIST '\3' /* before the path: the names in the directory but those of products */

struct version {
    text_id path;
    version_id before; /* the same path's version before this, or VERSION_NONE */
    struct identity id; /* the file that had this content last */
    struct hash hash;
};

/*
 * What one run of a step was. Laid out as on disk.
 *
 * All that it was seen to read, list or look for in vain, beyond its declared inputs, are sets of
 * versions. Steps of a tree read much the same, so what one read is cut into pieces where the ids
 * themselves say so (see state_add_sets): equal runs give equal pieces, each is kept once, and is
 * judged once a build.
 */
struct step_record {
    text_id target;
    text_id command; /* template: \1 stands for the target's stem, \2 for the first input */
    text_id why; /* reason, path, was, now of that run, tab-separated; or TEXT_NONE */
    uint32_t rss_kib;
    uint32_t inputs, sets, outputs; /* how many of `ids`, in this order */
    uint32_t flags; /* enum run_flags */
    /* Make trees: and, by exclusive or, of what makes added to the environment. */
    uint64_t command_hash;
    uint64_t environment_hash; /* of the variables that counted for it; 0: not known */
    uint64_t ended_ns; /* wall clock */
    uint64_t wall_ns, cpu_ns;
    uint32_t ids[]; /* version_id of inputs, set_id, version_id of outputs */
};

enum run_flags {
    RUN_TRACED = 1, /* `sets` are all that it was seen to use, not only what a depfile names */
    RUN_ALWAYS = 2, /* make trees: its target is no file, so make runs it each time */
    RUN_SPEAKS = 4, /* make trees: it printed more than its recipe has in so many words */
    RUN_NESTS = 8, /* make trees: a make ran below it */
    RUN_ENV_ANY = 16, /* make trees: it ran programs of the tree: any variable may count */
    RUN_OUTSIDE =
        32, /* make trees: it spoke to others by a socket, or asked for what no file tells */
    RUN_SOURCE = 64, /* make trees: nothing is declared that its target depends on */
    RUN_TWICE = 128, /* make trees: made more than once in a build; this is all of them together */
    RUN_EFFECTS =
        256, /* make trees: it changed something outside of the tree, or is named as a deed */
    RUN_FORCED = 512, /* make trees: it waits for what is no file, so make runs it each time */
    RUN_LEFT = 1024, /* make trees: it is stale, and no make of the goal wanted it */
    RUN_EDITED = 2048, /* make trees: a user has edited what it made, which counts as it is since */
    RUN_ANY_LOCALE = 4096, /* what it ran does the same in any locale, which does not count then */
};

/* Texts under a key: the steps of a goal, the variables that count. As on disk. */
struct text_list {
    text_id key;
    uint32_t count;
    text_id texts[];
};

struct state {
    char *path; /* the log */
    int fd; /* -1: read only */
    bool existed; /* the log was there before it was opened */
    uint64_t length; /* good bytes of the log */
    uint64_t dead_bytes; /* of records that later ones replaced */
    char *loaded; /* the log as read; records point into it */
    struct arena arena; /* records of this run */
    struct intern texts;
    VEC(struct version) versions;
    VEC(version_id) latest; /* by text id: the newest version, or VERSION_NONE */
    struct intern sets; /* by set id: version ids, ascending, as differences in LEB128 */
    VEC(const struct step_record *) records; /* by target's text id, or NULL */
    size_t steps; /* records that are not NULL */
    VEC(uint8_t) running; /* by text id: a run of this target began and its end was not recorded */
    VEC(const struct text_list *) lists; /* by key's text id, or NULL */
    struct str pending; /* records not yet in the file */
    pthread_mutex_t lock; /* texts, versions, latest: taken by writers, and by other readers */
};

/* Bytes of a record around its payload, more or less: for counting what is dead. */
enum { RECORD_HEAD_BYTES = 16 };

enum state_mode { STATE_READ, STATE_WRITE };

/*
 * Opens the state in a directory (STATE_WRITE makes both; its lock must be held). What is damaged is
 * cut at its last good record, what is not ours is moved aside; `notes` then gets a sentence.
 * -1 and err only where the file cannot be read or written.
 */
int state_open(struct state *state, const char *dir, enum state_mode mode, struct str *notes,
               struct err *err);
void state_close(struct state *state);

/* The id of a text, new or known. */
text_id state_text(struct state *state, const char *text);
/* The record of a target, or NULL. */
const struct step_record *state_record(const struct state *state, text_id target);
/* The version of a path with this content: a known one (it then has the new identity) or a new. */
version_id state_version(struct state *state, text_id path, const struct identity *id,
                         struct hash hash);
/* The known version of a path with this content or, where `hash` is NULL, this identity. */
version_id state_find_version(const struct state *state, text_id path, const struct identity *id,
                              const struct hash *hash);
/* The same content has another identity now (touched, copied). */
void state_refresh(struct state *state, version_id version, const struct identity *id);
/* Replaces a target's record; `ids` has as many as the record's counts say. */
void state_put(struct state *state, const struct step_record *record, const uint32_t *ids);
/* The versions that a record's step made. */
static inline const version_id *record_outputs(const struct step_record *record)
{
    return record->ids + record->inputs + record->sets;
}

/* Sorts versions (each once then), cuts them into sets and adds those sets' ids to the list. */
typedef VEC(uint32_t) id_list;
void state_add_sets(struct state *state, version_id *versions, size_t count, id_list *ids);
/* Goes through the versions of a set: `while (set_next(&walk, &version))`. */
struct set_walk {
    const unsigned char *at, *end;
    version_id last;
};
struct set_walk state_set(const struct state *state, set_id set);
bool set_next(struct set_walk *walk, version_id *version);
/* A target is about to be made: until state_put or state_forget it counts as half-made. */
void state_begin(struct state *state, text_id target);
bool state_is_running(const struct state *state, text_id target);
/* Replaces a list; and gives one, or NULL. */
void state_put_list(struct state *state, text_id key, const text_id *texts, size_t count);
const struct text_list *state_list(const struct state *state, text_id key);
/* A target is made no more. */
void state_forget(struct state *state, text_id target);
/* Writes what is pending to the file; -1 and err where there is no room. Read-only: nothing. */
int state_commit(struct state *state, struct err *err);

/* The hash of a file that has this identity, where it is known. Any thread. */
bool state_known_hash(struct state *state, const char *path, const struct identity *id,
                      struct hash *hash);

/* log.c: reads the file into memory; writes all that is alive into a new one. For state.c. */
int log_load(struct state *state, enum state_mode mode, struct str *notes, struct err *err);
int log_compact(struct state *state, struct err *err);
enum record_type {
    RECORD_TEXT = 1,
    RECORD_VERSION,
    RECORD_REFRESH,
    RECORD_STEP,
    RECORD_FORGET,
    RECORD_SET,
    RECORD_BEGIN,
    RECORD_LIST
};
void log_append(struct str *out, enum record_type type, const void *payload, size_t length);
size_t step_record_size(const struct step_record *record);
/* Puts a record in place in memory; used for reading and for writing. */
void state_place(struct state *state, const struct step_record *record);
void state_add_version(struct state *state, text_id path, const struct identity *id,
                       struct hash hash);
/* False where it is known already. */
bool state_add_text(struct state *state, const char *text, size_t length);
void state_place_list(struct state *state, const struct text_list *list);
void state_mark(struct state *state, text_id target, bool running);
/* A set from its bytes: false where they name a version that is not there, or the set is known. */
bool state_take_set(struct state *state, const void *bytes, size_t length);
void set_encode(struct str *out, const version_id *versions, size_t count);

#endif
