/* Blocks, the trees over objects, and objects. */
#include "image/read_zfs.h"

#include <stdlib.h>
#include <string.h>

#include <lz4.h>
#include <nettle/sha2.h>
#include <zlib.h>

#include "base/mem.h"

enum { DATA_AT = 4 << 20, CHECK_OFF = 2, CHECK_FLETCHER2 = 6, CHECK_FLETCHER4 = 7, CHECK_SHA = 8 };
enum { PACK_OFF = 2, PACK_LZJB = 3, PACK_GZIP1 = 5, PACK_GZIP9 = 13, PACK_ZLE = 14, PACK_LZ4 = 15 };

int z_damaged(const struct zpool_read *pool, const char *what)
{
    return err_set(pool->reader->err, ERR_INPUT, "%s: ZFS: %s", pool->reader->disk->path, what);
}

uint64_t z_word(const unsigned char *bp, unsigned word)
{
    return get_le(bp + 8 * (size_t)word, 8);
}

static bool is_embedded(const unsigned char *bp)
{
    return z_word(bp, 6) >> 39 & 1;
}

bool z_is_hole(const unsigned char *bp)
{
    return !is_embedded(bp) && !z_word(bp, 0) && !z_word(bp, 1);
}

uint32_t z_logical_bytes(const unsigned char *bp)
{
    uint64_t properties = z_word(bp, 6);
    if (is_embedded(bp))
        return (uint32_t)(properties & 0x1ffffff) + 1;
    return ((uint32_t)(properties & 0xffff) + 1) * Z_SECTOR;
}

static void fletcher(const unsigned char *bytes, size_t length, bool second, uint64_t out[static 4])
{
    uint64_t a = 0, b = 0, c = 0, d = 0;
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
    length = 0; /* nobody compares it */
#endif
    if (second) { /* two sums, each over every other 64-bit word */
        for (size_t i = 0; i + 16 <= length; i += 16) {
            a += get_le(bytes + i, 8);
            b += get_le(bytes + i + 8, 8);
            c += a;
            d += b;
        }
    } else {
        for (size_t i = 0; i + 4 <= length; i += 4) {
            uint32_t word;
            memcpy(&word, bytes + i, 4);
            a += word;
            b += a;
            c += b;
            d += c;
        }
    }
    out[0] = a, out[1] = b, out[2] = c, out[3] = d;
}

/* 1: it matches; 0: it does not; -1: an unknown kind. */
static int sum_matches(const unsigned char *bp, const unsigned char *bytes, size_t length)
{
    uint64_t sum[4];
    unsigned kind = (unsigned)(z_word(bp, 6) >> 40 & 0xff);
    if (kind == CHECK_OFF)
        return 1;
    if (kind == CHECK_SHA) {
        unsigned char digest[32];
        struct sha256_ctx sha;
        sha256_init(&sha);
        sha256_update(&sha, length, bytes);
        sha256_digest(&sha, sizeof digest, digest);
        for (unsigned i = 0; i < 4; i++)
            sum[i] = get_be(digest + 8 * (size_t)i, 8);
    } else if (kind == CHECK_FLETCHER2 || kind == CHECK_FLETCHER4) {
        fletcher(bytes, length, kind == CHECK_FLETCHER2, sum);
    } else {
        return -1;
    }
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION /* a fuzzer cannot guess sums */
    for (unsigned i = 0; i < 4; i++)
        if (sum[i] != z_word(bp, 12 + i))
            return 0;
#endif
    return 1;
}

/* LZJB (lzjb.c of OpenSolaris): a byte of flags, then for each bit a literal or a copy of 3 to 66
 * bytes from up to 1023 behind. */
static int unpack_lzjb(const unsigned char *in, size_t in_bytes, unsigned char *out, size_t length)
{
    size_t from = 0, to = 0;
    unsigned flags = 0, bit = 8;
    while (to < length) {
        if (bit == 8) {
            if (from >= in_bytes)
                return -1;
            flags = in[from++];
            bit = 0;
        }
        if (!(flags >> bit++ & 1)) {
            if (from >= in_bytes)
                return -1;
            out[to++] = in[from++];
            continue;
        }
        if (in_bytes - from < 2)
            return -1;
        size_t copy = (in[from] >> 2) + 3u, back = (in[from] & 3u) << 8 | in[from + 1];
        from += 2;
        if (!back || back > to)
            return -1;
        for (; copy && to < length; copy--, to++)
            out[to] = out[to - back];
    }
    return 0;
}

static int unpack_zle(const unsigned char *in, size_t in_bytes, unsigned char *out, size_t length)
{
    size_t from = 0, to = 0;
    while (to < length && from < in_bytes) {
        size_t run = 1u + in[from++];
        if (run <= 64) {
            if (run > in_bytes - from || run > length - to)
                return -1;
            memcpy(out + to, in + from, run);
            from += run;
        } else {
            run -= 64;
            if (run > length - to)
                return -1;
            memset(out + to, 0, run);
        }
        to += run;
    }
    return to == length ? 0 : -1;
}

static int unpack(unsigned kind, const unsigned char *in, size_t in_bytes, unsigned char *out,
                  size_t length)
{
    if (kind == PACK_LZJB)
        return unpack_lzjb(in, in_bytes, out, length);
    if (kind == PACK_ZLE)
        return unpack_zle(in, in_bytes, out, length);
    if (kind == PACK_LZ4) {
        size_t packed = in_bytes >= 4 ? get_be(in, 4) : 0;
        if (!packed || packed > in_bytes - 4)
            return -1;
        int got = LZ4_decompress_safe((const char *)in + 4, (char *)out, (int)packed, (int)length);
        return got == (int)length ? 0 : -1;
    }
    if (kind >= PACK_GZIP1 && kind <= PACK_GZIP9) {
        uLongf got = length;
        return uncompress(out, &got, in, in_bytes) == Z_OK && got == length ? 0 : -1;
    }
    return -2;
}

/* A block whose bytes stand in the pointer itself. */
static unsigned char *read_embedded(struct zpool_read *pool, const unsigned char *bp,
                                    uint32_t *length)
{
    unsigned char payload[112];
    size_t used = 0;
    for (unsigned word = 0; word < 16; word++)
        if (word != 6 && word != 10) {
            memcpy(payload + used, bp + 8 * (size_t)word, 8);
            used += 8;
        }
    uint64_t properties = z_word(bp, 6);
    size_t packed = (size_t)(properties >> 25 & 0x7f) + 1;
    unsigned kind = (unsigned)(properties >> 32 & 0x7f);
    *length = z_logical_bytes(bp);
    if (*length > Z_BLOCK_MOST || packed > sizeof payload) {
        z_damaged(pool, "an embedded block of a size that is none");
        return NULL;
    }
    unsigned char *out = mem_zero(1, *length + (size_t)1);
    if (kind == PACK_OFF) {
        memcpy(out, payload, packed < *length ? packed : *length);
        return out;
    }
    if (unpack(kind, payload, packed, out, *length) == 0)
        return out;
    free(out);
    z_damaged(pool, "an embedded block that cannot be unpacked");
    return NULL;
}

/* The bytes of one of the block's copies, into pool->packed. 0 where it is sound. */
static int read_copy(struct zpool_read *pool, const unsigned char *bp, unsigned copy, uint32_t size)
{
    uint64_t first = z_word(bp, 2 * copy), second = z_word(bp, 2 * copy + 1);
    if (!first && !second)
        return -1;
    if (second >> 63)
        return z_damaged(pool, "a gang block, which is not read here");
    if (first >> 32)
        return z_damaged(pool, "a block on another disk");
    if (second > UINT64_MAX / Z_SECTOR / 2 ||
        fs_bytes(pool->reader, DATA_AT + second * Z_SECTOR, pool->packed, size) < 0)
        return -1;
    int sum = sum_matches(bp, pool->packed, size);
    if (sum == 1)
        return 0;
    return z_damaged(pool, sum < 0 ? "a kind of checksum that is not known here"
                                   : "a block whose checksum is wrong");
}

unsigned char *z_read(struct zpool_read *pool, const unsigned char *bp, uint32_t *length)
{
    if (is_embedded(bp))
        return read_embedded(pool, bp, length);
    uint64_t properties = z_word(bp, 6);
    uint32_t size = ((uint32_t)(properties >> 16 & 0xffff) + 1) * Z_SECTOR;
    unsigned kind = (unsigned)(properties >> 32 & 0x7f);
    *length = z_logical_bytes(bp);
    if (!(properties >> 63)) {
        z_damaged(pool, "a pool of a big-endian machine, which is not read here");
        return NULL;
    }
    if (*length > Z_BLOCK_MOST || size > Z_BLOCK_MOST) {
        z_damaged(pool, "a block of more than 16 MiB");
        return NULL;
    }
    if (pool->packed_room < size) {
        pool->packed = mem_grow(pool->packed, size);
        pool->packed_room = size;
    }
    int status = -1;
    for (unsigned copy = 0; copy < 3 && status; copy++)
        status = z_word(bp, 2 * copy) || z_word(bp, 2 * copy + 1) ? read_copy(pool, bp, copy, size)
                                                                  : status;
    if (status)
        return NULL;
    unsigned char *out = mem_alloc(*length + (size_t)1);
    if (kind == PACK_OFF) {
        memset(out, 0, *length);
        memcpy(out, pool->packed, size < *length ? size : *length);
        return out;
    }
    int unpacked = unpack(kind, pool->packed, size, out, *length);
    if (unpacked == 0)
        return out;
    free(out);
    z_damaged(pool, unpacked == -2 ? "a kind of compression that is not known here"
                                   : "a block that cannot be unpacked");
    return NULL;
}

const unsigned char *z_cached(struct zpool_read *pool, const unsigned char *bp, uint32_t *length)
{
    /* The checksum's first word and the place tell blocks apart. */
    uint64_t place = z_word(bp, 1) + 1, birth = z_word(bp, 12) ^ z_word(bp, 10) ^ z_word(bp, 6);
    struct zblock *oldest = &pool->cache[0];
    bool embedded = is_embedded(bp);
    pool->clock++;
    /* Mostly it is the one of before, or the one before that. */
    for (unsigned i = 0; i < Z_CACHE && !embedded; i++) {
        struct zblock *block = &pool->cache[(pool->latest + i) % Z_CACHE];
        if (block->bytes && block->place == place && block->birth == birth) {
            block->used_at = pool->clock;
            pool->latest = (unsigned)(block - pool->cache);
            *length = block->length;
            return block->bytes;
        }
        if (block->used_at < oldest->used_at)
            oldest = block;
    }
    unsigned char *bytes = z_read(pool, bp, length);
    if (!bytes)
        return NULL;
    free(oldest->bytes);
    *oldest = (struct zblock){place, birth, bytes, *length, pool->clock};
    if (embedded)
        oldest->place = 0;
    pool->latest = (unsigned)(oldest - pool->cache);
    return bytes;
}

uint32_t z_block_bytes(const unsigned char *dnode)
{
    return (uint32_t)get_le(dnode + 8, 2) * Z_SECTOR;
}

uint64_t z_blocks(const unsigned char *dnode)
{
    uint64_t last = get_le(dnode + 16, 8);
    return last < UINT64_MAX ? last + 1 : last;
}

int z_find(struct zpool_read *pool, const unsigned char *dnode, uint64_t number,
           const unsigned char **bp)
{
    unsigned shift = dnode[1], levels = dnode[2], pointers = dnode[3];
    *bp = NULL;
    if (!levels || levels > 15 || shift < 9 || shift > 24 || !pointers || pointers > 3)
        return z_damaged(pool, "a dnode that is none");
    unsigned each = shift - 7; /* bits of the number that a level takes */
    uint64_t top = each * (levels - 1) >= 64 ? 0 : number >> (each * (levels - 1));
    if (top >= pointers)
        return 0;
    const unsigned char *at = dnode + 64 + top * Z_BP;
    for (unsigned level = levels - 1; level > 0; level--) {
        uint32_t length;
        if (z_is_hole(at))
            return 0;
        const unsigned char *block = z_cached(pool, at, &length);
        if (!block)
            return -1;
        uint64_t index = number >> (each * (level - 1)) & ((UINT64_C(1) << each) - 1);
        if ((index + 1) * Z_BP > length)
            return z_damaged(pool, "an indirect block that is too short");
        at = block + index * Z_BP;
    }
    *bp = z_is_hole(at) ? NULL : at;
    return 0;
}

int z_data(struct zpool_read *pool, const unsigned char *dnode, uint64_t offset, void *bytes,
           size_t length)
{
    uint32_t each = z_block_bytes(dnode);
    unsigned char *to = bytes;
    if (!each)
        return z_damaged(pool, "an object without a block size");
    while (length) {
        const unsigned char *bp;
        uint32_t there = 0;
        size_t within = (size_t)(offset % each);
        size_t piece = each - within < length ? each - within : length;
        if (z_find(pool, dnode, offset / each, &bp) < 0)
            return -1;
        memset(to, 0, piece);
        if (bp) {
            unsigned char own[Z_BP];
            memcpy(own, bp, Z_BP);
            const unsigned char *block = z_cached(pool, own, &there);
            if (!block)
                return -1;
            if (within < there)
                memcpy(to, block + within, there - within < piece ? there - within : piece);
        }
        to += piece;
        offset += piece;
        length -= piece;
    }
    return 0;
}

int z_object(struct zpool_read *pool, const unsigned char *set, uint64_t number,
             unsigned char dnode[static Z_DNODE])
{
    if (number >= Z_OBJECTS_MOST || z_block_bytes(set) < Z_DNODE)
        return z_damaged(pool, "an object number that is none");
    if (z_data(pool, set, number * Z_DNODE, dnode, Z_DNODE) < 0)
        return -1;
    return dnode[0] ? 0 : z_damaged(pool, "an object that does not exist");
}

const unsigned char *z_bonus(const unsigned char *dnode, size_t *length)
{
    size_t at = 64 + (size_t)(dnode[3] > 3 ? 3 : dnode[3]) * Z_BP, room = Z_DNODE - at;
    if (dnode[7] & 4)
        room -= room < Z_BP ? room : Z_BP;
    *length = get_le(dnode + 10, 2);
    if (*length > room)
        *length = room;
    return dnode + at;
}
