/* What the readers of whole images share: the parts of a disk. Private to engine/image. */
#ifndef GANTRY_IMAGE_READ_IMAGE_H
#define GANTRY_IMAGE_READ_IMAGE_H

#include "image/read_fs.h"

struct part {
    struct image_part shown;
    enum fs_kind fs; /* FS_NONE: no file system */
    unsigned partition; /* 1 to 4; 0: none */
};
struct part_list {
    VEC(struct part) parts; /* by offset */
    char *cmdline; /* new, or NULL */
};

/* Finds the parts of an open disk. */
int image_parts(struct disk_file *disk, struct part_list *list, struct err *err);
void image_parts_free(struct part_list *list);

/* Opens the first file system that can be read; `reader` is zeroed by the caller and freed by him. */
int image_open_fs(struct disk_file *disk, struct fs_reader *reader, struct err *err);
/* Reads one file of it, in pieces. */
int image_read_file(struct fs_reader *reader, const struct fs_file *file, image_take *take,
                    void *data, struct err *err);

/* A loader in a disk, and what its kernel must be. */
struct loader_place {
    uint64_t offset, size_bytes;
    const char *stripped; /* NULL: nothing to compare with */
    bool must; /* it was asked for: no packed kernel is a finding */
};
int loader_check(struct disk_file *disk, const struct loader_place *place, struct str *report,
                 struct err *err);
/* Bytes of the kernel that a loader unpacks, and how many at most fit below the loader; 0: not known,
 * or no limit. */
void loader_limits(struct disk_file *disk, const struct loader_place *place, uint64_t *bytes,
                   uint64_t *most);
/* The packed bytes in an ELF file, NULL where it has none; and what they unpack to, new, NULL where
 * they are none. */
const unsigned char *loader_packed(const unsigned char *bytes, size_t length, size_t *packed_bytes);
unsigned char *loader_unpack(const unsigned char *packed, size_t length, size_t *made);

#endif
