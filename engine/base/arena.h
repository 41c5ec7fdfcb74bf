/*
 * Arena: many small allocations that die together (one graph load, one frame, one event).
 * Not thread-safe; one owner.
 */
#ifndef GANTRY_BASE_ARENA_H
#define GANTRY_BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *block; /* the newest block; older ones hang behind it */
    size_t used; /* bytes used of the newest block */
};

/* Zeroed memory aligned to 16 bytes, valid until arena_free. A zeroed struct arena is ready. */
void *arena_alloc(struct arena *arena, size_t size_bytes);
/* Copies of text in the arena, NUL-ended. */
char *arena_copy(struct arena *arena, const char *text);
char *arena_copy_n(struct arena *arena, const char *text, size_t length);
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Frees everything; the arena is ready for use again. */
void arena_free(struct arena *arena);

#endif
