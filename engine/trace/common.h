/*
 * What steps find out about paths, kept for the steps after them: a hundred compiles look for the same
 * headers in the same places. Private to the room; any thread.
 *
 * How long something is believed depends on whose it is. The system's own (below /usr, /etc and their
 * like, and the programs of PATH) is asked once in ten seconds, as packages are upgraded while a
 * console is open; its links once a second. Elsewhere a directory is believed for a second, and that
 * nothing is there only where the kernel has just said so: then no look can tell more than that a
 * dangling link stands there. Whatever is believed wrongly for so long is told by the next build, which
 * compares each path as it finds it.
 *
 * Where a whole path led is kept as well: most paths of a step are those of the step before. It rests on
 * what the caller's resolver knew of the way, and is believed as the shortest-lived of it: for ten seconds
 * where all is the system's and no link is on the way, else for one.
 */
#ifndef GANTRY_TRACE_COMMON_H
#define GANTRY_TRACE_COMMON_H

#include "trace/resolve.h"

/* What is known to stand at a path that is canonical but for its last name, where the resolver's call
 * may believe it; a link's target goes to `target` (PATH_MAX + 1 bytes). False: not known. */
bool common_find(const struct str *path, const struct resolver *resolver, enum resolve_kind *kind,
                 char *target);
/* Keeps what was found there, with a link's target. */
void common_keep(const struct str *path, const struct resolver *resolver, enum resolve_kind kind,
                 const char *target);
/* The same of what stands before a path's last name, where no link is on the way: the path as it was
 * given, and where it leads. */
bool common_find_parent(const char *path, size_t length, struct str *canonical,
                        enum resolve_kind *kind);
void common_keep_parent(const char *path, size_t length, const struct str *canonical,
                        enum resolve_kind kind);
/* Where a path led: what stands there, and the links that were followed. Never to what the accelerator asks
 * for (RING_PLACE), so that who ignores nothing else need not look at the path. */
enum { COMMON_LINKS = 16 }; /* what leads through more is not kept */
struct common_note {
    uint32_t name; /* canonical (names.h) */
    enum resolve_kind kind;
    bool systems; /* all of it is the system's */
    uint32_t links_count, links[COMMON_LINKS]; /* names */
};
struct common_query {
    const char *path;
    size_t length;
    bool follow_last;
    enum resolve_told told; /* by the kernel, of what is there */
    bool found; /* `note` was */
    struct common_note note;
};
/* Looks for notes of several paths (at most COMMON_QUERIES), where a call may believe them: it was told what
 * is there, or it only looks (resolver), and all is the system's. */
enum { COMMON_QUERIES = 16 };
void common_find_notes(struct common_query *const *queries, size_t count,
                       const struct resolver *resolver);
/* Keeps a query's note. */
void common_keep_note(const struct common_query *query, const struct resolver *resolver);
/* Whether a path is the system's own. */
bool common_is_systems(const char *path);
/* When what is known of a system's own path was asked for first; 0: nothing is to be remembered of
 * this one. What is kept beside it holds as long as the number stays. */
uint64_t common_since(const char *path);
/* A name changed there: where it is the system's own, nothing of that is remembered any more. */
void common_changed(const char *path);
/* A directory or a link changes somewhere: ways may lead elsewhere. */
void common_ways_changed(void);

#endif
