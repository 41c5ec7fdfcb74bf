#include "base/ids.h"

#include <stdlib.h>

#include "base/mem.h"

enum { FIRST_BITS = 6 };

/* The slot that holds the id, or the free slot where it belongs. The table is never full. */
static uint32_t *slot_of(const struct ids *ids, uint32_t id)
{
    uint32_t mask = (UINT32_C(1) << ids->bits) - 1;
    for (uint32_t at = ids_hash(ids, id);; at = (at + 1) & mask)
        if (!ids->slots[at] || ids->at.at[ids->slots[at] - 1] == id)
            return &ids->slots[at];
}

static void grow(struct ids *ids)
{
    free(ids->slots);
    ids->bits = ids->bits ? ids->bits + 1 : FIRST_BITS;
    ids->slots = mem_zero((size_t)1 << ids->bits, sizeof *ids->slots);
    for (size_t i = 0; i < ids->at.len; i++)
        *slot_of(ids, ids->at.at[i]) = (uint32_t)i + 1;
}

uint32_t ids_add(struct ids *ids, uint32_t id)
{
    if (!ids->bits || (ids->at.len + 1) * 2 > (size_t)1 << ids->bits)
        grow(ids);
    uint32_t *slot = slot_of(ids, id);
    if (!*slot) {
        vec_push(&ids->at, id);
        *slot = (uint32_t)ids->at.len;
    }
    return *slot - 1;
}

uint32_t ids_find(const struct ids *ids, uint32_t id)
{
    uint32_t place = ids->bits ? *slot_of(ids, id) : 0;
    return place ? place - 1 : IDS_NONE;
}

void ids_free(struct ids *ids)
{
    vec_free(&ids->at);
    free(ids->slots);
    *ids = (struct ids){0};
}
