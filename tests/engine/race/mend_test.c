/*
 * The edit of a makefile, how a step is run again by itself, and how likely a race shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "race/mend.h"
#include "race/report.h"
#include "race/rerun.h"
#include "race/simulate.h"
#include "tests/support/scratch.h"
#include "trace/trace.h"

static void touch(struct record *record, uint32_t step, const char *name, uint32_t kinds)
{
    struct trace trace = {0};
    const char *path = scratch(name);
    bool makes = kinds & ACCESS_CREATE;
    if (makes)
        assert_int_equal(file_write(path, "x", 1, 0666, NULL), 0);
    vec_push(&trace.accesses,
             (struct access){
                 .path = name_id(path), .kinds = kinds, .found = !makes, .first_ns = clock_ns()});
    record_trace(record, step, &trace);
    vec_free(&trace.accesses);
}

static const char *below = ""; /* prefix of all targets */

/* gen.h is made by step 0; a.o (1) and b.o (2) read it. Recipes stand at the given lines. */
static struct record *build(const char *makefile, uint32_t gen_line, uint32_t object_line)
{
    static const char *const names[] = {"gen.h", "a.o", "b.o"};
    struct record *record = record_new(scratch_dir());
    const char *path = scratch("Makefile");
    assert_int_equal(file_write(path, makefile, strlen(makefile), 0666, NULL), 0);
    record_make(record, 0, ORDER_TOP, 0, ".");
    for (uint32_t step = 0; step < 3; step++) {
        char *name = mem_format("%s%s", below, names[step]);
        record_step(record, &(struct record_spec){.step = step,
                                                  .target = name,
                                                  .goal = name,
                                                  .line_of_command = "cc",
                                                  .file = "Makefile",
                                                  .line = step ? object_line : gen_line});
        free(name);
        record_begin(record, step, 0);
        record_end(record, step, false);
        record->steps.at[step].wall_ns = 1000000;
        touch(record, step, "gen.h", step ? ACCESS_READ : ACCESS_CREATE);
    }
    return record;
}

static void mends_to(const char *makefile, uint32_t gen_line, uint32_t object_line,
                     const char *expected)
{
    struct err err = {0};
    struct record *record = build(makefile, gen_line, object_line);
    const char *state = scratch("state"), *path = scratch("Makefile");
    char *file = NULL;
    assert_int_equal(file_make_dirs(state, NULL), 0);
    assert_int_equal(record_write(record, state, NULL), 0);
    struct race_report report;
    race_report_make(&report, record);
    assert_int_equal(report.findings.len, 1);
    struct mend mend;
    assert_int_equal(race_mend(&report, &report.findings.at[0], &mend, &err), 0);
    assert_non_null(mend.file);
    assert_string_equal(mend.after, expected);
    assert_int_equal(mend_apply(&mend, state, "12345678", &err), 0);
    char *now = file_read(path, NULL, NULL);
    assert_string_equal(now, expected);
    free(now);
    assert_int_equal(mend_apply(&mend, state, "12345678", &err), -1); /* it has changed */
    assert_int_equal(mend_undo(state, "1234", &file, &err), 0);
    now = file_read(path, NULL, NULL);
    assert_string_equal(now, makefile);
    free(now);
    free(file);
    assert_int_equal(mend_undo(state, "1234", &file, &err), -1);
    mend_free(&mend);
    race_report_free(&report);
    record_free(record);
}

static void the_edge_stands_behind_the_readers_rule(void **state)
{
    (void)state;
    mends_to("all: a.o b.o gen.h\n%.o: %.c\n\tcc -c $<\n\t# done\ngen.h:\n\ttouch $@\n", 6, 3,
             "all: a.o b.o gen.h\n%.o: %.c\n\tcc -c $<\n\t# done\n\na.o b.o: gen.h\n\n"
             "gen.h:\n\ttouch $@\n");
}

static void recipes_of_all_prerequisites_get_an_order_alone(void **state)
{
    (void)state;
    mends_to("%.o: %.c\n\tcc -c \\\n\t  $^\n\ngen.h: ; touch $@\n", 5, 2,
             "%.o: %.c\n\tcc -c \\\n\t  $^\n\na.o b.o: | gen.h\n\ngen.h: ; touch $@\n");
}

static void names_are_said_as_the_rule_says_them(void **state)
{
    (void)state;
    below = "b/x/";
    mends_to("o = b/x\n$(o)/gen.h:\n\ttouch $@\n$(o)/a.o $(o)/b.o: a.c\n\tcc $<\n", 3, 5,
             "o = b/x\n$(o)/gen.h:\n\ttouch $@\n$(o)/a.o $(o)/b.o: a.c\n\tcc $<\n\n"
             "$(o)/a.o $(o)/b.o: $(o)/gen.h\n");
    mends_to("o = b/x\n$(o)/gen.h:\n\ttouch $@\n$(o)/%.o: %.c\n\tcc $<\n", 3, 5,
             "o = b/x\n$(o)/gen.h:\n\ttouch $@\n$(o)/%.o: %.c\n\tcc $<\n\n"
             "b/x/a.o b/x/b.o: b/x/gen.h\n");
    /* What "$(o)" is of a pattern's target is told by the source that is there. */
    assert_int_equal(file_write(scratch("a.c"), "", 0, 0666, NULL), 0);
    assert_int_equal(file_make_dirs(scratch("x"), NULL), 0);
    assert_int_equal(file_write(scratch("x/a.s"), "", 0, 0666, NULL), 0);
    mends_to("o = b/x\n$(o)/gen.h:\n\ttouch $@\n$(o)/%.o: %.c\n\tcc $<\n", 3, 5,
             "o = b/x\n$(o)/gen.h:\n\ttouch $@\n$(o)/%.o: %.c\n\tcc $<\n\n"
             "$(o)/a.o $(o)/b.o: $(o)/gen.h\n");
    mends_to("o = b\n$(o)/x/gen.h:\n\ttouch $@\n$(o)/%.o: %.s gen | all\n\tcc $<\n", 3, 5,
             "o = b\n$(o)/x/gen.h:\n\ttouch $@\n$(o)/%.o: %.s gen | all\n\tcc $<\n\n"
             "$(o)/x/a.o $(o)/x/b.o: $(o)/x/gen.h\n");
    remove(scratch("a.c"));
    below = "";
}

/* make refuses a target with both : and :: rules. */
static void double_colon_rules_are_left_alone(void **state)
{
    (void)state;
    struct err err = {0};
    struct record *record = build("gen.h:\n\ttouch $@\na.o b.o:: a.c\n\tcc $<\n", 2, 4);
    record_settle(record);
    struct race_report report;
    race_report_make(&report, record);
    struct mend mend;
    assert_int_equal(race_mend(&report, &report.findings.at[0], &mend, &err), 0);
    assert_null(mend.file);
    assert_non_null(strstr(str_text(&mend.advice), "double-colon"));
    mend_free(&mend);
    race_report_free(&report);
    record_free(record);
}

static void line_ends_stay_as_they_are(void **state)
{
    (void)state;
    mends_to("%.o: %.c\r\n\tcc -c $<\r\ngen.h:\r\n\ttouch $@\r\n", 4, 2,
             "%.o: %.c\r\n\tcc -c $<\r\n\r\na.o b.o: gen.h\r\n\r\ngen.h:\r\n\ttouch $@\r\n");
}

static void a_file_without_its_last_newline_is_mended_too(void **state)
{
    (void)state;
    mends_to("gen.h:\n\ttouch $@\n%.o: %.c\n\tcc -c $<", 2, 4,
             "gen.h:\n\ttouch $@\n%.o: %.c\n\tcc -c $<\n\na.o b.o: gen.h\n");
}

static void a_make_is_run_again_without_goals_and_jobs(void **state)
{
    (void)state;
    static const char words[] = "/usr/bin/make\0-j4\0-C\0sub\0-f\0x.mk\0V=a b\0-k\0all\0-j\0008";
    static const char environment[] = "MAKEFLAGS=w -j4 --jobserver-auth=3,4 -- V=a\\ b W=1\0"
                                      "GANTRY_STEP=1.2\0MINE_ALONE=it's";
    struct str command = {0}, variables = {0};
    rerun_words(words, sizeof words, environment, sizeof environment, &command, &variables);
    assert_string_equal(str_text(&command), "make -f x.mk 'V=a b' -k W=1");
    assert_string_equal(str_text(&variables), "MINE_ALONE='it'\\''s'");
    str_free(&command);
    str_free(&variables);
}

static void one_job_is_told_by_a_makes_words(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        size_t length;
        bool one;
    } makes[] = {
#define WORDS(text, one) {text, sizeof text, one}
        WORDS("make\0all", false),         WORDS("make\0-j1\0all", true),
        WORDS("make\0-j\0001\0all", true), WORDS("make\0-j\0all", false),
        WORDS("make\0-j16", false),        WORDS("make\0--jobs=1", true),
        WORDS("make\0-j1\0-j4", false),    WORDS("make\0-j4\0-j\0001", true),
    };
    for (size_t i = 0; i < sizeof makes / sizeof *makes; i++)
        assert_int_equal(rerun_asks_one_job(makes[i].words, makes[i].length), makes[i].one);
}

static void a_race_shows_where_lanes_allow_it(void **state)
{
    (void)state;
    struct record *record = build("%.o:\n\tcc\ngen.h:\n\tcc\n", 4, 2);
    struct race_report report;
    race_report_make(&report, record);
    const struct report_finding *finding = &report.findings.at[0];
    assert_true(race_likelihood(&report, finding, 1, 200) == 0); /* in the order of the record */
    assert_true(race_likelihood(&report, finding, 2, 200) == 1); /* side by side from the start */
    race_report_free(&report);
    record_needs(record, 1, (const uint32_t[]){2}, 1); /* a.o after b.o, that is as long as gen.h */
    race_report_make(&report, record);
    struct report_finding late = report.findings.at[0];
    late.first = 0;
    late.second = 1;
    double some = race_likelihood(&report, &late, 2, 400);
    assert_true(some > 0.2 && some < 0.8);
    race_report_free(&report);
    record_free(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_edge_stands_behind_the_readers_rule),
        cmocka_unit_test(recipes_of_all_prerequisites_get_an_order_alone),
        cmocka_unit_test(names_are_said_as_the_rule_says_them),
        cmocka_unit_test(double_colon_rules_are_left_alone),
        cmocka_unit_test(line_ends_stay_as_they_are),
        cmocka_unit_test(a_file_without_its_last_newline_is_mended_too),
        cmocka_unit_test(a_make_is_run_again_without_goals_and_jobs),
        cmocka_unit_test(one_job_is_told_by_a_makes_words),
        cmocka_unit_test(a_race_shows_where_lanes_allow_it),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
