/*
 * From a path as a process gave it to the one canonical path that all steps share: links followed
 * as the kernel follows them, each link on the way told. Private to the room; one thread.
 */
#ifndef GANTRY_TRACE_RESOLVE_H
#define GANTRY_TRACE_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/map.h"
#include "base/str.h"

enum resolve_kind { RESOLVE_ABSENT, RESOLVE_FILE, RESOLVE_DIRECTORY, RESOLVE_LINK };

/* What stands before a path's last name, as it was given, and where it leads: the same for hundreds
 * of paths. */
struct resolve_parent {
    uint32_t canonical; /* id of names */
    uint32_t links, links_count; /* a stretch of `links`: those followed on the way */
    enum resolve_kind kind; /* a directory; or nothing, so that nothing is below it either */
};
struct resolve_parents {
    struct intern texts, names;
    VEC(struct resolve_parent) of; /* by id of texts */
    VEC(uint32_t) links; /* names (names.h) */
};

/* What the caller knows from the kernel's own answer: it spares a look. */
enum resolve_told { RESOLVE_NOT_TOLD, RESOLVE_TOLD_ABSENT, RESOLVE_TOLD_THERE };

struct resolver {
    struct intern directories; /* canonical paths known to be real directories, */
    struct intern files; /* and known to be no links */
    struct resolve_parents parents;
    uint64_t since_ns; /* when it began to know these */
    bool gathering; /* links are noted for one of them */
    enum resolve_told told;
    bool looks; /* the call changes nothing: what the system had not lately it has not now */
    bool distrust; /* names are changing right now: remember nothing */
    struct str root; /* where absolute links lead to and `..` ends: a chroot, or empty */
    struct str through; /* put before every path that is looked up ("/proc/4711/root"), or empty */
    void *data;
    void (*link)(void *data, uint32_t name); /* a symbolic link was followed here */
    VEC(uint32_t) followed; /* the links of the path that was resolved last: names, */
    uint32_t name; /* and the name of where it led */
};

/* Resolves the absolute `path` of thread `tid` into `canonical` (emptied first); a last link is
 * followed where `follow_last`. Says what is there; an absent rest is kept as it was written. Where
 * the resolver is `told`, that is believed instead of looking again. */
enum resolve_kind resolve_path(struct resolver *resolver, pid_t tid, const char *path,
                               bool follow_last, struct str *canonical);
/* The same, and asks nobody who resolved that path before (common.h). */
enum resolve_kind resolve_path_anew(struct resolver *resolver, pid_t tid, const char *path,
                                    bool follow_last, struct str *canonical);
/* Forgets what it knows: a directory or a link was removed, renamed or made. */
void resolve_forget(struct resolver *resolver);
/* The same where a plain file was. */
void resolve_forget_files(struct resolver *resolver);
/* Forgets what it has known for ten seconds (CLOCK_MONOTONIC): nobody tells it what changes outside of the build. */
void resolve_forget_old(struct resolver *resolver, uint64_t now_ns);
void resolve_free(struct resolver *resolver);

#endif
