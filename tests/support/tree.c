#include "tests/support/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "run/guard.h"

struct tree *tree_new(void)
{
    struct tree *tree = mem_zero(1, sizeof *tree);
    strcpy(tree->root, "/tmp/gantry-tree-XXXXXX");
    if (!mkdtemp(tree->root))
        abort();
    tree->options.root = tree->root;
    tree->options.lanes = 2;
    tree->ran = mem_copy("");
    return tree;
}

static void drop_events(struct tree *tree)
{
    for (size_t i = 0; i < tree->events.len; i++)
        free(tree->events.at[i]);
    tree->events.len = 0;
    free(tree->ran);
    tree->ran = NULL;
}

void tree_free(struct tree *tree)
{
    drop_events(tree);
    vec_free(&tree->events);
    graph_free(&tree->graph);
    arena_free(&tree->texts);
    file_remove_tree(tree->root, NULL);
    free(tree);
}

void tree_write(struct tree *tree, const char *path, const char *text)
{
    char *full = path_join(tree->root, path);
    struct err err;
    if (file_make_parents(full, &err) < 0)
        abort();
    /* In place, as an editor that does not rename: the inode stays. */
    FILE *file = fopen(full, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
    free(full);
}

char *tree_read(struct tree *tree, const char *path)
{
    char *full = path_join(tree->root, path);
    struct err err;
    char *text = file_read(full, NULL, &err);
    free(full);
    return text ? text : mem_format("(unreadable: %s)", err.text);
}

bool tree_has(struct tree *tree, const char *path)
{
    char *full = path_join(tree->root, path);
    bool there = access(full, F_OK) == 0;
    free(full);
    return there;
}

void tree_remove(struct tree *tree, const char *path)
{
    char *full = path_join(tree->root, path);
    unlink(full);
    free(full);
}

static step_id add(struct tree *tree, struct step step, const char *target, const char *inputs)
{
    str_list words = {0};
    text_split(&words, inputs);
    VEC(file_id) in = {0};
    size_t declared = SIZE_MAX;
    for (size_t i = 0; i < words.len; i++) {
        if (!strcmp(words.at[i], "|"))
            declared = in.len;
        else
            vec_push(&in, graph_file(&tree->graph, words.at[i]));
    }
    if (declared == SIZE_MAX)
        declared = in.len;
    file_id output = graph_file(&tree->graph, target);
    struct step_spec spec = {.step = step,
                             .outputs = &output,
                             .outputs_count = 1,
                             .inputs = in.at,
                             .inputs_count = (uint32_t)declared,
                             .order = in.at ? in.at + declared : NULL,
                             .order_count = (uint32_t)(in.len - declared)};
    struct err err;
    step_id id = graph_add_step(&tree->graph, &spec, &err);
    if (id == STEP_NONE)
        abort();
    tree->last_target = arena_copy(&tree->texts, target);
    vec_free(&in);
    str_list_free(&words);
    return id;
}

step_id tree_rule(struct tree *tree, const char *target, const char *inputs, const char *command)
{
    return tree_rule_dep(tree, target, inputs, NULL, command);
}

step_id tree_rule_dep(struct tree *tree, const char *target, const char *inputs,
                      const char *depfile, const char *command)
{
    struct step step = {.rule = "tool",
                        .shell = arena_copy(&tree->texts, command),
                        .depfile = depfile ? arena_copy(&tree->texts, depfile) : NULL};
    return add(tree, step, target, inputs);
}

step_id tree_argv(struct tree *tree, const char *target, const char *inputs,
                  const char *const *argv)
{
    return add(tree, (struct step){.rule = "cc", .argv = argv}, target, inputs);
}

step_id tree_action(struct tree *tree, const char *target, const char *inputs, action_fn *action,
                    const char *signature)
{
    struct step step = {
        .rule = "copy", .action = action, .signature = arena_copy(&tree->texts, signature)};
    return add(tree, step, target, inputs);
}

void tree_forget_rules(struct tree *tree)
{
    graph_free(&tree->graph);
    tree->goal = NULL;
}

void tree_goal(struct tree *tree, const char *goal)
{
    tree->goal = goal;
}

void tree_settle(void)
{
    struct timespec wait = {.tv_nsec = 25 * 1000 * 1000};
    nanosleep(&wait, NULL);
}

/* What native_build_run does, for the graph made by hand. */
static int run(struct build *build, struct tree *tree)
{
    char *state_dir = path_join(tree->root, "out/.gantry");
    const char *goal = tree->goal ? tree->goal : tree->last_target;
    struct run_settings settings = {
        .state_dir = state_dir, .out = "out", .targets = &goal, .targets_count = 1};
    struct event begin = {.kind = EVENT_BUILD_BEGIN, .tree = tree->root, .lanes = build->lanes};
    build_send(build, &begin);
    struct err err = {0};
    int status = 2;
    int lock = build_lock(state_dir, &err);
    if (lock < 0 || graph_finish(&tree->graph, &err) < 0 ||
        build_open_journal(build, state_dir, &err) < 0)
        build_say(build, SEVERITY_ERROR, "%s", err.text);
    else
        status = build_run_graph(build, &tree->graph, &settings);
    if (lock >= 0)
        close(lock);
    free(state_dir);
    return status;
}

static void collect(struct tree *tree, struct queue *events)
{
    drop_events(tree);
    struct str ran = {0};
    for (struct event *event; (event = queue_pop(events));)
        vec_push(&tree->events, event);
    for (size_t i = 0; i < tree->events.len; i++) {
        const struct event *event = tree->events.at[i];
        if (event->kind == EVENT_BUILD_END)
            tree->end = *event;
    }
    for (step_id step = 0; step < tree->graph.steps.len; step++) {
        const char *target = graph_step_target(&tree->graph, step);
        if (tree_find_event(tree, EVENT_STEP_END, target))
            str_addf(&ran, "%s%s", ran.len ? " " : "", target);
    }
    tree->ran = str_take(&ran);
    queue_free(events, free);
}

static int run_tree(struct build *build, void *data)
{
    return run(build, data);
}

struct build *tree_start(struct tree *tree)
{
    struct queue *events = queue_new();
    struct err err;
    struct build *build = build_start_with(&tree->options, events, run_tree, tree, &err);
    if (!build)
        abort();
    return build;
}

int tree_join(struct tree *tree, struct build *build)
{
    struct queue *events = build->events;
    int status = build_finish(build);
    collect(tree, events);
    return status;
}

int tree_build(struct tree *tree)
{
    return tree_join(tree, tree_start(tree));
}

const struct event *tree_find_event(struct tree *tree, enum event_kind kind, const char *target)
{
    for (size_t i = 0; i < tree->events.len; i++) {
        const struct event *event = tree->events.at[i];
        if (event->kind == kind && (!target || (event->target && !strcmp(event->target, target))))
            return event;
    }
    return NULL;
}

unsigned tree_count_events(struct tree *tree, enum event_kind kind)
{
    unsigned count = 0;
    for (size_t i = 0; i < tree->events.len; i++)
        count += tree->events.at[i]->kind == kind;
    return count;
}
