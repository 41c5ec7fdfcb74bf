/*
 * Compare: two recorded builds side by side, over the screen. Above what both were, then the steps
 * that differ, what tells most first, and below why the selected one does: what it touched in each,
 * when, and when that was made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/re.h"
#include "journal/compare.h"
#include "tui/list.h"
#include "views/model.h"
#include "views/views.h"

enum { LABEL_W = 10, DETAIL_ROWS = 9, WIDE = 110 };

struct compare_view {
    struct view view;
    struct list list;
    const struct compare *compare; /* the console's, of the last draw; NULL: none yet */
    VEC(uint32_t) shown; /* indexes of differences */
    char *filter;
    struct re *filter_re, *search_re;
    int top; /* of the list's first row in the last frame */
};

/* ---- what both were ---- */

static void draw_fact(const struct canvas *canvas, int y, const struct compare_fact *fact)
{
    int half = (canvas->w - LABEL_W) / 2;
    enum style style = fact->differs ? STYLE_STRONG : STYLE_TEXT;
    canvas_column(canvas, 1, y, LABEL_W - 2, STYLE_FAINT, FIT_LEFT, fact->name);
    for (int side = 0; side < 2; side++)
        canvas_column(canvas, LABEL_W + side * half, y, half - 1, style, FIT_MIDDLE,
                      fact->value[side]);
}

/* Returns the rows that it took. */
static int draw_facts(const struct compare *compare, const struct canvas *canvas, bool all)
{
    struct compare_fact facts[COMPARE_FACTS];
    size_t count = compare_facts(compare, facts);
    int half = (canvas->w - LABEL_W) / 2, y = 0;
    for (int side = 0; side < 2; side++) {
        canvas_put(canvas, LABEL_W + side * half, 0, STYLE_KEY, side ? "B" : "A");
        canvas_column(canvas, LABEL_W + side * half + 2, 0, half - 3, STYLE_TEXT, FIT_MIDDLE,
                      compare->build[side].journal);
    }
    for (size_t i = 0; i < count; i++)
        if (i == 0 || (all && facts[i].differs))
            draw_fact(canvas, ++y, &facts[i]);
    return y + 1;
}

/* ---- the list ---- */

static size_t count(void *data)
{
    return ((struct compare_view *)data)->shown.len;
}

static uint64_t id_of(void *data, size_t index)
{
    return ((struct compare_view *)data)->shown.at[index];
}

static const struct compare_difference *at_row(const struct compare_view *compare, size_t index)
{
    return index < compare->shown.len ? &compare->compare->differences.at[compare->shown.at[index]]
                                      : NULL;
}

static bool has_failed(const struct compare *compare, const struct compare_difference *difference,
                       int side)
{
    uint32_t step = difference->step[side];
    return step != COMPARE_NONE && compare->build[side].steps.at[step].outcome == OUTCOME_FAILED;
}

static void draw_row(void *data, const struct canvas *canvas, int y, size_t index)
{
    const struct compare_view *view = data;
    const struct compare *compare = view->compare;
    const struct compare_difference *difference = at_row(view, index);
    bool outcome = (difference->what & COMPARE_OUTCOME) != 0;
    bool moved = difference->order[0] != difference->order[1];
    enum style style = outcome ? STYLE_FAILED : moved ? STYLE_RACE : STYLE_TEXT;
    struct str text = {0};
    int w = canvas->w - 1, what_w = w >= 60 ? 22 : 0, outcome_w = w >= 76 ? 16 : 0;
    int x = canvas_put(canvas, 1, y, style, outcome ? "✗" : moved ? "⚑" : "•");
    int target_w = w - x - 1 - what_w - 2 * outcome_w;
    x = canvas_column(canvas, x + 1, y, target_w > 64 ? 64 : target_w, STYLE_STRONG, FIT_MIDDLE,
                      model_short(compare_target(compare, difference)));
    for (int side = 0; side < 2 && outcome_w; side++) {
        str_cut(&text, 0);
        compare_outcome_text(compare, difference, (unsigned)side, &text);
        x = canvas_column(canvas, x + 1, y, outcome_w - 1,
                          has_failed(compare, difference, side) ? STYLE_FAILED : STYLE_TEXT,
                          FIT_LEFT, str_text(&text));
    }
    str_cut(&text, 0);
    compare_what_text(difference, &text);
    if (what_w)
        canvas_column(canvas, x + 1, y, what_w - 1, STYLE_TEXT, FIT_LEFT, str_text(&text));
    str_free(&text);
}

static struct list_source source_of(struct compare_view *view)
{
    return (struct list_source){view, count, id_of, draw_row};
}

/* ---- why ---- */

/* A label, and text beside it in as many rows as it takes; returns the next row. */
static int put_text(const struct canvas *canvas, int y, const char *label, enum style style,
                    const char *text)
{
    if (!*text)
        return y;
    struct rect area = {LABEL_W, y, canvas->w - LABEL_W - 1, canvas->h - y};
    canvas_put(canvas, 1, y, STYLE_FAINT, label);
    return area.h < 1 ? y : y + canvas_wrap(canvas, area, style, text);
}

/* One step of a strip: where it ran in [from, to) of its build, and where it touched the path. */
static void draw_bar(const struct canvas *canvas, int y, const struct compare_step *step,
                     const char *name, uint64_t from_ns, uint64_t to_ns, uint64_t touch_ns)
{
    enum { NAME_W = 22 };
    int name_w = canvas->w > 60 ? NAME_W : canvas->w / 3, w = canvas->w - name_w - 2;
    uint64_t span = to_ns > from_ns ? to_ns - from_ns : 1;
    if (w < 4)
        return;
    canvas_column(canvas, 0, y, name_w, STYLE_TEXT, FIT_MIDDLE, name);
    canvas_fill(canvas, (struct rect){name_w + 1, y, w, 1}, STYLE_FAINT, 0xB7 /* · */);
    int first = (int)((step->begin_ns - from_ns) * (uint64_t)(w - 1) / span),
        last = (int)((step->end_ns - from_ns) * (uint64_t)(w - 1) / span),
        touch = (int)((touch_ns - from_ns) * (uint64_t)(w - 1) / span);
    bool failed = step->outcome == OUTCOME_FAILED;
    canvas_fill(canvas, (struct rect){name_w + 1 + first, y, last - first + 1, 1},
                failed ? STYLE_FAILED : STYLE_RUNNING, 0x2588 /* █ */);
    if (touch_ns >= step->begin_ns && touch_ns <= step->end_ns)
        canvas_put(canvas, name_w + 1 + touch, y, STYLE_RACE, "⚑");
}

/* The step and the one that makes the path, by time, in one build. Returns the rows that it took. */
static int draw_strip(const struct compare *compare, const struct compare_difference *difference,
                      int side, const struct canvas *canvas, int y)
{
    const struct compare_build *build = &compare->build[side];
    uint32_t maker = difference->maker[side];
    if (maker == COMPARE_NONE || difference->step[side] == COMPARE_NONE || canvas->h - y < 2)
        return 0;
    const struct compare_step *steps[2] = {&build->steps.at[maker],
                                           &build->steps.at[difference->step[side]]};
    uint64_t from_ns = steps[0]->begin_ns, to_ns = steps[0]->end_ns;
    if (steps[1]->begin_ns < from_ns)
        from_ns = steps[1]->begin_ns;
    if (steps[1]->end_ns > to_ns)
        to_ns = steps[1]->end_ns;
    if (steps[0]->end_ns < steps[0]->begin_ns || steps[1]->end_ns < steps[1]->begin_ns)
        return 0; /* one of them never ended */
    for (int i = 0; i < 2; i++)
        draw_bar(canvas, y + i, steps[i], model_short(compare_text(compare, steps[i]->target)),
                 from_ns, to_ns,
                 i && difference->touch[side].touch
                     ? (uint64_t)difference->touch[side].when_ms * 1000000
                     : UINT64_MAX);
    return 2;
}

static void side_text(const struct compare *compare, const struct compare_difference *difference,
                      int side, struct str *out)
{
    const struct compare_build *build = &compare->build[side];
    uint32_t step = difference->step[side];
    str_cut(out, 0);
    if (step == COMPARE_NONE) {
        str_add(out, "did not run");
        return;
    }
    compare_touch_text(compare, difference, (unsigned)side, out);
    struct str command = {0};
    compare_command_text(compare, difference, (unsigned)side, &command);
    if (command.len)
        str_addf(out, "%scommand: %s", out->len ? "; " : "", str_text(&command));
    str_free(&command);
    if (has_failed(compare, difference, side))
        str_addf(out, "%s%s", out->len ? "; " : "",
                 build->steps.at[step].diagnostic == COMPARE_NONE
                     ? "it failed"
                     : compare_text(compare, build->steps.at[step].diagnostic));
}

/* Both builds, one beside the other where there is room. */
static void draw_sides(const struct compare *compare, const struct compare_difference *difference,
                       const struct canvas *canvas)
{
    static const char *const labels[] = {"A", "B"};
    struct str text = {0};
    bool beside = canvas->w >= WIDE;
    int half = canvas->w / 2, y = 0;
    for (int side = 0; side < 2; side++) {
        struct rect area = {beside ? side * half : 0, beside ? 0 : y, beside ? half : canvas->w,
                            canvas->h - (beside ? 0 : y)};
        struct canvas part = canvas_part(canvas, area);
        side_text(compare, difference, side, &text);
        int rows = put_text(&part, 0, labels[side], STYLE_TEXT, str_text(&text));
        struct canvas strip =
            canvas_part(&part, (struct rect){LABEL_W, 0, part.w - LABEL_W, part.h});
        rows += draw_strip(compare, difference, side, &strip, rows);
        y += rows;
    }
    str_free(&text);
}

static void draw_why(struct compare_view *view, const struct canvas *canvas)
{
    const struct compare *compare = view->compare;
    const struct compare_difference *difference = at_row(view, view->list.at);
    struct str text = {0};
    if (!difference)
        return;
    if (difference->paths > 1)
        str_addf(&text, "the first of %u paths", difference->paths);
    canvas_title(canvas, 0, false, model_short(compare_target(compare, difference)),
                 str_text(&text));
    struct canvas inside =
        canvas_part(canvas, (struct rect){0, 1, canvas->w, canvas->h > 1 ? canvas->h - 1 : 0});
    str_cut(&text, 0);
    compare_conclusion(compare, difference, &text);
    int y = put_text(&inside, 0, "so", STYLE_STRONG, str_text(&text));
    struct canvas sides = canvas_part(&inside, (struct rect){0, y, inside.w, inside.h - y});
    draw_sides(compare, difference, &sides);
    str_free(&text);
}

/* ---- the view ---- */

static bool passes(const struct compare *compare, const struct compare_difference *difference,
                   struct re *re)
{
    const char *texts[] = {compare_target(compare, difference),
                           compare_text(compare, difference->path)};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (re_find(re, texts[i], strlen(texts[i]), 0, NULL))
            return true;
    return false;
}

static void sync(struct compare_view *view, const struct compare *compare)
{
    view->compare = compare;
    view->shown.len = 0;
    for (size_t i = 0; compare && i < compare->differences.len; i++)
        if (!view->filter_re || passes(compare, &compare->differences.at[i], view->filter_re))
            vec_push(&view->shown, (uint32_t)i);
}

/* What is selected is what log, why and graph speak of, where the build behind has it. */
static void take_focus(const struct compare_view *view, const struct view_ctx *ctx)
{
    const struct compare_difference *difference = at_row(view, view->list.at);
    const struct model *model = ctx->model;
    ctx->state->focus = EVENT_NONE;
    const char *target = difference ? compare_target(view->compare, difference) : "";
    for (size_t i = 0; *target && i < model->steps.len; i++)
        if (strcmp(model_target(model, (uint32_t)i), target) == 0)
            ctx->state->focus = model->steps.at[i].id;
}

static void draw_none(const struct canvas *canvas, const char *why)
{
    canvas_wrap(canvas, (struct rect){2, canvas->h / 3, canvas->w - 4, canvas->h}, STYLE_STRONG,
                why);
}

static void compare_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct compare_view *own = (struct compare_view *)view;
    const char *why = "";
    const struct compare *compare = ctx->ops->comparison(ctx->app, &why);
    char right[96] = "", name[64];
    canvas_fill(canvas, (struct rect){0, 0, canvas->w, canvas->h}, STYLE_TEXT, ' ');
    sync(own, compare);
    if (compare)
        snprintf(right, sizeof right, "%zu differ, %llu do not, %llu ran in one alone",
                 compare->differences.len, (unsigned long long)compare->same,
                 (unsigned long long)(compare->alone[0] + compare->alone[1]));
    snprintf(name, sizeof name, "compare%s%.40s", own->filter ? "  f: " : "",
             own->filter ? own->filter : "");
    canvas_title(canvas, 0, true, name, right);
    if (!compare) {
        draw_none(canvas, why);
        return;
    }
    struct canvas facts =
        canvas_part(canvas, (struct rect){0, 1, canvas->w, canvas->h > 1 ? canvas->h - 1 : 0});
    int y = 1 + draw_facts(compare, &facts, canvas->h >= 18);
    bool roomy = canvas->h >= 14;
    canvas_title(canvas, y, false, "steps that differ", NULL);
    int left = canvas->h - y - 1, detail = roomy ? left * 6 / 10 : 0;
    int wanted = (int)own->shown.len + 1;
    if (roomy && left - wanted > detail)
        detail = left - wanted;
    if (detail < DETAIL_ROWS && roomy && left > DETAIL_ROWS + 3)
        detail = DETAIL_ROWS;
    struct canvas rows = canvas_part(canvas, (struct rect){0, y + 1, canvas->w, left - detail});
    struct list_source source = source_of(own);
    own->top = y + 1;
    list_draw(&own->list, &source, &rows, true);
    if (!own->shown.len)
        canvas_put(&rows, 1, 0, STYLE_TEXT,
                   own->filter ? "none matches the filter: f and Enter shows all"
                               : "nothing differs in what ran in both");
    struct canvas below =
        canvas_part(canvas, (struct rect){0, canvas->h - detail, canvas->w, detail});
    draw_why(own, &below);
    take_focus(own, ctx);
}

static struct re *compile(const struct view_ctx *ctx, const char *pattern)
{
    struct err err = {0};
    struct re *re = re_compile(pattern, RE_SMART_CASE, &err);
    if (!re)
        ctx->ops->say(ctx->app, SEVERITY_ERROR, err.text);
    return re;
}

static void filter(struct compare_view *view, const struct view_ctx *ctx, const char *pattern)
{
    struct re *re = *pattern ? compile(ctx, pattern) : NULL;
    if (*pattern && !re)
        return;
    re_free(view->filter_re);
    free(view->filter);
    view->filter_re = re;
    view->filter = *pattern ? mem_copy(pattern) : NULL;
}

static void search(struct compare_view *view, const struct view_ctx *ctx, const char *pattern,
                   int by)
{
    struct re *re = pattern ? compile(ctx, pattern) : NULL;
    if (pattern && !re)
        return;
    if (re) {
        re_free(view->search_re);
        view->search_re = re;
    }
    size_t shown = view->shown.len, at = view->list.at;
    struct list_source source = source_of(view);
    for (size_t i = 0; view->search_re && i < shown; i++) {
        at = (at + shown + (size_t)by) % shown;
        if (passes(view->compare, at_row(view, at), view->search_re)) {
            list_select(&view->list, &source, at);
            return;
        }
    }
    ctx->ops->say(ctx->app, SEVERITY_NOTE,
                  view->search_re ? "no step that differs matches" : "/ begins a search");
}

/* The next difference in how a step ended. */
static void next_failure(struct compare_view *view, const struct view_ctx *ctx, int by)
{
    size_t shown = view->shown.len, at = view->list.at;
    struct list_source source = source_of(view);
    for (size_t i = 0; i < shown; i++) {
        at = (at + shown + (size_t)by) % shown;
        if (at_row(view, at)->what & COMPARE_OUTCOME) {
            list_select(&view->list, &source, at);
            return;
        }
    }
    ctx->ops->say(ctx->app, SEVERITY_NOTE, "no step failed in one of them alone");
}

static void copy(const struct compare_view *view, const struct view_ctx *ctx)
{
    const struct compare_difference *difference = at_row(view, view->list.at);
    struct str text = {0};
    if (!difference) {
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "nothing is selected");
        return;
    }
    str_add(&text, compare_target(view->compare, difference));
    for (unsigned side = 0; side < 2; side++) {
        struct str line = {0};
        side_text(view->compare, difference, (int)side, &line);
        str_addf(&text, "\n%c: %s", 'A' + (int)side, str_text(&line));
        str_free(&line);
    }
    str_add(&text, "\n");
    compare_conclusion(view->compare, difference, &text);
    ctx->ops->copy(ctx->app, str_text(&text));
    ctx->ops->say(ctx->app, SEVERITY_NOTE, "copied: both sides of it, and what follows");
    str_free(&text);
}

static enum view_result compare_request(struct view *view, enum request request,
                                        const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct compare_view *own = (struct compare_view *)view;
    const char *why = "";
    sync(own, ctx->ops->comparison(ctx->app, &why));
    struct list_source source = source_of(own);
    list_sync(&own->list, &source, own->list.rows);
    switch (request) {
    case REQ_SEARCH:
        search(own, ctx, arg->text, 1);
        break;
    case REQ_SEARCH_NEXT:
        search(own, ctx, NULL, 1);
        break;
    case REQ_SEARCH_PREVIOUS:
        search(own, ctx, NULL, -1);
        break;
    case REQ_FILTER:
        filter(own, ctx, arg->text);
        break;
    case REQ_NEXT_FAILURE:
        next_failure(own, ctx, 1);
        break;
    case REQ_PREVIOUS_FAILURE:
        next_failure(own, ctx, -1);
        break;
    case REQ_COPY:
        copy(own, ctx);
        break;
    case REQ_ENTER:
        if (ctx->state->focus == EVENT_NONE)
            ctx->ops->say(ctx->app, SEVERITY_NOTE,
                          "the build behind this has no such step: `gantry replay JOURNAL` shows "
                          "the other");
        else
            ctx->ops->perform(ctx->app, REQ_LOG); /* closes this view */
        return VIEW_HANDLED;
    default:
        if (!list_request(&own->list, &source, request, arg->y - own->top))
            return VIEW_IGNORED;
    }
    take_focus(own, ctx);
    return VIEW_HANDLED;
}

static struct view *compare_open(const struct view_ctx *ctx)
{
    struct compare_view *own = mem_zero(1, sizeof *own);
    (void)ctx;
    own->view.ops = &view_compare;
    return &own->view;
}

static void compare_close(struct view *view)
{
    struct compare_view *own = (struct compare_view *)view;
    vec_free(&own->shown);
    re_free(own->filter_re);
    re_free(own->search_re);
    free(own->filter);
    free(own);
}

static const struct view_key keys[] = {
    {REQ_LOG, NULL},    {REQ_GRAPH, NULL},  {REQ_WHY, NULL},  {REQ_NEXT_FAILURE, "failures"},
    {REQ_SEARCH, NULL}, {REQ_FILTER, NULL}, {REQ_COPY, NULL}, {REQ_BACK, NULL},
    {REQ_NONE, NULL}};

const struct view_ops view_compare = {
    .name = "compare",
    .title = "Compare",
    .keys = keys,
    .open = compare_open,
    .close = compare_close,
    .draw = compare_draw,
    .request = compare_request,
};
