/* Regular expressions: PCRE2 behind four calls. A compiled one may be used by one thread at a time. */
#ifndef GANTRY_BASE_RE_H
#define GANTRY_BASE_RE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct re;

/* A match's groups: byte offsets into the subject; SIZE_MAX where a group took no part. */
struct re_match {
    size_t start[10], end[10];
    unsigned count;
};

enum re_flags {
    RE_DEFAULT = 0,
    RE_SMART_CASE =
        1, /* ignore case unless the pattern has an upper-case letter, as less and vim */
};

/* Compiles (and JIT-compiles where that works). NULL and err (with the position) on a bad pattern. */
struct re *re_compile(const char *pattern, enum re_flags flags, struct err *err);
/* The first match at or after `from`; match may be NULL. */
bool re_find(struct re *re, const char *text, size_t length, size_t from, struct re_match *match);
void re_free(struct re *re);

#endif
