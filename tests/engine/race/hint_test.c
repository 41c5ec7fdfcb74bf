/*
 * Hints: each kind in a miniature, and beside it what looks like it and must stay silent. A miniature
 * is a list of steps with what they need, declare and touch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "race/hint.h"
#include "tests/support/scratch.h"
#include "trace/trace.h"

enum { STEPS_MAX = 6, TOUCHES_MAX = 6, HINTS_MAX = 3 };
#define READS (ACCESS_READ)
#define MAKES (ACCESS_CREATE)
#define EDITS (ACCESS_READ | ACCESS_WRITE)

struct touch {
    uint32_t kinds;
    const char *path;
};

struct mini_step {
    const char *target;
    const char *needs; /* numbers of steps: "01" */
    const char *declares[3];
    struct touch touches[TOUCHES_MAX];
};

struct mini {
    const char *name;
    struct mini_step steps[STEPS_MAX];
    const char *expect[HINTS_MAX]; /* sentences */
};

static const struct mini minis[] = {
    {.name = "a header that no rule names",
     .steps = {{"a.o", "", {"a.c"}, {{READS, "a.c"}, {READS, "x.h"}, {MAKES, "a.o"}}},
               {"b.o", "", {"b.c"}, {{READS, "b.c"}, {READS, "x.h"}, {MAKES, "b.o"}}}},
     .expect =
         {"undeclared-input a.o reads x.h, which no rule names for it: an edit there does not "
          "make it stale 2"}},
    {.name = "one step names the header, the other does not",
     .steps = {{"a.o", "", {"a.c", "x.h"}, {{READS, "a.c"}, {READS, "x.h"}, {MAKES, "a.o"}}},
               {"b.o", "", {"b.c"}, {{READS, "b.c"}, {READS, "x.h"}, {MAKES, "b.o"}}}},
     .expect =
         {"undeclared-input b.o reads x.h, which no rule names for it: an edit there does not "
          "make it stale 1"}},
    {.name = "what comes before names it",
     .steps = {{"gen", "", {"x"}, {{READS, "x"}, {MAKES, "gen"}}},
               {"out", "0", {NULL}, {{READS, "gen"}, {READS, "x"}, {MAKES, "out"}}}}},
    {.name = "the compiler lists the headers",
     .steps =
         {{"a.o", "", {"a.c"}, {{READS, "a.c"}, {READS, "x.h"}, {MAKES, "a.o"}, {MAKES, "a.d"}}}}},
    {.name = "makefiles, git, caches, what lies outside",
     .steps = {{"a",
                "",
                {NULL},
                {{READS, "Makefile"},
                 {READS, ".git/HEAD"},
                 {READS, "__pycache__/x.pyc"},
                 {READS, "/usr/include/stdio.h"},
                 {READS, "rules.mk"},
                 {MAKES, "a"}}}}},
    {.name = "a wait for nothing",
     .steps = {{"gen.h", "", {NULL}, {{MAKES, "gen.h"}}},
               {"a.o", "0", {"a.c"}, {{READS, "a.c"}, {MAKES, "a.o"}}},
               {"b.o", "0", {"b.c"}, {{READS, "b.c"}, {READS, "gen.h"}, {MAKES, "b.o"}}}},
     .expect = {"unused-edge a.o waits for gen.h and uses nothing that it makes 1"}},
    {.name = "a stamp that stands for what came before it",
     .steps = {{"gen.h", "", {NULL}, {{MAKES, "gen.h"}}},
               {"stamp", "0", {NULL}, {{ACCESS_STAT, "gen.h"}, {MAKES, "stamp"}}},
               {"a.o", "1", {"a.c"}, {{READS, "a.c"}, {READS, "gen.h"}, {MAKES, "a.o"}}}}},
    {.name = "a wait for nothing, beside one for what both come after",
     .steps = {{"dir", "", {NULL}, {{ACCESS_MKDIR, "o"}, {MAKES, "dir"}}},
               {"o/b", "0", {NULL}, {{MAKES, "o/b"}}},
               {"o/a", "01", {"a.c"}, {{READS, "a.c"}, {MAKES, "o/a"}}}},
     .expect = {"unused-edge o/a waits for o/b and uses nothing that it makes 1"}},
    {.name = "a directory that is made first",
     .steps = {{"obj", "", {NULL}, {{ACCESS_MKDIR, "obj"}}},
               {"obj/a.o", "0", {"a.c"}, {{READS, "a.c"}, {MAKES, "obj/a.o"}}}}},
    {.name = "a name for several makes nothing itself",
     .steps = {{"a", "", {NULL}, {{MAKES, "a"}}}, {"all", "0", {NULL}, {{ACCESS_STAT, "b"}}}}},
    {.name = "a source that its own step edits",
     .steps = {{"stamp", "", {"conf"}, {{EDITS, "conf"}, {MAKES, "stamp"}}}},
     .expect = {"self-change stamp changes conf, which it is made from 1"}},
    {.name = "a program that is stripped where it lies",
     .steps = {{"prog", "", {NULL}, {{MAKES, "prog"}}},
               {"stripped", "0", {NULL}, {{EDITS, "prog"}, {MAKES, "stripped"}}}},
     .expect = {"self-change stripped changes prog, which it is made from 1"}},
    {.name = "an archive that is added to, a by-product that is compared",
     .steps = {{"lib.a", "", {"a.o"}, {{READS, "a.o"}, {EDITS, "lib.a"}}},
               {"p.c", "", {"p.y"}, {{READS, "p.y"}, {EDITS, "p.h"}, {MAKES, "p.c"}}}}},
    {.name = "all is made in out, but one",
     .steps = {{"out/a", "", {NULL}, {{MAKES, "out/a"}, {MAKES, "src/gen.h"}}},
               {"out/sub/b", "", {NULL}, {{MAKES, "out/sub/b"}}},
               {"out", "", {NULL}, {{ACCESS_MKDIR, "out"}}}},
     .expect = {"escape out/a writes src/gen.h, outside of out, where all targets are 1"}},
    {.name = "things are made everywhere",
     .steps = {{"out/a", "", {NULL}, {{MAKES, "out/a"}, {MAKES, "src/gen.h"}}},
               {"b", "", {NULL}, {{MAKES, "b"}}}}},
};

/* A record looks whether what is changed is there afterwards. */
static void make(const char *path, uint32_t kinds)
{
    char *directory = path_dir(path);
    assert_int_equal(file_make_dirs(kinds & ACCESS_MKDIR ? path : directory, NULL), 0);
    if (!(kinds & ACCESS_MKDIR))
        assert_int_equal(file_write(path, "x", 1, 0666, NULL), 0);
    free(directory);
}

static struct record *record_of(const struct mini *mini)
{
    struct record *record = record_new(scratch_dir());
    record_make(record, 0, ORDER_TOP, 100, ".");
    for (uint32_t i = 0; i < STEPS_MAX && mini->steps[i].target; i++) {
        const struct mini_step *step = &mini->steps[i];
        uint32_t needs[STEPS_MAX], count = 0;
        record_step(record, &(struct record_spec){.step = i, .target = step->target});
        for (; step->needs[count]; count++)
            needs[count] = (uint32_t)(step->needs[count] - '0');
        record_needs(record, i, needs, count);
        for (size_t k = 0; k < 3 && step->declares[k]; k++)
            record_declare(record, i, step->declares[k]);
        record_begin(record, i, 0);
        record_end(record, i, false);
        struct trace trace = {0};
        for (size_t k = 0; k < TOUCHES_MAX && step->touches[k].path; k++) {
            const char *named = step->touches[k].path,
                       *path = named[0] == '/' ? named : scratch(named);
            uint32_t kinds = step->touches[k].kinds;
            vec_push(&trace.accesses,
                     (struct access){.path = name_id(path),
                                     .kinds = kinds,
                                     .found = !(kinds & (ACCESS_CREATE | ACCESS_MKDIR))});
            if (kinds & (ACCESS_CREATE | ACCESS_WRITE | ACCESS_MKDIR))
                make(path, kinds);
        }
        vec_push(&trace.processes, (struct trace_process){.pid = 1, .program = INTERN_NONE});
        record_trace(record, i, &trace);
        vec_free(&trace.accesses);
        vec_free(&trace.processes);
    }
    return record;
}

/* What is told, a line each. */
static char *hints_of(const struct record *record)
{
    struct race_report report;
    struct race_hints hints;
    struct str text = {0};
    race_report_make(&report, record);
    race_hints_find(&report, &hints);
    for (size_t i = 0; i < hints.list.len; i++) {
        str_addf(&text, "%s ", hint_class_name(hints.list.at[i].class));
        race_hint_sentence(&report, &hints, &hints.list.at[i], &text);
        str_addf(&text, " %u\n", hints.list.at[i].count);
    }
    race_hints_free(&hints);
    race_report_free(&report);
    return text.at ? text.at : mem_copy("");
}

/* Asked for one step after the other, what is told comes to the same. */
static void assert_same_by_step(const struct record *record)
{
    struct race_report report;
    struct race_hints all, one;
    unsigned total = 0, found = 0;
    race_report_make(&report, record);
    race_hints_find(&report, &all);
    for (size_t i = 0; i < all.list.len; i++)
        total += all.list.at[i].count;
    struct race_asker *asker = race_asker_new(&report);
    assert_non_null(asker);
    for (uint32_t step = 0; step < record->steps.len; step++) {
        if (!race_hints_of(asker, step, &one))
            continue;
        for (size_t i = 0; i < one.list.len; i++) {
            const struct race_hint *hint = &one.list.at[i];
            size_t k = 0;
            while (k < all.list.len &&
                   (all.list.at[k].class != hint->class || all.list.at[k].path != hint->path ||
                    all.list.at[k].other != hint->other))
                k++;
            assert_true(k < all.list.len);
            assert_int_equal(hint->step, step);
            found += hint->count;
        }
        race_hints_free(&one);
    }
    assert_int_equal(found, total);
    assert_false(race_hints_of(asker, (uint32_t)record->steps.len, &one));
    race_asker_free(asker);
    race_hints_free(&all);
    race_report_free(&report);
}

/* As records are written and read: what steps declare is among it. */
static struct record *again(struct record *record)
{
    struct err err = {0};
    assert_int_equal(record_write(record, scratch_dir(), &err), 0);
    record_free(record);
    record = record_read(scratch_dir(), &err);
    assert_non_null(record);
    return record;
}

static void each_kind_is_told_and_nothing_else(void **state)
{
    for (size_t i = 0; i < sizeof minis / sizeof *minis; i++) {
        assert_int_equal(scratch_make(state), 0);
        struct record *record = again(record_of(&minis[i]));
        char *got = hints_of(record);
        struct str wanted = {0};
        for (size_t k = 0; k < HINTS_MAX && minis[i].expect[k]; k++)
            str_addf(&wanted, "%s\n", minis[i].expect[k]);
        if (strcmp(got, wanted.at ? wanted.at : "") != 0)
            fail_msg("%s: got\n%swanted\n%s", minis[i].name, got, wanted.at ? wanted.at : "");
        str_free(&wanted);
        free(got);
        assert_same_by_step(record);
        record_free(record);
        assert_int_equal(scratch_remove(state), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_is_told_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
