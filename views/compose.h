/* The compose screen's panes: private to views/compose*.c. */
#ifndef GANTRY_VIEWS_COMPOSE_H
#define GANTRY_VIEWS_COMPOSE_H

#include "base/re.h"
#include "base/vec.h"
#include "tui/field.h"
#include "tui/list.h"
#include "tui/screen_data.h"
#include "tui/view.h"
#include "views/model.h"

enum compose_pane { PANE_MANIFEST, PANE_ARGS, PANE_IMAGE, COMPOSE_PANES };

enum { COMPOSE_LABEL_W = 9 }; /* columns of the labels: args, parts, next ... */

/* What is being typed. */
enum compose_typing {
    TYPING_NOTHING,
    TYPING_GUEST, /* then the right side */
    TYPING_HOST,
    TYPING_ARGS,
};

/* What a pop-up with the diff asks. */
enum compose_popup { POPUP_NONE, POPUP_DIFF, POPUP_WRITE, POPUP_COMPOSE, POPUP_APPLY };

/* The order of the manifest pane's rows; the file's own never changes by it. */
enum compose_order { ORDER_GUEST, ORDER_SIZE, ORDER_FILE, COMPOSE_ORDERS };

/* A row of the manifest pane: an entry, or a directory whose entries fold below it. */
struct shown_row {
    size_t row; /* of the tab; of a directory its first entry */
    uint32_t count; /* of a directory: its entries; 0: an entry */
    size_t dir; /* bytes of the guest name that are its directory, without the last slash; of an
                   entry 0 where its directory has no row */
    uint64_t size_bytes; /* of a directory, as are these */
    uint32_t missing, staged;
    bool folded;
};

struct compose_view {
    struct view view;
    enum compose_pane pane;
    bool zoomed;
    int x, y; /* the canvas, and the panes, as drawn last: for the mouse; cells of the screen */
    struct rect at[COMPOSE_PANES];

    /* manifest */
    size_t tab;
    struct list list;
    VEC(struct shown_row) shown; /* in order; behind them one to add */
    str_list toggled; /* directories that are not folded */
    char *filter; /* NULL: none */
    struct re *filter_re, *search_re;
    enum compose_order order;

    enum compose_typing typing;
    struct field guest, host, args;
    char *changing; /* guest name of the entry that is edited; NULL: a new one */
    char *beside; /* a new one goes where this one stands; NULL: the tab's first manifest */
    char *preview; /* what the entry that is typed would put in; NULL: nothing to say */
    const struct view_ctx *ctx; /* while a key is handled: for completion */

    size_t image_top; /* image: rows scrolled away, */
    size_t image_rows, image_shown; /* how many there are, and fit; as drawn last */

    enum compose_popup popup;
    char *diff;
    size_t diff_top, diff_rows, diff_shown;
};

/* Brings `shown` up to date with the data, and the tab into bounds. */
void manifest_pane_sync(struct compose_view *v, const struct compose_data *data);
/* The tab's rows that the filter lets through, in order, folds opened; new. */
size_t *manifest_order(const struct compose_view *v, const struct compose_tab *tab, size_t *count);
/* Whether an entry passes a pattern: on either side of it. */
bool manifest_row_passes(struct re *re, const struct compose_row *row);
/* Folds a directory, or unfolds it. */
void manifest_toggle(struct compose_view *v, const char *dir, size_t length);
/* Where the columns stand at a width. */
struct manifest_columns {
    int guest_x, guest_w, host_x, host_w, size_x, size_w, from_x, from_w; /* from_w 0: dropped */
};
struct manifest_columns manifest_columns_of(int w);
void manifest_row_draw(const struct canvas *canvas, int y, const struct shown_row *shown,
                       const struct compose_tab *tab);
void manifest_pane_draw(struct compose_view *v, const struct canvas *canvas,
                        const struct compose_data *data);
/* True where the request was the pane's. */
bool manifest_pane_request(struct compose_view *v, enum request request,
                           const struct request_arg *arg, const struct view_ctx *ctx,
                           const struct compose_data *data);
/* A row of the pane was clicked, from 0 at its title. */
bool manifest_pane_click(struct compose_view *v, int row, const struct compose_data *data);
void manifest_pane_filter(struct compose_view *v, const char *text, const struct view_ctx *ctx);
void manifest_pane_key(struct compose_view *v, const struct key *key, const struct view_ctx *ctx);

/* Rows that the pane needs at a width, title included. */
int args_pane_rows(const struct compose_view *v, const struct compose_data *data, int w);
void args_pane_draw(struct compose_view *v, const struct canvas *canvas,
                    const struct compose_data *data);
bool args_pane_request(struct compose_view *v, enum request request, const struct view_ctx *ctx,
                       const struct compose_data *data);
void args_pane_key(struct compose_view *v, const struct key *key, const struct view_ctx *ctx,
                   const struct compose_data *data);

/* What can be said of boot arguments: each option, and the program; the notes' texts are theirs. */
typedef VEC(struct compose_note) args_notes;
void args_check(const struct compose_data *data, const char *text, args_notes *notes);
void args_notes_free(args_notes *notes);
/* Options, their values and guest files that continue the word before the cursor; as field.h's. */
void args_complete(const struct compose_data *data, const char *text, size_t at, size_t *from,
                   str_list *words);

/* `model`: for what is being composed. */
int image_pane_rows(const struct compose_data *data, const struct model *model, int w);
void image_pane_draw(struct compose_view *v, const struct canvas *canvas,
                     const struct compose_data *data, const struct model *model);
bool image_pane_request(struct compose_view *v, enum request request);

/* Draws words with their marks one after another from the label's column on, wrapped; returns the rows
 * taken. With no canvas it only counts. */
int compose_flow(const struct canvas *canvas, int y, int w, const struct compose_note *notes,
                 size_t count);

/* Shows what would be done (text is taken over), with what Enter does about it. */
void compose_show(struct compose_view *v, enum compose_popup popup, char *text);
/* The same of the diff of what is staged. */
void compose_ask(struct compose_view *v, enum compose_popup popup, const struct view_ctx *ctx);

#endif
