/*
 * The self-tests. A test is a function that returns NULL, or a sentence about what was wrong. The
 * program prints "TEST name ok" or "TEST name FAIL: reason" for each, and at the end
 * "TESTS passed=N failed=M".
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#include "program.h"

struct test {
    const char *name;
    const char *(*run)(void);
};

/* One table a file, each ended by a NULL name. */
extern const struct test library_tests[], memory_tests[], file_tests[], disk_tests[],
    program_tests[];

/* Makes the sentence for a failure; valid until the next call. */
const char *failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return failure("%s:%d: not %s", __FILE__, __LINE__, #condition);                       \
    } while (0)

#define EXPECT_TEXT(is, wanted)                                                                    \
    do {                                                                                           \
        const char *is_ = (is), *wanted_ = (wanted);                                               \
        if (strcmp(is_, wanted_) != 0)                                                             \
            return failure("%s:%d: '%s', not '%s'", __FILE__, __LINE__, is_, wanted_);             \
    } while (0)

#define EXPECT_NUMBER(is, wanted)                                                                  \
    do {                                                                                           \
        long is_ = (long)(is), wanted_ = (long)(wanted);                                           \
        if (is_ != wanted_)                                                                        \
            return failure("%s:%d: %s is %ld, not %ld", __FILE__, __LINE__, #is, is_, wanted_);    \
    } while (0)

#endif
