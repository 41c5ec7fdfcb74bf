/*
 * vhd, dynamic ("Virtual Hard Disk Image Format Specification", Microsoft 2006; block/vpc.c of
 * QEMU): a copy of the footer, a header, the table of blocks (u32, in sectors), blocks of 2 MiB with
 * a bitmap of 512 bytes before each, and the footer. Numbers are big endian. Sizes are whole MiB, as
 * Azure wants them.
 */
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "image/bytes.h"
#include "image/sink.h"

enum {
    SECTOR = 512,
    BLOCK = 2 * 1024 * 1024,
    TABLE_AT = 1536,
    FOOTER = 512,
    MEBIBYTE = 1024 * 1024,
};

static uint64_t table_bytes(uint64_t size_bytes)
{
    return round_up((size_bytes + BLOCK - 1) / BLOCK * 4, SECTOR);
}

static uint64_t rounded(uint64_t size_bytes)
{
    return round_up(size_bytes, MEBIBYTE);
}

static int begin(struct sink *sink, uint64_t most_bytes, struct err *err)
{
    if (most_bytes > UINT64_C(2040) << 30)
        return err_set(err, ERR_INPUT, "%s: a vhd holds 2040 GiB at most", sink->out.path);
    sink->next = TABLE_AT + table_bytes(rounded(most_bytes));
    return 0;
}

static void put_sum(unsigned char *bytes, size_t length, size_t at)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++)
        sum += bytes[i];
    put_be(bytes + at, ~sum, 4);
}

/* Cylinders, heads, sectors as the specification's appendix computes them. */
static void put_geometry(unsigned char *at, uint64_t sectors)
{
    enum { MOST = 65535 * 16 * 255 };
    uint64_t total = sectors > MOST ? MOST : sectors, per_track = 255, heads = 16, tracks;
    if (total >= UINT64_C(65535) * 16 * 63) {
        tracks = total / per_track;
    } else {
        per_track = 17;
        tracks = total / per_track;
        heads = (tracks + 1023) / 1024;
        if (heads < 4)
            heads = 4;
        if (tracks >= heads * 1024 || heads > 16)
            per_track = 31, heads = 16, tracks = total / per_track;
        if (tracks >= heads * 1024)
            per_track = 63, heads = 16, tracks = total / per_track;
    }
    put_be(at, tracks / heads, 2);
    at[2] = (unsigned char)heads;
    at[3] = (unsigned char)per_track;
}

static void make_footer(const struct sink *sink, uint64_t size_bytes, unsigned char *out)
{
    memset(out, 0, FOOTER);
    memcpy(out, "conectix", 8);
    put_be(out + 8, 2, 4); /* features: reserved, always set */
    put_be(out + 12, 0x10000, 4);
    put_be(out + 16, SECTOR, 8); /* the header */
    /* QEMU takes the size from here, and not from the geometry, where it knows the creator. */
    memcpy(out + 28, "qem2", 4);
    put_be(out + 32, 0x10000, 4);
    memcpy(out + 36, "Wi2k", 4);
    put_be(out + 40, size_bytes, 8);
    put_be(out + 48, size_bytes, 8);
    put_geometry(out + 56, size_bytes / SECTOR);
    put_be(out + 60, 3, 4); /* dynamic */
    put_be(out + 68, sink_id(sink, 0), 8);
    put_be(out + 76, sink_id(sink, 1), 8);
    put_sum(out, FOOTER, 64);
}

static int put_blocks(struct sink *sink, uint64_t blocks, struct err *err)
{
    unsigned char bitmap[SECTOR];
    size_t length = (size_t)table_bytes(blocks * BLOCK);
    unsigned char *table = mem_alloc(length + 1);
    memset(table, 0xff, length);
    memset(bitmap, 0xff, sizeof bitmap);
    int status = 0;
    for (uint64_t i = 0; i < blocks && !status; i++) {
        uint64_t place = 0;
        if (i / SINK_TABLE < sink->tables.len && sink->tables.at[i / SINK_TABLE])
            place = sink->tables.at[i / SINK_TABLE][i % SINK_TABLE];
        if (!place)
            continue;
        put_be(table + 4 * i, (place - SECTOR) / SECTOR, 4);
        status = file_pwrite(sink->fd, sink->out.path, bitmap, SECTOR, place - SECTOR, err);
    }
    if (!status)
        status = file_pwrite(sink->fd, sink->out.path, table, length, TABLE_AT, err);
    free(table);
    return status;
}

static int end(struct sink *sink, uint64_t size_bytes, struct err *err)
{
    unsigned char footer[FOOTER], head[1024] = "cxsparse";
    uint64_t blocks = (size_bytes + BLOCK - 1) / BLOCK;
    make_footer(sink, size_bytes, footer);
    memset(head + 8, 0xff, 8);
    put_be(head + 16, TABLE_AT, 8);
    put_be(head + 24, 0x10000, 4);
    put_be(head + 28, blocks, 4);
    put_be(head + 32, BLOCK, 4);
    put_sum(head, sizeof head, 36);
    if (put_blocks(sink, blocks, err) < 0 ||
        file_pwrite(sink->fd, sink->out.path, footer, FOOTER, 0, err) < 0 ||
        file_pwrite(sink->fd, sink->out.path, head, sizeof head, SECTOR, err) < 0)
        return -1;
    return file_pwrite(sink->fd, sink->out.path, footer, FOOTER, sink->next, err);
}

const struct sink_format format_vhd = {
    .cluster_bytes = BLOCK, .lead_bytes = SECTOR, .begin = begin, .rounded = rounded, .end = end};
