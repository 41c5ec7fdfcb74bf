/*
 * ext4 as OSv's libext (lwext4) mounts it, straight from a manifest: blocks of 4 KiB, extents, hashed
 * directories; no journal, no checksums of metadata, no 64-bit block numbers. Super block, groups and
 * bitmaps are libext2fs'; directories, extents and data are laid out here, front to back. Times are
 * fixed, owner is root, the UUID comes from the content. Private to engine/image; one thread.
 */
#ifndef GANTRY_IMAGE_EXT_H
#define GANTRY_IMAGE_EXT_H

#include <stdint.h>

#include "base/err.h"
#include "image/sink.h"
#include "manifest/manifest.h"

/* At the sink's place, of exactly size_bytes, which is what ext_size gave. list NULL: no files. */
int ext_put(struct sink *sink, const struct manifest_list *list, uint64_t size_bytes,
            struct err *err);
/* The bytes of a file system that is asked to have size_bytes, or 0 for what the files need. */
uint64_t ext_size(const struct manifest_list *list, uint64_t size_bytes);

#endif
