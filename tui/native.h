/*
 * What the commands on a native tree share: finding and reading it, and building on the way to
 * something else. Main thread.
 */
#ifndef GANTRY_TUI_NATIVE_H
#define GANTRY_TUI_NATIVE_H

#include "conf/conf.h"
#include "graph/graph.h"
#include "run/build.h"
#include "toolchain/toolchain.h"
#include "tui/cli.h"

struct native_tree {
    char *root; /* absolute */
    bool osv; /* a tree of OSv that is driven; see native_open_driven */
    struct conf *conf;
    char *state_dir; /* absolute: what builds of this configuration know */
    struct toolchain tools; /* from here on: native_load_graph */
    struct graph graph;
};

/* Finds the tree of -C and reads its configuration. A tree that does not describe itself is an error
 * that says what builds it. The struct is zeroed by the caller, and closed by him on error too. */
int native_open(struct native_tree *tree, const struct cli *cli, struct err *err);
/* The same for trees of OSv too, which have no graph of ours. */
int native_open_driven(struct native_tree *tree, const struct cli *cli, struct err *err);
/* Loads its graph, finished. */
int native_load_graph(struct native_tree *tree, struct err *err);
/* The file of a target's name as a person says it; err names the nearest. */
int native_target(struct native_tree *tree, const char *name, file_id *file, struct err *err);
void native_close(struct native_tree *tree);

/* What cli asks of a build of this tree; strings stay cli's and the tree's. Of a tree of OSv: of its
 * image. */
struct build_options native_build_options(const struct native_tree *tree, const struct cli *cli);

#endif
