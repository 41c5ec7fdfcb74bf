/* What is over: the steps that ended last, newest first; after the build those that took longest. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "views/build_view.h"

enum { TIME_W = 8, CPU_W = 6, RSS_W = 7, TARGET_MIN = 16 };

static const struct model *sorting; /* qsort has no argument; the loop's thread only */

static int by_time(const void *left, const void *right)
{
    const struct model_step *a = &sorting->steps.at[*(const uint32_t *)left];
    const struct model_step *b = &sorting->steps.at[*(const uint32_t *)right];
    if (a->wall_ns != b->wall_ns)
        return a->wall_ns > b->wall_ns ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

void done_update(struct build_done *done, const struct model *model)
{
    bool sorted = model->state == BUILD_ENDED;
    bool same = done->sorted == sorted && done->builds == model->builds &&
                done->order.len == model->ended.len;
    done->model = model;
    if (same || !sorted) {
        done->sorted = sorted;
        done->builds = model->builds;
        if (!sorted)
            done->order.len = 0;
        return;
    }
    done->order.len = 0;
    for (size_t i = 0; i < model->ended.len; i++)
        vec_push(&done->order, model->ended.at[i]);
    sorting = model;
    if (done->order.len)
        qsort(done->order.at, done->order.len, sizeof *done->order.at, by_time);
    done->sorted = true;
    done->builds = model->builds;
}

static size_t done_count(void *data)
{
    return ((struct build_done *)data)->model->ended.len;
}

static uint32_t step_at(const struct build_done *done, size_t index)
{
    const struct model *model = done->model;
    return done->sorted ? done->order.at[index] : model->ended.at[model->ended.len - 1 - index];
}

static uint64_t done_id(void *data, size_t index)
{
    return step_at(data, index);
}

static void draw_done(void *data, const struct canvas *canvas, int y, size_t index)
{
    const struct build_done *done = data;
    const struct model *model = done->model;
    uint32_t at = step_at(done, index);
    const struct model_step *step = &model->steps.at[at];
    char text[40];
    int right = canvas->w - 1, rule_w = rule_width(canvas->w);
    int x = canvas_put(canvas, 1, y, state_style(step), model_state_glyph(step)) + 1;
    if (right - x >= rule_w + TARGET_MIN + TIME_W + CPU_W + RSS_W) {
        text_size(text, step->rss_kib * 1024);
        right -= RSS_W;
        canvas_column(canvas, right, y, RSS_W, STYLE_FAINT, FIT_RIGHT, step->rss_kib ? text : "");
        snprintf(text, sizeof text, "%llu%%",
                 step->wall_ns ? (unsigned long long)(step->cpu_ns * 100 / step->wall_ns) : 0);
        right -= CPU_W;
        canvas_column(canvas, right, y, CPU_W, STYLE_FAINT, FIT_RIGHT, step->wall_ns ? text : "");
    }
    text_duration(text, step->wall_ns);
    right -= TIME_W;
    canvas_column(canvas, right, y, TIME_W, STYLE_TEXT, FIT_RIGHT, text);
    if (step->outcome != OUTCOME_RAN && right - x > 50) {
        const char *word = model_state_word(step);
        int w = canvas_columns(word) + 2;
        right -= w;
        canvas_column(canvas, right, y, w, state_style(step), FIT_RIGHT, word);
    }
    snprintf(text, sizeof text, "%s", model_text(model, step->rule));
    for (char *c = text; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    x = canvas_column(canvas, x, y, rule_w - 1, STYLE_TEXT, FIT_LEFT, text) + 1;
    if (step->raced)
        x = canvas_put(canvas, x, y, STYLE_RACE, "⚑ ");
    canvas_column(canvas, x, y, right - x, STYLE_TEXT, FIT_MIDDLE, model_name(model, at));
}

static struct list_source source_of(struct build_done *done)
{
    return (struct list_source){done, done_count, done_id, draw_done};
}

void done_draw(struct build_done *done, const struct canvas *canvas, bool focus)
{
    struct list_source source = source_of(done);
    if (!focus) { /* nobody looks at one of them: the newest are shown */
        list_select(&done->list, &source, 0);
        done->list.top = 0;
    }
    list_draw(&done->list, &source, canvas, focus);
}

bool done_request(struct build_done *done, enum request request, int y)
{
    struct list_source source = source_of(done);
    return done->model && list_request(&done->list, &source, request, y);
}

uint32_t done_step(const struct build_done *done)
{
    return done->model && done->list.at < done->model->ended.len ? step_at(done, done->list.at)
                                                                 : MODEL_NONE;
}

void done_free(struct build_done *done)
{
    vec_free(&done->order);
}
