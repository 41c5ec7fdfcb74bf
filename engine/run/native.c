/*
 * The native runner: configuration, toolchain, graph, then the schedule. And the door to a build:
 * build_start, which picks the runner.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "conf/conf.h"
#include "load/load.h"
#include "race/end.h"
#include "race/hold.h"
#include "run/build_internal.h"
#include "run/fresh.h"
#include "run/guard.h"
#include "toolchain/toolchain.h"
#include "vcs/vcs.h"

/* Everything that one native build holds. */
struct native {
    struct build *build;
    struct conf *conf; /* NULL where the graph was kept */
    struct load_facts facts; /* of conf, or kept */
    char *graph_file; /* where the graph is kept */
    uint64_t graph_id; /* once it was run: of the kept one, or 0 */
    struct toolchain tools;
    struct graph graph;
    char *state_dir;
    int lock;
    struct fresh fresh;
    struct holds holds;
};

struct build *build_start(const struct build_options *options, struct queue *events,
                          struct err *err)
{
    build_runner *runner = options->osv       ? osv_build_run
                           : options->command ? make_build_run
                                              : native_build_run;
    return build_start_with(options, events, runner, NULL, err);
}

char *build_state_dir(const char *root, const struct assignment *assigns, size_t count,
                      struct err *err)
{
    char *kind_root = NULL;
    enum tree_kind kind = load_find_tree(root, &kind_root, err);
    char *dir = NULL;
    if (kind == TREE_NATIVE) {
        struct conf *conf = conf_load(kind_root, assigns, count, err);
        if (conf) {
            dir = mem_format("%s/%s/.gantry", kind_root, conf_get(conf, "out"));
            conf_free(conf);
        }
    } else if (kind != TREE_NONE) {
        dir = path_join(kind_root, ".gantry");
    }
    free(kind_root);
    return dir;
}

/* The selection as words for people and for `replay`: what was given. */
static char *selection_text(const struct build_options *options)
{
    struct str text = {0};
    for (size_t i = 0; i < options->assigns_count; i++) {
        if (text.len)
            str_add_char(&text, ' ');
        str_addf(&text, "%s=", options->assigns[i].name);
        text_shell_quote(&text, options->assigns[i].value);
    }
    return str_take(&text);
}

static void tell_begin_of_build(struct native *native)
{
    struct build *build = native->build;
    struct vcs_state vcs = {0};
    struct err err = {0};
    if (vcs_read(build->options.root, &vcs, &err) < 0)
        build_say(build, SEVERITY_WARNING, "%s", err.text);
    char *selection = selection_text(&build->options);
    struct event event = {.kind = EVENT_BUILD_BEGIN,
                          .tree = build->options.root,
                          .head = vcs.head,
                          .dirty = vcs.dirty,
                          .loader = "native",
                          .selection = selection,
                          .lanes = build->lanes};
    event.arch = native->facts.arch;
    event.mode = native->facts.mode;
    event.image = native->facts.image;
    build_send(build, &event);
    free(selection);
}

/* The targets as paths; what the tree does not know stays as it was said, for the complaint. */
static const char **find_targets(struct native *native)
{
    const struct build_options *options = &native->build->options;
    const char **paths = mem_alloc((options->targets_count + 1) * sizeof *paths);
    for (size_t i = 0; i < options->targets_count; i++) {
        file_id file = load_find_target(&native->graph, &native->facts, options->targets[i]);
        paths[i] = file == FILE_NONE ? options->targets[i] : graph_path(&native->graph, file);
    }
    return paths;
}

/* The build ended well: the next one need neither load nor judge what has not changed. */
static void keep(struct native *native)
{
    struct fresh_facts *facts = &native->fresh.facts;
    facts->arch = native->facts.arch;
    facts->mode = native->facts.mode;
    facts->image = native->facts.image;
    facts->graph = native->graph_id;
    fresh_keep(&native->fresh);
}

static int run_graph(struct native *native)
{
    const struct build_options *options = &native->build->options;
    const char **targets = find_targets(native);
    struct run_settings settings = {.state_dir = native->state_dir,
                                    .out = native->facts.out,
                                    .targets = targets,
                                    .targets_count = options->targets_count,
                                    .holds = &native->holds,
                                    .fresh = &native->fresh,
                                    .graph_id = native->conf ? 0 : native->fresh.last.graph};
    race_begin_native(native->build, &native->graph, native->state_dir);
    int status = build_run_graph(native->build, &native->graph, &settings);
    native->graph_id = native->conf ? load_keep(&native->graph, &native->facts, native->graph_file)
                                    : native->fresh.last.graph;
    race_end_native(native->build, &native->graph, native->graph_id, native->state_dir);
    free(targets);
    struct err err = {0};
    fresh_watch(&native->fresh, true);
    if (status == 0 && !options->dry_run && load_publish(options->root, &native->facts, &err) < 0) {
        build_say(native->build, SEVERITY_ERROR, "%s", err.text);
        status = err_exit_status(&err);
    }
    fresh_unwatch();
    if (status == 0 && native->fresh.complete)
        keep(native);
    return status;
}

/* The graph of the last build, where all that loading read is as it was then. */
static bool take_kept(struct native *native)
{
    const struct fresh *fresh = &native->fresh;
    if (!fresh->seen.loading_holds || !fresh->last.graph ||
        !load_kept(&native->graph, &native->facts, native->graph_file, fresh->last.graph))
        return false;
    fresh_take_touched(&native->fresh);
    return true;
}

static int load(struct native *native, struct err *err)
{
    if (toolchain_resolve(&native->tools, native->conf, err) < 0)
        return -1;
    return load_native(&native->graph, native->build->options.root, native->conf, &native->tools,
                       err);
}

/* Every step before the first lane; err says what is wrong with the input. */
static int prepare(struct native *native, struct err *err)
{
    struct build *build = native->build;
    const struct build_options *options = &build->options;
    bool kept = take_kept(native);
    if (!kept) {
        native->conf = conf_load(options->root, options->assigns, options->assigns_count, err);
        if (native->conf)
            load_facts_of(native->conf, &native->facts);
    }
    tell_begin_of_build(native);
    holds_open(build, &native->holds);
    if (!kept && !native->conf)
        return -1;
    for (size_t i = 0; i < native->facts.warnings_count; i++)
        build_say(build, SEVERITY_WARNING, "%s", native->facts.warnings[i]);
    native->state_dir = mem_format("%s/%s/.gantry", options->root, native->facts.out);
    native->lock = build_lock(native->state_dir, err);
    if (native->lock < 0 || build_open_journal(build, native->state_dir, err) < 0)
        return -1;
    if (launcher_find(&build->launcher, native->facts.launcher, err) < 0)
        return -1;
    return kept ? 0 : load(native, err);
}

/* Everything that tells this build from another one of the tree. */
static void open_fresh(struct native *native)
{
    const struct build_options *options = &native->build->options;
    struct str asked = {0};
    str_add(&asked, "native\n");
    for (size_t i = 0; i < options->assigns_count; i++)
        str_addf(&asked, "%d %s=%s\n", (int)options->assigns[i].kind, options->assigns[i].name,
                 options->assigns[i].value);
    /* Goals choose among the steps of one graph. */
    native->graph_file = mem_format("%s/build/.gantry/graph-%016" PRIx64, options->root,
                                    hash_bytes(asked.at, asked.len).low);
    for (size_t i = 0; i < options->targets_count; i++)
        str_addf(&asked, "%s\n", options->targets[i]);
    char *dir = path_join(options->root, "build/.gantry");
    fresh_open(&native->fresh, native->build, dir, str_text(&asked));
    const char *const *names = conf_environment_names();
    for (; *names; names++)
        snapshot_add_variable(&native->fresh.snapshot, *names);
    free(dir);
    str_free(&asked);
}

/* Answers from the last build where nothing has changed since. */
static bool is_fresh(struct native *native)
{
    struct build *build = native->build;
    char *selection = selection_text(&build->options);
    bool fresh = fresh_answers(&native->fresh, &(struct event){.kind = EVENT_BUILD_BEGIN,
                                                               .tree = build->options.root,
                                                               .loader = "native",
                                                               .selection = selection,
                                                               .lanes = build->lanes});
    free(selection);
    return fresh;
}

int native_build_run(struct build *build, void *data)
{
    (void)data;
    struct native native = {.build = build, .lock = -1};
    struct err err = {0};
    int status;
    open_fresh(&native);
    bool answered = build->options.changes && is_fresh(&native);
    if (!answered)
        fresh_look(&native.fresh);
    if (answered || is_fresh(&native)) {
        holds_open(build, &native.holds);
        holds_free(&native.holds);
        fresh_close(&native.fresh);
        free(native.graph_file);
        return 0;
    }
    /* Forked while there is little to share: what is written afterwards would be copied page by page. */
    if (!build->options.dry_run)
        build->guard = guard_new(&err); /* where it fails, the first step says so */
    fresh_watch(&native.fresh, false);
    int ready = prepare(&native, &err);
    fresh_unwatch();
    if (ready == 0) {
        status = run_graph(&native);
    } else {
        build_say(build, SEVERITY_ERROR, "%s", err.text);
        status = err_exit_status(&err);
    }
    graph_free(&native.graph);
    toolchain_free(&native.tools);
    if (native.conf)
        conf_free(native.conf);
    if (native.lock >= 0)
        close(native.lock);
    free(native.state_dir);
    free(native.graph_file);
    holds_free(&native.holds);
    fresh_close(&native.fresh);
    return status;
}
