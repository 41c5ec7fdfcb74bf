/*
 * Interned strings and maps by string. `struct intern` gives each distinct string a dense 32-bit id
 * from 0 up (ids instead of pointers between large sets); `struct map` is string -> pointer.
 * Open addressing over XXH3; not thread-safe; strings live in the intern's own arena.
 */
#ifndef GANTRY_BASE_MAP_H
#define GANTRY_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/vec.h"

#define INTERN_NONE UINT32_MAX

/* Hash and id side by side: a look-up that fails costs one line of the cache. */
struct intern_slot {
    uint32_t hash; /* low bits */
    uint32_t id; /* + 1; 0: free */
};

struct intern {
    struct arena arena;
    VEC(const char *) names; /* by id */
    VEC(uint32_t) lengths_of; /* by id, bytes */
    struct intern_slot *slots;
    size_t slots_count; /* power of two, or 0 */
};

/* The id of a string, adding it where it is new. A zeroed struct intern is ready. */
uint32_t intern_id(struct intern *in, const char *text);
uint32_t intern_id_n(struct intern *in, const char *text, size_t length);
/* Makes room in an empty one for about so many strings. */
void intern_reserve(struct intern *in, size_t count);
/* The id of a string, or INTERN_NONE. */
uint32_t intern_find(const struct intern *in, const char *text);
uint32_t intern_find_n(const struct intern *in, const char *text, size_t length);
/* The string of an id; valid until intern_free. */
const char *intern_text(const struct intern *in, uint32_t id);
uint32_t intern_count(const struct intern *in);
void intern_free(struct intern *in);
/* Fills a zeroed intern with `count` strings that stay where they are, and the table that another
 * intern of the same strings had: its slots as pairs of words. False where the table cannot be one. */
bool intern_restore(struct intern *in, const char *const *texts, const uint32_t *lengths,
                    uint32_t count, const uint32_t *slots, size_t slots_count);

struct map {
    struct intern keys;
    VEC(void *) values; /* by key id; NULL where removed */
};

/* The value of a key, or NULL. */
void *map_get(const struct map *map, const char *key);
/* Sets a key's value (NULL removes it) and returns the old one. */
void *map_put(struct map *map, const char *key, void *value);
/* Frees the map, not the values. Walk: keys.names.at[i], values.at[i]. */
void map_free(struct map *map);

#endif
