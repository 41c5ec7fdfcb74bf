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

/* Who changed a line last. */
struct vcs_blame {
    bool known; /* the file stands in a repository's tree */
    char commit[16]; /* abbreviated; "" where the line is in no commit yet */
    char author[96], date[16] /* 2026-11-26, the author's */, summary[160];
};

/* The commit that brought in a line (from 1) of a file as it is now; edits that are in no commit are
 * allowed for. 0 also where there is no repository. Follows the line through the history: 10 ms,
 * 2 s where ten thousand commits have to be gone through. */
int vcs_blame(const char *path, unsigned line, struct vcs_blame *blame, struct err *err);

#endif
