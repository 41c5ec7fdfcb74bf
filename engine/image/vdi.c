/*
 * vdi, dynamic (VDICore.h of VirtualBox; block/vdi.c of QEMU): a header of 512 bytes, the map of
 * blocks (u32 each, number of the block in the file), and from a multiple of 1 MiB on the blocks of
 * 1 MiB. The map stands in front, so room for the largest size that may come is kept.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "image/bytes.h"
#include "image/sink.h"

enum { BLOCK = 1024 * 1024, HEADER = 512, MAP_AT = 512 };
static const uint32_t no_block = UINT32_MAX;

static uint64_t data_at(uint64_t size_bytes)
{
    return round_up(MAP_AT + (size_bytes + BLOCK - 1) / BLOCK * 4, BLOCK);
}

static int begin(struct sink *sink, uint64_t most_bytes, struct err *err)
{
    (void)err;
    sink->next = data_at(most_bytes);
    return 0;
}

static int put_map(struct sink *sink, uint64_t first, uint64_t blocks, uint64_t *used,
                   struct err *err)
{
    unsigned char *map = mem_alloc((size_t)blocks * 4 + 1);
    *used = 0;
    for (uint64_t i = 0; i < blocks; i++) {
        uint64_t place = 0, value = no_block;
        if (i / SINK_TABLE < sink->tables.len && sink->tables.at[i / SINK_TABLE])
            place = sink->tables.at[i / SINK_TABLE][i % SINK_TABLE];
        if (place) {
            value = (place - first) / BLOCK;
            ++*used;
        }
        put_le(map + 4 * i, value, 4);
    }
    int status = file_pwrite(sink->fd, sink->out.path, map, (size_t)blocks * 4, MAP_AT, err);
    free(map);
    return status;
}

static int end(struct sink *sink, uint64_t size_bytes, struct err *err)
{
    uint64_t blocks = (size_bytes + BLOCK - 1) / BLOCK, used;
    /* The first block of data was placed by the upper bound; all blocks follow it. */
    uint64_t first = sink->next;
    for (size_t t = 0; t < sink->tables.len; t++)
        for (size_t i = 0; sink->tables.at[t] && i < SINK_TABLE; i++)
            if (sink->tables.at[t][i] && sink->tables.at[t][i] < first)
                first = sink->tables.at[t][i];
    if (MAP_AT + blocks * 4 > first)
        return err_set(err, ERR_SYSTEM, "%s: no room for the map of a vdi", sink->out.path);
    if (put_map(sink, first, blocks, &used, err) < 0)
        return -1;
    unsigned char head[HEADER] = "<<< Oracle VM VirtualBox Disk Image >>>\n";
    put_le(head + 64, 0xbeda107f, 4);
    put_le(head + 68, 0x00010001, 4); /* version 1.1 */
    put_le(head + 72, 0x190, 4); /* size of what follows here */
    put_le(head + 76, 1, 4); /* dynamic */
    put_le(head + 340, MAP_AT, 4);
    put_le(head + 344, first, 4);
    put_le(head + 360, 512, 4); /* sector */
    put_le(head + 368, size_bytes, 8);
    put_le(head + 376, BLOCK, 4);
    put_le(head + 384, blocks, 4);
    put_le(head + 388, used, 4);
    for (unsigned i = 0; i < 4; i++) /* of the image, and of its last change */
        put_le(head + 392 + 8 * (size_t)i, sink_id(sink, i), 8);
    for (unsigned i = 0; i < 2; i++) { /* as UUIDs of version 4 are marked */
        unsigned char *uuid = head + 392 + 16 * (size_t)i;
        uuid[7] = (unsigned char)((uuid[7] & 0x0f) | 0x40);
        uuid[8] = (unsigned char)((uuid[8] & 0x3f) | 0x80);
    }
    if (file_pwrite(sink->fd, sink->out.path, head, sizeof head, 0, err) < 0)
        return -1;
    return ftruncate(sink->fd, (off_t)sink->next) < 0
               ? err_errno(err, "cannot write %s", sink->out.path)
               : 0;
}

const struct sink_format format_vdi = {.cluster_bytes = BLOCK, .begin = begin, .end = end};
