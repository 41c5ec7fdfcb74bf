/*
 * ELF files in memory, 32 or 64 bits, little endian: where symbols and addresses lie in the file. What
 * is asked for outside of the bytes is not there. Private to engine/image; any thread.
 */
#ifndef GANTRY_IMAGE_ELF_H
#define GANTRY_IMAGE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf {
    const unsigned char *bytes; /* the caller's */
    size_t length;
    bool wide; /* 64 bits */
};

/* False where the bytes are no ELF file. */
bool elf_open(struct elf *elf, const void *bytes, size_t length);
/* The value of the first symbol of that name; "*name": whose name ends so. */
bool elf_symbol(const struct elf *elf, const char *name, uint64_t *value);
/* Where in the file the byte at an address is, and how many of its section follow from there. */
bool elf_place(const struct elf *elf, uint64_t address, uint64_t *offset, uint64_t *left);
/* The physical address that byte 0 of the file has where its first segment is loaded. */
bool elf_base(const struct elf *elf, uint64_t *address);

#endif
