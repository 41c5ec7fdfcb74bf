/*
 * Frames of the build screen: a console at 200x60 without its terminal, and a build of STEPS steps.
 * First the graph comes in, as a journal tells it; then, between two frames, a few steps begin and
 * end, as in a live build at its fastest. Prints the mean, the median and the longest of both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "tui/app.h"

enum { PER_DIR = 40, PER_ARCHIVE = 200, LANES = 16, FRAMES = 1000, PER_FRAME = 40 };

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static struct log_view *no_log(void *app, uint32_t step)
{
    (void)app;
    (void)step;
    return NULL;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static void report(const char *what, double *frames, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += frames[i];
    qsort(frames, count, sizeof *frames, by_value);
    printf("%-34s %6.2f ms mean  %6.2f median  %6.2f p99  %6.2f most\n", what, sum / (double)count,
           frames[count / 2], frames[count * 99 / 100], frames[count - 1]);
}

static double frame(struct app *app, struct grid *grid)
{
    double from = now_ms();
    grid_reset(grid, 200, 60);
    app_draw(app, grid);
    return now_ms() - from;
}

static void tell_step(struct app *app, uint32_t step, const char *target, const char *rule,
                      const uint32_t *needs, uint32_t needs_count)
{
    struct event graph = {.kind = EVENT_STEP,
                          .step = step,
                          .target = target,
                          .rule = rule,
                          .needs = needs,
                          .needs_count = needs_count};
    struct event add = {.kind = EVENT_STEP_ADD, .step = step, .target = target, .rule = rule};
    app_event(app, &graph);
    app_event(app, &add);
}

/* Steps are told of, and run, in an order that no memory likes: a bijection of 0 to `count` - 1. */
static uint32_t shuffled(uint32_t i, uint32_t count)
{
    return (uint32_t)((uint64_t)i * 7919 % count); /* prime to any count that it does not divide */
}

/* Objects by directory, archives of them, and one program of the archives. A frame now and then. */
static uint32_t tell_graph(struct app *app, struct grid *grid, uint32_t objects, double *frames,
                           size_t *count)
{
    uint32_t archives = objects / PER_ARCHIVE, step = 0, needs[PER_ARCHIVE];
    char target[64];
    app_event(app, &(struct event){.kind = EVENT_BUILD_BEGIN, .arch = "x64", .lanes = LANES});
    for (; step < objects; step++) {
        uint32_t id = shuffled(step, objects);
        snprintf(target, sizeof target, "build/release.x64/dir%u/file%u.o", id / PER_DIR, id);
        tell_step(app, id, target, "cc", NULL, 0);
        if (step % 1000 == 0)
            frames[(*count)++] = frame(app, grid);
    }
    uint32_t *all = mem_zero(archives, sizeof *all);
    for (uint32_t i = 0; i < archives; i++, step++) {
        for (uint32_t j = 0; j < PER_ARCHIVE; j++)
            needs[j] = i * PER_ARCHIVE + j;
        snprintf(target, sizeof target, "build/release.x64/lib%u.a", i);
        tell_step(app, step, target, "archive", needs, PER_ARCHIVE);
        all[i] = step;
    }
    tell_step(app, step++, "build/release.x64/loader.elf", "link", all, archives);
    free(all);
    app_event(app, &(struct event){.kind = EVENT_GRAPH, .steps = step, .complete = true});
    frames[(*count)++] = frame(app, grid);
    return step;
}

static void tell_run(struct app *app, uint32_t step, uint64_t t_ns)
{
    struct event event = {.kind = EVENT_STEP_READY, .step = step, .t_ns = t_ns, .reason = "absent"};
    app_event(app, &event);
    event.kind = EVENT_STEP_BEGIN;
    event.lane = step % LANES;
    event.expect_ns = 100000000 + step % 977 * 1000000;
    app_event(app, &event);
    if (step < LANES)
        return;
    app_event(app, &(struct event){.kind = EVENT_STEP_END,
                                   .step = step - LANES,
                                   .t_ns = t_ns,
                                   .outcome = OUTCOME_RAN,
                                   .wall_ns = 100000000});
}

int main(int argc, char **argv)
{
    uint32_t steps = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000;
    struct app app = {0};
    struct grid grid = {0};
    struct app_ops ops = {.log = no_log};
    app_init(&app, &ops);
    app.state.root = "/src/tree";
    double *frames = mem_zero(steps / 1000 + FRAMES + 8, sizeof *frames);
    size_t count = 0;
    uint32_t next = 0, all = tell_graph(&app, &grid, steps, frames, &count);
    report("while the graph comes in", frames, count);
    uint64_t t_ns = 1000000000;
    for (count = 0; count < FRAMES && next + PER_FRAME < all; count++) {
        for (int i = 0; i < PER_FRAME; i++)
            tell_run(&app, next++, t_ns += 400000);
        model_tick(&app.model, t_ns);
        frames[count] = frame(&app, &grid);
    }
    report("while steps end", frames, count);
    free(frames);
    grid_free(&grid);
    app_free(&app);
    return 0;
}
