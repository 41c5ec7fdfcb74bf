/*
 * Whether a pool's space maps agree with the blocks in use: every block of every object is read (its
 * checksum is verified on the way), none lies over another, each lies in space that the maps have as
 * allocated, and nothing else is allocated, but for what a running pool has still to free.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/read_zfs.h"

enum {
    LABEL_NVLIST = 16384,
    NVLIST_BYTES = 112 * 1024,
    OT_DATASET = 16,
    OT_DNODE = 10,
    SHIFT_LEAST = 15,
    SHIFT_MOST = 40,
    WORDS = 512, /* of a space map, read at once */
};

struct extent {
    uint64_t start, length; /* bytes of the data space */
};
struct audit {
    struct zpool_read *pool;
    VEC(struct extent) extents;
    bool odd; /* something that is not followed here: leaks are no findings */
};

static int by_start(const void *left, const void *right)
{
    const struct extent *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return a->length < b->length ? -1 : a->length > b->length;
}

static void note(struct audit *audit, const unsigned char *bp)
{
    if (z_word(bp, 6) >> 39 & 1)
        return;
    for (unsigned copy = 0; copy < 3; copy++) {
        uint64_t first = z_word(bp, 2 * copy), second = z_word(bp, 2 * copy + 1);
        if (first || second)
            vec_push(&audit->extents, (struct extent){(second & ~(UINT64_C(1) << 63)) * Z_SECTOR,
                                                      (first & 0xffffff) * Z_SECTOR});
    }
}

static int audit_set(struct audit *audit, const unsigned char *bp, unsigned depth);

static int audit_dnode(struct audit *audit, const unsigned char *dnode, unsigned depth);

/* A pointer of `level`, with everything below it. `holds_dnodes`: its data are dnodes. */
static int audit_pointer(struct audit *audit, const unsigned char *bp, unsigned level,
                         bool holds_dnodes, unsigned depth)
{
    uint32_t length;
    if (z_is_hole(bp))
        return 0;
    note(audit, bp);
    unsigned char *block = z_read(audit->pool, bp, &length);
    if (!block)
        return -1;
    int status = 0;
    if (level)
        for (uint32_t at = 0; at + Z_BP <= length && !status; at += Z_BP)
            status = audit_pointer(audit, block + at, level - 1, holds_dnodes, depth);
    else if (holds_dnodes)
        for (uint32_t at = 0; at + Z_DNODE <= length && !status; at += Z_DNODE)
            status = audit_dnode(audit, block + at, depth);
    free(block);
    return status;
}

static int audit_dnode(struct audit *audit, const unsigned char *dnode, unsigned depth)
{
    size_t bonus_bytes;
    const unsigned char *bonus = z_bonus(dnode, &bonus_bytes);
    if (!dnode[0])
        return 0;
    unsigned levels = dnode[2], pointers = dnode[3];
    if (!levels || levels > 15 || pointers > 3)
        return z_damaged(audit->pool, "a dnode that is none");
    int status = 0;
    for (unsigned i = 0; i < pointers && !status; i++)
        status = audit_pointer(audit, dnode + 64 + (size_t)i * Z_BP, levels - 1,
                               dnode[0] == OT_DNODE, depth);
    if (!status && dnode[7] & 4)
        status = audit_pointer(audit, dnode + Z_DNODE - Z_BP, 0, false, depth);
    if (!status && dnode[4] == OT_DATASET && bonus_bytes >= 256 && depth == 0) {
        unsigned char own[Z_BP];
        memcpy(own, bonus + 128, Z_BP);
        if (!z_is_hole(own))
            status = audit_set(audit, own, depth + 1);
    }
    return status;
}

static int audit_set(struct audit *audit, const unsigned char *bp, unsigned depth)
{
    uint32_t length;
    note(audit, bp);
    unsigned char *set = z_read(audit->pool, bp, &length);
    if (!set)
        return -1;
    int status = length < 1024 ? z_damaged(audit->pool, "an object set that is too short") : 0;
    if (!status)
        status = audit_dnode(audit, set, depth);
    for (size_t at = 1024; at + Z_DNODE <= 2048 && at + Z_DNODE <= length && !status; at += Z_DNODE)
        status = audit_dnode(audit, set + at, depth); /* what users and groups take */
    /* An intent log is none of ours to follow. */
    if (!status && length >= 576 + 128)
        audit->odd |= !z_is_hole(set + 512);
    free(set);
    return status;
}

/* The number after a name in the label's list; names are XDR strings, numbers 8 bytes big endian. */
static uint64_t label_number(const unsigned char *list, const char *name)
{
    size_t length = strlen(name), padded = (length + 3) / 4 * 4;
    for (size_t at = 0; at + 4 + padded + 16 < NVLIST_BYTES; at += 4)
        if (get_be(list + at, 4) == length && memcmp(list + at + 4, name, length) == 0 &&
            get_be(list + at + 4 + padded, 4) == 8)
            return get_be(list + at + 4 + padded + 8, 8);
    return 0;
}

struct map {
    unsigned char *bits; /* by sector of the metaslab */
    uint64_t sectors, allocated;
    bool damaged;
};

static void apply(struct map *map, uint64_t first, uint64_t count, bool release)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at = first + i;
        if (at >= map->sectors) {
            map->damaged = true;
            return;
        }
        unsigned char bit = (unsigned char)(1u << at % 8), *byte = &map->bits[at / 8];
        bool was = *byte & bit;
        map->damaged |= was != release;
        *byte = (unsigned char)(release ? *byte & ~bit : *byte | bit);
        if (was == release)
            map->allocated += release ? UINT64_MAX : 1;
    }
}

/* Replays one metaslab's map: one-word entries, a debug word has bit 63. */
static int replay(struct zpool_read *pool, uint64_t object, struct map *map)
{
    unsigned char dnode[Z_DNODE], words[WORDS * 8];
    size_t bonus_bytes;
    if (z_object(pool, pool->mos, object, dnode) < 0)
        return -1;
    const unsigned char *bonus = z_bonus(dnode, &bonus_bytes);
    if (bonus_bytes < 24)
        return z_damaged(pool, "a space map without a header");
    uint64_t length = get_le(bonus + 8, 8), alloc = get_le(bonus + 16, 8);
    if (length > pool->reader->size_bytes)
        return z_damaged(pool, "a space map that is too long");
    for (uint64_t at = 0; at + 8 <= length; at += 8) {
        uint64_t left = length - at, within = at % sizeof words;
        if (!within &&
            z_data(pool, dnode, at, words, left < sizeof words ? (size_t)left : sizeof words) < 0)
            return -1;
        uint64_t entry = get_le(words + within, 8);
        if (entry >> 63) {
            if (entry >> 62 == 3)
                return fs_finding(
                    pool->reader,
                    "a space map of two-word entries, which the guest's kernel skips");
            continue;
        }
        apply(map, entry >> 16 & ((UINT64_C(1) << 47) - 1), (entry & 0x7fff) + 1, entry >> 15 & 1);
    }
    if (map->damaged && fs_finding(pool->reader, "space map %llu takes or gives space twice",
                                   (unsigned long long)object) < 0)
        return -1;
    if (alloc != map->allocated * Z_SECTOR)
        return fs_finding(pool->reader, "space map %llu says %llu bytes, and has %llu",
                          (unsigned long long)object, (unsigned long long)alloc,
                          (unsigned long long)map->allocated * Z_SECTOR);
    return 0;
}

struct totals {
    uint64_t unmapped, leaked;
};

/* Takes the blocks of one metaslab from its map; what is left is leaked. */
static void compare(const struct audit *audit, size_t *next, uint64_t start, struct map *map,
                    struct totals *totals)
{
    uint64_t end = start + map->sectors * Z_SECTOR, used = 0;
    for (; *next < audit->extents.len && audit->extents.at[*next].start < end; ++*next) {
        const struct extent *extent = &audit->extents.at[*next];
        bool mapped = true;
        for (uint64_t at = (extent->start - start) / Z_SECTOR;
             at < (extent->start - start + extent->length) / Z_SECTOR; at++)
            mapped &= at < map->sectors && (map->bits[at / 8] & 1u << at % 8);
        totals->unmapped += !mapped;
        used += extent->length / Z_SECTOR;
    }
    totals->leaked += map->allocated > used ? map->allocated - used : 0;
}

static int check_maps(struct audit *audit, uint64_t array, unsigned shift, struct totals *totals)
{
    struct zpool_read *pool = audit->pool;
    unsigned char dnode[Z_DNODE], word[8];
    uint64_t count = pool->reader->size_bytes >> shift;
    struct map map = {.sectors = (UINT64_C(1) << shift) / Z_SECTOR};
    if (z_object(pool, pool->mos, array, dnode) < 0)
        return -1;
    map.bits = mem_alloc((size_t)(map.sectors / 8));
    size_t next = 0;
    int status = 0;
    for (uint64_t m = 0; m < count && !status; m++) {
        uint64_t start = m << shift;
        bool any = next < audit->extents.len &&
                   audit->extents.at[next].start < start + (UINT64_C(1) << shift);
        status = z_data(pool, dnode, m * 8, word, 8);
        uint64_t object = get_le(word, 8);
        if (status || (!object && !any))
            continue;
        memset(map.bits, 0, (size_t)(map.sectors / 8));
        map.allocated = 0;
        map.damaged = false;
        if (object)
            status = replay(pool, object, &map);
        if (!status)
            compare(audit, &next, start, &map, totals);
    }
    free(map.bits);
    return status;
}

/* Blocks that lie over each other; the same block twice is shared by snapshots. */
static uint64_t overlaps(struct audit *audit)
{
    uint64_t found = 0;
    size_t kept = 0;
    for (size_t i = 0; i < audit->extents.len; i++) {
        const struct extent *one = &audit->extents.at[i];
        const struct extent *last = kept ? &audit->extents.at[kept - 1] : NULL;
        if (last && one->start == last->start && one->length == last->length)
            continue;
        found += last && one->start < last->start + last->length;
        audit->extents.at[kept++] = *one;
    }
    audit->extents.len = kept;
    return found;
}

/* Whether the pool has blocks to free that are still allocated. */
static int deferred(struct audit *audit)
{
    static const char *const names[] = {"sync_bplist", "free_bpobj"};
    struct zpool_read *pool = audit->pool;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t object;
        unsigned char dnode[Z_DNODE];
        size_t length;
        bool found;
        if (z_lookup(pool, pool->mos, 1, names[i], &object, &found) < 0)
            return -1;
        if (!found)
            continue;
        if (z_object(pool, pool->mos, object, dnode) < 0)
            return -1;
        const unsigned char *bonus = z_bonus(dnode, &length);
        audit->odd |= length >= 8 && get_le(bonus, 8) != 0;
    }
    return 0;
}

int z_check(struct zpool_read *pool)
{
    struct audit audit = {.pool = pool};
    struct totals totals = {0};
    unsigned char *list = mem_alloc(NVLIST_BYTES);
    int status = fs_bytes(pool->reader, LABEL_NVLIST, list, NVLIST_BYTES);
    uint64_t array = status ? 0 : label_number(list, "metaslab_array");
    uint64_t shift = status ? 0 : label_number(list, "metaslab_shift");
    free(list);
    if (!status)
        status = audit_set(&audit, pool->root, 0);
    if (!status)
        status = deferred(&audit);
    if (audit.extents.len)
        qsort(audit.extents.at, audit.extents.len, sizeof *audit.extents.at, by_start);
    uint64_t over = overlaps(&audit);
    if (!status && over)
        status = fs_finding(pool->reader, "%llu blocks lie over others", (unsigned long long)over);
    if (!status && (!array || shift < SHIFT_LEAST || shift > SHIFT_MOST))
        status = fs_finding(pool->reader, "the first label tells of no space maps");
    else if (!status)
        status = check_maps(&audit, array, (unsigned)shift, &totals);
    if (!status && totals.unmapped)
        status = fs_finding(pool->reader, "%llu blocks in use are marked as free",
                            (unsigned long long)totals.unmapped);
    if (!status && totals.leaked && !audit.odd)
        status = fs_finding(pool->reader, "%llu bytes are allocated, and nothing uses them",
                            (unsigned long long)totals.leaked * Z_SECTOR);
    vec_free(&audit.extents);
    return status;
}
