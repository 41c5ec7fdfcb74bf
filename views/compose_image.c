/*
 * The image pane: what the composed image is made of, what the next compose changes in it, what it is
 * measured against, and how far a compose is that runs. Rows flow; where there are more than fit, the
 * arrows scroll.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/path.h"
#include "base/str.h"
#include "base/text.h"
#include "views/compose.h"

enum { BAR_MAX = 40, BIG_MAX = 48, ROWS_MANY = 1 << 20 };

int compose_flow(const struct canvas *canvas, int y, int w, const struct compose_note *notes,
                 size_t count)
{
    int x = COMPOSE_LABEL_W, rows = count ? 1 : 0;
    for (size_t i = 0; i < count; i++) {
        char text[256];
        char mark = notes[i].mark;
        snprintf(text, sizeof text, "%s%s",
                 mark == 'y'   ? "✓ "
                 : mark == 'n' ? "✗ "
                 : mark == '+' ? "+ "
                 : mark == '-' ? "- "
                 : mark == '~' ? "~ "
                               : "",
                 notes[i].text);
        int columns = canvas_columns(text);
        if (x > COMPOSE_LABEL_W && x + columns > w - 1) {
            x = COMPOSE_LABEL_W;
            rows++;
        }
        if (canvas)
            canvas_column(canvas, x, y + rows - 1, columns < w - x ? columns : w - x,
                          mark == 'n' ? STYLE_FAILED : STYLE_TEXT, FIT_LEFT, text);
        x += columns + 2;
    }
    return rows;
}

/* Words one after another, wrapped, as compose_flow. */
struct line {
    const struct canvas *canvas; /* NULL: only count */
    int y, w; /* of the first row */
    int x, rows;
};

static struct line line_begin(const struct canvas *canvas, int y, int w)
{
    return (struct line){.canvas = canvas, .y = y, .w = w, .x = COMPOSE_LABEL_W};
}

static void line_put(struct line *line, enum style style, const char *text)
{
    int columns = canvas_columns(text), room = line->w - COMPOSE_LABEL_W - 1;
    if (columns > room)
        columns = room > 0 ? room : 0;
    line->rows += !line->rows;
    if (line->x > COMPOSE_LABEL_W && line->x + columns > line->w - 1) {
        line->x = COMPOSE_LABEL_W;
        line->rows++;
    }
    if (line->canvas)
        canvas_column(line->canvas, line->x, line->y + line->rows - 1, columns, style, FIT_MIDDLE,
                      text);
    line->x += columns + 3;
}

static int flow_parts(const struct canvas *canvas, int y, int w, const struct compose_data *data)
{
    struct line line = line_begin(canvas, y, w);
    for (size_t i = 0; i < data->parts_count; i++) {
        char text[96], size[16];
        text_size(size, data->parts[i].size_bytes);
        snprintf(text, sizeof text, "%s %s", data->parts[i].name, size);
        line_put(&line, STYLE_TEXT, text);
    }
    return line.rows;
}

static int flow_limits(const struct canvas *canvas, int y, int w, const struct compose_data *data)
{
    struct line line = line_begin(canvas, y, w);
    for (size_t i = 0; i < data->limits_count; i++) {
        const struct compose_limit *limit = &data->limits[i];
        bool over = limit->most && limit->is > limit->most;
        char is[24], most[24], text[128];
        if (limit->is_size) {
            text_size(is, limit->is);
            text_size(most, limit->most);
        } else {
            snprintf(is, sizeof is, "%" PRIu64, limit->is);
            snprintf(most, sizeof most, "%" PRIu64, limit->most);
        }
        snprintf(text, sizeof text, "%s%s %s%s%s", over ? "✗ " : "", limit->name, is,
                 limit->most ? " of " : "", limit->most ? most : "");
        line_put(&line, over ? STYLE_FAILED : STYLE_TEXT, text);
    }
    return line.rows;
}

static int flow_largest(const struct canvas *canvas, int y, int w, const struct compose_data *data)
{
    struct line line = line_begin(canvas, y, w);
    for (size_t i = 0; i < data->largest_count; i++) {
        char size[16];
        struct str text = {0};
        char *name = path_shorten(data->largest[i].guest, BIG_MAX);
        text_size(size, data->largest[i].size_bytes);
        str_addf(&text, "%s %s", name, size);
        line_put(&line, STYLE_TEXT, str_text(&text));
        str_free(&text);
        free(name);
    }
    return line.rows;
}

/* ---- what is being composed ---- */

/* The lane that writes a part of the image and tells how far it is; NULL where none does. */
static const struct model_lane *composing(const struct model *model)
{
    for (size_t i = 0; i < model->lanes.len; i++) {
        const struct model_lane *lane = &model->lanes.at[i];
        if (lane->step != MODEL_NONE && lane->total_bytes &&
            model->steps.at[lane->step].stage == STAGE_IMAGE)
            return lane;
    }
    return NULL;
}

/* One row: what is written, a bar, and the numbers; else the steps of the build that makes it. */
static void draw_progress(const struct canvas *canvas, int y, const struct model *model)
{
    const struct model_lane *lane = composing(model);
    uint64_t done = lane ? lane->done_bytes : model_done(model);
    uint64_t total = lane ? lane->total_bytes : model_total(model);
    char name[64], numbers[64], is[16], most[16];
    unsigned percent = total ? (unsigned)((double)done * 100 / (double)total) : 0;
    snprintf(name, sizeof name, "%s", lane ? path_base(model_name(model, lane->step)) : "steps");
    if (lane) {
        text_size(is, done);
        text_size(most, total);
        snprintf(numbers, sizeof numbers, "%3u %%  %s of %s", percent, is, most);
    } else {
        snprintf(numbers, sizeof numbers, "%3u %%  %" PRIu64 " of %" PRIu64, percent, done, total);
    }
    canvas_put(canvas, 1, y, STYLE_FAINT, "now");
    int x = canvas_put(canvas, COMPOSE_LABEL_W, y, STYLE_RUNNING, name) + 2;
    int right = canvas->w - 1 - canvas_columns(numbers), bar = right - 2 - x;
    if (bar > BAR_MAX)
        bar = BAR_MAX;
    if (bar >= 4) {
        canvas_bar(canvas, x, y, bar, STYLE_RUNNING, (double)done, (double)total);
        x += bar + 2;
    }
    canvas_put(canvas, x, y, STYLE_TEXT, numbers);
}

/* ---- the pane ---- */

/* Draws the rows below the title from y on; with no canvas it only counts them. */
static int draw_rows(const struct canvas *canvas, int y, int w, const struct compose_data *data,
                     const struct model *model)
{
    static const char *const labels[] = {"parts", "next", "limits", "largest"};
    int first = y;
    if (model->state == BUILD_RUNNING) {
        if (canvas)
            draw_progress(canvas, y, model);
        y++;
    }
    if (data->held) {
        if (canvas)
            canvas_putf(canvas, 1, y, STYLE_WARNING, "held by  %s; stop it to write", data->held);
        y++;
    }
    for (unsigned i = 0; i < sizeof labels / sizeof *labels; i++) {
        const char *none =
            i == 0   ? (data->image_path ? "not composed yet" : "conf names no boot-image")
            : i == 1 ? "changes nothing"
                     : NULL;
        int rows = i == 0   ? flow_parts(canvas, y, w, data)
                   : i == 1 ? compose_flow(canvas, y, w, data->next, data->next_count)
                   : i == 2 ? flow_limits(canvas, y, w, data)
                            : flow_largest(canvas, y, w, data);
        if (!rows && !none)
            continue;
        if (canvas) {
            canvas_put(canvas, 1, y, STYLE_FAINT, labels[i]);
            if (!rows)
                canvas_put(canvas, COMPOSE_LABEL_W, y, STYLE_TEXT, none);
        }
        y += rows ? rows : 1;
    }
    return y - first;
}

int image_pane_rows(const struct compose_data *data, const struct model *model, int w)
{
    return 1 + draw_rows(NULL, 0, w, data, model);
}

void image_pane_draw(struct compose_view *v, const struct canvas *canvas,
                     const struct compose_data *data, const struct model *model)
{
    struct str right = {0};
    if (data->image_when) {
        char size[16];
        text_size(size, data->image_bytes);
        str_addf(&right, "%s  %s  %s", data->image_format, size, data->image_when);
    }
    char name[256];
    snprintf(name, sizeof name, "image %s", data->image_path ? data->image_path : "");
    canvas_title(canvas, 0, v->pane == PANE_IMAGE, name, str_text(&right));
    str_free(&right);
    struct canvas body = canvas_part(canvas, (struct rect){0, 1, canvas->w, canvas->h - 1});
    v->image_rows = (size_t)draw_rows(NULL, 0, body.w, data, model);
    v->image_shown = body.h > 0 ? (size_t)body.h : 0;
    size_t last = v->image_rows > v->image_shown ? v->image_rows - v->image_shown : 0;
    if (v->image_top > last)
        v->image_top = last;
    if (v->image_shown)
        draw_rows(&body, -(int)v->image_top, body.w, data, model);
    if (v->image_shown && v->image_top < last)
        canvas_putf(&body, body.w - 12, body.h - 1, STYLE_FAINT, " ↓ %zu more ",
                    last - v->image_top);
}

bool image_pane_request(struct compose_view *v, enum request request)
{
    size_t page = v->image_shown > 1 ? v->image_shown - 1 : 1;
    size_t *top = &v->image_top; /* drawing sees to it that it is not too far */
    switch (request) {
    case REQ_UP:
    case REQ_WHEEL_UP:
        *top -= *top > 0;
        return true;
    case REQ_DOWN:
    case REQ_WHEEL_DOWN:
        ++*top;
        return true;
    case REQ_PAGE_UP:
        *top = *top > page ? *top - page : 0;
        return true;
    case REQ_PAGE_DOWN:
        *top += page;
        return true;
    case REQ_HOME:
        *top = 0;
        return true;
    case REQ_END:
        *top = ROWS_MANY;
        return true;
    default:
        return false;
    }
}
