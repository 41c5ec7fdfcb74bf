/* The compose screen's panes: private to views/compose*.c. */
#ifndef GANTRY_VIEWS_COMPOSE_H
#define GANTRY_VIEWS_COMPOSE_H

#include "base/re.h"
#include "base/vec.h"
#include "tui/field.h"
#include "tui/list.h"
#include "tui/screen_data.h"
#include "tui/view.h"

enum compose_pane { PANE_MANIFEST, PANE_ARGS, PANE_IMAGE, COMPOSE_PANES };

/* What is being typed. */
enum compose_typing {
    TYPING_NOTHING,
    TYPING_GUEST, /* then the right side */
    TYPING_HOST,
    TYPING_ARGS,
};

/* What a pop-up with the diff asks. */
enum compose_popup { POPUP_NONE, POPUP_DIFF, POPUP_WRITE, POPUP_COMPOSE };

struct compose_view {
    struct view view;
    enum compose_pane pane;
    bool zoomed;
    int x, y; /* the canvas, and the panes, as drawn last: for the mouse; cells of the screen */
    struct rect at[COMPOSE_PANES];

    /* manifest */
    size_t tab;
    struct list list;
    VEC(size_t) shown; /* rows of the tab that the filter lets through, in order; then one to add */
    char *filter; /* NULL: none */
    struct re *filter_re, *search_re;
    bool by_size;

    enum compose_typing typing;
    struct field guest, host, args;
    char *changing; /* guest name of the entry that is edited; NULL: a new one */
    char *beside; /* a new one goes where this one stands; NULL: the tab's first manifest */
    const struct view_ctx *ctx; /* while a key is handled: for completion */

    enum compose_popup popup;
    char *diff;
    size_t diff_top, diff_rows, diff_shown;
};

/* Brings `shown` up to date with the data, and the tab into bounds. */
void manifest_pane_sync(struct compose_view *v, const struct compose_data *data);
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
int args_pane_rows(const struct compose_data *data, int w);
void args_pane_draw(struct compose_view *v, const struct canvas *canvas,
                    const struct compose_data *data);
bool args_pane_request(struct compose_view *v, enum request request, const struct view_ctx *ctx,
                       const struct compose_data *data);
void args_pane_key(struct compose_view *v, const struct key *key, const struct view_ctx *ctx,
                   const struct compose_data *data);

int image_pane_rows(const struct compose_data *data, int w);
void image_pane_draw(struct compose_view *v, const struct canvas *canvas,
                     const struct compose_data *data);

/* Shows the diff of what is staged, with what Enter does about it. */
void compose_ask(struct compose_view *v, enum compose_popup popup, const struct view_ctx *ctx);

#endif
