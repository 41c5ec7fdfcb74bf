/*
 * A virtualised list: only what is visible is asked for, whatever the count. The selection is
 * anchored: the selected thing keeps its identity and its row of the screen while others come and
 * go above and below. Where it went itself, the one at its place is selected.
 */
#ifndef GANTRY_TUI_LIST_H
#define GANTRY_TUI_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tui/canvas.h"
#include "tui/request.h"

struct list_source {
    void *data;
    size_t (*count)(void *data);
    /* An identity that stays with the thing. */
    uint64_t (*id)(void *data, size_t index);
    /* Draws one row at y over the canvas's width; the list shows the cursor itself. */
    void (*draw)(void *data, const struct canvas *canvas, int y, size_t index);
};

struct list {
    size_t at; /* the selected index */
    size_t top; /* the index of the first visible row */
    uint64_t id; /* identity of the selected */
    size_t rows; /* visible at the last draw */
    bool started; /* something was selected before */
};

/* Finds the selected thing again and scrolls so that it keeps its row. */
void list_sync(struct list *list, const struct list_source *source, size_t rows);
/* Draws all rows of the canvas; the cursor is reverse where `focus`. Syncs first. */
void list_draw(struct list *list, const struct list_source *source, const struct canvas *canvas,
               bool focus);
/* Motions (UP DOWN PAGE_* HOME END WHEEL_*) and CLICK (arg's y as row). True where it was one. */
bool list_request(struct list *list, const struct list_source *source, enum request request, int y);
/* Selects an index. */
void list_select(struct list *list, const struct list_source *source, size_t index);

#endif
