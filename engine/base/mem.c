#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *mem_alloc(size_t size_bytes)
{
    void *block = malloc(size_bytes ? size_bytes : 1);
    if (!block)
        abort();
    return block;
}

void *mem_zero(size_t count, size_t size_bytes)
{
    enum { SMALL_BYTES = 64 * 1024 };
    size_t size;
    /* Tables are read before they are written: where the system has not given the memory yet, it would give
     * each page twice, an empty one to read and then another. */
    if (!__builtin_mul_overflow(count, size_bytes, &size) && size <= SMALL_BYTES)
        return memset(mem_alloc(size), 0, size);
    void *block = calloc(count ? count : 1, size_bytes ? size_bytes : 1);
    if (!block)
        abort();
    return block;
}

void *mem_grow(void *old, size_t size_bytes)
{
    void *block = realloc(old, size_bytes ? size_bytes : 1);
    if (!block)
        abort();
    return block;
}

char *mem_copy(const char *text)
{
    return mem_copy_n(text, strlen(text));
}

char *mem_copy_n(const char *text, size_t length)
{
    char *copy = mem_alloc(length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *mem_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    return text;
}
