/*
 * Starting and supervising one child process of a lane: no shell unless asked for, a process group
 * of its own, no terminal, output into one pipe. For lane threads.
 */
#ifndef GANTRY_RUN_SPAWN_H
#define GANTRY_RUN_SPAWN_H

#include <stdint.h>

#include "run/build_internal.h"
#include "run/jobserver.h"
#include "run/steplog.h"
#include "trace/trace.h"

struct child_spec {
    const char *const *argv; /* looked up on PATH; or NULL: `shell` by /bin/sh -c */
    const char *shell;
    const char *dir; /* absolute */
    const char *real_dir; /* its canonical path where that is known, else NULL */
    char *const *environment;
    bool untraced; /* whatever the build's options say */
    enum trace_way way; /* how it is traced, if it is */
    uint32_t lane, step; /* whose it is */
    const char *program; /* path of argv[0] where that is known, else NULL */
};

struct child_end {
    int exit, signal; /* signal 0: it ended by itself */
    uint64_t wall_ns, cpu_ns, rss_kib;
    struct trace *trace; /* what its processes touched; the caller's to free. NULL: untraced */
};

/*
 * Runs a child to its end, traced unless the build's options or the machine say otherwise. Its output
 * goes to the log; a BUILD_KILL ends its process group (SIGTERM, after 2 s or a second BUILD_KILL
 * SIGKILL), and nothing of the group is left then. A program that cannot be started says so in the log
 * and ends with 127. -1 and err where no process could be made.
 */
int spawn_run(const struct child_spec *spec, struct build *build, struct steplog *log,
              struct child_end *end, struct err *err);

/* The environment of steps, in one allocation: ours without what belongs to a make that called us;
 * `makeflags` may be NULL. */
char **spawn_environment(const char *makeflags);

#endif
