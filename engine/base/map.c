#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/mem.h"

static uint32_t hash_of(const char *text, size_t length)
{
    return (uint32_t)XXH3_64bits(text, length);
}

/* The slot that holds the string, or the free slot where it belongs. The table is never full. */
static size_t slot_of(const struct intern *in, const char *text, size_t length, uint32_t hash)
{
    size_t mask = in->slots_count - 1;
    for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
        uint32_t id = in->slots[slot];
        if (!id)
            return slot;
        if (in->hashes[slot] == hash && in->lengths_of.at[id - 1] == length &&
            memcmp(in->names.at[id - 1], text, length) == 0)
            return slot;
    }
}

static void grow(struct intern *in)
{
    size_t old_count = in->slots_count;
    uint32_t *old_slots = in->slots, *old_hashes = in->hashes;
    in->slots_count = old_count ? old_count * 2 : 64;
    in->slots = mem_zero(in->slots_count, sizeof *in->slots);
    in->hashes = mem_zero(in->slots_count, sizeof *in->hashes);
    for (size_t i = 0; i < old_count; i++) {
        if (!old_slots[i])
            continue;
        size_t slot = old_hashes[i] & (in->slots_count - 1);
        while (in->slots[slot])
            slot = (slot + 1) & (in->slots_count - 1);
        in->slots[slot] = old_slots[i];
        in->hashes[slot] = old_hashes[i];
    }
    free(old_slots);
    free(old_hashes);
}

uint32_t intern_id_n(struct intern *in, const char *text, size_t length)
{
    if ((in->names.len + 1) * 4 > in->slots_count * 3)
        grow(in);
    uint32_t hash = hash_of(text, length);
    size_t slot = slot_of(in, text, length, hash);
    if (in->slots[slot])
        return in->slots[slot] - 1;
    vec_push(&in->names, arena_copy_n(&in->arena, text, length));
    vec_push(&in->lengths_of, (uint32_t)length);
    in->slots[slot] = (uint32_t)in->names.len;
    in->hashes[slot] = hash;
    return (uint32_t)in->names.len - 1;
}

uint32_t intern_id(struct intern *in, const char *text)
{
    return intern_id_n(in, text, strlen(text));
}

uint32_t intern_find_n(const struct intern *in, const char *text, size_t length)
{
    if (!in->slots_count)
        return INTERN_NONE;
    size_t slot = slot_of(in, text, length, hash_of(text, length));
    return in->slots[slot] ? in->slots[slot] - 1 : INTERN_NONE;
}

uint32_t intern_find(const struct intern *in, const char *text)
{
    return intern_find_n(in, text, strlen(text));
}

const char *intern_text(const struct intern *in, uint32_t id)
{
    return in->names.at[id];
}

uint32_t intern_count(const struct intern *in)
{
    return (uint32_t)in->names.len;
}

void intern_free(struct intern *in)
{
    arena_free(&in->arena);
    vec_free(&in->names);
    vec_free(&in->lengths_of);
    free(in->slots);
    free(in->hashes);
    *in = (struct intern){0};
}

void *map_get(const struct map *map, const char *key)
{
    uint32_t id = intern_find(&map->keys, key);
    return id == INTERN_NONE ? NULL : map->values.at[id];
}

void *map_put(struct map *map, const char *key, void *value)
{
    uint32_t id = intern_id(&map->keys, key);
    if (id == map->values.len)
        vec_push(&map->values, NULL);
    void *old = map->values.at[id];
    map->values.at[id] = value;
    return old;
}

void map_free(struct map *map)
{
    intern_free(&map->keys);
    vec_free(&map->values);
}
