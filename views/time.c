/*
 * The time screen: a row a lane, time from left to right. A step that is long enough has its name;
 * of shorter ones the height of a cell says how busy the lane was. The cursor says what each lane
 * did then, and why it stood still. A recorded build is played from the cursor on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/re.h"
#include "views/time_view.h"
#include "views/views.h"

enum { NUMBER_W = 5, RACES_MAX = 3, DETAIL_MIN = 3, LONGEST_MIN = 4 };
#define SCALE_MIN 1000000ull /* a millisecond a column */

struct time_screen {
    struct view view;
    struct time_lanes lanes;
    struct time_window window;
    bool fit; /* the whole build in the window */
    bool follow; /* the cursor stays at the end */
    uint64_t cursor_ns;
    size_t lane, top; /* the selected lane; the first shown */
    size_t rows; /* lanes shown in the last frame */
    int lanes_y; /* of the first lane's row in the last frame */
    struct re *search;
    uint32_t build; /* model->builds of the last frame */
};

/* "1:02.3": minutes, seconds, tenths. */
static void clock_text(char out[static 24], uint64_t ns)
{
    uint64_t tenths = ns / 100000000;
    snprintf(out, 24, "%u:%02u.%u", (unsigned)(tenths / 600), (unsigned)(tenths / 10 % 60),
             (unsigned)(tenths % 10));
}

/* The same to the millisecond where a window shows so little that tenths would all be one. */
static void fine_text(const struct time_window *window, char out[static 24], uint64_t ns)
{
    if (window->scale_ns >= 10 * SCALE_MIN) {
        clock_text(out, ns);
        return;
    }
    uint64_t ms = ns / 1000000;
    snprintf(out, 24, "%u:%02u.%03u", (unsigned)(ms / 60000), (unsigned)(ms / 1000 % 60),
             (unsigned)(ms % 1000));
}

static uint64_t end_ns(const struct model *model)
{
    uint64_t end = time_end_ns(model);
    return end ? end : 1;
}

/* Keeps window and cursor where they can be. */
static void settle(struct time_screen *screen, const struct model *model, int columns)
{
    struct time_window *window = &screen->window;
    if (screen->build != model->builds) {
        screen->build = model->builds;
        screen->fit = screen->follow = true;
        screen->lane = screen->top = 0;
    }
    uint64_t end = end_ns(model), cells = columns > 0 ? (uint64_t)columns : 1;
    window->columns = columns;
    if (screen->follow || screen->cursor_ns > end)
        screen->cursor_ns = end;
    if (screen->fit || !window->scale_ns)
        window->scale_ns = end / cells + 1;
    if (window->scale_ns < SCALE_MIN)
        window->scale_ns = SCALE_MIN;
    if (screen->fit)
        window->left_ns = 0;
    uint64_t width = window->scale_ns * cells;
    if (screen->cursor_ns < window->left_ns)
        window->left_ns = screen->cursor_ns;
    if (screen->cursor_ns >= window->left_ns + width)
        window->left_ns = screen->cursor_ns - width + window->scale_ns;
    if (screen->lane >= screen->lanes.lanes.len)
        screen->lane = screen->lanes.lanes.len ? screen->lanes.lanes.len - 1 : 0;
}

static int cursor_column(const struct time_screen *screen)
{
    const struct time_window *window = &screen->window;
    uint64_t column = (screen->cursor_ns - window->left_ns) / window->scale_ns;
    return column >= (uint64_t)window->columns ? window->columns - 1 : (int)column;
}

/* ---- drawing ---- */

/* What the colours of steps that are over stand for, over the title's rule where there is room. */
static void draw_legend(const struct canvas *canvas, int x, int right_w)
{
    static const struct {
        enum style style;
        const char *word;
    } kinds[] = {{STYLE_RULE_GEN, "generated"},
                 {STYLE_TEXT, "C"},
                 {STYLE_RULE_CXX, "C++"},
                 {STYLE_RULE_LINK, "linked"}};
    enum { LEGEND_W = 30 };
    if (x + LEGEND_W + right_w + 6 > canvas->w)
        return;
    x = canvas_put(canvas, x, 0, STYLE_FAINT, " ");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        x = canvas_put(canvas, canvas_put(canvas, x, 0, kinds[i].style, kinds[i].word), 0,
                       STYLE_FAINT, " ");
}

static void draw_title(const struct time_screen *screen, const struct canvas *canvas,
                       const struct view_ctx *ctx)
{
    const struct model *model = ctx->model;
    const struct app_state *state = ctx->state;
    char cursor[24], text[24];
    struct str name = {0}, right = {0};
    uint64_t whole = end_ns(model) * (screen->lanes.lanes.len ? screen->lanes.lanes.len : 1);
    uint32_t *path = NULL;
    size_t count;
    fine_text(&screen->window, cursor, screen->cursor_ns);
    str_add(&name, state->replaying                ? state->playing ? "playing" : "replay"
                   : model->state == BUILD_RUNNING ? "live"
                                                   : "time");
    if (state->replaying && state->speed > 1)
        str_addf(&name, " %ux", state->speed);
    clock_text(text, screen->window.scale_ns);
    if (screen->window.scale_ns >= 1000000000)
        str_addf(&right, "%s a column  ", text);
    else
        str_addf(&right, "%llu ms a column  ",
                 (unsigned long long)(screen->window.scale_ns / 1000000));
    str_addf(&right, "cursor %s", cursor);
    uint64_t busy = time_busy_ns(&screen->lanes, model) * 100 / whole;
    if (canvas->w >=
        60) /* steps in which other makes run stand on lanes of their own, as it were */
        str_addf(&right, "  busy %u %%", (unsigned)(busy < 100 ? busy : 100));
    uint64_t floor_ns = time_path(model, &path, &count);
    if (floor_ns && model->state == BUILD_ENDED && canvas->w >= 76) {
        clock_text(text, floor_ns);
        str_addf(&right, "  floor %s", text);
    }
    canvas_title(canvas, 0, true, str_text(&name), str_text(&right));
    draw_legend(canvas, canvas_columns(str_text(&name)) + 4, canvas_columns(str_text(&right)));
    free(path);
    str_free(&name);
    str_free(&right);
}

/* Times under ticks, as far apart as they need to be. */
static void draw_ruler(const struct time_screen *screen, const struct canvas *canvas, int y)
{
    const struct time_window *window = &screen->window;
    for (int c = 0; c + 9 < window->columns; c += 10) {
        char text[24];
        fine_text(window, text, window->left_ns + window->scale_ns * (uint64_t)c);
        canvas_putf(canvas, NUMBER_W + c, y, STYLE_FAINT, "│%s", text);
    }
}

static void draw_path(const struct time_screen *screen, const struct canvas *canvas,
                      const struct model *model, int y)
{
    const struct time_window *window = &screen->window;
    uint32_t *path = NULL;
    size_t count;
    time_path(model, &path, &count);
    for (size_t i = 0; i < count; i++) {
        const struct model_step *step = &model->steps.at[path[i]];
        for (int c = 0; c < window->columns; c++) {
            uint64_t begin = window->left_ns + window->scale_ns * (uint64_t)c;
            if (begin < step->end_ns && begin + window->scale_ns > step->begin_ns)
                canvas_put(canvas, NUMBER_W + c, y, STYLE_STRONG, "═");
        }
    }
    canvas_put(canvas, 0, y, STYLE_FAINT, count ? "path" : "");
    free(path);
}

/* "lane 2, 0:12.1"; of a step that nothing called for, that it was passed over. */
static void where_text(const struct model_step *step, char out[static 48])
{
    char begin[24];
    clock_text(begin, step->begin_ns);
    if (step->lane == MODEL_NONE)
        snprintf(out, 48, "passed over");
    else
        snprintf(out, 48, "lane %u, %s", step->lane + 1, begin);
}

/* "⚑ R1  lsroute.so, lane 2, 0:12.1  →  libtools.so, lane 1, 0:15.0" */
static int draw_races(const struct canvas *canvas, const struct model *model, int y)
{
    int rows = 0;
    for (size_t i = 0; i < model->findings.len && rows < RACES_MAX; i++) {
        const struct model_finding *finding = &model->findings.at[i];
        if (!model_finding_counts(model, finding) || finding->first == MODEL_NONE ||
            finding->second == MODEL_NONE)
            continue;
        const struct model_step *first = &model->steps.at[finding->first],
                                *second = &model->steps.at[finding->second];
        char a[48], b[48];
        where_text(first, a);
        where_text(second, b);
        struct str text = {0};
        str_addf(&text, "⚑ %s  %s, %s  →  %s, %s", model_text(model, finding->id),
                 model_name(model, finding->first), a, model_name(model, finding->second), b);
        canvas_column(canvas, 1, y + rows++, canvas->w - 2, STYLE_RACE, FIT_MIDDLE,
                      str_text(&text));
        str_free(&text);
    }
    return rows;
}

/* The row of a lane among those shown; -1: above, the canvas's height: below. */
static int row_of(const struct time_screen *screen, const struct canvas *canvas, uint32_t lane)
{
    if (lane < screen->top)
        return -1;
    return lane - screen->top < (size_t)canvas->h ? (int)(lane - screen->top) : canvas->h;
}

/* A race as a link: flags where its two steps begin, and the way from the first's lane to the
 * second's at the time when that begins. */
static void draw_link(const struct time_screen *screen, const struct canvas *canvas,
                      const struct model_step *first, const struct model_step *second)
{
    const struct time_window *window = &screen->window;
    uint64_t right = window->left_ns + window->scale_ns * (uint64_t)window->columns;
    if (first->lane == MODEL_NONE || second->lane == MODEL_NONE ||
        second->begin_ns < window->left_ns || second->begin_ns >= right)
        return;
    int from = row_of(screen, canvas, first->lane), to = row_of(screen, canvas, second->lane);
    int x = NUMBER_W + (int)((second->begin_ns - window->left_ns) / window->scale_ns);
    bool seen = first->begin_ns >= window->left_ns && first->begin_ns < right;
    int first_x =
        seen ? NUMBER_W + (int)((first->begin_ns - window->left_ns) / window->scale_ns) : -1;
    if (from != to && x != first_x)
        canvas_put(canvas, x, from, STYLE_RACE,
                   x > first_x ? (to > from ? "┐" : "┘") : (to > from ? "┌" : "└"));
    for (int y = (from < to ? from : to) + 1; y < (from < to ? to : from); y++)
        canvas_put(canvas, x, y, STYLE_RACE, "│");
    if (seen)
        canvas_put(canvas, first_x, from, STYLE_RACE, "⚑");
    canvas_put(canvas, x, to, STYLE_RACE, "⚑");
}

static void draw_links(const struct time_screen *screen, const struct canvas *canvas,
                       const struct model *model)
{
    for (size_t i = 0; i < model->findings.len; i++) {
        const struct model_finding *finding = &model->findings.at[i];
        if (model_finding_counts(model, finding) && finding->first != MODEL_NONE &&
            finding->second != MODEL_NONE)
            draw_link(screen, canvas, &model->steps.at[finding->first],
                      &model->steps.at[finding->second]);
    }
}

/* What one lane did at the cursor. */
static void draw_detail_row(const struct time_screen *screen, const struct canvas *canvas,
                            const struct model *model, size_t lane, int y)
{
    uint64_t since, until;
    uint32_t next;
    uint32_t index =
        time_lane_at(&screen->lanes, model, lane, screen->cursor_ns, &since, &until, &next);
    char took[16];
    struct str text = {0};
    enum style style = lane == screen->lane ? STYLE_STRONG : STYLE_TEXT;
    int x = canvas_putf(canvas, 1, y, style, "%zu", lane + 1) + 1;
    if (index != MODEL_NONE) {
        const struct model_step *step = &model->steps.at[index];
        bool runs = step->state == STEP_STATE_RUNNING;
        text_duration(took, (runs ? time_end_ns(model) : step->end_ns) - step->begin_ns);
        str_addf(&text, "%s %s  %s%s %s", model_text(model, step->rule), model_name(model, index),
                 model_state_word(step), runs ? " for" : ", took", took);
    } else {
        text_duration(took, until > since ? until - since : 0);
        str_addf(&text, "stood still %s: ", took);
        time_gap_text(model, lane, next, since, &text);
    }
    canvas_column(canvas, x < NUMBER_W ? NUMBER_W : x, y, canvas->w - x - 1,
                  index == MODEL_NONE && lane != screen->lane ? STYLE_FAINT : style, FIT_MIDDLE,
                  str_text(&text));
    str_free(&text);
}

static void draw_details(const struct time_screen *screen, const struct canvas *canvas,
                         const struct model *model)
{
    char cursor[24], name[40];
    fine_text(&screen->window, cursor, screen->cursor_ns);
    snprintf(name, sizeof name, "at %s", cursor);
    canvas_title(canvas, 0, false, name, NULL);
    size_t rows = canvas->h > 1 ? (size_t)canvas->h - 1 : 0, count = screen->lanes.lanes.len;
    size_t first = screen->lane + rows > count ? (count > rows ? count - rows : 0) : screen->lane;
    for (size_t i = 0; i < rows && first + i < count; i++)
        draw_detail_row(screen, canvas, model, first + i, 1 + (int)i);
}

/* The steps that took longest, the longest first: where there is room for them. */
static void draw_longest(const struct canvas *canvas, const struct model *model)
{
    enum { LONGEST_MAX = 40 };
    uint32_t top[LONGEST_MAX];
    size_t rows = canvas->h > 1 ? (size_t)canvas->h - 1 : 0, count = 0;
    rows = rows < LONGEST_MAX ? rows : LONGEST_MAX;
    for (size_t i = 0; i < model->ended.len && rows; i++) {
        uint32_t step = model->ended.at[i];
        uint64_t wall = model->steps.at[step].wall_ns;
        if (!wall || (count == rows && wall <= model->steps.at[top[count - 1]].wall_ns))
            continue;
        size_t at = count < rows ? count++ : count - 1;
        for (; at > 0 && model->steps.at[top[at - 1]].wall_ns < wall; at--)
            top[at] = top[at - 1];
        top[at] = step;
    }
    canvas_title(canvas, 0, false, "longest", NULL);
    for (size_t i = 0; i < count; i++) {
        const struct model_step *step = &model->steps.at[top[i]];
        char took[16], began[24];
        int y = 1 + (int)i, w = canvas->w - 1;
        text_duration(took, step->wall_ns);
        clock_text(began, step->begin_ns);
        int x = canvas_column(canvas, 1, y, 7, STYLE_TEXT, FIT_RIGHT, took) + 2;
        canvas_bar(canvas, x, y, 16, STYLE_TEXT, (double)step->wall_ns,
                   (double)model->steps.at[top[0]].wall_ns);
        x += 18;
        x = canvas_column(canvas, x, y, 8, STYLE_TEXT, FIT_LEFT, model_text(model, step->rule)) + 1;
        x = canvas_column(canvas, x, y, w - x - 20, STYLE_TEXT, FIT_MIDDLE,
                          model_name(model, top[i])) +
            1;
        canvas_putf(canvas, x, y, STYLE_FAINT, "lane %u, %s", step->lane + 1, began);
    }
}

/* What makes spent in $(shell), where that was much; how many rows that took. */
static int draw_shell_costs(const struct canvas *canvas, const struct model *model, int y)
{
    struct str costs = {0};
    int rows = 0;
    shell_costs_tell(&model->shell, time_end_ns(model), &costs);
    for (const char *at = str_text(&costs), *end; (end = strchr(at, '\n')); at = end + 1) {
        char *line = mem_copy_n(at, (size_t)(end - at));
        if (!rows)
            canvas_title(canvas, y + rows++, false, "$(shell)", NULL);
        canvas_column(canvas, 1, y + rows++, canvas->w - 2, STYLE_TEXT, FIT_MIDDLE, line);
        free(line);
    }
    str_free(&costs);
    return rows;
}

static void draw_lanes(struct time_screen *screen, const struct canvas *canvas,
                       const struct model *model)
{
    size_t rows = canvas->h > 0 ? (size_t)canvas->h : 0, count = screen->lanes.lanes.len;
    screen->rows = rows;
    if (screen->lane < screen->top)
        screen->top = screen->lane;
    if (rows && screen->lane >= screen->top + rows)
        screen->top = screen->lane - rows + 1;
    if (screen->top + rows > count)
        screen->top = count > rows ? count - rows : 0;
    for (size_t i = 0; i < rows && screen->top + i < count; i++) {
        size_t lane = screen->top + i;
        canvas_putf(canvas, 0, (int)i, lane == screen->lane ? STYLE_STRONG : STYLE_TEXT, "%4zu",
                    lane + 1);
        time_lane_draw(&screen->lanes, model, lane, &screen->window, canvas, NUMBER_W, (int)i);
        if (lane == screen->lane)
            canvas_reverse(canvas, 0, (int)i, NUMBER_W - 1);
    }
    draw_links(screen, canvas, model);
    for (size_t i = 0; i < rows && screen->top + i < count; i++)
        canvas_reverse(canvas, NUMBER_W + cursor_column(screen), (int)i, 1);
}

static void time_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct time_screen *screen = (struct time_screen *)view;
    const struct model *model = ctx->model;
    time_lanes_update(&screen->lanes, model);
    settle(screen, model, canvas->w - NUMBER_W - 1);
    if (model->state == BUILD_NEVER || !screen->lanes.lanes.len || screen->window.columns < 8) {
        canvas_title(canvas, 0, true, "time", NULL);
        canvas_put(canvas, 1, 1, STYLE_FAINT,
                   model->state == BUILD_NEVER ? "nothing built yet: b builds, and shows it"
                                               : "nothing ran yet");
        return;
    }
    draw_title(screen, canvas, ctx);
    int ruler = canvas->h >= 12, path = canvas->h >= 10;
    int races = model->races && canvas->h >= 12
                    ? (int)(model->races < RACES_MAX ? model->races : RACES_MAX)
                    : 0;
    int room = canvas->h - 1 - ruler - path - races, count = (int)screen->lanes.lanes.len;
    int detail = room - count > DETAIL_MIN ? room - count : room / 3;
    if (detail < 2)
        detail = 0;
    int y = 1;
    if (ruler)
        draw_ruler(screen, canvas, y++);
    int lanes_h = room - detail < count ? room - detail : count;
    struct canvas part = canvas_part(canvas, (struct rect){0, y, canvas->w, lanes_h});
    screen->lanes_y = y;
    draw_lanes(screen, &part, model);
    y += lanes_h;
    if (path)
        draw_path(screen, canvas, model, y++);
    if (races)
        y += draw_races(canvas, model, y);
    int left = canvas->h - y;
    if (detail > count + 1 + LONGEST_MIN)
        detail = count + 1;
    part = canvas_part(canvas, (struct rect){0, y, canvas->w, left < detail ? left : detail});
    if (part.h >= 2)
        draw_details(screen, &part, model);
    y += part.h;
    if (canvas->h - y >= LONGEST_MIN)
        y += draw_shell_costs(canvas, model, y);
    part = canvas_part(canvas, (struct rect){0, y, canvas->w, canvas->h - y});
    if (part.h >= LONGEST_MIN && model->ended.len)
        draw_longest(&part, model);
}

/* ---- requests ---- */

static uint32_t selected(const struct time_screen *screen, const struct model *model)
{
    uint64_t since, until;
    uint32_t next;
    return time_lane_at(&screen->lanes, model, screen->lane, screen->cursor_ns, &since, &until,
                        &next);
}

static void move_cursor(struct time_screen *screen, const struct model *model, int64_t by_ns)
{
    uint64_t end = end_ns(model), at = screen->cursor_ns;
    if (by_ns < 0)
        at = at > (uint64_t)-by_ns ? at - (uint64_t)-by_ns : 0;
    else
        at = at + (uint64_t)by_ns < end ? at + (uint64_t)by_ns : end;
    screen->follow = at == end && by_ns > 0;
    screen->cursor_ns = at;
}

/* Zooms around the cursor: it keeps its column. */
static void zoom(struct time_screen *screen, bool in)
{
    struct time_window *window = &screen->window;
    uint64_t column = (uint64_t)cursor_column(screen);
    screen->fit = false;
    window->scale_ns = in ? window->scale_ns / 2 : window->scale_ns * 2;
    if (window->scale_ns < SCALE_MIN)
        window->scale_ns = SCALE_MIN;
    uint64_t before = column * window->scale_ns;
    window->left_ns = screen->cursor_ns > before ? screen->cursor_ns - before : 0;
}

/* To the nearest begin or end of a step on any lane. */
static void step_event(struct time_screen *screen, const struct model *model, bool later)
{
    uint64_t at = screen->cursor_ns, best = later ? end_ns(model) : 0;
    for (size_t i = 0; i < model->steps.len; i++) {
        const struct model_step *step = &model->steps.at[i];
        const uint64_t times[] = {step->begin_ns, step->end_ns};
        for (int k = 0; step->lane != MODEL_NONE && k < 2; k++) {
            if (later && times[k] > at && times[k] < best)
                best = times[k];
            if (!later && times[k] < at && times[k] > best)
                best = times[k];
        }
    }
    screen->cursor_ns = best;
    screen->follow = false;
}

static void go_to(struct time_screen *screen, const struct model_step *step)
{
    screen->lane = step->lane;
    screen->cursor_ns = step->begin_ns;
    screen->follow = false;
}

/* The next step in time for which `is` holds, after the cursor's; around the end. */
static bool find(struct time_screen *screen, const struct model *model,
                 bool (*is)(const struct model *, uint32_t, struct re *), bool later)
{
    uint32_t best = MODEL_NONE, first = MODEL_NONE;
    for (uint32_t i = 0; i < model->steps.len; i++) {
        const struct model_step *step = &model->steps.at[i];
        if (step->lane == MODEL_NONE || step->lane >= screen->lanes.lanes.len ||
            !is(model, i, screen->search))
            continue;
        uint64_t t = step->begin_ns;
        bool beyond = later ? t > screen->cursor_ns : t < screen->cursor_ns;
        uint32_t *nearest = beyond ? &best : &first;
        if (*nearest == MODEL_NONE || (later ? t < model->steps.at[*nearest].begin_ns
                                             : t > model->steps.at[*nearest].begin_ns))
            *nearest = i;
    }
    best = best != MODEL_NONE ? best : first;
    if (best == MODEL_NONE)
        return false;
    go_to(screen, &model->steps.at[best]);
    return true;
}

static bool matches(const struct model *model, uint32_t step, struct re *re)
{
    const char *target = model_target(model, step);
    return re && re_find(re, target, strlen(target), 0, NULL);
}

static bool failed(const struct model *model, uint32_t step, struct re *re)
{
    (void)re;
    return model->steps.at[step].state == STEP_STATE_FAILED;
}

static bool motion(struct time_screen *screen, const struct model *model, enum request request,
                   const struct request_arg *arg)
{
    int64_t column = (int64_t)screen->window.scale_ns;
    int64_t page = column * (screen->window.columns > 4 ? screen->window.columns - 4 : 1);
    switch (request) {
    case REQ_LEFT:
        move_cursor(screen, model, -column);
        break;
    case REQ_RIGHT:
        move_cursor(screen, model, column);
        break;
    case REQ_PAGE_UP:
        move_cursor(screen, model, -page);
        break;
    case REQ_PAGE_DOWN:
        move_cursor(screen, model, page);
        break;
    case REQ_HOME:
        screen->cursor_ns = 0;
        screen->follow = false;
        break;
    case REQ_END:
        screen->follow = true;
        break;
    case REQ_UP:
    case REQ_WHEEL_UP:
        screen->lane -= screen->lane > 0;
        break;
    case REQ_DOWN:
    case REQ_WHEEL_DOWN:
        screen->lane += screen->lane + 1 < screen->lanes.lanes.len;
        break;
    case REQ_CLICK:
        if (arg->x >= NUMBER_W) {
            screen->cursor_ns =
                screen->window.left_ns + screen->window.scale_ns * (uint64_t)(arg->x - NUMBER_W);
            screen->follow = false;
        }
        if (arg->y >= screen->lanes_y && arg->y < screen->lanes_y + (int)screen->rows)
            screen->lane = screen->top + (size_t)(arg->y - screen->lanes_y);
        break;
    case REQ_PREVIOUS_RUN:
    case REQ_NEXT_RUN:
        zoom(screen, request == REQ_NEXT_RUN);
        break;
    case REQ_ZOOM:
        screen->fit = true;
        break;
    case REQ_EVENT_BACK:
    case REQ_EVENT_NEXT:
        step_event(screen, model, request == REQ_EVENT_NEXT);
        break;
    default:
        return false;
    }
    settle(screen, model, screen->window.columns);
    return true;
}

static void search(struct time_screen *screen, enum request request, const char *text,
                   const struct view_ctx *ctx)
{
    struct err err = {0};
    if (request == REQ_SEARCH) {
        re_free(screen->search);
        screen->search = text && *text ? re_compile(text, RE_SMART_CASE, &err) : NULL;
        if (!screen->search) {
            if (text && *text)
                ctx->ops->say(ctx->app, SEVERITY_ERROR, err.text);
            return;
        }
    }
    if (!find(screen, ctx->model, matches, request != REQ_SEARCH_PREVIOUS))
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "no step that ran matches");
}

static enum view_result time_request(struct view *view, enum request request,
                                     const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct time_screen *screen = (struct time_screen *)view;
    const struct model *model = ctx->model;
    if (request == REQ_BACK)
        return VIEW_LEAVE;
    time_lanes_update(&screen->lanes, model);
    if (model->state == BUILD_NEVER || !screen->lanes.lanes.len)
        return VIEW_IGNORED;
    settle(screen, model, screen->window.columns ? screen->window.columns : 80);
    enum view_result result = VIEW_HANDLED;
    bool moved = motion(screen, model, request, arg);
    switch (moved ? REQ_NONE : request) {
    case REQ_NONE:
        break;
    case REQ_SEARCH:
    case REQ_SEARCH_NEXT:
    case REQ_SEARCH_PREVIOUS:
        search(screen, request, arg->text, ctx);
        break;
    case REQ_NEXT_FAILURE:
    case REQ_PREVIOUS_FAILURE:
        if (!find(screen, model, failed, request == REQ_NEXT_FAILURE))
            ctx->ops->say(ctx->app, SEVERITY_NOTE, "nothing failed");
        break;
    case REQ_MARK:
        ctx->ops->play(ctx->app, screen->cursor_ns);
        screen->follow = true;
        return VIEW_HANDLED;
    case REQ_SORT:
        ctx->ops->speed(ctx->app);
        return VIEW_HANDLED;
    case REQ_ENTER:
        request = REQ_LOG;
        result = VIEW_IGNORED;
        break;
    default:
        result = VIEW_IGNORED;
    }
    uint32_t step = selected(screen, model);
    if (step != MODEL_NONE)
        ctx->state->focus = model->steps.at[step].id;
    if (request == REQ_LOG && step != MODEL_NONE) {
        ctx->ops->go(ctx->app, "log");
        return VIEW_HANDLED;
    }
    return result;
}

static struct view *time_open(const struct view_ctx *ctx)
{
    (void)ctx;
    struct time_screen *screen = mem_zero(1, sizeof *screen);
    screen->view.ops = &view_time;
    screen->fit = screen->follow = true;
    screen->build = UINT32_MAX;
    screen->lanes.build = UINT32_MAX;
    return &screen->view;
}

static void time_close(struct view *view)
{
    struct time_screen *screen = (struct time_screen *)view;
    time_lanes_free(&screen->lanes);
    re_free(screen->search);
    free(screen);
}

static const struct view_key keys[] = {{REQ_NEXT_RUN, "zoom in"}, {REQ_PREVIOUS_RUN, "out"},
                                       {REQ_ZOOM, "all"},         {REQ_EVENT_NEXT, "event"},
                                       {REQ_MARK, "play"},        {REQ_SORT, "speed"},
                                       {REQ_LOG, NULL},           {REQ_NEXT_FAILURE, "failure"},
                                       {REQ_SEARCH, NULL},        {REQ_NONE, NULL}};

const struct view_ops view_time = {
    .name = "time",
    .title = "Time",
    .key = '3',
    .keys = keys,
    .about =
        "What ran when on which lane. Left and right move the cursor through time, up and down "
        "choose a lane; below stands what each did then, and why it stood still. The path is "
        "what decided how long it took; what is over has the colour of its kind of rule. Space "
        "plays a recorded build from the cursor on.",
    .open = time_open,
    .close = time_close,
    .draw = time_draw,
    .request = time_request,
};
