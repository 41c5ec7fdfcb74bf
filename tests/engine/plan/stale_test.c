/* Staleness: what makes a step run again, and what does not. Each test builds, changes one thing,
 * and builds again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/path.h"
#include "tests/support/tree.h"

/* A compiler: drops comments, follows one level of #include, writes a depfile. */
#define COMPILE(name)                                                                              \
    "grep -hv '^//' " name ".c $(sed -n 's/#include //p' " name                                    \
    ".c) | grep -v '#include' > out/" name ".o; echo out/" name ".o: " name                        \
    ".c $(sed -n 's/#include //p' " name ".c) > out/" name ".d"

static void declare(struct tree *tree, const char *flags)
{
    tree_forget_rules(tree);
    char link[200];
    snprintf(link, sizeof link, "cat %s out/a.o out/b.o > out/app", flags);
    tree_rule_dep(tree, "out/a.o", "a.c | out/gen.h", "out/a.d", COMPILE("a"));
    tree_rule_dep(tree, "out/b.o", "b.c | out/gen.h", "out/b.d", COMPILE("b"));
    tree_rule(tree, "out/gen.h", "gen.in", "grep -v '^//' gen.in > out/gen.h");
    tree_rule(tree, "out/app", "out/a.o out/b.o", link);
}

/* A tree that is built and fresh. */
static int set_up(void **state)
{
    struct tree *tree = tree_new();
    *state = tree;
    tree_write(tree, "a.c", "#include h.h\n#include out/gen.h\nint a;\n");
    tree_write(tree, "b.c", "int b;\n");
    tree_write(tree, "h.h", "// comment\nint h;\n");
    tree_write(tree, "gen.in", "int gen;\n");
    tree_settle();
    declare(tree, "");
    assert_int_equal(tree_build(tree), 0);
    assert_string_equal(tree->ran, "out/a.o out/b.o out/gen.h out/app");
    assert_int_equal(tree_build(tree), 0);
    assert_string_equal(tree->ran, "");
    tree_settle();
    return 0;
}

static int tear_down(void **state)
{
    tree_free(*state);
    return 0;
}

static void expect_ran(struct tree *tree, const char *ran)
{
    assert_int_equal(tree_build(tree), 0);
    assert_string_equal(tree->ran, ran);
}

static void expect_why(struct tree *tree, const char *target, const char *reason, const char *path)
{
    const struct event *ready = tree_find_event(tree, EVENT_STEP_READY, target);
    assert_non_null(ready);
    assert_string_equal(ready->reason, reason);
    if (path)
        assert_string_equal(ready->path, path);
}

static void a_changed_source_rebuilds_its_users(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "b.c", "int b2;\n");
    tree_settle();
    expect_ran(tree, "out/b.o out/app");
    expect_why(tree, "out/b.o", "input", "b.c");
    expect_why(tree, "out/app", "input", "out/b.o");
    expect_ran(tree, "");
}

static void a_changed_header_rebuilds_those_that_read_it(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "h.h", "int h2;\n");
    tree_settle();
    expect_ran(tree, "out/a.o out/app");
    expect_why(tree, "out/a.o", "header", "h.h");
    expect_ran(tree, "");
}

static void a_changed_comment_stops_at_the_object(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "h.h", "// another comment\nint h;\n");
    tree_settle();
    expect_ran(tree, "out/a.o");
    assert_int_equal(tree_find_event(tree, EVENT_STEP_END, "out/a.o")->outcome, OUTCOME_UNCHANGED);
    assert_int_equal(tree->end.steps_unchanged, 1);
    expect_ran(tree, "");
}

static void a_changed_comment_in_a_generators_input_stops_at_the_header(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "gen.in", "// new\nint gen;\n");
    tree_settle();
    expect_ran(tree, "out/gen.h");
    tree_write(tree, "gen.in", "int gen2;\n");
    tree_settle();
    expect_ran(tree, "out/a.o out/gen.h out/app");
    expect_why(tree, "out/a.o", "header", "out/gen.h");
    expect_ran(tree, "");
}

static void another_command_rebuilds_one_step(void **state)
{
    struct tree *tree = *state;
    declare(tree, "-u");
    expect_ran(tree, "out/app");
    expect_why(tree, "out/app", "command", NULL);
    const struct event *ready = tree_find_event(tree, EVENT_STEP_READY, "out/app");
    assert_string_equal(ready->was, "");
    assert_string_equal(ready->now, "-u");
    expect_ran(tree, "");
}

static void an_output_that_went_or_was_changed_is_made_again(void **state)
{
    struct tree *tree = *state;
    tree_remove(tree, "out/b.o");
    expect_ran(tree, "out/b.o");
    expect_why(tree, "out/b.o", "output", "out/b.o");
    assert_string_equal(tree_find_event(tree, EVENT_STEP_READY, "out/b.o")->now, "absent");
    tree_write(tree, "out/b.o", "somebody else's");
    expect_ran(tree, "out/b.o");
    expect_ran(tree, "");
}

static void a_touched_file_rebuilds_nothing(void **state)
{
    struct tree *tree = *state;
    static const char *const files[] = {"a.c", "h.h", "out/app", "out/a.o", "out/gen.h"};
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = path_join(tree->root, files[i]);
        assert_int_equal(utimensat(-1, path, NULL, 0), 0);
        free(path);
    }
    expect_ran(tree, "");
}

static void a_change_that_is_taken_back_rebuilds_nothing(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "b.c", "int c;\n");
    tree_write(tree, "b.c", "int b;\n");
    expect_ran(tree, "");
    /* Also after a build that failed with the change in. */
    tree_write(tree, "h.h", "int h2;\n");
    tree_forget_rules(tree);
    tree_rule_dep(tree, "out/a.o", "a.c | out/gen.h", "out/a.d", "exit 1");
    tree_rule(tree, "out/gen.h", "gen.in", "grep -v '^//' gen.in > out/gen.h");
    tree_goal(tree, "out/a.o");
    assert_int_equal(tree_build(tree), 1);
    tree_write(tree, "h.h", "// comment\nint h;\n");
    tree_settle();
    declare(tree, "");
    expect_ran(tree, "out/a.o");
    assert_int_equal(tree_find_event(tree, EVENT_STEP_END, "out/a.o")->outcome, OUTCOME_UNCHANGED);
}

static void an_input_more_or_less_rebuilds(void **state)
{
    struct tree *tree = *state;
    declare(tree, "");
    tree_rule(tree, "out/both", "a.c b.c", "cat a.c b.c > out/both");
    expect_ran(tree, "out/both");
    declare(tree, "");
    tree_rule(tree, "out/both", "a.c", "cat a.c b.c > out/both");
    expect_ran(tree, "out/both");
    expect_why(tree, "out/both", "input", "b.c");
    assert_string_equal(tree_find_event(tree, EVENT_STEP_READY, "out/both")->now, "not an input");
}

static void order_only_prerequisites_order_and_no_more(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "gen.in", "int gen2;\n");
    tree_settle();
    expect_ran(tree, "out/a.o out/gen.h out/app"); /* not b.o, which is ordered after gen.h too */
}

static void an_include_that_went_is_read_no_more(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "a.c", "int a;\n");
    tree_settle();
    expect_ran(tree, "out/a.o out/app");
    tree_remove(tree, "h.h");
    expect_ran(tree, "");
}

static void a_source_that_is_saved_during_its_compile_is_compiled_again(void **state)
{
    struct tree *tree = *state;
    declare(tree, "");
    tree_rule(tree, "out/slow", "b.c", "cat b.c > out/slow; sleep 0.05; echo 'int late;' > b.c");
    assert_int_equal(tree_build(tree), 0);
    tree_forget_rules(tree);
    tree_rule(tree, "out/slow", "b.c", "cat b.c > out/slow; sleep 0.05; echo 'int late;' > b.c");
    tree_settle();
    expect_ran(tree, "out/slow");
    expect_why(tree, "out/slow", "input", "b.c");
    assert_string_equal(tree_find_event(tree, EVENT_STEP_READY, "out/slow")->was,
                        "changed while it was read");
}

static void a_header_that_is_saved_during_the_compile_counts_too(void **state)
{
    struct tree *tree = *state;
    tree_forget_rules(tree);
    tree_rule_dep(tree, "out/slow", "b.c", "out/slow.d",
                  "cat h.h > out/slow; echo 'int late;' > h.h; echo x: b.c h.h > out/slow.d");
    expect_ran(tree, "out/slow");
    tree_settle();
    expect_ran(tree, "out/slow");
    expect_why(tree, "out/slow", "header", "h.h");
}

static void a_header_made_by_a_step_is_waited_for_once_known(void **state)
{
    struct tree *tree = *state;
    tree_forget_rules(tree);
    /* No edge is declared from c.o to late.h; the depfile of the first build tells it. */
    tree_rule(tree, "out/late.h", "gen.in", "sleep 0.1; cp gen.in out/late.h");
    tree_rule_dep(tree, "out/c.o", "b.c", "out/c.d",
                  "cat out/late.h > out/c.o; echo x: out/late.h > out/c.d");
    tree_goal(tree, "out/late.h");
    assert_int_equal(tree_build(tree), 0);
    tree_goal(tree, "out/c.o");
    expect_ran(tree, "out/c.o");
    tree_write(tree, "gen.in", "int changed;\n");
    tree_settle();
    expect_ran(tree, "out/late.h out/c.o");
    char *object = tree_read(tree, "out/c.o");
    assert_string_equal(object, "int changed;\n");
    free(object);
}

static void order_by_headers_that_goes_in_circles_is_dropped(void **state)
{
    struct tree *tree = *state;
    tree_forget_rules(tree);
    tree_rule_dep(tree, "out/x", "b.c", "out/x.d", "touch out/x; echo x: out/y > out/x.d");
    tree_rule(tree, "out/y", "out/x", "touch out/y");
    assert_int_equal(tree_build(tree), 0);
    tree_write(tree, "b.c", "int again;\n");
    tree_settle();
    expect_ran(tree, "out/x");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_changed_source_rebuilds_its_users),
        TEST(a_changed_header_rebuilds_those_that_read_it),
        TEST(a_changed_comment_stops_at_the_object),
        TEST(a_changed_comment_in_a_generators_input_stops_at_the_header),
        TEST(another_command_rebuilds_one_step),
        TEST(an_output_that_went_or_was_changed_is_made_again),
        TEST(a_touched_file_rebuilds_nothing),
        TEST(a_change_that_is_taken_back_rebuilds_nothing),
        TEST(an_input_more_or_less_rebuilds),
        TEST(order_only_prerequisites_order_and_no_more),
        TEST(an_include_that_went_is_read_no_more),
        TEST(a_source_that_is_saved_during_its_compile_is_compiled_again),
        TEST(a_header_that_is_saved_during_the_compile_counts_too),
        TEST(a_header_made_by_a_step_is_waited_for_once_known),
        TEST(order_by_headers_that_goes_in_circles_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
