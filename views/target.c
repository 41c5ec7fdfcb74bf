/*
 * Target: what is built. A matrix of arch, mode and image shows what exists side by side and is
 * where one of them is picked; below it the tools that build it, and the options of conf, each with
 * its origin. A pick counts for the next build.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tui/field.h"
#include "tui/list.h"
#include "tui/screen_data.h"
#include "tui/view.h"
#include "views/model.h"
#include "views/views.h"

enum { PANE_MATRIX, PANE_OPTIONS, PANES };
enum { LABEL_W = 10, CELL_MIN = 18, CELL_MAX = 30, NAME_MAX_W = 12, WIDE = 140 };

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
    struct field field;
};

static struct view *open_target(const struct view_ctx *ctx)
{
    (void)ctx;
    struct target_view *v = mem_zero(1, sizeof *v);
    v->view.ops = &view_target;
    return &v->view;
}

static void close_target(struct view *view)
{
    struct target_view *v = (struct target_view *)view;
    field_free(&v->field);
    free(v);
}

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static const struct target_data *get_data(const struct view_ctx *ctx)
{
    bool can = ctx->state->tree != APP_TREE_NONE && ctx->ops->targets;
    return can ? ctx->ops->targets(ctx->app) : NULL;
}

static size_t rows_count(const struct target_data *data)
{
    return data->modes_count * data->images_count;
}

static bool can_pick(const struct target_data *data)
{
    return data->archs_count && rows_count(data);
}

/* Puts the cursor on what is picked, once, and keeps it inside ever after. */
static void place_cursor(struct target_view *v, const struct target_data *data,
                         const struct app_state *state)
{
    if (!v->placed) {
        for (size_t i = 0; i < data->archs_count; i++)
            if (same(data->archs[i].name, state->arch))
                v->arch = i;
        for (size_t i = 0; i < rows_count(data); i++)
            if (same(data->modes[i / data->images_count], state->mode) &&
                same(data->images[i % data->images_count].name, state->image))
                v->row = i;
        v->placed = true;
    }
    if (v->arch >= data->archs_count)
        v->arch = data->archs_count - 1;
    if (v->row >= rows_count(data))
        v->row = rows_count(data) - 1;
}

/* ---- the matrix ---- */

/* Whether the build that the model tells of is this combination's. */
static bool is_built_now(const struct model *model, const struct target_data *data, size_t arch,
                         size_t row)
{
    return model->state != BUILD_NEVER &&
           same(model_text(model, model->arch), data->archs[arch].name) &&
           same(model_text(model, model->mode), data->modes[row / data->images_count]) &&
           same(model_text(model, model->image), data->images[row % data->images_count].name);
}

/* Glyph and word of a combination. */
static enum style cell_state(const struct view_ctx *ctx, const struct target_data *data,
                             size_t arch, size_t row, char out[static 32])
{
    const struct model *model = ctx->model;
    const struct target_cell *cell = &data->cells[arch * rows_count(data) + row];
    if (is_built_now(model, data, arch, row) && model->state == BUILD_RUNNING) {
        snprintf(out, 32, "◐ %llu/%llu", (unsigned long long)model_done(model),
                 (unsigned long long)model_total(model));
        return STYLE_RUNNING;
    }
    if (is_built_now(model, data, arch, row) && model->status == BUILD_FAILED) {
        snprintf(out, 32, "✗ failed");
        return STYLE_FAILED;
    }
    if (cell->made) {
        snprintf(out, 32, "✓ %s", cell->when);
        return STYLE_TEXT;
    }
    snprintf(out, 32, "-");
    return STYLE_FAINT;
}

static int name_width(const struct target_data *data)
{
    int w = 0;
    for (size_t i = 0; i < data->images_count; i++) {
        int columns = canvas_columns(data->images[i].name);
        w = columns > w ? columns : w;
    }
    return w < NAME_MAX_W ? w : NAME_MAX_W;
}

static void draw_cell(const struct target_view *v, const struct canvas *canvas, int x, int y,
                      const struct view_ctx *ctx, const struct target_data *data, size_t arch,
                      size_t row)
{
    size_t mode = row / data->images_count, image = row % data->images_count;
    const struct app_state *state = ctx->state;
    bool usable = !data->archs[arch].problem;
    bool picked = same(state->arch, data->archs[arch].name) &&
                  same(state->mode, data->modes[mode]) &&
                  same(state->image, data->images[image].name);
    char word[32];
    enum style style = cell_state(ctx, data, arch, row, word);
    enum style name_style = picked ? STYLE_STRONG : usable ? STYLE_TEXT : STYLE_FAINT;
    int at = canvas_put(canvas, x, y, STYLE_STRONG, picked ? "▸ " : "  ");
    at = canvas_column(canvas, at, y, name_width(data), name_style, FIT_LEFT,
                       data->images[image].name);
    canvas_column(canvas, at + 1, y, x + v->cell_w - at - 2, style, FIT_LEFT, word);
    if (arch == v->arch && row == v->row && v->pane == PANE_MATRIX && !v->view.typing)
        canvas_reverse(canvas, x, y, v->cell_w - 1);
}

/* Scrolls so that the cursor is seen in `fits` of `count`. */
static void scroll_to(size_t *first, size_t at, size_t fits, size_t count)
{
    if (at < *first)
        *first = at;
    if (fits && at >= *first + fits)
        *first = at - fits + 1;
    if (*first + fits > count)
        *first = count > fits ? count - fits : 0;
}

/* Draws the matrix: a row of archs, then a row for each mode and image. */
static void draw_matrix(struct target_view *v, const struct canvas *canvas,
                        const struct view_ctx *ctx, const struct target_data *data)
{
    int room = canvas->w - LABEL_W;
    int name_w = name_width(data) + 14;
    int cell_w = room / (int)data->archs_count;
    cell_w = cell_w < CELL_MIN ? CELL_MIN : cell_w > CELL_MAX ? CELL_MAX : cell_w;
    v->cell_w = cell_w < name_w && name_w <= room ? name_w : cell_w;
    size_t across = room / v->cell_w > 0 ? (size_t)(room / v->cell_w) : 1;
    scroll_to(&v->left, v->arch, across, data->archs_count);
    size_t down = canvas->h > 1 ? (size_t)canvas->h - 1 : 0;
    scroll_to(&v->top, v->row, down, rows_count(data));
    for (size_t i = 0; i < across && v->left + i < data->archs_count; i++) {
        size_t arch = v->left + i;
        int x = LABEL_W + (int)i * v->cell_w;
        int at = canvas_put(canvas, x + 2, 0, arch == v->arch ? STYLE_STRONG : STYLE_TEXT,
                            data->archs[arch].name);
        if (data->archs[arch].problem)
            canvas_put(canvas, at + 1, 0, STYLE_FAILED, "✗ no compiler");
        for (size_t row = v->top; row < rows_count(data) && row < v->top + down; row++)
            draw_cell(v, canvas, x, 1 + (int)(row - v->top), ctx, data, arch, row);
    }
    if (v->left)
        canvas_put(canvas, LABEL_W - 2, 0, STYLE_FAINT, "‹");
    if (v->left + across < data->archs_count)
        canvas_put(canvas, canvas->w - 1, 0, STYLE_FAINT, "›");
    for (size_t row = v->top; row < rows_count(data) && row < v->top + down; row++)
        if (row == v->top || row % data->images_count == 0)
            canvas_column(canvas, 1, 1 + (int)(row - v->top), LABEL_W - 2,
                          row / data->images_count == v->row / data->images_count ? STYLE_STRONG
                                                                                  : STYLE_TEXT,
                          FIT_LEFT, data->modes[row / data->images_count]);
    v->matrix = (struct rect){canvas->x, canvas->y, canvas->w, canvas->h};
}

/* What the cursor stands on: why it cannot be picked, or what is in the image. Returns the rows that
 * it takes. */
static int draw_summary(const struct target_view *v, const struct canvas *canvas,
                        const struct target_data *data)
{
    const struct target_arch *arch = &data->archs[v->arch];
    const struct target_image *image = &data->images[v->row % data->images_count];
    const char *problem = arch->problem ? arch->problem : data->problem;
    if (problem) {
        canvas_put(canvas, 1, 0, STYLE_FAILED, "✗");
        return canvas_wrap(canvas, (struct rect){3, 0, canvas->w - 4, canvas->h}, STYLE_FAILED,
                           problem);
    }
    int rows = 0;
    if (image->summary && *image->summary)
        canvas_putf(canvas, 1, rows++, STYLE_FAINT, "%s: %s", image->name, image->summary);
    if (canvas->h > rows + 1 && data->would) { /* of what is picked, wherever the cursor is */
        canvas_put(canvas, 1, rows, STYLE_FAINT, "would do");
        rows += canvas_wrap(canvas, (struct rect){LABEL_W, rows, canvas->w - LABEL_W - 1, 2},
                            STYLE_TEXT, data->would);
    }
    return rows > canvas->h ? canvas->h : rows ? rows : 1;
}

/* ---- facts and options ---- */

static int fact_columns(const struct canvas *canvas)
{
    return canvas->w >= 76 ? 2 : 1;
}

static int fact_rows(const struct canvas *canvas, const struct target_data *data)
{
    int columns = fact_columns(canvas);
    return ((int)data->facts_count + columns - 1) / columns;
}

/* Facts run down the columns, so that what belongs together stands together. */
static void draw_facts(const struct canvas *canvas, const struct target_data *data)
{
    int columns = fact_columns(canvas), rows = fact_rows(canvas, data);
    int w = canvas->w / columns;
    for (int i = 0; i < (int)data->facts_count; i++) {
        const struct target_fact *fact = &data->facts[i];
        int x = i / rows * w, y = i % rows;
        canvas_column(canvas, x + 1, y, 8, STYLE_FAINT, FIT_LEFT, fact->name);
        struct canvas part = canvas_part(canvas, (struct rect){x + LABEL_W, y, w - LABEL_W - 1, 1});
        int at = canvas_put(&part, 0, 0, STYLE_TEXT, fact->value);
        if (fact->origin)
            canvas_put(&part, at + 2, 0, STYLE_FAINT, fact->origin);
    }
}

static size_t options_count(void *data)
{
    return ((const struct target_data *)data)->options_count;
}

static uint64_t option_id(void *data, size_t index)
{
    uint64_t id = 14695981039346656037u; /* FNV-1a of the name */
    for (const char *p = ((const struct target_data *)data)->options[index].name; *p; p++)
        id = (id ^ (unsigned char)*p) * 1099511628211u;
    return id;
}

static void draw_option(void *data, const struct canvas *canvas, int y, size_t index)
{
    const struct target_option *option = &((const struct target_data *)data)->options[index];
    int name_w = canvas->w >= 70 ? 24 : 16;
    int origin_w = canvas->w >= 60 ? 26 : canvas->w >= 44 ? 16 : 0;
    int value_w = canvas->w - name_w - origin_w - 5;
    enum style style = option->picked ? STYLE_WARNING : STYLE_TEXT;
    int x = canvas_put(canvas, 1, y, style, option->picked ? "• " : "  ");
    x = canvas_column(canvas, x, y, name_w, STYLE_TEXT, FIT_MIDDLE, option->name);
    x = canvas_column(canvas, x + 1, y, value_w, option->picked ? STYLE_WARNING : STYLE_STRONG,
                      FIT_LEFT, *option->value ? option->value : "\"\"");
    struct canvas rest = canvas_part(canvas, (struct rect){x + 1, y, origin_w, 1});
    int at = canvas_put(&rest, 0, 0, STYLE_FAINT, option->origin);
    if (option->instead)
        canvas_putf(&rest, at, 0, STYLE_FAINT, " (was %s)", option->instead);
}

static struct list_source option_source(const struct target_data *data)
{
    return (struct list_source){.data = (void *)(uintptr_t)data,
                                .count = options_count,
                                .id = option_id,
                                .draw = draw_option};
}

static void draw_options(struct target_view *v, const struct canvas *canvas,
                         const struct target_data *data)
{
    char right[48];
    size_t picked = 0;
    for (size_t i = 0; i < data->options_count; i++)
        picked += data->options[i].picked;
    snprintf(right, sizeof right, picked ? "%zu, •%zu picked" : "%zu", data->options_count, picked);
    canvas_title(canvas, 0, v->pane == PANE_OPTIONS, "options", right);
    struct canvas rows = canvas_part(canvas, (struct rect){0, 1, canvas->w, canvas->h - 1});
    struct list_source source = option_source(data);
    list_draw(&v->list, &source, &rows, v->pane == PANE_OPTIONS && !v->view.typing);
    v->options_at = (struct rect){rows.x, rows.y, rows.w, rows.h};
    if (v->view.typing && v->list.at >= v->list.top) {
        int y = (int)(v->list.at - v->list.top);
        int name_w = canvas->w >= 70 ? 24 : 16;
        field_draw(&v->field, &rows, name_w + 4, y, canvas->w - name_w - 5);
    }
}

/* ---- the whole ---- */

/* One column: matrix, summary, tools, options; what does not fit goes in the order tools, options. */
static void draw_stacked(struct target_view *v, const struct canvas *canvas,
                         const struct view_ctx *ctx, const struct target_data *data)
{
    enum { OPTIONS_MIN = 4 };
    int h = canvas->h;
    int matrix_h = (int)rows_count(data) + 1;
    int facts_h = 1 + fact_rows(canvas, data);
    int options_h = v->pane == PANE_OPTIONS || v->view.typing ? OPTIONS_MIN : 0;
    if (matrix_h + 1 + options_h > h)
        matrix_h = h - 1 - options_h > 2 ? h - 1 - options_h : 2;
    if (matrix_h + 1 + facts_h + OPTIONS_MIN > h)
        facts_h = 0;
    int y = 0;
    struct canvas part = canvas_part(canvas, (struct rect){0, y, canvas->w, matrix_h});
    draw_matrix(v, &part, ctx, data);
    y += matrix_h;
    part = canvas_part(canvas, (struct rect){0, y, canvas->w, h - y < 4 ? h - y : 4});
    y += draw_summary(v, &part, data);
    if (facts_h) {
        part = canvas_part(canvas, (struct rect){0, y, canvas->w, facts_h});
        canvas_title(&part, 0, false, "tools", "");
        part = canvas_part(canvas, (struct rect){0, y + 1, canvas->w, facts_h - 1});
        draw_facts(&part, data);
        y += facts_h;
    }
    part = canvas_part(canvas, (struct rect){0, y, canvas->w, h - y});
    if (part.h >= 2)
        draw_options(v, &part, data);
}

/* Two columns: matrix and tools at the left, options at the right. */
static void draw_wide(struct target_view *v, const struct canvas *canvas,
                      const struct view_ctx *ctx, const struct target_data *data)
{
    int left = canvas->w * 55 / 100;
    int matrix_h = (int)rows_count(data) + 1;
    int facts_h = (int)data->facts_count + 1;
    if (matrix_h + 2 + facts_h > canvas->h)
        facts_h = canvas->h - matrix_h - 2;
    struct canvas part = canvas_part(canvas, (struct rect){0, 0, left, matrix_h});
    draw_matrix(v, &part, ctx, data);
    part = canvas_part(canvas, (struct rect){0, matrix_h, left, 4});
    int y = matrix_h + draw_summary(v, &part, data) + 1;
    part = canvas_part(canvas, (struct rect){0, y, left, facts_h});
    if (part.h > 1) {
        canvas_title(&part, 0, false, "tools", "");
        part = canvas_part(canvas, (struct rect){0, y + 1, left, facts_h - 1});
        draw_facts(&part, data);
    }
    part = canvas_part(canvas, (struct rect){left + 1, 0, canvas->w - left - 1, canvas->h});
    draw_options(v, &part, data);
}

static void draw_target(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct target_view *v = (struct target_view *)view;
    const struct target_data *data = get_data(ctx);
    if (!data || !can_pick(data)) {
        const char *why = ctx->state->tree_error  ? ctx->state->tree_error
                          : data && data->problem ? data->problem
                          : ctx->state->command   ? NULL
                                                  : "this tree has no conf/<arch>.mk to pick from";
        struct rect area = {1, 1, canvas->w - 2, canvas->h - 1};
        if (why)
            canvas_wrap(canvas, area, STYLE_TEXT, why);
        else
            canvas_wrap(canvas, area, STYLE_TEXT,
                        "make builds this tree, and what it builds is said to make: gantry -- make "
                        "NAME=VALUE TARGET. The screens show what make does.");
        return;
    }
    place_cursor(v, data, ctx->state);
    v->x = canvas->x;
    v->y = canvas->y;
    v->options_at = (struct rect){0};
    if (canvas->w >= WIDE && canvas->h >= (int)rows_count(data) + 6)
        draw_wide(v, canvas, ctx, data);
    else
        draw_stacked(v, canvas, ctx, data);
}

/* ---- requests ---- */

/* Picks the combination under the cursor, if it can be built here. */
static void pick(struct target_view *v, const struct view_ctx *ctx, const struct target_data *data)
{
    const struct target_arch *arch = &data->archs[v->arch];
    if (arch->problem) {
        ctx->ops->say(ctx->app, SEVERITY_ERROR, arch->problem);
        return;
    }
    /* Selecting makes new data. */
    char *mode = mem_copy(data->modes[v->row / data->images_count]);
    char *image = mem_copy(data->images[v->row % data->images_count].name);
    char *name = mem_copy(arch->name);
    ctx->ops->select(ctx->app, "arch", name);
    ctx->ops->select(ctx->app, "mode", mode);
    ctx->ops->select(ctx->app, "image", image);
    if (ctx->state->building)
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "picked for the next build");
    free(mode);
    free(image);
    free(name);
}

static bool inside(struct rect rect, int x, int y)
{
    return x >= rect.x && x < rect.x + rect.w && y >= rect.y && y < rect.y + rect.h;
}

/* A click selects; a click on what is selected picks. */
static bool click(struct target_view *v, const struct view_ctx *ctx, const struct target_data *data,
                  const struct request_arg *arg)
{
    int x = arg->x + v->x, y = arg->y + v->y;
    if (inside(v->options_at, x, y)) {
        struct list_source source = option_source(data);
        v->pane = PANE_OPTIONS;
        return list_request(&v->list, &source, REQ_CLICK, y - v->options_at.y);
    }
    if (!inside(v->matrix, x, y) || y == v->matrix.y || x < v->matrix.x + LABEL_W)
        return false;
    size_t arch = v->left + (size_t)((x - v->matrix.x - LABEL_W) / v->cell_w);
    size_t row = v->top + (size_t)(y - v->matrix.y - 1);
    if (arch >= data->archs_count || row >= rows_count(data))
        return false;
    bool again = v->pane == PANE_MATRIX && arch == v->arch && row == v->row;
    v->pane = PANE_MATRIX;
    v->arch = arch;
    v->row = row;
    if (again)
        pick(v, ctx, data);
    return true;
}

static bool matrix_request(struct target_view *v, enum request request, const struct view_ctx *ctx,
                           const struct target_data *data)
{
    size_t rows = rows_count(data);
    switch (request) {
    case REQ_UP:
        v->row -= v->row > 0;
        return true;
    case REQ_DOWN:
        v->row += v->row + 1 < rows;
        return true;
    case REQ_LEFT:
        v->arch -= v->arch > 0;
        return true;
    case REQ_RIGHT:
        v->arch += v->arch + 1 < data->archs_count;
        return true;
    case REQ_HOME:
    case REQ_PAGE_UP:
        v->row = 0;
        return true;
    case REQ_END:
    case REQ_PAGE_DOWN:
        v->row = rows - 1;
        return true;
    case REQ_ENTER:
    case REQ_MARK:
        pick(v, ctx, data);
        return true;
    default:
        return false;
    }
}

static bool options_request(struct target_view *v, enum request request, const struct view_ctx *ctx,
                            const struct target_data *data)
{
    struct list_source source = option_source(data);
    if (list_request(&v->list, &source, request, 0))
        return true;
    if (v->list.at >= data->options_count)
        return false;
    const struct target_option *option = &data->options[v->list.at];
    switch (request) {
    case REQ_MARK:
        if (option->is_switch) {
            ctx->ops->select(ctx->app, option->name, strcmp(option->value, "1") == 0 ? "0" : "1");
            return true;
        }
        /* fall through */
    case REQ_ENTER:
    case REQ_TYPE:
        field_begin(&v->field, option->value);
        v->view.typing = true;
        return true;
    case REQ_DELETE:
        ctx->ops->select(ctx->app, option->name, NULL);
        return true;
    default:
        return false;
    }
}

static enum view_result request_target(struct view *view, enum request request,
                                       const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct target_view *v = (struct target_view *)view;
    const struct target_data *data = get_data(ctx);
    if (request == REQ_BACK && v->pane == PANE_MATRIX)
        return VIEW_LEAVE;
    if (!data || !can_pick(data))
        return VIEW_IGNORED;
    place_cursor(v, data, ctx->state);
    bool done;
    switch (request) {
    case REQ_NEXT_PANE:
    case REQ_PREVIOUS_PANE:
        v->pane = (v->pane + 1) % PANES;
        done = true;
        break;
    case REQ_BACK:
        v->pane = PANE_MATRIX;
        done = true;
        break;
    case REQ_WRITE:
        ctx->ops->save_selection(ctx->app);
        done = true;
        break;
    case REQ_CLICK:
        done = click(v, ctx, data, arg);
        break;
    default:
        done = v->pane == PANE_MATRIX ? matrix_request(v, request, ctx, data)
                                      : options_request(v, request, ctx, data);
    }
    return done ? VIEW_HANDLED : VIEW_IGNORED;
}

/* Typing an option's value; accepting picks it. */
static void target_key(struct view *view, const struct key *key, const struct view_ctx *ctx)
{
    struct target_view *v = (struct target_view *)view;
    enum field_result result = field_key(&v->field, key);
    if (result == FIELD_EDITING)
        return;
    view->typing = false;
    const struct target_data *data = get_data(ctx);
    if (result == FIELD_ACCEPTED && data && v->list.at < data->options_count &&
        strcmp(field_text(&v->field), data->options[v->list.at].value) != 0)
        ctx->ops->select(ctx->app, data->options[v->list.at].name, field_text(&v->field));
}

static const struct view_key target_keys[] = {
    {REQ_ENTER, "pick"},    {REQ_BUILD, NULL},   {REQ_NEXT_PANE, NULL}, {REQ_TYPE, NULL},
    {REQ_DELETE, "unpick"}, {REQ_WRITE, "save"}, {REQ_NONE, NULL},
};

const struct view_ops view_target = {
    .name = "target",
    .title = "Target",
    .key = '6',
    .keys = target_keys,
    .about = "What is built: arch, mode and image, the tools that do it, and the options of "
             "conf with the place each comes from. A pick counts for the next build; W makes "
             "it this tree's own.",
    .open = open_target,
    .close = close_target,
    .draw = draw_target,
    .request = request_target,
    .key_typed = target_key,
};
