/*
 * Which files of a tree change: all directories of it are watched (inotify), but for what starts with a
 * dot. What builds write is no edit, but known: so a build after an edit need look at nothing else. The
 * loop's thread only.
 */
#ifndef GANTRY_TUI_WATCH_H
#define GANTRY_TUI_WATCH_H

#include <stdbool.h>

#include "base/err.h"
#include "run/build.h"

struct watch;

/* Watches a tree. NULL and err where the machine has no watches left, with the limit to raise. */
struct watch *watch_open(const char *root, struct err *err);
void watch_close(struct watch *watch);
/* Readable when something happened. */
int watch_fd(const struct watch *watch);
/* Takes in what happened; true where a file was saved, moved or removed. */
bool watch_take(struct watch *watch);
/* All that was touched since watch_forget; until the next watch_take. False where that is not known. */
bool watch_changes(const struct watch *watch, struct build_changes *changes);
/* Once a build (begun after the last watch_take) ended well, or was found to have nothing to do: what was
 * touched before it is settled. */
void watch_forget(struct watch *watch);

#endif
