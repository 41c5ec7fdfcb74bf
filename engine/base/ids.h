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

/* The place of an id in that order; where it is new it comes last. */
uint32_t ids_add(struct ids *ids, uint32_t id);
/* The place of an id, or IDS_NONE. */
uint32_t ids_find(const struct ids *ids, uint32_t id);
void ids_free(struct ids *ids);

#endif
