#include "tests/support/build_events.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define SECOND 1000000000ull

static const char *const dirs[] = {"arch/x64", "drivers",     "fs/rofs",
                                   "kernel",   "libc/string", "tools/uush"};
enum {
    DIRS = 6,
    FILES = 9,
    GEN = 0,
    CC = 1,
    LINK = CC + DIRS * FILES,
    STRIP,
    LZ,
    LOADER,
    ROFS,
    USR
};

static const char *target_of(uint32_t step, char out[static 64])
{
    static const char *const names[] = {"core",  "timer", "sched",  "printf", "string",
                                        "queue", "mount", "virtio", "main"};
    static const char *const last[] = {
        "loader.elf", "loader-stripped.elf", "lzloader.elf", "loader.img", "usr.rofs", "usr.img"};
    if (step > USR) /* of another tree, named already */
        out[0] = '\0';
    else if (step == GEN)
        snprintf(out, 64, "gen/include/version.h");
    else if (step < LINK)
        snprintf(out, 64, "%s/%s.o", dirs[(step - CC) / FILES], names[(step - CC) % FILES]);
    else
        snprintf(out, 64, "%s", last[step - LINK]);
    return out;
}

static const char *rule_of(uint32_t step)
{
    static const char *const last[] = {"link", "strip", "compress", "disk", "rofs", "disk"};
    return step == GEN ? "header" : step >= LINK ? last[step - LINK] : step % 11 == 4 ? "as" : "cc";
}

static void graph(struct model *model)
{
    char name[64];
    uint32_t needs[DIRS * FILES + 2];
    model_event(model, &(struct event){.kind = EVENT_BUILD_BEGIN,
                                       .tree = "/src/demo",
                                       .head = "master@0e34e4d",
                                       .loader = "native",
                                       .arch = "x64",
                                       .mode = "release",
                                       .image = "default",
                                       .lanes = 2});
    for (uint32_t step = GEN; step <= USR; step++) {
        uint32_t count = 0;
        if (step >= CC && step < LINK)
            needs[count++] = GEN;
        for (uint32_t i = CC; step == LINK && i < LINK; i++)
            needs[count++] = i;
        if (step == STRIP || step == LZ || step == LOADER)
            needs[count++] = step - 1;
        if (step == USR) {
            needs[count++] = ROFS;
            needs[count++] = LZ;
        }
        model_event(model, &(struct event){.kind = EVENT_STEP,
                                           .step = step,
                                           .target = target_of(step, name),
                                           .rule = rule_of(step),
                                           .needs = needs,
                                           .needs_count = count});
    }
    model_event(
        model,
        &(struct event){
            .kind = EVENT_GRAPH, .steps = USR + 1, .files = 140, .edges = 200, .complete = true});
}

static void add(struct model *model, uint32_t step)
{
    char name[64];
    model_event(model, &(struct event){.kind = EVENT_STEP_ADD,
                                       .step = step,
                                       .target = target_of(step, name),
                                       .rule = rule_of(step),
                                       .expect_ns = SECOND});
}

static void begin(struct model *model, uint32_t step, uint32_t lane, uint64_t t_ns,
                  uint64_t expect_ns)
{
    char name[64];
    model_event(model, &(struct event){.kind = EVENT_STEP_READY,
                                       .t_ns = t_ns,
                                       .step = step,
                                       .target = target_of(step, name),
                                       .reason = "header",
                                       .path = "include/kernel.h",
                                       .was = "5b1c9d04",
                                       .now = "77ab03ff"});
    model_event(model, &(struct event){.kind = EVENT_STEP_BEGIN,
                                       .t_ns = t_ns,
                                       .step = step,
                                       .lane = lane,
                                       .host = step == 33 ? "farm-3" : NULL,
                                       .target = name,
                                       .text = "gcc -O2 -Wall -c -o out in",
                                       .expect_ns = expect_ns});
}

static void end(struct model *model, uint32_t step, uint64_t t_ns, enum outcome outcome)
{
    model_event(model, &(struct event){.kind = EVENT_STEP_END,
                                       .t_ns = t_ns,
                                       .step = step,
                                       .outcome = outcome,
                                       .exit = outcome == OUTCOME_FAILED ? 1 : 0,
                                       .wall_ns = SECOND,
                                       .cpu_ns = SECOND * 9 / 10,
                                       .traced = true});
}

static void output(struct test_screen *screen, uint32_t step, const char *text)
{
    model_event(&test_screen_app(screen)->model, &(struct event){.kind = EVENT_STEP_OUTPUT,
                                                                 .step = step,
                                                                 .stream = "err",
                                                                 .path = "log",
                                                                 .length = 100});
    test_screen_log(screen, step, text);
    test_screen_log(screen, EVENT_NONE, text);
}

void build_events_middle(struct test_screen *screen)
{
    struct model *model = &test_screen_app(screen)->model;
    graph(model);
    for (uint32_t step = GEN; step <= USR; step++)
        add(model, step);
    for (uint32_t step = GEN; step < 32; step++) {
        begin(model, step, step % 2, step * SECOND / 2, SECOND);
        if (step == 20) {
            output(screen, step,
                   "fs/rofs/timer.c: In function 'rofs_mount':\n"
                   "fs/rofs/timer.c:88:17: error: 'now' undeclared (first use in this function)\n"
                   "   88 |         uint64_t t = now;\n"
                   "      |                      ^~~\n");
            model_event(model, &(struct event){.kind = EVENT_DIAGNOSTIC,
                                               .step = step,
                                               .path = "fs/rofs/timer.c",
                                               .line = 88,
                                               .column = 17,
                                               .severity = SEVERITY_ERROR,
                                               .text = "'now' undeclared (first use in this "
                                                       "function)"});
        }
        end(model, step, step * SECOND / 2 + SECOND,
            step == 20      ? OUTCOME_FAILED
            : step % 7 == 3 ? OUTCOME_UNCHANGED
                            : OUTCOME_RAN);
    }
    begin(model, 32, 0, 16 * SECOND, 5 * SECOND);
    begin(model, 33, 1, 17 * SECOND, SECOND);
    output(screen, 32,
           "kernel/queue.c:41:7: warning: unused variable 'left' [-Wunused-variable]\n");
    model_event(model, &(struct event){.kind = EVENT_LANE,
                                       .t_ns = 18 * SECOND,
                                       .lane = 0,
                                       .step = 32,
                                       .state = "running",
                                       .cpu_ns = 1960000000,
                                       .rss_kib = 421888});
    model_tick(model, 18200000000ull);
}

void build_events_of_make(struct test_screen *screen)
{
    struct model *model = &test_screen_app(screen)->model;
    char name[64];
    const uint32_t needs[] = {1};
    model_event(model, &(struct event){.kind = EVENT_BUILD_BEGIN,
                                       .tree = "/src/demo",
                                       .head = "master@0e34e4d",
                                       .loader = "make",
                                       .argv = "make -C kernel all",
                                       .lanes = 2});
    for (uint32_t step = GEN; step < 24; step++) {
        model_event(model, &(struct event){.kind = EVENT_STEP_ADD,
                                           .step = step,
                                           .target = target_of(step, name),
                                           .rule = rule_of(step)});
        begin(model, step, step % 2, step * SECOND / 2, 0);
        if (step < 22)
            end(model, step, step * SECOND / 2 + SECOND, OUTCOME_RAN);
    }
    model_event(model, &(struct event){.kind = EVENT_STEP,
                                       .step = 2,
                                       .target = target_of(2, name),
                                       .needs = needs,
                                       .needs_count = 1});
    model_event(model, &(struct event){.kind = EVENT_GRAPH, .steps = 24, .edges = 1});
    model_tick(model, 12200000000ull);
}

/* The id of a step's forecast, as the engine counts them: down from the highest. */
static uint32_t forecast_id(uint32_t step)
{
    return EVENT_NONE - 1 - step;
}

enum { FORECAST_COME = 10, FORECAST_NEW = 70 };

void build_events_forecast(struct test_screen *screen)
{
    struct model *model = &test_screen_app(screen)->model;
    char name[64];
    uint32_t needs[LINK];
    model_event(model, &(struct event){.kind = EVENT_BUILD_BEGIN,
                                       .tree = "/src/demo",
                                       .head = "master@0e34e4d",
                                       .loader = "make",
                                       .argv = "make -C kernel all",
                                       .lanes = 2});
    for (uint32_t step = CC; step <= STRIP; step++)
        model_event(model, &(struct event){.kind = EVENT_STEP_ADD,
                                           .step = forecast_id(step),
                                           .target = target_of(step, name),
                                           .rule = rule_of(step),
                                           .forecast = true,
                                           .expect_ns = SECOND});
    for (uint32_t step = CC; step < LINK; step++)
        needs[step - CC] = forecast_id(step);
    for (uint32_t step = LINK; step <= STRIP; step++) {
        uint32_t before = forecast_id(LINK);
        model_event(model, &(struct event){.kind = EVENT_STEP,
                                           .step = forecast_id(step),
                                           .forecast = true,
                                           .needs = step == LINK ? needs : &before,
                                           .needs_count = step == LINK ? LINK - CC : 1});
    }
    for (uint32_t i = 0; i < FORECAST_COME; i++) { /* in make's own order, with make's own ids */
        uint32_t step = LINK - 1 - i;
        model_event(model, &(struct event){.kind = EVENT_STEP_ADD,
                                           .step = i,
                                           .target = target_of(step, name),
                                           .rule = rule_of(step),
                                           .expect_ns = SECOND});
        begin(model, i, i % 2, i * SECOND / 2, SECOND);
        if (i < FORECAST_COME - 2)
            end(model, i, i * SECOND / 2 + SECOND, OUTCOME_RAN);
    }
    model_event(model, &(struct event){.kind = EVENT_STEP_ADD,
                                       .step = FORECAST_NEW,
                                       .target = "drivers/new.o",
                                       .rule = "cc"});
    model_tick(model, 5200000000ull);
}

void build_events_forecast_done(struct test_screen *screen)
{
    struct model *model = &test_screen_app(screen)->model;
    char name[64];
    uint32_t needs[FORECAST_COME + 1];
    build_events_forecast(screen);
    begin(model, FORECAST_NEW, 0, 6 * SECOND, 0);
    for (uint32_t i = FORECAST_COME - 2; i < FORECAST_COME; i++)
        end(model, i, 7 * SECOND, OUTCOME_RAN);
    end(model, FORECAST_NEW, 7 * SECOND, OUTCOME_RAN);
    for (uint32_t i = 0; i < FORECAST_COME; i++)
        needs[i] = i;
    needs[FORECAST_COME] = FORECAST_NEW;
    for (uint32_t step = LINK; step <= STRIP; step++) { /* considered, and up to date */
        uint32_t before = LINK + 100;
        model_event(model, &(struct event){.kind = EVENT_STEP,
                                           .step = step + 100,
                                           .target = target_of(step, name),
                                           .rule = rule_of(step),
                                           .state = "fresh",
                                           .needs = step == LINK ? needs : &before,
                                           .needs_count = step == LINK ? FORECAST_COME + 1 : 1});
    }
    model_event(model, &(struct event){.kind = EVENT_GRAPH, .steps = 13, .complete = true});
    model_event(model, &(struct event){.kind = EVENT_BUILD_END,
                                       .t_ns = 8 * SECOND,
                                       .status = BUILD_OK,
                                       .steps_run = 11,
                                       .wall_ns = 8 * SECOND});
}

void build_events_begun(struct test_screen *screen)
{
    model_event(&test_screen_app(screen)->model,
                &(struct event){.kind = EVENT_BUILD_BEGIN, .tree = "/src/demo", .lanes = 1});
}

void build_events_failed(struct test_screen *screen)
{
    struct model *model = &test_screen_app(screen)->model;
    build_events_middle(screen);
    end(model, 32, 19 * SECOND, OUTCOME_RAN);
    end(model, 33, 19 * SECOND, OUTCOME_RAN);
    for (uint32_t step = 34; step <= USR; step++)
        end(model, step, 19 * SECOND, OUTCOME_CANCELLED);
    model_event(model, &(struct event){.kind = EVENT_BUILD_END,
                                       .t_ns = 19 * SECOND,
                                       .status = BUILD_FAILED,
                                       .exit = 1,
                                       .wall_ns = 19 * SECOND,
                                       .cpu_ns = 31 * SECOND});
}

static void race(struct model *model, const char *id, const char *class, enum severity severity,
                 const char *verdict, uint32_t first, uint32_t second)
{
    char a[64], b[64];
    bool proved = strcmp(verdict, "proved") == 0;
    model_event(model,
                &(struct event){.kind = EVENT_FINDING,
                                .id = id,
                                .class = class,
                                .severity = severity,
                                .verdict = verdict,
                                .path = "gen/include/version.h",
                                .first = first,
                                .first_target = target_of(first, a),
                                .second = second,
                                .second_target = target_of(second, b),
                                .first_place = "Makefile:12",
                                .first_access = "created",
                                .first_at_ns = 400000000,
                                .second_place = "arch/Makefile:107",
                                .second_access = "read",
                                .second_at_ns = 5200000000,
                                .evidence = proved ? "proved: the second before the first, it ends "
                                                     "with 1:\n    version.h: No such file\n"
                                                   : NULL,
                                .witnesses = 3,
                                .text = "the second reads what the first writes, and nothing says "
                                        "that it has to be there before"});
}

void build_events_raced(struct test_screen *screen)
{
    build_events_failed(screen);
    struct model *model = &test_screen_app(screen)->model;
    race(model, "R1", "missing-edge", SEVERITY_ERROR, "suspected", GEN, 9);
    race(model, "R2", "scratch", SEVERITY_WARNING, "proved", 5, 12);
    race(model, "R3", "listing", SEVERITY_WARNING, "harmless", 6, 14);
}

void build_events_racing(struct test_screen *screen)
{
    build_events_middle(screen);
    race(&test_screen_app(screen)->model, "R1", "missing-edge", SEVERITY_ERROR, "suspected", 12,
         33);
}

void build_events_done(struct test_screen *screen)
{
    struct model *model = &test_screen_app(screen)->model;
    static const uint32_t ran[] = {12, LINK, STRIP};
    graph(model);
    for (size_t i = 0; i < sizeof ran / sizeof *ran; i++)
        add(model, ran[i]);
    for (size_t i = 0; i < sizeof ran / sizeof *ran; i++) {
        begin(model, ran[i], 0, i * SECOND, SECOND);
        end(model, ran[i], (i + 1) * SECOND, ran[i] == STRIP ? OUTCOME_UNCHANGED : OUTCOME_RAN);
    }
    model_event(model, &(struct event){.kind = EVENT_BUILD_END,
                                       .t_ns = 3 * SECOND,
                                       .status = BUILD_OK,
                                       .wall_ns = 3 * SECOND,
                                       .cpu_ns = 5 * SECOND / 2});
}

void build_events_composing_begun(struct test_screen *screen)
{
    struct model *model = &test_screen_app(screen)->model;
    graph(model);
    add(model, LINK);
    add(model, ROFS);
    add(model, USR);
    begin(model, LINK, 0, 0, SECOND);
    end(model, LINK, SECOND, OUTCOME_UNCHANGED);
    begin(model, ROFS, 0, SECOND, 0);
    model_tick(model, 3 * SECOND / 2);
}

void build_events_composing(struct test_screen *screen)
{
    struct model *model = &test_screen_app(screen)->model;
    build_events_composing_begun(screen);
    model_event(model, &(struct event){.kind = EVENT_STEP_PROGRESS,
                                       .t_ns = 2 * SECOND,
                                       .step = ROFS,
                                       .bytes = 12300000,
                                       .total = 20200000});
    model_tick(model, 2 * SECOND);
}

void build_events_large(struct model *model, unsigned dirs_count, unsigned files)
{
    uint32_t total = dirs_count * files;
    uint32_t *needs = mem_alloc(total * sizeof *needs);
    model_event(model, &(struct event){.kind = EVENT_BUILD_BEGIN, .lanes = 64});
    for (uint32_t step = 0; step < total; step++) {
        char name[64];
        snprintf(name, sizeof name, "src/dir%u/file%u.o", step / files, step % files);
        needs[step] = step;
        model_event(
            model, &(struct event){.kind = EVENT_STEP, .step = step, .target = name, .rule = "cc"});
    }
    model_event(model, &(struct event){.kind = EVENT_STEP,
                                       .step = total,
                                       .target = "kernel.elf",
                                       .rule = "link",
                                       .needs = needs,
                                       .needs_count = total});
    free(needs);
    model_event(model, &(struct event){.kind = EVENT_GRAPH, .steps = total + 1, .complete = true});
    for (uint32_t step = 0; step <= total; step++)
        model_event(model, &(struct event){.kind = EVENT_STEP_ADD, .step = step});
    for (uint32_t step = 0; step < total / 2; step++) {
        begin(model, step, step % 64, step * 1000000ull, 0);
        end(model, step, (step + 64) * 1000000ull, OUTCOME_RAN);
    }
    for (uint32_t lane = 0; lane < 64 && total / 2 + lane < total; lane++)
        begin(model, total / 2 + lane, lane, total * 1000000ull, 5 * SECOND);
    model_tick(model, total * 1000000ull + 3 * SECOND);
}

void build_events_lanes(struct model *model, uint32_t lanes)
{
    enum { EACH = 3 };
    model_event(model, &(struct event){.kind = EVENT_BUILD_BEGIN, .lanes = lanes});
    for (uint32_t step = 0; step < lanes * EACH; step++) {
        static const char *const kinds[EACH] = {"gen", "cc", "link"};
        char name[64];
        snprintf(name, sizeof name, "out/lane%u/%s", step / EACH + 1, kinds[step % EACH]);
        const uint32_t needs[] = {0, step - 1};
        model_event(model, &(struct event){.kind = EVENT_STEP,
                                           .step = step,
                                           .target = name,
                                           .rule = kinds[step % EACH],
                                           .needs = needs,
                                           .needs_count = step % EACH == 1 ? 2
                                                          : step % EACH    ? 1
                                                                           : 0});
    }
    model_event(model,
                &(struct event){.kind = EVENT_GRAPH, .steps = lanes * EACH, .complete = true});
    for (uint32_t step = 0; step < lanes * EACH; step++)
        model_event(model, &(struct event){.kind = EVENT_STEP_ADD, .step = step});
    for (uint32_t step = 0; step < lanes * EACH; step++) {
        uint64_t from = (step % EACH * 10 + step / EACH) * SECOND;
        begin(model, step, step / EACH, from, 0);
        end(model, step, from + (4 + step % EACH) * SECOND, OUTCOME_RAN);
    }
    race(model, "R1", "missing-edge", SEVERITY_ERROR, "suspected", 1, lanes * EACH - 2);
    model_event(model, &(struct event){.kind = EVENT_BUILD_END,
                                       .t_ns = (20 + lanes + 6) * SECOND,
                                       .status = BUILD_OK});
}

void build_events_blocked(struct test_screen *screen)
{
    struct app *app = test_screen_app(screen);
    app_event(app, &(struct event){.kind = EVENT_BUILD_BEGIN, .tree = "/src/demo", .lanes = 2});
    app_event(app,
              &(struct event){.kind = EVENT_MESSAGE,
                              .severity = SEVERITY_ERROR,
                              .text = "built already, held by pid 4711 (gantry build -j8) since "
                                      "12:04: gantry attach shows that build "
                                      "(/src/demo/build/release.x64/.gantry)"});
    app_event(app, &(struct event){.kind = EVENT_BUILD_END, .status = BUILD_FAILED, .exit = 2});
}

void build_events_many_failures(struct test_screen *screen)
{
    struct model *model = &test_screen_app(screen)->model;
    char text[64], path[64];
    graph(model);
    for (uint32_t step = GEN; step <= USR; step++)
        add(model, step);
    for (uint32_t step = GEN; step < LINK; step++) {
        bool fails = step > 8;
        begin(model, step, step % 2, step * SECOND / 2, SECOND);
        snprintf(path, sizeof path, "include/part%u.h", step % 7);
        snprintf(text, sizeof text, "unknown type name 'part%u_t'", step % 7);
        if (fails)
            model_event(model, &(struct event){.kind = EVENT_DIAGNOSTIC,
                                               .step = step,
                                               .path = path,
                                               .line = 10 + step % 7,
                                               .severity = SEVERITY_ERROR,
                                               .text = text});
        end(model, step, step * SECOND / 2 + SECOND, fails ? OUTCOME_FAILED : OUTCOME_RAN);
    }
    for (uint32_t step = LINK; step <= USR; step++)
        end(model, step, 28 * SECOND, OUTCOME_CANCELLED);
    model_event(model, &(struct event){.kind = EVENT_BUILD_END,
                                       .t_ns = 28 * SECOND,
                                       .status = BUILD_FAILED,
                                       .exit = 1,
                                       .wall_ns = 28 * SECOND,
                                       .cpu_ns = 50 * SECOND});
}

void build_events_cancelled(struct test_screen *screen)
{
    struct model *model = &test_screen_app(screen)->model;
    graph(model);
    for (uint32_t step = GEN; step <= USR; step++)
        add(model, step);
    for (uint32_t step = GEN; step < 12; step++) {
        begin(model, step, step % 2, step * SECOND / 2, SECOND);
        end(model, step, step * SECOND / 2 + SECOND, OUTCOME_RAN);
    }
    for (uint32_t step = 12; step <= USR; step++)
        end(model, step, 7 * SECOND, OUTCOME_CANCELLED);
    model_event(model, &(struct event){.kind = EVENT_BUILD_END,
                                       .t_ns = 7 * SECOND,
                                       .status = BUILD_CANCELLED,
                                       .exit = 130,
                                       .wall_ns = 7 * SECOND,
                                       .cpu_ns = 12 * SECOND});
}
