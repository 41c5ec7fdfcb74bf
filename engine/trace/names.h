/*
 * The paths that traces name, each once in the process: the steps of a build touch the same ones over
 * and over, and whoever keeps something of them goes by their numbers. Any thread.
 */
#ifndef GANTRY_TRACE_NAMES_H
#define GANTRY_TRACE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

/* The number of a text, dense from 0 up, adding it where it is new. */
uint32_t name_id(const char *text);
uint32_t name_id_n(const char *text, size_t length);
/* The number of a text, or INTERN_NONE. */
uint32_t name_find(const char *text);
/* The text of a number; it stays where it is as long as the names are held. */
const char *name_text(uint32_t name);

/* The name of the directory that a path stands in; of "/x" or no path: INTERN_NONE. */
uint32_t name_parent(uint32_t name);

/* Names are held as long as somebody has numbers of them: a trace does, and a build. */
void names_hold(void);
void names_release(void);
/* Forgets all names, unless somebody holds them. */
void names_forget(void);

/* What its owner keeps for each name, 0 where nothing is kept. Not thread-safe. */
typedef VEC(uint32_t) name_memo;
uint32_t *name_memo_at(name_memo *memo, uint32_t name);

#endif
