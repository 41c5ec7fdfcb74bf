/* Log files as lines: a log of 100 MB is read where it is looked at, and searched in place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/re.h"
#include "tests/support/scratch.h"
#include "tui/logs.h"

enum { LINES = 1200000, LINE_BYTES = 84 }; /* 100.8 MB */

static struct model model;

static void write_line(FILE *file, unsigned line)
{
    fprintf(file, "%08u src/dir%u/file.c: a line of what a long step prints while it works%*s\n",
            line, line % 7, 13, "");
}

static int make(void **state)
{
    scratch_make(state);
    FILE *file = fopen(scratch("long.log"), "w");
    assert_non_null(file);
    for (unsigned line = 0; line < LINES; line++)
        write_line(file, line);
    assert_int_equal(fclose(file), 0);
    model_init(&model);
    model_event(&model, &(struct event){.kind = EVENT_BUILD_BEGIN, .lanes = 1});
    model_event(&model, &(struct event){.kind = EVENT_STEP_ADD, .step = 7, .target = "long"});
    model_event(&model, &(struct event){.kind = EVENT_STEP_OUTPUT,
                                        .step = 7,
                                        .path = scratch("long.log"),
                                        .length = (uint64_t)LINES * LINE_BYTES});
    return 0;
}

static int clean(void **state)
{
    model_free(&model);
    return scratch_remove(state);
}

static void expect_line(struct log_view *log, uint64_t line)
{
    size_t length;
    const char *text = log_view_line(log, line, &length);
    assert_int_equal(strtoul(text, NULL, 10), line);
    assert_int_equal(length, strlen(text));
}

static void a_log_of_100_mb_is_read_where_it_is_looked_at(void **state)
{
    (void)state;
    struct logs *logs = logs_new(scratch_dir());
    struct log_view *log = logs_get(logs, &model, 7);
    assert_non_null(log);
    unsigned calls = 0;
    uint64_t lines = log_view_lines(log);
    assert_true(lines < LINES); /* a call does a bounded amount of work: frames go on */
    for (; lines < LINES && calls < 100; calls++)
        lines = log_view_lines(log);
    assert_int_equal(lines, LINES);
    for (unsigned i = 0; i < 2000; i++) /* pages anywhere */
        expect_line(log, (uint64_t)i * 599999 % LINES);
    expect_line(log, LINES - 1);
    expect_line(log, 0);
    FILE *file = fopen(scratch("long.log"), "a"); /* it grows: what follows is found */
    write_line(file, LINES);
    fclose(file);
    assert_int_equal(log_view_lines(log), LINES + 1);
    expect_line(log, LINES);
    logs_free(logs);
}

static void a_long_log_is_searched_from_end_to_end(void **state)
{
    (void)state;
    struct err err = {0};
    struct logs *logs = logs_new(scratch_dir());
    struct log_view *log = logs_get(logs, &model, 7);
    uint64_t lines = 0, found = UINT64_MAX;
    for (unsigned calls = 0; lines < LINES && calls < 100; calls++)
        lines = log_view_lines(log);
    struct re *re = re_compile("^01199[0-9]{3} .*dir6", RE_SMART_CASE, &err);
    for (uint64_t line = 0; line < lines && found == UINT64_MAX; line++) {
        size_t length;
        const char *text = log_view_line(log, line, &length);
        if (re_find(re, text, length, 0, NULL))
            found = line;
    }
    assert_int_equal(found, 1199001);
    re_free(re);
    logs_free(logs);
}

/* Bytes that this process has read by now; 0 where that is not told. */
static uint64_t bytes_read(void)
{
    char line[64];
    unsigned long long bytes = 0;
    FILE *file = fopen("/proc/self/io", "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "rchar: %llu", &bytes);
    if (file)
        fclose(file);
    return bytes;
}

/* A search upwards reads the file about once, too. */
static void a_long_log_is_read_backwards(void **state)
{
    (void)state;
    struct logs *logs = logs_new(scratch_dir());
    struct log_view *log = logs_get(logs, &model, 7);
    uint64_t lines = 0;
    for (unsigned calls = 0; lines < LINES && calls < 100; calls++)
        lines = log_view_lines(log);
    uint64_t before = bytes_read();
    for (uint64_t line = LINES; line-- > 0;)
        expect_line(log, line);
    assert_true(bytes_read() - before < (uint64_t)LINES * LINE_BYTES * 2);
    logs_free(logs);
}

/* The whole build's log has every step's, also where one call does not come to their end; so that who
 * shows it goes on, it is told that there is more. */
static void the_log_of_a_whole_build_is_read_to_its_end(void **state)
{
    (void)state;
    enum { STEPS = 700 };
    struct model whole;
    char name[64];
    model_init(&whole);
    model_event(&whole, &(struct event){.kind = EVENT_BUILD_BEGIN, .lanes = 1});
    for (uint32_t step = 0; step <= STEPS; step++) {
        snprintf(name, sizeof name, "step%u.log", step);
        if (step != STEPS)
            scratch_text(name, "one line\nand one more\n");
        model_event(&whole, &(struct event){.kind = EVENT_STEP_ADD, .step = step, .target = name});
        model_event(&whole, &(struct event){.kind = EVENT_STEP_OUTPUT,
                                            .step = step,
                                            .path = scratch(step == STEPS ? "long.log" : name),
                                            .length = 10});
        model_event(&whole, &(struct event){.kind = EVENT_STEP_END, .step = step});
    }
    struct logs *logs = logs_new(scratch_dir());
    struct log_view *log = logs_get(logs, &whole, EVENT_NONE), *one = logs_get(logs, &whole, STEPS);
    size_t length, calls = 1;
    uint64_t lines = log_view_lines(log);
    assert_true(log_view_grows(log));
    for (; log_view_grows(log) && calls < 1000; calls++)
        lines = log_view_lines(log);
    assert_false(log_view_grows(log) || log_view_grows(one));
    assert_true(calls > 3);
    assert_true(lines >= STEPS * 3 + 1 + LINES); /* another test may have added to it */
    assert_string_equal(log_view_line(log, 3 * (STEPS - 1) + 2, &length), "and one more");
    logs_free(logs);
    model_free(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_of_100_mb_is_read_where_it_is_looked_at),
        cmocka_unit_test(a_long_log_is_searched_from_end_to_end),
        cmocka_unit_test(a_long_log_is_read_backwards),
        cmocka_unit_test(the_log_of_a_whole_build_is_read_to_its_end),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
