/*
 * The compiled snapshot of a goal that is up to date: every path that decides it, with its identity,
 * as one flat file. A null build reads it, checks its hash, looks at each path once, and knows.
 * Anything that does not match (a touched file will do) only means that the long way is gone: no
 * verdict is ever taken from here but "nothing has changed since", of all or of what loading read.
 *
 * Names that are not there are grouped by directory, and while a directory's own identity is the
 * same, or it is not there, none of them is looked at. Any thread.
 */
#ifndef GANTRY_STATE_SNAPSHOT_H
#define GANTRY_STATE_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "state/identity.h"

enum snapshot_kind {
    SNAPSHOT_FILE, /* a file, or a directory with the names in it: the same identity */
    SNAPSHOT_LINK, /* a symbolic link itself */
    SNAPSHOT_EXISTS, /* anything, so long as it is there */
    SNAPSHOT_ABSENT,
    SNAPSHOT_LATER_FILE, /* only while it is made: FILE, LINK or ABSENT as it is at the end */
    SNAPSHOT_LATER_LINK,
    SNAPSHOT_DIRECTORY, /* in the file alone: `count` absent names of this directory follow */
};

enum snapshot_flags {
    SNAPSHOT_LOADING = 1, /* the tree's description: where it changes, that is to be read again */
    SNAPSHOT_LOADING_FOR = 2, /* the same where it comes or goes, whatever is in it */
    SNAPSHOT_DIFFERS = 4, /* only once it was compared: it is not as it was */
};

struct snapshot_entry {
    uint32_t name; /* offset in the names */
    uint16_t kind;
    uint16_t flags; /* enum snapshot_flags */
    uint64_t count; /* SNAPSHOT_DIRECTORY */
    struct identity id;
};

/* A snapshot in the making: zeroed is empty. */
struct snapshot {
    struct intern paths;
    VEC(struct snapshot_entry) entries; /* by path id and kind; `name` is the path's id */
    VEC(uint8_t) kinds; /* by path id: bits of the kinds that are in */
    VEC(uint8_t) flags; /* by path id: enum snapshot_flags of all its entries */
    str_list environment; /* names whose values count, set or not */
};

/* Adds a path, relative to the root or absolute; `id` is what was judged (FILE and LINK only). Of two
 * identities of one path the first is kept: the check then finds that it is another by now. */
void snapshot_add(struct snapshot *snapshot, enum snapshot_kind kind, const char *path,
                  const struct identity *id);
/* Adds flags to a path that is in. */
void snapshot_mark(struct snapshot *snapshot, const char *path, enum snapshot_flags flags);
/* The value of this environment variable counts. */
void snapshot_add_variable(struct snapshot *snapshot, const char *name);

/* What a snapshot answers. */
struct snapshot_answer {
    uint64_t steps; /* that are up to date */
    char *text; /* what the writer gave; the caller frees */
};

/*
 * Writes it to a file (by rename; its directory must be there). `key` is a hash of what was asked
 * for. False where no snapshot can be had: something changed meanwhile, or there is no room; an old
 * one is gone then. May wait for a tick of the file system's clock (some ms).
 */
bool snapshot_write(struct snapshot *snapshot, const char *file, int root_fd, uint64_t key,
                    const struct snapshot_answer *answer);
struct snapshot_seen;
/*
 * The same for all that `last` has, as it has it, but what stands in `changes`: that is taken instead, or
 * besides. What differs and does not stand there is left out: the caller knows that it decides nothing
 * any more.
 */
bool snapshot_write_again(const struct snapshot_seen *last, struct snapshot *changes,
                          const char *file, int root_fd, uint64_t key,
                          const struct snapshot_answer *answer);
/* True where the file is whole, is for this key, and all that it names is as it was. */
bool snapshot_check(const char *file, int root_fd, uint64_t key, struct snapshot_answer *answer);
void snapshot_free(struct snapshot *snapshot);

/* A snapshot that was compared with what is there. */
struct snapshot_seen {
    char *bytes; /* the file; NULL: there is none that is whole, for the key and the environment */
    struct snapshot_entry *entries; /* as they were; SNAPSHOT_DIFFERS where they are not so now */
    size_t count;
    size_t there; /* of these come first, sorted by path: what is there */
    const char *names; /* that entries' names are offsets in */
    struct snapshot_answer answer; /* its text is in `bytes` */
    bool holds; /* all of it */
    bool loading_holds; /* all that has SNAPSHOT_LOADING or _FOR */
};
/* What may have changed: paths as in the snapshot. */
struct snapshot_suspects {
    const char *const *paths;
    size_t paths_count;
    const char *const *links; /* these and all below them are looked at, */
    size_t links_count;
};
/* snapshot_check where nothing but suspects may have changed: with them only what is outside of the tree
 * is looked at, names that begin with a dot or look like an editor's own, and all below these. */
bool snapshot_check_suspects(const char *file, int root_fd, uint64_t key,
                             const struct snapshot_suspects *suspects,
                             struct snapshot_answer *answer);
/* Looks at every path, not only until one differs. */
void snapshot_compare(struct snapshot_seen *seen, const char *file, int root_fd, uint64_t key);
/* The entry of a path that is there, of one kind; or NULL. */
const struct snapshot_entry *snapshot_find(const struct snapshot_seen *seen,
                                           enum snapshot_kind kind, const char *path);
void snapshot_seen_free(struct snapshot_seen *seen);

#endif
