/* The reference counts of a qcow2 file against what its tables refer to (docs/interop/qcow2.txt of
 * QEMU). A bitmap of one byte a cluster is filled from the tables and compared. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "image/read_disk.h"

#define PLACE_MASK UINT64_C(0x00fffffffffffe00)
#define MANY 255

struct counts {
    struct disk_file *disk;
    struct str *report;
    unsigned char *seen; /* references by cluster, MANY at most */
    uint64_t clusters;
    unsigned findings;
};

enum { FINDINGS_MAX = 20 };

static void find(struct counts *c, const char *what, uint64_t at)
{
    if (c->findings++ < FINDINGS_MAX)
        str_addf(c->report, "qcow2: %s at byte %llu\n", what, (unsigned long long)at);
}

/* Counts a reference to `length` bytes from `at`. */
static void refer(struct counts *c, uint64_t at, uint64_t length, const char *what)
{
    uint64_t cluster = UINT64_C(1) << c->disk->cluster_bits;
    if (at & (cluster - 1)) {
        find(c, "something begins inside of a cluster", at);
        return;
    }
    uint64_t first = at / cluster, count = (length + cluster - 1) / cluster;
    if (first >= c->clusters || count > c->clusters - first) {
        find(c, what, at);
        return;
    }
    for (uint64_t i = first; i < first + count; i++)
        if (c->seen[i] < MANY)
            c->seen[i]++;
}

static int count_tables(struct counts *c, struct err *err)
{
    struct disk_file *disk = c->disk;
    size_t cluster = (size_t)1 << disk->cluster_bits;
    unsigned char *table = mem_alloc(cluster);
    int status = 0;
    for (uint32_t i = 0; i < disk->level1_count && !status; i++) {
        uint64_t at = disk->level1[i] & PLACE_MASK;
        if (!at)
            continue;
        unsigned before = c->findings;
        refer(c, at, cluster, "an L2 table lies behind the end of the file");
        if (c->findings != before)
            continue;
        ssize_t got = pread(disk->fd, table, cluster, (off_t)at);
        if (got < 0 || (size_t)got != cluster) {
            find(c, "an L2 table is cut off", at);
            continue;
        }
        for (size_t k = 0; k < cluster / 8; k++) {
            uint64_t entry = get_be(table + 8 * k, 8);
            if (entry >> 62 & 1)
                status = err_set(err, ERR_INPUT, "%s: qcow2 with compressed clusters", disk->path);
            else if (entry & PLACE_MASK)
                refer(c, entry & PLACE_MASK, cluster, "a cluster lies behind the end of the file");
        }
    }
    free(table);
    return status;
}

/* The count that the file keeps for a cluster; blocks are loaded one at a time. */
static void compare_counts(struct counts *c)
{
    struct disk_file *disk = c->disk;
    size_t cluster = (size_t)1 << disk->cluster_bits;
    uint64_t per_block = cluster * 8 / disk->count_bits;
    unsigned char *block = mem_alloc(cluster), place[8];
    for (uint64_t first = 0; first < c->clusters; first += per_block) {
        uint64_t index = first / per_block;
        memset(block, 0, cluster);
        uint64_t at = 0;
        if (index * 8 + 8 <= (uint64_t)disk->counts_clusters * cluster &&
            pread(disk->fd, place, 8, (off_t)(disk->counts_at + index * 8)) == 8)
            at = get_be(place, 8) & PLACE_MASK;
        if (at && pread(disk->fd, block, cluster, (off_t)at) < (ssize_t)cluster)
            find(c, "a block of reference counts is cut off", at);
        for (uint64_t i = 0; i < per_block && first + i < c->clusters; i++) {
            uint64_t count;
            if (disk->count_bits >= 8)
                count = get_be(block + i * (disk->count_bits / 8), disk->count_bits / 8);
            else
                count = (unsigned)block[i * disk->count_bits / 8] >> (i * disk->count_bits % 8) &
                        ((1u << disk->count_bits) - 1);
            if (count < c->seen[first + i])
                find(c, "a cluster is used more often than it is counted", (first + i) * cluster);
            else if (count > c->seen[first + i])
                find(c, "a cluster is counted but not used", (first + i) * cluster);
        }
    }
    free(block);
}

/* The blocks that the table of reference counts names, a cluster of the table at a time. */
static void refer_to_blocks(struct counts *c, size_t cluster)
{
    struct disk_file *disk = c->disk;
    unsigned char *table = mem_alloc(cluster);
    for (uint64_t i = 0; i < disk->counts_clusters; i++) {
        ssize_t got = pread(disk->fd, table, cluster, (off_t)(disk->counts_at + i * cluster));
        if (got <= 0)
            break;
        for (size_t at = 0; at + 8 <= (size_t)got; at += 8)
            if (get_be(table + at, 8) & PLACE_MASK)
                refer(c, get_be(table + at, 8) & PLACE_MASK, cluster,
                      "a block of reference counts lies behind the end of the file");
    }
    free(table);
}

int disk_check_tables(struct disk_file *disk, struct str *report, struct err *err)
{
    if (disk->format != DISK_QCOW2)
        return 0;
    size_t cluster = (size_t)1 << disk->cluster_bits;
    struct counts c = {.disk = disk, .report = report};
    c.clusters = (disk->file_bytes + cluster - 1) / cluster;
    c.seen = mem_zero(c.clusters + 1, 1);
    unsigned char header[48];
    int status = pread(disk->fd, header, sizeof header, 0) == (ssize_t)sizeof header ? 0 : -1;
    if (status)
        err_set(err, ERR_INPUT, "%s is cut off", disk->path);
    if (!status) {
        refer(&c, 0, cluster, "the header is cut off");
        refer(&c, get_be(header + 40, 8), (uint64_t)disk->level1_count * 8,
              "the L1 table is cut off");
        refer(&c, disk->counts_at, (uint64_t)disk->counts_clusters * cluster,
              "the reference count table is cut off");
        status = count_tables(&c, err);
    }
    if (!status) {
        refer_to_blocks(&c, cluster);
        compare_counts(&c);
    }
    if (c.findings > FINDINGS_MAX)
        str_addf(report, "qcow2: and %u more\n", c.findings - FINDINGS_MAX);
    free(c.seen);
    return status;
}
