#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/build_view.h"
#include "views/time_view.h"

enum { LABELLED = 4 /* columns from which on a step has its name */ };

/* ---- what ran where ---- */

static struct time_lane *lane_of(struct time_lanes *lanes, uint32_t lane)
{
    while (lanes->lanes.len <= lane)
        vec_push(&lanes->lanes, (struct time_lane){0});
    return &lanes->lanes.at[lane];
}

void time_lanes_update(struct time_lanes *lanes, const struct model *model)
{
    if (lanes->build != model->builds || lanes->seen > model->ended.len) {
        for (size_t i = 0; i < lanes->lanes.len; i++)
            lanes->lanes.at[i].count = 0;
        lanes->seen = 0;
        lanes->build = model->builds;
    }
    for (; lanes->seen < model->ended.len; lanes->seen++) {
        uint32_t step = model->ended.at[lanes->seen];
        if (model->steps.at[step].lane == MODEL_NONE || model->steps.at[step].lane >= 4096)
            continue;
        struct time_lane *lane = lane_of(lanes, model->steps.at[step].lane);
        lane->steps = vec_room(lane->steps, &lane->cap, lane->count + 1, sizeof *lane->steps);
        lane->steps[lane->count++] = step;
    }
    if (model->lanes.len)
        lane_of(lanes, (uint32_t)model->lanes.len - 1);
}

void time_lanes_free(struct time_lanes *lanes)
{
    for (size_t i = 0; i < lanes->lanes.len; i++)
        free(lanes->lanes.at[i].steps);
    vec_free(&lanes->lanes);
}

uint64_t time_end_ns(const struct model *model)
{
    return model->state == BUILD_ENDED ? model->end_ns : model->now_ns;
}

static uint64_t end_of(const struct model *model, uint32_t step)
{
    const struct model_step *on = &model->steps.at[step];
    return on->state == STEP_STATE_RUNNING ? time_end_ns(model) : on->end_ns;
}

/* The first of a lane's ended steps that ends after t. */
static size_t first_after(const struct time_lane *lane, const struct model *model, uint64_t t_ns)
{
    size_t low = 0, high = lane->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (model->steps.at[lane->steps[middle]].end_ns > t_ns)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static uint32_t running_on(const struct model *model, size_t lane)
{
    return lane < model->lanes.len ? model->lanes.at[lane].step : MODEL_NONE;
}

/* ---- drawing ---- */

/* What a column holds of steps that are too short for a name. */
struct column {
    double busy; /* share of the column, 0 to 1 */
    enum style style;
    bool boxed; /* a step with its name stands here */
};

enum style time_rule_style(const struct model *model, const struct model_step *step)
{
    if (step->stage == STAGE_GEN)
        return STYLE_RULE_GEN;
    if (step->stage != STAGE_CC)
        return STYLE_RULE_LINK;
    return strcmp(model_text(model, step->rule), "cxx") == 0 ? STYLE_RULE_CXX : STYLE_TEXT;
}

/* Its state where that is worth a colour, else its rule. */
static enum style span_style(const struct model *model, const struct model_step *step)
{
    if (step->state == STEP_STATE_FAILED)
        return STYLE_FAILED;
    if (step->raced)
        return STYLE_RACE;
    if (step->state == STEP_STATE_DONE || step->state == STEP_STATE_FRESH)
        return time_rule_style(model, step);
    return state_style(step);
}

/* Which of two styles a column has that holds several steps: states before rules. */
static int weight(enum style style)
{
    return style == STYLE_FAILED    ? 5
           : style == STYLE_RACE    ? 4
           : style == STYLE_RUNNING ? 3
           : style == STYLE_WARNING ? 2
           : style == STYLE_FAINT   ? 0
                                    : 1;
}

/* "[CXX core/sched.cc   ]"; what runs on ends in ">". */
static void draw_box(const struct canvas *canvas, const struct model *model, uint32_t index, int x,
                     int y, int w, bool open_left, bool open_right)
{
    const struct model_step *step = &model->steps.at[index];
    enum style style = span_style(model, step);
    struct str text = {0};
    for (const char *c = model_text(model, step->rule); *c; c++)
        str_add_char(&text, (char)toupper((unsigned char)*c));
    const char *name = model_name(model, index), *slash = strrchr(name, '/');
    int room = w - 2 - canvas_columns(str_text(&text)) - 1;
    if (room < -1 && text.len > (size_t)(w - 2)) /* "CXX" in a box for two: no room for "…" */
        str_cut(&text, (size_t)(w - 2));
    if (room >= 4)
        str_addf(&text, " %s", canvas_columns(name) <= room || !slash ? name : slash + 1);
    bool runs = step->state == STEP_STATE_RUNNING;
    canvas_put(canvas, x, y, style, open_left ? "‹" : "[");
    canvas_column(canvas, x + 1, y, w - 2, style, FIT_LEFT, str_text(&text));
    canvas_put(canvas, x + w - 1, y, style, runs ? ">" : open_right ? "›" : "]");
    str_free(&text);
}

static void add_busy(struct column *columns, const struct time_window *window, double from,
                     double to, enum style style)
{
    for (int c = (int)floor(from); c < window->columns && c < to; c++) {
        if (c < 0)
            continue;
        double begin = from > c ? from : c, end = to < c + 1 ? to : c + 1;
        columns[c].busy += end - begin;
        if (weight(style) >= weight(columns[c].style))
            columns[c].style = style;
    }
}

static void draw_span(struct column *columns, const struct model *model, uint32_t index,
                      const struct time_window *window, const struct canvas *canvas, int x, int y)
{
    const struct model_step *step = &model->steps.at[index];
    double scale = (double)window->scale_ns, left = (double)window->left_ns;
    double from = ((double)step->begin_ns - left) / scale;
    double to = ((double)end_of(model, index) - left) / scale;
    if (to <= 0 || from >= window->columns)
        return;
    bool open_left = from<0, open_right = to> window->columns;
    int c0 = open_left ? 0 : (int)floor(from + 0.5);
    int c1 = open_right ? window->columns : (int)floor(to + 0.5);
    if (c1 - c0 < LABELLED) {
        add_busy(columns, window, from, to, span_style(model, step));
        return;
    }
    for (int c = c0; c < c1; c++)
        columns[c].boxed = true;
    draw_box(canvas, model, index, x + c0, y, c1 - c0, open_left, open_right);
}

void time_lane_draw(const struct time_lanes *lanes, const struct model *model, size_t lane,
                    const struct time_window *window, const struct canvas *canvas, int x, int y)
{
    static const char *const eighths[] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    if (window->columns <= 0)
        return;
    struct column *columns = mem_zero((size_t)window->columns, sizeof *columns);
    for (int c = 0; c < window->columns; c++)
        columns[c].style = STYLE_FAINT;
    uint64_t right_ns = window->left_ns + window->scale_ns * (uint64_t)window->columns;
    const struct time_lane *ran = &lanes->lanes.at[lane];
    for (size_t i = first_after(ran, model, window->left_ns);
         i < ran->count && model->steps.at[ran->steps[i]].begin_ns < right_ns; i++)
        draw_span(columns, model, ran->steps[i], window, canvas, x, y);
    uint32_t running = running_on(model, lane);
    if (running != MODEL_NONE)
        draw_span(columns, model, running, window, canvas, x, y);
    for (int c = 0; c < window->columns; c++) {
        uint64_t begin = window->left_ns + window->scale_ns * (uint64_t)c;
        if (columns[c].boxed || begin >= time_end_ns(model))
            continue;
        double busy = columns[c].busy > 1 ? 1 : columns[c].busy;
        canvas_put(canvas, x + c, y, columns[c].style, eighths[(int)ceil(busy * 8)]);
    }
    free(columns);
}

/* ---- questions ---- */

uint32_t time_lane_at(const struct time_lanes *lanes, const struct model *model, size_t lane,
                      uint64_t t_ns, uint64_t *since, uint64_t *until, uint32_t *next)
{
    *since = 0;
    *until = time_end_ns(model);
    *next = MODEL_NONE;
    if (lane >= lanes->lanes.len)
        return MODEL_NONE;
    const struct time_lane *ran = &lanes->lanes.at[lane];
    uint32_t running = running_on(model, lane);
    size_t at = first_after(ran, model, t_ns);
    if (at > 0)
        *since = model->steps.at[ran->steps[at - 1]].end_ns;
    uint32_t step = at < ran->count ? ran->steps[at] : running;
    if (step == MODEL_NONE)
        return MODEL_NONE;
    if (model->steps.at[step].begin_ns <= t_ns)
        return step;
    *next = step;
    *until = model->steps.at[step].begin_ns;
    return MODEL_NONE;
}

/* The prerequisite of a step that ended last, if that was after `since`, else MODEL_NONE; *count is how
 * many ended after it. */
static uint32_t awaited(const struct model *model, uint32_t index, uint64_t since, uint32_t *count)
{
    const struct model_step *step = &model->steps.at[index];
    uint32_t last = MODEL_NONE;
    *count = 0;
    for (uint32_t i = 0; i < step->needs_count; i++) {
        uint32_t need = model->links.at[step->needs + i];
        *count += model->steps.at[need].end_ns > since;
        if (model->steps.at[need].end_ns > since &&
            (last == MODEL_NONE || model->steps.at[need].end_ns > model->steps.at[last].end_ns))
            last = need;
    }
    return last;
}

/* A gap that nothing ended: what ran elsewhere then, and what that waited for. */
static void last_gap_text(const struct model *model, size_t lane, uint64_t since, struct str *out)
{
    const char *why =
        lane < model->lanes.len ? model_text(model, model->lanes.at[lane].idle_why) : "";
    if (model->state == BUILD_RUNNING && *why) {
        const char *path = strstr(why, "build/");
        int before = path ? (int)(path - why) : (int)strlen(why);
        str_addf(out, "%.*s%s", before, why, path ? model_short(path) : "");
        return;
    }
    uint32_t left = 0, first = MODEL_NONE;
    for (uint32_t i = 0; i < model->steps.len; i++) {
        const struct model_step *step = &model->steps.at[i];
        if (step->lane == MODEL_NONE || step->begin_ns <= since)
            continue;
        left++;
        if (first == MODEL_NONE || step->begin_ns < model->steps.at[first].begin_ns)
            first = i;
    }
    uint32_t count, need = first == MODEL_NONE ? MODEL_NONE : awaited(model, first, since, &count);
    if (need == MODEL_NONE)
        str_add(out, "nothing was left for it");
    else
        str_addf(out, "%s left waited for %s, on lane %u", left == 1 ? "what was" : "all that were",
                 model_name(model, need), model->steps.at[need].lane + 1);
}

void time_gap_text(const struct model *model, size_t lane, uint32_t next, uint64_t since,
                   struct str *out)
{
    if (next == MODEL_NONE) {
        last_gap_text(model, lane, since, out);
        return;
    }
    uint32_t count, last = awaited(model, next, since, &count);
    if (last == MODEL_NONE)
        str_addf(out, "%s began as soon as it was known", model_name(model, next));
    else if (count > 1)
        str_addf(out, "waiting for %s's %u prerequisites, %s the last, on lane %u",
                 model_name(model, next), count, model_name(model, last),
                 model->steps.at[last].lane + 1);
    else
        str_addf(out, "%s waited for %s, on lane %u", model_name(model, next),
                 model_name(model, last), model->steps.at[last].lane + 1);
}

uint64_t time_busy_ns(const struct time_lanes *lanes, const struct model *model)
{
    uint64_t busy = 0;
    for (size_t i = 0; i < lanes->lanes.len; i++) {
        for (size_t k = 0; k < lanes->lanes.at[i].count; k++) {
            const struct model_step *step = &model->steps.at[lanes->lanes.at[i].steps[k]];
            busy += step->end_ns > step->begin_ns ? step->end_ns - step->begin_ns : 0;
        }
        uint32_t running = running_on(model, i);
        if (running != MODEL_NONE && model->now_ns > model->steps.at[running].begin_ns)
            busy += model->now_ns - model->steps.at[running].begin_ns;
    }
    return busy;
}

/* The longest chain of prerequisites that ran. What a step needs ended before it: so the order of
 * ending is one in which lengths can be added up. */
uint64_t time_path(const struct model *model, uint32_t **path, size_t *count)
{
    VEC(uint32_t) way = {0};
    uint64_t *lengths = mem_zero(model->steps.len + 1, sizeof *lengths);
    uint32_t *before = mem_alloc((model->steps.len + 1) * sizeof *before);
    uint32_t last = MODEL_NONE;
    for (size_t i = 0; i < model->ended.len; i++) {
        uint32_t at = model->ended.at[i];
        const struct model_step *step = &model->steps.at[at];
        if (step->lane == MODEL_NONE || step->state == STEP_STATE_CANCELLED)
            continue;
        before[at] = MODEL_NONE;
        for (uint32_t j = 0; j < step->needs_count; j++) {
            uint32_t need = model->links.at[step->needs + j];
            if (lengths[need] && (before[at] == MODEL_NONE || lengths[need] > lengths[before[at]]))
                before[at] = need;
        }
        lengths[at] = (before[at] == MODEL_NONE ? 0 : lengths[before[at]]) + 1 +
                      (step->end_ns > step->begin_ns ? step->end_ns - step->begin_ns : 0);
        if (last == MODEL_NONE || lengths[at] > lengths[last])
            last = at;
    }
    uint64_t sum = last == MODEL_NONE ? 0 : lengths[last];
    for (uint32_t at = last; at != MODEL_NONE; at = before[at])
        vec_push(&way, at);
    *path = way.at;
    *count = way.len;
    free(lengths);
    free(before);
    return sum;
}
