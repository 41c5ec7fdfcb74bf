/*
 * The screen: curses drawing into memory. A grid of cells goes in, the bytes that bring the
 * terminal from the frame before to this one come out. No terminal is touched: the bytes go to a
 * tty (terminal.h) or to a test's own terminal. Curses has one state a process, so one screen.
 */
#ifndef GANTRY_TUI_SCREEN_H
#define GANTRY_TUI_SCREEN_H

#include <stdbool.h>

#include "base/err.h"
#include "tui/canvas.h"

struct screen;

/* For a terminal type (NULL: $TERM). A type that can't place the cursor is an error that says what
 * to do. */
struct screen *screen_open(const char *type, bool color, struct err *err);
void screen_close(struct screen *screen);
/* Bytes of the frame, valid until the next call; *length 0 where nothing changed. The size is the
 * grid's. With `again` the whole frame is drawn anew. */
const char *screen_render(struct screen *screen, const struct grid *grid, bool again,
                          size_t *length);
/* What the type writes to enter and leave full-screen use; "" where it has nothing. */
const char *screen_enter(const struct screen *screen);
const char *screen_leave(const struct screen *screen);
bool screen_has_color(const struct screen *screen);

#endif
