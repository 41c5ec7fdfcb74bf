/*
 * The tour: a few pages over the screen, shown at the first start and by its name in the palette.
 * Enter goes on, Esc leaves; a key that means something closes it and does that. The keys in the text
 * are those of the keymap, so that the user's own are told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tui/keymap.h"
#include "views/views.h"

struct tour_view {
    struct view view;
    unsigned page;
};

/* A line: a request whose keys stand before its text, or text alone (REQ_NONE). */
struct tour_line {
    enum request request;
    const char *text;
};

enum { LINES = 6, KEYS_W = 8 };

static const struct tour_page {
    const char *title;
    struct tour_line lines[LINES];
} pages[] = {
    {"welcome",
     {{REQ_NONE, "Gantry builds a tree on lanes, composes images, boots them, and shows what "
                 "happens meanwhile."},
      {REQ_BUILD, "builds what is stale, and nothing else"},
      {REQ_STOP, "stops: the running steps end first; again kills"},
      {REQ_BOOT, "boots the image; what is stale is built before"},
      {REQ_NONE, "Nothing here is done before you ask for it."}}},
    {"moving",
     {{REQ_NONE, "1 to 8 are the screens; the arrows move, and the same keys mean the same "
                 "everywhere."},
      {REQ_NEXT_PANE, "goes through the panes of a screen"},
      {REQ_ENTER, "goes into what is selected"},
      {REQ_BACK, "comes back"},
      {REQ_ZOOM, "shows the pane alone"}}},
    {"asking",
     {{REQ_WHY, "why it is built, or what it waits for"},
      {REQ_LOG, "what it printed"},
      {REQ_GRAPH, "its place in the graph"},
      {REQ_NEXT_FAILURE, "the next failure, or diagnostic in a log"},
      {REQ_SEARCH, "searches, on every screen"},
      {REQ_COMPARE, "two builds side by side: what differs first"}}},
    {"changing",
     {{REQ_NONE, "6 picks arch, mode, image and options; 7 edits what goes into the image."},
      {REQ_TYPE, "edits a field, or adds what is not there"},
      {REQ_UNDO, "takes the last edit back"},
      {REQ_WRITE, "writes, after it has shown the difference"},
      {REQ_NONE, "Until then nothing on disk is changed."}}},
    {"races",
     {{REQ_NONE, "4 lists steps that touch one file with no order between them, found in builds "
                 "that went well."},
      {REQ_PROVE, "tries in copies of the tree whether it does harm"},
      {REQ_MEND, "shows the edit that removes it"},
      {REQ_VERIFY, "builds again: is it gone?"}}},
    {"finding the rest",
     {{REQ_PALETTE, "every action by name, with its key"},
      {REQ_HELP, "what the keys do on the screen that is shown"},
      {REQ_QUIT, "quits; asks only while something runs"},
      {REQ_NONE, "The action `tour` shows these pages again; they do not come by themselves any "
                 "more."}}},
};
enum { PAGES = sizeof pages / sizeof *pages };

static void tour_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct tour_view *tour = (struct tour_view *)view;
    const struct tour_page *page = &pages[tour->page];
    char title[64];
    (void)ctx;
    snprintf(title, sizeof title, "tour: %s, %u of %d", page->title, tour->page + 1, PAGES);
    int w = canvas->w > 72 ? 68 : canvas->w - 2;
    int h = canvas->w > 72 ? LINES + 3 : LINES + 8; /* narrow, sentences take more rows */
    struct canvas box = canvas_popup(canvas, w, h, title);
    int y = 0;
    for (int i = 0; i < LINES && page->lines[i].text; i++) {
        const struct tour_line *line = &page->lines[i];
        char key[16] = "";
        if (line->request != REQ_NONE)
            keymap_first(line->request, key);
        int x = line->request == REQ_NONE ? 0 : KEYS_W;
        canvas_put(&box, 0, y, STYLE_KEY, key);
        y += canvas_wrap(&box, (struct rect){x, y, box.w - x, box.h - y}, STYLE_TEXT, line->text);
    }
}

static enum view_result tour_request(struct view *view, enum request request,
                                     const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct tour_view *tour = (struct tour_view *)view;
    (void)arg;
    switch (request) {
    case REQ_ENTER:
    case REQ_MARK:
    case REQ_RIGHT:
    case REQ_DOWN:
    case REQ_PAGE_DOWN:
    case REQ_CLICK:
    case REQ_WHEEL_DOWN:
        if (++tour->page < PAGES)
            return VIEW_HANDLED;
        tour->page = PAGES - 1;
        return VIEW_LEAVE;
    case REQ_LEFT:
    case REQ_UP:
    case REQ_PAGE_UP:
    case REQ_WHEEL_UP:
        tour->page -= tour->page > 0;
        return VIEW_HANDLED;
    case REQ_HOME:
        tour->page = 0;
        return VIEW_HANDLED;
    case REQ_END:
        tour->page = PAGES - 1;
        return VIEW_HANDLED;
    case REQ_BACK:
    case REQ_QUIT:
    case REQ_TOUR:
        return VIEW_LEAVE;
    case REQ_REDRAW:
    case REQ_SUSPEND:
    case REQ_MOUSE:
    case REQ_INTERRUPT:
        return VIEW_IGNORED;
    default:
        ctx->ops->perform(ctx->app, request); /* closes this view */
        return VIEW_HANDLED;
    }
}

static struct view *tour_open(const struct view_ctx *ctx)
{
    struct tour_view *tour = mem_zero(1, sizeof *tour);
    (void)ctx;
    tour->view.ops = &view_tour;
    return &tour->view;
}

static void tour_close(struct view *view)
{
    free(view);
}

static const struct view_key keys[] = {
    {REQ_ENTER, "goes on"}, {REQ_LEFT, "goes back"}, {REQ_BACK, "leaves"}, {REQ_NONE, NULL}};

const struct view_ops view_tour = {
    .name = "tour",
    .title = "Tour",
    .keys = keys,
    .open = tour_open,
    .close = tour_close,
    .draw = tour_draw,
    .request = tour_request,
};
