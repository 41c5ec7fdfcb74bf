/*
 * SIGINT, SIGTERM and SIGHUP while the main thread is busy, blocked in a write too: a thread of its
 * own passes them on. Handlers, not a mask: what is executed meanwhile starts with a clean slate.
 * One at a time; main thread.
 */
#ifndef GANTRY_TUI_STOP_H
#define GANTRY_TUI_STOP_H

#include "base/err.h"

struct stop;

/* From now on each of these signals calls `stop`, in another thread; `times` counts from 1. */
struct stop *stop_watch(void (*stop)(void *data, unsigned times), void *data, struct err *err);
/* Ends that and puts the old dispositions back. Returns the first signal that came, or 0. */
int stop_end(struct stop *stop);

#endif
