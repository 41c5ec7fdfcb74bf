/*
 * Where image writers put their bytes: a file of `raw` or `qcow2`, written front to back through one
 * buffer, with holes for zeros, and patched where a size is known late. The virtual offset only
 * grows; host files stream through the buffer, so memory stays bounded whatever the image's size
 * (qcow2 keeps 8 bytes for 64 KiB of data). Nothing appears at the path before sink_finish.
 * Private to engine/image; one thread.
 */
#ifndef GANTRY_IMAGE_SINK_H
#define GANTRY_IMAGE_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "base/vec.h"
#include "image/image.h"

enum { SINK_CLUSTER = 64 * 1024, SINK_BUFFER = 256 * 1024 };

struct sink {
    struct file_out out;
    enum disk_format format;
    const struct image_io *io; /* may be NULL */
    unsigned char *buffer; /* SINK_BUFFER bytes of the virtual disk from `base` */
    size_t used; /* bytes of the buffer that are written */
    uint64_t base; /* a multiple of SINK_BUFFER */
    uint64_t total_bytes; /* what progress is told; 0: not known */
    VEC(uint64_t *) tables; /* qcow2: per 512 MiB, where each cluster is; NULL: all holes */
    uint64_t clusters; /* qcow2: of the file so far */
};

int sink_open(struct sink *sink, const char *path, enum disk_format format,
              const struct image_io *io, struct err *err);
/* The virtual offset of the next byte. */
uint64_t sink_at(const struct sink *sink);
int sink_write(struct sink *sink, const void *bytes, size_t length, struct err *err);
/* Zeros up to the virtual offset `to`, which is not below sink_at. */
int sink_zero_to(struct sink *sink, uint64_t to, struct err *err);
/* The whole of a host file, which must have the size that was seen before and not change while it
 * is read. ERR_INPUT where the host file is to blame. */
int sink_file(struct sink *sink, const char *host, uint64_t size_bytes, struct err *err);
/* Changes bytes below sink_at. */
int sink_patch(struct sink *sink, uint64_t offset, const void *bytes, size_t length,
               struct err *err);
/* Ends the disk at `size_bytes` (not below sink_at) and puts the file in place. Frees the sink, on
 * error too; then the old file is as it was. */
int sink_finish(struct sink *sink, uint64_t size_bytes, struct err *err);
void sink_abandon(struct sink *sink);

#endif
