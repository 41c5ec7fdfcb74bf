/*
 * Help: what the screen under it is for, its own keys, then those that are the same everywhere, and
 * the command that does the same as a key. Made from the view's table and the keymap.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tui/keymap.h"
#include "tui/list.h"
#include "views/views.h"

/* A line of text, or a request with its word on this screen. */
struct row {
    char *text; /* ours; NULL: a request */
    bool heading;
    enum request request;
    const char *word;
};

struct help_view {
    struct view view;
    struct list list;
    VEC(struct row) rows;
    int w; /* that the text was wrapped for */
    int top; /* of the rows in the last frame: for the mouse */
};

static void clear(struct help_view *help)
{
    for (size_t i = 0; i < help->rows.len; i++)
        free(help->rows.at[i].text);
    help->rows.len = 0;
}

static void add_text(struct help_view *help, const char *text, size_t length, bool heading)
{
    vec_push(&help->rows, (struct row){mem_copy_n(text, length), heading, REQ_NONE, NULL});
}

/* Words broken into lines of at most w columns (the texts are plain ASCII). */
static void add_wrapped(struct help_view *help, const char *text, size_t w)
{
    while (*text) {
        size_t length = strlen(text);
        if (length > w) {
            length = w;
            while (length > 1 && text[length] != ' ')
                length--;
        }
        add_text(help, text, length, false);
        text += length;
        text += strspn(text, " ");
    }
}

static bool is_on_screen(const struct view_ops *screen, enum request request)
{
    for (const struct view_key *key = screen->keys; key->request != REQ_NONE; key++)
        if (key->request == request)
            return true;
    return false;
}

static void fill(struct help_view *help, const struct view_ops *screen, int w)
{
    clear(help);
    help->w = w;
    add_wrapped(help, screen->about ? screen->about : "", (size_t)(w > 20 ? w : 20));
    add_text(help, "", 0, false);
    for (const struct view_key *key = screen->keys; key->request != REQ_NONE; key++)
        vec_push(&help->rows, (struct row){NULL, false, key->request, key->word});
    add_text(help, "", 0, false);
    add_text(help, "everywhere", 10, true);
    struct str digits = {0};
    for (unsigned i = 0; i < views_count; i++)
        str_addf(&digits, "%s%c %s", i ? "  " : "", views[i]->key, views[i]->title);
    add_wrapped(help, str_text(&digits), (size_t)(w > 20 ? w : 20));
    str_free(&digits);
    for (unsigned i = REQ_NONE + 1; i < REQUESTS_COUNT; i++)
        if (*keymap_keys((enum request)i) && !is_on_screen(screen, (enum request)i))
            vec_push(&help->rows, (struct row){NULL, false, (enum request)i, NULL});
}

static size_t count(void *data)
{
    return ((struct help_view *)data)->rows.len;
}

static uint64_t id(void *data, size_t index)
{
    (void)data;
    return index;
}

static void draw_row(void *data, const struct canvas *canvas, int y, size_t index)
{
    enum { KEYS_W = 9, WORD_W = 17, COMMAND_W = 32, WIDE = 96 };
    const struct row *row = &((struct help_view *)data)->rows.at[index];
    if (row->text) {
        canvas_put(canvas, 0, y, row->heading ? STYLE_STRONG : STYLE_TEXT, row->text);
        return;
    }
    const struct request_info *info = &request_infos[row->request];
    int x = canvas_column(canvas, 0, y, KEYS_W, STYLE_KEY, FIT_LEFT, keymap_keys(row->request)) + 1;
    if (canvas->w > 50)
        x = canvas_column(canvas, x, y, WORD_W, STYLE_TEXT, FIT_LEFT,
                          row->word ? row->word : info->word) +
            1;
    int command_w = canvas->w >= WIDE ? COMMAND_W : 0;
    canvas_column(canvas, x, y, canvas->w - command_w - x, STYLE_TEXT, FIT_LEFT, info->help);
    if (command_w)
        canvas_column(canvas, canvas->w - command_w + 1, y, command_w - 1, STYLE_FAINT, FIT_LEFT,
                      info->command);
}

static struct list_source source_of(struct help_view *help)
{
    return (struct list_source){help, count, id, draw_row};
}

static void help_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct help_view *help = (struct help_view *)view;
    const struct view_ops *screen = ctx->state->screen;
    int w = canvas->w > 116 ? 112 : canvas->w - 2;
    if (help->w != w - 4)
        fill(help, screen, w - 4);
    char title[64];
    snprintf(title, sizeof title, "help: %s", screen->title);
    int h = (int)help->rows.len + 2;
    struct canvas box = canvas_popup(canvas, w, h < canvas->h ? h : canvas->h, title);
    help->top = box.y - canvas->y;
    struct list_source source = source_of(help);
    list_draw(&help->list, &source, &box, true);
}

static enum view_result help_request(struct view *view, enum request request,
                                     const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct help_view *help = (struct help_view *)view;
    struct list_source source = source_of(help);
    if (list_request(&help->list, &source, request, arg->y - help->top))
        return VIEW_HANDLED;
    if (request == REQ_ENTER && help->list.at < help->rows.len &&
        !help->rows.at[help->list.at].text) {
        ctx->ops->perform(ctx->app, help->rows.at[help->list.at].request);
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
    struct help_view *help = (struct help_view *)view;
    clear(help);
    vec_free(&help->rows);
    free(help);
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
