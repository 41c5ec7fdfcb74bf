/* What the readers of ext (read_ext.c) and its checker (read_ext_check.c) share. */
#ifndef GANTRY_IMAGE_READ_EXT_H
#define GANTRY_IMAGE_READ_EXT_H

#include "image/read_fs.h"

enum {
    EXT_INODE = 128, /* bytes of an inode that are read */
    EXT_EXTENTS = 0x80000, /* flags of an inode */
    EXT_INLINE = 0x10000000,
    EXT_WIDE = 0x80, /* incompatible features: 64bit */
    EXT_META_BG = 0x10,
    EXT_JOURNAL = 0x4, /* compatible features */
    EXT_RESIZE = 0x10,
    EXT_SPARSE = 0x1, /* read-only features: backups in some groups only */
    EXT_UNINIT = 0x10,
    EXT_METADATA_SUM = 0x400,
    EXT_BIGALLOC = 0x200,
};

struct ext_volume {
    struct fs_reader *reader;
    uint32_t block_bytes, group_blocks, group_inodes, inode_bytes, group_bytes, groups, first_inode;
    uint64_t blocks, inodes, first_block, free_blocks, free_inodes;
    uint32_t compatible, incompatible, read_only;
    unsigned char *scratch; /* one block */
    unsigned char *visited; /* bit by inode number: in some directory */
    uint16_t *links; /* by inode - 1: names found; NULL unless it is checked */
    uint64_t lost_and_found; /* its inode, or 0 */
};
struct ext_group {
    uint64_t block_bitmap, inode_bitmap, inode_table;
    uint32_t free_blocks, free_inodes, flags;
};
/* Blocks of a file that lie together; physical 0: a hole. */
struct ext_run_read {
    uint64_t physical, count;
};

int ext_block(const struct ext_volume *v, uint64_t block, unsigned char *bytes);
int ext_group(const struct ext_volume *v, uint32_t group, struct ext_group *out);
int ext_inode(const struct ext_volume *v, uint64_t number, unsigned char inode[static EXT_INODE]);
uint64_t ext_inode_size(const unsigned char *inode);
int ext_map(struct ext_volume *v, const unsigned char *inode, uint64_t logical,
            struct ext_run_read *run);
/* Compares what was found with bitmaps, counts and links; findings go to the report. */
int ext_check(struct ext_volume *v);

#endif
