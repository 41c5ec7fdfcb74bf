/* The JSON view: one event a line (DESIGN.md 9a), the text of a step's output read from its log.
 * One thread. */
#ifndef GANTRY_VIEWS_JSON_H
#define GANTRY_VIEWS_JSON_H

#include "journal/event.h"
#include "views/plain.h"

/* Appends the event's line, newline included. `io` is used to read logs only. */
void json_event(const struct event *event, const struct plain_io *io, struct str *out);

#endif
