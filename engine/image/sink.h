/*
 * Where image writers put their bytes: a virtual disk in a file of any format, written mostly front
 * to back through one buffer, with holes for zeros, and patched where something is known late. Host
 * files stream through the buffer, so memory stays bounded whatever the image's size (formats that
 * map keep 8 bytes for each cluster). Nothing appears at the path before sink_finish.
 * Private to engine/image; one thread.
 */
#ifndef GANTRY_IMAGE_SINK_H
#define GANTRY_IMAGE_SINK_H

#include <stddef.h>
#include <stdint.h>

#include <xxhash.h>

#include "base/err.h"
#include "base/file.h"
#include "base/vec.h"
#include "image/image.h"
#include "image/source.h"

enum {
    SINK_PIECE = 64 * 1024, /* zeros are looked for in pieces of this size */
    SINK_BUFFER = 256 * 1024,
    SINK_TABLE = 8192, /* entries of a table of places */
};

struct sink {
    struct file_out out;
    int fd; /* where the disk's bytes go: out.fd, or a file without a name (gce) */
    enum disk_format format;
    const struct sink_format *shape;
    const struct image_io *io; /* may be NULL */
    unsigned char *buffer; /* SINK_BUFFER bytes of the virtual disk from `base` */
    size_t used; /* bytes of the buffer that are written */
    uint64_t base; /* a multiple of SINK_BUFFER */
    uint64_t total_bytes; /* what progress is told; 0: not known */
    VEC(uint64_t *) tables; /* mapped formats: SINK_TABLE places each; NULL: all holes */
    uint64_t next; /* mapped formats: where the file's next cluster goes */
    XXH3_state_t *content; /* mapped formats: of all that was written, for their ids */
};

/* What a format is to the sink. */
struct sink_format {
    uint32_t cluster_bytes; /* 0: not mapped */
    uint32_t lead_bytes; /* in front of each cluster in the file */
    /* Sets `next`; `most_bytes` is the largest size that the disk may come to. */
    int (*begin)(struct sink *sink, uint64_t most_bytes, struct err *err);
    /* The disk's size in this format, at least size_bytes. NULL: the same. */
    uint64_t (*rounded)(uint64_t size_bytes);
    /* Writes what belongs to the format when all clusters are there. */
    int (*end)(struct sink *sink, uint64_t size_bytes, struct err *err);
};
extern const struct sink_format format_qcow2, format_vmdk, format_vdi, format_vhd, format_gce;

/* most_bytes: an upper bound of the disk's size. */
int sink_open(struct sink *sink, const char *path, enum disk_format format, uint64_t most_bytes,
              const struct image_io *io, struct err *err);
/* The virtual offset of the next byte. */
uint64_t sink_at(const struct sink *sink);
int sink_write(struct sink *sink, const void *bytes, size_t length, struct err *err);
/* Zeros up to the virtual offset `to`, which is not below sink_at. */
int sink_zero_to(struct sink *sink, uint64_t to, struct err *err);
/* The whole of a host file, which must have the size that was seen before and not change while it
 * is read. ERR_INPUT where the host file is to blame. */
int sink_file(struct sink *sink, const char *host, uint64_t size_bytes, struct err *err);
/* The next `length` bytes of an open source, from its byte `from` on; holes become zeros. */
int sink_source(struct sink *sink, struct source *source, uint64_t from, uint64_t length,
                struct err *err);
/* Changes bytes below sink_at. */
int sink_patch(struct sink *sink, uint64_t offset, const void *bytes, size_t length,
               struct err *err);
/* Puts bytes anywhere: below sink_at as sink_patch, behind it after zeros. */
int sink_put(struct sink *sink, uint64_t offset, const void *bytes, size_t length, struct err *err);
/* Reads back; what was not written is zeros. */
int sink_get(struct sink *sink, uint64_t offset, void *bytes, size_t length, struct err *err);
/* Ends the disk at `size_bytes` (not below sink_at) and puts the file in place. Frees the sink, on
 * error too; then the old file is as it was. */
int sink_finish(struct sink *sink, uint64_t size_bytes, struct err *err);
void sink_abandon(struct sink *sink);

/* For the formats: the place in the file of a virtual offset's cluster; 0 there: a hole. */
uint64_t *sink_place(struct sink *sink, uint64_t virtual);
/* A number for an id, the same for equal content; `which` tells several apart. */
uint64_t sink_id(const struct sink *sink, uint64_t which);

#endif
