/*
 * Reading file systems out of a disk: each kind turns into the same flat list of files. Everything read is distrusted: offsets, counts and names come from a file that
 * anyone may have made. Private to engine/image; one thread.
 */
#ifndef GANTRY_IMAGE_READ_FS_H
#define GANTRY_IMAGE_READ_FS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "image/image.h"
#include "image/read_disk.h"

enum fs_kind { FS_NONE, FS_ROFS, FS_BOOTFS, FS_EXT, FS_ZFS, FS_KINDS };

struct fs_file {
    struct image_file file; /* strings in the arena */
    uint64_t at; /* virtual offset of the data in the disk, or the number of its inode or object */
};

struct fs_reader {
    struct disk_file *disk;
    uint64_t start, size_bytes; /* of the file system in the disk */
    struct arena arena;
    uint64_t path_bytes; /* of all paths so far */
    VEC(struct fs_file) files; /* in the order of the disk; sorted by fs_read */
    void *state; /* of the kind: what read_at needs; freed by `close` */
    int (*read_at)(struct fs_reader *reader, const struct fs_file *file, uint64_t offset,
                   void *bytes, size_t length); /* NULL: the data lies in one piece at `at` */
    void (*close)(struct fs_reader *reader);
    struct str *report; /* findings go here and reading goes on; NULL: the first one is an error */
    struct err *err;
};

/* What lies at `start`; FS_NONE where it is nothing known (or cannot be read). */
enum fs_kind fs_probe(struct disk_file *disk, uint64_t start, uint64_t size_bytes);
const char *fs_kind_name(enum fs_kind kind); /* "rofs", "ext", ... */
/* Bytes that the file system itself takes from its start; 0: not known. */
uint64_t fs_extent(struct disk_file *disk, enum fs_kind kind, uint64_t start);

/* Fills files, sorted by path. The caller fills disk, start, size_bytes, report and err of a zeroed
 * struct and frees it, after an error too. */
int fs_read(struct fs_reader *reader, enum fs_kind kind);
void fs_reader_free(struct fs_reader *reader);

/* For the kinds' own files: tells something wrong. 0: go on, it was reported; -1: stop. */
int fs_finding(struct fs_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Whether [at, at + length) lies in the file system; `at` counts from its start. */
bool fs_inside(const struct fs_reader *reader, uint64_t at, uint64_t length);
/* Bytes at `at` from the file system's start; outside or unreadable: -1 and err. */
int fs_bytes(struct fs_reader *reader, uint64_t at, void *bytes, size_t length);

/* Bytes of a file; [offset, offset + length) lies in it. */
int fs_file_read(struct fs_reader *reader, const struct fs_file *file, uint64_t offset, void *bytes,
                 size_t length);
/* A path below `dir` ("" for the root) in the arena; NULL and a finding (0) or an error (-1 in
 * *status) where the name is none or all paths together become too long. */
const char *fs_path(struct fs_reader *reader, const char *dir, const char *name, size_t length,
                    int *status);

int rofs_read(struct fs_reader *reader);
int ext_read(struct fs_reader *reader);
int zfs_read(struct fs_reader *reader);
int bootfs_read(struct fs_reader *reader);
/* Size of a bootfs, or 0 where the bytes are none. */
uint64_t bootfs_extent(struct disk_file *disk, uint64_t start, uint64_t size_bytes);

#endif
