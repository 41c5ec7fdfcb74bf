/*
 * LZ4 block decompression, after the lz4 Block Format Description: a block is a row of sequences,
 * each a token (4 bits of literal length, 4 bits of match length - 4), literals, and a match given
 * as a distance backwards in what was written. The last sequence ends after its literals.
 */
#include "tiny.h"

enum { MIN_MATCH = 4, LENGTH_MORE = 15 };

struct source {
    const unsigned char *at, *end;
};

/* A length of 15 goes on in bytes that are added up, until one is below 255. */
static bool read_length(struct source *from, size_t *length)
{
    unsigned char byte;

    if (*length != LENGTH_MORE)
        return true;
    do {
        if (from->at == from->end)
            return false;
        byte = *from->at++;
        *length += byte;
    } while (byte == 255);
    return true;
}

int64_t lz4_unpack(void *to, size_t to_size, const void *data, size_t data_size)
{
    unsigned char *start = to, *out = to, *end = start + to_size;
    struct source from = {data, (const unsigned char *)data + data_size};

    while (from.at < from.end) {
        unsigned token = *from.at++;
        size_t literals = token >> 4, match = token & 15;

        if (!read_length(&from, &literals) || literals > (size_t)(from.end - from.at) ||
            literals > (size_t)(end - out))
            return -1;
        memcpy(out, from.at, literals);
        out += literals;
        from.at += literals;
        if (from.at == from.end)
            return out - start;

        if (from.end - from.at < 2)
            return -1;
        size_t distance = from.at[0] | (size_t)from.at[1] << 8;
        from.at += 2;
        if (!read_length(&from, &match))
            return -1;
        match += MIN_MATCH;
        if (distance == 0 || distance > (size_t)(out - start) || match > (size_t)(end - out))
            return -1;
        /* Byte by byte: a match may overlap what it writes, which repeats a pattern. */
        for (; match; match--, out++)
            *out = out[-(ptrdiff_t)distance];
    }
    return -1;
}
