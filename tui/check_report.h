/*
 * What the self-tests in a booted guest print, read from its console: a line "TEST name ok" or
 * "TEST name FAIL: reason" for each, and "TESTS passed=N failed=M" at the end; or as OSv's testrunner has
 * it, "running /tests/name", what the test prints, "ok." or "failed.", and "All tests complete - M/N
 * failures". Other lines are none of ours. One thread.
 */
#ifndef GANTRY_TUI_CHECK_REPORT_H
#define GANTRY_TUI_CHECK_REPORT_H

#include <stdbool.h>

#include "base/str.h"
#include "base/vec.h"

struct check_test {
    char *name;
    char *reason; /* why it failed; NULL: it passed */
};

/* A zeroed one is ready. */
struct check_report {
    VEC(struct check_test) tests; /* in the order in which they ran */
    bool complete; /* the summary came */
    unsigned passed, failed; /* as the summary says */
    struct str line; /* what came of a line so far */
    char *running; /* OSv's: the test that was begun; NULL: none */
    enum { SAID_NOTHING, SAID_OK, SAID_FAILED } said; /* of it, by the last line that says either */
};

/* Takes in console text, cut anywhere. */
void check_report_feed(struct check_report *report, const char *text);
/* The console is at its end: a test that was begun has failed. */
void check_report_end(struct check_report *report);
/* Every test passed, and the summary agrees with what was seen. */
bool check_report_good(const struct check_report *report);
void check_report_free(struct check_report *report);

#endif
