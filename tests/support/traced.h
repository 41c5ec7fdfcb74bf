/* A traced child in a scratch directory, and what it must have touched there. */
#ifndef GANTRY_TESTS_TRACED_H
#define GANTRY_TESTS_TRACED_H

#include <limits.h>
#include <stdbool.h>
#include <unistd.h>

#include "trace/trace.h"

/* The scratch directory: absolute, canonical; it holds a file `there`. cmocka fixtures. */
extern char traced_dir[PATH_MAX];
int traced_setup(void **state);
int traced_teardown(void **state);

/* Runs `body` in a traced child in the scratch directory; it must exit 0. Free with trace_free. */
struct trace *traced_body(void (*body)(void));
/* The same for a program: an absolute path, or a name on PATH. */
struct trace *traced_program(const char *const *argv);

/* Exactly these kinds of a name in the scratch directory (or an absolute path), and whether it was
 * there before. */
void traced_expect(const struct trace *trace, const char *name, unsigned kinds, bool found);
void traced_expect_unseen(const struct trace *trace, const char *name);

/* A call of the child that has to work. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            _exit(__LINE__ % 200 + 1);                                                             \
    } while (0)

#endif
