/*
 * Loaders: from a tree's own description to a graph. tree.c is the native loader; make.c drives GNU
 * make through the gate (it runs, not only loads); ninja.c comes later.
 */
#ifndef GANTRY_LOAD_LOAD_H
#define GANTRY_LOAD_LOAD_H

#include "base/err.h"
#include "base/vec.h"
#include "conf/conf.h"
#include "graph/graph.h"
#include "toolchain/toolchain.h"

enum tree_kind {
    TREE_NONE,
    TREE_NATIVE, /* module.mk and conf/ */
    TREE_OSV, /* OSv itself: conf/, Makefile, scripts/module.py */
    TREE_MAKE, /* Makefile or GNUmakefile */
    TREE_NINJA, /* build.ninja */
};

/* Finds the tree at or above `start`. *root is new (caller frees), NULL for TREE_NONE, for which
 * err says what was looked for and names `gantry demo DIR`. */
enum tree_kind load_find_tree(const char *start, char **root, struct err *err);

/* Fills a zeroed graph from a native tree; strings that steps use live in graph or conf, so conf
 * must outlive the graph. On error the graph is to be freed all the same. */
int load_native(struct graph *graph, const char *root, struct conf *conf,
                const struct toolchain *tools, struct err *err);

/* What of a conf a build needs beside the graph. Strings live as long as the conf or, where the graph
 * was kept, the graph. */
struct load_facts {
    const char *arch, *mode, *image, *out, *image_out;
    const char *image_targets; /* words */
    const char *launcher; /* the command before compiles, or "" */
    const char *const *warnings;
    size_t warnings_count;
};
void load_facts_of(struct conf *conf, struct load_facts *facts);

/* kept.c. Writes a loaded, finished graph and its facts to a file; gives an id for load_kept, or 0 where
 * they cannot be kept. */
uint64_t load_keep(const struct graph *graph, const struct load_facts *facts, const char *file);
/* Fills a zeroed graph, finished, from such a file. False where it is not there, not whole, or not the
 * one of this id: then the tree is to be loaded. */
bool load_kept(struct graph *graph, struct load_facts *facts, const char *file, uint64_t id);

/* The file that a person means by a target's name: as the tree says it ("loader.img"), or a path.
 * FILE_NONE where there is none. */
file_id load_find_target(const struct graph *graph, const struct load_facts *facts,
                         const char *word);

/* After a build that made image targets: publishes build/<mode> and the symlinks of the image's
 * outputs in build/<mode>.<arch>/ (see gantry-conf(5)). Touches only what differs. */
int load_publish(const char *root, const struct load_facts *facts, struct err *err);

/* The files that recorded builds of a make tree made, that are there, and that no goal which was ever
 * built wants any more: relative to the root, each with the step that made it. */
struct state;
typedef void load_orphan_fn(void *data, uint32_t step, const char *path);
void load_make_orphans(const struct state *state, int root_fd, load_orphan_fn *each, void *data);

/* make_explain.c. Why a step of a make tree would run again: by what is recorded of it and how the files
 * are now. One thread; it writes nothing. */
struct load_explaining;
struct step_record;
/* A reason as in step-ready events; words that say nothing are NULL. */
struct load_cause {
    const char *target, *reason, *path, *was, *now;
};
struct load_explained {
    const char *target, *rule, *command; /* the command: a line for each of the recipe's */
    const struct step_record *record; /* NULL: a source, which nothing makes */
    bool each_time; /* make runs it each time */
    /* The step's own first, then whose product decided; freed by the caller. */
    VEC(struct load_cause) chain;
    struct load_cause last; /* why it ran last; reason NULL: not known */
    const char *changed; /* something that makes read and that is another now, so that make decides;
                            or NULL */
};
/* NULL and err where nothing is known of the tree. */
struct load_explaining *load_explain_open(const char *root, const char *state_dir, struct err *err);
/* Fills *out, whose texts live until the close. -1 and err where the name is of nothing that is known. */
int load_explain(struct load_explaining *explaining, const char *name, struct load_explained *out,
                 struct err *err);
void load_explain_close(struct load_explaining *explaining);

#endif
