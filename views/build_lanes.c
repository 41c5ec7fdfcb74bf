#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "views/build_view.h"

/* Columns from the right that a lane's row gives up, as it narrows. */
enum { CPU_W = 6, RSS_W = 7, BAR_W = 10, TIME_W = 14, TARGET_MIN = 16, HOST_MIN = 8 };

int rule_width(int w)
{
    enum { ARCHIVE_W = 9, NARROW_W = 7, NARROW = 60 };
    return w < NARROW ? NARROW_W : ARCHIVE_W;
}

static const struct model *sorting; /* qsort has no argument; the loop's thread only */

static bool overdue(const struct model *model, uint32_t lane)
{
    uint32_t step = model->lanes.at[lane].step;
    if (step == MODEL_NONE)
        return false;
    const struct model_step *on = &model->steps.at[step];
    return on->expect_ns && model->now_ns - on->begin_ns > on->expect_ns;
}

/* Overdue ones first, then the longest running; idle ones last. */
static int by_weight(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    uint32_t x = sorting->lanes.at[a].step, y = sorting->lanes.at[b].step;
    if ((x == MODEL_NONE) != (y == MODEL_NONE))
        return x == MODEL_NONE ? 1 : -1;
    if (x == MODEL_NONE)
        return a < b ? -1 : a > b;
    bool late_a = overdue(sorting, a), late_b = overdue(sorting, b);
    if (late_a != late_b)
        return late_a ? -1 : 1;
    uint64_t begin_a = sorting->steps.at[x].begin_ns, begin_b = sorting->steps.at[y].begin_ns;
    if (begin_a != begin_b)
        return begin_a < begin_b ? -1 : 1;
    return a < b ? -1 : a > b;
}

static size_t lanes_count(void *data)
{
    return ((struct build_lanes *)data)->order.len;
}

static uint64_t lane_id(void *data, size_t index)
{
    return ((struct build_lanes *)data)->order.at[index];
}

/* "4.2s of 5.1s", or "4.2s". */
static void time_text(const struct model_step *step, uint64_t elapsed, char out[static 40])
{
    char now[16], whole[16];
    text_duration(now, elapsed);
    text_duration(whole, step->expect_ns);
    if (step->expect_ns)
        snprintf(out, 40, "%s of %s", now, whole);
    else
        snprintf(out, 40, "%s", now);
}

static void draw_idle(const struct model *model, const struct model_lane *lane,
                      const struct canvas *canvas, int x, int y)
{
    const char *why = model_text(model, lane->idle_why);
    int w = canvas->w - x - 1;
    if (*why) {
        struct str text = {0};
        const char *path = strstr(why, "build/");
        int before = path ? (int)(path - why) : (int)strlen(why);
        str_addf(&text, "idle: %.*s%s", before, why, path ? model_short(path) : "");
        canvas_column(canvas, x, y, w, STYLE_FAINT, FIT_LEFT, str_text(&text));
        str_free(&text);
    } else {
        canvas_column(canvas, x, y, w, STYLE_FAINT, FIT_LEFT, "idle");
    }
}

static void draw_lane(void *data, const struct canvas *canvas, int y, size_t index)
{
    const struct build_lanes *lanes = data;
    const struct model *model = lanes->model;
    uint32_t number = lanes->order.at[index];
    const struct model_lane *lane = &model->lanes.at[number];
    int digits = model->lanes.len > 99 ? 3 : model->lanes.len > 9 ? 2 : 1;
    char text[40];
    snprintf(text, sizeof text, "%u", number + 1);
    int x = canvas_column(canvas, 1, y, digits, STYLE_TEXT, FIT_RIGHT, text) + 1;
    if (lane->step == MODEL_NONE) {
        draw_idle(model, lane, canvas, x, y);
        return;
    }
    const struct model_step *step = &model->steps.at[lane->step];
    uint64_t elapsed = model->now_ns > step->begin_ns ? model->now_ns - step->begin_ns : 0;
    int right = canvas->w - 1, rule_w = rule_width(canvas->w);
    bool rss = lanes->metered && right - x >= rule_w + TARGET_MIN + TIME_W + BAR_W + RSS_W;
    bool told = lane->total_bytes > 0;
    bool bar = lanes->bars && right - x >= rule_w + TARGET_MIN + TIME_W + BAR_W;
    if (rss) { /* a column is there for all lanes, or for none */
        text_size(text, lane->rss_kib * 1024);
        right -= RSS_W;
        canvas_column(canvas, right, y, RSS_W, STYLE_TEXT, FIT_RIGHT, lane->rss_kib ? text : "");
    }
    if (rss && right - x >= rule_w + TARGET_MIN + TIME_W + BAR_W + CPU_W) {
        snprintf(text, sizeof text, "%u%%", lane->cpu_percent);
        right -= CPU_W;
        canvas_column(canvas, right, y, CPU_W, STYLE_TEXT, FIT_RIGHT, lane->cpu_ns ? text : "");
    }
    if (bar)
        right -= BAR_W;
    if (bar && (step->expect_ns || told))
        canvas_bar(canvas, right + 1, y, BAR_W - 1, STYLE_RUNNING,
                   (double)(told ? lane->done_bytes : elapsed),
                   (double)(told ? lane->total_bytes : step->expect_ns));
    time_text(step, elapsed, text);
    int time_w = canvas->w < 60 && !step->expect_ns ? 7 : TIME_W;
    right -= time_w;
    canvas_column(canvas, right, y, time_w, overdue(model, number) ? STYLE_WARNING : STYLE_TEXT,
                  FIT_RIGHT, text);
    snprintf(text, sizeof text, "%s", model_text(model, step->rule));
    for (char *c = text; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    x = canvas_column(canvas, x, y, rule_w - 1, STYLE_RUNNING, FIT_LEFT, text) + 1;
    const char *host = model_text(model, step->host);
    int host_w = *host ? canvas_columns(host) + 2 : 0, room = right - x - TARGET_MIN;
    host_w = host_w <= room ? host_w : room >= HOST_MIN ? room : 0;
    if (host_w)
        canvas_column(canvas, right - host_w + 2, y, host_w - 2, STYLE_FAINT,
                      host_w < canvas_columns(host) + 2 ? FIT_MIDDLE : FIT_RIGHT, host);
    if (step->raced)
        x = canvas_put(canvas, x, y, STYLE_RACE, "⚑ ");
    canvas_column(canvas, x, y, right - host_w - x, STYLE_STRONG, FIT_MIDDLE,
                  model_name(model, lane->step));
}

static struct list_source source_of(struct build_lanes *lanes)
{
    return (struct list_source){lanes, lanes_count, lane_id, draw_lane};
}

void lanes_update(struct build_lanes *lanes, const struct model *model, size_t rows)
{
    lanes->model = model;
    lanes->order.len = 0;
    lanes->bars = false;
    lanes->metered = false;
    for (size_t i = 0; i < model->lanes.len; i++) {
        const struct model_lane *lane = &model->lanes.at[i];
        vec_push(&lanes->order, (uint32_t)i);
        lanes->metered |= lane->rss_kib > 0;
        lanes->bars |= lane->total_bytes > 0 ||
                       (lane->step != MODEL_NONE && model->steps.at[lane->step].expect_ns > 0);
    }
    if (lanes->order.len > rows) {
        sorting = model;
        qsort(lanes->order.at, lanes->order.len, sizeof *lanes->order.at, by_weight);
    }
}

void lanes_draw(struct build_lanes *lanes, const struct canvas *canvas, bool focus)
{
    struct list_source source = source_of(lanes);
    list_draw(&lanes->list, &source, canvas, focus);
}

bool lanes_request(struct build_lanes *lanes, enum request request, int y)
{
    struct list_source source = source_of(lanes);
    return lanes->model && list_request(&lanes->list, &source, request, y);
}

uint32_t lanes_step(const struct build_lanes *lanes)
{
    if (lanes->list.at >= lanes->order.len || !lanes->model ||
        lanes->order.at[lanes->list.at] >= lanes->model->lanes.len)
        return MODEL_NONE;
    const struct model_lane *lane = &lanes->model->lanes.at[lanes->order.at[lanes->list.at]];
    return lane->step != MODEL_NONE ? lane->step : lane->last;
}

void lanes_free(struct build_lanes *lanes)
{
    vec_free(&lanes->order);
}
