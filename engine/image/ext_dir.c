/*
 * ext4 directories as a whole: one block of entries where they fit, else leaves sorted by hash under
 * an index of one or two levels (Linux, Documentation/filesystems/ext4/directory.rst).
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "image/bytes.h"
#include "image/ext_private.h"

enum {
    DOTS = 24, /* bytes of "." and ".." */
    ROOT_INDEX_AT = 32,
    NODE_INDEX_AT = 8,
    ROOT_MOST = (EXT_BLOCK - ROOT_INDEX_AT) / 8,
    NODE_MOST = (EXT_BLOCK - NODE_INDEX_AT) / 8,
    FT_FILE = 1,
    FT_DIRECTORY = 2,
    FT_LINK = 7,
};

struct name {
    uint32_t hash, minor, inode;
    uint8_t length, type;
    const char *text;
};

static int by_hash(const void *left, const void *right)
{
    const struct name *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->minor != b->minor)
        return a->minor < b->minor ? -1 : 1;
    return strcmp(a->text, b->text);
}

static unsigned entry_bytes(unsigned length)
{
    return 8 + (length + 3) / 4 * 4;
}

/* One entry of `room` bytes. */
static void put_entry(unsigned char *at, unsigned room, const struct name *name)
{
    put_le(at, name->inode, 4);
    put_le(at + 4, room, 2);
    at[6] = name->length;
    at[7] = name->type;
    memcpy(at + 8, name->text, name->length);
}

/* Fills a block from `from` bytes on with names until it is full; returns how many. */
static size_t fill(unsigned char *block, unsigned from, const struct name *names, size_t count)
{
    unsigned at = from, last = 0;
    size_t used = 0;
    for (; used < count; used++) {
        unsigned bytes = entry_bytes(names[used].length);
        if (at + bytes > EXT_BLOCK)
            break;
        put_entry(block + at, bytes, &names[used]);
        last = at;
        at += bytes;
    }
    if (used) /* the last entry has the rest of the block */
        put_le(block + last + 4, EXT_BLOCK - last, 2);
    return used;
}

static void put_dots(unsigned char *block, uint32_t own, uint32_t parent, bool alone)
{
    const struct name dot = {.inode = own, .text = ".", .length = 1, .type = FT_DIRECTORY};
    const struct name dots = {.inode = parent, .text = "..", .length = 2, .type = FT_DIRECTORY};
    put_entry(block, 12, &dot);
    put_entry(block + 12, alone ? EXT_BLOCK - 12 : 12, &dots);
}

static size_t leaves_of(const struct name *names, size_t count)
{
    size_t leaves = 1, used = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned bytes = entry_bytes(names[i].length);
        if (used + bytes > EXT_BLOCK)
            leaves++, used = 0;
        used += bytes;
    }
    return leaves;
}

/* An index block's list of (hash, block); the first one's hash is where limit and count stand. */
struct index {
    unsigned char *at;
    unsigned most, count;
};

static void add_index(struct index *index, uint32_t hash, uint64_t block)
{
    unsigned char *at = index->at + 8 * (size_t)index->count++;
    if (index->count > 1)
        put_le(at, hash, 4);
    put_le(at + 4, block, 4);
    put_le(index->at, index->most, 2);
    put_le(index->at + 2, index->count, 2);
}

static void begin_root(unsigned char *block, uint8_t version, unsigned levels)
{
    block[28] = version;
    block[29] = 8; /* length of this */
    block[30] = (unsigned char)levels;
}

/* Writes block `logical` of a directory. */
static int put_logical(struct ext *ext, const ext_runs *runs, uint64_t logical, const void *bytes)
{
    for (size_t i = 0; i < runs->len; i++) {
        const struct ext_run *run = &runs->at[i];
        if (logical >= run->logical && logical < run->logical + run->count)
            return ext_put_block(ext, run->physical + (logical - run->logical), bytes);
    }
    return err_set(ext->err, ERR_SYSTEM, "%s: a directory without its blocks", ext->sink->out.path);
}

/* Writes leaves from block `first` on, and the index above them into root and nodes. */
static int put_leaves(struct ext *ext, const struct name *names, size_t count, uint64_t first,
                      struct index *root, unsigned char *nodes, const ext_runs *runs)
{
    unsigned char block[EXT_BLOCK];
    struct index node = {0};
    uint64_t nodes_used = 0;
    size_t at = 0;
    for (uint64_t leaf = first; at < count; leaf++) {
        memset(block, 0, sizeof block);
        /* Equal hashes that go on in the next block are marked so. */
        uint32_t hash = names[at].hash | (at && names[at].hash == names[at - 1].hash);
        if (nodes && (!node.at || node.count == node.most)) {
            unsigned char *bytes = nodes + nodes_used * EXT_BLOCK;
            put_le(bytes + 4, EXT_BLOCK, 2); /* an unused entry covers the block */
            node = (struct index){.at = bytes + NODE_INDEX_AT, .most = NODE_MOST};
            add_index(root, hash, ++nodes_used);
        }
        add_index(nodes ? &node : root, hash, leaf);
        at += fill(block, 0, names + at, count - at);
        if (put_logical(ext, runs, leaf, block) < 0)
            return -1;
    }
    return 0;
}

static int put_hashed(struct ext *ext, uint32_t directory, struct name *names, size_t count,
                      ext_runs *runs)
{
    const struct ext2_super_block *super = ext->fs->super;
    int version = super->s_def_hash_version + 3; /* of unsigned characters */
    for (size_t i = 0; i < count; i++)
        ext2fs_dirhash(version, names[i].text, names[i].length, super->s_hash_seed, &names[i].hash,
                       &names[i].minor);
    sort_array(names, count, sizeof *names, by_hash);
    size_t leaves = leaves_of(names, count), nodes = 0;
    if (leaves > ROOT_MOST)
        nodes = (leaves + NODE_MOST - 1) / NODE_MOST;
    if (nodes > ROOT_MOST)
        return err_set(ext->err, ERR_INPUT, "%s: too many names in one directory for ext4",
                       ext->sink->out.path);
    if (ext_take(ext, 0, 1 + nodes + leaves, runs) < 0)
        return -1;
    unsigned char *index = mem_zero(1 + nodes, EXT_BLOCK);
    put_dots(index, ext_directory(directory), ext_directory(ext->tree->parent_of.at[directory]),
             true);
    begin_root(index, (uint8_t)super->s_def_hash_version, nodes ? 1 : 0);
    struct index root = {.at = index + ROOT_INDEX_AT, .most = ROOT_MOST};
    int status =
        put_leaves(ext, names, count, 1 + nodes, &root, nodes ? index + EXT_BLOCK : NULL, runs);
    for (size_t i = 0; i <= nodes && !status; i++)
        status = put_logical(ext, runs, i, index + i * EXT_BLOCK);
    free(index);
    return status;
}

static int put_linear(struct ext *ext, uint32_t directory, const struct name *names, size_t count,
                      ext_runs *runs)
{
    unsigned char block[EXT_BLOCK] = {0};
    put_dots(block, ext_directory(directory), ext_directory(ext->tree->parent_of.at[directory]),
             !count);
    fill(block, DOTS, names, count);
    if (ext_take(ext, 0, 1, runs) < 0)
        return -1;
    return ext_put_block(ext, runs->at[0].physical, block);
}

int ext_put_directory(struct ext *ext, uint32_t directory, const struct guest_child *children,
                      size_t count, ext_runs *runs, bool *hashed)
{
    /* The root has lost+found, too. */
    struct name *names = mem_zero(count + 2, sizeof *names);
    size_t used = 0, bytes = DOTS;
    int status = 0;
    if (!directory)
        names[used++] = (struct name){
            .inode = EXT_FIRST_INODE - 1, .text = "lost+found", .length = 10, .type = FT_DIRECTORY};
    for (size_t i = 0; i < count && !status; i++) {
        const struct guest_child *child = &children[i];
        size_t length = strlen(child->name);
        if (length > 255)
            status = err_set(ext->err, ERR_INPUT, "%.40s...: a name in ext4 has at most 255 bytes",
                             child->name);
        if (!directory && strcmp(child->name, "lost+found") == 0)
            status = err_set(ext->err, ERR_INPUT,
                             "/lost+found is ext4's own name; leave it out of the manifest");
        bool dir = child->type == GUEST_DIRECTORY;
        names[used++] =
            (struct name){.inode = dir ? ext_directory(child->index) : ext_leaf(ext, child->index),
                          .text = child->name,
                          .length = (uint8_t)length,
                          .type = dir                         ? FT_DIRECTORY
                                  : child->type == GUEST_FILE ? FT_FILE
                                                              : FT_LINK};
    }
    for (size_t i = 0; i < used; i++)
        bytes += entry_bytes(names[i].length);
    *hashed = bytes > EXT_BLOCK;
    if (!status)
        status = *hashed ? put_hashed(ext, directory, names, used, runs)
                         : put_linear(ext, directory, names, used, runs);
    free(names);
    return status;
}
