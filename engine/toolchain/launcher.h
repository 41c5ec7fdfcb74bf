/*
 * A launcher: a command that stands before compile commands and runs or answers them (ccache, distcc,
 * icecc). What it makes is what the compiler would have made, so it is no part of a step's command:
 * another launcher makes nothing stale. Any thread.
 */
#ifndef GANTRY_TOOLCHAIN_LAUNCHER_H
#define GANTRY_TOOLCHAIN_LAUNCHER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/vec.h"

struct launcher {
    str_list words; /* the command, its program as an absolute path; empty: there is no launcher */
    char *name; /* for people: the program's name; NULL: none */
};

/* Fills a zeroed launcher; "" and "none" are none. -1 and err where the program is not on PATH. */
int launcher_find(struct launcher *launcher, const char *command, struct err *err);
void launcher_free(struct launcher *launcher);
/* Whether steps of this rule are compiles. */
bool launcher_takes(const struct launcher *launcher, const char *rule);
/* argv with the launcher before it: new, the strings borrowed. */
const char **launcher_argv(const struct launcher *launcher, const char *const *argv);

/* The machine on which a process of the launcher has a compile done just now, as it tells its own
 * monitors: known of distcc alone. False: it is not known, or nothing runs. */
enum { LAUNCHER_HOST = 128 };
bool launcher_host(const struct launcher *launcher, pid_t pid, char out[static LAUNCHER_HOST]);

/* Whether a path is part of a cache that orders itself: of compilations, by its usual name or where it was
 * told to be (CCACHE_DIR), of what a user's programs keep (.cache), or of Python's compiled modules. */
bool launcher_is_cache(const char *path);

/*
 * For commands that we do not make: a directory, to stand first on PATH, in which each compiler that is
 * on PATH is a link to the launcher, which then looks further along PATH for the compiler of the name
 * that it was called by. Fills `dir`, making it anew. -1 and err where the launcher is none that does
 * so, or was given options.
 */
int launcher_masquerade(const struct launcher *launcher, const char *dir, struct err *err);

#endif
