/*
 * A build: one run of a tree's steps on lanes, in threads of its own. Events go out through a
 * queue, commands come in by build_command. The front end's thread calls everything here.
 */
#ifndef GANTRY_RUN_BUILD_H
#define GANTRY_RUN_BUILD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/queue.h"
#include "conf/conf.h"

/* What changed in a tree since its last build ended, for a build that need not look at all of it: who
 * watches it knows. Paths are absolute. Not told of need be what is below directories whose names begin
 * with a dot or look like an editor's own, and what is outside of the tree. */
struct build_changes {
    const char *const *paths; /* files that were written, made, moved or removed */
    size_t paths_count;
    const char *const *links; /* all symbolic links of the tree: what they lead to is elsewhere */
    size_t links_count;
};

struct build_options {
    const char *root; /* the tree, absolute */
    const struct assignment *assigns; /* command line and screen */
    size_t assigns_count;
    const char *const *targets; /* goals; none: the tree's own */
    size_t targets_count;
    const char *const *command; /* `-- make ...`: NULL-ended; NULL for a native tree */
    /* A tree of OSv: all stages and the image, or the image and what it wants. `command` is NULL, and
     * targets are goals of the tree's own make, in place of all that. */
    enum osv_want { OSV_NOT, OSV_BUILD, OSV_COMPOSE } osv;
    const char *directory; /* where `command` starts; NULL: root */
    unsigned lanes; /* 0: one a processor */
    double load_limit; /* 0: none */
    bool keep_going, dry_run;
    bool unabridged; /* tell the whole graph even where nothing is to do */
    const struct build_changes *changes; /* NULL: not known. Must outlive the build */
    bool brief; /* the reader needs no records of steps that are up to date */
    bool metered; /* tell once a second what the lanes' processes take of the machine */
    bool untraced; /* see nothing of what the steps touch */
    /* What `command` prints is kept: standard output and error in one, or each by itself; or it is
     * not, and goes to where this process's own goes. */
    enum capture { CAPTURE_TOGETHER, CAPTURE_APART, CAPTURE_NOTHING } capture;
    unsigned
        shuffle; /* not 0: steps start in a random order that the makefiles allow, by this seed */
    bool fail_on_races; /* a race that is not excused fails the build */
    bool verbatim; /* `command` does what it would without us: no step or build is passed over */
    bool no_input; /* standard input is the front end's own: what `command` runs finds it empty */
    const char *journal; /* file; NULL: the tree's own place */
};

struct build;

enum build_command {
    BUILD_DRAIN, /* start nothing more, let the running steps end */
    BUILD_KILL, /* and end those too: SIGTERM, then SIGKILL; a second time SIGKILL at once */
};

/*
 * Starts a build in the background. Everything that goes wrong, bad input too, is told by events:
 * an EVENT_MESSAGE (error) and an EVENT_BUILD_END, which is always the last event, with the exit
 * status in `exit`. NULL and err only where no thread or descriptor could be had.
 * The options are copied. `events` must outlive the build.
 */
struct build *build_start(const struct build_options *options, struct queue *events,
                          struct err *err);
void build_command(struct build *build, enum build_command command);
/* Waits for the end and frees the build. Returns the exit status (0, 1, 2, 128 + signal). */
int build_finish(struct build *build);

/* Where a configuration keeps its state and its journals (in journal/): new, absolute. For a native
 * tree that depends on arch and mode; NULL and err where those are wrong. */
char *build_state_dir(const char *root, const struct assignment *assigns, size_t count,
                      struct err *err);

/* The lock of a configuration: one build at a time. -1 with err naming the holder ("held by
 * pid 4711 (gantry build) since 12:04"). The descriptor is closed to release. */
int build_lock(const char *state_dir, struct err *err);
/* True while somebody holds that lock. Takes nothing away from who waits for it. */
bool build_is_locked(const char *state_dir);

#endif
