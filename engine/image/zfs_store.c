#include "image/zfs_store.h"

#include <lz4.h>
#include <string.h>

#include "base/mem.h"

enum { LABELS_FRONT = 4 << 20 };
enum { CHECKSUM_FLETCHER4 = 7, COMPRESS_OFF = 2, COMPRESS_ZLE = 14, COMPRESS_LZ4 = 15 };

static void fletcher4(const void *bytes, size_t length, uint64_t out[static 4])
{
    uint64_t a = 0, b = 0, c = 0, d = 0;
    for (const uint8_t *p = bytes, *end = p + length; p < end; p += 4) {
        uint32_t word;
        memcpy(&word, p, 4);
        a += word;
        b += a;
        c += b;
        d += c;
    }
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

/* Bump allocation; a block never straddles two metaslabs. */
static int allocate(struct zfs_store *store, uint32_t size, uint64_t *offset)
{
    uint64_t end = store->cursor + size - 1;
    if (store->cursor >> store->metaslab_shift != end >> store->metaslab_shift) {
        uint64_t next = (end >> store->metaslab_shift) << store->metaslab_shift;
        vec_push(&store->gaps, (struct zfs_gap){store->cursor, next});
        store->cursor = next;
    }
    *offset = store->cursor;
    store->cursor += size;
    if (store->cursor <= store->usable_bytes)
        return 0;
    return err_set(store->err, ERR_INPUT,
                   "%s: the files do not fit into the ZFS pool: give a larger size", store->path);
}

/*
 * Zero-length encoding (zle.c of illumos, level 64): a byte below 64 is followed by that many and
 * one literal bytes, a larger one stands for that many less 63 zeros.
 */
static uint32_t pack_zle(const uint8_t *in, uint32_t length, uint8_t *out, uint32_t room)
{
    enum { LITERALS = 64, ZEROS = 256 - LITERALS };
    uint32_t used = 0;
    for (uint32_t at = 0; at < length;) {
        uint32_t run = 0;
        while (at + run < length && run < ZEROS && !in[at + run])
            run++;
        if (run >= 2 || (run && at + run == length)) {
            if (used + 1 > room)
                return 0;
            out[used++] = (uint8_t)(run - 1 + LITERALS);
            at += run;
            continue;
        }
        run = 0;
        while (at + run < length && run < LITERALS &&
               !(at + run + 1 < length && !in[at + run] && !in[at + run + 1]))
            run++;
        if (used + 1 + run > room)
            return 0;
        out[used++] = (uint8_t)(run - 1);
        memcpy(out + used, in + at, run);
        used += run;
        at += run;
    }
    return used;
}

/* ZFS keeps the packed length in front of an LZ4 block, big endian. */
static uint32_t pack_lz4(const uint8_t *in, uint32_t length, uint8_t *out, uint32_t room)
{
    if (room <= 4)
        return 0;
    int packed =
        LZ4_compress_default((const char *)in, (char *)out + 4, (int)length, (int)room - 4);
    if (packed <= 0)
        return 0;
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)((uint32_t)packed >> (24 - 8 * i));
    return (uint32_t)packed + 4;
}

int store_write(struct zfs_store *store, const void *block, uint32_t lsize, enum zfs_type type,
                unsigned level, uint64_t fill, enum zfs_packing packing, uint64_t *space,
                struct zfs_bp *bp)
{
    uint32_t psize = lsize;
    uint64_t method = COMPRESS_OFF;
    uint32_t room = lsize - (lsize >> 3);
    if (packing != PACK_NONE && lsize > ZFS_SECTOR) {
        uint32_t packed = packing == PACK_LZ4 ? pack_lz4(block, lsize, store->packed, room)
                                              : pack_zle(block, lsize, store->packed, room);
        uint32_t whole = (packed + ZFS_SECTOR - 1) / ZFS_SECTOR * ZFS_SECTOR;
        if (packed && whole < lsize) {
            memset(store->packed + packed, 0, whole - packed);
            block = store->packed;
            psize = whole;
            method = packing == PACK_LZ4 ? COMPRESS_LZ4 : COMPRESS_ZLE;
        }
    }
    uint64_t offset;
    if (allocate(store, psize, &offset) < 0 ||
        sink_put(store->sink, store->base + LABELS_FRONT + offset, block, psize, store->err) < 0)
        return -1;
    *space += psize;
    *bp = (struct zfs_bp){0};
    bp->words[0] = psize / ZFS_SECTOR;
    bp->words[1] = offset / ZFS_SECTOR;
    bp->words[BP_PROP] = (uint64_t)(lsize / ZFS_SECTOR - 1) |
                         (uint64_t)(psize / ZFS_SECTOR - 1) << 16 | method << 32 |
                         (uint64_t)CHECKSUM_FLETCHER4 << 40 | (uint64_t)type << 48 |
                         (uint64_t)level << 56 | (uint64_t)1 << 63;
    bp->words[BP_BIRTH] = ZFS_TXG;
    bp->words[BP_FILL] = fill;
    fletcher4(block, psize, &bp->words[BP_CHECKSUM]);
    XXH3_128bits_update(store->content, &bp->words[BP_CHECKSUM], 32);
    return 0;
}

static void put_u16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, sizeof value);
}

static void put_u64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

void dnode_pack(const struct zfs_dnode *dnode, uint8_t out[static 512])
{
    enum { USED_BYTES = 1, SPILL = 4 };
    memset(out, 0, 512);
    bool spilled = dnode->spill.words[BP_BIRTH] != 0;
    /* As dnode_allocate: a bonus of attributes leaves one pointer, any other what is free. */
    unsigned pointers = dnode->bonus_type == OT_SA ? 1 : 1u + ((320u - dnode->bonus_bytes) >> 7);
    out[0] = dnode->type;
    out[1] = ZFS_INDIRECT_SHIFT;
    out[2] = dnode->levels;
    out[3] = (uint8_t)pointers;
    out[4] = dnode->bonus_type;
    out[7] = (uint8_t)(USED_BYTES | (spilled ? SPILL : 0));
    put_u16(out + 8, (uint16_t)(dnode->block_bytes / ZFS_SECTOR));
    put_u16(out + 10, dnode->bonus_bytes);
    put_u64(out + 16, dnode->last_block);
    put_u64(out + 24, dnode->used_bytes);
    memcpy(out + 64, &dnode->bp, sizeof dnode->bp);
    memcpy(out + 64 + pointers * sizeof dnode->bp, dnode->bonus, dnode->bonus_bytes);
    if (spilled)
        memcpy(out + 512 - sizeof dnode->spill, &dnode->spill, sizeof dnode->spill);
}

void zfs_tree_begin(struct zfs_tree *tree, struct zfs_store *store, enum zfs_type type,
                    uint32_t block_bytes)
{
    *tree = (struct zfs_tree){.store = store, .type = type, .block_bytes = block_bytes};
}

/* Puts a pointer into a level; a full indirect block is written and goes one level up. */
static int push(struct zfs_tree *tree, unsigned level, const struct zfs_bp *bp);

static int close_indirect(struct zfs_tree *tree, unsigned level, struct zfs_bp *bp)
{
    struct zfs_bp *pointers = tree->pointers[level];
    uint64_t fill = 0;
    for (unsigned i = 0; i < tree->count[level]; i++)
        fill += pointers[i].words[BP_FILL];
    memset(pointers + tree->count[level], 0,
           (ZFS_POINTERS - tree->count[level]) * sizeof *pointers);
    tree->count[level] = 0;
    *bp = (struct zfs_bp){0};
    if (!fill)
        return 0; /* holes only */
    return store_write(tree->store, pointers, ZFS_INDIRECT, tree->type, level + 1, fill, PACK_NONE,
                       &tree->space, bp);
}

static int push(struct zfs_tree *tree, unsigned level, const struct zfs_bp *bp)
{
    if (!tree->pointers[level])
        tree->pointers[level] = mem_zero(ZFS_POINTERS, sizeof **tree->pointers);
    if (tree->count[level] == ZFS_POINTERS) {
        struct zfs_bp up;
        if (close_indirect(tree, level, &up) < 0 || push(tree, level + 1, &up) < 0)
            return -1;
    }
    tree->pointers[level][tree->count[level]++] = *bp;
    tree->total[level]++;
    return 0;
}

int zfs_tree_block(struct zfs_tree *tree, const void *block, uint64_t fill,
                   enum zfs_packing packing)
{
    struct zfs_bp bp = {0};
    if (block && store_write(tree->store, block, tree->block_bytes, tree->type, 0, fill, packing,
                             &tree->space, &bp) < 0)
        return -1;
    tree->blocks++;
    return push(tree, 0, &bp);
}

void zfs_tree_abandon(struct zfs_tree *tree)
{
    for (unsigned i = 0; i < ZFS_LEVELS; i++) {
        free(tree->pointers[i]);
        tree->pointers[i] = NULL;
    }
}

int zfs_tree_end(struct zfs_tree *tree, unsigned levels, struct zfs_dnode *dnode)
{
    dnode->block_bytes = tree->block_bytes;
    dnode->last_block = tree->blocks ? tree->blocks - 1 : 0;
    dnode->levels = 1;
    int status = 0;
    for (unsigned level = 0; tree->total[level] && !status; level++) {
        dnode->levels = (uint8_t)(level + 1);
        if (tree->total[level] == 1 && level + 1 >= levels) {
            dnode->bp = tree->pointers[level][0];
            break;
        }
        struct zfs_bp up;
        status = close_indirect(tree, level, &up);
        if (!status)
            status = push(tree, level + 1, &up);
    }
    dnode->used_bytes += tree->space;
    zfs_tree_abandon(tree);
    return status;
}

int zfs_tree_write(struct zfs_store *store, const void *bytes, uint64_t length,
                   uint32_t block_bytes, struct zfs_dnode *dnode)
{
    struct zfs_tree tree;
    zfs_tree_begin(&tree, store, dnode->type, block_bytes);
    uint8_t *block = mem_alloc(block_bytes);
    int status = 0;
    for (uint64_t at = 0; at < length && !status; at += block_bytes) {
        size_t part = length - at < block_bytes ? (size_t)(length - at) : block_bytes;
        memcpy(block, (const uint8_t *)bytes + at, part);
        memset(block + part, 0, block_bytes - part);
        status = zfs_tree_block(&tree, block, 1, PACK_NONE);
    }
    free(block);
    if (status) {
        zfs_tree_abandon(&tree);
        return -1;
    }
    return zfs_tree_end(&tree, 1, dnode);
}
