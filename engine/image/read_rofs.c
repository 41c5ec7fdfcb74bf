/* ROFS as fs/rofs/rofs_vfsops.cc of OSv reads it. Reads the packed area into memory once, then walks
 * from inode 1. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/read_fs.h"

enum {
    BLOCK_BYTES = 512,
    SUPER_BYTES = 64,
    DIRENT_FIXED = 10,
    LINK_FIXED = 2,
    INODE_SIZE = 32,
    PATHS_MAX = 512 * 1024 * 1024, /* bytes of all paths together */
    AREA_MAX = 512 * 1024 * 1024, /* more than 5 million files have */
};

struct span {
    uint32_t at, length; /* in the area */
};
struct dirent_read {
    uint64_t inode;
    struct span name;
};
struct volume {
    struct fs_reader *reader;
    unsigned char *area;
    uint32_t area_bytes;
    struct dirent_read *dirents;
    struct span *links;
    const unsigned char *inodes;
    uint64_t dirents_count, links_count, inodes_count;
    unsigned char *visited; /* by inode - 1 */
    unsigned char *listed; /* by dirent */
    uint64_t path_bytes; /* of all paths so far */
};

/* A directory that is to be walked. */
struct pending {
    uint64_t inode;
    const char *path; /* in the arena; "" for the root */
};
struct pending_list {
    VEC(struct pending) dirs;
};

static const unsigned char *inode_of(const struct volume *v, uint64_t number)
{
    return number && number <= v->inodes_count ? v->inodes + (number - 1) * INODE_SIZE : NULL;
}

/* Takes the three tables apart. */
static int read_tables(struct volume *v)
{
    uint32_t at = 0, end = v->area_bytes;
    if (v->dirents_count > end / DIRENT_FIXED || v->links_count > end / LINK_FIXED ||
        v->inodes_count > end / INODE_SIZE || !v->inodes_count)
        return err_set(v->reader->err, ERR_INPUT, "ROFS: more entries than its tables can hold");
    v->dirents = mem_zero(v->dirents_count + 1, sizeof *v->dirents);
    v->links = mem_zero(v->links_count + 1, sizeof *v->links);
    v->visited = mem_zero(v->inodes_count, 1);
    v->listed = mem_zero(v->dirents_count + 1, 1);
    for (uint64_t i = 0; i < v->dirents_count; i++) {
        if (end - at < DIRENT_FIXED)
            return err_set(v->reader->err, ERR_INPUT, "ROFS: the directory entries are cut off");
        uint32_t length = (uint32_t)get_le(v->area + at + 8, 2);
        v->dirents[i].inode = get_le(v->area + at, 8);
        at += DIRENT_FIXED;
        if (end - at < length)
            return err_set(v->reader->err, ERR_INPUT, "ROFS: a name is cut off");
        v->dirents[i].name = (struct span){at, length};
        at += length;
    }
    for (uint64_t i = 0; i < v->links_count; i++) {
        uint32_t length = end - at < LINK_FIXED ? end : (uint32_t)get_le(v->area + at, 2);
        if (end - at < LINK_FIXED + length)
            return err_set(v->reader->err, ERR_INPUT, "ROFS: a link is cut off");
        v->links[i] = (struct span){at + LINK_FIXED, length};
        at += LINK_FIXED + length;
    }
    if ((end - at) / INODE_SIZE < v->inodes_count)
        return err_set(v->reader->err, ERR_INPUT, "ROFS: the inodes are cut off");
    v->inodes = v->area + at;
    return 0;
}

/* Fills the list's entry of an inode; queues directories. */
static int take_inode(struct volume *v, uint64_t number, const char *path,
                      struct pending_list *pending)
{
    struct fs_reader *r = v->reader;
    const unsigned char *inode = inode_of(v, number);
    if (!inode)
        return fs_finding(r, "%s: inode %llu does not exist", path, (unsigned long long)number);
    uint64_t mode = get_le(inode, 8), data = get_le(inode + 16, 8), count = get_le(inode + 24, 8);
    struct fs_file file = {.file.path = path};
    if (get_le(inode + 8, 8) != number &&
        fs_finding(r, "%s: inode %llu says it is another", path, (unsigned long long)number) < 0)
        return -1;
    bool again = v->visited[number - 1];
    v->visited[number - 1] = 1;
    if (again && mode == 0x4000)
        return fs_finding(r, "%s: its directory is in two places", path);
    if (mode == 0x4000) {
        file.file.kind = ENTRY_DIRECTORY;
        vec_push(&pending->dirs, (struct pending){number, path});
    } else if (mode == 0xA000) {
        file.file.kind = ENTRY_SYMLINK;
        if (data >= v->links_count)
            return fs_finding(r, "%s: link %llu does not exist", path, (unsigned long long)data);
        struct span link = v->links[data];
        file.file.target = arena_copy_n(&r->arena, (char *)v->area + link.at, link.length);
        file.file.size_bytes = link.length;
    } else if (mode == 0x8000) {
        file.file.kind = ENTRY_FILE;
        file.file.size_bytes = count;
        if (data > r->size_bytes / BLOCK_BYTES || !fs_inside(r, data * BLOCK_BYTES, count))
            return fs_finding(r, "%s: its data lies outside of the file system", path);
        file.at = r->start + data * BLOCK_BYTES;
    } else {
        return fs_finding(r, "%s: mode 0x%llx is none that is known", path,
                          (unsigned long long)mode);
    }
    vec_push(&r->files, file);
    return 0;
}

static bool bad_name(const char *name, size_t length)
{
    return !length || memchr(name, '/', length) || memchr(name, '\0', length) ||
           (name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')));
}

static int walk_directory(struct volume *v, struct pending dir, struct pending_list *pending)
{
    struct fs_reader *r = v->reader;
    const unsigned char *inode = inode_of(v, dir.inode);
    uint64_t first = get_le(inode + 16, 8), count = get_le(inode + 24, 8);
    if (first > v->dirents_count || count > v->dirents_count - first)
        return fs_finding(r, "%s: its entries lie outside of the table",
                          *dir.path ? dir.path : "/");
    for (uint64_t i = first; i < first + count; i++) {
        struct span name = v->dirents[i].name;
        const char *text = (const char *)v->area + name.at;
        int status;
        v->path_bytes += strlen(dir.path) + name.length + 2;
        if (v->path_bytes > PATHS_MAX)
            return err_set(r->err, ERR_INPUT, "ROFS: its paths are longer than any real ones");
        bool again = v->listed[i];
        v->listed[i] = 1;
        if (again)
            status = fs_finding(r, "%s: entry %llu is in another directory too",
                                *dir.path ? dir.path : "/", (unsigned long long)i);
        else if (bad_name(text, name.length))
            status = fs_finding(r, "%s: entry %llu has an impossible name",
                                *dir.path ? dir.path : "/", (unsigned long long)i);
        else if (strlen(dir.path) > 4096)
            status = fs_finding(r, "%.64s...: directories are too deep", dir.path);
        else
            status = take_inode(
                v, v->dirents[i].inode,
                arena_format(&r->arena, "%s/%.*s", dir.path, (int)name.length, text), pending);
        if (status)
            return -1;
    }
    return 0;
}

static int walk(struct volume *v)
{
    struct pending_list pending = {0};
    int status = 0;
    if (get_le(v->inodes, 8) != 0x4000)
        return err_set(v->reader->err, ERR_INPUT, "ROFS: inode 1 is no directory");
    v->visited[0] = 1;
    vec_push(&pending.dirs, (struct pending){1, ""});
    while (pending.dirs.len && !status)
        status = walk_directory(v, pending.dirs.at[--pending.dirs.len], &pending);
    vec_free(&pending.dirs);
    for (uint64_t i = 0; i < v->inodes_count && !status && v->reader->report; i++)
        if (!v->visited[i])
            status =
                fs_finding(v->reader, "inode %llu is in no directory", (unsigned long long)i + 1);
    return status;
}

int rofs_read(struct fs_reader *reader)
{
    unsigned char super[SUPER_BYTES];
    struct volume v = {.reader = reader};
    if (fs_bytes(reader, 0, super, sizeof super) < 0)
        return -1;
    if (get_le(super + 8, 8) != 1 || get_le(super + 16, 8) != BLOCK_BYTES)
        return err_set(reader->err, ERR_INPUT, "ROFS: version %llu with blocks of %llu bytes",
                       (unsigned long long)get_le(super + 8, 8),
                       (unsigned long long)get_le(super + 16, 8));
    uint64_t first = get_le(super + 24, 8), blocks = get_le(super + 32, 8);
    v.dirents_count = get_le(super + 40, 8);
    v.links_count = get_le(super + 48, 8);
    v.inodes_count = get_le(super + 56, 8);
    if (!blocks || blocks > AREA_MAX / BLOCK_BYTES || first > reader->size_bytes / BLOCK_BYTES ||
        !fs_inside(reader, first * BLOCK_BYTES, blocks * BLOCK_BYTES))
        return err_set(reader->err, ERR_INPUT, "ROFS: its tables lie outside of it");
    v.area_bytes = (uint32_t)(blocks * BLOCK_BYTES);
    v.area = mem_alloc(v.area_bytes);
    int status = fs_bytes(reader, first * BLOCK_BYTES, v.area, v.area_bytes);
    if (!status)
        status = read_tables(&v);
    if (!status)
        status = walk(&v);
    free(v.area);
    free(v.dirents);
    free(v.links);
    free(v.visited);
    free(v.listed);
    return status;
}
