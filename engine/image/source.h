/*
 * Host files as sources of images: opened without blocking on what is no file, read from front to
 * back by offset, holes known, and refused where they change while they are read.
 * Private to engine/image; one thread.
 */
#ifndef GANTRY_IMAGE_SOURCE_H
#define GANTRY_IMAGE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

struct source {
    int fd;
    const char *path;
    struct stat before;
    bool sparse; /* has holes that are worth asking for */
};

/* ERR_INPUT where it cannot be read, is no file or has another size. */
int source_open(struct source *source, const char *path, uint64_t size_bytes, struct err *err);
/* All of [from, from + length). */
int source_read(struct source *source, uint64_t from, void *bytes, size_t length, struct err *err);
/* The first byte of data at or after `from`; the file's size where there is none. */
uint64_t source_data(const struct source *source, uint64_t from);
/* The first hole at or after `from`, the end of the file at the latest. */
uint64_t source_hole(const struct source *source, uint64_t from);
/* Closes; -1 where the file changed since it was opened. `err` NULL: only closes. */
int source_close(struct source *source, struct err *err);

#endif
