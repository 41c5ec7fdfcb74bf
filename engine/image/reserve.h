/*
 * The end of a padded bootfs: a mark of 32 bytes that tells how large the whole is, so that another
 * bootfs can take its place in a program that was linked with it. A kernel never looks there: the
 * table ends before. Private to engine/image.
 */
#ifndef GANTRY_IMAGE_RESERVE_H
#define GANTRY_IMAGE_RESERVE_H

#include <stdint.h>

#include "image/sink.h"

enum { RESERVE_MARK = 32 };

/* Zeros up to the mark, and the mark: ends a reserve of `size_bytes` that began at `start`; it holds at
 * least the mark behind what was written. */
int reserve_end(struct sink *sink, uint64_t start, uint64_t size_bytes, struct err *err);

#endif
