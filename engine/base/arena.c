#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct arena_block {
    struct arena_block *older;
    size_t size_bytes;
    _Alignas(16) char bytes[];
};

enum { BLOCK_BYTES = 64 * 1024 };

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
    size_t size = (size_bytes + 15) & ~(size_t)15;
    if (!arena->block || arena->block->size_bytes - arena->used < size) {
        size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        struct arena_block *block = mem_alloc(sizeof *block + room);
        block->older = arena->block;
        block->size_bytes = room;
        arena->block = block;
        arena->used = 0;
    }
    void *result = arena->block->bytes + arena->used;
    arena->used += size;
    return memset(result, 0, size);
}

char *arena_copy_n(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *arena_copy(struct arena *arena, const char *text)
{
    return arena_copy_n(arena, text, strlen(text));
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void arena_free(struct arena *arena)
{
    for (struct arena_block *block = arena->block, *older; block; block = older) {
        older = block->older;
        free(block);
    }
    arena->block = NULL;
    arena->used = 0;
}
