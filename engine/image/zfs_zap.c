#include "image/zfs_zap.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"

enum {
    MICRO_NAME_MAX = 49,
    MICRO_ENTRIES_MAX = 2047,
    FAT_SHIFT = 14, /* blocks of 16 KiB */
    FAT_BLOCK = 1 << FAT_SHIFT,
    HASH_SLOTS = 1 << (FAT_SHIFT - 5),
    CHUNK = 24,
    CHUNKS = (FAT_BLOCK - 2 * HASH_SLOTS) / CHUNK - 2,
    CHUNK_ARRAY_BYTES = 21,
    EMBEDDED_SHIFT = FAT_SHIFT - 4, /* pointer table in the second half of the header block */
    PREFIX_MAX = 28, /* bits of a hash that count */
};
static const uint16_t CHAIN_END = 0xFFFF;

static uint64_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void make_crc_table(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = (value >> 1) ^ (-(value & 1) & 0xC96C5795D7870F42); /* ECMA-182, reflected */
        crc_table[i] = value;
    }
}

static uint64_t hash_of(uint64_t salt, const char *name)
{
    pthread_once(&crc_once, make_crc_table);
    uint64_t hash = salt;
    for (const uint8_t *p = (const uint8_t *)name; *p; p++)
        hash = (hash >> 8) ^ crc_table[(hash ^ *p) & 0xFF];
    return hash & ~(((uint64_t)1 << (64 - PREFIX_MAX)) - 1);
}

/* An entry with its place: sorted by hash, `differs` counts entries of equal hash. */
struct placed {
    uint64_t hash;
    const struct zap_entry *entry;
    uint32_t differs;
};

static int by_hash(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return strcmp(a->entry->name, b->entry->name);
}

static struct placed *place(uint64_t salt, const struct zap_entry *entries, size_t count)
{
    struct placed *placed = mem_zero(count, sizeof *placed);
    for (size_t i = 0; i < count; i++)
        placed[i] = (struct placed){hash_of(salt, entries[i].name), &entries[i], 0};
    sort_array(placed, count, sizeof *placed, by_hash);
    for (size_t i = 1; i < count; i++)
        if (placed[i].hash == placed[i - 1].hash)
            placed[i].differs = placed[i - 1].differs + 1;
    return placed;
}

static void put(uint8_t *at, uint64_t value, size_t width)
{
    memcpy(at, &value, width);
}

static bool fits_micro(const struct zap_entry *entries, size_t count)
{
    if (count > MICRO_ENTRIES_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (entries[i].values || strlen(entries[i].name) > MICRO_NAME_MAX)
            return false;
    return true;
}

static int write_micro(struct zfs_store *store, struct zfs_dnode *dnode, uint64_t salt,
                       const struct placed *placed, size_t count)
{
    size_t length = (64 + count * 64 + ZFS_SECTOR - 1) / ZFS_SECTOR * ZFS_SECTOR;
    uint8_t *block = mem_zero(1, length);
    put(block, ((uint64_t)1 << 63) + 3, 8);
    put(block + 8, salt, 8);
    for (size_t i = 0; i < count; i++) {
        uint8_t *at = block + 64 + i * 64;
        put(at, placed[i].entry->value, 8);
        put(at + 8, placed[i].differs, 4);
        memcpy(at + 14, placed[i].entry->name, strlen(placed[i].entry->name));
    }
    int status = zfs_tree_write(store, block, length, (uint32_t)length, dnode);
    free(block);
    return status;
}

static size_t value_bytes(const struct zap_entry *entry)
{
    return entry->values ? (size_t)entry->width * entry->count : 8;
}

static unsigned chunks_of(const struct zap_entry *entry)
{
    size_t name = strlen(entry->name) + 1;
    return 1 + (unsigned)((name + CHUNK_ARRAY_BYTES - 1) / CHUNK_ARRAY_BYTES) +
           (unsigned)((value_bytes(entry) + CHUNK_ARRAY_BYTES - 1) / CHUNK_ARRAY_BYTES);
}

static uint64_t prefix_of(uint64_t hash, unsigned bits)
{
    return bits ? hash >> (64 - bits) : 0;
}

/* The fewest hash bits that spread the entries over leaves without overflow. */
static unsigned prefix_bits(const struct placed *placed, size_t count)
{
    for (unsigned bits = 0; bits < PREFIX_MAX; bits++) {
        unsigned used = 0;
        bool fits = true;
        for (size_t i = 0; i < count && fits; i++) {
            if (i && prefix_of(placed[i].hash, bits) != prefix_of(placed[i - 1].hash, bits))
                used = 0;
            used += chunks_of(placed[i].entry);
            fits = used <= CHUNKS;
        }
        if (fits)
            return bits;
    }
    return PREFIX_MAX;
}

struct leaf {
    uint8_t block[FAT_BLOCK];
    uint16_t next; /* free chunk */
    uint16_t entries;
};

static uint8_t *chunk_at(struct leaf *leaf, unsigned chunk)
{
    return leaf->block + 48 + 2 * HASH_SLOTS + (size_t)chunk * CHUNK;
}

/* A chain of array chunks; returns the first. */
static uint16_t add_array(struct leaf *leaf, const uint8_t *bytes, size_t length)
{
    enum { CHUNK_ARRAY = 251 };
    uint16_t first = leaf->next;
    for (size_t at = 0; at < length; at += CHUNK_ARRAY_BYTES) {
        size_t part = length - at < CHUNK_ARRAY_BYTES ? length - at : CHUNK_ARRAY_BYTES;
        uint8_t *chunk = chunk_at(leaf, leaf->next++);
        chunk[0] = CHUNK_ARRAY;
        memcpy(chunk + 1, bytes + at, part);
        put(chunk + 22, at + part < length ? leaf->next : CHAIN_END, 2);
    }
    return first;
}

static void add_entry(struct leaf *leaf, const struct placed *placed, unsigned bits)
{
    enum { CHUNK_ENTRY = 252 };
    const struct zap_entry *entry = placed->entry;
    uint16_t width = entry->values ? entry->width : 8, count = entry->values ? entry->count : 1;
    const uint8_t *values = entry->values ? entry->values : (const uint8_t *)&entry->value;
    uint16_t at = leaf->next++;
    uint16_t name = add_array(leaf, (const uint8_t *)entry->name, strlen(entry->name) + 1);
    size_t length = (size_t)width * count;
    uint8_t *big_endian = mem_alloc(length);
    for (size_t i = 0; i < length; i++)
        big_endian[i] = values[i / width * width + (width - 1 - i % width)];
    uint16_t value = add_array(leaf, big_endian, length);
    free(big_endian);
    unsigned shift = 64 - (FAT_SHIFT - 5) - bits;
    uint8_t *slot = leaf->block + 48 + 2 * ((placed->hash >> shift) & (HASH_SLOTS - 1));
    uint8_t *chunk = chunk_at(leaf, at);
    chunk[0] = CHUNK_ENTRY;
    chunk[1] = (uint8_t)width;
    memcpy(chunk + 2, slot, 2);
    put(chunk + 4, name, 2);
    put(chunk + 6, strlen(entry->name) + 1, 2);
    put(chunk + 8, value, 2);
    put(chunk + 10, count, 2);
    put(chunk + 12, placed->differs, 4);
    put(chunk + 16, placed->hash, 8);
    put(slot, at, 2);
    leaf->entries++;
}

static void begin_leaf(struct leaf *leaf)
{
    memset(leaf, 0, sizeof *leaf);
    memset(leaf->block + 48, 0xFF, 2 * HASH_SLOTS);
}

static void end_leaf(struct leaf *leaf, uint64_t prefix, unsigned bits)
{
    enum { CHUNK_FREE = 253, LEAF_MAGIC = 0x2AB1EAF };
    for (unsigned i = leaf->next; i < CHUNKS; i++) {
        chunk_at(leaf, i)[0] = CHUNK_FREE;
        put(chunk_at(leaf, i) + 22, i + 1 < CHUNKS ? i + 1 : CHAIN_END, 2);
    }
    put(leaf->block, (uint64_t)1 << 63, 8);
    put(leaf->block + 16, prefix, 8);
    put(leaf->block + 24, LEAF_MAGIC, 4);
    put(leaf->block + 28, (uint64_t)(CHUNKS - leaf->next), 2);
    put(leaf->block + 30, leaf->entries, 2);
    put(leaf->block + 32, bits, 2);
    put(leaf->block + 34, leaf->next < CHUNKS ? leaf->next : CHAIN_END, 2);
}

/* The header block, and the pointer table where it is too large for the header's second half. */
static int write_table(struct zfs_tree *tree, uint64_t salt, size_t entries, unsigned bits)
{
    const uint64_t fat_magic = 0x2F52AB2AB;
    uint64_t leaves = (uint64_t)1 << bits;
    bool apart = bits > EMBEDDED_SHIFT;
    uint64_t table_blocks = apart ? ((leaves * 8) + FAT_BLOCK - 1) / FAT_BLOCK : 0;
    unsigned shift = apart ? bits : EMBEDDED_SHIFT;
    uint8_t *block = mem_zero(1, FAT_BLOCK);
    const uint64_t header[] = {
        ((uint64_t)1 << 63) + 1,   fat_magic, apart ? 1 : 0, table_blocks, shift, 0, 0,
        1 + table_blocks + leaves, leaves,    entries,       salt,         0,     0};
    memcpy(block, header, sizeof header);
    if (!apart)
        for (uint64_t i = 0; i < (uint64_t)1 << shift; i++)
            put(block + FAT_BLOCK / 2 + i * 8, (i >> (shift - bits)) + 1, 8);
    int status = zfs_tree_block(tree, block, 1, PACK_NONE);
    enum { IN_BLOCK = FAT_BLOCK / 8 };
    for (uint64_t b = 0; b < table_blocks && !status; b++) {
        for (uint64_t i = 0; i < IN_BLOCK; i++)
            put(block + i * 8, 1 + table_blocks + b * IN_BLOCK + i, 8);
        status = zfs_tree_block(tree, block, 1, PACK_NONE);
    }
    free(block);
    return status;
}

static int write_fat(struct zfs_store *store, struct zfs_dnode *dnode, uint64_t salt,
                     const struct placed *placed, size_t count)
{
    unsigned bits = prefix_bits(placed, count);
    if (bits == PREFIX_MAX)
        return err_set(store->err, ERR_INPUT, "%s: %zu names do not fit into one ZAP", store->path,
                       count);
    struct zfs_tree tree;
    zfs_tree_begin(&tree, store, dnode->type, FAT_BLOCK);
    int status = write_table(&tree, salt, count, bits);
    struct leaf *leaf = mem_alloc(sizeof *leaf);
    size_t at = 0;
    for (uint64_t prefix = 0; prefix < (uint64_t)1 << bits && !status; prefix++) {
        begin_leaf(leaf);
        while (at < count && prefix_of(placed[at].hash, bits) == prefix)
            add_entry(leaf, &placed[at++], bits);
        end_leaf(leaf, prefix, bits);
        status = zfs_tree_block(&tree, leaf->block, 1, PACK_NONE);
    }
    free(leaf);
    if (status) {
        zfs_tree_abandon(&tree);
        return -1;
    }
    return zfs_tree_end(&tree, 1, dnode);
}

int zap_write(struct zfs_store *store, struct zfs_dnode *dnode, uint64_t salt,
              const struct zap_entry *entries, size_t count)
{
    struct placed *placed = place(salt, entries, count);
    int status = fits_micro(entries, count) ? write_micro(store, dnode, salt, placed, count)
                                            : write_fat(store, dnode, salt, placed, count);
    free(placed);
    return status;
}

/* XDR (RFC 4506) nvlists; each pair says its encoded and its decoded size (libnvpair's nvs_xdr). */

static void put_be(struct str *out, uint64_t value, size_t width)
{
    for (size_t i = width; i-- > 0;)
        str_add_char(out, (char)(value >> (8 * i)));
}

static void put_string(struct str *out, const char *text)
{
    size_t length = strlen(text);
    put_be(out, length, 4);
    str_add_n(out, text, length);
    str_add_n(out, "\0\0\0", -length & 3);
}

static size_t aligned(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

enum nv_type { NV_FLAG = 1, NV_UINT64 = 8, NV_STRING = 9, NV_LIST = 19, NV_LIST_ARRAY = 20 };

static void put_pair(struct str *list, const char *name, enum nv_type type, unsigned count,
                     const struct str *value, size_t decoded)
{
    struct str body = {0};
    put_string(&body, name);
    put_be(&body, type, 4);
    put_be(&body, count, 4);
    str_add_n(&body, str_text(value), value->len);
    put_be(list, body.len + 8, 4);
    put_be(list, aligned(16 + strlen(name) + 1) + aligned(decoded), 4);
    str_add_n(list, body.at, body.len);
    str_free(&body);
}

void nv_begin(struct str *list)
{
    put_be(list, 0, 4);
    put_be(list, 1, 4); /* NV_UNIQUE_NAME */
}

void nv_end(struct str *list)
{
    put_be(list, 0, 8);
}

void nv_uint(struct str *list, const char *name, uint64_t value)
{
    struct str bytes = {0};
    put_be(&bytes, value, 8);
    put_pair(list, name, NV_UINT64, 1, &bytes, 8);
    str_free(&bytes);
}

void nv_text(struct str *list, const char *name, const char *value)
{
    struct str bytes = {0};
    put_string(&bytes, value);
    put_pair(list, name, NV_STRING, 1, &bytes, strlen(value) + 1);
    str_free(&bytes);
}

void nv_flag(struct str *list, const char *name)
{
    put_pair(list, name, NV_FLAG, 0, &(struct str){0}, 0);
}

void nv_list(struct str *list, const char *name, const struct str *inner)
{
    put_pair(list, name, NV_LIST, 1, inner, 24);
}

void nv_array_of_one(struct str *list, const char *name, const struct str *inner)
{
    put_pair(list, name, NV_LIST_ARRAY, 1, inner, 8 + 24);
}
