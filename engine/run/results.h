/*
 * What a step used and left, looked at when it has ended, for its record: declared inputs, what a
 * depfile or its trace names besides, outputs. Private to run; lane threads.
 */
#ifndef GANTRY_RUN_RESULTS_H
#define GANTRY_RUN_RESULTS_H

#include "base/ids.h"
#include "run/job.h"

struct results {
    struct job *job;
    int64_t start_ns, start_coarse_ns; /* wall clock; file systems stamp with the coarse one */
    struct hash *before; /* of declared inputs that were saved just now; else hash_unknown */
    struct ids used; /* names of paths with their marks */
    struct ids absent; /* of paths that it looked for in vain, whatever is there by now */
    struct ids made; /* of undeclared paths that it wrote */
    VEC(bool) was_there; /* beside `made` */
};

/* What files outside of the tree are, looked at once a build: compilers and system headers; and how
 * the names of traces are called here. Shared by the lanes. */
struct system_files;
struct system_files *system_files_new(void);
void system_files_free(struct system_files *files);

/* A file that was read, as a command or an action names it; relative ones from the root. */
void results_add_file(struct results *results, const char *path);
/* A path outside of the tree that was looked for in vain. */
void results_add_missed(struct results *results, const char *path);
/* All that its trace shows. */
void results_add_trace(struct results *results, const struct trace *trace);
/* Looks at everything and fills job->seen and job->ran. The path of a declared output that is not
 * there, or NULL. */
const char *results_look(struct results *results);
void results_free(struct results *results);

#endif
