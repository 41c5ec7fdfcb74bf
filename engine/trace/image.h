/* A mapped program or library, elf(5); nothing in it is trusted. Private to the room. */
#ifndef GANTRY_TRACE_IMAGE_H
#define GANTRY_TRACE_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct image {
    const char *bytes; /* aligned to a page */
    size_t length;
    struct stat st;
};

/* Maps a file of this machine's own 64-bit kind; false where it is none. image_close unmaps it. */
bool image_open(const char *path, struct image *image);
void image_close(struct image *image);
/* Whether bytes begin as a file of this machine's own 64-bit kind; what image_open asks. */
bool image_is_ours(const struct image *image);
/* `size` bytes at an offset of the file; NULL where there are not so many. */
const void *image_at(const struct image *image, uint64_t offset, uint64_t size);
/* The segment at `index`; NULL: there is none. */
const Elf64_Phdr *image_segment(const struct image *image, unsigned index);
/* Where in the file an address of the program's memory comes from; UINT64_MAX: nowhere. */
uint64_t image_offset(const struct image *image, uint64_t address);
/* The address that a dynamic symbol has; 0: there is none. */
uint64_t image_symbol(const struct image *image, const char *name);
/* Whether nothing has happened to a file between two looks at it. */
bool image_is_same_file(const struct stat *a, const struct stat *b);

#endif
