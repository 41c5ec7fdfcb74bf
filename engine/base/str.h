/*
 * A string that grows. A zeroed struct str is ready and empty; `at` is NUL-ended once anything was
 * added (str_text gives "" before that). The owner frees with str_free. Not thread-safe.
 */
#ifndef GANTRY_BASE_STR_H
#define GANTRY_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

struct str {
    char *at;
    size_t len, cap;
};

void str_add(struct str *str, const char *text);
void str_add_n(struct str *str, const char *bytes, size_t length);
void str_add_char(struct str *str, char c);
void str_addf(struct str *str, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text, never NULL; valid until the next change. */
const char *str_text(const struct str *str);
/* Cuts to `length` bytes. */
void str_cut(struct str *str, size_t length);
/* Hands the buffer (never NULL) to the caller, who frees it; the str is empty again. */
char *str_take(struct str *str);
void str_free(struct str *str);

/* Small questions that the standard library has no answer for. */
static inline bool str_starts(const char *text, const char *prefix)
{
    while (*prefix && *text == *prefix) /* mostly ends at once: cheaper than a call */
        text++, prefix++;
    return !*prefix;
}
bool str_ends(const char *text, const char *suffix);

#endif
