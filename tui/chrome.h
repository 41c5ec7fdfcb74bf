/* What stands around every screen: header, tabs, key line; and what is left of all on a terminal
 * that is too small. */
#ifndef GANTRY_TUI_CHROME_H
#define GANTRY_TUI_CHROME_H

#include "tui/app.h"

/* " osv master@0e34e4d+3   x64 release default   612/1215  3:12, 3:05 left  ⚑1 ✗1", with less and
 * less of it as the width shrinks; one row. */
void chrome_header(const struct app *app, const struct canvas *canvas);
/* The tabs; one row. Below the width of them all only the current one. */
void chrome_tabs(const struct app *app, const struct canvas *canvas);
/* The index of the screen whose tab stands at column x, or -1. */
int chrome_tab_at(const struct app *app, int w, int x);
/* The message, the prompt or the keys; one row. */
void chrome_keys(struct app *app, const struct canvas *canvas);
/* Rows that it takes: more than one while a message is longer than the whole screen is wide. */
int chrome_keys_rows(const struct app *app, const struct canvas *all);
/* One right line of progress, and below it what runs. */
void chrome_tiny(const struct app *app, const struct canvas *canvas);
/* "612/≥1190" and how it stands: " done", " failed". */
void chrome_progress(const struct app *app, char out[static 64]);

#endif
