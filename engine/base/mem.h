/*
 * Memory that does not fail: out of memory ends the process by abort(), since a build whose
 * bookkeeping is lost cannot be reported. Any thread.
 */
#ifndef GANTRY_BASE_MEM_H
#define GANTRY_BASE_MEM_H

#include <stddef.h>

/* As malloc, calloc, realloc, strdup and strndup; never NULL. The caller frees with free(). */
void *mem_alloc(size_t size_bytes);
void *mem_zero(size_t count, size_t size_bytes);
void *mem_grow(void *old, size_t size_bytes);
char *mem_copy(const char *text);
char *mem_copy_n(const char *text, size_t length);

/* A new string made as printf does. The caller frees it. */
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
