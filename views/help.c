/* Help: what the keys do, made from the keymap and the screen's own key line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tui/keymap.h"
#include "tui/list.h"
#include "views/views.h"

struct help_view {
    struct view view;
    struct list list;
};

/* The requests that have keys, in the order of the table. */
static enum request nth(size_t index)
{
    for (unsigned i = REQ_NONE + 1; i < REQUESTS_COUNT; i++)
        if (*request_infos[i].keys && index-- == 0)
            return (enum request)i;
    return REQ_NONE;
}

static size_t count(void *data)
{
    size_t sum = 1; /* the digits */
    (void)data;
    for (unsigned i = REQ_NONE + 1; i < REQUESTS_COUNT; i++)
        sum += *request_infos[i].keys != '\0';
    return sum;
}

static uint64_t id(void *data, size_t index)
{
    (void)data;
    return index;
}

static void draw_line(void *data, const struct canvas *canvas, int y, size_t index)
{
    (void)data;
    if (index == 0) {
        char text[128] = "";
        for (unsigned i = 0; i < views_count; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%c %s  ", views[i]->key,
                     views[i]->title);
        canvas_put(canvas, 0, y, STYLE_KEY, "1-9");
        canvas_column(canvas, 10, y, canvas->w - 10, STYLE_TEXT, FIT_LEFT, text);
        return;
    }
    enum request request = nth(index - 1);
    int x = canvas_column(canvas, 0, y, 9, STYLE_KEY, FIT_LEFT, request_infos[request].keys) + 1;
    if (canvas->w > 50)
        x = canvas_column(canvas, x, y, 17, STYLE_TEXT, FIT_LEFT, request_infos[request].word) + 1;
    canvas_column(canvas, x, y, canvas->w - x, STYLE_TEXT, FIT_LEFT, request_infos[request].help);
}

static const struct list_source source = {NULL, count, id, draw_line};

static void help_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct help_view *help = (struct help_view *)view;
    (void)ctx;
    int w = canvas->w > 90 ? 86 : canvas->w - 2, h = (int)count(NULL) + 2;
    struct canvas box = canvas_popup(canvas, w, h < canvas->h ? h : canvas->h, "help: the keys");
    list_draw(&help->list, &source, &box, (size_t)box.h < count(NULL));
}

static enum view_result help_request(struct view *view, enum request request,
                                     const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct help_view *help = (struct help_view *)view;
    if (list_request(&help->list, &source, request, arg->y))
        return VIEW_HANDLED;
    if (request == REQ_ENTER && help->list.at > 0) {
        ctx->ops->perform(ctx->app, nth(help->list.at - 1));
        return VIEW_HANDLED;
    }
    return request == REQ_HELP ? VIEW_LEAVE : VIEW_IGNORED;
}

static struct view *help_open(const struct view_ctx *ctx)
{
    (void)ctx;
    struct help_view *help = mem_zero(1, sizeof *help);
    help->view.ops = &view_help;
    return &help->view;
}

static void help_close(struct view *view)
{
    free(view);
}

static const struct view_key keys[] = {{REQ_ENTER, "do it"}, {REQ_BACK, NULL}, {REQ_NONE, NULL}};

const struct view_ops view_help = {
    .name = "help",
    .title = "Help",
    .keys = keys,
    .open = help_open,
    .close = help_close,
    .draw = help_draw,
    .request = help_request,
};
