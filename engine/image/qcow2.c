/*
 * qcow2, version 3, 64 KiB clusters, 16-bit reference counts, no features. The file is: header, data
 * clusters in the order of the virtual disk, L2 tables, L1 table, reference count table and blocks.
 * Every cluster of the file is used once.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "image/bytes.h"
#include "image/sink.h"

enum {
    CLUSTER = 64 * 1024,
    CLUSTER_BITS = 16,
    TABLE_ENTRIES = CLUSTER / 8, /* of an L2 table */
    COUNTS = CLUSTER / 2, /* of a reference count block */
    HEADER_BYTES = 104,
};
_Static_assert((int)TABLE_ENTRIES == (int)SINK_TABLE, "a sink's table is an L2 table");
#define COPIED (UINT64_C(1) << 63) /* reference count is 1: may be written in place */

static int put_cluster(struct sink *sink, const unsigned char *bytes, uint64_t at, struct err *err)
{
    return file_pwrite(sink->fd, sink->out.path, bytes, CLUSTER, at, err);
}

static uint64_t take_cluster(struct sink *sink)
{
    uint64_t at = sink->next;
    sink->next += CLUSTER;
    return at;
}

/* Writes the L2 tables, and fills the L1 table with where they are. */
static int write_tables(struct sink *sink, unsigned char *level1, struct err *err)
{
    unsigned char *bytes = sink->buffer;
    for (size_t i = 0; i < sink->tables.len; i++) {
        if (!sink->tables.at[i])
            continue;
        for (size_t k = 0; k < TABLE_ENTRIES; k++) {
            uint64_t at = sink->tables.at[i][k];
            put_be(bytes + 8 * k, at ? at | COPIED : 0, 8);
        }
        uint64_t at = take_cluster(sink);
        put_be(level1 + 8 * i, at | COPIED, 8);
        if (put_cluster(sink, bytes, at, err) < 0)
            return -1;
    }
    return 0;
}

/* Writes the reference counts: `blocks` of them behind a table of `table_clusters` at `at`; every
 * cluster up to the last block's counts 1. */
static int write_counts(struct sink *sink, uint64_t at, uint64_t table_clusters, uint64_t blocks,
                        struct err *err)
{
    unsigned char *bytes = sink->buffer;
    uint64_t first_block = at + table_clusters * CLUSTER;
    uint64_t used = first_block / CLUSTER + blocks;
    for (uint64_t t = 0; t < table_clusters; t++) {
        memset(bytes, 0, CLUSTER);
        for (uint64_t k = 0; k < TABLE_ENTRIES && t * TABLE_ENTRIES + k < blocks; k++)
            put_be(bytes + 8 * k, first_block + (t * TABLE_ENTRIES + k) * CLUSTER, 8);
        if (put_cluster(sink, bytes, at + t * CLUSTER, err) < 0)
            return -1;
    }
    for (uint64_t b = 0; b < blocks; b++) {
        for (uint64_t k = 0; k < COUNTS; k++)
            put_be(bytes + 2 * k, b * COUNTS + k < used ? 1 : 0, 2);
        if (put_cluster(sink, bytes, first_block + b * CLUSTER, err) < 0)
            return -1;
    }
    return 0;
}

static int end(struct sink *sink, uint64_t size_bytes, struct err *err)
{
    uint64_t per_table = (uint64_t)TABLE_ENTRIES * CLUSTER;
    uint64_t entries = (size_bytes + per_table - 1) / per_table;
    uint64_t level1_clusters = (entries * 8 + CLUSTER - 1) / CLUSTER;
    if (!level1_clusters)
        level1_clusters = 1;
    size_t level1_bytes = (size_t)(level1_clusters * CLUSTER);
    unsigned char *level1 = mem_zero(1, level1_bytes);
    int status = write_tables(sink, level1, err);
    uint64_t level1_at = sink->next;
    sink->next += level1_bytes;
    if (!status)
        status = file_pwrite(sink->fd, sink->out.path, level1, level1_bytes, level1_at, err);
    free(level1);

    uint64_t counts_at = sink->next, clusters = counts_at / CLUSTER, blocks = 1, table_clusters = 1;
    while (clusters + table_clusters + blocks > blocks * COUNTS) {
        blocks++;
        table_clusters = (blocks + TABLE_ENTRIES - 1) / TABLE_ENTRIES;
    }
    if (!status)
        status = write_counts(sink, counts_at, table_clusters, blocks, err);

    unsigned char header[HEADER_BYTES] = "QFI\xfb";
    put_be(header + 4, 3, 4);
    put_be(header + 20, CLUSTER_BITS, 4);
    put_be(header + 24, size_bytes, 8);
    put_be(header + 36, entries, 4);
    put_be(header + 40, level1_at, 8);
    put_be(header + 48, counts_at, 8);
    put_be(header + 56, table_clusters, 4);
    put_be(header + 96, 4, 4); /* reference counts of 1 << 4 bits */
    put_be(header + 100, HEADER_BYTES, 4);
    if (!status)
        status = file_pwrite(sink->fd, sink->out.path, header, sizeof header, 0, err);
    /* The last data cluster may have been written in part. */
    uint64_t file_end = counts_at + (table_clusters + blocks) * CLUSTER;
    if (!status && ftruncate(sink->fd, (off_t)file_end) < 0)
        status = err_errno(err, "cannot write %s", sink->out.path);
    return status;
}

static int begin(struct sink *sink, uint64_t most_bytes, struct err *err)
{
    (void)most_bytes, (void)err;
    sink->next = CLUSTER; /* the header's */
    return 0;
}

const struct sink_format format_qcow2 = {.cluster_bytes = CLUSTER, .begin = begin, .end = end};
