/*
 * What the files of the snapshot share. The file, in the machine's own byte order:
 *   header; entries; then one after the other, each text NUL-ended: names, names of environment
 *   variables, the writer's text.
 * Of the entries those that are there come first, sorted by path.
 */
#ifndef GANTRY_STATE_SNAPSHOT_PRIVATE_H
#define GANTRY_STATE_SNAPSHOT_PRIVATE_H

#include "state/snapshot.h"

struct header {
    char magic[8];
    uint32_t schema, order;
    uint64_t key, environment; /* hashes */
    uint64_t steps;
    uint64_t entries, names_bytes, variables_bytes, text_bytes;
    uint64_t check; /* XXH3-64 of all that follows, seeded with that of what is before */
};

/* An entry of the file while they are put in order. */
struct sorting {
    const char *path;
    size_t dir_length; /* of an absent one's directory; else 0 */
    struct snapshot_entry entry;
};

struct writing {
    int root_fd;
    VEC(struct snapshot_entry) entries;
    struct str names;
    int64_t newest_ns; /* stamp of any file */
};

/* What was to be looked at later: now. */
void snapshot_look_later(struct snapshot *snapshot, int root_fd);
/* The entries in the file's order, new: */
struct sorting *snapshot_sort(const struct snapshot *snapshot);
/* so many of them are there, and come first. */
size_t snapshot_count_there(const struct sorting *sorted, size_t count);
bool snapshot_is_there(int root_fd, const char *path);
void snapshot_put_entry(struct writing *to, struct snapshot_entry entry, const char *path,
                        size_t length);
/* Absent names, sorted: by directories. False where one of them is there. */
bool snapshot_put_absent(struct writing *to, const struct sorting *sorted, size_t count);
/* What a directory of absent names is now. One that changes right now would have to be waited for: then
 * it is something that it never is, and the names are looked at each time. */
struct identity snapshot_calm_directory(int root_fd, const char *path);
/* Nothing that carries the newest stamps may have changed under them. */
bool snapshot_young_hold(const struct writing *to);
/* Reads a snapshot; `bytes` stays NULL where there is none to be used. */
void snapshot_read(struct snapshot_seen *seen, const char *file, uint64_t key);
/* Looks at an entry; sets how many of the following are to be passed over. */
bool snapshot_entry_holds(const struct snapshot_entry *entry, const char *path, int root_fd,
                          size_t *skip);
/* Where names are looked at: many of one directory by its descriptor, so that the way there is gone once. A
 * zeroed one but for root_fd is ready; what is open at the end is to be closed. */
struct snapshot_place {
    int root_fd;
    const char *dir; /* NULL: the root alone; else `length` bytes, open as: */
    size_t length;
    int dir_fd;
};
/* Where to look at an entry; *name is its name there. */
int snapshot_place_of(struct snapshot_place *place, const struct snapshot_seen *seen, size_t entry,
                      const char **name);
void snapshot_place_close(struct snapshot_place *place);
const char *snapshot_name(const struct snapshot_seen *seen, size_t entry);
/* The first entry that is there and does not stand before a path. */
size_t snapshot_first(const struct snapshot_seen *seen, const char *path);
/* The same where it is known to stand at `from` or behind: cheap where it is near. `there`: it is of that very
 * path. */
size_t snapshot_first_from(const struct snapshot_seen *seen, size_t from, const char *path,
                           bool *there);
/* The entry of an absent name, or SIZE_MAX. */
size_t snapshot_find_absent(const struct snapshot_seen *seen, const char *path);
/* Ends a file: writes it, or removes the old one where that is not `good`. Frees. */
bool snapshot_write_file(struct writing *to, bool good, const char *file, uint64_t key,
                         const char *variables, size_t variables_bytes,
                         const struct snapshot_answer *answer);

#endif
