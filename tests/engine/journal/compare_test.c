/* Two recorded builds: what differs first, why, and what is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "journal/compare.h"
#include "journal/journal.h"
#include "tests/support/samples.h"
#include "tests/support/scratch.h"

static const struct compare_difference *find(const struct compare *compare, const char *target)
{
    for (size_t i = 0; i < compare->differences.len; i++)
        if (strcmp(compare_target(compare, &compare->differences.at[i]), target) == 0)
            return &compare->differences.at[i];
    fail_msg("%s does not differ", target);
    return NULL;
}

/* "failed in CI, passed here": the failed step comes first, and the order that explains it. */
static void a_failure_is_told_by_the_order_that_differs(void **state)
{
    (void)state;
    struct compare *compare = sample_compare();
    struct str text = {0};
    const struct compare_difference *first = &compare->differences.at[0];
    assert_string_equal(compare_target(compare, first), "tools/route/lsroute.so");
    assert_int_equal(first->what, COMPARE_OUTCOME | COMPARE_TOUCH);
    assert_string_equal(compare_text(compare, first->path), "tools/libtools.so");
    assert_int_equal(first->order[0], COMPARE_BEFORE);
    assert_int_equal(first->order[1], COMPARE_AFTER);
    assert_false(first->ordered);
    compare_touch_text(compare, first, 0, &text);
    assert_string_equal(str_text(&text),
                        "looked for tools/libtools.so in vain at 1.810 s, before tools/libtools.so "
                        "was made (1.544 s to 2.144 s)");
    str_cut(&text, 0);
    compare_touch_text(compare, first, 1, &text);
    assert_string_equal(str_text(&text), "read tools/libtools.so at 1.900 s, after "
                                         "tools/libtools.so was made (0.900 s to 1.500 s)");
    str_cut(&text, 0);
    compare_conclusion(compare, first, &text);
    assert_non_null(strstr(str_text(&text), "it is a race"));
    str_free(&text);
    compare_free(compare);
}

static void commands_differ_by_their_words_not_by_where_the_tree_is(void **state)
{
    (void)state;
    struct compare *compare = sample_compare();
    struct str text = {0};
    const struct compare_difference *object = find(compare, "core/printf.o");
    assert_int_equal(object->what, COMPARE_COMMAND);
    compare_command_text(compare, object, 0, &text);
    assert_string_equal(str_text(&text), "-O2");
    str_cut(&text, 0);
    compare_command_text(compare, object, 1, &text);
    assert_string_equal(str_text(&text), "-O0 -g");
    str_free(&text);
    compare_free(compare);
}

static void files_of_the_machine_are_told_apart_from_the_trees(void **state)
{
    (void)state;
    struct compare *compare = sample_compare();
    struct str text = {0};
    const struct compare_difference *other = find(compare, "core/sched.o");
    assert_int_equal(other->what, COMPARE_TOUCH);
    assert_int_equal(other->paths, 2); /* one of each compiler */
    compare_conclusion(compare, other, &text);
    assert_non_null(strstr(str_text(&text), "is no file of the tree"));
    str_free(&text);
    compare_free(compare);
}

static void what_ran_in_one_alone_and_what_is_the_same_is_counted(void **state)
{
    (void)state;
    struct compare *compare = sample_compare();
    struct compare_fact facts[COMPARE_FACTS];
    assert_int_equal(compare->differences.len, 3);
    assert_int_equal(compare->same, 1); /* the library */
    assert_int_equal(compare->alone[0], 0);
    assert_int_equal(compare->alone[1], 1);
    size_t count = compare_facts(compare, facts);
    assert_int_equal(count, 5); /* no command */
    assert_string_equal(facts[0].value[0], "failed, 4 ran, 1 failed, 2.500 s");
    assert_string_equal(facts[2].value[1], "master@0e34e4d+3");
    assert_false(facts[3].differs); /* the target */
    compare_free(compare);
}

/* Cut anywhere, a journal is compared as far as it goes; what is none is refused. */
static void damaged_journals_are_compared_or_refused(void **state)
{
    (void)state;
    struct err err = {0};
    const char *nonsense = scratch_text("nonsense", "this is no journal");
    assert_null(compare_journals(nonsense, nonsense, &err));
    assert_non_null(strstr(err.text, "is no journal"));
    const char *path = scratch("whole");
    struct journal *journal = journal_new();
    assert_int_equal(journal_start(journal, path, NULL, &err), 0);
    uint32_t wild[] = {5, TOUCH_READ, 1, UINT32_MAX, TOUCH_READ, 1, 0, TOUCH_WRITE, 2, 7, 1};
    const struct event events[] = {
        {.kind = EVENT_BUILD_BEGIN, .tree = "/"},
        {.kind = EVENT_PATH, .file = UINT32_MAX - 1, .path = "/a"},
        {.kind = EVENT_PATH, .file = 0, .path = "/b"},
        {.kind = EVENT_TOUCHED, .step = 3, .needs = wild, .needs_count = 11},
        {.kind = EVENT_STEP_BEGIN, .step = UINT32_MAX - 1, .target = "x"},
        {.kind = EVENT_STEP_BEGIN, .step = 3, .target = "b"},
        {.kind = EVENT_STEP_END, .step = 3, .target = "b", .outcome = OUTCOME_RAN}};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        journal_add(journal, &events[i]);
    assert_int_equal(journal_close(journal, &err), 0);
    struct compare *compare = compare_journals(path, path, &err);
    assert_non_null(compare);
    assert_int_equal(compare->differences.len, 0);
    assert_int_equal(compare->same, 1);
    assert_int_equal(compare->build[0].touches.len, 1);
    compare_free(compare);
    size_t length;
    char *bytes = scratch_read("whole", &length);
    for (size_t cut = 0; cut < length; cut += 7) {
        compare = compare_journals(scratch_bytes("cut", bytes, cut), path, &err);
        compare_free(compare);
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_told_by_the_order_that_differs),
        cmocka_unit_test(commands_differ_by_their_words_not_by_where_the_tree_is),
        cmocka_unit_test(files_of_the_machine_are_told_apart_from_the_trees),
        cmocka_unit_test(what_ran_in_one_alone_and_what_is_the_same_is_counted),
        cmocka_unit_test_setup_teardown(damaged_journals_are_compared_or_refused, scratch_make,
                                        scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
