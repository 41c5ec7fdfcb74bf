/*
 * Files as a whole: read, write so that nobody sees half of it, make directories, hash.
 * Any thread. Paths are byte strings; relative ones are relative to the process's directory.
 */
#ifndef GANTRY_BASE_FILE_H
#define GANTRY_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* The whole file, NUL-ended past its end; the caller frees. NULL and err where it cannot be read. */
char *file_read(const char *path, size_t *length, struct err *err);

/* The same for what Gantry itself keeps: nobody is told that it was looked at (base/look.h), since all
 * that it says follows from something else. */
char *file_read_own(const char *path, size_t *length, struct err *err);

/* Makes a directory and its parents (0777 less umask); present ones are fine. */
int file_make_dirs(const char *path, struct err *err);
/* Makes the directories above a path. */
int file_make_parents(const char *path, struct err *err);

/* A file being written beside its final name. Either commit (fsync, rename over the target) or
 * abandon (removed). A zeroed struct is closed; committing or abandoning closes it. */
struct file_out {
    int fd; /* write here with file_out_write, pwrite or copy_file_range */
    char *path, *temporary;
};
int file_out_open(struct file_out *out, const char *path, mode_t mode, struct err *err);
int file_out_write(struct file_out *out, const void *bytes, size_t length, struct err *err);
int file_out_commit(struct file_out *out, struct err *err);
void file_out_abandon(struct file_out *out);

/* All of the above at once. Mode as for open(2). */
int file_write(const char *path, const void *bytes, size_t length, mode_t mode, struct err *err);

/* The same for caches that carry a hash of themselves: no fsync, since half a file after a crash is
 * seen, and no sentence, since one that cannot be written is only missing. */
bool file_replace(const char *path, const void *bytes, size_t length);

/* pwrite that does it all, or fails with a sentence naming `path`. */
int file_pwrite(int fd, const char *path, const void *bytes, size_t length, uint64_t offset,
                struct err *err);

/* XXH3-128 of a file's bytes (xxhash.com); the content hash of the whole engine. */
struct hash {
    uint64_t low, high;
};
int file_hash(const char *path, struct hash *hash, struct err *err);
struct hash hash_bytes(const void *bytes, size_t length);
bool hash_equal(struct hash a, struct hash b);

/* Removes a tree without following links; a missing one is fine. */
int file_remove_tree(const char *path, struct err *err);

#endif
