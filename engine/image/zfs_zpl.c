/*
 * The file system's object set. Numbers are given before anything is written: fixed objects,
 * directories (the root first), then everything else in order of path; so dnodes stream out in
 * their own order and only directories' entries are kept in memory.
 */
#include "image/zfs_zpl.h"

#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "image/fs.h"
#include "image/guest_tree.h"
#include "image/source.h"
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

/* Numbers: fixed objects, directories, then leaves. */
struct numbering {
    const struct guest_tree *tree;
    uint64_t first_directory, first_leaf;
};

static uint64_t directory_object(const struct numbering *n, uint32_t directory)
{
    return n->first_directory + directory;
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

/* A file's blocks: records of 128 KiB, or one block that just holds it. Records of zeros are holes. */
static int stream_file(struct zfs_tree_writer *writer, struct source *source, uint64_t size,
                       struct zfs_dnode *dnode)
{
    struct err *err = writer->store->err;
    uint32_t record = ZFS_RECORD;
    if (size <= ZFS_RECORD)
        record = size ? (uint32_t)(size + ZFS_SECTOR - 1) / ZFS_SECTOR * ZFS_SECTOR : ZFS_SECTOR;
    struct zfs_tree tree;
    zfs_tree_begin(&tree, writer->store, OT_FILE_CONTENTS, record);
    uint8_t *block = mem_alloc(record);
    uint64_t data = source_data(source, 0);
    int status = 0;
    for (uint64_t at = 0; at < size && !status; at += record) {
        size_t want = size - at < record ? (size_t)(size - at) : record;
        bool hole = data >= at + want;
        if (!hole) {
            status = source_read(source, at, block, want, err);
            memset(block + want, 0, record - want);
            hole = !status && size > record && all_zero(block, record);
            if (source->sparse)
                data = source_data(source, at + want);
            else
                data = at + want;
        }
        enum zfs_packing packing = writer->packing;
        if (packing == PACK_ZLE && (want == record || size <= record))
            packing = PACK_NONE; /* only a padded tail is worth it */
        if (!status)
            status = zfs_tree_block(&tree, hole ? NULL : block, 1, packing);
    }
    free(block);
    if (status) {
        zfs_tree_abandon(&tree);
        return -1;
    }
    return zfs_tree_end(&tree, 1, dnode);
}

static int write_file(struct zfs_tree_writer *writer, const struct manifest_entry *entry,
                      struct zfs_dnode *dnode)
{
    struct err why = {0}, *err = writer->store->err;
    struct source source;
    if (source_open(&source, entry->host, entry->size_bytes, &why) == 0) {
        writer->store->err = &why;
        int status = stream_file(writer, &source, entry->size_bytes, dnode);
        writer->store->err = err;
        int closed = source_close(&source, status ? NULL : &why);
        if (!status && !closed)
            return 0;
    }
    return fs_blame(entry, &why, err);
}

static int write_leaf(struct zfs_tree_writer *writer, struct zfs_objset *set,
                      const struct numbering *n, const struct guest_leaf *leaf)
{
    struct zfs_dnode dnode = {.type = OT_FILE_CONTENTS, .levels = 1, .block_bytes = ZFS_SECTOR};
    const struct manifest_entry *entry = leaf->entry;
    struct znode znode = {.mode = leaf->mode,
                          .size = entry->size_bytes,
                          .links = leaf->links,
                          .parent = directory_object(n, leaf->directory)};
    int status = 0;
    if (entry->kind == ENTRY_SYMLINK) {
        znode.target = entry->host ? entry->host : "";
        znode.size = strlen(znode.target);
    } else {
        status = write_file(writer, entry, &dnode);
    }
    if (!status)
        status = set_metadata(writer, &dnode, &znode);
    set->space += dnode.used_bytes;
    return status ? status : objset_add(set, &dnode);
}

static int write_directory(struct zfs_tree_writer *writer, struct zfs_objset *set,
                           const struct numbering *n, uint32_t directory, size_t *child)
{
    const struct guest_tree *tree = n->tree;
    VEC(struct zap_entry) names = {0};
    while (*child < tree->children.len && tree->children.at[*child].directory == directory) {
        const struct guest_child *one = &tree->children.at[(*child)++];
        uint64_t object =
            one->index + (one->type == GUEST_DIRECTORY ? n->first_directory : n->first_leaf);
        vec_push(&names, (struct zap_entry){.name = one->name,
                                            .value = (uint64_t)one->type << 60 | object});
    }
    struct zfs_dnode dnode = {.type = OT_DIRECTORY_CONTENTS};
    uint64_t object = directory_object(n, directory);
    int status = zap_write(writer->store, &dnode, object * 2 + 1, names.at, names.len);
    struct znode znode = {.mode = S_IFDIR | 0755,
                          .size = names.len + 2,
                          .links = tree->directories_in.at[directory] + 2u,
                          .parent = directory_object(n, tree->parent_of.at[directory])};
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
    struct guest_tree tree = {0};
    if (guest_tree_make(&tree, list, writer->store->err) < 0) {
        guest_tree_free(&tree);
        return -1;
    }
    const struct numbering n = {.tree = &tree,
                                .first_directory = fixed + 1,
                                .first_leaf = fixed + 1 + intern_count(&tree.directories)};
    struct zfs_objset set;
    objset_begin(&set, writer->store);
    int status = write_fixed(&set, writer->zpl, fixed);
    size_t child = 0;
    for (uint32_t d = 0; d < intern_count(&tree.directories) && !status; d++)
        status = write_directory(writer, &set, &n, d, &child);
    for (size_t i = 0; i < tree.leaves.len && !status; i++)
        status = write_leaf(writer, &set, &n, &tree.leaves.at[i]);
    if (!status)
        status = objset_end(&set, OBJSET_ZFS, bp);
    *space = set.space;
    zfs_tree_abandon(&set.meta);
    free(set.dnodes);
    guest_tree_free(&tree);
    return status;
}
