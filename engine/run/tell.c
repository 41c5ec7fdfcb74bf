#include "run/tell.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "plan/command.h"
#include "race/record.h"
#include "run/told.h"

/* Where a step belongs on the map: the directory of its first source, else of its target. */
static char *place_of(const struct graph *graph, step_id step, const char *out)
{
    uint32_t count;
    const file_id *inputs = graph_inputs(graph, step, &count);
    for (uint32_t i = 0; i < count; i++)
        if (graph->files.at[inputs[i]].producer == STEP_NONE)
            return path_dir(graph_path(graph, inputs[i]));
    const char *target = graph_step_target(graph, step);
    size_t prefix = strlen(out);
    if (prefix && !strncmp(target, out, prefix) && target[prefix] == '/')
        target += prefix + 1;
    return path_dir(target);
}

static int by_number(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, two = *(const uint32_t *)b;
    return one < two ? -1 : one > two;
}

/* The steps that a step needs, once each, new. */
static uint32_t *needs_of(const struct graph *graph, step_id step, uint32_t *count)
{
    const struct step *what = &graph->steps.at[step];
    uint32_t *needs = mem_alloc((what->inputs_count + what->order_count) * sizeof *needs);
    uint32_t found = 0;
    for (uint32_t i = 0; i < what->inputs_count + what->order_count; i++) {
        uint32_t link =
            i < what->inputs_count ? what->inputs + i : what->order + i - what->inputs_count;
        step_id maker = graph->files.at[graph->links.at[link]].producer;
        if (maker != STEP_NONE)
            needs[found++] = maker;
    }
    if (found)
        qsort(needs, found, sizeof *needs, by_number);
    *count = 0;
    for (uint32_t i = 0; i < found; i++)
        if (!i || needs[i] != needs[*count - 1])
            needs[(*count)++] = needs[i];
    return needs;
}

void tell_step_to(const struct plan *plan, const char *out, step_id step, bool fresh,
                  void (*to)(void *data, const struct event *event), void *data)
{
    const struct graph *graph = plan->graph;
    uint32_t count;
    uint32_t *needs = needs_of(graph, step, &count);
    char *place = place_of(graph, step, out);
    struct event event = {.kind = EVENT_STEP,
                          .step = step,
                          .target = graph_step_target(graph, step),
                          .rule = graph->steps.at[step].rule,
                          .path = place,
                          .needs = needs,
                          .needs_count = count,
                          .state = fresh ? "fresh" : "waiting"};
    to(data, &event);
    free(place);
    free(needs);
}

static void to_all(void *build, const struct event *event)
{
    build_send(build, event);
}

static void to_reader(void *build, const struct event *event)
{
    build_show(build, event);
}

void tell_step(struct build *build, struct plan *plan, const char *out, step_id step, bool fresh)
{
    tell_step_to(plan, out, step, fresh, to_all, build);
}

/* Tells the steps of a graph that was told before: where most of them are fresh, the journal gets all of
 * their records at once, and those that are not fresh once more. False: not so here. */
static bool tell_steps_again(struct build *build, struct plan *plan,
                             const struct run_settings *settings)
{
    enum { MOST = 4 };
    const struct graph *graph = plan->graph;
    size_t steps = graph->steps.len, frame_bytes, left = 0;
    for (step_id step = 0; step < steps; step++)
        left += plan->in_cone[step] && plan->verdict[step] != VERDICT_FRESH;
    if (!settings->graph_id || left > steps / MOST)
        return false;
    char *frame =
        told_frame(settings->fresh, settings->graph_id, plan, settings->out, &frame_bytes);
    journal_add_frame(build->journal, frame, frame_bytes);
    for (step_id step = 0; step < steps; step++) {
        bool fresh = plan->verdict[step] == VERDICT_FRESH;
        if (plan->in_cone[step] && (!fresh || !build->options.brief))
            tell_step_to(plan, settings->out, step, fresh, fresh ? to_reader : to_all, build);
    }
    return true;
}

void tell_graph(struct build *build, struct plan *plan, const struct run_settings *settings)
{
    const struct graph *graph = plan->graph;
    struct event event = {.kind = EVENT_GRAPH, .files = graph->files.len, .complete = true};
    for (step_id step = 0; step < graph->steps.len; step++)
        if (plan->in_cone[step]) {
            const struct step *what = &graph->steps.at[step];
            event.steps += !(what->flags & STEP_PHONY);
            event.edges += what->inputs_count + what->order_count;
        }
    build->totals.total = event.steps;
    build_send(build, &event);
    bool again = tell_steps_again(build, plan, settings);
    for (step_id step = 0; !again && step < graph->steps.len; step++)
        if (plan->in_cone[step])
            tell_step(build, plan, settings->out, step, plan->verdict[step] == VERDICT_FRESH);
    for (step_id step = 0; step < graph->steps.len; step++) {
        if (!plan->in_cone[step] || plan->verdict[step] == VERDICT_FRESH ||
            graph->steps.at[step].flags & STEP_PHONY)
            continue;
        struct event add = {.kind = EVENT_STEP_ADD,
                            .step = step,
                            .target = graph_step_target(graph, step),
                            .rule = graph->steps.at[step].rule,
                            .expect_ns = plan_expect_ns(plan, step)};
        build_send(build, &add);
    }
}

void tell_begin(struct build *build, const struct plan *plan, step_id step, uint32_t lane)
{
    struct str command = {0};
    command_text(plan->graph, step, false, &command);
    struct event event = {.kind = EVENT_STEP_BEGIN,
                          .step = step,
                          .target = graph_step_target(plan->graph, step),
                          .lane = lane,
                          .host = launcher_takes(&build->launcher, plan->graph->steps.at[step].rule)
                                      ? build->launcher.name
                                      : NULL,
                          .expect_ns = plan_expect_ns(plan, step),
                          .text = command.len ? str_text(&command) : NULL};
    build_send(build, &event);
    record_begin(build->races, step, lane);
    str_free(&command);
}

void tell_end(struct build *build, const struct plan *plan, const struct job *job)
{
    struct event event = {.kind = EVENT_STEP_END,
                          .step = job->step,
                          .target = graph_step_target(plan->graph, job->step),
                          .outcome = job->outcome,
                          .exit = job->exit,
                          .signal = job->signal,
                          .wall_ns = job->ran.wall_ns,
                          .cpu_ns = job->ran.cpu_ns,
                          .rss_kib = job->ran.rss_kib,
                          .accesses = job->trace ? job->trace->accesses.len : 0,
                          /* What we do ourselves opens what the graph says and no more. */
                          .traced = (job->trace && !(job->trace->flaws & TRACE_PARTIAL)) ||
                                    job->graph->steps.at[job->step].action};
    build->totals.untraced += !event.traced && !build->options.untraced &&
                              (job->outcome == OUTCOME_RAN || job->outcome == OUTCOME_UNCHANGED);
    record_end(build->races, job->step,
               job->outcome == OUTCOME_FAILED || job->outcome == OUTCOME_CANCELLED);
    build_send(build, &event);
}
