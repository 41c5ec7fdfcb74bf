/*
 * From a path as a process gave it to the one canonical path that all steps share: links followed
 * as the kernel follows them, each link on the way told. Private to the room; one thread.
 */
#ifndef GANTRY_TRACE_RESOLVE_H
#define GANTRY_TRACE_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/map.h"
#include "base/str.h"

struct resolver {
    struct intern directories; /* canonical paths known to be real directories */
    bool distrust; /* names are changing right now: remember nothing */
    struct str root; /* where absolute links lead to and `..` ends: a chroot, or empty */
    struct str through; /* put before every path that is looked up ("/proc/4711/root"), or empty */
    void *data;
    void (*link)(void *data, const char *path); /* a symbolic link was followed here */
};

enum resolve_kind { RESOLVE_ABSENT, RESOLVE_FILE, RESOLVE_DIRECTORY, RESOLVE_LINK };

/* Resolves the absolute `path` of thread `tid` into `canonical` (emptied first); a last link is
 * followed where `follow_last`. Says what is there; an absent rest is kept as it was written. */
enum resolve_kind resolve_path(struct resolver *resolver, pid_t tid, const char *path,
                               bool follow_last, struct str *canonical);
/* Forgets what it knows: a directory or a link was removed, renamed or made. */
void resolve_forget(struct resolver *resolver);
void resolve_free(struct resolver *resolver);
/* A name changed there: where it is the system's own, nothing of that is remembered any more. Any
 * thread. */
void resolve_changed(const char *path);

#endif
