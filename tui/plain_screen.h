/* The build as lines on the normal screen, for a while: what it told so far, then what it tells. */
#ifndef GANTRY_TUI_PLAIN_SCREEN_H
#define GANTRY_TUI_PLAIN_SCREEN_H

#include "tui/console.h"

/* Suspends the screen, prints the journal of the build that is shown and goes on as it grows, until
 * a key is pressed or a signal comes. `idle` is called several times a second, for the rest of the
 * console's work. */
void plain_screen_run(struct console *console, void (*idle)(struct console *));

#endif
