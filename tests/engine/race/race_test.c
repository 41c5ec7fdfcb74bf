/*
 * Declared order and detection, on builds written as tables: each class of race, and what must
 * stay silent, in forward and in reverse order of accesses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "race/race.h"
#include "trace/trace.h"

enum { STEPS_MAX = 8, ACCESSES_MAX = 24 };

struct touch {
    unsigned step;
    const char *path;
    unsigned kinds;
    bool found;
};

/* One build: `edges` are pairs "first before second", ended by two equal numbers. */
struct build {
    const char *name;
    unsigned steps;
    unsigned edges[12][2];
    struct touch touches[ACCESSES_MAX];
    const char *expect; /* "class first>second path" lines, sorted; "" for none */
    const char *commands[STEPS_MAX];
    uint64_t recipes[STEPS_MAX];
    const char *targets[STEPS_MAX];
    unsigned parents[STEPS_MAX]; /* step + 1, or 0 */
};

enum {
    R = ACCESS_READ,
    W = ACCESS_WRITE,
    C = ACCESS_CREATE,
    RM = ACCESS_REMOVE,
    MK = ACCESS_MKDIR,
    ENSURE = ACCESS_ENSURE,
    LS = ACCESS_LIST,
    ST = ACCESS_STAT,
    AP = ACCESS_APPEND,
};

static const struct build builds[] = {
    {.name = "a generated header that nobody declared",
     .steps = 3,
     .edges = {{0, 2}, {1, 2}},
     .touches = {{0, "/t/version.h", C, false},
                 {1, "/t/version.h", R, true},
                 {2, "/t/version.h", R, true}},
     .expect = "missing-edge 0>1 /t/version.h\n"},
    {.name = "the same, declared through another step",
     .steps = 3,
     .edges = {{0, 1}, {1, 2}},
     .touches = {{0, "/t/version.h", C, false}, {2, "/t/version.h", R, true}},
     .expect = ""},
    {.name = "one missing edge at many readers is one finding",
     .steps = 4,
     .touches = {{0, "/t/gen.h", C, false},
                 {1, "/t/gen.h", R, true},
                 {2, "/t/gen.h", R, true},
                 {3, "/t/gen.h", R, true}},
     .expect = "missing-edge 0>1 /t/gen.h\nmissing-edge 0>2 /t/gen.h\nmissing-edge 0>3 /t/gen.h\n"},
    {.name = "two recipes write one archive",
     .steps = 2,
     .touches = {{0, "/t/lib.a", C, false}, {1, "/t/lib.a", W, true}},
     .expect = "write-write 0>1 /t/lib.a\n"},
    {.name = "one recipe run for each of its targets",
     .steps = 2,
     .recipes = {77, 77},
     .targets = {"/t/a.so", "/t/a.a"},
     .touches = {{0, "/t/a.so", C, false}, {1, "/t/a.so", W, true}},
     .expect = "double-work 0>1 /t/a.so\n"},
    {.name = "a source changed in place while another reads it",
     .steps = 2,
     .touches = {{0, "/t/conf.in", R | W, true}, {1, "/t/conf.in", R, true}},
     .expect = "overwrite 0>1 /t/conf.in\n"},
    {.name = "an own target made again is no overwrite",
     .steps = 2,
     .targets = {"/t/gen.h"},
     .touches = {{0, "/t/gen.h", W, true}, {1, "/t/gen.h", R, true}},
     .expect = "missing-edge 0>1 /t/gen.h\n"},
    {.name = "a header that would shadow another",
     .steps = 2,
     .touches = {{0, "/t/first/x.h", C, false}, {1, "/t/first/x.h", R, false}},
     .expect = "shadow 0>1 /t/first/x.h\n"},
    {.name = "objects in a directory that a phony target makes",
     .steps = 2,
     .touches = {{0, "/t/obj", MK, false}, {1, "/t/obj/a.o", C, false}},
     .expect = "directory 0>1 /t/obj\n"},
    {.name = "each makes the directory for itself",
     .steps = 3,
     .touches = {{0, "/t/obj", MK, false},
                 {1, "/t/obj", ENSURE, true},
                 {1, "/t/obj/a.o", C, false},
                 {0, "/t/obj/b.o", C, false},
                 {2, "/t/obj", ST, true}},
     .expect = ""},
    {.name = "both pass through lex.yy.c",
     .steps = 2,
     .touches = {{0, "/t/lex.yy.c", C | RM, false},
                 {1, "/t/lex.yy.c", C | RM, false},
                 {0, "/t/a.c", C, false},
                 {1, "/t/b.c", C, false}},
     .expect = "scratch 0>1 /t/lex.yy.c\n"},
    {.name = "a temporary name that nobody else sees",
     .steps = 2,
     .touches = {{0, "/t/a.tmp", C | RM, false},
                 {1, "/t/b.tmp", C | RM, false},
                 {1, "/t/a.tmp", ST, false}},
     .expect = ""},
    {.name = "test -e x || ln -s y x, in two steps",
     .steps = 2,
     .commands = {"test -e x || ln -s y x", "test -e x || ln -s y x; cc a.c"},
     .touches = {{0, "/t/x", ST | C, false}, {1, "/t/x", ST, true}},
     .expect = "check-then-create 0>1 /t/x\n"},
    {.name = "a stat of what another makes is weak",
     .steps = 2,
     .commands = {"cc -o x x.c", "ls -l"},
     .touches = {{0, "/t/x", ST | C, false}, {1, "/t/x", ST, true}},
     .expect = ""},
    {.name = "a clean-up removes what another reads",
     .steps = 2,
     .touches = {{0, "/t/part.o", RM, true}, {1, "/t/part.o", R, true}},
     .expect = "removal 0>1 /t/part.o\n"},
    {.name = "two that remove the same leftovers",
     .steps = 2,
     .touches = {{0, "/t/core", RM, true}, {1, "/t/core", RM, true}},
     .expect = ""},
    {.name = "a listing while names are made",
     .steps = 2,
     .touches = {{0, "/t/src/gen.c", C, false}, {1, "/t/src", LS, true}},
     .expect = "listing 0>1 /t/src\n"},
    {.name = "a log that all append to",
     .steps = 3,
     .touches = {{0, "/t/log", C | AP, false},
                 {1, "/t/log", W | AP, true},
                 {2, "/t/log", W | AP, true}},
     .expect = ""},
    {.name = "a lock file",
     .steps = 2,
     .touches = {{0, "/t/x.lock", C | RM, false}, {1, "/t/x.lock", C | RM, false}},
     .expect = ""},
    {.name = "devices and the like",
     .steps = 2,
     .touches = {{0, "/dev/null", W, true}, {1, "/dev/null", R, true}},
     .expect = ""},
    {.name = "two sub-makes archive one library",
     .steps = 4,
     .parents = {0, 0, 1, 2},
     .touches = {{2, "/t/lib.a", C, false}, {3, "/t/lib.a", W, true}},
     .expect = "write-write 2>3 /t/lib.a\n"},
    {.name = "the same, with an order between the sub-makes",
     .steps = 4,
     .edges = {{0, 1}},
     .parents = {0, 0, 1, 2},
     .touches = {{2, "/t/lib.a", C, false}, {3, "/t/lib.a", W, true}},
     .expect = ""},
    {.name = "a sub-make and the recipe that ran it",
     .steps = 2,
     .parents = {0, 1},
     .touches = {{0, "/t/x", R, true}, {1, "/t/x", C, false}},
     .expect = ""},
    {.name = "readers only",
     .steps = 2,
     .touches = {{0, "/t/x.c", R, true}, {1, "/t/x.c", R, true}},
     .expect = ""},
};

/* The edges as slices, from pairs. */
struct edges {
    uint32_t start[STEPS_MAX + 1], needs[32];
};

static void make_edges(const struct build *build, struct edges *edges)
{
    uint32_t used = 0;
    for (unsigned step = 0; step < build->steps; step++) {
        edges->start[step] = used;
        for (unsigned i = 0; build->edges[i][0] != build->edges[i][1]; i++)
            if (build->edges[i][1] == step)
                edges->needs[used++] = build->edges[i][0];
    }
    edges->start[build->steps] = used;
}

static void describe(const struct race_result *result, const struct intern *paths, struct str *out)
{
    for (size_t f = 0; f < result->findings.len; f++) {
        const struct race_finding *finding = &result->findings.at[f];
        for (uint32_t i = 0; i < finding->witnesses_count; i++) {
            const struct race_witness *w = &result->witnesses.at[finding->witnesses + i];
            str_addf(out, "%s %u>%u %s\n", race_class_name(w->class), w->first, w->second,
                     intern_text(paths, w->path));
        }
    }
}

static void run(const struct build *build, bool reversed)
{
    struct intern paths = {0};
    struct race_access accesses[ACCESSES_MAX];
    unsigned count = 0;
    while (count < ACCESSES_MAX && build->touches[count].path)
        count++;
    for (unsigned i = 0; i < count; i++) {
        const struct touch *touch = &build->touches[reversed ? count - 1 - i : i];
        accesses[i] = (struct race_access){.step = touch->step,
                                           .path = intern_id(&paths, touch->path),
                                           .when = i,
                                           .kinds = (uint16_t)touch->kinds,
                                           .found = touch->found};
    }
    struct race_step steps[STEPS_MAX];
    uint32_t parents[STEPS_MAX];
    for (unsigned i = 0; i < build->steps; i++) {
        const char *target = build->targets[i];
        steps[i] = (struct race_step){.recipe = build->recipes[i],
                                      .command = build->commands[i],
                                      .target = target ? intern_id(&paths, target) : INTERN_NONE};
        parents[i] = build->parents[i] ? build->parents[i] - 1 : ORDER_TOP;
    }
    struct edges edges;
    make_edges(build, &edges);
    const struct race_input input = {
        .order = {build->steps, edges.start, edges.needs, parents, NULL},
        .steps = steps,
        .paths = &paths,
        .accesses = accesses,
        .accesses_count = count,
    };
    struct race_result result;
    assert_int_equal(race_detect(&input, &result), 0);
    struct str got = {0};
    describe(&result, &paths, &got);
    if (strcmp(str_text(&got), build->expect) != 0)
        fail_msg("%s: found\n%sexpected\n%s", build->name, str_text(&got), build->expect);
    str_free(&got);
    race_result_free(&result);
    intern_free(&paths);
}

static void each_class_is_found_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        run(&builds[i], false);
        run(&builds[i], true);
    }
}

static void one_missing_edge_is_one_finding(void **state)
{
    (void)state;
    struct intern paths = {0};
    uint32_t path = intern_id(&paths, "/t/gen.h");
    struct race_access accesses[41] = {{.step = 0, .path = path, .kinds = C}};
    struct race_step steps[41] = {0};
    uint32_t start[42] = {0};
    for (uint32_t i = 1; i <= 40; i++)
        accesses[i] =
            (struct race_access){.step = i, .path = path, .when = i, .kinds = R, .found = true};
    const struct race_input input = {.order = {41, start, start, NULL, NULL},
                                     .steps = steps,
                                     .paths = &paths,
                                     .accesses = accesses,
                                     .accesses_count = 41};
    struct race_result result;
    assert_int_equal(race_detect(&input, &result), 0);
    assert_int_equal(result.findings.len, 1);
    assert_int_equal(result.findings.at[0].witnesses_count, 40);
    race_result_free(&result);
    intern_free(&paths);
}

static void suppressions_are_named(void **state)
{
    (void)state;
    struct intern paths = {0};
    uint32_t path = intern_id(&paths, "/t/log");
    const struct race_access accesses[] = {
        {.step = 0, .path = path, .kinds = C | AP},
        {.step = 1, .path = path, .when = 1, .kinds = W | AP, .found = true}};
    const struct race_step steps[2] = {0};
    const uint32_t start[3] = {0};
    const struct race_input input = {.order = {2, start, start, NULL, NULL},
                                     .steps = steps,
                                     .paths = &paths,
                                     .accesses = accesses,
                                     .accesses_count = 2};
    struct race_result result;
    assert_int_equal(race_detect(&input, &result), 0);
    assert_int_equal(result.findings.len, 0);
    assert_int_equal(result.suppressed.len, 1);
    assert_string_equal(race_rule_name(result.suppressed.at[0].rule), "append-only log");
    race_result_free(&result);
    intern_free(&paths);
}

/* Reachability by the index against plain search, on random graphs. */
static void order_agrees_with_search(void **state)
{
    (void)state;
    enum { STEPS = 60, ROUNDS = 40 };
    srand(7);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t start[STEPS + 1], needs[STEPS * STEPS];
        bool before[STEPS][STEPS] = {0};
        uint32_t used = 0;
        for (uint32_t step = 0; step < STEPS; step++) {
            start[step] = used;
            for (uint32_t need = 0; need < step; need++) {
                if (rand() % (8 + round) != 0)
                    continue;
                needs[used++] = need;
                before[need][step] = true;
                for (uint32_t k = 0; k < need; k++)
                    before[k][step] |= before[k][need];
            }
        }
        start[STEPS] = used;
        struct order *order = order_new(&(struct order_input){STEPS, start, needs, NULL, NULL});
        assert_non_null(order);
        for (uint32_t a = 0; a < STEPS; a++)
            for (uint32_t b = 0; b < STEPS; b++)
                assert_int_equal(order_before(order, a, b), a == b || before[a][b]);
        order_free(order);
    }
}

static void a_cycle_is_refused(void **state)
{
    (void)state;
    const uint32_t start[] = {0, 1, 2, 3}, needs[] = {1, 2, 0};
    assert_null(order_new(&(struct order_input){3, start, needs, NULL, NULL}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_class_is_found_and_nothing_else),
        cmocka_unit_test(one_missing_edge_is_one_finding),
        cmocka_unit_test(suppressions_are_named),
        cmocka_unit_test(order_agrees_with_search),
        cmocka_unit_test(a_cycle_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
