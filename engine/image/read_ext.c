/*
 * ext2 to ext4 as Linux describes them (Documentation/filesystems/ext4): extents and the older
 * block maps, read by the numbers on the disk alone. What OSv's libext does not mount (inline data,
 * encryption, 64-bit blocks aside) is refused or told.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/read_ext.h"

enum {
    SUPER_AT = 1024,
    SUPER_LENGTH = 1024,
    ROOT_NUMBER = 2,
    EXTENT_MAGIC = 0xF30A,
    DEPTH_MOST = 5,
    BLOCKS_AT = 40, /* in an inode */
    DIRECT = 12,
    TARGET_MOST = 65536,
};

static int damaged(const struct ext_volume *v, const char *what)
{
    return err_set(v->reader->err, ERR_INPUT, "%s: ext: %s", v->reader->disk->path, what);
}

int ext_block(const struct ext_volume *v, uint64_t block, unsigned char *bytes)
{
    if (block >= v->blocks)
        return damaged(v, "a block outside of the file system");
    return fs_bytes(v->reader, block * v->block_bytes, bytes, v->block_bytes);
}

int ext_group(const struct ext_volume *v, uint32_t group, struct ext_group *out)
{
    unsigned char bytes[64] = {0};
    uint64_t at = (v->first_block + 1) * v->block_bytes + (uint64_t)group * v->group_bytes;
    if (fs_bytes(v->reader, at, bytes, v->group_bytes) < 0)
        return -1;
    bool wide = v->group_bytes >= 64;
    out->block_bitmap = get_le(bytes, 4) | (wide ? get_le(bytes + 32, 4) << 32 : 0);
    out->inode_bitmap = get_le(bytes + 4, 4) | (wide ? get_le(bytes + 36, 4) << 32 : 0);
    out->inode_table = get_le(bytes + 8, 4) | (wide ? get_le(bytes + 40, 4) << 32 : 0);
    out->free_blocks = (uint32_t)get_le(bytes + 12, 2);
    out->free_inodes = (uint32_t)get_le(bytes + 14, 2);
    out->flags = (uint32_t)get_le(bytes + 18, 2);
    return 0;
}

int ext_inode(const struct ext_volume *v, uint64_t number, unsigned char inode[static EXT_INODE])
{
    struct ext_group group;
    if (!number || number > v->inodes)
        return damaged(v, "an inode that does not exist");
    if (ext_group(v, (uint32_t)((number - 1) / v->group_inodes), &group) < 0)
        return -1;
    if (group.inode_table >= v->blocks)
        return damaged(v, "an inode table outside of the file system");
    uint64_t at =
        group.inode_table * v->block_bytes + (number - 1) % v->group_inodes * v->inode_bytes;
    return fs_bytes(v->reader, at, inode, EXT_INODE);
}

uint64_t ext_inode_size(const unsigned char *inode)
{
    uint64_t high = (get_le(inode, 2) & 0xF000) == 0x8000 ? get_le(inode + 108, 4) : 0;
    return get_le(inode + 4, 4) | high << 32;
}

/* Where the extents of a node that cover `logical` lead: the last entry at or before it. */
static const unsigned char *covering(const unsigned char *node, uint64_t logical, size_t most)
{
    size_t count = get_le(node + 2, 2);
    const unsigned char *found = NULL;
    for (size_t i = 0; i < count && i < most; i++) {
        const unsigned char *entry = node + 12 + 12 * i;
        if (get_le(entry, 4) > logical)
            break;
        found = entry;
    }
    return found;
}

/* First logical block of the entry behind `entry`; far away where it is the last. */
static uint64_t following(const unsigned char *node, const unsigned char *entry, size_t most)
{
    size_t count = get_le(node + 2, 2);
    const unsigned char *next = entry ? entry + 12 : node + 12;
    return (size_t)(next - node - 12) / 12 < (count < most ? count : most) ? get_le(next, 4)
                                                                           : UINT64_C(1) << 32;
}

static int map_extent(struct ext_volume *v, const unsigned char *root, uint64_t logical,
                      struct ext_run_read *run)
{
    const unsigned char *node = root;
    size_t most = (60 - 12) / 12;
    uint64_t end = UINT64_C(1) << 32; /* where what is looked at ends */
    for (unsigned steps = 0;; steps++) {
        if (get_le(node, 2) != EXTENT_MAGIC || steps > DEPTH_MOST)
            return damaged(v, "extents that are none");
        const unsigned char *entry = covering(node, logical, most);
        uint64_t next = following(node, entry, most);
        end = next < end ? next : end;
        *run = (struct ext_run_read){.physical = 0, .count = end - logical};
        if (!entry)
            return 0;
        if (!get_le(node + 6, 2)) {
            uint64_t first = get_le(entry, 4), length = get_le(entry + 4, 2);
            bool unwritten = length > 32768;
            length -= unwritten ? 32768 : 0;
            if (logical >= first + length)
                return 0;
            run->physical = (get_le(entry + 8, 4) | get_le(entry + 6, 2) << 32) + (logical - first);
            run->count = first + length - logical;
            if (run->physical + run->count > v->blocks)
                return damaged(v, "an extent outside of the file system");
            if (unwritten)
                run->physical = 0;
            return 0;
        }
        uint64_t below = get_le(entry + 4, 4) | get_le(entry + 8, 2) << 32;
        if (ext_block(v, below, v->scratch) < 0)
            return -1;
        node = v->scratch;
        most = (v->block_bytes - 12) / 12;
    }
}

/* ext2's blocks: twelve direct ones, then trees of one, two and three levels. */
static int map_indirect(struct ext_volume *v, const unsigned char *root, uint64_t logical,
                        struct ext_run_read *run)
{
    uint64_t each = v->block_bytes / 4, at = logical, span = 1;
    *run = (struct ext_run_read){.count = 1};
    if (logical < DIRECT) {
        run->physical = get_le(root + 4 * logical, 4);
        return 0;
    }
    at -= DIRECT;
    unsigned level = 1;
    for (; level <= 3; level++) {
        span *= each;
        if (at < span)
            break;
        at -= span;
    }
    if (level > 3)
        return damaged(v, "a file that is too long");
    uint64_t block = get_le(root + 4 * (DIRECT + level - 1), 4);
    for (; level; level--) {
        span /= each;
        if (!block)
            return 0;
        if (ext_block(v, block, v->scratch) < 0)
            return -1;
        block = get_le(v->scratch + 4 * (at / span), 4);
        at %= span;
    }
    run->physical = block;
    return 0;
}

int ext_map(struct ext_volume *v, const unsigned char *inode, uint64_t logical,
            struct ext_run_read *run)
{
    int status = get_le(inode + 32, 4) & EXT_EXTENTS
                     ? map_extent(v, inode + BLOCKS_AT, logical, run)
                     : map_indirect(v, inode + BLOCKS_AT, logical, run);
    if (!status && run->physical && run->physical >= v->blocks)
        return damaged(v, "a block outside of the file system");
    return status;
}

/* Bytes of an inode's data. */
static int read_data(struct ext_volume *v, const unsigned char *inode, uint64_t offset,
                     unsigned char *bytes, size_t length)
{
    while (length) {
        struct ext_run_read run;
        if (ext_map(v, inode, offset / v->block_bytes, &run) < 0)
            return -1;
        uint64_t within = offset % v->block_bytes, there = run.count * v->block_bytes - within;
        size_t piece = length < there ? length : (size_t)there;
        if (!run.physical)
            memset(bytes, 0, piece);
        else if (fs_bytes(v->reader, run.physical * v->block_bytes + within, bytes, piece) < 0)
            return -1;
        bytes += piece;
        offset += piece;
        length -= piece;
    }
    return 0;
}

static int read_at(struct fs_reader *reader, const struct fs_file *file, uint64_t offset,
                   void *bytes, size_t length)
{
    struct ext_volume *v = reader->state;
    unsigned char inode[EXT_INODE];
    if (ext_inode(v, file->at, inode) < 0)
        return -1;
    return read_data(v, inode, offset, bytes, length);
}

struct pending {
    uint64_t number;
    const char *path;
};

struct walk {
    struct ext_volume *v;
    VEC(struct pending) dirs;
};

static bool seen(struct ext_volume *v, uint64_t number)
{
    bool was = v->visited[number / 8] & 1u << number % 8;
    v->visited[number / 8] |= (unsigned char)(1u << number % 8);
    return was;
}

static int take_link(struct ext_volume *v, const unsigned char *inode, struct fs_file *file)
{
    char target[TARGET_MOST + 1];
    size_t length = (size_t)file->file.size_bytes;
    if (file->file.size_bytes > TARGET_MOST)
        return fs_finding(v->reader, "%s: a link of %llu bytes", file->file.path,
                          (unsigned long long)file->file.size_bytes);
    if (length < 60 && !(get_le(inode + 32, 4) & EXT_EXTENTS))
        memcpy(target, inode + BLOCKS_AT, length);
    else if (read_data(v, inode, 0, (unsigned char *)target, length) < 0)
        return -1;
    target[length] = '\0';
    if (strlen(target) != length)
        return fs_finding(v->reader, "%s: its target has a NUL", file->file.path);
    file->file.target = arena_copy(&v->reader->arena, target);
    vec_push(&v->reader->files, *file);
    return 0;
}

static int take_inode(struct walk *walk, uint64_t number, const char *path)
{
    struct ext_volume *v = walk->v;
    unsigned char inode[EXT_INODE];
    if (number > v->inodes)
        return fs_finding(v->reader, "%s: inode %llu does not exist", path,
                          (unsigned long long)number);
    if (ext_inode(v, number, inode) < 0)
        return -1;
    unsigned mode = (unsigned)get_le(inode, 2);
    if (v->links && v->links[number - 1] < UINT16_MAX)
        v->links[number - 1]++;
    struct fs_file file = {.file = {.path = path, .mode = mode & 07777}, .at = number};
    file.file.size_bytes = ext_inode_size(inode);
    if (get_le(inode + 32, 4) & EXT_INLINE)
        return fs_finding(v->reader, "%s: its data is inside of its inode, which is not read here",
                          path);
    switch (mode & 0xF000) {
    case 0x4000:
        if (seen(v, number))
            return fs_finding(v->reader, "%s: a directory with two names", path);
        file.file.kind = ENTRY_DIRECTORY;
        file.file.size_bytes = 0;
        vec_push(&walk->dirs, (struct pending){number, path});
        break;
    case 0x8000:
        seen(v, number);
        file.file.kind = ENTRY_FILE;
        break;
    case 0xA000:
        seen(v, number);
        file.file.kind = ENTRY_SYMLINK;
        return take_link(v, inode, &file);
    default:
        return fs_finding(v->reader, "%s: neither file, directory nor link (mode %o)", path, mode);
    }
    vec_push(&v->reader->files, file);
    return 0;
}

/* The entries of one block of a directory. */
static int walk_block(struct walk *walk, const struct pending *dir, const unsigned char *block)
{
    struct ext_volume *v = walk->v;
    for (uint32_t at = 0; at + 8 <= v->block_bytes;) {
        const unsigned char *entry = block + at;
        uint64_t number = get_le(entry, 4);
        uint32_t room = (uint32_t)get_le(entry + 4, 2), length = entry[6];
        if (room < 8 || room % 4 || room > v->block_bytes - at || length + 8 > room)
            return fs_finding(v->reader, "%s: a directory entry is damaged",
                              *dir->path ? dir->path : "/");
        at += room;
        const char *name = (const char *)entry + 8;
        bool dots = length && name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.'));
        if (!number || dots) {
            if (number && v->links && number <= v->inodes && v->links[number - 1] < UINT16_MAX)
                v->links[number - 1]++;
            continue;
        }
        int status;
        const char *path = fs_path(v->reader, dir->path, name, length, &status);
        /* lost+found is the file system's own. */
        if (path && strcmp(path, "/lost+found") == 0) {
            if (number <= v->inodes) {
                seen(v, number);
                v->lost_and_found = number;
            }
        } else if (path) {
            status = take_inode(walk, number, path);
        }
        if (status)
            return -1;
    }
    return 0;
}

static int walk_directory(struct walk *walk, const struct pending *dir)
{
    struct ext_volume *v = walk->v;
    unsigned char inode[EXT_INODE];
    if (ext_inode(v, dir->number, inode) < 0)
        return -1;
    uint64_t size = get_le(inode + 4, 4);
    if (size > v->reader->size_bytes)
        return fs_finding(v->reader, "%s: a directory larger than the file system", dir->path);
    unsigned char *block = mem_alloc(v->block_bytes);
    int status = 0;
    for (uint64_t at = 0; at < size && !status; at += v->block_bytes) {
        status = read_data(v, inode, at, block, v->block_bytes);
        if (!status)
            status = walk_block(walk, dir, block);
    }
    free(block);
    return status;
}

static int read_super(struct ext_volume *v)
{
    unsigned char super[SUPER_LENGTH];
    if (fs_bytes(v->reader, SUPER_AT, super, sizeof super) < 0)
        return -1;
    uint64_t shift = get_le(super + 24, 4);
    bool dynamic = get_le(super + 76, 4) >= 1;
    v->compatible = dynamic ? (uint32_t)get_le(super + 92, 4) : 0;
    v->incompatible = dynamic ? (uint32_t)get_le(super + 96, 4) : 0;
    v->read_only = dynamic ? (uint32_t)get_le(super + 100, 4) : 0;
    bool wide = v->incompatible & EXT_WIDE;
    if (shift > 6)
        return damaged(v, "blocks of a size that is none");
    v->block_bytes = 1024u << shift;
    v->blocks = get_le(super + 4, 4) | (wide ? get_le(super + 336, 4) << 32 : 0);
    v->inodes = get_le(super, 4);
    v->first_block = get_le(super + 20, 4);
    v->group_blocks = (uint32_t)get_le(super + 32, 4);
    v->group_inodes = (uint32_t)get_le(super + 40, 4);
    v->inode_bytes = dynamic ? (uint32_t)get_le(super + 88, 2) : 128;
    v->first_inode = dynamic ? (uint32_t)get_le(super + 84, 4) : 11;
    v->group_bytes = wide ? (uint32_t)get_le(super + 254, 2) : 32;
    v->free_blocks = get_le(super + 12, 4) | (wide ? get_le(super + 344, 4) << 32 : 0);
    v->free_inodes = get_le(super + 16, 4);
    if (!v->group_blocks || !v->group_inodes || v->group_blocks > 8 * v->block_bytes ||
        v->group_inodes > 8 * v->block_bytes || v->inode_bytes < 128 ||
        v->inode_bytes > v->block_bytes || v->group_bytes < 32 || v->group_bytes > 1024 ||
        v->blocks <= v->first_block || v->blocks > v->reader->size_bytes / v->block_bytes)
        return damaged(v, "a super block that cannot be right, or a file that is cut off");
    uint64_t groups = (v->blocks - v->first_block + v->group_blocks - 1) / v->group_blocks;
    if (groups > UINT32_MAX || v->inodes != groups * v->group_inodes ||
        v->inodes > v->reader->size_bytes / v->inode_bytes)
        return damaged(v, "more inodes than it can have");
    v->groups = (uint32_t)groups;
    if (v->group_bytes > 64)
        v->group_bytes = 64;
    return 0;
}

static void close_volume(struct fs_reader *reader)
{
    struct ext_volume *v = reader->state;
    free(v->scratch);
    free(v->visited);
    free(v->links);
    free(v);
    reader->state = NULL;
}

int ext_read(struct fs_reader *reader)
{
    struct ext_volume *v = mem_zero(1, sizeof *v);
    v->reader = reader;
    reader->state = v;
    reader->close = close_volume;
    reader->read_at = read_at;
    if (read_super(v) < 0)
        return -1;
    v->scratch = mem_alloc(v->block_bytes);
    v->visited = mem_zero(v->inodes / 8 + 1, 1);
    if (reader->report)
        v->links = mem_zero(v->inodes, sizeof *v->links);
    struct walk walk = {.v = v};
    vec_push(&walk.dirs, (struct pending){ROOT_NUMBER, ""});
    seen(v, ROOT_NUMBER);
    int status = 0;
    while (walk.dirs.len && !status) {
        struct pending dir = walk.dirs.at[--walk.dirs.len];
        status = walk_directory(&walk, &dir);
    }
    vec_free(&walk.dirs);
    if (!status && reader->report)
        status = ext_check(v);
    return status;
}
