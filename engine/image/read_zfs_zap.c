/* ZAPs: micro ones are an array; fat ones a table of pointers to leaves full of chunks. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/read_zfs.h"

enum {
    MICRO_ENTRY = 64,
    LEAF_MAGIC = 0x2AB1EAF,
    LEAF_HEAD = 48,
    CHUNK = 24,
    CHUNK_BYTES = 21,
    CHUNK_ENTRY = 252,
    CHUNK_ARRAY = 251,
    NAME_MOST = 1024,
    VALUE_MOST = 64 * 1024,
    POINTERS = 512, /* read at once */
};

static int walk_micro(const unsigned char *block, uint32_t length, z_entry *take, void *data)
{
    for (uint32_t at = 64; at + MICRO_ENTRY <= length; at += MICRO_ENTRY) {
        const unsigned char *entry = block + at;
        char name[51];
        unsigned char value[8];
        if (!entry[14])
            continue;
        memcpy(name, entry + 14, 50);
        name[50] = '\0';
        for (unsigned i = 0; i < 8; i++)
            value[i] = entry[7 - i];
        if (take(data, name, value, 8, 1) < 0)
            return -1;
    }
    return 0;
}

/* Collects `length` bytes of a chain of array chunks. */
static bool collect(const unsigned char *chunks, uint32_t count, uint32_t first, unsigned char *out,
                    size_t length)
{
    while (length) {
        if (first >= count || chunks[(size_t)first * CHUNK] != CHUNK_ARRAY)
            return false;
        const unsigned char *chunk = chunks + (size_t)first * CHUNK;
        size_t piece = length < CHUNK_BYTES ? length : CHUNK_BYTES;
        memcpy(out, chunk + 1, piece);
        first = (uint32_t)get_le(chunk + 22, 2);
        out += piece;
        length -= piece;
    }
    return true;
}

static int walk_leaf(struct zpool_read *pool, const unsigned char *leaf, uint32_t length,
                     z_entry *take, void *data)
{
    uint32_t slots = length / 32, chunks_at = LEAF_HEAD + 2 * slots;
    if (length < 1024 || get_le(leaf + 24, 4) != LEAF_MAGIC)
        return z_damaged(pool, "a ZAP leaf that is none");
    uint32_t count = (length - chunks_at) / CHUNK;
    const unsigned char *chunks = leaf + chunks_at;
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char *entry = chunks + (size_t)i * CHUNK;
        unsigned char name[NAME_MOST + 1];
        if (entry[0] != CHUNK_ENTRY)
            continue;
        unsigned width = entry[1];
        size_t name_bytes = get_le(entry + 6, 2), value_count = get_le(entry + 10, 2);
        size_t value_bytes = width * value_count;
        if (!name_bytes || name_bytes > NAME_MOST || value_bytes > VALUE_MOST ||
            !collect(chunks, count, (uint32_t)get_le(entry + 4, 2), name, name_bytes))
            return z_damaged(pool, "a ZAP entry that is damaged");
        name[name_bytes] = '\0';
        unsigned char *values = mem_alloc(value_bytes + 1);
        int status = 0;
        if (!collect(chunks, count, (uint32_t)get_le(entry + 8, 2), values, value_bytes))
            status = z_damaged(pool, "a ZAP value that is damaged");
        if (!status)
            status = take(data, (const char *)name, values, width, (unsigned)value_count);
        free(values);
        if (status)
            return -1;
    }
    return 0;
}

static int walk_fat(struct zpool_read *pool, const unsigned char *dnode, const unsigned char *head,
                    z_entry *take, void *data)
{
    uint32_t each = z_block_bytes(dnode);
    uint64_t table_at = get_le(head + 16, 8), table_blocks = get_le(head + 24, 8);
    uint64_t shift = get_le(head + 32, 8), before = 0, blocks = z_blocks(dnode);
    if (shift > 28 || each < 1024 ||
        (table_blocks && (table_at >= blocks || table_blocks > blocks)))
        return z_damaged(pool, "a ZAP header that is damaged");
    uint64_t room = table_blocks ? table_blocks * (each / 8) : each / 16;
    if (room < UINT64_C(1) << shift)
        return z_damaged(pool, "a ZAP table that is too small");
    unsigned char *leaf = mem_alloc(each);
    int status = 0;
    for (uint64_t i = 0; i < UINT64_C(1) << shift && !status; i++) {
        unsigned char pointers[POINTERS * 8];
        uint64_t at = table_blocks ? table_at * each + i * 8 : each / 2 + i * 8;
        uint64_t left = (UINT64_C(1) << shift) - i;
        if (i % POINTERS == 0)
            status = z_data(pool, dnode, at, pointers, 8 * (left < POINTERS ? left : POINTERS));
        uint64_t number = get_le(pointers + i % POINTERS * 8, 8);
        if (status || number == before)
            continue; /* several pointers may lead to one leaf, side by side */
        before = number;
        if (!number || number >= blocks)
            status = z_damaged(pool, "a ZAP pointer that leads nowhere");
        if (!status)
            status = z_data(pool, dnode, number * each, leaf, each);
        if (!status)
            status = walk_leaf(pool, leaf, each, take, data);
    }
    free(leaf);
    return status;
}

int z_zap(struct zpool_read *pool, const unsigned char *dnode, z_entry *take, void *data)
{
    uint32_t each = z_block_bytes(dnode);
    if (each < Z_SECTOR || each > Z_BLOCK_MOST)
        return z_damaged(pool, "a ZAP without a block");
    unsigned char *head = mem_alloc(each);
    int status = z_data(pool, dnode, 0, head, each);
    if (!status) {
        uint64_t kind = get_le(head, 8);
        if (kind == (UINT64_C(1) << 63 | 3))
            status = walk_micro(head, each, take, data);
        else if (kind == (UINT64_C(1) << 63 | 1) && get_le(head + 8, 8) == 0x2F52AB2AB)
            status = walk_fat(pool, dnode, head, take, data);
        else
            status = z_damaged(pool, "a ZAP that is none");
    }
    free(head);
    return status;
}

struct wanted {
    const char *name;
    uint64_t *value;
    bool *found;
};

static int compare(void *data, const char *name, const unsigned char *values, unsigned width,
                   unsigned count)
{
    struct wanted *wanted = data;
    if (strcmp(name, wanted->name) == 0 && width == 8 && count == 1) {
        *wanted->value = get_be(values, 8);
        *wanted->found = true;
    }
    return 0;
}

int z_lookup(struct zpool_read *pool, const unsigned char *set, uint64_t object, const char *name,
             uint64_t *value, bool *found)
{
    unsigned char dnode[Z_DNODE];
    *found = false;
    if (z_object(pool, set, object, dnode) < 0)
        return -1;
    struct wanted wanted = {name, value, found};
    return z_zap(pool, dnode, compare, &wanted);
}
