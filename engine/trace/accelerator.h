/*
 * What the files of the accelerator share (accelerator.c says what it is). Nothing here is of the program
 * that travels with it.
 */
#ifndef GANTRY_TRACE_ACCELERATOR_H
#define GANTRY_TRACE_ACCELERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/bare.h"
#include "trace/ring.h"

#define PUBLIC __attribute__((visibility("default")))
#define WEAK __attribute__((weak))

#pragma GCC visibility push(hidden) /* each is called within the one library */

/* What is needed of the program's libc; each may be missing, and all are until it is loaded. */
extern struct libc {
    int *(*errno_location)(void);
    int (*clock_gettime)(clockid_t clock, struct timespec *now);
    void *(*malloc)(size_t size);
    char **heap_end; /* __curbrk: where the heap ends that it grows by brk(2) */
} libc;

/* The program changes no directories and executes nothing: what was a directory stays one. */
extern bool looks_only;
/* Besides, it asks for files by no other calls than open and stat. */
extern bool opens_only;

/* System calls, stopped as anyone's or by the one instruction that passes; negative errno. */
long call_seen(long number, long a, long b, long c, long d);
long call_unseen(long number, long a, long b, long c, long d);
/* The same as a libc's function says it: -1 and errno. */
long answer(long result);

/* True where calls may be noted: the memory is ours, or our parent's whose directory we share. */
bool ready(void);
/* CLOCK_MONOTONIC. */
uint64_t now_ns(void);
/* A record of a call that is about to be made; NULL: make it in the seen way. */
struct ring_record *note(enum ring_op op, const char *path, uint32_t flags);
/* Its result, which is given back. */
long done(struct ring_record *record, long result);

/* ---- coming in ---- */

/* Before anything else: an empty page of the process's own, for who it is. False where that cannot be kept
 * from forked children. */
bool stand_at(long identity_page);
/* Says to the server who we are (again), and takes the number that it gives. A descriptor of the region
 * or a negative errno. */
long introduce(void);
/* As the server gives it; 0: none. */
void take_number(uint32_t number);
/* Maps the region, but for its code. From now on calls are noted. */
bool map_ring(long fd);

#if defined(__x86_64__)
/* ---- what stands before functions of the libc that no library can stand before ---- */

/* The first twelve bytes of a function become a jump. They can be written. */
void jump_from(uintptr_t function, uintptr_t ours);
/* Locales, converters and the like are opened so: a third of a compiler's calls. */
int open_by_libc(const char *path, int flags, ...);
/* For its search for programs. */
int execute_by_libc(const char *path, char *const *argv, char *const *envp);
/* As brk(3); a heap's new pages are there at once (RING_POPULATES). */
int break_by_libc(void *end);
/* As mmap(2); so are the 2 MiB that gcc's garbage collector takes, and fills from the beginning (ggc-page.cc,
 * GGC_QUIRE_SIZE). */
void *map_by_libc(void *at, size_t length, int protection, int flags, int fd, off_t offset);
/* Whether a function begins as the libc's does that makes one call and little else. */
bool only_calls(const unsigned char *code, uint32_t number);
#endif

/* ---- */

/* As openat(2); noted where it can be. */
long open_at(int dir, const char *path, int flags, int mode);
/*
 * cc1 resolves each place where a header might be, and then opens it: where the one call has just found
 * nothing, the other need not be made. For ten milliseconds at most, and not past an open of the program's
 * own that may make a file (forget_absent).
 */
bool was_just_absent(const char *path, uint64_t now);
void forget_absent(void);

#pragma GCC visibility pop

/* Without the libc's memcpy; most are paths, of which a byte at a time would cost more than the call. */
static inline void copy(char *to, const char *from, size_t length)
{
    for (; length >= 8; to += 8, from += 8, length -= 8)
        ((struct bare_word *)to)->bytes = ((const struct bare_word *)from)->bytes;
    while (length--)
        *to++ = *from++;
}

static inline bool same(const char *one, const char *two, size_t length)
{
    for (; length >= 8; one += 8, two += 8, length -= 8)
        if (((const struct bare_word *)one)->bytes != ((const struct bare_word *)two)->bytes)
            return false;
    while (length && *one == *two)
        length--, one++, two++;
    return !length;
}

#endif
