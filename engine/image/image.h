/*
 * Images: file systems, loaders and disks, written and read in-process, unprivileged, to the bit the
 * same everywhere. Layouts: FORMATS.md and the sources it names. Writers take a resolved manifest
 * and write through struct file_out, so a failed run leaves the old image. Any thread.
 */
#ifndef GANTRY_IMAGE_IMAGE_H
#define GANTRY_IMAGE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "manifest/manifest.h"

/* Progress and cancelling, both may be NULL. */
struct image_io {
    void *data;
    void (*progress)(void *data, uint64_t done_bytes, uint64_t total_bytes);
    bool (*stopped)(void *data);
};

/* bootfs as OSv HEAD reads it: 128-byte records, all-zero end, data packed. */
int bootfs_write(const char *path, const struct manifest_list *list, const struct image_io *io,
                 struct err *err);
/* ROFS of OSv. */
int rofs_write(const char *path, const struct manifest_list *list, const struct image_io *io,
               struct err *err);

/* Puts a bootfs where a program (loader.elf) was linked with one that had a reserve, without linking
 * it again: the reserve begins at the symbol, and its own end says how large it is. `path` may be the
 * program itself. */
struct image_embed {
    const char *program, *file;
    const char *symbol; /* OSv: "bootfs_start" */
};
int image_embed(const char *path, const struct image_embed *embed, struct err *err);

/* Raw LZ4 block behind two u32: raw size, packed size (the bundled kernel's loader format). */
int loader_compress(const char *input, const char *output, struct err *err);

/* The same in OSv's formats, which fastlz/lzloader.cc unpacks: LOADER_FASTLZ in segments of 1 MiB with
 * a table, LOADER_FASTLZ_2014 in one stream. */
enum loader_format { LOADER_LZ4, LOADER_FASTLZ, LOADER_FASTLZ_2014 };
int loader_fastlz(const char *input, const char *output, enum loader_format format,
                  struct err *err);

/* A disk: files at offsets, partitions, a size field, boot arguments. */
enum {
    DISK_PARTS_MAX = 16,
    DISK_SIZE_OF_WHOLE = 255, /* size_of: the disk itself, all of its length */
};
struct disk_part {
    const char *file;
    uint64_t offset; /* bytes; UINT64_MAX: next multiple of align, at least align itself */
    unsigned partition; /* 1-4, or 0 for none */
};
enum disk_format { DISK_RAW, DISK_QCOW2, DISK_VMDK, DISK_VDI, DISK_VHD, DISK_GCE, DISK_FORMATS };
struct disk_layout {
    struct disk_part parts[DISK_PARTS_MAX];
    unsigned parts_count;
    uint64_t align, pad; /* bytes; pad: the end of what is before the partitions; 0: 2 MiB, none */
    uint64_t size_field, size_unit; /* where the size of parts[size_of] goes, in units rounded up */
    unsigned size_width,
        size_of; /* bytes of the field (0: none); index of the part or DISK_SIZE_OF_WHOLE */
    uint64_t cmdline_at; /* 0: no boot arguments */
    const char *cmdline;
    enum disk_format format;
};
int disk_write(const char *path, const struct disk_layout *layout, const struct image_io *io,
               struct err *err);

/* File systems as volumes of a disk, put there straight from manifests. */
enum image_fs { IMAGE_ROFS, IMAGE_ZFS, IMAGE_EXT, IMAGE_RAMFS, IMAGE_FS_KINDS };
struct image_volume {
    enum image_fs fs;
    const struct manifest_list *list; /* NULL: empty */
    unsigned partition; /* 1-4; 0: none, the volume is the image's only one */
    uint64_t size_bytes; /* 0: what it needs; a ROFS has no other size; RAMFS: a reserve, so that
                            image_embed can put another in its place */
    uint32_t align; /* ROFS: where files begin, a multiple of 512; 0: 512, as OSv's script */
    bool dedup; /* ROFS: files of equal content are stored once */
    bool compress; /* ZFS: LZ4 */
    bool
        records_2014; /* RAMFS: bootfs as the kernel of 2014 reads it: no links, names of 111 bytes */
    const char *dataset; /* ZFS: below the pool; "": the pool's own */
};
enum { IMAGE_VOLUMES_MAX = 4 };
enum image_table { IMAGE_TABLE_OSV, IMAGE_TABLE_STANDARD }; /* how cylinders are packed */
/* loader.img at 0 and volumes behind it, the first one at the loader's size rounded up to `align`
 * (0: 2 MiB), as OSv HEAD lays it out. A volume without a partition is the whole image. */
struct image_pack {
    const char *loader; /* loader.img; NULL: a disk for a kernel that is loaded otherwise */
    struct image_volume volumes[IMAGE_VOLUMES_MAX];
    unsigned volumes_count;
    const char *cmdline; /* NULL: what the loader has */
    uint64_t align;
    uint64_t size_bytes; /* of the disk: the last volume fills it; 0: what is needed */
    enum image_table table;
    enum disk_format format;
};
int image_pack(const char *path, const struct image_pack *pack, const struct image_io *io,
               struct err *err);

/* Boot arguments of a raw or qcow2 image, in place: one NUL-ended string at 0x200. */
enum { IMAGE_CMDLINE_AT = 0x200, IMAGE_CMDLINE_MAX = 1023 };
char *image_args(const char *path, struct err *err); /* the caller frees */
/* Refuses more than IMAGE_CMDLINE_MAX bytes, naming the limit, and an image that a VM holds. */
int image_set_args(const char *path, const char *cmdline, struct err *err);

/* A raw or qcow2 image with other arguments, itself left alone: a qcow2 in memory over it. Its descriptor
 * (close-on-exec; /proc/PID/fd/N while we live), or -1. */
int image_overlay(const char *path, const char *cmdline, struct err *err);

/* The same, and what was there before is remembered for the user. */
int image_change_args(const char *path, const char *cmdline, struct err *err);
/* Takes the latest remembered change back; none is an error. */
int image_undo_args(const char *path, struct err *err);
struct image_past {
    int64_t at_s; /* when it was replaced, since 1970 */
    char *args;
};
struct image_history {
    VEC(struct image_past) past; /* oldest first */
};
/* A zeroed struct is filled; the caller frees it, after an error too. */
int image_args_history(const char *path, struct image_history *history, struct err *err);
void image_history_free(struct image_history *history);

/* The same disk in another format. Holes stay holes. */
int image_convert(const char *from, const char *path, enum disk_format format,
                  const struct image_io *io, struct err *err);

/* What an image is made of. */
struct image_part {
    char name[64]; /* "boot sector", "command line", "loader", "partition 2" */
    char kind[32]; /* "code", "text", "elf", "rofs", "bootfs", ... */
    uint64_t offset, size_bytes;
};
struct image_info {
    enum disk_format format;
    uint64_t virtual_bytes, file_bytes;
    char *cmdline; /* NULL where it has none */
    uint64_t kernel_bytes; /* that the loader unpacks; 0: not known */
    uint64_t kernel_most; /* that fit below the loader; 0: no such limit */
    VEC(struct image_part) parts; /* by offset */
};
/* info is zeroed by the caller, and freed by him on error too. */
int image_info(const char *path, struct image_info *info, struct err *err);
void image_info_free(struct image_info *info);

/* Reading back, by code that shares nothing with the writers. */
struct image_file {
    const char *path;
    enum entry_kind kind;
    uint64_t size_bytes;
    uint32_t mode; /* permission bits; 0 where the file system has none */
    const char *target; /* of a symlink */
};
struct image_listing {
    struct arena arena;
    VEC(struct image_file) files; /* sorted by path */
};
/* Lists the first file system of a disk that can be read, or a bare rofs or bootfs file. The listing
 * is zeroed by the caller, and freed by him on error too. */
int image_list(const char *path, struct image_listing *listing, struct err *err);
void image_listing_free(struct image_listing *listing);
/* Gives a file's bytes to `take`, in order and in pieces; -1 from it ends the reading. Links are
 * followed inside of the image. */
typedef int image_take(void *data, const void *bytes, size_t length, struct err *err);
int image_get(const char *path, const char *guest, image_take *take, void *data, struct err *err);
/* Appends the file's bytes to out. */
int image_cat(const char *path, const char *guest, struct str *out, struct err *err);

/* What differs from image `a` to image `b`, by path. */
enum image_change_kind {
    CHANGE_ADDED,
    CHANGE_GONE,
    CHANGE_KIND,
    CHANGE_SIZE,
    CHANGE_CONTENT,
    CHANGE_MODE
};
struct image_change {
    const char *path;
    enum image_change_kind kind;
    uint64_t old_bytes, new_bytes;
};
struct image_changes {
    struct arena arena;
    VEC(struct image_change) changes; /* sorted by path */
};
int image_compare(const char *a, const char *b, struct image_changes *changes, struct err *err);
void image_changes_free(struct image_changes *changes);

/* Checks structure and bounds of everything that is known; findings are lines in `report`, which
 * stays empty where all is well. A packed kernel is unpacked, must fit where its loader puts it, and
 * is compared with `stripped`; NULL: with a loader-stripped.elf beside the image, if there is one. -1
 * where the file cannot be read at all. */
int image_check(const char *path, const char *stripped, struct str *report, struct err *err);

#endif
