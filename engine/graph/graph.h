/*
 * The graph: files and steps, and the order between them. Loaders fill it; plan, run, race and the
 * screens read it. Ids are dense 32-bit indexes. Filled by one thread, then read-only (the fields
 * that a build changes live with the build, not here).
 */
#ifndef GANTRY_GRAPH_GRAPH_H
#define GANTRY_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"

typedef uint32_t step_id;
typedef uint32_t file_id;
#define STEP_NONE UINT32_MAX
#define FILE_NONE UINT32_MAX

/* What a native step may use while it runs, in its lane's thread. */
struct action_io {
    const char *root; /* the tree; paths are relative to it */
    const char *const *inputs; /* the step's inputs, in order */
    uint32_t inputs_count;
    const char *const *outputs;
    uint32_t outputs_count;
    void (*print)(struct action_io *, const char *); /* a line for the step's log */
    bool (*stopped)(struct action_io *); /* asked to stop: return -1 soon */
    void (*compose)(struct action_io *, const char *part, uint64_t size_bytes); /* tell a part */
    void (*needs)(struct action_io *, const char *path); /* a file that was read: as in a depfile */
    /* Long work: how much of it is done. As often as it likes; may be NULL. */
    void (*progress)(struct action_io *, uint64_t done_bytes, uint64_t total_bytes);
};

/* In-process work (bootfs, disk, ...). `data` is the loader's, alive as long as the graph.
 * Returns 0, or -1 with err. Must write its outputs by a temporary name and rename. */
typedef int action_fn(const void *data, struct action_io *io, struct err *err);

/* What can be said of a native step's input before anything runs: -1 and err (ERR_INPUT) where the step
 * cannot but fail. The graph is finished; paths are relative to `root`. */
struct graph;
typedef int check_fn(const void *data, const struct graph *graph, const char *root,
                     struct err *err);

enum step_flags {
    STEP_PHONY = 1, /* groups; nothing runs */
    STEP_RESTAT =
        2, /* outputs may come out unchanged: stop the wave (always so for native trees) */
    STEP_GENERATES = 4, /* its outputs are read by the loader itself (ninja's generator) */
    STEP_TERMINAL = 8, /* wants the terminal (ninja's console pool) */
    STEP_ALWAYS = 16, /* has no state: always run */
    STEP_AFRESH = 32, /* its outputs are removed before it runs (an archive keeps old members) */
};

/* One unit of work. Lists are slices of the graph's `links`. */
struct step {
    const char *rule; /* cc, cxx, as, link, bootfs, ... */
    const char *const *argv; /* what is executed, NULL-ended; or NULL */
    const char *shell; /* or: a command line for /bin/sh -c; or NULL */
    action_fn *action; /* or: in-process work; or NULL (phony) */
    const void *data; /* the action's */
    check_fn *check; /* of the same data; may be NULL */
    const char *signature; /* native: everything besides inputs that decides the outputs */
    const char *depfile; /* path of a make depfile that the command writes, or NULL */
    const char *dir; /* working directory relative to the root, or NULL for the root */
    const char *origin; /* file that declares it ("kernel/module.mk"), or NULL */
    uint32_t origin_line;
    uint32_t outputs, outputs_count; /* first in links[], and how many */
    uint32_t inputs, inputs_count; /* declared prerequisites (file ids) */
    uint32_t order, order_count; /* order-only prerequisites */
    uint32_t pool; /* index of pools; 0: none */
    uint8_t flags; /* enum step_flags */
};

struct file {
    uint32_t name; /* id in graph->names: path relative to the root, clean */
    step_id producer; /* the step that makes it, or STEP_NONE for a source */
};

struct pool {
    const char *name;
    uint32_t depth;
};

struct graph {
    struct arena arena; /* strings and argv of steps */
    struct intern names;
    VEC(struct file) files; /* by file_id */
    VEC(struct step) steps; /* by step_id */
    VEC(uint32_t) links; /* file ids of all the slices */
    VEC(uint32_t) file_of_name; /* name id -> file_id */
    VEC(file_id) goals; /* what is built where nothing is asked for */
    VEC(struct pool) pools; /* 0 is "no pool" */
    str_list read_files; /* every file that the loader read: a change means loading again */
    /* Consumers of each file, CSR, made by graph_finish. */
    uint32_t *use_start; /* by file_id, files.len + 1 entries */
    step_id *uses;
    char *packed; /* the bytes that strings live in where it was unpacked (graph/pack.h), or NULL */
};

/* A zeroed graph is ready. The file of a path (cleaned here), added where it is new. */
file_id graph_file(struct graph *graph, const char *path);
/* The file of a path, or FILE_NONE. */
file_id graph_find_file(const struct graph *graph, const char *path);
const char *graph_path(const struct graph *graph, file_id file);

/* What a new step is made of; arrays are copied, strings must live in graph->arena or for ever. */
struct step_spec {
    struct step step; /* the slices are filled in by graph_add_step */
    const file_id *outputs, *inputs, *order;
    uint32_t outputs_count, inputs_count, order_count;
};
/* Adds a step. An output that another step makes already is an error naming both places. */
step_id graph_add_step(struct graph *graph, const struct step_spec *spec, struct err *err);

/* Checks for cycles (err names one as a path: a -> b -> a) and makes the consumers' index. */
int graph_finish(struct graph *graph, struct err *err);
void graph_free(struct graph *graph);

/* The step's first output's path: how a step is named everywhere. */
const char *graph_step_target(const struct graph *graph, step_id step);
const file_id *graph_inputs(const struct graph *graph, step_id step, uint32_t *count);
const file_id *graph_order(const struct graph *graph, step_id step, uint32_t *count);
const file_id *graph_outputs(const struct graph *graph, step_id step, uint32_t *count);
/* The steps that have the file as a prerequisite (any kind); after graph_finish. */
const step_id *graph_uses(const struct graph *graph, file_id file, uint32_t *count);

/* Export: the steps that `cone` needs (FILE_NONE: all), as lines "outputs: inputs | order", as
 * Graphviz, JSON or compile_commands. */
enum graph_format { GRAPH_TEXT, GRAPH_DOT, GRAPH_JSON, GRAPH_COMPDB };
void graph_export(const struct graph *graph, const char *root, enum graph_format format,
                  file_id cone, struct str *out);
/* A chain of prerequisites from one file to another, appended to `path`; -1 where there is none. */
int graph_find_path(const struct graph *graph, file_id from, file_id to, file_id **path,
                    uint32_t *count);

#endif
