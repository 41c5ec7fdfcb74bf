/*
 * Which files of a tree change: all directories of it are watched (inotify), but for what builds
 * write and what starts with a dot. The loop's thread only.
 */
#ifndef GANTRY_TUI_WATCH_H
#define GANTRY_TUI_WATCH_H

#include <stdbool.h>

#include "base/err.h"

struct watch;

/* Watches a tree. NULL and err where the machine has no watches left, with the limit to raise. */
struct watch *watch_open(const char *root, struct err *err);
void watch_close(struct watch *watch);
/* Readable when something happened. */
int watch_fd(const struct watch *watch);
/* Takes in what happened; true where a file was saved, moved or removed. */
bool watch_take(struct watch *watch);

#endif
