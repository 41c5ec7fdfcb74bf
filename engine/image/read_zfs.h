/*
 * ZFS pools of one disk, read by the numbers on it ("ZFS On-Disk Specification", Sun 2006; spa.h,
 * dmu.h, zap_impl.h, sa_impl.h of OpenSolaris). Shares nothing with the writer. Every block's
 * checksum is verified. Private to read_zfs*.c; one thread.
 */
#ifndef GANTRY_IMAGE_READ_ZFS_H
#define GANTRY_IMAGE_READ_ZFS_H

#include "base/vec.h"
#include "image/read_fs.h"

enum {
    Z_SECTOR = 512,
    Z_BP = 128, /* bytes of a block pointer */
    Z_DNODE = 512,
    Z_BLOCK_MOST = 16 << 20,
    Z_CACHE = 16, /* blocks */
    Z_OBJECTS_MOST = 1 << 28,
};

struct zblock {
    uint64_t place, birth; /* 0: unused */
    unsigned char *bytes;
    uint32_t length;
    uint64_t used_at;
};

struct zpool_read {
    struct fs_reader *reader;
    unsigned char root[Z_BP]; /* the uberblock's pointer */
    uint64_t version, txg;
    struct zblock cache[Z_CACHE];
    uint64_t clock;
    unsigned latest; /* of the cache, that was asked for */
    unsigned char *packed; /* Z_BLOCK_MOST at most, as it is on the disk */
    size_t packed_room;
    unsigned char *mos, *files; /* object sets: their first 1 KiB */
    unsigned char *visited; /* directories, bit by object */
    size_t visited_bytes;
    uint64_t sa_attributes; /* object, 0: none */
    struct {
        uint16_t attributes[64];
        unsigned count;
        bool known;
    } layouts[64];
    uint16_t attribute_length[256]; /* 0: variable */
    int attribute_mode, attribute_size, attribute_link, attribute_links; /* -1: not registered */
};

/* A block pointer's parts. */
uint64_t z_word(const unsigned char *bp, unsigned word);
bool z_is_hole(const unsigned char *bp);
uint32_t z_logical_bytes(const unsigned char *bp);
/* The block, new, checked and unpacked; the caller frees. NULL and err. */
unsigned char *z_read(struct zpool_read *pool, const unsigned char *bp, uint32_t *length);
/* The same for what is read again and again: it stays the pool's. */
const unsigned char *z_cached(struct zpool_read *pool, const unsigned char *bp, uint32_t *length);

/* A dnode's block: *bp points into the dnode or the cache; NULL there: a hole. */
int z_find(struct zpool_read *pool, const unsigned char *dnode, uint64_t number,
           const unsigned char **bp);
uint32_t z_block_bytes(const unsigned char *dnode);
uint64_t z_blocks(const unsigned char *dnode);
/* Bytes of an object's data. */
int z_data(struct zpool_read *pool, const unsigned char *dnode, uint64_t offset, void *bytes,
           size_t length);
/* Object `number` of a set; ERR_INPUT where it is none. */
int z_object(struct zpool_read *pool, const unsigned char *set, uint64_t number,
             unsigned char dnode[static Z_DNODE]);
const unsigned char *z_bonus(const unsigned char *dnode, size_t *length);

/* One entry of a ZAP; values are `count` big-endian integers of `width` bytes. -1 ends the walk. */
typedef int z_entry(void *data, const char *name, const unsigned char *values, unsigned width,
                    unsigned count);
int z_zap(struct zpool_read *pool, const unsigned char *dnode, z_entry *take, void *data);
/* One integer by its name; *found false where it is not there. */
int z_lookup(struct zpool_read *pool, const unsigned char *set, uint64_t object, const char *name,
             uint64_t *value, bool *found);

int z_damaged(const struct zpool_read *pool, const char *what);

/* Whether the space maps agree with the blocks in use. */
int z_check(struct zpool_read *pool);

#endif
