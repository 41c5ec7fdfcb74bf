/* A traced child in a scratch directory, and what it must have touched there. */
#ifndef GANTRY_TESTS_TRACED_H
#define GANTRY_TESTS_TRACED_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "trace/trace.h"

/* The scratch directory: absolute, canonical; it holds a file `there`. cmocka fixtures. */
extern char traced_dir[PATH_MAX];
int traced_setup(void **state);
int traced_teardown(void **state);

/* How children are traced. */
extern enum trace_way traced_way;

/* Runs `body` in a traced child in the scratch directory; it must exit 0. Free with trace_free. */
struct trace *traced_body(void (*body)(void));
/* The same for a program: an absolute path, or a name on PATH. */
struct trace *traced_program(const char *const *argv);
/* Called with a trace while it is served; by another thread. */
typedef void traced_beside(const struct trace *trace);
/* The same, with `beside` called again and again until all is served. */
struct trace *traced_program_beside(const char *const *argv, traced_beside *beside);

/* Exactly these kinds of a name in the scratch directory (or an absolute path), and whether it was
 * there before. */
void traced_expect(const struct trace *trace, const char *name, unsigned kinds, bool found);
void traced_expect_unseen(const struct trace *trace, const char *name);

/* Runs cmocka tests in each way in which this machine can trace; which it cannot is said on standard
 * error. Returns how many failed. */
struct CMUnitTest;
int traced_run(const struct CMUnitTest *tests, size_t count);

#if defined(__x86_64__)
/* Skips a test where this machine runs no 32-bit calls: kernels without them, and some hosts of virtual
 * machines, where the very instruction faults. */
void traced_needs_32_bits(void);
#endif

/* A call of the child that has to work. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            _exit(__LINE__ % 200 + 1);                                                             \
    } while (0)

#endif
