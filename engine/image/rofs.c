/*
 * ROFS, OSv's read-only file system (fs/rofs/rofs.hh; scripts/gen-rofs-img.py): a superblock, the
 * files' data in blocks of 512 bytes, then one packed area of directory entries, links and inodes.
 * Numbers are given in the order of a walk that enters a directory where it is named; a directory's
 * entries are written when it is left, so that its children stand side by side. Children keep the
 * order in which the sorted list first names them: this makes us equal to OSv's script to the byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "image/bytes.h"
#include "image/fs.h"

enum { BLOCK = 512, INODE_BYTES = 32, LINK_MAX_BYTES = 65535 };
enum { MODE_DIRECTORY = 0x4000, MODE_FILE = 0x8000, MODE_LINK = 0xA000 };
#define NO_NODE UINT32_MAX

/* A name in the tree. Index 0 is the root. */
struct node {
    const char *name; /* last part of the path, not NUL-ended where a directory is implied */
    uint32_t name_length;
    uint32_t next, first_child, last_child; /* indexes, NO_NODE at the end */
    uint32_t children;
    uint32_t inode; /* number, from 1 */
    const struct manifest_entry *entry; /* NULL: a directory that no line names */
};

struct inode {
    uint64_t mode, data_offset, count;
};

struct rofs {
    struct sink *sink;
    uint64_t start; /* where in the sink */
    VEC(struct node) nodes;
    struct map directories; /* path -> index of its node + 1, as a pointer */
    VEC(struct inode) inodes; /* by number - 1 */
    VEC(uint32_t) dirents; /* the node of each */
    VEC(const struct manifest_entry *) links;
    uint32_t align; /* files begin at multiples of it */
    bool dedup;
    struct map stored; /* dedup: content -> block of the file's data + 1 */
};

static uint32_t add_node(struct rofs *fs, uint32_t parent, const char *name, size_t length)
{
    uint32_t id = (uint32_t)fs->nodes.len;
    vec_push(&fs->nodes, (struct node){.name = name,
                                       .name_length = (uint32_t)length,
                                       .next = NO_NODE,
                                       .first_child = NO_NODE,
                                       .last_child = NO_NODE});
    if (parent == NO_NODE)
        return id;
    struct node *dir = &fs->nodes.at[parent];
    if (dir->last_child == NO_NODE)
        dir->first_child = id;
    else
        fs->nodes.at[dir->last_child].next = id;
    dir->last_child = id;
    dir->children++;
    return id;
}

/* The node of the directory that is the first `length` bytes of a guest path, made where it is
 * new, its parents before it. */
static uint32_t directory_node(struct rofs *fs, const char *path, size_t length)
{
    uint32_t parent = 0;
    for (size_t end = 1; end <= length; end++) {
        if (end < length && path[end] != '/')
            continue;
        uint32_t id = intern_find_n(&fs->directories.keys, path, end);
        if (id != INTERN_NONE) {
            parent = (uint32_t)((uintptr_t)fs->directories.values.at[id] - 1);
            continue;
        }
        size_t name = end;
        while (path[name - 1] != '/')
            name--;
        parent = add_node(fs, parent, path + name, end - name);
        char *key = mem_copy_n(path, end);
        map_put(&fs->directories, key, (void *)(uintptr_t)(parent + 1));
        free(key);
    }
    return parent;
}

static int build_tree(struct rofs *fs, const struct manifest_list *list, struct err *err)
{
    add_node(fs, NO_NODE, "", 0);
    for (size_t i = 0; list && i < list->entries.len; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        if (entry->duplicate)
            continue;
        if (entry->kind == ENTRY_SYMLINK && entry->size_bytes > LINK_MAX_BYTES)
            return err_at(err, entry->file, entry->line, 0,
                          "%s: a link in ROFS has at most %d bytes", entry->guest, LINK_MAX_BYTES);
        size_t length = strlen(entry->guest);
        uint32_t id;
        if (entry->kind == ENTRY_DIRECTORY) {
            id = directory_node(fs, entry->guest, length);
        } else {
            const char *slash = strrchr(entry->guest, '/');
            size_t above = (size_t)(slash - entry->guest);
            uint32_t parent = above ? directory_node(fs, entry->guest, above) : 0;
            id = add_node(fs, parent, slash + 1, length - above - 1);
        }
        fs->nodes.at[id].entry = entry;
    }
    return 0;
}

static uint32_t new_inode(struct rofs *fs, uint64_t mode)
{
    vec_push(&fs->inodes, (struct inode){.mode = mode});
    return (uint32_t)fs->inodes.len;
}

/* The key of a file's content: its size and hash. Read once more than without deduplication. */
static int content_key(const struct manifest_entry *entry, char key[64], struct err *err)
{
    struct hash hash;
    struct err why = {0};
    if (file_hash(entry->host, &hash, &why) < 0) {
        why.kind = ERR_INPUT;
        return fs_blame(entry, &why, err);
    }
    snprintf(key, 64, "%llx.%016llx%016llx", (unsigned long long)entry->size_bytes,
             (unsigned long long)hash.high, (unsigned long long)hash.low);
    return 0;
}

static int put_file(struct rofs *fs, uint32_t inode, const struct manifest_entry *entry,
                    struct err *err)
{
    char key[64];
    bool shared = fs->dedup && entry->size_bytes;
    fs->inodes.at[inode - 1].count = entry->size_bytes;
    if (shared) {
        if (content_key(entry, key, err) < 0)
            return -1;
        uintptr_t known = (uintptr_t)map_get(&fs->stored, key);
        if (known) {
            fs->inodes.at[inode - 1].data_offset = known - 1;
            return 0;
        }
    }
    uint64_t at = sink_at(fs->sink) - fs->start;
    if (entry->size_bytes) {
        at = round_up(at, fs->align);
        if (sink_zero_to(fs->sink, fs->start + at, err) < 0)
            return -1;
    }
    fs->inodes.at[inode - 1].data_offset = at / BLOCK;
    if (shared)
        map_put(&fs->stored, key, (void *)(uintptr_t)(at / BLOCK + 1));
    if (fs_put_file(fs->sink, entry, err) < 0)
        return -1;
    return sink_zero_to(fs->sink, fs->start + round_up(sink_at(fs->sink) - fs->start, BLOCK), err);
}

/* Gives numbers to what is below a directory and writes its files' data. */
static int put_directory(struct rofs *fs, uint32_t dir, struct err *err)
{
    for (uint32_t id = fs->nodes.at[dir].first_child; id != NO_NODE; id = fs->nodes.at[id].next) {
        struct node *node = &fs->nodes.at[id];
        const struct manifest_entry *entry = node->entry;
        if (!entry || entry->kind == ENTRY_DIRECTORY) {
            node->inode = new_inode(fs, MODE_DIRECTORY);
            if (put_directory(fs, id, err) < 0)
                return -1;
        } else if (entry->kind == ENTRY_SYMLINK) {
            node->inode = new_inode(fs, MODE_LINK);
            fs->inodes.at[node->inode - 1].data_offset = fs->links.len;
            fs->inodes.at[node->inode - 1].count = 1;
            vec_push(&fs->links, entry);
        } else {
            node->inode = new_inode(fs, MODE_FILE);
            if (put_file(fs, node->inode, entry, err) < 0)
                return -1;
        }
    }
    struct inode *own = &fs->inodes.at[fs->nodes.at[dir].inode - 1];
    own->data_offset = fs->dirents.len;
    own->count = fs->nodes.at[dir].children;
    for (uint32_t id = fs->nodes.at[dir].first_child; id != NO_NODE; id = fs->nodes.at[id].next)
        vec_push(&fs->dirents, id);
    return 0;
}

/* The packed area behind the data. */
static int put_structure(struct rofs *fs, struct err *err)
{
    unsigned char bytes[INODE_BYTES];
    for (size_t i = 0; i < fs->dirents.len; i++) {
        const struct node *node = &fs->nodes.at[fs->dirents.at[i]];
        put_le(bytes, node->inode, 8);
        put_le(bytes + 8, node->name_length, 2);
        if (sink_write(fs->sink, bytes, 10, err) < 0 ||
            sink_write(fs->sink, node->name, node->name_length, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < fs->links.len; i++) {
        const struct manifest_entry *entry = fs->links.at[i];
        put_le(bytes, entry->size_bytes, 2);
        if (sink_write(fs->sink, bytes, 2, err) < 0 ||
            sink_write(fs->sink, entry->host, entry->size_bytes, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < fs->inodes.len; i++) {
        const struct inode *inode = &fs->inodes.at[i];
        put_le(bytes, inode->mode, 8);
        put_le(bytes + 8, i + 1, 8);
        put_le(bytes + 16, inode->data_offset, 8);
        put_le(bytes + 24, inode->count, 8);
        if (sink_write(fs->sink, bytes, INODE_BYTES, err) < 0)
            return -1;
    }
    return 0;
}

static int put_all(struct rofs *fs, const struct manifest_list *list, struct err *err)
{
    struct sink *sink = fs->sink;
    unsigned char super[8 * 8];
    if (build_tree(fs, list, err) < 0 || sink_zero_to(sink, fs->start + BLOCK, err) < 0)
        return -1;
    fs->nodes.at[0].inode = new_inode(fs, MODE_DIRECTORY);
    if (put_directory(fs, 0, err) < 0)
        return -1;
    uint64_t structure = sink_at(sink);
    if (put_structure(fs, err) < 0)
        return -1;
    /* A full last block is followed by one of zeros that the superblock does not count, as OSv's
     * script has it. */
    uint64_t length = sink_at(sink) - structure;
    if (sink_zero_to(sink, structure + (length / BLOCK + 1) * BLOCK, err) < 0)
        return -1;
    const uint64_t fields[8] = {0xDEADBEAD,
                                1,
                                BLOCK,
                                (structure - fs->start) / BLOCK,
                                (length + BLOCK - 1) / BLOCK,
                                fs->dirents.len,
                                fs->links.len,
                                fs->inodes.len};
    for (unsigned i = 0; i < 8; i++)
        put_le(super + 8 * i, fields[i], 8);
    return sink_patch(sink, fs->start, super, sizeof super, err);
}

int rofs_put_volume(struct sink *sink, const struct image_volume *volume, struct err *err)
{
    struct rofs fs = {.sink = sink,
                      .start = sink_at(sink),
                      .align = volume->align ? volume->align : BLOCK,
                      .dedup = volume->dedup};
    int status = 0;
    if (fs.align % BLOCK)
        status = err_set(err, ERR_INPUT, "files in ROFS begin at multiples of %d, not of %u", BLOCK,
                         fs.align);
    if (!status)
        status = put_all(&fs, volume->list, err);
    vec_free(&fs.nodes);
    map_free(&fs.directories);
    map_free(&fs.stored);
    vec_free(&fs.inodes);
    vec_free(&fs.dirents);
    vec_free(&fs.links);
    return status;
}

int rofs_put(struct sink *sink, const struct manifest_list *list, struct err *err)
{
    const struct image_volume volume = {.fs = IMAGE_ROFS, .list = list};
    return rofs_put_volume(sink, &volume, err);
}

uint64_t rofs_most(const struct image_volume *volume)
{
    uint64_t most = 4 * BLOCK, align = volume->align ? volume->align : BLOCK;
    for (size_t i = 0; volume->list && i < volume->list->entries.len; i++) {
        const struct manifest_entry *entry = &volume->list->entries.at[i];
        /* Each part of a path may be a directory of its own. */
        for (const char *p = entry->guest; *p; p++)
            most += *p == '/' ? 10 + INODE_BYTES : 1;
        most += entry->size_bytes + align + BLOCK;
    }
    return round_up(most, BLOCK);
}

int rofs_write(const char *path, const struct manifest_list *list, const struct image_io *io,
               struct err *err)
{
    struct sink sink;
    uint64_t total;
    if (fs_total(list, &total, err) < 0 || sink_open(&sink, path, DISK_RAW, 0, io, err) < 0)
        return -1;
    sink.total_bytes = total;
    if (rofs_put(&sink, list, err) < 0) {
        sink_abandon(&sink);
        return -1;
    }
    return sink_finish(&sink, sink_at(&sink), err);
}
