/* What a build of the picked target would do: a dry run in the background, its reasons counted. */
#include "tui/screen_target.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { GROUPS_SHOWN = 3, STEPS_KEPT = 200 };

void target_probe_start(struct console *console, struct target_probe *probe)
{
    if (console->build || console->player)
        return;
    target_probe_stop(probe);
    target_probe_clear(probe);
    struct err err = {0};
    probe->events = queue_new();
    struct build_options options = {.root = console->root,
                                    .assigns = console->assigns.at,
                                    .assigns_count = console->assigns.len,
                                    .lanes = console->cli->lanes,
                                    .dry_run = true,
                                    .journal = "/dev/null"};
    probe->build = build_start(&options, probe->events, &err);
    if (!probe->build) {
        queue_free(probe->events, free);
        probe->events = NULL;
    }
}

static void count_reason(struct target_probe *probe, const struct event *event)
{
    const char *reason = event->reason ? event->reason : "", *path = event->path ? event->path : "";
    if (strcmp(reason, "input") == 0 && str_starts(path, "build/"))
        reason = "follows"; /* from another stale step */
    bool named = strcmp(reason, "header") == 0 || strcmp(reason, "input") == 0;
    probe->stale++;
    if (probe->steps.len < STEPS_KEPT)
        vec_push(&probe->steps,
                 (struct target_stale){.target = mem_copy(event->target ? event->target : ""),
                                       .rule = mem_copy(event->rule ? event->rule : ""),
                                       .reason = mem_copy(event->reason ? event->reason : ""),
                                       .path = mem_copy(path)});
    for (size_t i = 0; i < probe->groups.len; i++) {
        struct stale_group *group = &probe->groups.at[i];
        if (strcmp(group->reason, reason) == 0 && (!named || strcmp(group->path, path) == 0)) {
            group->count++;
            return;
        }
    }
    vec_push(&probe->groups, (struct stale_group){mem_copy(reason), mem_copy(path), 1});
}

static int by_count(const void *left, const void *right)
{
    const struct stale_group *a = left, *b = right;
    return a->count != b->count ? (a->count > b->count ? -1 : 1) : strcmp(a->path, b->path);
}

static void group_text(const struct stale_group *group, struct str *out)
{
    static const struct {
        const char *reason, *words;
    } known[] = {{"new", "never built"},
                 {"command", "command or options changed"},
                 {"output", "output missing or changed"},
                 {"follows", "that follow"},
                 {"forced", "always built"}};
    const char *words = NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].reason, group->reason) == 0)
            words = known[i].words;
    if (words)
        str_addf(out, "%u %s", group->count, words);
    else if (*group->path)
        str_addf(out, "%u for %s", group->count, group->path);
    else
        str_addf(out, "%u %s", group->count, group->reason);
}

/* "12 of 72 steps: 9 for include/kernel.h, 3 command or options changed" */
static void sentence(struct target_probe *probe)
{
    struct str text = {0};
    if (!probe->stale) {
        str_add(&text, "nothing: it is up to date");
    } else {
        qsort(probe->groups.at, probe->groups.len, sizeof *probe->groups.at, by_count);
        str_addf(&text, "%u of %u steps: ", probe->stale, probe->total);
        for (size_t i = 0; i < probe->groups.len && i < GROUPS_SHOWN; i++) {
            str_add(&text, i ? ", " : "");
            group_text(&probe->groups.at[i], &text);
        }
        if (probe->groups.len > GROUPS_SHOWN)
            str_addf(&text, ", and %zu reasons more", probe->groups.len - GROUPS_SHOWN);
    }
    free(probe->text);
    probe->text = str_take(&text);
}

bool target_probe_take(struct target_probe *probe)
{
    bool end = false;
    for (struct event *event; !end && probe->events && (event = queue_pop(probe->events));) {
        if (event->kind == EVENT_GRAPH)
            probe->total = (unsigned)event->steps;
        else if (event->kind == EVENT_STEP_READY)
            count_reason(probe, event);
        end = event->kind == EVENT_BUILD_END;
        if (end && event->status == BUILD_OK)
            sentence(probe);
        free(event);
    }
    if (!end)
        return false;
    target_probe_stop(probe);
    return true;
}

void target_probe_stop(struct target_probe *probe)
{
    if (probe->build) {
        build_command(probe->build, BUILD_KILL);
        build_finish(probe->build);
        queue_free(probe->events, free);
    }
    for (size_t i = 0; i < probe->groups.len; i++) {
        free(probe->groups.at[i].reason);
        free(probe->groups.at[i].path);
    }
    vec_free(&probe->groups);
    probe->build = NULL;
    probe->events = NULL;
    probe->stale = probe->total = 0;
}

void target_probe_clear(struct target_probe *probe)
{
    free(probe->text);
    probe->text = NULL;
    for (size_t i = 0; i < probe->steps.len; i++) {
        free(probe->steps.at[i].target);
        free(probe->steps.at[i].rule);
        free(probe->steps.at[i].reason);
        free(probe->steps.at[i].path);
    }
    vec_free(&probe->steps);
}
