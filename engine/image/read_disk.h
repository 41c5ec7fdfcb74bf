/*
 * Reading disks: files of any format as one array of bytes. With the other read_*.c it is the
 * independent reader: it shares no code with the writers. Private to engine/image; one thread.
 */
#ifndef GANTRY_IMAGE_READ_DISK_H
#define GANTRY_IMAGE_READ_DISK_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "image/image.h"

struct disk_file;
/* Where the byte at a virtual offset is in the file (0: in a hole), how many bytes follow it there,
 * and whether they may be written in place. */
struct disk_mapped {
    uint64_t at, length;
    bool own;
};
typedef int disk_find(struct disk_file *disk, uint64_t offset, struct disk_mapped *mapped,
                      struct err *err);

struct disk_file {
    const char *path; /* the caller's */
    int fd;
    enum disk_format format;
    uint64_t virtual_bytes, file_bytes;
    disk_find *find; /* NULL: the file is the disk */
    /* vmdk, vdi, vhd: a table of blocks */
    uint32_t block_bytes, table_entries;
    uint64_t table_at, data_at;
    /* qcow2 */
    unsigned version, cluster_bits;
    uint64_t *level1; /* offsets of L2 tables with their flags */
    uint32_t level1_count;
    unsigned char *level2; /* one cluster: the table at level2_at */
    uint64_t level2_at; /* 0: none is loaded */
    uint64_t counts_at; /* reference count table */
    uint32_t counts_clusters, count_bits;
};

enum disk_access { DISK_READ, DISK_EDIT };
/* A zeroed struct is filled; closed by disk_close, after an error too. DISK_EDIT takes the locks that
 * QEMU takes, and fails where a VM has them. */
int disk_open(struct disk_file *disk, const char *path, enum disk_access access, struct err *err);
void disk_close(struct disk_file *disk);

/* Reads `length` bytes at a virtual offset; holes are zeros. Outside of the disk is an error. */
int disk_read(struct disk_file *disk, uint64_t offset, void *bytes, size_t length, struct err *err);
/* Overwrites bytes that the file has a place for; bytes already equal need none. */
int disk_overwrite(struct disk_file *disk, uint64_t offset, const void *bytes, size_t length,
                   struct err *err);

/* For the formats: bytes of the file itself; and taking in one that is neither raw nor qcow2 (0 where
 * it is none of those). */
int disk_file_read(const struct disk_file *disk, uint64_t at, void *bytes, size_t length,
                   struct err *err);
int disk_open_other(struct disk_file *disk, const unsigned char *head, struct err *err);

/* Appends a line to report for each thing that is wrong with the qcow2 tables. */
int disk_check_tables(struct disk_file *disk, struct str *report, struct err *err);

/* Numbers of `width` bytes, 1 to 8. Inline, and no loop: checks read millions. */
static inline uint64_t get_le(const unsigned char *at, unsigned width)
{
    uint64_t value = 0;
    memcpy(&value, at, width);
    return le64toh(value);
}

static inline uint64_t get_be(const unsigned char *at, unsigned width)
{
    uint64_t value = 0;
    memcpy((unsigned char *)&value + sizeof value - width, at, width);
    return be64toh(value);
}

#endif
