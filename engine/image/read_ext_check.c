/* Whether an ext file system's books agree with what is in it: each block used once, bitmaps, free
 * counts and names. Findings of a kind are told once with their number. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/read_ext.h"

struct ledger {
    struct ext_volume *v;
    unsigned char *used; /* bit by block */
    uint64_t twice, first_twice;
    bool maps; /* a file has the older kind of map, which is not followed here */
};

static void mark(struct ledger *ledger, uint64_t block, uint64_t count)
{
    for (uint64_t i = 0; i < count && block + i < ledger->v->blocks; i++) {
        uint64_t at = block + i;
        if (ledger->used[at / 8] & 1u << at % 8) {
            if (!ledger->twice++)
                ledger->first_twice = at;
        }
        ledger->used[at / 8] |= (unsigned char)(1u << at % 8);
    }
}

static bool has_super(const struct ext_volume *v, uint32_t group)
{
    if (!(v->read_only & EXT_SPARSE) || group < 2)
        return true;
    for (uint32_t base = 3; base <= 7; base += 2)
        for (uint64_t power = base; power <= group; power *= base)
            if (power == group)
                return true;
    return false;
}

static int mark_groups(struct ledger *ledger)
{
    struct ext_volume *v = ledger->v;
    uint64_t table =
        ((uint64_t)v->group_inodes * v->inode_bytes + v->block_bytes - 1) / v->block_bytes;
    uint64_t descriptors =
        ((uint64_t)v->groups * v->group_bytes + v->block_bytes - 1) / v->block_bytes;
    if (v->first_block)
        mark(ledger, 0, v->first_block);
    for (uint32_t g = 0; g < v->groups; g++) {
        struct ext_group group;
        if (ext_group(v, g, &group) < 0)
            return -1;
        if (has_super(v, g))
            mark(ledger, v->first_block + (uint64_t)g * v->group_blocks, 1 + descriptors);
        mark(ledger, group.block_bitmap, 1);
        mark(ledger, group.inode_bitmap, 1);
        mark(ledger, group.inode_table, table);
    }
    return 0;
}

/* Blocks of the tree itself. */
static int mark_tree(struct ledger *ledger, const unsigned char *node, size_t most, unsigned depth)
{
    struct ext_volume *v = ledger->v;
    size_t count = get_le(node + 2, 2);
    if (get_le(node, 2) != 0xF30A || count > most || depth > 5)
        return 0;
    if (!get_le(node + 6, 2))
        return 0;
    unsigned char *below = mem_alloc(v->block_bytes);
    int status = 0;
    for (size_t i = 0; i < count && !status; i++) {
        const unsigned char *entry = node + 12 + 12 * i;
        uint64_t block = get_le(entry + 4, 4) | get_le(entry + 8, 2) << 32;
        mark(ledger, block, 1);
        status = ext_block(v, block, below);
        if (!status)
            status = mark_tree(ledger, below, (v->block_bytes - 12) / 12, depth + 1);
    }
    free(below);
    return status;
}

static int mark_inode(struct ledger *ledger, const unsigned char *inode)
{
    struct ext_volume *v = ledger->v;
    uint64_t size = ext_inode_size(inode), mode = get_le(inode, 2) & 0xF000;
    bool extents = get_le(inode + 32, 4) & EXT_EXTENTS;
    if ((mode == 0xA000 && !extents && size < 60) || get_le(inode + 32, 4) & EXT_INLINE)
        return 0;
    if (extents && mark_tree(ledger, inode + 40, 4, 0) < 0)
        return -1;
    uint64_t end = (size + v->block_bytes - 1) / v->block_bytes;
    if (!extents) {
        ledger->maps |= size != 0;
        return 0;
    }
    for (uint64_t at = 0; at < end;) {
        struct ext_run_read run;
        if (ext_map(v, inode, at, &run) < 0)
            return -1;
        if (run.physical)
            mark(ledger, run.physical, run.count);
        if (!run.count)
            break;
        at += run.count;
    }
    return 0;
}

/* Each inode in use: its blocks, and its names. */
static int check_inodes(struct ledger *ledger)
{
    struct ext_volume *v = ledger->v;
    unsigned char inode[EXT_INODE];
    for (uint64_t n = 1; n <= v->inodes; n++) {
        bool found = v->visited[n / 8] & 1u << n % 8;
        bool own = n < v->first_inode; /* journal, resize, bad blocks, root */
        if (!found && !own)
            continue;
        if (ext_inode(v, n, inode) < 0)
            return -1;
        if (!get_le(inode, 2) && !found)
            continue;
        if (mark_inode(ledger, inode) < 0)
            return -1;
        uint64_t links = get_le(inode + 26, 2);
        bool directory = (get_le(inode, 2) & 0xF000) == 0x4000;
        if (found && n != v->lost_and_found && n != 2 && !(directory && links == 1) &&
            links != v->links[n - 1] &&
            fs_finding(v->reader, "inode %llu says that it has %llu names, and has %u",
                       (unsigned long long)n, (unsigned long long)links, v->links[n - 1]) < 0)
            return -1;
    }
    return 0;
}

static int check_bitmaps(struct ledger *ledger)
{
    struct ext_volume *v = ledger->v;
    uint64_t leaked = 0, missing = 0, wrong_groups = 0, free_blocks = 0;
    unsigned char *bitmap = mem_alloc(v->block_bytes);
    int status = 0;
    for (uint32_t g = 0; g < v->groups && !status; g++) {
        struct ext_group group;
        uint64_t first = v->first_block + (uint64_t)g * v->group_blocks, free_here = 0;
        status = ext_group(v, g, &group);
        if (!status)
            status = ext_block(v, group.block_bitmap, bitmap);
        for (uint32_t i = 0; i < v->group_blocks && first + i < v->blocks && !status; i++) {
            uint64_t at = first + i;
            bool taken = bitmap[i / 8] & 1u << i % 8;
            bool used = ledger->used[at / 8] & 1u << at % 8;
            leaked += taken && !used;
            missing += used && !taken;
            free_here += !taken;
        }
        free_blocks += free_here;
        wrong_groups += (free_here & 0xffff) != group.free_blocks;
    }
    free(bitmap);
    if (!status && missing)
        status = fs_finding(v->reader, "%llu blocks in use are marked as free",
                            (unsigned long long)missing);
    if (!status && leaked)
        status = fs_finding(v->reader, "%llu blocks are marked as in use, and nothing uses them",
                            (unsigned long long)leaked);
    if (!status && (wrong_groups || free_blocks != v->free_blocks))
        status = fs_finding(v->reader, "the counts of free blocks are wrong (%llu, not %llu)",
                            (unsigned long long)v->free_blocks, (unsigned long long)free_blocks);
    return status;
}

static int check_features(const struct ext_volume *v)
{
    static const struct {
        bool incompatible;
        uint32_t bit;
        const char *name;
    } unwanted[] = {
        {false, EXT_METADATA_SUM, "metadata_csum"},
        {true, EXT_WIDE, "64bit"},
        {true, 0x400, "ea_inode"},
        {true, 0x2000, "csum_seed"},
        {true, 0x4000, "large_dir"},
        {true, 0x8000, "inline_data"},
        {true, 0x10000, "encrypt"},
    };
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++) {
        uint32_t there = unwanted[i].incompatible ? v->incompatible : v->read_only;
        if (there & unwanted[i].bit &&
            fs_finding(v->reader, "has %s, which the guest's ext driver does not know",
                       unwanted[i].name) < 0)
            return -1;
    }
    return 0;
}

int ext_check(struct ext_volume *v)
{
    /* What cannot be followed to the block is not judged. */
    bool plain = !(v->compatible & (EXT_JOURNAL | EXT_RESIZE)) &&
                 !(v->incompatible & (EXT_META_BG | EXT_WIDE)) &&
                 !(v->read_only & (EXT_BIGALLOC | EXT_UNINIT | EXT_METADATA_SUM));
    struct ledger ledger = {.v = v, .used = mem_zero(v->blocks / 8 + 1, 1)};
    int status = check_features(v);
    if (!status)
        status = mark_groups(&ledger);
    if (!status)
        status = check_inodes(&ledger);
    if (!status && ledger.twice)
        status =
            fs_finding(v->reader, "%llu blocks are used twice, the first is %llu",
                       (unsigned long long)ledger.twice, (unsigned long long)ledger.first_twice);
    if (!status && plain && !ledger.maps)
        status = check_bitmaps(&ledger);
    free(ledger.used);
    return status;
}
