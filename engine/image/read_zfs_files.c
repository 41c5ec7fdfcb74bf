/* The pool's way in (labels, uberblock, data sets), and the files of its file system. */
#include <stdlib.h>
#include <string.h>

#include <nettle/sha2.h>

#include "base/mem.h"
#include "image/read_zfs.h"

enum {
    LABEL = 256 * 1024,
    RING_AT = 128 * 1024,
    SLOT = 1024,
    OBJSET_KEPT = 1024, /* of an object set: its dnode and its type */
    OT_SA = 44,
    OT_ZNODE = 17,
    OBJECT_DIRECTORY = 1,
    MASTER_NODE = 1,
    TARGET_MOST = 65536,
    DATASETS_MOST = 64,
};

/* ---- the way in ---- */

/* Whether a slot of a ring holds an uberblock; its own checksum is seeded with its place. */
static bool sound_uberblock(unsigned char *slot, uint64_t at)
{
    unsigned char stored[32], digest[32];
    if (get_le(slot, 8) != 0x00BAB10C || get_le(slot + SLOT - 40, 8) != 0x210DA7AB10C7A11)
        return false;
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    return true; /* a fuzzer cannot guess sums */
#endif
    memcpy(stored, slot + SLOT - 32, 32);
    memset(slot + SLOT - 32, 0, 32);
    for (unsigned i = 0; i < 8; i++)
        slot[SLOT - 32 + i] = (unsigned char)(at >> (8 * i));
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, SLOT, slot);
    sha256_digest(&sha, sizeof digest, digest);
    memcpy(slot + SLOT - 32, stored, 32);
    for (unsigned i = 0; i < 4; i++)
        if (get_be(digest + 8 * (size_t)i, 8) != get_le(stored + 8 * (size_t)i, 8))
            return false;
    return true;
}

static int find_uberblock(struct zpool_read *pool)
{
    uint64_t size = pool->reader->size_bytes / LABEL * LABEL;
    unsigned char *ring = mem_alloc(LABEL - RING_AT);
    int status = 0;
    for (unsigned label = 0; label < 4 && size >= 4 * LABEL && !status; label++) {
        uint64_t start = label < 2 ? (uint64_t)label * LABEL : size - (4 - label) * (uint64_t)LABEL;
        unsigned sound = 0;
        status = fs_bytes(pool->reader, start + RING_AT, ring, LABEL - RING_AT);
        for (unsigned i = 0; i < (LABEL - RING_AT) / SLOT && !status; i++) {
            unsigned char *slot = ring + (size_t)i * SLOT;
            if (!sound_uberblock(slot, start + RING_AT + i * (uint64_t)SLOT))
                continue;
            sound++;
            if (get_le(slot + 16, 8) <= pool->txg)
                continue;
            pool->version = get_le(slot + 8, 8);
            pool->txg = get_le(slot + 16, 8);
            memcpy(pool->root, slot + 40, Z_BP);
        }
        if (!status && !sound && pool->reader->report)
            status = fs_finding(pool->reader, "label %u has no sound uberblock", label);
    }
    free(ring);
    if (status)
        return -1;
    return pool->txg ? 0 : z_damaged(pool, "no sound uberblock in any label");
}

/* An object set by its pointer: what is kept of it, new. */
static unsigned char *open_set(struct zpool_read *pool, const unsigned char *bp)
{
    uint32_t length;
    if (z_is_hole(bp)) {
        z_damaged(pool, "an object set that is not there");
        return NULL;
    }
    unsigned char *bytes = z_read(pool, bp, &length);
    if (bytes && length < OBJSET_KEPT) {
        free(bytes);
        z_damaged(pool, "an object set that is too short");
        return NULL;
    }
    return bytes;
}

/* Names of data sets below one, sorted by who asks. */
struct children {
    struct zpool_read *pool;
    uint64_t first;
    char name[256];
};

static int take_child(void *data, const char *name, const unsigned char *values, unsigned width,
                      unsigned count)
{
    struct children *children = data;
    if (name[0] == '$' || width != 8 || count != 1)
        return 0; /* the pool's own */
    if (!children->first || strcmp(name, children->name) < 0) {
        children->first = get_be(values, 8);
        memset(children->name, 0, sizeof children->name);
        memcpy(children->name, name, strnlen(name, sizeof children->name - 1));
    }
    return 0;
}

static int take_any(void *data, const char *name, const unsigned char *values, unsigned width,
                    unsigned count)
{
    (void)name, (void)values, (void)width, (void)count;
    *(bool *)data = true;
    return 0;
}

/* The object set of a data set directory's head; *below: the first data set under it, or 0. */
static int open_directory(struct zpool_read *pool, uint64_t object, uint64_t *below)
{
    unsigned char dnode[Z_DNODE];
    size_t length;
    struct children children = {.pool = pool};
    if (z_object(pool, pool->mos, object, dnode) < 0)
        return -1;
    const unsigned char *bonus = z_bonus(dnode, &length);
    if (length < 256)
        return z_damaged(pool, "a data set directory that is too short");
    uint64_t head = get_le(bonus + 8, 8), names = get_le(bonus + 32, 8);
    unsigned char names_dnode[Z_DNODE];
    if (names && (z_object(pool, pool->mos, names, names_dnode) < 0 ||
                  z_zap(pool, names_dnode, take_child, &children) < 0))
        return -1;
    *below = children.first;
    if (z_object(pool, pool->mos, head, dnode) < 0)
        return -1;
    bonus = z_bonus(dnode, &length);
    if (length < 256)
        return z_damaged(pool, "a data set that is too short");
    free(pool->files);
    pool->files = open_set(pool, bonus + 128);
    return pool->files ? 0 : -1;
}

static int root_object(struct zpool_read *pool, uint64_t *root)
{
    bool found;
    if (z_lookup(pool, pool->files, MASTER_NODE, "ROOT", root, &found) < 0)
        return -1;
    return found ? 0 : z_damaged(pool, "a file system without a root");
}

/* Whether the file system that is open has names in it. */
static int has_files(struct zpool_read *pool, bool *files)
{
    unsigned char dnode[Z_DNODE];
    uint64_t root;
    *files = false;
    if (root_object(pool, &root) < 0 || z_object(pool, pool->files, root, dnode) < 0)
        return -1;
    return z_zap(pool, dnode, take_any, files);
}

/* The file system that a kernel would mount: the pool's own, or the first one below it that is not
 * empty (the pool's own may have a directory to mount it on). */
static int open_files(struct zpool_read *pool)
{
    uint64_t directory, below = 0, deeper;
    bool found, files = true;
    if (z_lookup(pool, pool->mos, OBJECT_DIRECTORY, "root_dataset", &directory, &found) < 0)
        return -1;
    if (!found)
        return z_damaged(pool, "a pool without a data set");
    for (unsigned depth = 0; depth < DATASETS_MOST && files; depth++) {
        if (open_directory(pool, directory, &below) < 0)
            return -1;
        if (!below)
            return 0;
        if (open_directory(pool, below, &deeper) < 0 || has_files(pool, &files) < 0)
            return -1;
        if (files)
            directory = below;
    }
    return files ? z_damaged(pool, "data sets that are too deep")
                 : open_directory(pool, directory, &below);
}

/* ---- attributes ---- */

static int take_registered(void *data, const char *name, const unsigned char *values,
                           unsigned width, unsigned count)
{
    struct zpool_read *pool = data;
    if (width != 8 || count != 1)
        return 0;
    uint64_t word = get_be(values, 8);
    unsigned number = (unsigned)(word & 0xffff);
    if (number >= sizeof pool->attribute_length / sizeof *pool->attribute_length)
        return 0;
    pool->attribute_length[number] = (uint16_t)(word >> 24);
    if (strcmp(name, "ZPL_MODE") == 0)
        pool->attribute_mode = (int)number;
    else if (strcmp(name, "ZPL_SIZE") == 0)
        pool->attribute_size = (int)number;
    else if (strcmp(name, "ZPL_SYMLINK") == 0)
        pool->attribute_link = (int)number;
    else if (strcmp(name, "ZPL_LINKS") == 0)
        pool->attribute_links = (int)number;
    return 0;
}

static int take_layout(void *data, const char *name, const unsigned char *values, unsigned width,
                       unsigned count)
{
    struct zpool_read *pool = data;
    unsigned long number = strtoul(name, NULL, 10);
    if (width != 2 || count > 64 || number >= 64)
        return 0;
    for (unsigned i = 0; i < count; i++)
        pool->layouts[number].attributes[i] = (uint16_t)get_be(values + 2 * (size_t)i, 2);
    pool->layouts[number].count = count;
    pool->layouts[number].known = true;
    return 0;
}

static int read_attributes(struct zpool_read *pool)
{
    uint64_t master, registry, layouts;
    unsigned char dnode[Z_DNODE];
    bool found, both;
    pool->attribute_mode = pool->attribute_size = pool->attribute_link = pool->attribute_links = -1;
    if (z_lookup(pool, pool->files, MASTER_NODE, "SA_ATTRS", &master, &found) < 0)
        return -1;
    if (!found)
        return 0;
    if (z_lookup(pool, pool->files, master, "REGISTRY", &registry, &found) < 0 ||
        z_lookup(pool, pool->files, master, "LAYOUTS", &layouts, &both) < 0)
        return -1;
    if (!found || !both)
        return z_damaged(pool, "system attributes without their tables");
    if (z_object(pool, pool->files, registry, dnode) < 0 ||
        z_zap(pool, dnode, take_registered, pool) < 0 ||
        z_object(pool, pool->files, layouts, dnode) < 0)
        return -1;
    return z_zap(pool, dnode, take_layout, pool);
}

/* What a file says of itself. */
struct znode_read {
    uint64_t mode, size, links;
    char *target; /* new, or NULL */
};

static void take_attribute(const struct zpool_read *pool, int number, const unsigned char *at,
                           size_t length, struct znode_read *out)
{
    if (number == pool->attribute_mode && length >= 8)
        out->mode = get_le(at, 8);
    else if (number == pool->attribute_size && length >= 8)
        out->size = get_le(at, 8);
    else if (number == pool->attribute_links && length >= 8)
        out->links = get_le(at, 8);
    else if (number == pool->attribute_link && !out->target)
        out->target = mem_copy_n((const char *)at, length);
}

/* One block of attributes: in the bonus, or the spill block. */
static int read_sa(struct zpool_read *pool, const unsigned char *bytes, size_t length,
                   struct znode_read *out)
{
    if (length < 8 || get_le(bytes, 4) != 0x2F505A)
        return z_damaged(pool, "attributes that are none");
    unsigned info = (unsigned)get_le(bytes + 4, 2), layout = info & 0x3ff;
    size_t at = (size_t)(info >> 10) * 8, sizes_at = 6, sizes_end = at;
    if (layout >= 64 || !pool->layouts[layout].known)
        return z_damaged(pool, "attributes in a layout that is not declared");
    for (unsigned i = 0; i < pool->layouts[layout].count; i++) {
        unsigned number = pool->layouts[layout].attributes[i];
        if (number >= 256)
            return z_damaged(pool, "an attribute that is not registered");
        size_t size = pool->attribute_length[number];
        if (!size) {
            if (sizes_at + 2 > sizes_end || sizes_at + 2 > length)
                return z_damaged(pool, "attributes without their lengths");
            size = get_le(bytes + sizes_at, 2);
            sizes_at += 2;
        }
        if (at > length || size > length - at)
            return z_damaged(pool, "attributes that are cut off");
        take_attribute(pool, (int)number, bytes + at, size, out);
        at += (size + 7) / 8 * 8;
    }
    return 0;
}

/* Before version 5: a znode_phys_t, a short target behind it. */
static int read_old(struct zpool_read *pool, const unsigned char *dnode, const unsigned char *bonus,
                    size_t length, struct znode_read *out)
{
    enum { ZNODE = 264 };
    if (length < ZNODE)
        return z_damaged(pool, "a znode that is cut off");
    out->mode = get_le(bonus + 72, 8);
    out->size = get_le(bonus + 80, 8);
    out->links = get_le(bonus + 96, 8);
    if ((out->mode & 0xF000) != 0xA000)
        return 0;
    if (out->size > TARGET_MOST)
        return z_damaged(pool, "a link that is too long");
    if (out->size + ZNODE <= length) {
        out->target = mem_copy_n((const char *)bonus + ZNODE, (size_t)out->size);
        return 0;
    }
    out->target = mem_zero(1, (size_t)out->size + 1);
    return z_data(pool, dnode, 0, out->target, (size_t)out->size);
}

static int read_znode(struct zpool_read *pool, const unsigned char *dnode, struct znode_read *out)
{
    size_t length;
    const unsigned char *bonus = z_bonus(dnode, &length);
    if (dnode[4] == OT_ZNODE)
        return read_old(pool, dnode, bonus, length, out);
    if (dnode[4] != OT_SA)
        return z_damaged(pool, "a file without attributes");
    if (read_sa(pool, bonus, length, out) < 0)
        return -1;
    const unsigned char *spill = dnode + Z_DNODE - Z_BP;
    if (!(dnode[7] & 4) || z_is_hole(spill))
        return 0;
    uint32_t spill_bytes;
    const unsigned char *block = z_cached(pool, spill, &spill_bytes);
    return block ? read_sa(pool, block, spill_bytes, out) : -1;
}

/* ---- files ---- */

struct pending {
    uint64_t object;
    const char *path;
};

struct walk {
    struct zpool_read *pool;
    VEC(struct pending) dirs;
    const char *path; /* of the directory that is walked */
};

static bool visited(struct zpool_read *pool, uint64_t object)
{
    size_t at = (size_t)(object / 8);
    if (at >= pool->visited_bytes) {
        size_t room = at + 4096;
        pool->visited = mem_grow(pool->visited, room);
        memset(pool->visited + pool->visited_bytes, 0, room - pool->visited_bytes);
        pool->visited_bytes = room;
    }
    bool was = pool->visited[at] & 1u << object % 8;
    pool->visited[at] |= (unsigned char)(1u << object % 8);
    return was;
}

static int add_file(struct walk *walk, uint64_t object, const char *path,
                    const struct znode_read *znode)
{
    struct fs_reader *r = walk->pool->reader;
    struct fs_file file = {.file = {.path = path, .mode = (uint32_t)(znode->mode & 07777)},
                           .at = object};
    switch (znode->mode & 0xF000) {
    case 0x4000:
        if (visited(walk->pool, object))
            return fs_finding(r, "%s: a directory with two names", path);
        file.file.kind = ENTRY_DIRECTORY;
        vec_push(&walk->dirs, (struct pending){object, path});
        break;
    case 0x8000:
        file.file.kind = ENTRY_FILE;
        file.file.size_bytes = znode->size;
        break;
    case 0xA000:
        if (!znode->target || strlen(znode->target) != znode->size)
            return fs_finding(r, "%s: a link whose target has another length than it says", path);
        file.file.kind = ENTRY_SYMLINK;
        file.file.size_bytes = znode->size;
        file.file.target = arena_copy(&r->arena, znode->target);
        break;
    default:
        return fs_finding(r, "%s: neither file, directory nor link (mode %o)", path,
                          (unsigned)znode->mode & 0177777);
    }
    vec_push(&r->files, file);
    return 0;
}

static int take_name(void *data, const char *name, const unsigned char *values, unsigned width,
                     unsigned count)
{
    struct walk *walk = data;
    unsigned char dnode[Z_DNODE];
    struct znode_read znode = {0};
    int status;
    if (width != 8 || count != 1)
        return z_damaged(walk->pool, "a directory entry that is none");
    const char *path = fs_path(walk->pool->reader, walk->path, name, strlen(name), &status);
    if (!path)
        return status;
    uint64_t object = get_be(values, 8) & 0xffffffffffff;
    status = z_object(walk->pool, walk->pool->files, object, dnode);
    if (!status)
        status = read_znode(walk->pool, dnode, &znode);
    if (!status)
        status = add_file(walk, object, path, &znode);
    free(znode.target);
    return status;
}

static int walk_all(struct zpool_read *pool)
{
    struct walk walk = {.pool = pool};
    uint64_t root;
    if (root_object(pool, &root) < 0)
        return -1;
    if (root >= Z_OBJECTS_MOST)
        return z_damaged(pool, "a root that is none");
    visited(pool, root);
    vec_push(&walk.dirs, (struct pending){root, ""});
    int status = 0;
    while (walk.dirs.len && !status) {
        unsigned char dnode[Z_DNODE];
        struct pending dir = walk.dirs.at[--walk.dirs.len];
        walk.path = dir.path;
        status = z_object(pool, pool->files, dir.object, dnode);
        if (!status)
            status = z_zap(pool, dnode, take_name, &walk);
    }
    vec_free(&walk.dirs);
    return status;
}

static int read_at(struct fs_reader *reader, const struct fs_file *file, uint64_t offset,
                   void *bytes, size_t length)
{
    struct zpool_read *pool = reader->state;
    unsigned char dnode[Z_DNODE];
    if (z_object(pool, pool->files, file->at, dnode) < 0)
        return -1;
    return z_data(pool, dnode, offset, bytes, length);
}

static void close_pool(struct fs_reader *reader)
{
    struct zpool_read *pool = reader->state;
    for (unsigned i = 0; i < Z_CACHE; i++)
        free(pool->cache[i].bytes);
    free(pool->packed);
    free(pool->mos);
    free(pool->files);
    free(pool->visited);
    free(pool);
    reader->state = NULL;
}

int zfs_read(struct fs_reader *reader)
{
    struct zpool_read *pool = mem_zero(1, sizeof *pool);
    pool->reader = reader;
    reader->state = pool;
    reader->close = close_pool;
    reader->read_at = read_at;
    if (find_uberblock(pool) < 0)
        return -1;
    pool->mos = open_set(pool, pool->root);
    if (!pool->mos || open_files(pool) < 0 || read_attributes(pool) < 0 || walk_all(pool) < 0)
        return -1;
    return reader->report ? z_check(pool) : 0;
}
