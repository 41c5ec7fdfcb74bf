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
#define VERSION_NONE UINT32_MAX
#define TEXT_NONE UINT32_MAX

struct version {
    text_id path;
    version_id before; /* the same path's version before this, or VERSION_NONE */
    struct identity id; /* the file that had this content last */
    struct hash hash;
};

/* What one run of a step was. Laid out as on disk. */
struct step_record {
    text_id target;
    text_id command; /* template: \1 stands for the target's stem, \2 for the first input */
    text_id why; /* reason, path, was, now of that run, tab-separated; or TEXT_NONE */
    uint32_t rss_kib;
    uint32_t inputs, headers, outputs; /* how many of `versions`, in this order */
    uint32_t flags; /* 0 */
    uint64_t command_hash;
    uint64_t ended_ns; /* wall clock */
    uint64_t wall_ns, cpu_ns;
    version_id versions[];
};

struct state {
    char *path; /* the log */
    int fd; /* -1: read only */
    uint64_t length; /* good bytes of the log */
    uint64_t dead_bytes; /* of records that later ones replaced */
    char *loaded; /* the log as read; records point into it */
    struct arena arena; /* records of this run */
    struct intern texts;
    VEC(struct version) versions;
    VEC(version_id) latest; /* by text id: the newest version, or VERSION_NONE */
    VEC(const struct step_record *) records; /* by target's text id, or NULL */
    size_t steps; /* records that are not NULL */
    struct str pending; /* records not yet in the file */
    pthread_mutex_t lock; /* texts, versions, latest: taken by writers, and by other readers */
};

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
/* Replaces a target's record; `versions` has as many ids as the record's counts say. */
void state_put(struct state *state, const struct step_record *record, const version_id *versions);
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
enum record_type { RECORD_TEXT = 1, RECORD_VERSION, RECORD_REFRESH, RECORD_STEP, RECORD_FORGET };
void log_append(struct str *out, enum record_type type, const void *payload, size_t length);
size_t step_record_size(const struct step_record *record);
/* Puts a record in place in memory; used for reading and for writing. */
void state_place(struct state *state, const struct step_record *record);
void state_add_version(struct state *state, text_id path, const struct identity *id,
                       struct hash hash);
void state_add_text(struct state *state, const char *text, size_t length);

#endif
