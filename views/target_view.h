/* The target screen's state and what its drawing and its keys share: private to views/target*.c. */
#ifndef GANTRY_VIEWS_TARGET_VIEW_H
#define GANTRY_VIEWS_TARGET_VIEW_H

#include "base/re.h"
#include "base/vec.h"
#include "tui/field.h"
#include "tui/list.h"
#include "tui/screen_data.h"
#include "tui/view.h"

enum { TARGET_LABEL_W = 10 };
enum { PANE_MATRIX, PANE_PROFILES, PANE_OPTIONS, PANES };

struct target_view {
    struct view view;
    int pane;
    bool placed; /* the cursor was put on what is picked */
    size_t arch, row; /* the matrix's cursor; row: mode * images + image */
    size_t top, left; /* first row and arch shown */
    int x, y; /* the canvas, and the panes, as drawn last: for the mouse; cells of the screen */
    struct rect matrix, options_at;
    int cell_w;
    struct list list; /* of options */
    size_t profile; /* the selected one; profiles_count: the place of a new one */
    VEC(uint64_t) marked; /* combinations to be built one after the other: hashes of their names */
    struct re *search;
    struct field field; /* an option's value, or (naming) a profile's name */
    bool naming, commanding; /* what the field is for, besides an option's value */
    char *command; /* of a make tree, where it was typed here; NULL: it was not */
};

/* The console's data; NULL where there is no tree. */
const struct target_data *target_data_of(const struct view_ctx *ctx);
/* Rows of the matrix: a mode and an image each. */
size_t target_rows(const struct target_data *data);
bool target_can_pick(const struct target_data *data);
/* Puts the cursor on what is picked, once, and keeps it inside ever after. */
void target_place_cursor(struct target_view *v, const struct target_data *data,
                         const struct app_state *state);
/* Arch, mode and image of a combination. */
void target_names(const struct target_data *data, size_t arch, size_t row,
                  const char *names[static 3]);
/* A mark stays with its combination, wherever that stands: a hash of its names. */
uint64_t target_combination(const struct target_data *data, size_t arch, size_t row);
/* The index of its mark, marked.len where it has none. */
size_t target_mark(const struct target_view *v, uint64_t combination);
struct list_source target_options(const struct target_data *data);
void target_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx);

#endif
