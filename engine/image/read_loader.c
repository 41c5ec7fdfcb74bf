/*
 * What a loader unpacks: lzloader.elf of OSv has the packed kernel between two symbols, the bundled
 * kernel's at lz_blob. Unpacked here by the format alone, bounds checked, and compared with the
 * stripped kernel that it was made from: of the seed's packer it is said that it fails now and then.
 * Where the loader stands above the kernel's place (OSv of 2014: 0x1800000), the kernel must fit
 * below it.
 */
#include <stdlib.h>
#include <string.h>

#include <lz4.h>

#include "base/file.h"
#include "base/mem.h"
#include "image/elf.h"
#include "image/read_image.h"

enum { NEAREST_FAR = 8191, SEGMENTS_MOST = 4096, UNPACKED_MOST = 512 << 20 };

/* One FastLZ stream of either level. Returns the bytes made, or -1; `out` NULL: only counts. */
static int64_t unpack(const unsigned char *in, size_t length, unsigned char *out, size_t room)
{
    size_t at = 0, used = 0;
    if (!length)
        return 0;
    bool second = in[0] >> 5 == 1;
    if (in[0] >> 5 > 1)
        return -1;
    unsigned control = in[at++] & 31u;
    for (;;) {
        if (control < 32) {
            size_t run = control + 1;
            if (run > length - at || run > room - used)
                return -1;
            if (out)
                memcpy(out + used, in + at, run);
            at += run;
            used += run;
        } else {
            size_t run = (control >> 5) - 1, behind = (size_t)(control & 31) << 8;
            unsigned code = 255;
            if (run == 6)
                do {
                    if (at >= length)
                        return -1;
                    code = in[at++];
                    run += code;
                } while (second && code == 255);
            if (at >= length)
                return -1;
            code = in[at++];
            behind += code;
            if (second && code == 255 && behind == (31 << 8) + 255) {
                if (length - at < 2)
                    return -1;
                behind = (size_t)in[at] << 8 | in[at + 1];
                behind += NEAREST_FAR;
                at += 2;
            }
            run += 3;
            if (behind + 1 > used || run > room - used)
                return -1;
            for (size_t i = used; out && i < used + run; i++)
                out[i] = out[i - behind - 1];
            used += run;
        }
        if (at >= length)
            return (int64_t)used;
        control = in[at++];
    }
}

/* The kernel of today's format, new; NULL where the bytes are none. */
static unsigned char *unpack_segments(const unsigned char *in, size_t length, size_t *made)
{
    uint64_t table = length >= 8 ? get_le(in, 4) : 0;
    if (table < 4 || table > length - 4)
        return NULL;
    uint64_t count = get_le(in + table, 4), total = 0, from = 4;
    if (!count || count > SEGMENTS_MOST || table + 4 + 8 * count != length)
        return NULL;
    const unsigned char *sizes = in + table + 4;
    for (uint64_t i = 0; i < count; i++)
        total += get_le(sizes + 8 * i, 4);
    if (total > UNPACKED_MOST)
        return NULL;
    unsigned char *out = mem_alloc((size_t)total + 1);
    *made = 0;
    for (uint64_t i = 0; i < count; i++) {
        size_t bytes = get_le(sizes + 8 * i, 4), stored = get_le(sizes + 8 * i + 4, 4);
        bool fine = stored <= table - from && stored <= bytes;
        if (fine && stored == bytes)
            memcpy(out + *made, in + from, bytes);
        else if (fine)
            fine = unpack(in + from, stored, out + *made, bytes) == (int64_t)bytes;
        if (!fine) {
            free(out);
            return NULL;
        }
        from += stored;
        *made += bytes;
    }
    return out;
}

/* 2014: one stream that does not say how much it makes. */
static unsigned char *unpack_stream(const unsigned char *in, size_t length, size_t *made)
{
    int64_t got = unpack(in, length, NULL, UNPACKED_MOST);
    if (got <= 0)
        return NULL;
    unsigned char *out = mem_alloc((size_t)got);
    *made = (size_t)unpack(in, length, out, (size_t)got);
    return out;
}

unsigned char *loader_unpack(const unsigned char *packed, size_t length, size_t *made)
{
    unsigned char *out = unpack_segments(packed, length, made);
    return out ? out : unpack_stream(packed, length, made);
}

/* The bundled kernel's: two sizes and one LZ4 block. */
static unsigned char *unpack_block(const unsigned char *in, size_t length, size_t *made)
{
    uint64_t bytes = length > 8 ? get_le(in, 4) : 0, stored = length > 8 ? get_le(in + 4, 4) : 0;
    if (!bytes || bytes > UNPACKED_MOST || !stored || stored > length - 8)
        return NULL;
    unsigned char *out = mem_alloc((size_t)bytes);
    *made = (size_t)bytes;
    if (LZ4_decompress_safe((const char *)in + 8, (char *)out, (int)stored, (int)bytes) ==
        (int)bytes)
        return out;
    free(out);
    return NULL;
}

/* Where the packed kernel lies in the ELF file that unpacks it. */
struct packed {
    const unsigned char *bytes; /* NULL: there is none */
    size_t length;
    uint64_t address; /* of the bytes in memory */
    bool block; /* of the bundled kernel's kind */
};

static struct packed find_packed(const struct elf *elf)
{
    struct packed packed = {0};
    uint64_t end = 0, offset, left;
    if (elf_symbol(elf, "*_stripped_elf_lz_start", &packed.address)) {
        if (!elf_symbol(elf, "*_stripped_elf_lz_end", &end) || end <= packed.address)
            return packed;
    } else if (elf_symbol(elf, "lz_blob", &packed.address)) {
        packed.block = true;
    } else {
        return packed;
    }
    if (!elf_place(elf, packed.address, &offset, &left) ||
        (!packed.block && end - packed.address > left))
        return packed;
    packed.length = packed.block ? (size_t)left : (size_t)(end - packed.address);
    packed.bytes = elf->bytes + offset;
    return packed;
}

const unsigned char *loader_packed(const unsigned char *bytes, size_t length, size_t *packed_bytes)
{
    struct elf elf;
    if (!elf_open(&elf, bytes, length))
        return NULL;
    struct packed packed = find_packed(&elf);
    *packed_bytes = packed.length;
    return packed.bytes;
}

static unsigned char *unpack_kernel(const struct packed *packed, size_t *made)
{
    return packed->block ? unpack_block(packed->bytes, packed->length, made)
                         : loader_unpack(packed->bytes, packed->length, made);
}

/* Bytes from where the kernel goes to the loader above it, which it must not reach. */
static uint64_t most_bytes(const struct elf *loader, const struct elf *kernel)
{
    uint64_t own, target;
    return elf_base(loader, &own) && elf_base(kernel, &target) && own > target ? own - target : 0;
}

/* A loader below the kernel unpacks its segments from the last to the first into what may be their own
 * place: each must lie behind its packed form when its turn comes (fastlz/lzloader.cc). Tells the
 * first that does not. */
static void check_order(const struct packed *packed, const struct elf *kernel, struct str *report)
{
    uint64_t target, table = packed->length < 8 ? 0 : get_le(packed->bytes, 4);
    if (packed->block || table < 4 || table > packed->length - 4 || !elf_base(kernel, &target) ||
        target < packed->address)
        return;
    uint64_t count = get_le(packed->bytes + table, 4), from = 4, to = 0;
    if (table + 4 + 8 * count != packed->length)
        return; /* one stream */
    for (uint64_t i = 0; i < count; i++) {
        const unsigned char *sizes = packed->bytes + table + 4 + 8 * i;
        uint64_t bytes = get_le(sizes, 4), stored = get_le(sizes + 4, 4);
        if (stored < bytes && packed->address + from + stored > target + to) {
            str_addf(report, "loader: unpacking segment %llu overwrites what it is unpacked from\n",
                     (unsigned long long)i);
            return;
        }
        from += stored;
        to += bytes;
    }
}

/* All of a loader, new; NULL where it is not there or too large to be one. */
static unsigned char *read_whole(struct disk_file *disk, const struct loader_place *place,
                                 struct err *err)
{
    enum { LOADER_MOST = 256 << 20 };
    unsigned char *bytes = NULL;
    if (place->size_bytes <= LOADER_MOST)
        bytes = mem_alloc((size_t)place->size_bytes + 1);
    if (bytes && disk_read(disk, place->offset, bytes, (size_t)place->size_bytes, err) == 0)
        return bytes;
    free(bytes);
    return NULL;
}

void loader_limits(struct disk_file *disk, const struct loader_place *place, uint64_t *bytes,
                   uint64_t *most)
{
    unsigned char *all = read_whole(disk, place, NULL), *kernel = NULL;
    struct elf elf, made;
    struct packed packed = {0};
    size_t length;
    *bytes = *most = 0;
    if (all && elf_open(&elf, all, (size_t)place->size_bytes))
        packed = find_packed(&elf);
    if (packed.bytes)
        kernel = unpack_kernel(&packed, &length);
    if (kernel && elf_open(&made, kernel, length)) {
        *bytes = length;
        *most = most_bytes(&elf, &made);
    }
    free(kernel);
    free(all);
}

/* Compares with a stripped kernel; findings go to the report. */
static int compare(const unsigned char *made, size_t length, const char *stripped,
                   struct str *report, struct err *err)
{
    size_t own;
    char *bytes = file_read(stripped, &own, err);
    if (!bytes)
        return -1;
    size_t common = own < length ? own : length, at = 0;
    while (at < common && (unsigned char)bytes[at] == made[at])
        at++;
    if (at < common)
        str_addf(report, "loader: what it unpacks differs from %s at byte %zu\n", stripped, at);
    else if (own != length)
        str_addf(report, "loader: it unpacks %zu bytes, %s has %zu\n", length, stripped, own);
    free(bytes);
    return 0;
}

/* What is wrong with a kernel that was unpacked. */
static int check_kernel(const struct elf *loader, const struct packed *packed,
                        const struct loader_place *place, struct str *report, struct err *err)
{
    size_t made = 0;
    int status = 0;
    struct elf kernel;
    unsigned char *bytes = unpack_kernel(packed, &made);
    if (!bytes || !elf_open(&kernel, bytes, made)) {
        str_addf(report, "loader: what it unpacks is no kernel\n");
    } else {
        uint64_t most = most_bytes(loader, &kernel);
        if (most && made > most)
            str_addf(report,
                     "loader: the kernel has %zu bytes; below the loader there is room for "
                     "%llu\n",
                     made, (unsigned long long)most);
        check_order(packed, &kernel, report);
        if (place->stripped)
            status = compare(bytes, made, place->stripped, report, err);
    }
    free(bytes);
    return status;
}

int loader_check(struct disk_file *disk, const struct loader_place *place, struct str *report,
                 struct err *err)
{
    struct elf elf;
    struct packed packed = {0};
    struct err why = {0};
    unsigned char *bytes = read_whole(disk, place, &why);
    int status = 0;
    if (!bytes && why.kind != ERR_NONE) {
        if (err)
            *err = why;
        return -1;
    }
    if (bytes && elf_open(&elf, bytes, (size_t)place->size_bytes))
        packed = find_packed(&elf);
    if (packed.bytes)
        status = check_kernel(&elf, &packed, place, report, err);
    else if (place->must)
        str_addf(report, "loader: no packed kernel is in it to compare with %s\n", place->stripped);
    free(bytes);
    return status;
}
