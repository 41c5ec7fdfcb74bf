/*
 * What a file is: its identity (what stat says) and its content. Two equal identities are taken for
 * equal content; different ones are compared by hash. Any thread.
 */
#ifndef GANTRY_STATE_IDENTITY_H
#define GANTRY_STATE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"

/* All zero: there is no such file. A directory's content is the names in it. */
struct identity {
    uint64_t dev, ino, size;
    int64_t mtime_ns, ctime_ns;
};

struct stat;
struct identity identity_of(const struct stat *st);
/* The file behind a path, links followed. Whatever cannot be looked at counts as absent. */
struct identity identity_at(int root_fd, const char *path);
bool identity_equal(const struct identity *a, const struct identity *b);
bool identity_absent(const struct identity *id);

/* Hashes that no content has: of an absent file, of one whose content is not known, and of one that
 * only has to be there. */
extern const struct hash hash_absent, hash_unknown, hash_exists;

/* The content of a file whose identity is `id`; hash_unknown where it changed meanwhile or cannot
 * be read. */
struct hash identity_hash(int root_fd, const char *path, const struct identity *id);

/* A hash in the words of a reason: what is special, or its first eight digits. */
struct str;
void identity_put_hash(struct str *out, struct hash hash);

/* Names that count in a listing; `path` is the directory's with the name. NULL: all. */
typedef bool name_filter(const void *data, const char *path);
/* The same for the names in a directory. */
struct hash identity_hash_names(int root_fd, const char *path, const struct identity *id,
                                name_filter *counts, const void *data);

#endif
