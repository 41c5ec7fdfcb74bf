/*
 * What a loader unpacks: lzloader.elf of OSv has the packed kernel between two symbols. Unpacked here
 * by the format alone, bounds checked, and compared with the stripped kernel that it was made from:
 * of the seed's packer it is said that it fails now and then.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
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

/* An ELF file of 32 or 64 bits in memory. */
struct elf {
    const unsigned char *bytes;
    size_t length;
    bool wide;
};

/* A section header's fields; zeros where it lies outside. */
struct section {
    uint64_t type, address, offset, size, link;
};

static bool section_at(const struct elf *elf, uint64_t index, struct section *out)
{
    const unsigned char *b = elf->bytes;
    uint64_t table = elf->wide ? get_le(b + 40, 8) : get_le(b + 32, 4);
    uint64_t each = get_le(b + (elf->wide ? 58 : 46), 2);
    uint64_t count = get_le(b + (elf->wide ? 60 : 48), 2);
    if (index >= count || each < (elf->wide ? 64u : 40u) || table > elf->length ||
        (index + 1) * each > elf->length - table)
        return false;
    const unsigned char *s = b + table + index * each;
    if (elf->wide)
        *out = (struct section){get_le(s + 4, 4), get_le(s + 16, 8), get_le(s + 24, 8),
                                get_le(s + 32, 8), get_le(s + 40, 4)};
    else
        *out = (struct section){get_le(s + 4, 4), get_le(s + 12, 4), get_le(s + 16, 4),
                                get_le(s + 20, 4), get_le(s + 24, 4)};
    enum { NO_BITS = 8 };
    return out->type == NO_BITS ||
           (out->offset <= elf->length && out->size <= elf->length - out->offset);
}

static bool symbol(const struct elf *elf, const char *suffix, uint64_t *value)
{
    enum { SYMBOLS = 2 };
    struct section table = {0}, names;
    for (uint64_t i = 0; section_at(elf, i, &table) || i == 0; i++) {
        if (table.type != SYMBOLS || !section_at(elf, table.link, &names))
            continue;
        size_t each = elf->wide ? 24 : 16;
        for (uint64_t at = 0; at + each <= table.size; at += each) {
            const unsigned char *s = elf->bytes + table.offset + at;
            uint64_t name = get_le(s, 4);
            if (name >= names.size)
                continue;
            const char *text = (const char *)elf->bytes + names.offset + name;
            size_t length = strnlen(text, (size_t)(names.size - name)), end = strlen(suffix);
            if (length > end && length < names.size - name &&
                strcmp(text + length - end, suffix) == 0) {
                *value = elf->wide ? get_le(s + 8, 8) : get_le(s + 4, 4);
                return true;
            }
        }
    }
    return false;
}

const unsigned char *loader_packed(const unsigned char *bytes, size_t length, size_t *packed_bytes)
{
    struct elf elf = {.bytes = bytes, .length = length};
    uint64_t start, end;
    struct section section;
    if (length < 64 || memcmp(bytes, "\177ELF", 4) != 0)
        return NULL;
    elf.wide = bytes[4] == 2;
    if (!symbol(&elf, "_stripped_elf_lz_start", &start) ||
        !symbol(&elf, "_stripped_elf_lz_end", &end) || end <= start)
        return NULL;
    for (uint64_t i = 1; section_at(&elf, i, &section); i++) {
        enum { PROGRAM = 1 };
        if (section.type != PROGRAM || !section.address || start < section.address ||
            end - section.address > section.size)
            continue;
        *packed_bytes = (size_t)(end - start);
        return bytes + section.offset + (start - section.address);
    }
    return NULL;
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

int loader_check(struct disk_file *disk, const struct loader_place *place, struct str *report,
                 struct err *err)
{
    enum { LOADER_MOST = 256 << 20 };
    if (place->size_bytes > LOADER_MOST)
        return 0;
    unsigned char *bytes = mem_alloc((size_t)place->size_bytes + 1);
    int status = disk_read(disk, place->offset, bytes, (size_t)place->size_bytes, err);
    size_t packed_bytes = 0, made = 0;
    const unsigned char *packed =
        status ? NULL : loader_packed(bytes, (size_t)place->size_bytes, &packed_bytes);
    if (packed) {
        unsigned char *kernel = loader_unpack(packed, packed_bytes, &made);
        if (!kernel || made < 64 || memcmp(kernel, "\177ELF", 4) != 0)
            str_addf(report, "loader: what it unpacks is no kernel\n");
        else if (place->stripped)
            status = compare(kernel, made, place->stripped, report, err);
        free(kernel);
    } else if (!status && place->must) {
        str_addf(report, "loader: no packed kernel is in it to compare with %s\n", place->stripped);
    }
    free(bytes);
    return status;
}
