/* The same disk in another format: what the readers read goes into a sink. */
#include <stdlib.h>

#include "base/mem.h"
#include "image/read_disk.h"
#include "image/sink.h"

enum { PIECE = 256 * 1024 };

/* Bytes from `at` on that are a hole in the file, so that nothing has to be read; 0: data. */
static uint64_t hole(struct disk_file *disk, uint64_t at, struct err *err, int *status)
{
    struct disk_mapped mapped;
    *status = 0;
    if (!disk->find)
        return 0;
    *status = disk->find(disk, at, &mapped, err);
    return *status || mapped.at ? 0 : mapped.length;
}

static int copy(struct disk_file *disk, struct sink *sink, struct err *err)
{
    unsigned char *piece = mem_alloc(PIECE);
    int status = 0;
    for (uint64_t at = 0; at < disk->virtual_bytes && !status;) {
        uint64_t left = disk->virtual_bytes - at, skip = hole(disk, at, err, &status);
        size_t length = left < PIECE ? (size_t)left : PIECE;
        if (status)
            break;
        if (skip) {
            at += skip < left ? skip : left;
            status = sink_zero_to(sink, at, err);
            continue;
        }
        status = disk_read(disk, at, piece, length, err);
        if (!status)
            status = sink_write(sink, piece, length, err);
        at += length;
    }
    free(piece);
    return status;
}

int image_convert(const char *from, const char *path, enum disk_format format,
                  const struct image_io *io, struct err *err)
{
    struct disk_file disk;
    struct sink sink;
    int status = disk_open(&disk, from, DISK_READ, err);
    if (!status)
        status = sink_open(&sink, path, format, disk.virtual_bytes, io, err);
    if (!status) {
        sink.total_bytes = disk.virtual_bytes;
        status = copy(&disk, &sink, err);
        if (status)
            sink_abandon(&sink);
        else
            status = sink_finish(&sink, disk.virtual_bytes, err);
    }
    disk_close(&disk);
    return status;
}
