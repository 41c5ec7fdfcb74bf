/* Sets of versions: cut, encoded, interned. */
#include <stdlib.h>

#include "state/state.h"

/* A set ends after an id whose mixed bits say so: one in SPAN. So two runs of the same ids are cut
 * at the same places, whatever stands around them (content-defined chunking, as in LBFS). */
enum { SPAN = 32, LONGEST = 512 };

static bool ends_set(version_id version)
{
    return (version * 0x9E3779B1u >> 16) % SPAN == 0;
}

void set_encode(struct str *out, const version_id *versions, size_t count)
{
    version_id last = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t step = versions[i] - last;
        last = versions[i];
        for (; step >= 0x80; step >>= 7)
            str_add_char(out, (char)(unsigned char)(step | 0x80));
        str_add_char(out, (char)(unsigned char)step);
    }
}

struct set_walk state_set(const struct state *state, set_id set)
{
    const unsigned char *bytes = (const unsigned char *)intern_text(&state->sets, set);
    return (struct set_walk){bytes, bytes + state->sets.lengths_of.at[set], 0};
}

bool set_next(struct set_walk *walk, version_id *version)
{
    uint32_t step = 0;
    for (unsigned shift = 0; walk->at < walk->end && shift < 32; shift += 7) {
        unsigned char byte = *walk->at++;
        step |= (uint32_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *version = walk->last += step;
            return true;
        }
    }
    return false;
}

bool state_take_set(struct state *state, const void *bytes, size_t length)
{
    struct set_walk walk = {bytes, (const unsigned char *)bytes + length, 0};
    for (version_id version; set_next(&walk, &version);)
        if (version >= state->versions.len)
            return false;
    uint32_t before = intern_count(&state->sets);
    return walk.at == walk.end && intern_id_n(&state->sets, bytes, length) == before;
}

static int by_number(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, two = *(const uint32_t *)b;
    return one < two ? -1 : one > two;
}

void state_add_sets(struct state *state, version_id *versions, size_t count, id_list *ids)
{
    if (!count)
        return;
    qsort(versions, count, sizeof *versions, by_number);
    size_t kept = 1;
    for (size_t i = 1; i < count; i++)
        if (versions[i] != versions[kept - 1])
            versions[kept++] = versions[i];
    struct str bytes = {0};
    for (size_t start = 0, i = 0; i < kept; i++) {
        if (i + 1 < kept && !ends_set(versions[i]) && i + 1 - start < LONGEST)
            continue;
        str_cut(&bytes, 0);
        set_encode(&bytes, versions + start, i + 1 - start);
        set_id known = intern_find_n(&state->sets, bytes.at, bytes.len);
        if (known == INTERN_NONE) {
            known = intern_id_n(&state->sets, bytes.at, bytes.len);
            log_append(&state->pending, RECORD_SET, bytes.at, bytes.len);
        }
        vec_push(ids, known);
        start = i + 1;
    }
    str_free(&bytes);
}
