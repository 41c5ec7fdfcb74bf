/* What git knows of a tree, by libgit2 (opened on first use: it costs 12 ms). Any thread, one at a
 * time for one struct. */
#ifndef GANTRY_VCS_VCS_H
#define GANTRY_VCS_VCS_H

#include <stdbool.h>

#include "base/err.h"

struct vcs_state {
    char branch[128]; /* "master", or "(detached)"; "" where this is no repository */
    char head[16]; /* abbreviated commit, "" where there is none yet */
    unsigned dirty; /* tracked files that differ from HEAD, submodules' contents ignored */
};

/* Reads the state of the repository that holds `root`. 0 also where there is none (all empty). */
int vcs_read(const char *root, struct vcs_state *state, struct err *err);

#endif
