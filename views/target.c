/*
 * Target: what is built. A matrix of arch, mode and image shows what exists side by side and is
 * where one of them is picked; below it the tools that build it, and the options of conf, each with
 * its origin. A pick counts for the next build.
 */
#include "views/target_view.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "views/model.h"
#include "views/plain.h"

enum { CELL_MIN = 18, CELL_MAX = 40, NAME_MAX_W = 16, WIDE = 140, SUMMARY_MAX = 6 };

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

const struct target_data *target_data_of(const struct view_ctx *ctx)
{
    bool can = ctx->state->tree != APP_TREE_NONE && ctx->ops->targets;
    return can ? ctx->ops->targets(ctx->app) : NULL;
}

size_t target_rows(const struct target_data *data)
{
    return data->modes_count * data->images_count;
}

bool target_can_pick(const struct target_data *data)
{
    return data->archs_count && target_rows(data);
}

/* Puts the cursor on what is picked, once, and keeps it inside ever after. */
void target_place_cursor(struct target_view *v, const struct target_data *data,
                         const struct app_state *state)
{
    if (!v->placed) {
        for (size_t i = 0; i < data->archs_count; i++)
            if (same(data->archs[i].name, state->arch))
                v->arch = i;
        for (size_t i = 0; i < target_rows(data); i++)
            if (same(data->modes[i / data->images_count], state->mode) &&
                same(data->images[i % data->images_count].name, state->image))
                v->row = i;
        v->placed = true;
    }
    if (v->arch >= data->archs_count)
        v->arch = data->archs_count - 1;
    if (v->row >= target_rows(data))
        v->row = target_rows(data) - 1;
}

/* ---- marks ---- */

void target_names(const struct target_data *data, size_t arch, size_t row,
                  const char *names[static 3])
{
    names[0] = data->archs[arch].name;
    names[1] = data->modes[row / data->images_count];
    names[2] = data->images[row % data->images_count].name;
}

/* FNV-1a of the three names: a mark stays with its combination, wherever that stands. */
uint64_t target_combination(const struct target_data *data, size_t arch, size_t row)
{
    const char *names[3];
    uint64_t id = 14695981039346656037u;
    target_names(data, arch, row, names);
    for (int i = 0; i < 3; i++)
        for (const char *c = names[i];; c++) {
            id = (id ^ (unsigned char)*c) * 1099511628211u;
            if (!*c)
                break;
        }
    return id;
}

size_t target_mark(const struct target_view *v, uint64_t id)
{
    size_t at = 0;
    while (at < v->marked.len && v->marked.at[at] != id)
        at++;
    return at;
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
    const struct target_cell *cell = &data->cells[arch * target_rows(data) + row];
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
        snprintf(out, 32, "✓ %s%s%.14s", cell->when, cell->what ? " " : "",
                 cell->what ? cell->what : "");
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
    bool marked = target_mark(v, target_combination(data, arch, row)) < v->marked.len;
    int at = canvas_put(canvas, x, y, marked ? STYLE_WARNING : STYLE_STRONG,
                        marked   ? "• "
                        : picked ? "▸ "
                                 : "  ");
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
    int room = canvas->w - TARGET_LABEL_W;
    int name_w = name_width(data) + 14;
    int cell_w = room / (int)data->archs_count;
    cell_w = cell_w < CELL_MIN ? CELL_MIN : cell_w > CELL_MAX ? CELL_MAX : cell_w;
    v->cell_w = cell_w < name_w && name_w <= room ? name_w : cell_w;
    size_t across = room / v->cell_w > 0 ? (size_t)(room / v->cell_w) : 1;
    scroll_to(&v->left, v->arch, across, data->archs_count);
    size_t down = canvas->h > 1 ? (size_t)canvas->h - 1 : 0;
    scroll_to(&v->top, v->row, down, target_rows(data));
    for (size_t i = 0; i < across && v->left + i < data->archs_count; i++) {
        size_t arch = v->left + i;
        int x = TARGET_LABEL_W + (int)i * v->cell_w;
        int at = canvas_put(canvas, x + 2, 0, arch == v->arch ? STYLE_STRONG : STYLE_TEXT,
                            data->archs[arch].name);
        if (data->archs[arch].problem)
            canvas_put(canvas, at + 1, 0, STYLE_FAILED, "✗ no compiler");
        else if (data->archs[arch].missing)
            canvas_put(canvas, at + 1, 0, STYLE_WARNING, "✗ needs more");
        for (size_t row = v->top; row < target_rows(data) && row < v->top + down; row++)
            draw_cell(v, canvas, x, 1 + (int)(row - v->top), ctx, data, arch, row);
    }
    if (v->left)
        canvas_put(canvas, TARGET_LABEL_W - 2, 0, STYLE_FAINT, "‹");
    if (v->left + across < data->archs_count)
        canvas_put(canvas, canvas->w - 1, 0, STYLE_FAINT, "›");
    for (size_t row = v->top; row < target_rows(data) && row < v->top + down; row++)
        if (row == v->top || row % data->images_count == 0)
            canvas_column(canvas, 1, 1 + (int)(row - v->top), TARGET_LABEL_W - 2,
                          row / data->images_count == v->row / data->images_count ? STYLE_STRONG
                                                                                  : STYLE_TEXT,
                          FIT_LEFT, data->modes[row / data->images_count]);
    v->matrix = (struct rect){canvas->x, canvas->y, canvas->w, canvas->h};
}

/* What the arch needs of this machine and is not there, and the command that brings it. */
static int draw_missing(const struct canvas *canvas, const struct target_arch *arch)
{
    int w = canvas->w - TARGET_LABEL_W - 1, rows = 0;
    canvas_put(canvas, 1, 0, STYLE_WARNING, "missing");
    rows += canvas_wrap(canvas, (struct rect){TARGET_LABEL_W, 0, w, canvas->h > 1 ? 2 : 1},
                        STYLE_WARNING, arch->missing);
    if (arch->install && rows < canvas->h) {
        canvas_put(canvas, 1, rows, STYLE_FAINT, "y copies");
        rows += canvas_wrap(canvas, (struct rect){TARGET_LABEL_W, rows, w, canvas->h - rows},
                            STYLE_STRONG, arch->install);
    }
    return rows;
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
        int used = canvas_wrap(canvas, (struct rect){3, 0, canvas->w - 4, canvas->h}, STYLE_FAILED,
                               problem);
        struct canvas rest =
            canvas_part(canvas, (struct rect){0, used, canvas->w, canvas->h - used});
        return used + (arch->missing && rest.h > 0 ? draw_missing(&rest, arch) : 0);
    }
    int rows = arch->missing ? draw_missing(canvas, arch) : 0;
    if (v->marked.len && canvas->h > rows + 1)
        canvas_putf(canvas, 1, rows++, STYLE_WARNING,
                    "•%zu marked: b builds them one after the other", v->marked.len);
    if (image->summary && *image->summary && rows < canvas->h)
        canvas_putf(canvas, 1, rows++, STYLE_FAINT, "%s: %s", image->name, image->summary);
    if (data->free_image && rows < canvas->h)
        canvas_put(canvas, 1, rows++, STYLE_FAINT,
                   "other images: the option image takes any list of modules, checked as typed");
    if (canvas->h > rows + 1 && data->would) { /* of what is picked, wherever the cursor is */
        canvas_put(canvas, 1, rows, STYLE_FAINT, "would do");
        rows += canvas_wrap(canvas,
                            (struct rect){TARGET_LABEL_W, rows, canvas->w - TARGET_LABEL_W - 1, 2},
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
        struct canvas part =
            canvas_part(canvas, (struct rect){x + TARGET_LABEL_W, y, w - TARGET_LABEL_W - 1, 1});
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

/* As wide as the longest name, as far as there is room. */
static int option_name_width(const struct canvas *canvas, const struct target_data *data)
{
    int most = canvas->w >= 85 ? 34 : canvas->w >= 70 ? 24 : 16, longest = 16;
    for (size_t i = 0; i < data->options_count; i++) {
        int columns = canvas_columns(data->options[i].name);
        longest = columns > longest ? columns : longest;
    }
    return longest < most ? longest : most;
}

static void draw_option(void *data, const struct canvas *canvas, int y, size_t index)
{
    const struct target_option *option = &((const struct target_data *)data)->options[index];
    int name_w = option_name_width(canvas, data);
    int origin_w = canvas->w >= 60 ? 26 : canvas->w >= 44 ? 16 : 0;
    int value_w = canvas->w - name_w - origin_w - 5;
    enum style style = option->picked ? STYLE_WARNING : STYLE_TEXT;
    int x = canvas_put(canvas, 1, y, style, option->picked ? "• " : "  ");
    x = canvas_column(canvas, x, y, name_w, STYLE_TEXT, FIT_MIDDLE, option->name);
    x = canvas_column(canvas, x + 1, y, value_w, option->picked ? STYLE_WARNING : STYLE_STRONG,
                      FIT_LEFT, *option->value ? option->value : "\"\"");
    struct canvas rest = canvas_part(canvas, (struct rect){x + 1, y, origin_w, 1});
    int origin = canvas_columns(option->origin);
    int at = canvas_column(&rest, 0, 0, origin < origin_w ? origin : origin_w, STYLE_FAINT,
                           FIT_MIDDLE, option->origin);
    if (option->instead)
        canvas_putf(&rest, at, 0, STYLE_FAINT, " (was %s)",
                    *option->instead ? option->instead : "\"\"");
}

struct list_source target_options(const struct target_data *data)
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
    struct list_source source = target_options(data);
    list_draw(&v->list, &source, &rows, v->pane == PANE_OPTIONS && !v->view.typing);
    v->options_at = (struct rect){rows.x, rows.y, rows.w, rows.h};
    if (v->view.typing && !v->naming && v->list.at >= v->list.top) {
        int y = (int)(v->list.at - v->list.top);
        int name_w = option_name_width(canvas, data);
        field_draw(&v->field, &rows, name_w + 4, y, canvas->w - name_w - 5);
    }
}

/* ---- profiles ---- */

/* One row: the profiles, and where a new one is named. */
static void draw_profiles(struct target_view *v, const struct canvas *canvas,
                          const struct target_data *data)
{
    bool focus = v->pane == PANE_PROFILES;
    if (v->profile > data->profiles_count)
        v->profile = data->profiles_count;
    canvas_put(canvas, 1, 0, focus ? STYLE_STRONG : STYLE_FAINT, "profiles");
    struct canvas row =
        canvas_part(canvas, (struct rect){TARGET_LABEL_W, 0, canvas->w - TARGET_LABEL_W, 1});
    int x = 0;
    for (size_t i = 0; i < data->profiles_count; i++) {
        const struct target_profile *profile = &data->profiles[i];
        int from = x;
        x = canvas_put(&row, x, 0, profile->current ? STYLE_STRONG : STYLE_TEXT,
                       profile->current ? "▸ " : "  ");
        x = canvas_put(&row, x, 0, profile->current ? STYLE_STRONG : STYLE_TEXT, profile->name) + 1;
        if (focus && i == v->profile && !v->view.typing)
            canvas_reverse(&row, from, 0, x - from);
    }
    if (v->naming) {
        field_draw(&v->field, &row, x + 2, 0, row.w - x - 3);
        return;
    }
    bool last = focus && v->profile == data->profiles_count;
    const char *more = focus ? "+ what is picked, under a name" : "+";
    int end = canvas_put(&row, x + 2, 0, STYLE_FAINT, more);
    if (last)
        canvas_reverse(&row, x + 1, 0, end - x);
    if (focus && !last) /* what it picks, in the rest of the row */
        canvas_column(&row, end + 2, 0, row.w - end - 3, STYLE_FAINT, FIT_LEFT,
                      data->profiles[v->profile].text);
}

/* ---- the whole ---- */

/* One column: matrix, summary, tools, options; what does not fit goes in the order tools, options. */
static void draw_stacked(struct target_view *v, const struct canvas *canvas,
                         const struct view_ctx *ctx, const struct target_data *data)
{
    enum { OPTIONS_MIN = 4 };
    int h = canvas->h;
    int matrix_h = (int)target_rows(data) + 1;
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
    part = canvas_part(canvas,
                       (struct rect){0, y, canvas->w, h - y < SUMMARY_MAX ? h - y : SUMMARY_MAX});
    y += draw_summary(v, &part, data);
    if ((h >= 12 || v->pane == PANE_PROFILES) && y < h) {
        part = canvas_part(canvas, (struct rect){0, y++, canvas->w, 1});
        draw_profiles(v, &part, data);
    }
    if (facts_h && y + facts_h + options_h > h)
        facts_h = 0;
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

/* What a build would run, step by step with the reason, as far as there are rows. */
static void draw_stale(const struct canvas *canvas, const struct target_data *data)
{
    enum { RULE_W = 9, WHY_PART = 45 };
    size_t rows = canvas->h > 1 ? (size_t)canvas->h - 1 : 0;
    size_t shown = data->stale_count <= rows ? data->stale_count : rows ? rows - 1 : 0;
    char text[64];
    snprintf(text, sizeof text, "%zu", data->stale_count);
    canvas_title(canvas, 0, false, "would run", data->stale_count == shown ? text : NULL);
    int why_w = canvas->w * WHY_PART / 100;
    for (size_t i = 0; i < shown; i++) {
        const struct target_stale *stale = &data->stale[i];
        struct str why = {0};
        int y = 1 + (int)i, x = 1;
        for (const char *c = stale->rule; *c && x < RULE_W; c++, x++)
            canvas_putf(canvas, x, y, STYLE_TEXT, "%c", toupper((unsigned char)*c));
        canvas_column(canvas, 1 + RULE_W, y, canvas->w - why_w - RULE_W - 2, STYLE_TEXT, FIT_MIDDLE,
                      model_short(stale->target));
        str_addf(&why, "%s%s%s", plain_reason(stale->reason), *stale->path ? ": " : "",
                 model_short(stale->path));
        canvas_column(canvas, canvas->w - why_w, y, why_w - 1, STYLE_FAINT, FIT_LEFT,
                      str_text(&why));
        str_free(&why);
    }
    if (shown < data->stale_count)
        canvas_put(canvas, 1 + RULE_W, 1 + (int)shown, STYLE_FAINT,
                   "and more: gantry build -n lists them all");
}

/* The whole of the option under the cursor, below the list, where there is room. */
static void draw_option_whole(const struct target_view *v, const struct canvas *canvas,
                              const struct target_data *data)
{
    const struct target_option *option =
        v->list.at < data->options_count ? &data->options[v->list.at] : NULL;
    if (!option || v->pane != PANE_OPTIONS || v->view.typing || canvas->h < 2)
        return;
    canvas_title(canvas, 0, false, option->name, option->origin);
    canvas_wrap(canvas, (struct rect){1, 1, canvas->w - 2, canvas->h - 1}, STYLE_TEXT,
                *option->value ? option->value : "\"\"");
}

/* Two columns: matrix, tools and what would run at the left, options at the right. */
static void draw_wide(struct target_view *v, const struct canvas *canvas,
                      const struct view_ctx *ctx, const struct target_data *data)
{
    enum { STALE_MIN = 4, OPTION_MIN = 4 };
    int left = canvas->w * 55 / 100;
    int matrix_h = (int)target_rows(data) + 1;
    int facts_h = (int)data->facts_count + 1;
    if (matrix_h + 4 + facts_h > canvas->h)
        facts_h = canvas->h - matrix_h - 4;
    struct canvas part = canvas_part(canvas, (struct rect){0, 0, left, matrix_h});
    draw_matrix(v, &part, ctx, data);
    part = canvas_part(canvas, (struct rect){0, matrix_h, left, SUMMARY_MAX});
    int y = matrix_h + draw_summary(v, &part, data) + 1;
    part = canvas_part(canvas, (struct rect){0, y, left, 1});
    draw_profiles(v, &part, data);
    y += 2;
    part = canvas_part(canvas, (struct rect){0, y, left, facts_h});
    if (part.h > 1) {
        canvas_title(&part, 0, false, "tools", "");
        part = canvas_part(canvas, (struct rect){0, y + 1, left, facts_h - 1});
        draw_facts(&part, data);
        y += 1 + fact_rows(&part, data) + 1;
    }
    part = canvas_part(canvas, (struct rect){0, y, left, canvas->h - y});
    if (data->stale_count && part.h >= STALE_MIN)
        draw_stale(&part, data);
    int right = canvas->w - left - 1, options_h = (int)data->options_count + 1;
    int below = canvas->h - options_h - 1 >= OPTION_MIN ? canvas->h - options_h - 1 : 0;
    part = canvas_part(canvas, (struct rect){left + 1, canvas->h - below, right, below});
    if (below)
        draw_option_whole(v, &part, data);
    part = canvas_part(canvas, (struct rect){left + 1, 0, right, canvas->h - below});
    draw_options(v, &part, data);
}

/* A make tree: the command that b runs. */
static void draw_command(struct target_view *v, const struct canvas *canvas,
                         const struct app_state *state)
{
    canvas_put(canvas, 1, 1, STYLE_FAINT, "command");
    int w = canvas->w - TARGET_LABEL_W - 1;
    if (v->commanding) {
        field_draw(&v->field, canvas, TARGET_LABEL_W, 1, w);
    } else {
        int columns = canvas_columns(state->command);
        canvas_column(canvas, TARGET_LABEL_W, 1, columns < w ? columns : w, STYLE_STRONG, FIT_LEFT,
                      state->command);
        canvas_reverse(canvas, TARGET_LABEL_W - 1, 1, columns < w ? columns + 2 : w + 1);
    }
    canvas_wrap(canvas, (struct rect){1, 3, canvas->w - 2, canvas->h - 3}, STYLE_TEXT,
                "make builds this tree, and this command is what b runs; i edits it: targets, "
                "NAME=VALUE, as make takes them. It is kept for the next time.");
}

void target_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct target_view *v = (struct target_view *)view;
    const struct target_data *data = target_data_of(ctx);
    if (!data || !target_can_pick(data)) {
        const char *why = ctx->state->tree_error  ? ctx->state->tree_error
                          : data && data->problem ? data->problem
                          : ctx->state->command   ? NULL
                                                  : "this tree has no conf/<arch>.mk to pick from";
        struct rect area = {1, 1, canvas->w - 2, canvas->h - 1};
        if (why)
            canvas_wrap(canvas, area, STYLE_TEXT, why);
        else
            draw_command(v, canvas, ctx->state);
        return;
    }
    target_place_cursor(v, data, ctx->state);
    v->x = canvas->x;
    v->y = canvas->y;
    v->options_at = (struct rect){0};
    if (canvas->w >= WIDE && canvas->h >= (int)target_rows(data) + 6)
        draw_wide(v, canvas, ctx, data);
    else
        draw_stacked(v, canvas, ctx, data);
}
