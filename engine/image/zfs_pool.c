/*
 * The pool around the file systems: data set and snapshot layer, space maps, the meta object set,
 * labels and uberblock.
 *
 * The space maps and the meta object set describe their own space, so they are written in rounds
 * until the end of allocation no longer moves. Everything is born in txg 4 and the uberblock says
 * txg 8: the reader checks at import only blocks that are younger than that by three.
 */
#include <stdio.h>
#include <string.h>

#include <nettle/sha2.h>

#include "base/file.h"
#include "base/mem.h"
#include "image/fs.h"
#include "image/zfs.h"
#include "image/zfs_store.h"
#include "image/zfs_zap.h"
#include "image/zfs_zpl.h"

enum {
    LABEL_BYTES = 256 * 1024,
    LABELS_FRONT = 4 << 20,
    LABELS_BACK = 2 * LABEL_BYTES,
    METASLAB_SHIFT_MIN = 22,
    METASLABS = 64, /* about as many */
    UBERBLOCK_TXG = ZFS_TXG + 4,
    VERSION_DEFAULT = 5000,
    VERSION_DEADLISTS = 26, /* and free_bpobj, $FREE, clones */
    VERSION_SA = 24,
    SIZE_MIN = 64 << 20,
    RESERVED = 32 << 20, /* a kernel keeps that much for itself (dsl_pool_adjustedsize) */
};

typedef uint64_t object_id;

/* A dsl_dir_phys_t's numbers. */
struct directory {
    object_id object, properties, children, head, parent, origin, clones;
    uint64_t head_bytes, used_bytes;
    const struct zap_entry *entries; /* of properties */
    size_t entries_count;
};

/* A dsl_dataset_phys_t's numbers. */
struct dataset {
    object_id object, directory, previous, next, names, deadlist, next_clones;
    uint64_t children, birth, bytes;
    struct zfs_bp bp;
};

enum { ROOT, MOS_DIR, FREE_DIR, ORIGIN, CHILD, DIRECTORIES };
enum { ROOT_HEAD, ORIGIN_HEAD, ORIGIN_SNAPSHOT, CHILD_HEAD, DATASETS };

struct pool {
    struct zfs_store store;
    struct zfs_options options;
    VEC(struct zfs_dnode) objects; /* the meta object set; 0 is unused */
    uint64_t space; /* taken by its objects' data */
    uint64_t size_bytes, metaslabs;
    VEC(struct zfs_gap) gaps; /* that the space maps leave out */
    struct directory directories[DIRECTORIES];
    struct dataset datasets[DATASETS];
    object_id object_directory, metaslab_array, config;
    struct hash content;
};

static struct zfs_dnode *object_at(struct pool *pool, object_id object)
{
    return &pool->objects.at[object];
}

static object_id new_object(struct pool *pool, enum zfs_type type, unsigned bonus_type,
                            uint16_t bonus_bytes)
{
    vec_push(&pool->objects, (struct zfs_dnode){.type = (uint8_t)type,
                                                .bonus_type = (uint8_t)bonus_type,
                                                .bonus_bytes = bonus_bytes,
                                                .levels = 1,
                                                .block_bytes = ZFS_SECTOR});
    return pool->objects.len - 1;
}

/* A number that equal pools share and others don't. */
static uint64_t guid(const struct pool *pool, const char *tag, uint64_t number)
{
    char text[128];
    int length =
        snprintf(text, sizeof text, "%s %llu %016llx%016llx", tag, (unsigned long long)number,
                 (unsigned long long)pool->content.high, (unsigned long long)pool->content.low);
    return hash_bytes(text, (size_t)length).low >> 1 | 1;
}

static int put_zap(struct pool *pool, object_id object, const struct zap_entry *entries,
                   size_t count)
{
    struct zfs_dnode *dnode = object_at(pool, object);
    uint64_t before = dnode->used_bytes;
    if (zap_write(&pool->store, dnode, object * 2 + 1, entries, count) < 0)
        return -1;
    pool->space += dnode->used_bytes - before;
    return 0;
}

static int put_data(struct pool *pool, object_id object, const void *bytes, uint64_t length,
                    uint32_t block_bytes)
{
    struct zfs_dnode *dnode = object_at(pool, object);
    dnode->used_bytes = 0;
    if (zfs_tree_write(&pool->store, bytes, length, block_bytes, dnode) < 0)
        return -1;
    pool->space += dnode->used_bytes;
    return 0;
}

static void new_directory(struct pool *pool, unsigned which, object_id parent)
{
    struct directory *directory = &pool->directories[which];
    directory->object = new_object(pool, OT_DSL_DIR, OT_DSL_DIR, 256);
    directory->properties = new_object(pool, OT_DSL_PROPS, 0, 0);
    directory->children = new_object(pool, OT_DSL_DIR_CHILD_MAP, 0, 0);
    directory->parent = parent;
}

static object_id new_bpobj(struct pool *pool)
{
    object_id object = new_object(pool, OT_BPLIST, OT_BPLIST_HDR,
                                  pool->options.version >= VERSION_DEADLISTS ? 48 : 32);
    object_at(pool, object)->block_bytes = ZFS_RECORD;
    return object;
}

static int new_dataset(struct pool *pool, unsigned which, unsigned directory)
{
    struct dataset *set = &pool->datasets[which];
    set->object = new_object(pool, OT_DSL_DATASET, OT_DSL_DATASET, 320);
    set->directory = pool->directories[directory].object;
    set->birth = which == ORIGIN_HEAD || which == ORIGIN_SNAPSHOT ? 1 : ZFS_TXG - 1;
    if (pool->options.version < VERSION_DEADLISTS) {
        set->deadlist = new_bpobj(pool);
        return 0;
    }
    set->deadlist = new_object(pool, OT_DEADLIST, OT_DEADLIST_HDR, 320);
    return put_zap(pool, set->deadlist, NULL, 0);
}

/* A ZAP that maps data sets' numbers, as hexadecimal names, to themselves. */
static int put_number_map(struct pool *pool, object_id object, const object_id *numbers,
                          size_t count)
{
    char names[2][17];
    struct zap_entry entries[2];
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "%llx", (unsigned long long)numbers[i]);
        entries[i] = (struct zap_entry){.name = names[i], .value = numbers[i]};
    }
    return put_zap(pool, object, entries, count);
}

static bool has_child(const struct pool *pool)
{
    return pool->options.dataset[0] != '\0';
}

static bool has_free_dir(const struct pool *pool)
{
    return pool->options.version >= VERSION_DEADLISTS;
}

/* Objects of the data set layer, in the order in which they are numbered. */
static int make_datasets(struct pool *pool)
{
    struct directory *dirs = pool->directories;
    new_directory(pool, ROOT, 0);
    if (new_dataset(pool, ROOT_HEAD, ROOT) < 0)
        return -1;
    new_directory(pool, MOS_DIR, dirs[ROOT].object);
    if (has_free_dir(pool))
        new_directory(pool, FREE_DIR, dirs[ROOT].object);
    new_directory(pool, ORIGIN, dirs[ROOT].object);
    if (new_dataset(pool, ORIGIN_HEAD, ORIGIN) < 0 ||
        new_dataset(pool, ORIGIN_SNAPSHOT, ORIGIN) < 0)
        return -1;
    if (has_child(pool)) {
        new_directory(pool, CHILD, dirs[ROOT].object);
        return new_dataset(pool, CHILD_HEAD, CHILD);
    }
    return 0;
}

/* Heads are clones of the origin snapshot; the links between them all. */
static int link_datasets(struct pool *pool)
{
    struct directory *dirs = pool->directories;
    struct dataset *sets = pool->datasets;
    const object_id snapshot = sets[ORIGIN_SNAPSHOT].object;
    object_id heads[2] = {sets[ROOT_HEAD].object, sets[CHILD_HEAD].object};
    size_t count = has_child(pool) ? 2 : 1;
    static const unsigned head_of[2][2] = {{ROOT_HEAD, ROOT}, {CHILD_HEAD, CHILD}};
    for (size_t i = 0; i < count; i++) {
        struct dataset *set = &sets[head_of[i][0]];
        set->previous = snapshot;
        set->names = new_object(pool, OT_DSL_SNAP_MAP, 0, 0);
        if (put_zap(pool, set->names, NULL, 0) < 0)
            return -1;
        dirs[head_of[i][1]].head = set->object;
        dirs[head_of[i][1]].origin = snapshot;
        dirs[head_of[i][1]].head_bytes = set->bytes;
    }
    sets[ORIGIN_HEAD].previous = snapshot;
    sets[ORIGIN_HEAD].names = new_object(pool, OT_DSL_SNAP_MAP, 0, 0);
    const struct zap_entry name = {.name = "$ORIGIN", .value = snapshot};
    if (put_zap(pool, sets[ORIGIN_HEAD].names, &name, 1) < 0)
        return -1;
    dirs[ORIGIN].head = sets[ORIGIN_HEAD].object;
    sets[ORIGIN_SNAPSHOT].next = sets[ORIGIN_HEAD].object;
    sets[ORIGIN_SNAPSHOT].children = 1 + count;
    sets[ORIGIN_SNAPSHOT].next_clones = new_object(pool, OT_NEXT_CLONES, 0, 0);
    if (put_number_map(pool, sets[ORIGIN_SNAPSHOT].next_clones, heads, count) < 0)
        return -1;
    if (!has_free_dir(pool))
        return 0;
    dirs[ORIGIN].clones = new_object(pool, OT_DSL_CLONES, 0, 0);
    return put_number_map(pool, dirs[ORIGIN].clones, heads, count);
}

static void set_bonus(struct zfs_dnode *dnode, const uint64_t *words, size_t count)
{
    memcpy(dnode->bonus, words, count * sizeof *words);
}

/* dsl_dataset_phys_t */
static void finish_dataset(struct pool *pool, const struct dataset *set)
{
    uint64_t bytes = set->bytes;
    uint64_t words[40] = {set->directory,
                          set->previous,
                          set->previous ? 1 : 0,
                          set->next,
                          set->names,
                          set->children,
                          0,
                          set->birth,
                          set->deadlist,
                          bytes,
                          bytes,
                          bytes,
                          bytes,
                          guid(pool, "fsid", set->object) >> 8,
                          guid(pool, "dataset", set->object),
                          0};
    memcpy(words + 16, &set->bp, sizeof set->bp);
    words[32] = set->next_clones;
    set_bonus(object_at(pool, set->object), words, 40);
}

/* dsl_dir_phys_t; `children_bytes` is what the directories below use. */
static void finish_directory(struct pool *pool, unsigned which, uint64_t children_bytes)
{
    struct directory *directory = &pool->directories[which];
    uint64_t used = directory->head_bytes + children_bytes;
    directory->used_bytes = used;
    const uint64_t words[32] = {0,
                                directory->head,
                                directory->parent,
                                directory->origin,
                                directory->children,
                                used,
                                used,
                                used,
                                0,
                                0,
                                directory->properties,
                                0,
                                1 /* used breakdown follows */,
                                directory->head_bytes,
                                0,
                                children_bytes,
                                0,
                                0,
                                directory->clones};
    set_bonus(object_at(pool, directory->object), words, 32);
}

static int put_directories(struct pool *pool)
{
    enum { NOAUTO = 2, OFF = 2 };
    static const struct zap_entry root_entries[] = {
        {.name = "canmount", .value = NOAUTO},
        {.name = "compression", .value = OFF},
        {.name = "mountpoint", .values = "/", .width = 1, .count = 2},
    };
    static const struct zap_entry child_entries[] = {{.name = "canmount", .value = NOAUTO},
                                                     {.name = "relatime", .value = 1}};
    struct directory *dirs = pool->directories;
    dirs[ROOT].entries = root_entries;
    dirs[ROOT].entries_count = sizeof root_entries / sizeof *root_entries;
    dirs[CHILD].entries = child_entries;
    dirs[CHILD].entries_count = sizeof child_entries / sizeof *child_entries;
    static const char *const names[DIRECTORIES] = {NULL, "$MOS", "$FREE", "$ORIGIN", NULL};
    struct zap_entry children[DIRECTORIES];
    size_t count = 0;
    for (unsigned i = ROOT + 1; i < DIRECTORIES; i++)
        if (dirs[i].object)
            children[count++] = (struct zap_entry){
                .name = i == CHILD ? pool->options.dataset : names[i], .value = dirs[i].object};
    for (unsigned i = 0; i < DIRECTORIES; i++) {
        if (!dirs[i].object)
            continue;
        if (put_zap(pool, dirs[i].properties, dirs[i].entries, dirs[i].entries_count) < 0 ||
            put_zap(pool, dirs[i].children, children, i == ROOT ? count : 0) < 0)
            return -1;
    }
    return 0;
}

static const char lz4_feature[] = "org.illumos:lz4_compress";

/* Feature tables of version 5000: what readers and writers must know. */
static int put_features(struct pool *pool, struct zap_entry *entries, size_t *count)
{
    static const char *const tables[] = {"features_for_read", "features_for_write",
                                         "feature_descriptions"};
    static const char meaning[] = "blocks packed with LZ4";
    const struct zap_entry active = {.name = lz4_feature, .value = 1};
    const struct zap_entry described = {
        .name = lz4_feature, .values = meaning, .width = 1, .count = sizeof meaning};
    bool lz4 = pool->options.compression == ZFS_LZ4;
    for (size_t i = 0; i < 3; i++) {
        object_id object = new_object(pool, OT_ZAP, 0, 0);
        if (put_zap(pool, object, i == 2 ? &described : &active, lz4 && i != 1 ? 1 : 0) < 0)
            return -1;
        entries[(*count)++] = (struct zap_entry){.name = tables[i], .value = object};
    }
    return 0;
}

static void vdev_config(const struct pool *pool, struct str *out)
{
    nv_begin(out);
    nv_text(out, "type", "disk");
    nv_uint(out, "id", 0);
    nv_uint(out, "guid", guid(pool, "vdev", 0));
    nv_text(out, "path", pool->options.device);
    nv_uint(out, "metaslab_array", pool->metaslab_array);
    nv_uint(out, "metaslab_shift", pool->store.metaslab_shift);
    nv_uint(out, "ashift", 9);
    nv_uint(out, "asize", pool->size_bytes - LABELS_FRONT - LABELS_BACK);
    nv_uint(out, "is_log", 0);
    nv_uint(out, "create_txg", ZFS_TXG);
    nv_end(out);
}

/* A pool's config, XDR: of the label (its vdev on top), or of the MOS (under a root vdev). */
enum config_kind { CONFIG_LABEL, CONFIG_MOS };
static void pool_config(const struct pool *pool, enum config_kind kind, struct str *out)
{
    static const char xdr_little[4] = {1, 1, 0, 0};
    enum { EXPORTED = 1 };
    struct str vdev = {0}, top = {0};
    vdev_config(pool, &vdev);
    str_add_n(out, xdr_little, sizeof xdr_little);
    nv_begin(out);
    nv_uint(out, "version", pool->options.version);
    nv_text(out, "name", "osv");
    nv_uint(out, "state", EXPORTED);
    nv_uint(out, "txg", ZFS_TXG);
    nv_uint(out, "pool_guid", guid(pool, "pool", 0));
    if (kind == CONFIG_LABEL) {
        nv_uint(out, "top_guid", guid(pool, "vdev", 0));
        nv_uint(out, "guid", guid(pool, "vdev", 0));
    }
    nv_uint(out, "vdev_children", 1);
    if (kind == CONFIG_MOS) {
        nv_begin(&top);
        nv_text(&top, "type", "root");
        nv_uint(&top, "id", 0);
        nv_uint(&top, "guid", guid(pool, "pool", 0));
        nv_uint(&top, "create_txg", ZFS_TXG);
        nv_array_of_one(&top, "children", &vdev);
        nv_end(&top);
    }
    nv_list(out, "vdev_tree", kind == CONFIG_MOS ? &top : &vdev);
    if (pool->options.version >= VERSION_DEFAULT) {
        struct str features = {0};
        nv_begin(&features);
        if (pool->options.compression == ZFS_LZ4)
            nv_flag(&features, lz4_feature);
        nv_end(&features);
        nv_list(out, "features_for_read", &features);
        str_free(&features);
    }
    nv_end(out);
    str_free(&vdev);
    str_free(&top);
}

static int put_object_directory(struct pool *pool)
{
    struct zap_entry entries[16];
    size_t count = 0;
#define ENTRY(key, number) entries[count++] = (struct zap_entry){.name = (key), .value = (number)}
    ENTRY("root_dataset", pool->directories[ROOT].object);
    ENTRY("sync_bplist", new_bpobj(pool));
    if (has_free_dir(pool))
        ENTRY("free_bpobj", new_bpobj(pool));
    if (pool->options.version >= VERSION_DEFAULT && put_features(pool, entries, &count) < 0)
        return -1;
    object_id properties = new_object(pool, OT_POOL_PROPS, 0, 0);
    if (put_zap(pool, properties, NULL, 0) < 0)
        return -1;
    ENTRY("pool_props", properties);
    ENTRY("deflate", 1);
    ENTRY("creation_version", pool->options.version);
    pool->config = new_object(pool, OT_PACKED_NVLIST, OT_NVLIST_SIZE, 8);
    ENTRY("config", pool->config);
#undef ENTRY
    if (put_zap(pool, pool->object_directory, entries, count) < 0)
        return -1;
    struct str packed = {0};
    pool_config(pool, CONFIG_MOS, &packed);
    uint64_t length = packed.len;
    set_bonus(object_at(pool, pool->config), &length, 1);
    uint32_t block = (uint32_t)(length + ZFS_SECTOR - 1) / ZFS_SECTOR * ZFS_SECTOR;
    int status = put_data(pool, pool->config, packed.at, length, block);
    str_free(&packed);
    return status;
}

/* One metaslab's map of what is allocated up to `end`: one-word entries (space_map.h). */
static int put_space_map(struct pool *pool, uint64_t metaslab, uint64_t end, object_id *object)
{
    enum { RUN_MAX = 32768, MAP_BLOCK = 4096 };
    const struct zfs_store *store = &pool->store;
    uint64_t start = metaslab << store->metaslab_shift;
    uint64_t stop = (metaslab + 1) << store->metaslab_shift;
    if (stop > end)
        stop = end;
    for (size_t i = 0; i < pool->gaps.len; i++)
        if (pool->gaps.at[i].start >= start && pool->gaps.at[i].start < stop)
            stop = pool->gaps.at[i].start; /* a gap is always a metaslab's end */
    VEC(uint64_t) words = {0};
    uint64_t sectors = (stop - start) / ZFS_SECTOR;
    for (uint64_t at = 0, run; at < sectors; at += run) {
        run = sectors - at < RUN_MAX ? sectors - at : RUN_MAX;
        vec_push(&words, at << 16 | (run - 1)); /* bit 15 clear: allocated */
    }
    *object = new_object(pool, OT_SPACE_MAP, OT_SPACE_MAP_HEADER, 24);
    const uint64_t header[3] = {*object, words.len * 8, stop - start};
    set_bonus(object_at(pool, *object), header, 3);
    int status = put_data(pool, *object, words.at, words.len * 8, MAP_BLOCK);
    vec_free(&words);
    return status;
}

static int put_space_maps(struct pool *pool, uint64_t end)
{
    uint64_t *maps = mem_zero(pool->metaslabs, sizeof *maps);
    uint64_t used = ((end - 1) >> pool->store.metaslab_shift) + 1;
    int status = 0;
    for (uint64_t m = 0; m < used && !status; m++)
        status = put_space_map(pool, m, end, &maps[m]);
    uint64_t bytes = pool->metaslabs * sizeof *maps;
    uint32_t block = (uint32_t)(bytes + ZFS_SECTOR - 1) / ZFS_SECTOR * ZFS_SECTOR;
    if (!status)
        status = put_data(pool, pool->metaslab_array, maps, bytes,
                          block < ZFS_RECORD ? block : ZFS_RECORD);
    free(maps);
    return status;
}

/* The directories' totals, given what the meta object set takes. */
static void finish_directories(struct pool *pool, uint64_t mos_bytes)
{
    uint64_t below = mos_bytes;
    pool->directories[MOS_DIR].head_bytes = mos_bytes;
    finish_directory(pool, MOS_DIR, 0);
    static const unsigned others[] = {FREE_DIR, ORIGIN, CHILD};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (!pool->directories[others[i]].object)
            continue;
        finish_directory(pool, others[i], 0);
        below += pool->directories[others[i]].used_bytes;
    }
    finish_directory(pool, ROOT, below);
}

static int put_meta_objects(struct pool *pool, struct zfs_bp *root, uint64_t *mos_bytes)
{
    struct zfs_objset set;
    objset_begin(&set, &pool->store);
    set.space = pool->space;
    int status = 0;
    for (size_t i = 1; i < pool->objects.len && !status; i++)
        status = objset_add(&set, &pool->objects.at[i]);
    if (!status)
        status = objset_end(&set, OBJSET_META, root);
    *mos_bytes = set.space;
    zfs_tree_abandon(&set.meta);
    free(set.dnodes);
    return status;
}

/* The maps of a round go by the gaps of the round before: some lie behind the maps. */
static void take_gaps(struct pool *pool)
{
    pool->gaps.len = 0;
    for (size_t i = 0; i < pool->store.gaps.len; i++)
        vec_push(&pool->gaps, pool->store.gaps.at[i]);
}

static bool same_gaps(const struct pool *pool)
{
    const struct zfs_store *store = &pool->store;
    bool same = store->gaps.len == pool->gaps.len;
    for (size_t i = 0; i < store->gaps.len && same; i++)
        same = store->gaps.at[i].start == pool->gaps.at[i].start &&
               store->gaps.at[i].end == pool->gaps.at[i].end;
    return same;
}

/* Writes what describes itself until nothing moves any more. */
static int close_pool(struct pool *pool, struct zfs_bp *root)
{
    enum { ROUNDS_MAX = 16 };
    struct zfs_store *store = &pool->store;
    const uint64_t base = store->cursor, space = pool->space;
    const size_t objects = pool->objects.len, gaps = store->gaps.len;
    uint64_t end = base, mos_bytes = 0;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        uint64_t took = mos_bytes;
        take_gaps(pool);
        store->cursor = base;
        store->gaps.len = gaps;
        pool->space = space;
        pool->objects.len = objects;
        if (put_space_maps(pool, end) < 0)
            return -1;
        finish_directories(pool, took);
        if (put_meta_objects(pool, root, &mos_bytes) < 0)
            return -1;
        if (store->cursor == end && took == mos_bytes && same_gaps(pool))
            return 0;
        end = store->cursor;
    }
    return err_set(store->err, ERR_SYSTEM, "%s: the ZFS space maps do not settle", store->path);
}

/* Ends a label's area with the embedded checksum: SHA-256, seeded with the area's offset. */
static void seal(uint8_t *area, size_t length, uint64_t offset)
{
    const uint64_t magic = 0x210DA7AB10C7A11;
    uint64_t tail[5] = {magic, offset, 0, 0, 0};
    memcpy(area + length - sizeof tail, tail, sizeof tail);
    unsigned char digest[32];
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, length, area);
    sha256_digest(&sha, sizeof digest, digest);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t word = 0;
        for (unsigned k = 0; k < 8; k++)
            word = word << 8 | digest[8 * i + k];
        memcpy(area + length - 32 + 8 * i, &word, 8);
    }
}

static int put_labels(struct pool *pool, const struct zfs_bp *root)
{
    enum {
        PAD = 8192,
        NVLIST_AT = 16384,
        NVLIST = 112 * 1024,
        RING_AT = 128 * 1024,
        UBERBLOCK = 1024,
        RING = 128
    };
    struct str config = {0};
    pool_config(pool, CONFIG_LABEL, &config);
    uint8_t *label = mem_alloc(LABEL_BYTES);
    int status = 0;
    for (unsigned i = 0; i < 4 && !status; i++) {
        uint64_t at =
            i < 2 ? (uint64_t)i * LABEL_BYTES : pool->size_bytes - (4 - i) * (uint64_t)LABEL_BYTES;
        memset(label, 0, LABEL_BYTES);
        seal(label + PAD, PAD, at + PAD);
        memcpy(label + NVLIST_AT, config.at, config.len);
        seal(label + NVLIST_AT, NVLIST, at + NVLIST_AT);
        size_t slot = RING_AT + UBERBLOCK_TXG % RING * UBERBLOCK;
        uint64_t words[5] = {0x00BAB10C, pool->options.version, UBERBLOCK_TXG,
                             guid(pool, "pool", 0) + guid(pool, "vdev", 0), 0};
        memcpy(label + slot, words, sizeof words);
        memcpy(label + slot + sizeof words, root, sizeof *root);
        words[0] = pool->options.version;
        memcpy(label + slot + sizeof words + sizeof *root, words, 8);
        seal(label + slot, UBERBLOCK, at + slot);
        status =
            sink_put(pool->store.sink, pool->store.base + at, label, LABEL_BYTES, pool->store.err);
    }
    free(label);
    str_free(&config);
    return status;
}

/* Room for the files, their blocks' slack and metadata, a quarter more, and what the kernel keeps. */
static uint64_t fitting_size(const struct manifest_list *list)
{
    uint64_t bytes = 0;
    for (size_t i = 0; list && i < list->entries.len; i++) {
        uint64_t size = list->entries.at[i].size_bytes;
        uint64_t record = size > ZFS_RECORD ? ZFS_RECORD : ZFS_SECTOR;
        bytes += (size + record - 1) / record * record + 2048;
    }
    bytes += bytes / 4 + RESERVED + (16 << 20);
    return bytes < SIZE_MIN ? SIZE_MIN : bytes;
}

uint64_t zfs_size(const struct manifest_list *list, uint64_t size_bytes)
{
    return (size_bytes ? size_bytes : fitting_size(list)) & ~(uint64_t)(LABEL_BYTES - 1);
}

static void set_geometry(struct pool *pool, const struct manifest_list *list)
{
    pool->size_bytes = zfs_size(list, pool->options.size_bytes);
    uint64_t usable = pool->size_bytes - LABELS_FRONT - LABELS_BACK;
    unsigned shift = METASLAB_SHIFT_MIN;
    while (usable / METASLABS >> (shift + 1))
        shift++;
    pool->store.metaslab_shift = shift;
    pool->metaslabs = usable >> shift;
    pool->store.usable_bytes = pool->metaslabs << shift;
}

static int put_file_systems(struct pool *pool, const struct manifest_list *list)
{
    struct zfs_tree_writer writer = {
        .store = &pool->store,
        .zpl = pool->options.version >= VERSION_SA ? 5 : 4,
        .packing = pool->options.compression == ZFS_LZ4 ? PACK_LZ4 : PACK_ZLE,
    };
    struct dataset *root = &pool->datasets[ROOT_HEAD], *child = &pool->datasets[CHILD_HEAD];
    if (!has_child(pool))
        return zpl_write(&writer, list, &root->bp, &root->bytes);
    if (zpl_write(&writer, NULL, &root->bp, &root->bytes) < 0)
        return -1;
    return zpl_write(&writer, list, &child->bp, &child->bytes);
}

static int write_pool(struct pool *pool, const struct manifest_list *list)
{
    if (put_file_systems(pool, list) < 0)
        return -1;
    XXH128_hash_t digest = XXH3_128bits_digest(pool->store.content);
    pool->content = (struct hash){digest.low64, digest.high64};
    vec_push(&pool->objects, (struct zfs_dnode){0});
    pool->object_directory = new_object(pool, OT_OBJECT_DIRECTORY, 0, 0);
    pool->metaslab_array = new_object(pool, OT_OBJECT_ARRAY, 0, 0);
    if (make_datasets(pool) < 0 || link_datasets(pool) < 0)
        return -1;
    for (unsigned i = 0; i < DATASETS; i++)
        if (pool->datasets[i].object)
            finish_dataset(pool, &pool->datasets[i]);
    struct zfs_bp root;
    if (put_directories(pool) < 0 || put_object_directory(pool) < 0 || close_pool(pool, &root) < 0)
        return -1;
    return put_labels(pool, &root);
}

static int check_options(const struct zfs_options *options, const char *path, struct err *err)
{
    if (options->version != 23 && options->version != 28 && options->version != VERSION_DEFAULT)
        return err_set(err, ERR_INPUT,
                       "%s: ZFS pool version %u is not written here: 23, 28 or 5000", path,
                       options->version);
    if (options->compression == ZFS_LZ4 && options->version < VERSION_DEFAULT)
        return err_set(err, ERR_INPUT, "%s: LZ4 needs ZFS pool version 5000, not %u", path,
                       options->version);
    if (options->size_bytes && options->size_bytes < SIZE_MIN)
        return err_set(err, ERR_INPUT, "%s: a ZFS pool needs at least 64 MiB", path);
    return 0;
}

int zfs_put(struct sink *sink, const struct manifest_list *list, const struct zfs_options *options,
            struct err *err)
{
    const char *path = sink->out.path;
    struct pool pool = {.options = *options};
    if (!pool.options.version)
        pool.options.version = VERSION_DEFAULT;
    if (!pool.options.device)
        pool.options.device = "/dev/vblk0.1";
    if (!pool.options.dataset)
        pool.options.dataset = "";
    if (check_options(&pool.options, path, err) < 0)
        return -1;
    set_geometry(&pool, list);
    pool.store.sink = sink;
    pool.store.base = sink_at(sink);
    pool.store.path = path;
    pool.store.err = err;
    pool.store.content = XXH3_createState();
    pool.store.packed = mem_alloc(ZFS_RECORD);
    XXH3_128bits_reset(pool.store.content);
    int status = write_pool(&pool, list);
    if (!status)
        status = sink_zero_to(sink, pool.store.base + pool.size_bytes, err);
    XXH3_freeState(pool.store.content);
    free(pool.store.packed);
    vec_free(&pool.store.gaps);
    vec_free(&pool.gaps);
    vec_free(&pool.objects);
    return status;
}

int zfs_write(const char *path, const struct manifest_list *list, const struct zfs_options *options,
              const struct image_io *io, struct err *err)
{
    struct sink sink;
    uint64_t total;
    if (fs_total(list, &total, err) < 0 ||
        sink_open(&sink, path, DISK_RAW, zfs_size(list, options->size_bytes), io, err) < 0)
        return -1;
    sink.total_bytes = total;
    if (zfs_put(&sink, list, options, err) < 0) {
        sink_abandon(&sink);
        return -1;
    }
    return sink_finish(&sink, sink_at(&sink), err);
}
