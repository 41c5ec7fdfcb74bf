#include "image/elf.h"

#include <string.h>

#include "image/read_disk.h"

enum { HEADER_LEAST = 64, SYMBOLS = 2, NO_BITS = 8, LOADED = 1 };

bool elf_open(struct elf *elf, const void *bytes, size_t length)
{
    static const unsigned char magic[4] = {0x7f, 'E', 'L', 'F'};
    *elf = (struct elf){.bytes = bytes, .length = length};
    if (length < HEADER_LEAST || memcmp(bytes, magic, sizeof magic) != 0)
        return false;
    elf->wide = elf->bytes[4] == 2;
    return true;
}

/* Entry `index` of a table of `count` entries of `each` bytes; NULL where it lies outside. */
static const unsigned char *entry_at(const struct elf *elf, uint64_t table, uint64_t each,
                                     uint64_t index)
{
    if (table > elf->length || (index + 1) * each > elf->length - table)
        return NULL;
    return elf->bytes + table + index * each;
}

/* A section header's fields. */
struct section {
    uint64_t type, address, offset, size, link;
};

static bool section_at(const struct elf *elf, uint64_t index, struct section *out)
{
    const unsigned char *b = elf->bytes;
    uint64_t table = elf->wide ? get_le(b + 40, 8) : get_le(b + 32, 4);
    uint64_t each = get_le(b + (elf->wide ? 58 : 46), 2);
    uint64_t count = get_le(b + (elf->wide ? 60 : 48), 2);
    const unsigned char *s =
        index < count && each >= (elf->wide ? 64u : 40u) ? entry_at(elf, table, each, index) : NULL;
    if (!s)
        return false;
    if (elf->wide)
        *out = (struct section){get_le(s + 4, 4), get_le(s + 16, 8), get_le(s + 24, 8),
                                get_le(s + 32, 8), get_le(s + 40, 4)};
    else
        *out = (struct section){get_le(s + 4, 4), get_le(s + 12, 4), get_le(s + 16, 4),
                                get_le(s + 20, 4), get_le(s + 24, 4)};
    return out->type == NO_BITS ||
           (out->offset <= elf->length && out->size <= elf->length - out->offset);
}

/* Whether the string at `at` of a section of strings is a name, or ends in it. */
static bool is_named(const struct elf *elf, const struct section *names, uint64_t at,
                     const char *name)
{
    if (names->type == NO_BITS || at >= names->size)
        return false;
    bool end = name[0] == '*';
    const char *text = (const char *)elf->bytes + names->offset + at;
    size_t room = (size_t)(names->size - at), length = strnlen(text, room);
    size_t wanted = strlen(name += end);
    return length < room && (end ? length >= wanted : length == wanted) &&
           memcmp(text + length - wanted, name, wanted) == 0;
}

bool elf_symbol(const struct elf *elf, const char *name, uint64_t *value)
{
    struct section table, names;
    const size_t each = elf->wide ? 24 : 16;
    for (uint64_t i = 0; section_at(elf, i, &table); i++) {
        if (table.type != SYMBOLS || !section_at(elf, table.link, &names))
            continue;
        for (uint64_t at = 0; at + each <= table.size; at += each) {
            const unsigned char *s = elf->bytes + table.offset + at;
            if (!is_named(elf, &names, get_le(s, 4), name))
                continue;
            *value = elf->wide ? get_le(s + 8, 8) : get_le(s + 4, 4);
            return true;
        }
    }
    return false;
}

bool elf_place(const struct elf *elf, uint64_t address, uint64_t *offset, uint64_t *left)
{
    struct section section;
    for (uint64_t i = 0; section_at(elf, i, &section); i++) {
        if (section.type == NO_BITS || !section.address || address < section.address ||
            address - section.address >= section.size)
            continue;
        *offset = section.offset + (address - section.address);
        *left = section.size - (address - section.address);
        return true;
    }
    return false;
}

bool elf_base(const struct elf *elf, uint64_t *address)
{
    const unsigned char *b = elf->bytes;
    uint64_t table = elf->wide ? get_le(b + 32, 8) : get_le(b + 28, 4);
    uint64_t each = get_le(b + (elf->wide ? 54 : 42), 2);
    uint64_t count = get_le(b + (elf->wide ? 56 : 44), 2);
    for (uint64_t i = 0; i < count && each >= (elf->wide ? 56u : 32u); i++) {
        const unsigned char *s = entry_at(elf, table, each, i);
        if (!s)
            return false;
        uint64_t offset = elf->wide ? get_le(s + 8, 8) : get_le(s + 4, 4);
        uint64_t physical = elf->wide ? get_le(s + 24, 8) : get_le(s + 12, 4);
        if (get_le(s, 4) == LOADED && physical >= offset) {
            *address = physical - offset;
            return true;
        }
    }
    return false;
}
