/*
 * Findings while the build goes on: told once the order of both steps is known and not before, told
 * once, excused ones never, and withdrawn where the end knows better. The build is a runner of our
 * own that fills the record as a make tree does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "journal/event.h"
#include "race/end.h"
#include "race/record.h"
#include "run/build_internal.h"
#include "tests/support/scratch.h"
#include "trace/trace.h"

enum { SHORT_MS = 700 /* two looks and more */ };

/* What make says, in the words of this test: "STEP NEED\n" with names. */
static void read_rules(const char *text, size_t length, const struct map *steps, live_needs *tell,
                       void *data)
{
    char *copy = mem_copy_n(text, length);
    for (char *rest = copy, *line; (line = strsep(&rest, "\n")) && *line;) {
        const char *name = strsep(&line, " ");
        uint32_t step = (uint32_t)(uintptr_t)map_get(steps, name),
                 need = (uint32_t)(uintptr_t)map_get(steps, line) - 1;
        assert_true(step);
        tell(data, step - 1, &need, need != UINT32_MAX);
    }
    free(copy);
}

static void say_rules(struct build *build, uint32_t make, const char *text)
{
    int fd = memfd_create("rules", 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    live_rules(build->live, make, fd);
    close(fd);
}

static void run_step(struct build *build, uint32_t step, uint32_t make, const char *target,
                     const char *path, uint32_t kinds)
{
    struct trace trace = {0};
    uint64_t now_ns = clock_ns();
    if (kinds & ACCESS_CREATE)
        scratch_text(path, "x");
    record_step(build->races, &(struct record_spec){
                                  .step = step, .make = make, .target = target, .goal = target});
    record_begin(build->races, step, 0);
    vec_push(&trace.accesses, (struct access){.path = name_id(scratch(path)),
                                              .kinds = kinds,
                                              .found = !(kinds & ACCESS_CREATE),
                                              .first_ns = now_ns,
                                              .last_ns = now_ns});
    record_trace(build->races, step, &trace);
    record_end(build->races, step, false);
    vec_free(&trace.accesses);
}

/* gen.h is made, a.o reads it. */
static void run_pair(struct build *build)
{
    record_make(build->races, 0, ORDER_TOP, 0, ".");
    race_begin(build, scratch_dir(), read_rules);
    assert_non_null(build->live);
    run_step(build, 0, 0, "gen.h", "gen.h", ACCESS_CREATE);
    run_step(build, 1, 0, "a.o", "gen.h", ACCESS_READ);
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static struct queue *events;
static atomic_uint told; /* findings that the test's own thread has seen */

/* Until so many findings were seen, however long that takes; a minute is too long. */
static void wait_told(unsigned count)
{
    for (unsigned i = 0; i < 6000 && atomic_load(&told) < count; i++)
        pause_ms(10);
}

/* Sends a mark that the test's own thread sees between the findings. */
static void mark(struct build *build, const char *text)
{
    build_say(build, SEVERITY_NOTE, "%s", text);
}

/* "finding VERDICT", "mark TEXT" and so on, in the order in which they came. */
static void expect(build_runner *runner, const char *expected)
{
    struct err err = {0};
    struct str got = {0};
    const struct build_options options = {.root = scratch_dir()};
    events = queue_new();
    atomic_store(&told, 0);
    struct build *build = build_start_with(&options, events, runner, NULL, &err);
    assert_non_null(build);
    for (bool end = false; !end;) {
        struct event *event = queue_wait(events, 120000);
        assert_non_null(event);
        if (event->kind == EVENT_FINDING) {
            str_addf(&got, "%s %s\n", event->verdict,
                     event->first_target ? event->first_target : "-");
            atomic_fetch_add(&told, 1);
        } else if (event->kind == EVENT_MESSAGE)
            str_addf(&got, "%s\n", event->text);
        end = event->kind == EVENT_BUILD_END;
        free(event);
    }
    assert_int_equal(build_finish(build), 0);
    assert_string_equal(str_text(&got), expected);
    str_free(&got);
    queue_free(events, NULL);
}

static int told_when_the_order_is_known(struct build *build, void *data)
{
    (void)data;
    run_pair(build);
    pause_ms(SHORT_MS);
    mark(build, "nothing is known");
    say_rules(build, 0, "gen.h -\n");
    pause_ms(SHORT_MS);
    mark(build, "one is known");
    say_rules(build, 0, "gen.h -\na.o -\n");
    wait_told(1);
    mark(build, "both are");
    run_step(build, 2, 0, "b.o", "gen.h", ACCESS_READ);
    say_rules(build, 0, "b.o -\n");
    pause_ms(SHORT_MS);
    mark(build, "one more witness");
    for (uint32_t step = 0; step < 3; step++)
        record_needs(build->races, step, NULL, 0);
    race_end_of_build(build, scratch_dir());
    return 0;
}

static void a_finding_is_told_as_soon_as_the_order_is_known(void **state)
{
    (void)state;
    expect(told_when_the_order_is_known, "nothing is known\none is known\nsuspected gen.h\n"
                                         "both are\none more witness\nsuspected gen.h\n");
}

static int ordered(struct build *build, void *data)
{
    (void)data;
    run_pair(build);
    say_rules(build, 0, "gen.h -\na.o gen.h\n");
    pause_ms(SHORT_MS);
    record_needs(build->races, 0, NULL, 0);
    record_needs(build->races, 1, (const uint32_t[]){0}, 1);
    race_end_of_build(build, scratch_dir());
    return 0;
}

static void what_is_declared_is_not_told(void **state)
{
    (void)state;
    expect(ordered, "");
}

static int ordered_after_all(struct build *build, void *data)
{
    (void)data;
    run_pair(build);
    say_rules(build, 0, "gen.h -\na.o -\n");
    wait_told(1);
    mark(build, "told");
    record_needs(build->races, 0, NULL, 0);
    record_needs(build->races, 1, (const uint32_t[]){0}, 1);
    race_end_of_build(build, scratch_dir());
    return 0;
}

static void what_the_end_knows_better_is_withdrawn(void **state)
{
    (void)state;
    expect(ordered_after_all, "suspected gen.h\ntold\nwithdrawn -\n");
}

/* Two makes that recipes of the first run: nothing is known before that of the upper make is. */
static int in_sub_makes(struct build *build, void *data)
{
    (void)data;
    record_make(build->races, 0, ORDER_TOP, 0, ".");
    race_begin(build, scratch_dir(), read_rules);
    run_step(build, 0, 0, "lib", "lib.log", ACCESS_STAT);
    run_step(build, 1, 0, "ex", "ex.log", ACCESS_STAT);
    record_make(build->races, 1, 0, 0, "lib");
    record_make(build->races, 2, 1, 0, "ex");
    run_step(build, 2, 1, "x.a", "x.a", ACCESS_CREATE);
    run_step(build, 3, 2, "x.a", "x.a", ACCESS_CREATE);
    say_rules(build, 1, "x.a -\n");
    say_rules(build, 2, "x.a -\n");
    pause_ms(SHORT_MS);
    mark(build, "the makes below");
    say_rules(build, 0, "lib -\nex -\n");
    wait_told(1);
    mark(build, "the make above");
    race_give_up(build);
    return 0;
}

static void steps_of_sub_makes_wait_for_the_order_above(void **state)
{
    (void)state;
    expect(in_sub_makes, "the makes below\nsuspected x.a\nthe make above\n");
}

static int excused(struct build *build, void *data)
{
    (void)data;
    run_pair(build);
    say_rules(build, 0, "gen.h -\na.o -\n");
    wait_told(1);
    mark(build, "the end");
    race_give_up(build);
    return 0;
}

static void what_is_excused_is_not_told(void **state)
{
    (void)state;
    char id[9] = "";
    events = NULL;
    expect(excused, "suspected gen.h\nthe end\n");
    struct record *record = record_new(scratch_dir());
    struct build build = {.races = record, .options = {.root = scratch_dir()}};
    record_make(record, 0, ORDER_TOP, 0, ".");
    run_step(&build, 0, 0, "gen.h", "gen.h", ACCESS_CREATE);
    run_step(&build, 1, 0, "a.o", "gen.h", ACCESS_READ);
    assert_int_equal(record_write(record, scratch_dir(), NULL), 0);
    struct race_report report;
    race_report_make(&report, record);
    assert_int_equal(report.findings.len, 1);
    memcpy(id, report.findings.at[0].id, sizeof id);
    race_report_free(&report);
    record_free(record);
    char *line = mem_format("%s missing-edge: it is known\n", id);
    scratch_text(".gantry-races", line);
    free(line);
    expect(excused, "the end\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_finding_is_told_as_soon_as_the_order_is_known,
                                        scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(what_is_declared_is_not_told, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(what_the_end_knows_better_is_withdrawn, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(steps_of_sub_makes_wait_for_the_order_above, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(what_is_excused_is_not_told, scratch_make, scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
