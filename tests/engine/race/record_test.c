/*
 * The record of a build: what comes back from its file, how makes that one recipe ran are ordered,
 * what is forecast, what is excused. Damage is refused, never read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "race/export.h"
#include "race/ledger.h"
#include "race/report.h"
#include "tests/support/scratch.h"
#include "trace/trace.h"

/* Time goes on between what is recorded. */
static void wait_a_little(void)
{
    nanosleep(&(struct timespec){0, 200000}, NULL);
}

static void touch_by(struct record *record, uint32_t who, const char *name, uint32_t kinds,
                     bool found, void (*tell)(struct record *, uint32_t, const struct trace *))
{
    struct trace trace = {0};
    const char *path = scratch(name);
    uint64_t now_ns = clock_ns();
    if (kinds & (ACCESS_CREATE | ACCESS_WRITE))
        assert_int_equal(file_write(path, "x", 1, 0666, NULL), 0);
    vec_push(&trace.accesses, (struct access){.path = name_id(path),
                                              .kinds = kinds,
                                              .found = found,
                                              .process = 0,
                                              .first_ns = now_ns,
                                              .last_ns = now_ns});
    vec_push(&trace.processes, (struct trace_process){.pid = 1, .program = name_id("/bin/sh")});
    tell(record, who, &trace);
    vec_free(&trace.accesses);
    vec_free(&trace.processes);
}

static void touch(struct record *record, uint32_t step, const char *name, uint32_t kinds,
                  bool found)
{
    touch_by(record, step, name, kinds, found, record_trace);
}

static void run_step(struct record *record, uint32_t step, uint32_t make, const char *target)
{
    record_step(record, &(struct record_spec){.step = step,
                                              .make = make,
                                              .target = target,
                                              .goal = target,
                                              .line_of_command = "touch it"});
    record_begin(record, step, 0);
    wait_a_little();
    record_end(record, step, false);
}

static size_t findings(const struct record *record, enum race_class *class)
{
    struct race_report report;
    race_report_make(&report, record);
    size_t count = report.findings.len;
    if (count && class)
        *class = report.findings.at[0].class;
    race_report_free(&report);
    return count;
}

/* A make that another one's $(shell) runs: what it makes is read by a step of that one. */
static struct record *make_of_shell(bool in_recipe)
{
    struct record *record = record_new(scratch_dir());
    record_make(record, 0, ORDER_TOP, 100, ".");
    if (in_recipe)
        run_step(record, 0, 0, "first");
    record_make(record, 1, ORDER_TOP, 101, ".");
    record_make_shell(record, 1, 0);
    run_step(record, 1, 1, "conf.mk");
    wait_a_little();
    record_make_end(record, 1);
    run_step(record, 2, 0, "all");
    touch(record, 1, "conf.mk", ACCESS_CREATE, false);
    touch(record, 2, "conf.mk", ACCESS_READ, true);
    return record;
}

static void what_a_shell_makes_while_makefiles_are_read_comes_first(void **state)
{
    (void)state;
    for (int in_recipe = 0; in_recipe < 2; in_recipe++) {
        struct record *record = make_of_shell(in_recipe);
        assert_int_equal(findings(record, NULL), in_recipe);
        assert_int_equal(record_write(record, scratch_dir(), NULL), 0);
        record_free(record);
        record = record_read(scratch_dir(), NULL); /* the same from the file */
        assert_int_equal(findings(record, NULL), in_recipe);
        record_free(record);
    }
}

/* Two makes that write one file; whether the second began after the first had ended. */
static struct record *two_makes(uint32_t parent, bool one_after_another, int32_t second_pid)
{
    struct record *record = record_new(scratch_dir());
    record_make(record, 0, ORDER_TOP, 100, ".");
    run_step(record, 0, 0, "all");
    record_make(record, 1, parent, 101, "a");
    wait_a_little();
    if (one_after_another)
        record_make_end(record, 1);
    record_make(record, 2, parent, second_pid, "b");
    run_step(record, 1, 1, "a/x");
    run_step(record, 2, 2, "b/x");
    if (!one_after_another)
        record_make_end(record, 1);
    record_make_end(record, 2);
    touch(record, 1, "x", ACCESS_CREATE, false);
    touch(record, 2, "x", ACCESS_WRITE, true);
    return record;
}

static void makes_of_one_recipe_are_in_order(void **state)
{
    (void)state;
    enum race_class class;
    struct record *record = two_makes(0, true, 102);
    assert_int_equal(findings(record, NULL), 0);
    record_free(record);
    record = two_makes(0, false, 102);
    assert_int_equal(findings(record, &class), 1);
    assert_int_equal(class, RACE_WRITE_WRITE);
    record_free(record);
    record = two_makes(ORDER_TOP, false, 101); /* a make that executed itself again */
    assert_int_equal(findings(record, NULL), 0);
    record_free(record);
}

static struct record *two_steps(void)
{
    struct record *record = record_new(scratch_dir());
    record_make(record, 0, ORDER_TOP, 100, ".");
    run_step(record, 0, 0, "gen.h");
    run_step(record, 1, 0, "a.o");
    touch(record, 0, "gen.h", ACCESS_CREATE, false);
    touch(record, 1, "gen.h", ACCESS_READ, true);
    return record;
}

/* The top make runs two others: step 1 runs make 1 in "a", step 2 make 2 in "b"; `reader` reads what
 * step 3, of make 1, makes. */
static size_t findings_of_a_make(uint32_t reader, uint32_t kinds, struct record **again)
{
    struct err err = {0};
    struct record *record = record_new(scratch_dir());
    record_make(record, 0, ORDER_TOP, 100, ".");
    run_step(record, 0, 0, "all");
    run_step(record, 1, 0, "in-a");
    record_make(record, 1, 1, 101, "a");
    run_step(record, 2, 0, "in-b");
    record_make(record, 2, 2, 102, "b");
    run_step(record, 3, 1, "a/list.mk");
    touch(record, 3, "a/list.mk", ACCESS_CREATE, false);
    touch_by(record, reader, "a/list.mk", kinds, true, record_make_trace);
    assert_int_equal(record_write(record, scratch_dir(), &err), 0);
    record_free(record);
    *again = record_read(scratch_dir(), &err);
    assert_non_null(*again);
    return findings(*again, NULL);
}

/* What a make reads itself is no recipe's: it races with another make's steps, and never with its own
 * or with those of the make that runs it. */
static void what_a_make_does_itself_is_its_own(void **state)
{
    (void)state;
    const char *directory = scratch("a");
    assert_int_equal(file_make_dirs(directory, NULL), 0);
    struct record *record;
    assert_int_equal(findings_of_a_make(2, ACCESS_READ, &record), 1);
    struct race_report report;
    race_report_make(&report, record);
    assert_int_equal(report.findings.at[0].class, RACE_MISSING_EDGE);
    assert_string_equal(race_target(record, report.findings.at[0].first), "a/list.mk");
    assert_string_equal(race_target(record, report.findings.at[0].second), "make -C b");
    const struct record_step *make = &record->steps.at[report.findings.at[0].second];
    assert_int_equal(make->flags, RECORD_RAN | RECORD_MAKE);
    assert_int_equal(make->make, 2);
    race_report_free(&report);
    record_free(record);
    assert_int_equal(findings_of_a_make(1, ACCESS_READ, &record), 0);
    record_free(record);
    assert_int_equal(findings_of_a_make(0, ACCESS_READ, &record), 0);
    record_free(record);
    assert_int_equal(findings_of_a_make(2, ACCESS_STAT, &record), 0); /* weak */
    record_free(record);
}

static void a_make_that_is_not_parallel_has_none(void **state)
{
    (void)state;
    struct record *record = two_steps();
    assert_int_equal(findings(record, NULL), 1);
    record_make_jobs(record, 0, true, false);
    assert_int_equal(findings(record, NULL), 0);
    record_free(record);
}

static void needs_are_order_and_rings_are_cut(void **state)
{
    (void)state;
    struct record *record = two_steps();
    record_needs(record, 1, (const uint32_t[]){0, 1}, 2);
    assert_int_equal(findings(record, NULL), 0);
    record_needs(record, 0, (const uint32_t[]){1}, 1); /* refuted: 1 began after 0 had ended */
    assert_int_equal(findings(record, NULL), 0);
    record_free(record);
}

static void spared_runs_are_forecast(void **state)
{
    (void)state;
    struct record *record = record_new(scratch_dir());
    record_make(record, 0, ORDER_TOP, 100, ".");
    run_step(record, 0, 0, "p.c");
    record_step(record, &(struct record_spec){.step = 0, .file = "Makefile", .line = 4});
    record_step(record,
                &(struct record_spec){
                    .step = 1, .target = "p.h", .goal = "p.h", .file = "Makefile", .line = 4});
    touch(record, 0, "p.c", ACCESS_CREATE, false);
    touch(record, 0, "p.h", ACCESS_CREATE, false);
    enum race_class class;
    const char *dir = scratch("state");
    assert_int_equal(file_make_dirs(dir, NULL), 0);
    assert_int_equal(record_write(record, dir, NULL), 0);
    assert_int_equal(findings(record, &class), 1);
    assert_int_equal(class, RACE_DOUBLE_WORK);
    record_needs(record, 1, (const uint32_t[]){0}, 1);
    assert_int_equal(findings(record, NULL), 0);
    record_free(record);
}

/* A rule that makes a first list of headers is not run where the compiler writes one. */
static void by_products_are_not_forecast(void **state)
{
    (void)state;
    struct record *record = record_new(scratch_dir());
    record_make(record, 0, ORDER_TOP, 100, ".");
    run_step(record, 0, 0, "a.o");
    record_step(record, &(struct record_spec){.step = 0, .file = "Makefile", .line = 4});
    record_step(record,
                &(struct record_spec){
                    .step = 1, .target = "a.Po", .goal = "a.Po", .file = "Makefile", .line = 9});
    touch(record, 0, "a.o", ACCESS_CREATE, false);
    touch(record, 0, "a.Po", ACCESS_WRITE, true);
    assert_int_equal(findings(record, NULL), 0);
    record_free(record);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct err err = {0};
    const char *dir = scratch("again");
    assert_int_equal(file_make_dirs(dir, NULL), 0);
    assert_null(record_read(dir, &err));
    assert_non_null(strstr(err.text, "build first"));
    struct record *record = two_steps();
    assert_int_equal(record_write(record, dir, NULL), 0);
    struct record *back = record_read(dir, &err);
    assert_non_null(back);
    assert_int_equal(back->steps.len, 2);
    assert_string_equal(race_target(back, 1), "a.o");
    enum race_class class;
    assert_int_equal(findings(back, &class), 1);
    assert_int_equal(class, RACE_MISSING_EDGE);
    record_free(back);
    record_free(record);

    /* The next build runs nothing: what its steps touched stays known. */
    record = record_new(scratch_dir());
    record_make(record, 0, ORDER_TOP, 200, ".");
    record_step(record, &(struct record_spec){.step = 0, .target = "a.o", .goal = "a.o"});
    record_step(record, &(struct record_spec){.step = 1, .target = "gen.h", .goal = "gen.h"});
    record_take_over(record, dir);
    assert_int_equal(record_write(record, dir, NULL), 0);
    assert_int_equal(findings(record, &class), 1);
    record_free(record);
}

static void damage_is_refused(void **state)
{
    (void)state;
    struct record *record = two_steps();
    const char *dir = scratch("damage"), *path = scratch("damage/races.zst");
    assert_int_equal(file_make_dirs(dir, NULL), 0);
    assert_int_equal(record_write(record, dir, NULL), 0);
    size_t length;
    char *bytes = file_read(path, &length, NULL);
    for (size_t cut = 0; cut < length; cut++)
        assert_null(record_decode(bytes, cut));
    for (size_t i = 0; i < length; i++) {
        bytes[i] ^= 0x10;
        struct record *back = record_decode(bytes, length);
        record_free(back); /* a bit that zstd does not look at may be anything */
        bytes[i] ^= 0x10;
    }
    struct record *back = record_decode(bytes, length);
    assert_non_null(back);
    record_free(back);
    record_free(record);
    free(bytes);
}

static void ids_stay_and_excuses_hold(void **state)
{
    (void)state;
    struct err err = {0};
    struct record *record = two_steps();
    struct race_report report;
    race_report_make(&report, record);
    assert_int_equal(report.findings.len, 1);
    const struct report_finding *finding = &report.findings.at[0];
    assert_int_equal(strlen(finding->id), 8);
    assert_ptr_equal(race_report_find(&report, finding->id, &err), finding);
    assert_null(race_report_find(&report, "zz", &err));

    const char *path = scratch(LEDGER_EXCUSES);
    struct str line = {0}, document = {0};
    struct ledger ledger;
    ledger_excuse_line(&report, finding, "the header\nnever changes", &line);
    assert_int_equal(ledger_excuse(path, str_text(&line), &err), 0);
    assert_int_equal(
        ledger_set_verdict(scratch_dir(), finding->id, VERDICT_PROVED, "a\\b\nc", "/s.sh", &err),
        0);
    assert_int_equal(ledger_read(&ledger, scratch_dir(), scratch_dir(), &err), 0);
    assert_string_equal(ledger_reason(&ledger, finding->id), "the header never changes");
    const struct ledger_entry *entry = ledger_verdict(&ledger, finding->id);
    assert_int_equal(entry->verdict, VERDICT_PROVED);
    assert_string_equal(entry->evidence, "a\\b\nc");
    assert_string_equal(entry->script, "/s.sh");
    race_export_sarif(&report, &ledger, NULL, &document);
    assert_non_null(strstr(str_text(&document), "\"justification\":\"the header never changes\""));
    ledger_free(&ledger);

    assert_int_equal(file_write(path, "nonsense\n", 9, 0666, NULL), 0);
    assert_int_equal(ledger_read(&ledger, scratch_dir(), scratch_dir(), &err), -1);
    assert_non_null(strstr(err.text, LEDGER_EXCUSES ":1"));
    ledger_free(&ledger);
    str_free(&document);
    str_free(&line);
    race_report_free(&report);
    record_free(record);
}

static void orders_are_held_and_released(void **state)
{
    (void)state;
    struct err err = {0};
    struct record *record = two_steps();
    struct race_report report;
    struct holds holds;
    char id[9] = "";
    race_report_make(&report, record);
    const struct report_finding *finding = &report.findings.at[0];
    assert_int_equal(holds_read(&holds, scratch_dir(), &err), 0);
    assert_int_equal(holds.list.len, 0);
    assert_int_equal(holds_add(scratch_dir(), &report, finding, &err), 0);
    assert_int_equal(holds_add(scratch_dir(), &report, finding, &err), -1);
    assert_non_null(strstr(err.text, "held already"));
    assert_int_equal(holds_read(&holds, scratch_dir(), &err), 0);
    const struct hold *hold = holds_find(&holds, finding->id);
    assert_non_null(hold);
    assert_int_equal(hold->edges.len, 1);
    assert_string_equal(hold->edges.at[0].first, race_target(record, finding->first));
    assert_string_equal(hold->edges.at[0].second, race_target(record, finding->second));
    holds_free(&holds);
    assert_int_equal(holds_drop(scratch_dir(), "zz", id, &err), 0);
    assert_int_equal(holds_drop(scratch_dir(), (char[]){finding->id[0], '\0'}, id, &err), 1);
    assert_string_equal(id, finding->id);
    assert_int_not_equal(access(scratch(HOLDS_FILE), F_OK), 0);
    race_report_free(&report);
    record_free(record);
}

static void a_ring_of_held_orders_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct record *record = record_new(scratch_dir());
    record_make(record, 0, ORDER_TOP, 100, ".");
    static const char *const names[] = {"ring.a", "ring.b", "ring.c"};
    for (uint32_t i = 0; i < 3; i++) {
        run_step(record, i, 0, names[i]);
        record_needs(record, i, &(uint32_t){0}, i == 2); /* c needs a */
        touch(record, i, names[i], ACCESS_CREATE, false);
    }
    touch(record, 1, "ring.c", ACCESS_READ, true); /* b reads c */
    touch(record, 0, "ring.b", ACCESS_READ, true); /* and a reads b */
    record_settle(record);
    struct race_report report;
    race_report_make(&report, record);
    assert_int_equal(report.findings.len, 2);
    assert_int_equal(holds_add(scratch_dir(), &report, &report.findings.at[0], &err), 0);
    assert_int_equal(holds_add(scratch_dir(), &report, &report.findings.at[1], &err), -1);
    assert_non_null(strstr(err.text, "ring"));
    assert_int_equal(holds_drop(scratch_dir(), "", NULL, &err), 1);
    race_report_free(&report);
    record_free(record);
}

static void damaged_holds_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"\ta\tb\n", "what\n", "0123abcd x\n\ta\n",
                                      "0123abcd x\n\t\tb\n", "0123abcd x\n\ta\t\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {0};
        struct holds holds;
        assert_int_equal(file_write(scratch(HOLDS_FILE), bad[i], strlen(bad[i]), 0666, NULL), 0);
        assert_int_equal(holds_read(&holds, scratch_dir(), &err), -1);
        assert_non_null(strstr(err.text, HOLDS_FILE ":"));
        holds_free(&holds);
    }
    remove(scratch(HOLDS_FILE));
}

/* A make that was killed never told what its steps need: nothing is told of them. */
static void steps_of_a_killed_make_are_left_out(void **state)
{
    (void)state;
    for (int told = 0; told < 2; told++) {
        struct record *record = record_new(scratch_dir());
        record_make(record, 0, ORDER_TOP, 100, ".");
        run_step(record, 0, 0, "killed.a");
        run_step(record, 1, 0, "killed.b");
        touch(record, 0, "killed.a", ACCESS_CREATE, false);
        touch(record, 1, "killed.a", ACCESS_READ, true);
        for (uint32_t i = 0; told && i < 2; i++)
            record_needs(record, i, NULL, 0);
        record_loosen(record);
        assert_int_equal(record_write(record, scratch_dir(), NULL), 0);
        assert_int_equal(findings(record, NULL), told);
        record_free(record);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_shell_makes_while_makefiles_are_read_comes_first),
        cmocka_unit_test(makes_of_one_recipe_are_in_order),
        cmocka_unit_test(what_a_make_does_itself_is_its_own),
        cmocka_unit_test(a_make_that_is_not_parallel_has_none),
        cmocka_unit_test(needs_are_order_and_rings_are_cut),
        cmocka_unit_test(spared_runs_are_forecast),
        cmocka_unit_test(by_products_are_not_forecast),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(orders_are_held_and_released),
        cmocka_unit_test(a_ring_of_held_orders_is_refused),
        cmocka_unit_test(damaged_holds_are_refused),
        cmocka_unit_test(steps_of_a_killed_make_are_left_out),
        cmocka_unit_test(ids_stay_and_excuses_hold),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
