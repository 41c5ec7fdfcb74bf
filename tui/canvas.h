/*
 * The canvas: a grid of cells in memory, and a window upon it in which a view draws. Views know
 * nothing else of the screen; the terminal shows the grid (terminal.h), tests read it.
 *
 * Coordinates are cells, from 0,0 at the canvas's upper left; what falls outside is cut. Text is
 * UTF-8; a control character or a byte that is no UTF-8 is shown as one replacement cell, so any
 * bytes may be drawn. With an ASCII grid every other character becomes its ASCII twin, cell for
 * cell: views draw `─ ● …` and need not care. The loop's thread only.
 */
#ifndef GANTRY_TUI_CANVAS_H
#define GANTRY_TUI_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tui/style.h"

struct rect {
    int x, y, w, h;
};

struct cell {
    uint32_t ch; /* code point; 0 in the right half of a wide character */
    uint32_t mark; /* one combining character, or 0 */
    uint8_t style; /* enum style */
    bool reverse; /* the cursor lies on it */
};

struct grid {
    int w, h;
    bool ascii;
    int cursor_x, cursor_y; /* the terminal's cursor; -1: hidden */
    struct cell *cells; /* w * h, by rows */
};

/* A window upon a grid; passed by address, made by value. */
struct canvas {
    struct grid *grid;
    int x, y; /* of its upper left in the grid */
    int w, h;
};

/* Sets the size and blanks all cells. A zeroed grid is ready for it. */
void grid_reset(struct grid *grid, int w, int h);
void grid_free(struct grid *grid);
struct canvas grid_canvas(struct grid *grid);

/* The part of a canvas; cut to what exists. */
struct canvas canvas_part(const struct canvas *canvas, struct rect part);

/* Draws text in one row; returns the column after it (which may lie outside). */
int canvas_put(const struct canvas *canvas, int x, int y, enum style style, const char *text);
int canvas_put_n(const struct canvas *canvas, int x, int y, enum style style, const char *text,
                 size_t length);
int canvas_putf(const struct canvas *canvas, int x, int y, enum style style, const char *format,
                ...) __attribute__((format(printf, 5, 6)));

/* How text that is too long for its column is shown. */
enum fit {
    FIT_LEFT, /* its beginning, then "…" */
    FIT_MIDDLE, /* both ends with "…" between: paths */
    FIT_RIGHT, /* flush right; too long: its beginning, then "…" */
};
/* Draws text in exactly w columns, padded with blanks; returns x + w. */
int canvas_column(const struct canvas *canvas, int x, int y, int w, enum style style, enum fit fit,
                  const char *text);

/* Draws text broken between words into lines of at most w columns, as far as the area goes; returns
 * the rows that the whole text takes. */
int canvas_wrap(const struct canvas *canvas, struct rect area, enum style style, const char *text);

/* A rectangle of one character. */
void canvas_fill(const struct canvas *canvas, struct rect area, enum style style, uint32_t ch);
/* Shows the cells of a row reversed: the cursor of a list. */
void canvas_reverse(const struct canvas *canvas, int x, int y, int w);
/* Gives w cells of a row another style, keeping what stands there. */
void canvas_restyle(const struct canvas *canvas, int x, int y, int w, enum style style);
/* Places the terminal's cursor (in a field). */
void canvas_cursor(const struct canvas *canvas, int x, int y);

/* A pane's title line: "name ──────── right ──". Where it is focused the name is bold. `right` may
 * be NULL or ""; it is dropped where there is no room. */
void canvas_title(const struct canvas *canvas, int y, bool focus, const char *name,
                  const char *right);

/* A bar of w cells, `part` of `whole` full, in eighths; more than whole ends in ">". */
void canvas_bar(const struct canvas *canvas, int x, int y, int w, enum style style, double part,
                double whole);

/* A framed box in the middle (at most the canvas), cleared; gives its inside. */
struct canvas canvas_popup(const struct canvas *canvas, int w, int h, const char *title);

/* Columns that text takes on the screen. */
int canvas_columns(const char *text);
int canvas_columns_n(const char *text, size_t length);

/* Durations for people: "40ms", "0.3s", "12.4s", "3:12", "1:02:03". */
void text_duration(char out[static 16], uint64_t ns);

#endif
