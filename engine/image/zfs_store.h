/*
 * Blocks of a pool being written: allocation, checksums, block pointers, and the tree of indirect
 * blocks over an object's data, made as the data streams by. Private to zfs*.c; one thread.
 */
#ifndef GANTRY_IMAGE_ZFS_STORE_H
#define GANTRY_IMAGE_ZFS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <xxhash.h>

#include "base/err.h"
#include "base/vec.h"
#include "image/image.h"
#include "image/sink.h"

enum {
    ZFS_SECTOR = 512,
    ZFS_RECORD = 128 * 1024, /* largest block */
    ZFS_INDIRECT_SHIFT = 14, /* OSv takes no larger one */
    ZFS_INDIRECT = 1 << ZFS_INDIRECT_SHIFT,
    ZFS_POINTERS = ZFS_INDIRECT / 128, /* in an indirect block */
    ZFS_LEVELS = 7, /* of a meta-dnode; enough for 2^64 bytes */
    ZFS_TXG = 4, /* birth of every block */
};

/* blkptr_t; all zero is a hole. */
struct zfs_bp {
    uint64_t words[16];
};
enum { BP_PROP = 6, BP_BIRTH = 10, BP_FILL = 11, BP_CHECKSUM = 12 };

/* Object types (dmu.h). */
enum zfs_type {
    OT_OBJECT_DIRECTORY = 1,
    OT_OBJECT_ARRAY = 2,
    OT_PACKED_NVLIST = 3,
    OT_NVLIST_SIZE = 4,
    OT_BPLIST = 5,
    OT_BPLIST_HDR = 6,
    OT_SPACE_MAP_HEADER = 7,
    OT_SPACE_MAP = 8,
    OT_DNODE = 10,
    OT_OBJSET = 11,
    OT_DSL_DIR = 12,
    OT_DSL_DIR_CHILD_MAP = 13,
    OT_DSL_SNAP_MAP = 14,
    OT_DSL_PROPS = 15,
    OT_DSL_DATASET = 16,
    OT_ZNODE = 17,
    OT_FILE_CONTENTS = 19,
    OT_DIRECTORY_CONTENTS = 20,
    OT_MASTER_NODE = 21,
    OT_UNLINKED_SET = 22,
    OT_POOL_PROPS = 31,
    OT_NEXT_CLONES = 37,
    OT_SA = 44,
    OT_SA_MASTER_NODE = 45,
    OT_SA_ATTR_REGISTRATION = 46,
    OT_SA_ATTR_LAYOUTS = 47,
    OT_DEADLIST = 50,
    OT_DEADLIST_HDR = 51,
    OT_DSL_CLONES = 52,
    OT_ZAP = 0xC4,
};

enum zfs_packing { PACK_NONE, PACK_ZLE, PACK_LZ4 };

/* The allocated end of the vdev's data space, and gaps that were skipped so that no block straddles
 * two metaslabs. All offsets count from the end of the front labels. */
struct zfs_gap {
    uint64_t start, end;
};
struct zfs_store {
    struct sink *sink;
    uint64_t base; /* where the vdev begins in the sink */
    const char *path; /* for messages */
    uint64_t usable_bytes; /* whole metaslabs */
    unsigned metaslab_shift;
    uint64_t cursor;
    VEC(struct zfs_gap) gaps;
    XXH3_state_t *content; /* of the checksums of all blocks so far */
    struct err *err; /* filled by whoever fails first */
    uint8_t *packed; /* room for one packed block */
};

/* Allocates, packs where that saves an eighth, checksums and writes `lsize` bytes (a multiple of
 * the sector, padded by the caller). `space` grows by what it takes. */
int store_write(struct zfs_store *store, const void *block, uint32_t lsize, enum zfs_type type,
                unsigned level, uint64_t fill, enum zfs_packing packing, uint64_t *space,
                struct zfs_bp *bp);

/* A dnode_phys_t in the making. */
struct zfs_dnode {
    uint8_t type, bonus_type, levels;
    uint16_t bonus_bytes;
    uint32_t block_bytes;
    uint64_t last_block, used_bytes;
    struct zfs_bp bp; /* root of the tree */
    struct zfs_bp spill; /* birth 0: none */
    uint8_t bonus[320];
};
void dnode_pack(const struct zfs_dnode *dnode, uint8_t out[static 512]);

/* The data of one object, given block by block. */
struct zfs_tree {
    struct zfs_store *store;
    enum zfs_type type;
    uint32_t block_bytes;
    uint64_t blocks, space;
    struct zfs_bp *pointers[ZFS_LEVELS]; /* the open indirect block of each level */
    unsigned count[ZFS_LEVELS]; /* pointers in it */
    uint64_t total[ZFS_LEVELS]; /* pointers ever put in at this level */
};
void zfs_tree_begin(struct zfs_tree *tree, struct zfs_store *store, enum zfs_type type,
                    uint32_t block_bytes);
/* The next block; NULL is a hole. fill: blocks it counts for (1, or dnodes in use). */
int zfs_tree_block(struct zfs_tree *tree, const void *block, uint64_t fill,
                   enum zfs_packing packing);
/* Closes the tree into the dnode (at least `levels` levels) and frees what the tree holds. */
int zfs_tree_end(struct zfs_tree *tree, unsigned levels, struct zfs_dnode *dnode);
void zfs_tree_abandon(struct zfs_tree *tree);
/* All of it at once, in blocks of block_bytes, the last one zero-padded. */
int zfs_tree_write(struct zfs_store *store, const void *bytes, uint64_t length,
                   uint32_t block_bytes, struct zfs_dnode *dnode);

#endif
