/* Staleness from what steps were seen to touch: nothing here is declared and no depfile is written,
 * the trace alone knows. Each test builds, changes one thing, and builds again. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/path.h"
#include "tests/support/tree.h"
#include "trace/trace.h"

static int set_up(void **state)
{
    struct tree *tree = tree_new();
    *state = tree;
    tree_write(tree, "a.c", "a\n");
    tree_write(tree, "inc2/h.h", "second\n");
    tree_write(tree, "inc1/other.h", "other\n");
    tree_write(tree, "list/one", "1\n");
    tree_write(tree, "gen.sh", "echo made > out/side; cat a.c");
    tree_settle();
    /* An include path: the first directory that has the header. */
    tree_rule(
        tree, "out/inc", "a.c",
        "for d in inc1 inc2; do if test -f $d/h.h; then cat $d/h.h; break; fi; done > out/inc");
    tree_rule(tree, "out/names", "a.c", "echo list/* > out/names");
    tree_rule(tree, "out/gen", "a.c", "sh gen.sh > out/gen");
    tree_rule(tree, "out/glob", "out/inc out/names out/gen",
              "cat out/[ing]* > out/glob.tmp; "
              "mv out/glob.tmp out/glob");
    tree_goal(tree, "out/glob");
    assert_int_equal(tree_build(tree), 0);
    assert_string_equal(tree->ran, "out/inc out/names out/gen out/glob");
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
    tree_settle();
    assert_int_equal(tree_build(tree), 0);
    assert_string_equal(tree->ran, "");
}

static void expect_why(struct tree *tree, const char *target, const char *reason, const char *path,
                       const char *was)
{
    assert_int_equal(tree_build(tree), 0);
    const struct event *ready = tree_find_event(tree, EVENT_STEP_READY, target);
    assert_non_null(ready);
    assert_string_equal(ready->reason, reason);
    assert_string_equal(ready->path, path);
    if (was)
        assert_string_equal(ready->was, was);
}

static void an_undeclared_input_counts(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "inc2/h.h", "changed\n");
    tree_settle();
    expect_why(tree, "out/inc", "header", "inc2/h.h", NULL);
    assert_string_equal(tree->ran, "out/inc out/glob");
    expect_ran(tree, "");
}

static void a_file_that_shadows_another_counts(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "inc1/h.h", "first\n");
    tree_settle();
    expect_why(tree, "out/inc", "header", "inc1/h.h", "absent");
    char *text = tree_read(tree, "out/inc");
    assert_string_equal(text, "first\n");
    free(text);
    tree_remove(tree, "inc1/h.h");
    expect_ran(tree, "out/inc out/glob");
}

static void a_name_more_in_a_listing_counts(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "list/two", "2\n");
    tree_settle();
    expect_why(tree, "out/names", "header", "list", NULL);
    char *text = tree_read(tree, "out/names");
    assert_string_equal(text, "list/one list/two\n");
    free(text);
    /* Another content of a name does not: nobody read it. */
    tree_write(tree, "list/two", "22\n");
    tree_settle();
    expect_ran(tree, "");
}

static void a_script_counts_and_its_side_product_is_remade(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "gen.sh", "echo made > out/side; cat a.c a.c");
    tree_settle();
    expect_ran(tree, "out/gen out/glob");
    tree_remove(tree, "out/side");
    expect_ran(tree, "out/gen");
    assert_true(tree_has(tree, "out/side"));
}

static void a_copy_that_keeps_its_time_is_noticed(void **state)
{
    struct tree *tree = *state;
    char *path = path_join(tree->root, "inc2/h.h");
    struct stat before;
    assert_int_equal(stat(path, &before), 0);
    tree_write(tree, "inc2/h.h", "SECOND\n"); /* as long as before */
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(path);
    tree_settle();
    expect_ran(tree, "out/inc out/glob");
}

static void a_variable_that_counts_rebuilds_and_a_terminals_does_not(void **state)
{
    struct tree *tree = *state;
    setenv("TMUX_PANE", "%42", 1);
    setenv("SSH_CONNECTION", "elsewhere", 1);
    expect_ran(tree, "");
    setenv("CPATH", "/nowhere", 1);
    int status = tree_build(tree);
    unsetenv("CPATH");
    assert_int_equal(status, 0);
    assert_string_equal(tree->ran, "out/inc out/names out/gen out/glob");
    const struct event *ready = tree_find_event(tree, EVENT_STEP_READY, "out/gen");
    assert_string_equal(ready->reason, "environment");
}

int main(void)
{
    struct trace_features can = trace_probe();
    if (!can.notify) {
        print_message("no tracing on this machine\n");
        return 0;
    }
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_undeclared_input_counts),
        TEST(a_file_that_shadows_another_counts),
        TEST(a_name_more_in_a_listing_counts),
        TEST(a_script_counts_and_its_side_product_is_remade),
        TEST(a_copy_that_keeps_its_time_is_noticed),
        TEST(a_variable_that_counts_rebuilds_and_a_terminals_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
