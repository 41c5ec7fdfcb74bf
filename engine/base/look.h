/*
 * What a thread looks at while it reads a tree's description: whoever opens, lists or probes a path
 * there says so before, and whoever wants to know later whether the same reading would give the
 * same again listens. A note costs nothing where nobody listens. Any thread; each has a listener of
 * its own.
 */
#ifndef GANTRY_BASE_LOOK_H
#define GANTRY_BASE_LOOK_H

enum look {
    LOOK_AT, /* what is there */
    LOOK_AT_LINK, /* the link itself, not what it leads to */
    LOOK_FOR, /* only whether something is there */
};
typedef void look_fn(void *data, const char *path, enum look look);

void look_begin(look_fn *listener, void *data);
void look_end(void);
void look_at(const char *path);
void look_at_link(const char *path);
/* Whether there is such a path under a directory. */
void look_for_below(const char *dir, const char *path);

#endif
