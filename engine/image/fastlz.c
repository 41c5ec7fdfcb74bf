/*
 * The FastLZ format, level 2 (fastlz/fastlz.cc of OSv has its reader): a control byte below 32 is
 * followed by that many and one literals; any other one begins a match of 3 bytes and more that lies
 * up to 8,191 bytes behind, or, after 31 in its low bits and a byte 255, up to 73,726. The first
 * byte has the level in its high bits. Matches are looked for in chains, and one byte further before
 * one is taken, which packs better than FastLZ's own packer.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "image/bytes.h"
#include "image/image.h"

enum {
    LITERALS_MOST = 32,
    NEAR = 8191,
    FAR_MOST = 65535 + NEAR,
    HASH_BITS = 16,
    TRIES = 48,
    MATCH_LEAST = 3,
    FAR_LEAST = 5, /* a far match takes two bytes more */
    LEVEL_2 = 1 << 5,
    SEGMENT = 1024 * 1024,
    STORED_MOST = SEGMENT - 4 - 0x3000, /* OSv's lz.cc stores what is larger as it is */
};

struct packer {
    const unsigned char *in;
    size_t length;
    unsigned char *out;
    size_t used;
    int32_t *head, *previous; /* chains of places with one hash, the latest first; -1 ends */
};

struct match {
    size_t length, distance;
};

static size_t hash_at(const unsigned char *at)
{
    uint32_t word = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
    return word * UINT32_C(2654435761) >> (32 - HASH_BITS);
}

static void enter(struct packer *p, size_t at)
{
    if (at + MATCH_LEAST > p->length)
        return;
    size_t slot = hash_at(p->in + at);
    p->previous[at] = p->head[slot];
    p->head[slot] = (int32_t)at;
}

static struct match find(const struct packer *p, size_t at)
{
    struct match best = {0};
    if (at + MATCH_LEAST > p->length)
        return best;
    int32_t candidate = p->head[hash_at(p->in + at)];
    for (int tries = 0; candidate >= 0 && tries < TRIES; tries++) {
        size_t from = (size_t)candidate, distance = at - from, length = 0;
        if (distance > FAR_MOST)
            break;
        while (at + length < p->length && p->in[from + length] == p->in[at + length])
            length++;
        size_t least = distance > NEAR ? FAR_LEAST : MATCH_LEAST;
        if (length >= least && length > best.length + (distance > NEAR && best.length ? 2 : 0))
            best = (struct match){length, distance};
        candidate = p->previous[from];
    }
    return best;
}

static void put_literals(struct packer *p, size_t from, size_t to)
{
    while (from < to) {
        size_t run = to - from < LITERALS_MOST ? to - from : LITERALS_MOST;
        p->out[p->used++] = (unsigned char)(run - 1);
        memcpy(p->out + p->used, p->in + from, run);
        p->used += run;
        from += run;
    }
}

static void put_match(struct packer *p, struct match match)
{
    size_t code = match.length - 2, behind = match.distance - 1;
    bool far = behind >= NEAR;
    if (far)
        behind -= NEAR;
    size_t high = far ? 31 : behind >> 8;
    p->out[p->used++] = (unsigned char)((code < 7 ? code : 7) << 5 | high);
    if (code >= 7) {
        size_t rest = code - 7;
        for (; rest >= 255; rest -= 255)
            p->out[p->used++] = 255;
        p->out[p->used++] = (unsigned char)rest;
    }
    if (far) {
        p->out[p->used++] = 255;
        p->out[p->used++] = (unsigned char)(behind >> 8);
    }
    p->out[p->used++] = (unsigned char)behind;
}

/* Packs `length` bytes; `out` has room for all of them as literals. Returns the bytes used. */
static size_t pack(const unsigned char *in, size_t length, unsigned char *out)
{
    struct packer p = {.in = in, .length = length, .out = out};
    size_t slots = (size_t)1 << HASH_BITS, at = 0, literals = 0;
    if (!length)
        return 0;
    p.head = mem_alloc(slots * sizeof *p.head);
    p.previous = mem_alloc(length * sizeof *p.previous);
    memset(p.head, 0xff, slots * sizeof *p.head);
    while (at < length) {
        /* A stream begins with literals. */
        struct match match = at ? find(&p, at) : (struct match){0};
        enter(&p, at);
        if (match.length) {
            struct match next = find(&p, at + 1);
            if (next.length > match.length + 1)
                match.length = 0;
        }
        if (!match.length) {
            at++;
            continue;
        }
        put_literals(&p, literals, at);
        put_match(&p, match);
        for (size_t i = 1; i < match.length; i++)
            enter(&p, at + i);
        literals = at += match.length;
    }
    put_literals(&p, literals, length);
    out[0] |= LEVEL_2;
    free(p.head);
    free(p.previous);
    return p.used;
}

static size_t packed_room(size_t length)
{
    return length + length / LITERALS_MOST + 16;
}

/* As OSv's lz.cc of today: u32 place of the table, segments of 1 MiB, then u32 count and pairs of
 * u32 (bytes, stored bytes). */
static size_t pack_segments(const unsigned char *in, size_t length, unsigned char *out)
{
    size_t segments = length / SEGMENT + 1, used = 4;
    unsigned char *table = mem_zero(segments, 8), *packed = mem_alloc(packed_room(SEGMENT));
    for (size_t i = 0; i < segments; i++) {
        const unsigned char *from = in + i * SEGMENT;
        size_t bytes = i + 1 < segments ? SEGMENT : length % SEGMENT;
        size_t stored = pack(from, bytes, packed);
        if (stored >= bytes || stored > STORED_MOST) {
            stored = bytes;
            memcpy(out + used, from, bytes);
        } else {
            memcpy(out + used, packed, stored);
        }
        used += stored;
        put_le(table + 8 * i, bytes, 4);
        put_le(table + 8 * i + 4, stored, 4);
    }
    put_le(out, used, 4);
    put_le(out + used, segments, 4);
    memcpy(out + used + 4, table, 8 * segments);
    free(table);
    free(packed);
    return used + 4 + 8 * segments;
}

int loader_fastlz(const char *input, const char *output, enum loader_format format, struct err *err)
{
    size_t length;
    char *raw = file_read(input, &length, err);
    if (!raw)
        return -1;
    if (length > INT32_MAX / 2) {
        free(raw);
        return err_set(err, ERR_INPUT, "%s is too large for a loader", input);
    }
    const unsigned char *in = (const unsigned char *)raw;
    unsigned char *out = mem_alloc(packed_room(length) + 16 * (length / SEGMENT + 2));
    size_t used = format == LOADER_FASTLZ ? pack_segments(in, length, out) : pack(in, length, out);
    int status = file_write(output, out, used, 0666, err);
    free(out);
    free(raw);
    return status;
}
