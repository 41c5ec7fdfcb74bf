/*
 * A set of 32-bit ids that remembers the order in which they came: what is touched of a large table.
 * A zeroed struct ids is ready. Not thread-safe.
 */
#ifndef GANTRY_BASE_IDS_H
#define GANTRY_BASE_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

#define IDS_NONE UINT32_MAX

struct ids {
    VEC(uint32_t) at; /* in the order they came */
    uint32_t *slots; /* open addressing: place + 1; 0: free */
    unsigned bits; /* 1 << bits slots, or none */
};

/* Where to look for an id first. Fibonacci hashing: neighbours, which ids mostly are, come to lie apart. */
static inline uint32_t ids_hash(const struct ids *ids, uint32_t id)
{
    return id * UINT32_C(0x9E3779B1) >> (32 - ids->bits);
}

/* The place of an id in that order; where it is new it comes last. */
uint32_t ids_add(struct ids *ids, uint32_t id);
/* The place of an id, or IDS_NONE. */
uint32_t ids_find(const struct ids *ids, uint32_t id);
/* An id is going to be looked for soon: has the processor fetch its slot. */
static inline void ids_prepare(const struct ids *ids, uint32_t id)
{
    if (ids->bits)
        __builtin_prefetch(&ids->slots[ids_hash(ids, id)]);
}
void ids_free(struct ids *ids);

#endif
