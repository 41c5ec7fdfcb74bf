/*
 * A view: the tree as it is, in which everything may be changed and nothing of it stays. An overlay
 * (Linux overlayfs) in a mount name space of its own lies over the tree's own path, so that absolute
 * names fit; the rest of the machine is read-only below it. Works for root, and for users where user
 * name spaces are allowed; where overlays are not, a copy is mounted there instead.
 */
#ifndef GANTRY_RACE_VIEW_H
#define GANTRY_RACE_VIEW_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/file.h"
#include "base/str.h"

struct view_job {
    const char *root; /* the tree, absolute and canonical */
    const char *script; /* for /bin/sh, started in the root */
    unsigned timeout_ms;
    const volatile sig_atomic_t *stop; /* not 0: give up; NULL: never */
    const char *const *paths; /* relative to the root: what is looked at afterwards */
    size_t paths_count;
};

struct view_result {
    bool timed_out;
    int status; /* of the script: its exit status, or 128 + signal */
    struct str output; /* the last 64 KiB of standard output and error */
    struct hash *hashes; /* of the paths; of links what they point to */
    bool *there;
};

/* Runs a script in a view of its own, at the lowest priority. -1 and err where there can be no view
 * (why, and what would allow it). The result is freed by view_free. One call at a time a thread. */
int view_run(const struct view_job *job, struct view_result *result, struct err *err);
void view_free(struct view_result *result);

#endif
