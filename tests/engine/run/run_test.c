/* Builds of graphs made by hand: what runs, in which order, what is told, what stays behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/tree.h"

static int set_up(void **state)
{
    *state = tree_new();
    return 0;
}

static int tear_down(void **state)
{
    tree_free(*state);
    return 0;
}

/* a.o and b.o from sources, app from both. */
static void declare_app(struct tree *tree)
{
    tree_write(tree, "a.c", "int a;\n");
    tree_write(tree, "b.c", "int b;\n");
    tree_rule(tree, "out/a.o", "a.c", "cp a.c out/a.o");
    tree_rule(tree, "out/b.o", "b.c", "cp b.c out/b.o");
    tree_rule(tree, "out/app", "out/a.o out/b.o", "cat out/a.o out/b.o > out/app");
}

static void what_is_new_is_built_in_order_and_then_fresh(void **state)
{
    struct tree *tree = *state;
    declare_app(tree);
    assert_int_equal(tree_build(tree), 0);
    assert_string_equal(tree->ran, "out/a.o out/b.o out/app");
    char *app = tree_read(tree, "out/app");
    assert_string_equal(app, "int a;\nint b;\n");
    free(app);
    assert_int_equal(tree_build(tree), 0);
    assert_string_equal(tree->ran, "");
    assert_int_equal(tree->end.steps_total, 3);
}

static void a_failing_step_stops_the_build_and_leaves_nothing_half_made(void **state)
{
    struct tree *tree = *state;
    declare_app(tree);
    tree_rule(tree, "out/bad", "a.c", "echo half > out/bad; echo no good >&2; exit 3");
    tree_rule(tree, "out/all", "out/bad out/app", "touch out/all");
    assert_int_equal(tree_build(tree), 1);
    assert_false(tree_has(tree, "out/bad"));
    assert_false(tree_has(tree, "out/all"));
    assert_int_equal(tree->end.status, BUILD_FAILED);
    assert_int_equal(tree->end.steps_failed, 1);
    const struct event *end = tree_find_event(tree, EVENT_STEP_END, "out/bad");
    assert_int_equal(end->outcome, OUTCOME_FAILED);
    assert_int_equal(end->exit, 3);
    assert_int_equal(tree->end.exit, 1);
    char *log = tree_read(tree, "out/.gantry/log/bad.log");
    assert_string_equal(log, "no good\n");
    free(log);
}

static void with_k_all_that_can_be_built_is_built(void **state)
{
    struct tree *tree = *state;
    tree->options.lanes = 1;
    tree->options.keep_going = true;
    declare_app(tree);
    tree_rule(tree, "out/bad", "a.c", "exit 3");
    tree_rule(tree, "out/after", "out/bad", "touch out/after");
    tree_rule(tree, "out/all", "out/after out/app", "touch out/all");
    assert_int_equal(tree_build(tree), 1);
    assert_true(tree_has(tree, "out/app"));
    assert_false(tree_has(tree, "out/after"));
    assert_int_equal(tree->end.steps_failed, 1);
    assert_int_equal(tree->end.steps_run, 4);
}

static void with_n_nothing_is_run_and_all_is_told(void **state)
{
    struct tree *tree = *state;
    tree->options.dry_run = true;
    declare_app(tree);
    assert_int_equal(tree_build(tree), 0);
    assert_string_equal(tree->ran, "");
    assert_false(tree_has(tree, "out/a.o"));
    const struct event *ready = tree_find_event(tree, EVENT_STEP_READY, "out/app");
    assert_string_equal(ready->reason, "new");
}

static void outputs_are_kept_apart_and_diagnostics_found(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "a.c", "");
    for (char name[] = "out/0"; name[4] < '8'; name[4]++) {
        char command[200];
        snprintf(command, sizeof command,
                 "i=0; while [ $i -lt 50 ]; do echo %c:$i; i=$((i+1)); done; "
                 "echo 'k/a.c:12:3: warning: odd %c' >&2; touch %s",
                 name[4], name[4], name);
        tree_rule(tree, name, "a.c", command);
    }
    tree_rule(tree, "out/all", "out/0 out/1 out/2 out/3 out/4 out/5 out/6 out/7", "touch out/all");
    tree->options.lanes = 8;
    assert_int_equal(tree_build(tree), 0);
    for (char name[] = "out/.gantry/log/0.log"; name[16] < '8'; name[16]++) {
        char *log = tree_read(tree, name);
        char line[40];
        const char *at = log;
        for (unsigned i = 0; i < 50; i++) {
            snprintf(line, sizeof line, "%c:%u\n", name[16], i);
            assert_memory_equal(at, line, strlen(line));
            at += strlen(line);
        }
        snprintf(line, sizeof line, "k/a.c:12:3: warning: odd %c\n", name[16]);
        assert_string_equal(at, line);
        free(log);
    }
    assert_int_equal(tree_count_events(tree, EVENT_DIAGNOSTIC), 8);
    const struct event *found = tree_find_event(tree, EVENT_DIAGNOSTIC, NULL);
    assert_string_equal(found->path, "k/a.c");
    assert_int_equal(found->line, 12);
    assert_int_equal(found->severity, SEVERITY_WARNING);
}

static void many_short_steps_run_on_eight_lanes(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "src", "x");
    struct str all = {0};
    for (unsigned i = 0; i < 200; i++) {
        char name[32], command[64];
        snprintf(name, sizeof name, "out/f%u", i);
        snprintf(command, sizeof command, "echo %u > %s", i, name);
        tree_rule(tree, name, "src", command);
        str_addf(&all, "%s%s", i ? " " : "", name);
    }
    tree_rule(tree, "out/sum", str_text(&all), "cat out/f* | wc -l > out/sum");
    str_free(&all);
    tree->options.lanes = 8;
    assert_int_equal(tree_build(tree), 0);
    char *sum = tree_read(tree, "out/sum");
    assert_string_equal(sum, "200\n");
    free(sum);
    assert_int_equal(tree->end.steps_run, 201);
    assert_int_equal(tree_build(tree), 0);
    assert_int_equal(tree->end.steps_run, 0);
}

static void unknown_targets_are_told_with_the_nearest(void **state)
{
    struct tree *tree = *state;
    declare_app(tree);
    tree_goal(tree, "ap");
    assert_int_equal(tree_build(tree), 2);
    assert_string_equal(tree_find_event(tree, EVENT_MESSAGE, NULL)->text,
                        "nothing makes 'ap'; did you mean app?");
    tree_goal(tree, "app");
    assert_int_equal(tree_build(tree), 0);
    tree_goal(tree, "a.c");
    assert_int_equal(tree_build(tree), 2);
}

static void what_cannot_be_started_says_so_in_its_log(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "a.c", "");
    static const char *const argv[] = {"no-such-compiler", "a.c", NULL};
    tree_argv(tree, "out/x", "a.c", argv);
    assert_int_equal(tree_build(tree), 1);
    char *log = tree_read(tree, "out/.gantry/log/x.log");
    assert_string_equal(log, "gantry: cannot run no-such-compiler: No such file or directory\n");
    free(log);
    assert_int_equal(tree_find_event(tree, EVENT_STEP_END, "out/x")->exit, 127);
}

/* Nor is it taken for untraced, although what fails comes before a step is traced. */
static void a_directory_that_is_missing_is_told(void **state)
{
    struct tree *tree = *state;
    tree_write(tree, "a.c", "");
    step_id step = tree_rule(tree, "out/x", "a.c", "true");
    tree->graph.steps.at[step].dir = "nowhere";
    assert_int_equal(tree_build(tree), 1);
    char *log = tree_read(tree, "out/.gantry/log/x.log"), expected[200];
    snprintf(expected, sizeof expected,
             "gantry: cannot run %s/nowhere: No such file or directory\n", tree->root);
    assert_string_equal(log, expected);
    free(log);
    assert_true(tree_find_event(tree, EVENT_STEP_END, "out/x")->traced);
}

static void a_missing_source_and_a_missing_output_fail_in_words(void **state)
{
    struct tree *tree = *state;
    tree_rule(tree, "out/x", "gone.c", "touch out/x");
    assert_int_equal(tree_build(tree), 1);
    char *log = tree_read(tree, "out/.gantry/log/x.log");
    assert_non_null(strstr(log, "out/x needs gone.c, which is not there"));
    free(log);
    tree_write(tree, "gone.c", "");
    tree_rule(tree, "out/y", "gone.c", "true");
    assert_int_equal(tree_build(tree), 1);
    log = tree_read(tree, "out/.gantry/log/y.log");
    assert_non_null(strstr(log, "did not make out/y"));
    free(log);
}

static void steps_have_no_terminal_and_no_make_above_them(void **state)
{
    struct tree *tree = *state;
    setenv("MAKEFLAGS", "-j --jobserver-auth=88,89", 1);
    tree_write(tree, "a.c", "");
    tree_rule(tree, "out/x", "a.c",
              "cat > out/x; echo \"[$MAKEFLAGS]\" >> out/x; kill -0 -$$ && echo group >> out/x");
    assert_int_equal(tree_build(tree), 0);
    unsetenv("MAKEFLAGS");
    char *x = tree_read(tree, "out/x");
    assert_string_equal(x, "[]\ngroup\n");
    free(x);
}

static void a_make_below_shares_the_jobs(void **state)
{
    struct tree *tree = *state;
    tree->options.lanes = 3;
    tree_write(tree, "sub.mk", "all: ; @echo '$(MAKEFLAGS)' > out/flags\n");
    tree_rule(tree, "out/flags", "sub.mk", "make -s -f sub.mk");
    assert_int_equal(tree_build(tree), 0);
    char *flags = tree_read(tree, "out/flags");
    assert_non_null(strstr(flags, "-j3 --jobserver-auth="));
    free(flags);
    assert_int_equal(tree_count_events(tree, EVENT_DIAGNOSTIC), 0);
}

/* What runs longer than a second is looked at, with all its processes. */
static void the_meter_tells_what_a_lane_takes(void **state)
{
    struct tree *tree = *state;
    tree->options.metered = true;
    tree_write(tree, "a.c", "");
    tree_rule(tree, "out/short", "a.c", "touch out/short");
    tree_rule(tree, "out/long", "out/short",
              "timeout 2.5 sh -c 'sh -c \"while :; do :; done\"'; touch out/long");
    assert_int_equal(tree_build(tree), 0);
    uint64_t cpu_ns = 0, rss_kib = 0;
    for (size_t i = 0; i < tree->events.len; i++) {
        const struct event *event = tree->events.at[i];
        if (event->kind != EVENT_LANE || !event->rss_kib)
            continue;
        assert_string_equal(event->state, "running");
        assert_int_equal(event->step, tree_find_event(tree, EVENT_STEP_END, "out/long")->step);
        assert_true(event->cpu_ns >= cpu_ns);
        cpu_ns = event->cpu_ns;
        rss_kib = event->rss_kib;
    }
    assert_true(cpu_ns > 10000000); /* the innermost shell's: however busy the machine is */
    assert_true(rss_kib > 500);
    tree->options.metered = false; /* nobody asked: nothing is told */
    tree_remove(tree, "out/long");
    assert_int_equal(tree_build(tree), 0);
    for (size_t i = 0; i < tree->events.len; i++)
        assert_true(tree->events.at[i]->kind != EVENT_LANE || !tree->events.at[i]->rss_kib);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_new_is_built_in_order_and_then_fresh),
        TEST(a_failing_step_stops_the_build_and_leaves_nothing_half_made),
        TEST(with_k_all_that_can_be_built_is_built),
        TEST(with_n_nothing_is_run_and_all_is_told),
        TEST(outputs_are_kept_apart_and_diagnostics_found),
        TEST(many_short_steps_run_on_eight_lanes),
        TEST(unknown_targets_are_told_with_the_nearest),
        TEST(what_cannot_be_started_says_so_in_its_log),
        TEST(a_directory_that_is_missing_is_told),
        TEST(a_missing_source_and_a_missing_output_fail_in_words),
        TEST(steps_have_no_terminal_and_no_make_above_them),
        TEST(a_make_below_shares_the_jobs),
        TEST(the_meter_tells_what_a_lane_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
