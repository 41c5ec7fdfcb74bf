#include "tui/native.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/path.h"
#include "load/load.h"
#include "plan/plan.h"

static int open_tree(struct native_tree *tree, const struct cli *cli, bool driven, struct err *err)
{
    enum tree_kind kind = load_find_tree(cli->directory, &tree->root, err);
    if (kind == TREE_NONE)
        return -1;
    tree->osv = driven && kind == TREE_OSV && conf_is_osv(tree->root);
    if (kind == TREE_OSV && !driven && conf_is_osv(tree->root))
        return err_set(
            err, ERR_INPUT,
            "%s is OSv's own, whose steps only its make knows: there are build, compose, "
            "run, check, config, and of the last build log, races and replay",
            tree->root);
    if (kind != TREE_NATIVE && !tree->osv)
        return err_set(err, ERR_INPUT,
                       "%s does not describe itself (module.mk): it is built by gantry build -- %s",
                       tree->root, kind == TREE_NINJA ? "ninja" : "make");
    tree->conf = conf_load(tree->root, cli->assigns.at, cli->assigns.len, err);
    if (!tree->conf)
        return -1;
    tree->state_dir = tree->osv
                          ? path_join(tree->root, ".gantry")
                          : mem_format("%s/%s/.gantry", tree->root, conf_get(tree->conf, "out"));
    return 0;
}

int native_open(struct native_tree *tree, const struct cli *cli, struct err *err)
{
    return open_tree(tree, cli, false, err);
}

int native_open_driven(struct native_tree *tree, const struct cli *cli, struct err *err)
{
    return open_tree(tree, cli, true, err);
}

int native_load_graph(struct native_tree *tree, struct err *err)
{
    if (toolchain_resolve(&tree->tools, tree->conf, err) < 0)
        return -1;
    return load_native(&tree->graph, tree->root, tree->conf, &tree->tools, err);
}

int native_target(struct native_tree *tree, const char *name, file_id *file, struct err *err)
{
    struct load_facts facts;
    load_facts_of(tree->conf, &facts);
    *file = load_find_target(&tree->graph, &facts, name);
    if (*file != FILE_NONE)
        return 0;
    file_list goals = {0};
    int status = plan_goals(&tree->graph, conf_get(tree->conf, "out"), &name, 1, &goals, err);
    if (status == 0)
        *file = goals.at[0];
    vec_free(&goals);
    return status;
}

void native_close(struct native_tree *tree)
{
    graph_free(&tree->graph);
    toolchain_free(&tree->tools);
    if (tree->conf)
        conf_free(tree->conf);
    free(tree->state_dir);
    free(tree->root);
    *tree = (struct native_tree){0};
}

struct build_options native_build_options(const struct native_tree *tree, const struct cli *cli)
{
    return (struct build_options){.root = tree->root,
                                  .assigns = cli->assigns.at,
                                  .assigns_count = cli->assigns.len,
                                  .osv = tree->osv ? OSV_COMPOSE : OSV_NOT,
                                  .lanes = cli->lanes,
                                  .load_limit = cli->load_limit,
                                  .keep_going = cli->keep_going,
                                  .dry_run = cli->dry_run,
                                  .untraced = cli->untraced,
                                  .fail_on_races = cli->fail_on_races,
                                  .journal = cli->journal};
}
