/* `gantry explain TARGET`: whether it would be built now, and why; why it was built last. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "load/load.h"
#include "plan/plan.h"
#include "run/build.h"
#include "tui/commands.h"
#include "tui/native.h"
#include "tui/shell_report.h"
#include "views/plain.h"

/* A stale step and its reason, copied out of the plan. */
struct reason {
    step_id step;
    char *reason, *path, *was, *now;
};

struct explain {
    struct native_tree tree;
    struct state state;
    struct str notes; /* of a damaged state: the next build tells them */
    struct plan plan;
    struct reason *reasons; /* by step; .reason NULL: fresh, or not in the cone */
    file_id file;
    step_id step;
};

static bool json(const struct cli *cli)
{
    return cli->output == OUTPUT_JSON || cli->json_to;
}

static char *copy_or_null(const char *text)
{
    return text && *text ? mem_copy(text) : NULL;
}

/* Judges the whole cone as a dry run does: what a stale step makes is taken for changed. */
static void judge_cone(struct explain *explain)
{
    struct plan *plan = &explain->plan;
    struct why why;
    explain->reasons = mem_zero(explain->tree.graph.steps.len + 1, sizeof *explain->reasons);
    plan_select(plan, &explain->file, 1);
    for (step_id step; (step = plan_next(plan)) != STEP_NONE || plan_drop_extra(plan);) {
        if (step == STEP_NONE)
            continue;
        if (plan_judge(plan, step, &why) == VERDICT_STALE) {
            explain->reasons[step] = (struct reason){.step = step,
                                                     .reason = mem_copy(why.reason),
                                                     .path = copy_or_null(why.path),
                                                     .was = copy_or_null(why.was),
                                                     .now = copy_or_null(why.now)};
            plan_assume_changed(plan, step);
        }
        plan_settle(plan, step);
    }
}

/* The stale step that makes what decided this one, or NULL. */
static const struct reason *cause_of(const struct explain *explain, const struct reason *reason)
{
    const struct graph *graph = &explain->tree.graph;
    file_id file = reason->path ? graph_find_file(graph, reason->path) : FILE_NONE;
    step_id maker = file == FILE_NONE ? STEP_NONE : graph->files.at[file].producer;
    if (maker == STEP_NONE || maker == reason->step || !explain->reasons[maker].reason)
        return NULL;
    return &explain->reasons[maker];
}

static void print_change(const char *path, const char *was, const char *now)
{
    if (path)
        printf(": %s", path);
    putchar('\n');
    if (was)
        printf("    was %s\n", was);
    if (now)
        printf("    now %s\n", now);
}

/* From the target down to what started it all. */
static void print_chain(const struct explain *explain, const struct reason *reason)
{
    for (const struct reason *cause; (cause = cause_of(explain, reason)) != NULL; reason = cause)
        printf("  %s will be built again, since\n",
               graph_step_target(&explain->tree.graph, cause->step));
    printf("  %s", plain_reason(reason->reason));
    print_change(reason->path, reason->was, reason->now);
}

/* The four words of a recorded reason; *kept holds them and is freed by the caller. */
static struct load_cause split_why(const struct explain *explain, const struct step_record *record,
                                   char **kept)
{
    struct load_cause cause = {0};
    const char **const words[] = {&cause.reason, &cause.path, &cause.was, &cause.now};
    *kept = NULL;
    if (record->why == TEXT_NONE)
        return cause;
    char *at = *kept = mem_copy(intern_text(&explain->state.texts, record->why));
    for (int i = 0; i < 4 && at; i++) {
        char *end = strchr(at, '\t');
        if (end)
            *end = '\0';
        *words[i] = *at ? at : NULL;
        at = end ? end + 1 : NULL;
    }
    return cause;
}

static void format_time(char out[static 32], uint64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / 1000000000);
    struct tm local;
    strftime(out, 32, "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
}

static void print_last(const struct step_record *record, const struct load_cause *why)
{
    char took[24], when[32];
    plain_duration(took, record->wall_ns);
    format_time(when, record->ended_ns);
    printf("built last at %s, in %s", when, took);
    if (why->reason) {
        printf(", since\n  %s", plain_reason(why->reason));
        print_change(why->path, why->was, why->now);
    } else {
        putchar('\n');
    }
}

static void print_people(const struct explain *explain)
{
    const char *path = graph_path(&explain->tree.graph, explain->file);
    if (explain->step == STEP_NONE) {
        printf("%s is a source: nothing makes it\n", path);
        return;
    }
    const struct step *step = &explain->tree.graph.steps.at[explain->step];
    const struct reason *reason = &explain->reasons[explain->step];
    const struct step_record *record = plan_record_of(&explain->plan, explain->step);
    printf("%s %s\n", step->rule, graph_step_target(&explain->tree.graph, explain->step));
    if (step->origin)
        printf("declared at %s:%u\n", step->origin, step->origin_line);
    if (!reason->reason) {
        printf("up to date: nothing that it depends on changed\n");
    } else {
        printf("stale:\n");
        print_chain(explain, reason);
    }
    if (record) {
        char *kept;
        struct load_cause why = split_why(explain, record, &kept);
        print_last(record, &why);
        free(kept);
    }
}

static void put_reason(struct str *doc, const char *key, const char *reason, const char *path,
                       const char *was, const char *now)
{
    if (key)
        json_put_object(doc, key);
    json_put_text(doc, "reason", reason);
    json_put_text(doc, "path", path);
    json_put_text(doc, "was", was);
    json_put_text(doc, "now", now);
    if (key)
        json_put_object_end(doc);
}

static void put_chain(struct str *doc, const struct explain *explain, const struct reason *reason)
{
    json_put_array(doc, "chain");
    for (; reason && reason->reason; reason = cause_of(explain, reason)) {
        json_put_object(doc, NULL);
        json_put_text(doc, "target", graph_step_target(&explain->tree.graph, reason->step));
        put_reason(doc, NULL, reason->reason, reason->path, reason->was, reason->now);
        json_put_object_end(doc);
    }
    json_put_array_end(doc);
}

static void put_last(struct str *doc, const struct step_record *record,
                     const struct load_cause *why)
{
    json_put_object(doc, "last");
    json_put_uint(doc, "ended_ns", record->ended_ns);
    json_put_uint(doc, "wall_ns", record->wall_ns);
    json_put_uint(doc, "cpu_ns", record->cpu_ns);
    if (why->reason)
        put_reason(doc, "why", why->reason, why->path, why->was, why->now);
    json_put_object_end(doc);
}

static int print_json(const struct cli *cli, const struct explain *explain)
{
    const struct graph *graph = &explain->tree.graph;
    struct str doc = {0};
    json_put_object(&doc, NULL);
    json_put_text(&doc, "target", graph_path(graph, explain->file));
    if (explain->step == STEP_NONE) {
        json_put_text(&doc, "state", "source");
    } else {
        const struct step *step = &graph->steps.at[explain->step];
        const struct reason *reason = &explain->reasons[explain->step];
        const struct step_record *record = plan_record_of(&explain->plan, explain->step);
        json_put_text(&doc, "rule", step->rule);
        json_put_text(&doc, "file", step->origin);
        json_put_uint(&doc, "line", step->origin_line);
        json_put_text(&doc, "state", reason->reason ? "stale" : "fresh");
        put_chain(&doc, explain, reason);
        if (record) {
            char *kept;
            struct load_cause why = split_why(explain, record, &kept);
            put_last(&doc, record, &why);
            free(kept);
        }
    }
    json_put_object_end(&doc);
    int status = cli_print_json(cli, str_text(&doc));
    str_free(&doc);
    return status;
}

static int explain_target(struct explain *explain, struct cli *cli, const char *name,
                          struct err *err)
{
    struct native_tree *tree = &explain->tree;
    if (native_open(tree, cli, err) < 0 || native_load_graph(tree, err) < 0 ||
        native_target(tree, name, &explain->file, err) < 0 ||
        state_open(&explain->state, tree->state_dir, STATE_READ, &explain->notes, err) < 0 ||
        plan_open(&explain->plan, &tree->graph, &explain->state, tree->root, err) < 0)
        return -1;
    explain->step = tree->graph.files.at[explain->file].producer;
    judge_cone(explain);
    if (json(cli))
        return print_json(cli, explain);
    print_people(explain);
    return 0;
}

/* ---- trees of make ---- */

static void print_made(const struct load_explained *made, const struct shell_report *shell)
{
    size_t last = made->chain.len;
    printf("%s %s\n", made->rule, made->target);
    if (!last)
        printf("up to date: all that it was seen to use, and all that it made, is as it was\n");
    else
        printf("stale:\n");
    for (size_t i = 1; i < last; i++)
        printf("  %s will be built again, since\n", made->chain.at[i].target);
    if (last) {
        const struct load_cause *cause = &made->chain.at[last - 1];
        printf("  %s", plain_reason(cause->reason));
        print_change(cause->path, cause->was, cause->now);
    }
    if (made->each_time)
        printf("make runs it each time, and it is passed over where nothing calls for it\n");
    if (made->changed)
        printf("what make reads has changed (%s): make is asked, and decides\n", made->changed);
    print_last(made->record, &made->last);
    fputs(str_text(&shell->text), stdout);
}

static int print_made_json(const struct cli *cli, const struct load_explained *made,
                           const struct shell_report *shell)
{
    struct str doc = {0};
    json_put_object(&doc, NULL);
    json_put_text(&doc, "target", made->target);
    if (!made->record) {
        json_put_text(&doc, "state", "source");
    } else {
        json_put_text(&doc, "rule", made->rule);
        json_put_text(&doc, "command", made->command);
        json_put_text(&doc, "state", made->chain.len ? "stale" : "fresh");
        json_put_bool(&doc, "each_time", made->each_time);
        json_put_text(&doc, "make_reads", made->changed);
        json_put_array(&doc, "chain");
        for (size_t i = 0; i < made->chain.len; i++) {
            const struct load_cause *cause = &made->chain.at[i];
            json_put_object(&doc, NULL);
            json_put_text(&doc, "target", cause->target);
            put_reason(&doc, NULL, cause->reason, cause->path, cause->was, cause->now);
            json_put_object_end(&doc);
        }
        json_put_array_end(&doc);
        put_last(&doc, made->record, &made->last);
    }
    shell_report_put(shell, &doc, "shell");
    json_put_object_end(&doc);
    int status = cli_print_json(cli, str_text(&doc));
    str_free(&doc);
    return status;
}

/* A target of a tree that only its make knows: by what its builds recorded. */
static int explain_made(struct cli *cli, const char *root, const char *name, struct err *err)
{
    char *state_dir = build_state_dir(root, cli->assigns.at, cli->assigns.len, err);
    struct load_explaining *explaining = state_dir ? load_explain_open(root, state_dir, err) : NULL;
    struct load_explained made = {0};
    int status = explaining ? load_explain(explaining, name, &made, err) : -1;
    if (status == 0) {
        struct shell_report shell;
        shell_report_read(&shell, state_dir);
        if (json(cli))
            status = print_made_json(cli, &made, &shell);
        else if (made.record)
            print_made(&made, &shell);
        else
            printf("%s is a source: nothing makes it\n", made.target);
        shell_report_free(&shell);
    }
    vec_free(&made.chain);
    load_explain_close(explaining);
    free(state_dir);
    return status;
}

/* Whether the tree's steps are only known to its make; *root is new then. */
static bool is_made(const struct cli *cli, char **root)
{
    struct err err = {0};
    enum tree_kind kind = load_find_tree(cli->directory, root, &err);
    if (kind == TREE_MAKE || (kind == TREE_OSV && conf_is_osv(*root)))
        return true;
    free(*root);
    *root = NULL;
    return false;
}

int cmd_explain(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    struct explain explain = {.plan = {.root_fd = -1}, .state = {.fd = -1}};
    char *root;
    if (argc != 2)
        return cli_usage("usage: gantry explain TARGET");
    if (is_made(cli, &root)) {
        int made = explain_made(cli, root, argv[1], &err);
        free(root);
        return made < 0 ? cli_fail(&err) : made;
    }
    int status = explain_target(&explain, cli, argv[1], &err);
    for (size_t i = 0; explain.reasons && i < explain.tree.graph.steps.len; i++) {
        free(explain.reasons[i].reason);
        free(explain.reasons[i].path);
        free(explain.reasons[i].was);
        free(explain.reasons[i].now);
    }
    free(explain.reasons);
    if (explain.plan.graph)
        plan_close(&explain.plan);
    state_close(&explain.state);
    str_free(&explain.notes);
    native_close(&explain.tree);
    return status < 0 ? cli_fail(&err) : status;
}
