/*
 * The plain view: events in, lines out, for pipes, CI, dumb terminals and screen readers. A fold
 * over events like every view; it opens nothing: text of logs comes in and lines go out through
 * struct plain_io. One thread.
 *
 *   [612/1215] CXX core/sched.o  4.2s
 *   <the whole output of that step>
 *   ...
 *   ran 214, 31 rewrote the same bytes, 0 failed, 3:12
 *
 * Raw instead prints the output of each step when it ends and nothing else, as `make -O` does.
 */
#ifndef GANTRY_VIEWS_PLAIN_H
#define GANTRY_VIEWS_PLAIN_H

#include <stdbool.h>

#include "journal/event.h"

enum plain_to { PLAIN_OUT, PLAIN_ERR };

struct plain_io {
    void *data;
    void (*write)(void *data, enum plain_to to, const char *bytes, size_t length);
    /* Appends up to `length` bytes of a log from `offset`; short where the log is gone. */
    void (*read)(void *data, const char *path, uint64_t offset, uint64_t length, struct str *out);
};

struct plain_options {
    bool raw, color, ascii, dry_run;
    bool quiet; /* of steps only those that failed; no summary where nothing had to be done */
    unsigned verbose; /* 1: commands too */
};

struct plain;

struct plain *plain_new(const struct plain_options *options, const struct plain_io *io);
/* Prints what the event has to say. At build-end: the failures again, and the summary. */
void plain_event(struct plain *plain, const struct event *event);
/* From now on a guest's console goes through as it is: the terminal is the guest's. */
void plain_console(struct plain *plain, bool through);
void plain_free(struct plain *plain);

/* "3:12", "1:02:03", "4.2s": for people. */
void plain_duration(char out[static 24], uint64_t ns);

/* Why a step is stale, in words: of step-ready's reason. */
const char *plain_reason(const char *reason);

#endif
