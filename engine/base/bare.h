/*
 * For programs and guests that have no libc (the gate, the accelerator): system calls, and the little
 * that they do with text. Everything is the includer's own.
 */
#ifndef GANTRY_BASE_BARE_H
#define GANTRY_BASE_BARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A system call; a negative errno where it fails. */
static inline long call6(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
#else
#error "this needs the system call convention of this machine"
#endif
}
#define CALL(number, a, b, c, d) call6((number), (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* Eight bytes of a text, aligned or not. */
struct bare_word {
    uint64_t bytes;
} __attribute__((packed, may_alias));

static inline size_t text_length(const char *text)
{
    const uint64_t ones = UINT64_MAX / 0xff, tops = ones << 7;
    const char *at = text;
    while ((uintptr_t)at % 8 && *at)
        at++;
    if (!*at)
        return (size_t)(at - text);
    for (;; at += 8) { /* aligned words cross no page */
        uint64_t word = ((const struct bare_word *)at)->bytes;
        if ((word - ones) & ~word & tops) /* one of the bytes is 0 */
            break;
    }
    while (*at)
        at++;
    return (size_t)(at - text);
}

/* What follows `prefix` in `text`, or NULL. */
static inline const char *after(const char *text, const char *prefix)
{
    while (*prefix)
        if (*text++ != *prefix++)
            return NULL;
    return text;
}

static inline bool equal(const char *a, const char *b)
{
    const char *rest = after(a, b);
    return rest && !*rest;
}

static inline const char *base_name(const char *path)
{
    const char *base = path;
    for (; *path; path++)
        if (*path == '/')
            base = path + 1;
    return base;
}

static inline uint64_t number_of(const char **text, unsigned base)
{
    uint64_t value = 0;
    for (;; (*text)++) {
        char c = **text;
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 99;
        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}

static inline const char *variable(char **env, const char *name_and_equals)
{
    for (; *env; env++) {
        const char *value = after(*env, name_and_equals);
        if (value)
            return value;
    }
    return NULL;
}

/* Appends to a buffer of `size`; what does not fit is cut. */
static inline void append(char *buffer, size_t size, const char *text, size_t length)
{
    size_t at = text_length(buffer);
    for (size_t i = 0; i < length && at + 1 < size; i++)
        buffer[at++] = text[i];
    buffer[at] = '\0';
}

#endif
