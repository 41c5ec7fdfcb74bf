/*
 * The file system's object set. Numbers are given before anything is written: fixed objects,
 * directories (the root first), then everything else in order of path; so dnodes stream out in
 * their own order and only directories' entries are kept in memory.
 */
#include "image/zfs_zpl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "image/zfs_zap.h"

enum { DNODES_BLOCK = 16384, DNODES_IN_BLOCK = DNODES_BLOCK / 512 };

void objset_begin(struct zfs_objset *set, struct zfs_store *store)
{
    *set = (struct zfs_objset){.store = store, .in_block = 1};
    set->dnodes = mem_zero(1, DNODES_BLOCK);
    zfs_tree_begin(&set->meta, store, OT_DNODE, DNODES_BLOCK);
}

static int flush_dnodes(struct zfs_objset *set)
{
    uint64_t used = set->in_block - (set->meta.blocks == 0); /* number 0 is nobody */
    int status = zfs_tree_block(&set->meta, set->dnodes, used, PACK_NONE);
    memset(set->dnodes, 0, DNODES_BLOCK);
    set->in_block = 0;
    return status;
}

int objset_add(struct zfs_objset *set, const struct zfs_dnode *dnode)
{
    if (set->in_block == DNODES_IN_BLOCK && flush_dnodes(set) < 0)
        return -1;
    dnode_pack(dnode, set->dnodes + (size_t)set->in_block++ * 512);
    set->objects++;
    return 0;
}

int objset_end(struct zfs_objset *set, enum objset_type type, struct zfs_bp *bp)
{
    enum { OBJSET_BYTES = 2048, TYPE_AT = 512 + 192 };
    struct zfs_dnode meta = {.type = OT_DNODE};
    int status = set->in_block ? flush_dnodes(set) : 0;
    if (!status)
        status = zfs_tree_end(&set->meta, ZFS_LEVELS, &meta);
    set->space += meta.used_bytes;
    uint8_t block[OBJSET_BYTES] = {0};
    dnode_pack(&meta, block);
    block[TYPE_AT] = (uint8_t)type;
    if (!status)
        status = store_write(set->store, block, OBJSET_BYTES, OT_OBJSET, 0, set->objects, PACK_NONE,
                             &set->space, bp);
    zfs_tree_abandon(&set->meta);
    free(set->dnodes);
    set->dnodes = NULL;
    return status;
}

/* One name in a directory. */
struct child {
    uint32_t directory; /* index of directories */
    const char *name;
    uint64_t object;
    uint8_t type; /* DT_* */
};

/* An object that is no directory. */
struct leaf_object {
    const struct manifest_entry *entry;
    uint32_t directory;
    uint32_t links;
    uint32_t mode;
};

struct plan {
    struct intern directories; /* guest paths; 0 is the root, "" */
    VEC(uint32_t) parent_of; /* by directory */
    VEC(uint32_t) directories_in; /* by directory: subdirectories */
    VEC(struct child) children; /* sorted by directory */
    VEC(struct leaf_object) leaves;
    struct map hard_links; /* "dev:ino" -> index of leaves + 1 */
    uint64_t first_directory, first_leaf;
};

/* The attributes that Gantry stores, by number of the ZPL's own table (zfs_sa.c). */
static const struct {
    const char *name;
    uint16_t length; /* 0: variable */
    uint8_t swap; /* byte swap class */
} attributes[] = {
    {"ZPL_ATIME", 16, 0},     {"ZPL_MTIME", 16, 0},     {"ZPL_CTIME", 16, 0},
    {"ZPL_CRTIME", 16, 0},    {"ZPL_GEN", 8, 0},        {"ZPL_MODE", 8, 0},
    {"ZPL_SIZE", 8, 0},       {"ZPL_PARENT", 8, 0},     {"ZPL_LINKS", 8, 0},
    {"ZPL_XATTR", 8, 0},      {"ZPL_RDEV", 8, 0},       {"ZPL_FLAGS", 8, 0},
    {"ZPL_UID", 8, 0},        {"ZPL_GID", 8, 0},        {"ZPL_PAD", 32, 0},
    {"ZPL_ZNODE_ACL", 88, 3}, {"ZPL_DACL_COUNT", 8, 0}, {"ZPL_SYMLINK", 0, 3},
    {"ZPL_SCANSTAMP", 32, 3}, {"ZPL_DACL_ACES", 0, 4},
};
enum { ATTRIBUTES = sizeof attributes / sizeof *attributes, SYMLINK = 17 };
/* MODE SIZE GEN UID GID PARENT FLAGS ATIME MTIME CTIME CRTIME LINKS DACL_COUNT DACL_ACES SYMLINK */
static const uint16_t layout[] = {5, 6, 4, 12, 13, 7, 11, 0, 1, 2, 3, 8, 16, 19, SYMLINK};
enum { LAYOUT_PLAIN = 2, LAYOUT_LINK = 3, LAYOUT_SPILL = 4, LAYOUT_BASE = 14 };

enum { OBJECT_MASTER = 1 };

static uint64_t directory_object(const struct plan *plan, uint32_t directory)
{
    return plan->first_directory + directory;
}

/* The directory of a guest path, with its parents, added where it is new. */
static uint32_t add_directory(struct plan *plan, const char *path, size_t length)
{
    uint32_t id = intern_find_n(&plan->directories, path, length);
    if (id != INTERN_NONE)
        return id;
    size_t name = length;
    while (name && path[name - 1] != '/')
        name--;
    uint32_t parent = length ? add_directory(plan, path, name ? name - 1 : 0) : 0;
    id = intern_id_n(&plan->directories, path, length);
    vec_push(&plan->parent_of, parent);
    vec_push(&plan->directories_in, 0u);
    if (length)
        plan->directories_in.at[parent]++;
    return id;
}

/* The leaf that a host file is already, by another of its names; or 0. */
static uint32_t hard_link(struct plan *plan, const struct stat *st, uint32_t leaf)
{
    if (st->st_nlink < 2)
        return 0;
    char key[64];
    snprintf(key, sizeof key, "%llu:%llu", (unsigned long long)st->st_dev,
             (unsigned long long)st->st_ino);
    uintptr_t known = (uintptr_t)map_get(&plan->hard_links, key);
    if (!known)
        map_put(&plan->hard_links, key, (void *)(uintptr_t)(leaf + 1));
    return (uint32_t)known;
}

static int plan_leaf(struct plan *plan, const struct manifest_entry *entry, struct err *err)
{
    const char *slash = strrchr(entry->guest, '/');
    uint32_t directory = add_directory(plan, entry->guest, (size_t)(slash - entry->guest));
    struct leaf_object leaf = {entry, directory, 1, S_IFLNK | 0777};
    uint32_t index = (uint32_t)plan->leaves.len;
    if (entry->kind == ENTRY_FILE) {
        struct stat st;
        if (stat(entry->host, &st) < 0)
            return err_errno(err, "%s:%u: %s", entry->file, entry->line, entry->host);
        leaf.mode = S_IFREG | (st.st_mode & 0111 ? 0755 : 0644);
        uint32_t known = hard_link(plan, &st, index);
        if (known) {
            plan->leaves.at[known - 1].links++;
            index = known - 1;
        }
    }
    if (index == plan->leaves.len)
        vec_push(&plan->leaves, leaf);
    enum { DT_REGULAR = 8, DT_LINK = 10 };
    vec_push(&plan->children, (struct child){directory, slash + 1, index,
                                             entry->kind == ENTRY_FILE ? DT_REGULAR : DT_LINK});
    return 0;
}

static int by_directory(const void *left, const void *right)
{
    const struct child *a = left, *b = right;
    if (a->directory != b->directory)
        return a->directory < b->directory ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int make_plan(struct plan *plan, const struct manifest_list *list, uint64_t fixed,
                     struct err *err)
{
    add_directory(plan, "", 0);
    for (size_t i = 0; list && i < list->entries.len; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        if (entry->duplicate)
            continue;
        if (entry->missing)
            return err_at(err, entry->file, entry->line, 0, "%s is missing", entry->wanted);
        size_t length = strlen(entry->guest);
        if (entry->kind == ENTRY_DIRECTORY)
            add_directory(plan, entry->guest, length > 1 ? length : 0);
        else if (plan_leaf(plan, entry, err) < 0)
            return -1;
    }
    plan->first_directory = fixed + 1;
    plan->first_leaf = plan->first_directory + intern_count(&plan->directories);
    for (size_t i = 0; i < plan->children.len; i++)
        plan->children.at[i].object += plan->first_leaf;
    enum { DT_DIRECTORY = 4 };
    for (uint32_t d = 1; d < intern_count(&plan->directories); d++) {
        const char *path = intern_text(&plan->directories, d);
        vec_push(&plan->children, (struct child){plan->parent_of.at[d], strrchr(path, '/') + 1,
                                                 directory_object(plan, d), DT_DIRECTORY});
    }
    if (plan->children.len)
        qsort(plan->children.at, plan->children.len, sizeof *plan->children.at, by_directory);
    return 0;
}

static void free_plan(struct plan *plan)
{
    intern_free(&plan->directories);
    map_free(&plan->hard_links);
    vec_free(&plan->parent_of);
    vec_free(&plan->directories_in);
    vec_free(&plan->children);
    vec_free(&plan->leaves);
}

static uint8_t *put_u64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

/* Three entries of a trivial ACL: owner, group, everyone (zfs_acl.h). */
static void put_aces(uint8_t out[static 24], uint32_t mode)
{
    enum { READ = 1, WRITE = 2 | 4, EXECUTE = 0x20 };
    const uint32_t base = 0x20000 | 0x80 | 0x8 | 0x100000;
    const uint32_t owner = base | 0x100 | 0x10 | 0x40000 | 0x80000;
    static const uint16_t who[3] = {0x1000, 0x2040, 0x4000};
    for (unsigned i = 0; i < 3; i++) {
        uint32_t bits = mode >> (6 - 3 * i);
        uint32_t mask = (i ? base : owner) | (bits & 4 ? READ : 0u) | (bits & 2 ? WRITE : 0u) |
                        (bits & 1 ? EXECUTE : 0u);
        uint16_t type = 0;
        memcpy(out + 8 * i, &type, 2);
        memcpy(out + 8 * i + 2, &who[i], 2);
        memcpy(out + 8 * i + 4, &mask, 4);
    }
}

/* ACL_TRIVIAL, ACL_AUTO_INHERIT, NO_EXECS_DENIED, ARCHIVE, AV_MODIFIED (zfs_znode.h) */
static const uint64_t znode_flags = 0x4 | 0x40 | 0x100 | 0x800000000 | 0x40000000000;

struct znode {
    uint32_t mode;
    uint64_t size, links, parent;
    const char *target; /* of a symbolic link */
};

static uint8_t *put_sa_header(uint8_t *at, unsigned number, unsigned bytes, const uint16_t *lengths,
                              unsigned count)
{
    const uint32_t magic = 0x2F505A;
    uint16_t info = (uint16_t)(number | (bytes / 8) << 10);
    memset(at, 0, bytes);
    memcpy(at, &magic, 4);
    memcpy(at + 4, &info, 2);
    memcpy(at + 6, lengths, count * sizeof *lengths);
    return at + bytes;
}

/* ZPL 5: system attributes; a target that the bonus can't hold goes into a spill block. */
static int set_attributes(struct zfs_tree_writer *writer, struct zfs_dnode *dnode,
                          const struct znode *znode)
{
    enum { ACES = 24, INLINE_MAX = 144 };
    size_t target = znode->target ? strlen(znode->target) : 0;
    bool spill = target > INLINE_MAX, link = target && !spill;
    const uint16_t lengths[2] = {ACES, (uint16_t)target};
    dnode->bonus_type = OT_SA;
    uint8_t *at = put_sa_header(dnode->bonus, link ? LAYOUT_LINK : LAYOUT_PLAIN, link ? 16 : 8,
                                lengths, link ? 2 : 1);
    const uint64_t values[] = {
        znode->mode, znode->size, ZFS_TXG,      0, 0, znode->parent, znode_flags, 0, 0, 0, 0, 0, 0,
        0,           0,           znode->links, 3};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        at = put_u64(at, values[i]);
    put_aces(at, znode->mode);
    at += ACES;
    if (link) {
        memcpy(at, znode->target, target);
        at += target;
    }
    dnode->bonus_bytes = (uint16_t)(at - dnode->bonus);
    if (!spill)
        return 0;
    uint32_t bytes = (uint32_t)(8 + target + ZFS_SECTOR - 1) / ZFS_SECTOR * ZFS_SECTOR;
    uint8_t *block = mem_zero(1, bytes);
    memcpy(put_sa_header(block, LAYOUT_SPILL, 8, &lengths[1], 1), znode->target, target);
    int status = store_write(writer->store, block, bytes, OT_SA, 0, 1, PACK_NONE,
                             &dnode->used_bytes, &dnode->spill);
    free(block);
    return status;
}

/* ZPL 4 and before: a znode_phys_t, with a short link's target behind it. */
static int set_znode(struct zfs_tree_writer *writer, struct zfs_dnode *dnode,
                     const struct znode *znode)
{
    enum { ZNODE_BYTES = 264, INLINE_MAX = 320 - ZNODE_BYTES, ACL_COUNT_AT = 184 };
    dnode->bonus_type = OT_ZNODE;
    uint8_t *at = dnode->bonus + 8 * 8; /* times are 0 */
    const uint64_t values[] = {
        ZFS_TXG, znode->mode, znode->size, znode->parent, znode->links, 0, 0, znode_flags, 0, 0};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        at = put_u64(at, values[i]);
    const uint32_t acl_bytes = 24;
    const uint16_t acl_version = 1, acl_count = 3;
    memcpy(dnode->bonus + ACL_COUNT_AT, &acl_bytes, 4);
    memcpy(dnode->bonus + ACL_COUNT_AT + 4, &acl_version, 2);
    memcpy(dnode->bonus + ACL_COUNT_AT + 6, &acl_count, 2);
    put_aces(dnode->bonus + ACL_COUNT_AT + 8, znode->mode);
    dnode->bonus_bytes = ZNODE_BYTES;
    size_t target = znode->target ? strlen(znode->target) : 0;
    if (target <= INLINE_MAX) {
        memcpy(dnode->bonus + ZNODE_BYTES, znode->target ? znode->target : "", target);
        dnode->bonus_bytes = (uint16_t)(ZNODE_BYTES + target);
        return 0;
    }
    uint32_t bytes = (uint32_t)(target + ZFS_SECTOR - 1) / ZFS_SECTOR * ZFS_SECTOR;
    return zfs_tree_write(writer->store, znode->target, target, bytes, dnode);
}

static int set_metadata(struct zfs_tree_writer *writer, struct zfs_dnode *dnode,
                        const struct znode *znode)
{
    return writer->zpl >= 5 ? set_attributes(writer, dnode, znode)
                            : set_znode(writer, dnode, znode);
}

static bool all_zero(const uint8_t *block, size_t length)
{
    return !block[0] && memcmp(block, block + 1, length - 1) == 0;
}

static int read_whole(int fd, uint8_t *block, size_t length)
{
    size_t used = 0;
    while (used < length) {
        ssize_t got = read(fd, block + used, length - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -1 : (int)used;
        used += (size_t)got;
    }
    return (int)used;
}

static int told(struct zfs_tree_writer *writer, uint64_t bytes)
{
    const struct image_io *io = writer->io;
    writer->done_bytes += bytes;
    if (io && io->progress)
        io->progress(io->data, writer->done_bytes, writer->total_bytes);
    if (io && io->stopped && io->stopped(io->data))
        return err_set(writer->store->err, ERR_FAILED, "%s: stopped", writer->store->path);
    return 0;
}

/* A file's blocks: records of 128 KiB, or one block that just holds it. */
static int stream_file(struct zfs_tree_writer *writer, int fd, const struct leaf_object *leaf,
                       struct zfs_dnode *dnode)
{
    uint64_t size = leaf->entry->size_bytes;
    uint32_t record = ZFS_RECORD;
    if (size <= ZFS_RECORD)
        record = size ? (uint32_t)(size + ZFS_SECTOR - 1) / ZFS_SECTOR * ZFS_SECTOR : ZFS_SECTOR;
    struct zfs_tree tree;
    zfs_tree_begin(&tree, writer->store, OT_FILE_CONTENTS, record);
    uint8_t *block = mem_alloc(record);
    int status = 0;
    for (uint64_t at = 0; at < size && !status; at += record) {
        size_t want = size - at < record ? (size_t)(size - at) : record;
        int got = read_whole(fd, block, want);
        if (got != (int)want) {
            status = err_set(writer->store->err, ERR_INPUT, "%s:%u: %s changed while it was read",
                             leaf->entry->file, leaf->entry->line, leaf->entry->host);
            break;
        }
        memset(block + want, 0, record - want);
        bool hole = size > record && all_zero(block, record);
        enum zfs_packing packing = writer->packing;
        if (packing == PACK_ZLE && (want == record || size <= record))
            packing = PACK_NONE; /* only a padded tail is worth it */
        status = zfs_tree_block(&tree, hole ? NULL : block, 1, packing);
        if (!status)
            status = told(writer, want);
    }
    free(block);
    if (status) {
        zfs_tree_abandon(&tree);
        return -1;
    }
    return zfs_tree_end(&tree, 1, dnode);
}

static int write_leaf(struct zfs_tree_writer *writer, struct zfs_objset *set,
                      const struct plan *plan, const struct leaf_object *leaf)
{
    struct zfs_dnode dnode = {.type = OT_FILE_CONTENTS, .levels = 1, .block_bytes = ZFS_SECTOR};
    const struct manifest_entry *entry = leaf->entry;
    struct znode znode = {.mode = leaf->mode,
                          .size = entry->size_bytes,
                          .links = leaf->links,
                          .parent = directory_object(plan, leaf->directory)};
    int status = 0;
    if (entry->kind == ENTRY_SYMLINK) {
        znode.target = entry->host ? entry->host : "";
        znode.size = strlen(znode.target);
    } else {
        int fd = open(entry->host, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return err_errno(writer->store->err, "%s:%u: %s", entry->file, entry->line,
                             entry->host);
        status = stream_file(writer, fd, leaf, &dnode);
        close(fd);
    }
    if (!status)
        status = set_metadata(writer, &dnode, &znode);
    set->space += dnode.used_bytes;
    return status ? status : objset_add(set, &dnode);
}

static int write_directory(struct zfs_tree_writer *writer, struct zfs_objset *set,
                           const struct plan *plan, uint32_t directory, size_t *child)
{
    VEC(struct zap_entry) names = {0};
    while (*child < plan->children.len && plan->children.at[*child].directory == directory) {
        const struct child *one = &plan->children.at[(*child)++];
        vec_push(&names, (struct zap_entry){.name = one->name,
                                            .value = (uint64_t)one->type << 60 | one->object});
    }
    struct zfs_dnode dnode = {.type = OT_DIRECTORY_CONTENTS};
    uint64_t object = directory_object(plan, directory);
    int status = zap_write(writer->store, &dnode, object * 2 + 1, names.at, names.len);
    struct znode znode = {.mode = S_IFDIR | 0755,
                          .size = names.len + 2,
                          .links = plan->directories_in.at[directory] + 2u,
                          .parent = directory_object(plan, plan->parent_of.at[directory])};
    if (!status)
        status = set_metadata(writer, &dnode, &znode);
    set->space += dnode.used_bytes;
    vec_free(&names);
    return status ? status : objset_add(set, &dnode);
}

static int write_zap(struct zfs_objset *set, enum zfs_type type, const struct zap_entry *entries,
                     size_t count)
{
    struct zfs_dnode dnode = {.type = (uint8_t)type};
    if (zap_write(set->store, &dnode, 2 * set->objects + 1, entries, count) < 0)
        return -1;
    set->space += dnode.used_bytes;
    return objset_add(set, &dnode);
}

/* Master node, attribute tables and delete queue; their numbers are 1 to `fixed`. */
static int write_fixed(struct zfs_objset *set, unsigned zpl, uint64_t fixed)
{
    const struct zap_entry master[] = {
        {.name = "ROOT", .value = fixed + 1},
        {.name = "DELETE_QUEUE", .value = fixed},
        {.name = "VERSION", .value = zpl},
        {.name = "normalization", .value = 0},
        {.name = "utf8only", .value = 0},
        {.name = "casesensitivity", .value = 0},
        {.name = "SA_ATTRS", .value = OBJECT_MASTER + 1},
    };
    size_t count = sizeof master / sizeof *master;
    if (write_zap(set, OT_MASTER_NODE, master, zpl >= 5 ? count : count - 1) < 0)
        return -1;
    if (zpl >= 5) {
        const struct zap_entry sa[] = {{.name = "LAYOUTS", .value = OBJECT_MASTER + 2},
                                       {.name = "REGISTRY", .value = OBJECT_MASTER + 3}};
        const struct zap_entry layouts[] = {
            {.name = "2", .values = layout, .width = 2, .count = LAYOUT_BASE},
            {.name = "3", .values = layout, .width = 2, .count = LAYOUT_BASE + 1},
            {.name = "4", .values = &layout[LAYOUT_BASE], .width = 2, .count = 1},
        };
        struct zap_entry registry[ATTRIBUTES];
        for (uint64_t i = 0; i < ATTRIBUTES; i++)
            registry[i] = (struct zap_entry){.name = attributes[i].name,
                                             .value = i | (uint64_t)attributes[i].swap << 16 |
                                                      (uint64_t)attributes[i].length << 24};
        if (write_zap(set, OT_SA_MASTER_NODE, sa, 2) < 0 ||
            write_zap(set, OT_SA_ATTR_LAYOUTS, layouts, 3) < 0 ||
            write_zap(set, OT_SA_ATTR_REGISTRATION, registry, ATTRIBUTES) < 0)
            return -1;
    }
    return write_zap(set, OT_UNLINKED_SET, NULL, 0);
}

int zpl_write(struct zfs_tree_writer *writer, const struct manifest_list *list, struct zfs_bp *bp,
              uint64_t *space)
{
    uint64_t fixed = writer->zpl >= 5 ? 5 : 2;
    struct plan plan = {0};
    if (make_plan(&plan, list, fixed, writer->store->err) < 0) {
        free_plan(&plan);
        return -1;
    }
    struct zfs_objset set;
    objset_begin(&set, writer->store);
    int status = write_fixed(&set, writer->zpl, fixed);
    size_t child = 0;
    for (uint32_t d = 0; d < intern_count(&plan.directories) && !status; d++)
        status = write_directory(writer, &set, &plan, d, &child);
    for (size_t i = 0; i < plan.leaves.len && !status; i++)
        status = write_leaf(writer, &set, &plan, &plan.leaves.at[i]);
    if (!status)
        status = objset_end(&set, OBJSET_ZFS, bp);
    *space = set.space;
    zfs_tree_abandon(&set.meta);
    free(set.dnodes);
    free_plan(&plan);
    return status;
}
