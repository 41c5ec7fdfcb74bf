/*
 * Compose: what the next image is made of. Three panes: the manifests, the boot arguments, the
 * image. Every edit is staged; W shows the diff and writes, c shows it, writes and composes.
 */
#include "views/compose.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/model.h"
#include "views/views.h"

enum { WIDE = 140, LOW = 15 };

static struct view *open_compose(const struct view_ctx *ctx)
{
    (void)ctx;
    struct compose_view *v = mem_zero(1, sizeof *v);
    v->view.ops = &view_compose;
    v->tab = SIZE_MAX; /* the last: what is on the disk */
    return &v->view;
}

static void close_compose(struct view *view)
{
    struct compose_view *v = (struct compose_view *)view;
    vec_free(&v->shown);
    str_list_free(&v->toggled);
    free(v->preview);
    free(v->filter);
    re_free(v->filter_re);
    re_free(v->search_re);
    field_free(&v->guest);
    field_free(&v->host);
    field_free(&v->args);
    free(v->changing);
    free(v->beside);
    free(v->diff);
    free(v);
}

static const struct compose_data *get_data(const struct view_ctx *ctx)
{
    bool has = ctx->state->tree == APP_TREE_NATIVE || ctx->state->tree == APP_TREE_OSV;
    bool can = has && ctx->ops->composition;
    return can ? ctx->ops->composition(ctx->app) : NULL;
}

/* ---- drawing ---- */

static void draw_pane(struct compose_view *v, enum compose_pane pane, const struct canvas *canvas,
                      struct rect at, const struct compose_data *data, const struct model *model)
{
    struct canvas part = canvas_part(canvas, at);
    v->at[pane] = (struct rect){part.x, part.y + 1, part.w, part.h - 1};
    if (part.h <= 0)
        return;
    if (pane == PANE_MANIFEST)
        manifest_pane_draw(v, &part, data);
    else if (pane == PANE_ARGS)
        args_pane_draw(v, &part, data);
    else
        image_pane_draw(v, &part, data, model);
}

/* Manifest on top, arguments and image below it, as high as they need to be, up to a third each; the
 * image may take more while it has the focus. Where it is low, the panes without focus keep their
 * titles only. */
static void draw_stacked(struct compose_view *v, const struct canvas *canvas,
                         const struct compose_data *data, const struct model *model)
{
    int w = canvas->w, h = canvas->h;
    int args_h = args_pane_rows(v, data, w), image_h = image_pane_rows(data, model, w);
    int limit = h / 3, image_limit = v->pane == PANE_IMAGE ? h * 3 / 5 : limit;
    args_h = args_h > limit ? limit : args_h;
    image_h = image_h > image_limit ? image_limit : image_h;
    if (h < LOW) {
        args_h = v->pane == PANE_ARGS ? h - 2 : 1;
        image_h = v->pane == PANE_IMAGE ? h - 2 : 1;
    }
    int manifest_h = h - args_h - image_h;
    draw_pane(v, PANE_MANIFEST, canvas, (struct rect){0, 0, w, manifest_h}, data, model);
    draw_pane(v, PANE_ARGS, canvas, (struct rect){0, manifest_h, w, args_h}, data, model);
    draw_pane(v, PANE_IMAGE, canvas, (struct rect){0, manifest_h + args_h, w, image_h}, data,
              model);
}

static void draw_wide(struct compose_view *v, const struct canvas *canvas,
                      const struct compose_data *data, const struct model *model)
{
    int left = canvas->w * 60 / 100, right = canvas->w - left - 1;
    int args_h = args_pane_rows(v, data, right) + 1;
    draw_pane(v, PANE_MANIFEST, canvas, (struct rect){0, 0, left, canvas->h}, data, model);
    draw_pane(v, PANE_ARGS, canvas, (struct rect){left + 1, 0, right, args_h}, data, model);
    draw_pane(v, PANE_IMAGE, canvas, (struct rect){left + 1, args_h, right, canvas->h - args_h},
              data, model);
}

/* The diff, and the question. */
static void draw_popup(struct compose_view *v, const struct canvas *canvas)
{
    static const char *const titles[] = {"", "staged", "write?", "write and compose?", "apply?"};
    static const char *const answers[] = {"", "Esc back", "Enter writes   Esc back",
                                          "Enter writes and composes   Esc back",
                                          "Enter writes into the image   Esc back"};
    v->diff_rows = 0;
    for (const char *p = v->diff; *p; p++)
        v->diff_rows += *p == '\n';
    int h = (int)v->diff_rows + 5;
    struct canvas box = canvas_popup(canvas, canvas->w < 104 ? canvas->w - 4 : 100,
                                     h < canvas->h - 2 ? h : canvas->h - 2, titles[v->popup]);
    int rows = box.h - 2;
    v->diff_shown = rows > 0 ? (size_t)rows : 0;
    if (v->diff_top + v->diff_shown > v->diff_rows)
        v->diff_top = v->diff_rows > v->diff_shown ? v->diff_rows - v->diff_shown : 0;
    const char *line = v->diff;
    for (size_t i = 0; *line && i < v->diff_top + v->diff_shown; i++) {
        size_t length = strcspn(line, "\n");
        if (i >= v->diff_top)
            canvas_put_n(&box, 1, (int)(i - v->diff_top),
                         *line == '+'   ? STYLE_STRONG
                         : *line == ' ' ? STYLE_TEXT
                         : *line == '-' ? STYLE_TEXT
                                        : STYLE_FAINT,
                         line, length);
        line += length + (line[length] == '\n');
    }
    canvas_put(&box, 1, box.h - 1, STYLE_KEY, answers[v->popup]);
}

static void draw_compose(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct compose_view *v = (struct compose_view *)view;
    const struct compose_data *data = get_data(ctx);
    if (!data || data->problem) {
        canvas_put(canvas, 1, 1, STYLE_TEXT,
                   data                     ? data->problem
                   : ctx->state->tree_error ? ctx->state->tree_error
                                            : "make composes the images of this tree: b runs it");
        return;
    }
    manifest_pane_sync(v, data);
    v->x = canvas->x;
    v->y = canvas->y;
    memset(v->at, 0, sizeof v->at);
    if (v->zoomed)
        draw_pane(v, v->pane, canvas, (struct rect){0, 0, canvas->w, canvas->h}, data, ctx->model);
    else if (canvas->w >= WIDE && canvas->h >= LOW)
        draw_wide(v, canvas, data, ctx->model);
    else
        draw_stacked(v, canvas, data, ctx->model);
    if (v->popup)
        draw_popup(v, canvas);
}

/* ---- requests ---- */

static void close_popup(struct compose_view *v)
{
    v->popup = POPUP_NONE;
    free(v->diff);
    v->diff = NULL;
    v->diff_top = 0;
}

void compose_show(struct compose_view *v, enum compose_popup popup, char *text)
{
    close_popup(v);
    v->diff = text;
    v->popup = popup;
}

void compose_ask(struct compose_view *v, enum compose_popup popup, const struct view_ctx *ctx)
{
    compose_show(v, popup, ctx->ops->staged_diff(ctx->app));
    if (*v->diff)
        return;
    close_popup(v);
    ctx->ops->say(ctx->app, SEVERITY_NOTE, "nothing is staged");
}

/* Does what the pop-up asked about. */
static void accept_popup(struct compose_view *v, const struct view_ctx *ctx)
{
    enum compose_popup popup = v->popup;
    close_popup(v);
    if (popup == POPUP_APPLY)
        ctx->ops->apply_args(ctx->app);
    else if (popup != POPUP_DIFF && ctx->ops->write_staged(ctx->app) && popup == POPUP_COMPOSE)
        ctx->ops->compose(ctx->app);
}

/* While the diff is shown: scroll, do it, or go back. Everything else waits. */
static enum view_result popup_request(struct compose_view *v, enum request request,
                                      const struct view_ctx *ctx)
{
    size_t page = v->diff_shown > 1 ? v->diff_shown - 1 : 1;
    switch (request) {
    case REQ_UP:
    case REQ_WHEEL_UP:
        v->diff_top -= v->diff_top > 0;
        break;
    case REQ_DOWN:
    case REQ_WHEEL_DOWN:
        v->diff_top++;
        break;
    case REQ_PAGE_UP:
        v->diff_top = v->diff_top > page ? v->diff_top - page : 0;
        break;
    case REQ_PAGE_DOWN:
        v->diff_top += page;
        break;
    case REQ_ENTER:
    case REQ_WRITE:
    case REQ_COMPOSE:
    case REQ_APPLY:
        accept_popup(v, ctx);
        break;
    case REQ_BACK:
    case REQ_DIFF:
        close_popup(v);
        break;
    case REQ_QUIT:
    case REQ_INTERRUPT:
    case REQ_REDRAW:
        return VIEW_IGNORED;
    default:
        break;
    }
    return VIEW_HANDLED;
}

static bool click(struct compose_view *v, const struct request_arg *arg,
                  const struct compose_data *data)
{
    int x = arg->x + v->x, y = arg->y + v->y;
    for (int i = 0; i < COMPOSE_PANES; i++) {
        const struct rect *at = &v->at[i];
        /* The title belongs to its pane. */
        if (x < at->x || x >= at->x + at->w || y < at->y - 1 || y >= at->y + at->h)
            continue;
        v->pane = (enum compose_pane)i;
        return i != PANE_MANIFEST || !data->tabs_count || manifest_pane_click(v, y - at->y, data) ||
               y < at->y;
    }
    return false;
}

/* What is the same in all panes. */
static bool common_request(struct compose_view *v, enum request request,
                           const struct request_arg *arg, const struct view_ctx *ctx,
                           const struct compose_data *data)
{
    switch (request) {
    case REQ_NEXT_PANE:
        v->pane = (v->pane + 1) % COMPOSE_PANES;
        return true;
    case REQ_PREVIOUS_PANE:
        v->pane = (v->pane + COMPOSE_PANES - 1) % COMPOSE_PANES;
        return true;
    case REQ_ZOOM:
        v->zoomed = !v->zoomed;
        return true;
    case REQ_UNDO:
        ctx->ops->stage_undo(ctx->app);
        return true;
    case REQ_REDO:
        ctx->ops->stage_redo(ctx->app);
        return true;
    case REQ_DIFF:
        compose_ask(v, POPUP_DIFF, ctx);
        return true;
    case REQ_WRITE:
        compose_ask(v, POPUP_WRITE, ctx);
        return true;
    case REQ_COMPOSE:
        if (data->staged_count)
            compose_ask(v, POPUP_COMPOSE, ctx);
        return data->staged_count > 0; /* nothing staged: the console composes */
    case REQ_CLICK:
        return click(v, arg, data);
    default:
        return false;
    }
}

static enum view_result request_compose(struct view *view, enum request request,
                                        const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct compose_view *v = (struct compose_view *)view;
    const struct compose_data *data = get_data(ctx);
    if (!data || data->problem)
        return request == REQ_BACK ? VIEW_LEAVE : VIEW_IGNORED;
    manifest_pane_sync(v, data);
    if (v->popup)
        return popup_request(v, request, ctx);
    if (v->pane == PANE_MANIFEST && manifest_pane_request(v, request, arg, ctx, data))
        return VIEW_HANDLED;
    if (v->pane == PANE_ARGS && args_pane_request(v, request, ctx, data))
        return VIEW_HANDLED;
    if (v->pane == PANE_IMAGE && image_pane_request(v, request))
        return VIEW_HANDLED;
    if (common_request(v, request, arg, ctx, data))
        return VIEW_HANDLED;
    if (request != REQ_BACK)
        return VIEW_IGNORED;
    if (!v->zoomed)
        return VIEW_LEAVE;
    v->zoomed = false;
    return VIEW_HANDLED;
}

static void compose_key(struct view *view, const struct key *key, const struct view_ctx *ctx)
{
    struct compose_view *v = (struct compose_view *)view;
    const struct compose_data *data = get_data(ctx);
    if (!data) {
        view->typing = false;
        return;
    }
    if (v->typing == TYPING_ARGS)
        args_pane_key(v, key, ctx, data);
    else
        manifest_pane_key(v, key, ctx);
}

static void compose_save(const struct view *view, struct str *out)
{
    const struct compose_view *v = (const struct compose_view *)view;
    if (v->filter)
        str_addf(out, "filter %s\n", v->filter);
    static const char *const orders[] = {"", "sort size\n", "sort file\n"};
    str_add(out, orders[v->order]);
    for (size_t i = 0; i < v->toggled.len; i++)
        str_addf(out, "open %s\n", v->toggled.at[i]);
    str_addf(out, "pane %d\n", (int)v->pane);
}

static void compose_restore(struct view *view, const char *line, const struct view_ctx *ctx)
{
    struct compose_view *v = (struct compose_view *)view;
    if (str_starts(line, "filter "))
        manifest_pane_filter(v, line + 7, ctx);
    if (str_starts(line, "sort "))
        v->order = strcmp(line + 5, "size") == 0 ? ORDER_SIZE : ORDER_FILE;
    if (str_starts(line, "open "))
        manifest_toggle(v, line + 5, strlen(line + 5));
    if (str_starts(line, "pane ") && line[5] >= '0' && line[5] < '0' + COMPOSE_PANES)
        v->pane = (enum compose_pane)(line[5] - '0');
}

static bool compose_knocks(const struct view *view, const struct view_ctx *ctx)
{
    (void)view;
    const struct compose_data *data = get_data(ctx);
    return data && data->staged_count > 0;
}

static const struct view_key compose_keys[] = {
    {REQ_TYPE, NULL},      {REQ_INSERT, "add"}, {REQ_DELETE, NULL}, {REQ_WRITE, NULL},
    {REQ_DIFF, "diff"},    {REQ_COMPOSE, NULL}, {REQ_UNDO, "undo"}, {REQ_SORT, "sort"},
    {REQ_MOVE_DOWN, NULL}, {REQ_MOVE_UP, NULL}, {REQ_APPLY, NULL},  {REQ_NONE, NULL},
};

const struct view_ops view_compose = {
    .name = "compose",
    .title = "Compose",
    .key = '7',
    .keys = compose_keys,
    .about = "What the next image is made of: its files, its boot arguments, its parts, what "
             "changes in it, and what its limits are. Edits are staged and marked; W shows the "
             "difference and writes it, c writes and composes.",
    .open = open_compose,
    .close = close_compose,
    .draw = draw_compose,
    .request = request_compose,
    .key_typed = compose_key,
    .knocks = compose_knocks,
    .save = compose_save,
    .restore = compose_restore,
};
