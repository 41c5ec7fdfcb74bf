/* What guests' test runners print, ours and OSv's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tui/check_report.h"

/* Reads a console in pieces; "name+name-" of what passed and failed, new. */
static char *read_console(const char *text, bool *good)
{
    struct check_report report = {0};
    struct str out = {0};
    for (; *text; text++)
        check_report_feed(&report, (char[]){*text, '\0'});
    check_report_end(&report);
    for (size_t i = 0; i < report.tests.len; i++)
        str_addf(&out, "%s%c", report.tests.at[i].name, report.tests.at[i].reason ? '-' : '+');
    *good = check_report_good(&report);
    check_report_free(&report);
    return str_take(&out);
}

static void reads(const char *console, const char *wanted, bool wanted_good)
{
    bool good;
    char *is = read_console(console, &good);
    assert_string_equal(is ? is : "", wanted);
    assert_int_equal(good, wanted_good);
    free(is);
}

static void our_own_tests_are_read(void **state)
{
    (void)state;
    reads("boot\nTEST one ok\nTEST two ok\nTESTS passed=2 failed=0\n", "one+two+", true);
    reads("TEST one ok\r\nTEST two FAIL: it is\r\nTESTS passed=1 failed=1\r\n", "one+two-", false);
    reads("TEST one ok\n", "one+", false);
    reads("TEST one ok\nTESTS passed=2 failed=0\n", "one+", false);
}

static void the_tests_of_osv_are_read(void **state)
{
    (void)state;
    reads("Cmdline: /testrunner.so\nrunning /tests/tst-a.so\nwords\nok.\nrunning "
          "/tests/tst-b.so\nok.\n"
          "All tests complete - 0/2 failures\n",
          "tst-a.so+tst-b.so+", true);
    reads("running /tests/tst-a.so\nfailed.\nrunning /tests/tst-b\nok.\n"
          "All tests complete - 1/2 failures\n",
          "tst-a.so-tst-b+", false);
    /* Words of the tests themselves. */
    reads("running /tests/a\nnothing failed.\nok.\nrunning /tests/b\nall ok.\nfailed.\n"
          "All tests complete - 1/2 failures\n",
          "a+b-", false);
    reads("running /tests/a\nhalf a lineok.\nAll tests complete - 0/1 failures\n", "a+", true);
    /* The guest dies in the second one, which had said that all was well. */
    reads("running /tests/a\nok.\nrunning /tests/b\nso far ok.\nAborted\n\n[backtrace]\n", "a+b-",
          false);
    reads("All tests complete - 0/0 failures\n", "", false);
    reads("running /tests/a\nok.\nAll tests complete - 0/2 failures\n", "a+", false);
    reads("ok.\nfailed.\n", "", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_tests_are_read),
        cmocka_unit_test(the_tests_of_osv_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
