/* The ELF loader: relocations, arguments, status, and what it must refuse. */
#include "selftest.h"

static int one(void)
{
    return 1;
}

static int two(void)
{
    return 2;
}

/* Each needs a RELATIVE relocation; volatile, so that they are really read. */
static const char *volatile const names[] = {"alpha", "beta", "gamma"};
static int (*volatile const functions[])(void) = {one, two};
static int value = 42;
static int *volatile pointer = &value;
static int untouched[1000];

static const char *test_relocations(void)
{
    EXPECT_TEXT(names[0], "alpha");
    EXPECT_TEXT(names[2], "gamma");
    EXPECT_NUMBER(functions[0]() * 10 + functions[1](), 12);
    EXPECT_NUMBER(*pointer, 42);
    EXPECT(pointer == &value);
    for (size_t i = 0; i < sizeof untouched / sizeof untouched[0]; i++)
        EXPECT_NUMBER(untouched[i], 0);
    return NULL;
}

/* echoargs returns its count of arguments, times 10, plus 1 if they are the expected ones. */
static const char *test_run(void)
{
    char path[] = "/tests/echoargs.so", first[] = "one", second[] = "two words", third[] = "";
    char *argv[] = {path, first, second, third, NULL};
    size_t before = kernel->memory_free();
    int status = -1;

    EXPECT_NUMBER(kernel->run(4, argv, &status), 0);
    EXPECT_NUMBER(status, 41);
    EXPECT_NUMBER(kernel->memory_free(), before);
    /* A second run gets fresh data, wherever the first one stood. */
    EXPECT_NUMBER(kernel->run(4, argv, &status), 0);
    EXPECT_NUMBER(status, 41);
    return NULL;
}

/* Runs the program at path, which is expected to fail; returns the error, or its status. */
static int error_of_run(const char *path)
{
    char name[64], *argv[] = {name, NULL};
    int status, error;

    text_copy(name, path, sizeof name);
    error = kernel->run(1, argv, &status);
    return error ? error : status;
}

static const char *test_run_errors(void)
{
    size_t before = kernel->memory_free();

    EXPECT_NUMBER(error_of_run("/tests/nothing.so"), ERROR_NOT_FOUND);
    EXPECT_NUMBER(error_of_run("/tests/files/note.txt"), ERROR_FORMAT);
    EXPECT_NUMBER(error_of_run("/tests"), ERROR_IS_DIRECTORY);
    EXPECT_NUMBER(error_of_run("/tests/files/empty"), ERROR_FORMAT);
    EXPECT_NUMBER(kernel->memory_free(), before);
    return NULL;
}

static const char *test_facts(void)
{
    EXPECT(kernel->fact("version") && kernel->fact("arch") && kernel->fact("kernel_base"));
    EXPECT(kernel->fact("no such fact") == NULL);
    EXPECT(text_starts(kernel->fact("arguments"), "--rootfs=", NULL));
    return NULL;
}

const struct test program_tests[] = {
    {"relocations", test_relocations},
    {"run", test_run},
    {"run-errors", test_run_errors},
    {"facts", test_facts},
    {NULL, NULL},
};
