/*
 * Compilers' messages in a step's output: gcc, clang, GNU ld, GNU make, javac under ant.
 * One struct diag belongs to one thread at a time.
 */
#ifndef GANTRY_RUN_DIAG_H
#define GANTRY_RUN_DIAG_H

#include <stddef.h>

#include "journal/event.h"

struct diag;

struct diag *diag_new(void);
void diag_free(struct diag *diag);
/* Calls `found` for each message in `text` with an EVENT_DIAGNOSTIC whose strings live until the
 * next; its step is `step`. */
void diag_scan(struct diag *diag, uint32_t step, const char *text, size_t length,
               void (*found)(void *context, const struct event *event), void *context);

#endif
