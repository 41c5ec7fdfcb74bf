/*
 * What a thread looks at while it reads a tree's description: whoever opens, lists or probes a path
 * there says so before, and whoever wants to know later whether the same reading would give the
 * same again listens. A note costs nothing where nobody listens. Any thread; each has a listener of
 * its own.
 */
#ifndef GANTRY_BASE_LOOK_H
#define GANTRY_BASE_LOOK_H

#include <stdbool.h>

/* `link`: the link itself is looked at, not what it leads to. */
typedef void look_fn(void *data, const char *path, bool link);

void look_begin(look_fn *listener, void *data);
void look_end(void);
void look_at(const char *path);
void look_at_link(const char *path);
/* The same for a path under a directory. */
void look_below(const char *dir, const char *path);

#endif
