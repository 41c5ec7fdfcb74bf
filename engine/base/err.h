/*
 * Errors as values. A function that can fail returns 0 or -1 (or a pointer or NULL) and fills a
 * struct err with one sentence for the user: what, where (file:line:column), remedy.
 * Any thread; a struct err belongs to its caller.
 */
#ifndef GANTRY_BASE_ERR_H
#define GANTRY_BASE_ERR_H

enum err_kind {
    ERR_NONE, /* nothing happened yet */
    ERR_INPUT, /* the user's input is wrong: exit 2 */
    ERR_FAILED, /* the work itself failed (a step, a check): exit 1 */
    ERR_SYSTEM, /* the machine refused (no space, no permission): exit 2 */
};

struct err {
    enum err_kind kind;
    int number; /* errno behind it, or 0 */
    char text[2048]; /* one line, no newline at its end */
};

/* Fills err (may be NULL) with a formatted sentence; always returns -1, so `return err_set(...)`. */
int err_set(struct err *err, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, ERR_INPUT, with "file:line: " in front; line 0 and column 0 are left out. */
int err_at(struct err *err, const char *file, unsigned line, unsigned column, const char *format,
           ...) __attribute__((format(printf, 5, 6)));

/* ERR_SYSTEM from errno: "<what formatted>: <strerror>". Keeps errno. Always returns -1. */
int err_errno(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit status that main gives for an error: 1 for ERR_FAILED, else 2. */
int err_exit_status(const struct err *err);

#endif
