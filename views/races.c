/*
 * Races: what was found to run in no declared order, the gravest first, and below it what is known of
 * the selected one: what each of the two did, the order that is missing, what to do about it. Hints
 * and what was found harmless are counted and hidden (H).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/re.h"
#include "tui/field.h"
#include "tui/list.h"
#include "views/model.h"
#include "views/views.h"

enum { LABEL_W = 10, DETAIL_ROWS = 11 };

struct races_view {
    struct view view;
    struct list list;
    VEC(uint32_t) shown; /* indexes of findings */
    bool hidden; /* what does not count is shown, too */
    char *filter;
    struct re *filter_re, *search_re;
    struct field reason; /* why it is suppressed, while typed */
    char suppressing[64]; /* the id */
    uint64_t seen; /* races at the last draw: for the tab's mark */
    const struct model *model; /* of the last draw */
    int top; /* of the list's first row in the last frame */
};

/* ---- the list ---- */

static int by_gravity(const void *left, const void *right, void *data)
{
    const struct model *model = data;
    const struct model_finding *a = &model->findings.at[*(const uint32_t *)left],
                               *b = &model->findings.at[*(const uint32_t *)right];
    bool a_counts = model_finding_counts(model, a), b_counts = model_finding_counts(model, b);
    if (a_counts != b_counts)
        return a_counts ? -1 : 1;
    if (a->severity != b->severity)
        return a->severity > b->severity ? -1 : 1;
    return a < b ? -1 : a > b;
}

static bool passes(struct re *re, const struct model *model, const struct model_finding *finding)
{
    const uint32_t texts[] = {finding->id,           finding->class,         finding->path,
                              finding->first_target, finding->second_target, finding->verdict};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = model_text(model, texts[i]);
        if (re_find(re, text, strlen(text), 0, NULL))
            return true;
    }
    return false;
}

static void sync(struct races_view *races, const struct model *model)
{
    races->model = model;
    races->shown.len = 0;
    for (size_t i = 0; i < model->findings.len; i++) {
        const struct model_finding *finding = &model->findings.at[i];
        if ((races->hidden || model_finding_counts(model, finding)) &&
            (!races->filter_re || passes(races->filter_re, model, finding)))
            vec_push(&races->shown, (uint32_t)i);
    }
    if (races->shown.len)
        qsort_r(races->shown.at, races->shown.len, sizeof *races->shown.at, by_gravity,
                (void *)(uintptr_t)model);
}

static size_t count(void *data)
{
    return ((struct races_view *)data)->shown.len;
}

static uint64_t id_of(void *data, size_t index)
{
    const struct races_view *races = data;
    return races->model->findings.at[races->shown.at[index]].id;
}

static enum style verdict_style(const struct model *model, const struct model_finding *finding)
{
    const char *verdict = model_text(model, finding->verdict);
    return strcmp(verdict, "gone") == 0            ? STYLE_GOOD
           : !model_finding_counts(model, finding) ? STYLE_FAINT
           : finding->severity == SEVERITY_ERROR   ? STYLE_RACE
                                                   : STYLE_WARNING;
}

/* What the row says of it in one word: that its order is held, where no experiment said more. */
static const char *word_of(const struct model *model, const struct model_finding *finding)
{
    const char *verdict = model_text(model, finding->verdict);
    bool held = model_hold_of(model, finding->id) && strcmp(verdict, "suspected") == 0;
    return held ? "held" : verdict;
}

static void draw_row(void *data, const struct canvas *canvas, int y, size_t index)
{
    const struct races_view *races = data;
    const struct model *model = races->model;
    const struct model_finding *finding = &model->findings.at[races->shown.at[index]];
    enum style style = verdict_style(model, finding);
    int w = canvas->w - 1, id_w = w >= 60 ? 8 : 4, class_w = w >= 76 ? 18 : 0;
    canvas_put(canvas, 1, y, style, model_finding_counts(model, finding) ? "⚑" : "○");
    int x =
        canvas_column(canvas, 3, y, id_w, STYLE_STRONG, FIT_LEFT, model_text(model, finding->id)) +
        1;
    x = canvas_column(canvas, x, y, 10, style, FIT_LEFT, word_of(model, finding)) + 1;
    if (class_w)
        x = canvas_column(canvas, x, y, class_w, STYLE_TEXT, FIT_LEFT,
                          model_text(model, finding->class)) +
            1;
    int path_w = (w - x) * 2 / 5, side_w = (w - x - path_w - 4) / 2;
    x = canvas_column(canvas, x, y, path_w, STYLE_TEXT, FIT_MIDDLE,
                      model_short(model_text(model, finding->path))) +
        1;
    x = canvas_column(canvas, x, y, side_w, STYLE_TEXT, FIT_MIDDLE,
                      model_short(model_text(model, finding->first_target)));
    x = canvas_put(canvas, x, y, STYLE_FAINT, " | ");
    canvas_column(canvas, x, y, w - x, STYLE_TEXT, FIT_MIDDLE,
                  model_short(model_text(model, finding->second_target)));
}

static struct list_source source_of(struct races_view *races)
{
    return (struct list_source){races, count, id_of, draw_row};
}

static const struct model_finding *selected(const struct races_view *races)
{
    return races->list.at < races->shown.len
               ? &races->model->findings.at[races->shown.at[races->list.at]]
               : NULL;
}

/* ---- the detail ---- */

static void draw_time(const struct model *model, uint32_t index, struct str *out)
{
    const struct model_step *step = index == MODEL_NONE ? NULL : &model->steps.at[index];
    char begin[16], end[16];
    if (!step || (!step->end_ns && step->state != STEP_STATE_RUNNING)) {
        str_add(out, "not in this build");
        return;
    }
    text_duration(begin, step->begin_ns);
    if (!step->end_ns) {
        str_addf(out, "lane %u, since %s", step->lane + 1, begin);
        return;
    }
    text_duration(end, step->end_ns);
    str_addf(out, "lane %u, %s to %s", step->lane + 1, begin, end);
}

/* One of the two: its target, then when and where it ran. */
static int draw_side(const struct canvas *canvas, int y, const char *label,
                     const struct model *model, uint32_t target, uint32_t index)
{
    struct str when = {0};
    draw_time(model, index, &when);
    canvas_put(canvas, 1, y, STYLE_FAINT, label);
    int room = canvas->w - LABEL_W - 1, when_w = canvas_columns(str_text(&when));
    bool beside = room >= when_w + 30;
    canvas_column(canvas, LABEL_W, y, beside ? room - when_w - 2 : room, STYLE_STRONG, FIT_MIDDLE,
                  model_short(model_text(model, target)));
    if (beside)
        canvas_put(canvas, canvas->w - when_w - 1, y, STYLE_TEXT, str_text(&when));
    str_free(&when);
    return y + 1;
}

static int draw_text(const struct canvas *canvas, int y, const char *label, const char *text)
{
    if (!*text || y >= canvas->h)
        return y;
    canvas_put(canvas, 1, y, STYLE_FAINT, label);
    return y + canvas_wrap(canvas,
                           (struct rect){LABEL_W, y, canvas->w - LABEL_W - 1, canvas->h - y},
                           STYLE_TEXT, text);
}

/* True where `user` has `need` as a prerequisite, over any number of steps. */
static bool is_ordered(const struct model *model, uint32_t user, uint32_t need)
{
    if (user == MODEL_NONE || need == MODEL_NONE)
        return false;
    uint8_t *seen = mem_zero(model->steps.len, 1);
    VEC(uint32_t) pending = {0};
    vec_push(&pending, user);
    bool found = false;
    while (pending.len && !found) {
        const struct model_step *step = &model->steps.at[pending.at[--pending.len]];
        for (uint32_t i = 0; i < step->needs_count; i++) {
            uint32_t next = model->links.at[step->needs + i];
            found |= next == need;
            if (!seen[next])
                vec_push(&pending, next);
            seen[next] = 1;
        }
    }
    vec_free(&pending);
    free(seen);
    return found;
}

static const char *order_text(const struct model *model, const struct model_finding *finding)
{
    if (finding->first == MODEL_NONE || finding->second == MODEL_NONE)
        return "none is declared";
    if (is_ordered(model, finding->second, finding->first))
        return "declared: the second needs the first";
    if (is_ordered(model, finding->first, finding->second))
        return "declared the other way: the first needs the second";
    return "none is declared: with another -j or on another machine they run the other way round";
}

static void draw_detail(const struct canvas *canvas, const struct model *model,
                        const struct model_finding *finding)
{
    char text[64];
    struct canvas body = canvas_part(canvas, (struct rect){0, 1, canvas->w, canvas->h - 1});
    canvas_title(canvas, 0, false, model_text(model, finding->id),
                 model_text(model, finding->verdict));
    int y = draw_side(&body, 0, "first", model, finding->first_target, finding->first);
    y = draw_side(&body, y, "second", model, finding->second_target, finding->second);
    y = draw_text(&body, y, "file", model_text(model, finding->path));
    y = draw_text(&body, y, "what", model_text(model, finding->text));
    y = draw_text(&body, y, "order", order_text(model, finding));
    const struct model_hold *hold = model_hold_of(model, finding->id);
    if (hold)
        y = draw_text(&body, y, "held", model_text(model, hold->text));
    snprintf(text, sizeof text, "%llu file%s show it", (unsigned long long)finding->witnesses,
             finding->witnesses == 1 ? "" : "s");
    if (finding->witnesses > 1)
        y = draw_text(&body, y, "seen", text);
    draw_text(
        &body, y, "next",
        "P proves it in copies of the tree, M shows the edit that mends it, W makes it, V builds "
        "again to verify, u takes it back; S says why it does not matter");
}

/* ---- the whole ---- */

static const char *nothing_text(const struct model *model)
{
    return model->findings.len             ? "nothing that counts; H shows what does not"
           : model->state == BUILD_ENDED   ? "no race was found in this build"
           : model->state == BUILD_RUNNING ? "no race was found so far"
                                           : "nothing built yet";
}

static void draw_title(const struct races_view *races, const struct canvas *canvas)
{
    const struct model *model = races->model;
    struct str right = {0};
    size_t hints = model->findings.len - (size_t)model->races;
    if (races->filter)
        str_addf(&right, "f: %s  ", races->filter);
    str_addf(&right, "%llu", (unsigned long long)model->races);
    if (hints)
        str_addf(&right, ", %zu %s", hints, races->hidden ? "that do not count" : "hidden (H)");
    canvas_title(canvas, 0, true, "races", str_text(&right));
    str_free(&right);
}

static void races_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct races_view *races = (struct races_view *)view;
    sync(races, ctx->model);
    races->seen = ctx->model->races;
    races->top = 1;
    draw_title(races, canvas);
    int detail = races->shown.len && canvas->h >= 8 ? canvas->h / 2 : 0;
    if (detail && detail < DETAIL_ROWS)
        detail = canvas->h - 3 < DETAIL_ROWS ? canvas->h - 3 : DETAIL_ROWS;
    struct canvas rows =
        canvas_part(canvas, (struct rect){0, 1, canvas->w, canvas->h - 1 - detail});
    struct list_source source = source_of(races);
    list_draw(&races->list, &source, &rows, !view->typing);
    if (!races->shown.len)
        canvas_put(&rows, 1, 0, STYLE_FAINT, nothing_text(ctx->model));
    const struct model_finding *finding = selected(races);
    struct canvas part =
        canvas_part(canvas, (struct rect){0, canvas->h - detail, canvas->w, detail});
    if (finding && detail)
        draw_detail(&part, ctx->model, finding);
    if (view->typing) {
        canvas_fill(canvas, (struct rect){0, canvas->h - 1, canvas->w, 1}, STYLE_TEXT, ' ');
        int x = canvas_put(canvas, 1, canvas->h - 1, STYLE_KEY, "reason: ");
        field_draw(&races->reason, canvas, x, canvas->h - 1, canvas->w - x - 1);
    }
}

/* ---- requests ---- */

/* `gantry races VERB ID OPTION VALUE`, on the terminal; option and value may be NULL. */
static void command(const char *verb, const char *id, const char *option, const char *value,
                    const struct view_ctx *ctx)
{
    const char *words[] = {"races", verb, id, option, value, NULL};
    ctx->ops->command(ctx->app, words);
}

static void set_pattern(struct re **re, const char *text, const struct view_ctx *ctx)
{
    struct err err = {0};
    re_free(*re);
    *re = text && *text ? re_compile(text, RE_SMART_CASE, &err) : NULL;
    if (text && *text && !*re)
        ctx->ops->say(ctx->app, SEVERITY_ERROR, err.text);
}

static void set_filter(struct races_view *races, const char *text, const struct view_ctx *ctx)
{
    set_pattern(&races->filter_re, text, ctx);
    free(races->filter);
    races->filter = races->filter_re ? mem_copy(text) : NULL;
}

static void find(struct races_view *races, int by, const struct view_ctx *ctx)
{
    size_t total = races->shown.len, at = races->list.at;
    struct list_source source = source_of(races);
    for (size_t i = 0; races->search_re && i < total; i++) {
        at = (at + total + (size_t)by) % total;
        if (passes(races->search_re, races->model,
                   &races->model->findings.at[races->shown.at[at]])) {
            list_select(&races->list, &source, at);
            return;
        }
    }
    ctx->ops->say(ctx->app, SEVERITY_NOTE, "no race matches");
}

/* What is asked of the selected race; false where the request is of another kind. */
static bool verb(struct races_view *races, enum request request, const struct view_ctx *ctx)
{
    static const struct {
        enum request request;
        const char *verb, *option;
    } verbs[] = {{REQ_ENTER, "show", NULL},    {REQ_PROVE, "prove", NULL},
                 {REQ_MEND, "mend", NULL},     {REQ_WRITE, "mend", "--apply"},
                 {REQ_VERIFY, "verify", NULL}, {REQ_UNDO, "undo", NULL},
                 {REQ_HOLD, "hold", NULL}};
    const struct model_finding *finding = selected(races);
    const char *id = finding ? model_text(ctx->model, finding->id) : NULL;
    size_t at = 0, count = sizeof verbs / sizeof *verbs;
    while (at < count && verbs[at].request != request)
        at++;
    if (at == count && request != REQ_SUPPRESS && request != REQ_COPY)
        return false;
    if (!id) {
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "no race is selected");
    } else if (request == REQ_SUPPRESS) {
        field_begin(&races->reason, "");
        snprintf(races->suppressing, sizeof races->suppressing, "%s", id);
        races->view.typing = true;
    } else if (request == REQ_COPY) {
        char text[128];
        snprintf(text, sizeof text, "gantry races prove %s", id);
        ctx->ops->copy(ctx->app, text);
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "the command that proves it is in the clipboard");
    } else {
        bool held = request == REQ_HOLD && model_hold_of(ctx->model, finding->id);
        command(held ? "release" : verbs[at].verb, id, verbs[at].option, NULL, ctx);
    }
    return true;
}

/* The second step of the selected race is what log, why and graph speak of. */
static void take_focus(const struct races_view *races, const struct view_ctx *ctx)
{
    const struct model_finding *finding = selected(races);
    if (finding && finding->second != MODEL_NONE)
        ctx->state->focus = ctx->model->steps.at[finding->second].id;
}

static enum view_result races_request(struct view *view, enum request request,
                                      const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct races_view *races = (struct races_view *)view;
    sync(races, ctx->model);
    struct list_source source = source_of(races);
    if (list_request(&races->list, &source, request, arg->y - races->top) ||
        verb(races, request, ctx)) {
        take_focus(races, ctx);
        return VIEW_HANDLED;
    }
    take_focus(races, ctx);
    switch (request) {
    case REQ_HIDDEN:
        races->hidden = !races->hidden;
        ctx->ops->say(ctx->app, SEVERITY_NOTE,
                      races->hidden ? "what does not count is shown, too"
                                    : "what does not count is hidden");
        return VIEW_HANDLED;
    case REQ_FILTER:
        set_filter(races, arg->text, ctx);
        return VIEW_HANDLED;
    case REQ_SEARCH:
        set_pattern(&races->search_re, arg->text, ctx);
        if (races->search_re)
            find(races, 1, ctx);
        return VIEW_HANDLED;
    case REQ_SEARCH_NEXT:
    case REQ_SEARCH_PREVIOUS:
        find(races, request == REQ_SEARCH_NEXT ? 1 : -1, ctx);
        return VIEW_HANDLED;
    case REQ_NEXT_FAILURE:
    case REQ_PREVIOUS_FAILURE:
        list_request(&races->list, &source, request == REQ_NEXT_FAILURE ? REQ_DOWN : REQ_UP, 0);
        return VIEW_HANDLED;
    case REQ_BACK:
        if (!races->filter)
            return VIEW_LEAVE;
        set_filter(races, NULL, ctx);
        return VIEW_HANDLED;
    default:
        return VIEW_IGNORED;
    }
}

static void races_key(struct view *view, const struct key *key, const struct view_ctx *ctx)
{
    struct races_view *races = (struct races_view *)view;
    enum field_result result = field_key(&races->reason, key);
    if (result == FIELD_EDITING)
        return;
    if (result == FIELD_ACCEPTED && !*field_text(&races->reason)) {
        ctx->ops->say(ctx->app, SEVERITY_ERROR, "why does it not matter? one sentence is kept");
        return;
    }
    view->typing = false;
    if (result == FIELD_ACCEPTED)
        command("suppress", races->suppressing, "--reason", field_text(&races->reason), ctx);
}

static void races_save(const struct view *view, struct str *out)
{
    const struct races_view *races = (const struct races_view *)view;
    if (races->filter)
        str_addf(out, "filter %s\n", races->filter);
    if (races->hidden)
        str_add(out, "hidden shown\n");
}

static void races_restore(struct view *view, const char *line, const struct view_ctx *ctx)
{
    struct races_view *races = (struct races_view *)view;
    if (str_starts(line, "filter "))
        set_filter(races, line + 7, ctx);
    races->hidden |= strcmp(line, "hidden shown") == 0;
}

static bool races_knocks(const struct view *view, const struct view_ctx *ctx)
{
    return ctx->model->races > ((const struct races_view *)view)->seen;
}

static struct view *races_open(const struct view_ctx *ctx)
{
    struct races_view *races = mem_zero(1, sizeof *races);
    races->view.ops = &view_races;
    races->view.typing_hint = "why it does not matter  Enter suppresses it  Esc reverts";
    races->model = ctx->model;
    return &races->view;
}

static void races_close(struct view *view)
{
    struct races_view *races = (struct races_view *)view;
    vec_free(&races->shown);
    free(races->filter);
    re_free(races->filter_re);
    re_free(races->search_re);
    field_free(&races->reason);
    free(races);
}

static const struct view_key keys[] = {
    {REQ_ENTER, "evidence"}, {REQ_PROVE, NULL},  {REQ_MEND, NULL},  {REQ_WRITE, "make it"},
    {REQ_VERIFY, NULL},      {REQ_UNDO, "undo"}, {REQ_HOLD, NULL},  {REQ_SUPPRESS, NULL},
    {REQ_HIDDEN, NULL},      {REQ_FILTER, NULL}, {REQ_GRAPH, NULL}, {REQ_LOG, NULL},
    {REQ_COPY, NULL},        {REQ_NONE, NULL}};

const struct view_ops view_races = {
    .name = "races",
    .title = "Races",
    .key = '4',
    .keys = keys,
    .about =
        "Steps that touch one file with no declared order between them: this build went well, "
        "another may not. P proves one, M shows what mends it and W does it, V verifies that it is "
        "gone.",
    .open = races_open,
    .close = races_close,
    .draw = races_draw,
    .request = races_request,
    .key_typed = races_key,
    .knocks = races_knocks,
    .save = races_save,
    .restore = races_restore,
};
