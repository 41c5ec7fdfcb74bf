/* Journals: lines, and frames that were made before, in the order in which they were added. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/path.h"
#include "journal/journal.h"
#include "tests/support/tree.h"

enum { FRAMED = 3000, LINES = 40 };

static void add(struct journal *journal, enum event_kind kind, uint32_t step)
{
    journal_add(journal, &(struct event){.kind = kind,
                                         .step = step,
                                         .target = "t",
                                         .reason = "new",
                                         .path = "",
                                         .was = "",
                                         .now = ""});
}

/* Of FRAMED steps. */
static char *frame_of_steps(size_t *length)
{
    struct str lines = {0};
    for (uint32_t step = 0; step < FRAMED; step++) {
        event_to_json(&(struct event){.kind = EVENT_STEP, .step = step, .target = "t"}, NULL,
                      &lines);
        str_add_char(&lines, '\n');
    }
    char *frame = journal_frame(str_text(&lines), lines.len, length);
    str_free(&lines);
    return frame;
}

static void expect(struct journal_reader *reader, enum event_kind kind, uint32_t count)
{
    for (uint32_t step = 0; step < count; step++) {
        struct event *event = journal_next(reader);
        assert_non_null(event);
        assert_int_equal(event->kind, kind);
        assert_int_equal(event->step, step);
        free(event);
    }
}

/* `before` and `after`: lines before and after the frame. */
static void check(struct tree *tree, uint32_t before, uint32_t after, bool twice)
{
    struct err err = {0};
    char *path = path_join(tree->root, "journal.zst");
    struct journal *journal = journal_new();
    assert_int_equal(journal_start(journal, path, NULL, &err), 0);
    size_t length;
    for (int i = 0; i <= twice; i++) {
        for (uint32_t step = 0; step < before; step++)
            add(journal, EVENT_STEP_ADD, step);
        char *frame = frame_of_steps(&length);
        journal_add_frame(journal, frame, length);
        for (uint32_t step = 0; step < after; step++)
            add(journal, EVENT_STEP_READY, step);
    }
    journal_add(journal, &(struct event){.kind = EVENT_BUILD_END});
    assert_int_equal(journal_close(journal, &err), 0);
    struct journal_reader *reader = journal_read_open(path, &err);
    assert_non_null(reader);
    for (int i = 0; i <= twice; i++) {
        expect(reader, EVENT_STEP_ADD, before);
        expect(reader, EVENT_STEP, FRAMED);
        expect(reader, EVENT_STEP_READY, after);
    }
    struct event *end = journal_next(reader);
    assert_non_null(end);
    assert_int_equal(end->kind, EVENT_BUILD_END);
    free(end);
    assert_null(journal_next(reader));
    assert_true(journal_is_complete(reader));
    assert_int_equal(journal_bad_lines(reader), 0);
    journal_read_close(reader);
    free(path);
}

static void frames_stand_where_they_were_added(void **state)
{
    (void)state;
    struct tree *tree = tree_new();
    check(tree, 0, 0, false);
    check(tree, LINES, 0, false);
    check(tree, 0, LINES, false);
    check(tree, LINES, LINES, false);
    check(tree, LINES, LINES, true);
    tree_free(tree);
}

static void a_frame_alone_leaves_no_journal(void **state)
{
    (void)state;
    struct tree *tree = tree_new();
    struct err err = {0};
    char *directory = path_join(tree->root, "journal");
    struct journal *journal = journal_new();
    assert_int_equal(journal_start(journal, NULL, directory, &err), 0);
    size_t length;
    char *frame = frame_of_steps(&length);
    journal_add_frame(journal, frame, length);
    assert_int_equal(journal_close(journal, &err), 0);
    char *newest = journal_newest(directory);
    assert_null(newest);
    free(directory);
    tree_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_stand_where_they_were_added),
        cmocka_unit_test(a_frame_alone_leaves_no_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
