/* What ext.c shares with ext_dir.c. */
#ifndef GANTRY_IMAGE_EXT_PRIVATE_H
#define GANTRY_IMAGE_EXT_PRIVATE_H

#include <ext2fs/ext2fs.h>

#include "image/guest_tree.h"
#include "image/sink.h"

enum { EXT_BLOCK = 4096, EXT_FIRST_INODE = 12 }; /* 11 is lost+found */

struct ext {
    struct sink *sink;
    uint64_t base; /* in the sink */
    ext2_filsys fs;
    const struct guest_tree *tree;
    blk64_t goal; /* where the next block is looked for */
    XXH3_state_t *content;
    struct err *err;
};

/* Blocks of a file that lie together. */
struct ext_run {
    uint64_t logical, physical, count;
};
typedef VEC(struct ext_run) ext_runs;

/* Takes `count` free blocks for the file's blocks from `logical` on. */
int ext_take(struct ext *ext, uint64_t logical, uint64_t count, ext_runs *runs);
/* Writes one block of a file system, by its number. */
int ext_put_block(struct ext *ext, uint64_t block, const void *bytes);
/* The inode of a directory and of a leaf. */
ext2_ino_t ext_directory(uint32_t directory);
ext2_ino_t ext_leaf(const struct ext *ext, uint32_t leaf);

/* Writes a directory's blocks: `children` are its names. Fills runs and the number of blocks; *hashed
 * where it has an index. */
int ext_put_directory(struct ext *ext, uint32_t directory, const struct guest_child *children,
                      size_t count, ext_runs *runs, bool *hashed);

#endif
