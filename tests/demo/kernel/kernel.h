/*
 * The rooms of the kernel that everybody in it uses: console and log, memory, facts. One thread of
 * control runs everything; nothing here is called from anywhere else.
 */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include "kernel_api.h"

/* console.c: text to the serial line ("\n" becomes CR LF), lines of it, and bytes from it. */
void console_write(const char *text, size_t length);
int console_read(void);
void console_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Also console.c: lines for whoever looks for a fault; with --verbose or conf-logger_debug=1. */
extern bool log_enabled;
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints why the kernel cannot go on, and powers off. */
__attribute__((noreturn)) void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For what only a fault of ours can break; checked in debug mode. */
#define ASSERT(condition)                                                                          \
    (!CONF_DEBUG_BUILD || (condition) ? (void)0                                                    \
                                      : panic("%s:%d: not %s", __FILE__, __LINE__, #condition))

/* alloc.c: first fit over the memory behind the kernel. */
void memory_start(uintptr_t start, uintptr_t end);
void *memory_allocate(size_t size); /* 16-byte aligned, or NULL */
/* align is a power of two, at least 16. */
void *memory_allocate_aligned(size_t size, size_t align);
void memory_release(void *memory);
size_t memory_free(void);

/* trace.c, with conf-tracing=1: a ring of the latest events. */
#if CONF_tracing
void trace_event(const char *what, uint64_t a, uint64_t b);
int trace_line(unsigned index, char *line, size_t size);
#else
static inline void trace_event(const char *what, uint64_t a, uint64_t b)
{
    (void)what, (void)a, (void)b;
}
#endif

/* api.c: the table for programs, and the facts it tells. */
extern const struct kernel_api kernel_api;
void fact_set(const char *name, const char *value); /* both stay where they are */

/* elf.c: loads and runs the program at argv[0]. */
int program_run(int argc, char **argv, int *status);

#endif
