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
static struct intern_slot *slot_of(const struct intern *in, const char *text, size_t length,
                                   uint32_t hash)
{
    size_t mask = in->slots_count - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        struct intern_slot *slot = &in->slots[at];
        if (!slot->id)
            return slot;
        if (slot->hash == hash && in->lengths_of.at[slot->id - 1] == length &&
            memcmp(in->names.at[slot->id - 1], text, length) == 0)
            return slot;
    }
}

static void grow(struct intern *in)
{
    size_t old_count = in->slots_count;
    struct intern_slot *old = in->slots;
    in->slots_count = old_count ? old_count * 2 : 64;
    in->slots = mem_zero(in->slots_count, sizeof *in->slots);
    for (size_t i = 0; i < old_count; i++) {
        if (!old[i].id)
            continue;
        size_t at = old[i].hash & (in->slots_count - 1);
        while (in->slots[at].id)
            at = (at + 1) & (in->slots_count - 1);
        in->slots[at] = old[i];
    }
    free(old);
}

void intern_reserve(struct intern *in, size_t count)
{
    size_t slots = 64;
    while (slots * 2 < count * 3)
        slots *= 2;
    if (in->slots || slots == 64)
        return;
    in->slots_count = slots;
    in->slots = mem_zero(slots, sizeof *in->slots);
    vec_reserve(&in->names, count);
    vec_reserve(&in->lengths_of, count);
}

uint32_t intern_id_n(struct intern *in, const char *text, size_t length)
{
    if ((in->names.len + 1) * 3 > in->slots_count * 2)
        grow(in);
    uint32_t hash = hash_of(text, length);
    struct intern_slot *slot = slot_of(in, text, length, hash);
    if (slot->id)
        return slot->id - 1;
    vec_push(&in->names, arena_copy_n(&in->arena, text, length));
    vec_push(&in->lengths_of, (uint32_t)length);
    *slot = (struct intern_slot){hash, (uint32_t)in->names.len};
    return slot->id - 1;
}

uint32_t intern_id(struct intern *in, const char *text)
{
    return intern_id_n(in, text, strlen(text));
}

uint32_t intern_find_n(const struct intern *in, const char *text, size_t length)
{
    if (!in->slots_count)
        return INTERN_NONE;
    const struct intern_slot *slot = slot_of(in, text, length, hash_of(text, length));
    return slot->id ? slot->id - 1 : INTERN_NONE;
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
    *in = (struct intern){0};
}

bool intern_restore(struct intern *in, const char *const *texts, const uint32_t *lengths,
                    uint32_t count, const uint32_t *slots, size_t slots_count)
{
    if (slots_count & (slots_count - 1) || (count && (size_t)count * 3 > slots_count * 2))
        return false;
    vec_reserve(&in->names, count);
    vec_reserve(&in->lengths_of, count);
    in->slots = mem_alloc((slots_count + 1) * sizeof *in->slots);
    in->slots_count = slots_count;
    in->names.len = in->lengths_of.len = count;
    if (count) {
        memcpy(in->names.at, texts, count * sizeof *texts);
        memcpy(in->lengths_of.at, lengths, count * sizeof *lengths);
        memcpy(in->slots, slots, slots_count * sizeof *in->slots);
    }
    bool good = true;
    for (size_t i = 0; i < slots_count; i++)
        good &= in->slots[i].id <= count;
    return good;
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
