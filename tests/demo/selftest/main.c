/* selftest [PREFIX...]: runs the tests whose names begin with a prefix; all, without one. */
#include "selftest.h"

static char reason[256];

const char *failure(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_list(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return reason;
}

static bool wanted(const struct test *test, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (text_starts(test->name, argv[i], NULL))
            return true;
    return argc == 1;
}

int program_main(int argc, char **argv)
{
    const struct test *const tables[] = {library_tests, memory_tests, file_tests, disk_tests,
                                         program_tests};
    unsigned passed = 0, failed = 0;

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        for (const struct test *test = tables[i]; test->name; test++) {
            if (!wanted(test, argc, argv))
                continue;
            const char *wrong = test->run();

            if (wrong) {
                print("TEST %s FAIL: %s\n", test->name, wrong);
                failed++;
            } else {
                print("TEST %s ok\n", test->name);
                passed++;
            }
        }
    print("TESTS passed=%u failed=%u\n", passed, failed);
    return failed ? 1 : 0;
}
