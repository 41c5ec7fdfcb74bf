/*
 * A step's own log: its output whole, in one file, made with the first byte and removed when the
 * step was silent. Tells step-output events (at most 20 a second) and, at its end, diagnostics.
 * One thread at a time.
 */
#ifndef GANTRY_RUN_STEPLOG_H
#define GANTRY_RUN_STEPLOG_H

#include <stdint.h>

#include "run/build_internal.h"

struct steplog {
    struct build *build;
    uint32_t step;
    char *path; /* absolute */
    int fd; /* -1 until the first output */
    int number; /* errno of the first write that failed, or 0 */
    uint64_t length; /* bytes written */
    uint64_t told; /* bytes that events spoke of */
    uint64_t told_ns; /* when */
};

/* The log of `target` under `state_dir`/log; one from an earlier run is removed. `out` is a prefix
 * to leave out ("build/release.x64"), or "". */
void steplog_open(struct steplog *log, struct build *build, uint32_t step, const char *state_dir,
                  const char *out, const char *target);
void steplog_write(struct steplog *log, const char *bytes, size_t length);
/* Sends what is not told yet where 50 ms have passed; returns the ms to wait for that, or -1. */
int steplog_tell(struct steplog *log);
/* Tells the rest, finds diagnostics and closes. The file stays where there was output. */
void steplog_close(struct steplog *log);

/* The path of a target's log, new; whether it is there is another question. */
char *steplog_path(const char *state_dir, const char *out, const char *target);

#endif
