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

enum {
    LABEL_W = 10,
    DETAIL_ROWS = 11,
    LIST_ROWS = 4, /* of the list at least, where there is more than that */
    BARS_FROM = 15, /* rows of the detail from which on it has time lines */
    NEXT_ROWS = 4, /* of it that the proof leaves */
};

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
        bool shown = races->hidden || model_finding_counts(model, finding) ||
                     strcmp(model_text(model, finding->verdict), "gone") == 0;
        if (shown && (!races->filter_re || passes(races->filter_re, model, finding)))
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
    bool gone = strcmp(model_text(model, finding->verdict), "gone") == 0;
    canvas_put(canvas, 1, y, style, gone ? "✓" : model_finding_counts(model, finding) ? "⚑" : "○");
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
    if (step->lane == MODEL_NONE && step->end_ns) {
        str_add(out, "passed over in this build");
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

/* One of the two: its target, then where its recipe stands, and when and where it ran. */
static int draw_side(const struct canvas *canvas, int y, const struct model *model,
                     const struct model_finding *finding, int which)
{
    uint32_t target = which ? finding->second_target : finding->first_target,
             index = which ? finding->second : finding->first;
    struct str when = {0};
    draw_time(model, index, &when);
    canvas_put(canvas, 1, y, STYLE_FAINT, which ? "second" : "first");
    const char *place = model_text(model, finding->place[which]);
    if (*place && canvas->w >= 100) {
        struct str both = {0};
        str_addf(&both, "%s   %s", place, str_text(&when));
        str_free(&when);
        when = both;
    }
    int room = canvas->w - LABEL_W - 1, when_w = canvas_columns(str_text(&when));
    bool beside = room >= when_w + 30;
    canvas_column(canvas, LABEL_W, y, beside ? room - when_w - 2 : room, STYLE_STRONG, FIT_MIDDLE,
                  model_short(model_text(model, target)));
    if (beside)
        canvas_put(canvas, canvas->w - when_w - 1, y, STYLE_TEXT, str_text(&when));
    str_free(&when);
    return y + 1;
}

/* The time that both took together, and where in a row of it a moment lies. */
struct span {
    uint64_t from_ns, to_ns;
    int x, w;
};

static int column_of(const struct span *span, uint64_t at_ns)
{
    if (at_ns <= span->from_ns)
        return span->x;
    uint64_t length_ns = span->to_ns - span->from_ns, since_ns = at_ns - span->from_ns;
    if (since_ns >= length_ns)
        return span->x + span->w - 1;
    return span->x + (int)((double)since_ns / (double)length_ns * (span->w - 1));
}

static uint64_t end_of(const struct model *model, const struct model_step *step)
{
    return step->end_ns ? step->end_ns : model->now_ns;
}

/* When one of them ran, and when it touched the path, on the time line of both. */
static void draw_bar(const struct canvas *canvas, int y, const struct model *model,
                     const struct model_finding *finding, int which, const struct span *span)
{
    char at[16];
    const struct model_step *step = &model->steps.at[which ? finding->second : finding->first];
    const char *access = model_text(model, finding->access[which]);
    int from = column_of(span, step->begin_ns), to = column_of(span, end_of(model, step));
    for (int x = span->x; x < span->x + span->w; x++)
        canvas_put(canvas, x, y, STYLE_FAINT, "·");
    for (int x = from; x <= to; x++)
        canvas_put(canvas, x, y, STYLE_RUNNING, x == from ? "[" : x == to ? "]" : "─");
    if (!*access)
        return;
    int flag = column_of(span, finding->at_ns[which]);
    text_duration(at, finding->at_ns[which]);
    canvas_put(canvas, flag, y, STYLE_RACE, "⚑");
    struct str text = {0};
    str_addf(&text, " %s at %s ", access, at);
    int w = canvas_columns(str_text(&text));
    int x = flag + 1 + w <= span->x + span->w ? flag + 1 : flag - w;
    if (x >= span->x)
        canvas_put(canvas, x, y, STYLE_STRONG, str_text(&text));
    str_free(&text);
}

static bool has_run(const struct model *model, uint32_t index)
{
    return index != MODEL_NONE &&
           (model->steps.at[index].end_ns || model->steps.at[index].state == STEP_STATE_RUNNING);
}

/* Both sides, and where there is room when each did what. */
static int draw_sides(const struct canvas *canvas, const struct model *model,
                      const struct model_finding *finding)
{
    struct span span = {.from_ns = UINT64_MAX, .x = LABEL_W, .w = canvas->w - LABEL_W - 1};
    bool bars = canvas->h >= BARS_FROM && span.w >= 40 && has_run(model, finding->first) &&
                has_run(model, finding->second);
    for (int i = 0; i < 2 && bars; i++) {
        const struct model_step *step = &model->steps.at[i ? finding->second : finding->first];
        if (step->begin_ns < span.from_ns)
            span.from_ns = step->begin_ns;
        if (end_of(model, step) > span.to_ns)
            span.to_ns = end_of(model, step);
    }
    bars &= span.to_ns > span.from_ns;
    int y = 0;
    for (int i = 0; i < 2; i++) {
        y = draw_side(canvas, y, model, finding, i);
        if (bars)
            draw_bar(canvas, y++, model, finding, i, &span);
    }
    return y;
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

/* What is known of it by now, and what an order is held for. */
static void state_text(const struct model *model, const struct model_finding *finding,
                       struct str *out)
{
    const struct model_hold *hold = model_hold_of(model, finding->id);
    str_add(out, model_text(model, finding->verdict));
    if (hold && hold->let_go)
        str_addf(out, ", held, but let go in this build: %s", model_text(model, hold->text));
    else if (hold)
        str_addf(out, ", held: %s", model_text(model, hold->text));
}

/* What can be done about it, the next thing first. */
static const char *next_text(const struct model *model, const struct model_finding *finding)
{
    const char *verdict = model_text(model, finding->verdict);
    if (strcmp(verdict, "gone") == 0)
        return "u takes the edit back, if it was one";
    if (strcmp(verdict, "mended") == 0)
        return "V builds again to verify that it is gone; u takes the edit back";
    if (strcmp(verdict, "suppressed") == 0)
        return "it does not count; the reason is in .gantry-races";
    if (strcmp(verdict, "harmless") == 0)
        return "nothing need be done; M shows the edit that would order them all the same";
    if (strcmp(verdict, "suspected") == 0)
        return "P proves it in copies of the tree, M shows the edit that mends it, W makes it, V "
               "builds "
               "again to verify, u takes it back; O holds the order until then; S says why it does "
               "not "
               "matter";
    return "M shows the edit that mends it, W makes it, V builds again to verify, u takes it back; "
           "O "
           "holds the order until then; y copies the command that proves it";
}

/* Lines as they are, but cut to what fits. */
static int draw_lines(const struct canvas *canvas, int y, const char *label, const char *text,
                      int rows)
{
    bool first = true;
    for (const char *at = text; *at && rows > 0 && y < canvas->h; rows--, y++) {
        size_t length = strcspn(at, "\n");
        char *line = mem_copy_n(at, length);
        if (first)
            canvas_put(canvas, 1, y, STYLE_FAINT, label);
        canvas_column(canvas, LABEL_W, y, canvas->w - LABEL_W - 1, STYLE_TEXT, FIT_LEFT, line);
        free(line);
        first = false;
        at += length + (at[length] == '\n');
    }
    return y;
}

/* What was asked of this finding last: how far that is, or what it printed, where that is no more than
 * what stands there anyway. */
static int draw_asked(const struct canvas *canvas, int y, const struct model *model,
                      const struct model_finding *finding, const struct app_races *asked)
{
    if (strcmp(asked->id, model_text(model, finding->id)) != 0)
        return y;
    if (asked->busy)
        return draw_text(canvas, y, asked->verb, *asked->progress ? asked->progress : "…");
    if (!asked->text || (strcmp(asked->verb, "prove") == 0 && !asked->failed))
        return y;
    return draw_lines(canvas, y, asked->verb, asked->text, canvas->h - y - NEXT_ROWS);
}

static void draw_detail(const struct canvas *canvas, const struct model *model,
                        const struct model_finding *finding, const struct app_races *asked)
{
    char text[64];
    struct str state = {0};
    struct canvas body = canvas_part(canvas, (struct rect){0, 1, canvas->w, canvas->h - 1});
    canvas_title(canvas, 0, false, model_text(model, finding->id),
                 model_text(model, finding->verdict));
    int y = draw_sides(&body, model, finding);
    y = draw_text(&body, y, "file", model_text(model, finding->path));
    y = draw_text(&body, y, "what", model_text(model, finding->text));
    y = draw_text(&body, y, "order", order_text(model, finding));
    snprintf(text, sizeof text, "%llu file%s show it", (unsigned long long)finding->witnesses,
             finding->witnesses == 1 ? "" : "s");
    if (finding->witnesses > 1)
        y = draw_text(&body, y, "seen", text);
    y = draw_asked(&body, y, model, finding, asked);
    y = draw_lines(&body, y, "proof", model_text(model, finding->evidence), body.h - y - NEXT_ROWS);
    state_text(model, finding, &state);
    y = draw_text(&body, y, "state", str_text(&state));
    draw_text(&body, y, "next", next_text(model, finding));
    str_free(&state);
}

/* ---- the whole ---- */

static const char *nothing_text(const struct model *model)
{
    return model->findings.len             ? "nothing that counts; H shows what does not"
           : model->state == BUILD_ENDED   ? "no race was found in this build"
           : model->state == BUILD_RUNNING ? "no race was found so far"
                                           : "nothing built yet: b builds, and looks for races";
}

static void draw_title(const struct races_view *races, const struct canvas *canvas,
                       const struct app_races *asked)
{
    const struct model *model = races->model;
    struct str right = {0};
    if (asked->busy)
        str_addf(&right, "%s %s: %s   ", asked->verb, asked->id, asked->progress);
    size_t hints = 0;
    for (size_t i = 0; i < model->findings.len; i++)
        hints += !model_finding_counts(model, &model->findings.at[i]) &&
                 strcmp(model_text(model, model->findings.at[i].verdict), "gone") != 0;
    if (races->filter)
        str_addf(&right, "f: %s  ", races->filter);
    str_addf(&right, "%llu", (unsigned long long)model->races);
    if (hints)
        str_addf(&right, ", %zu %s", hints, races->hidden ? "that do not count" : "hidden (H)");
    canvas_title(canvas, 0, true, "races", str_text(&right));
    str_free(&right);
}

/* The evidence gets what the list does not need, and the list what it shows, as far as there is room. */
static int detail_rows(const struct races_view *races, int h)
{
    int list = races->shown.len < (size_t)h ? (int)races->shown.len : h, room = h - 1;
    if (!races->shown.len || h < 8)
        return 0;
    if (list < LIST_ROWS)
        list = LIST_ROWS;
    int most = room - (room / 3 > LIST_ROWS ? room / 3 : LIST_ROWS);
    int rows = room - list > most ? room - list : most;
    if (rows < DETAIL_ROWS)
        rows = room - 2 < DETAIL_ROWS ? room - 2 : DETAIL_ROWS;
    return rows;
}

static void races_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct races_view *races = (struct races_view *)view;
    sync(races, ctx->model);
    races->seen = ctx->model->races;
    races->top = 1;
    draw_title(races, canvas, &ctx->state->races);
    int detail = detail_rows(races, canvas->h);
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
        draw_detail(&part, ctx->model, finding, &ctx->state->races);
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
                 {REQ_HOLD, "hold", NULL},     {REQ_BLAME, "blame", NULL}};
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
    {REQ_ENTER, "evidence"}, {REQ_PROVE, NULL},  {REQ_MEND, NULL},   {REQ_WRITE, "make it"},
    {REQ_VERIFY, NULL},      {REQ_UNDO, "undo"}, {REQ_HOLD, NULL},   {REQ_BLAME, NULL},
    {REQ_SUPPRESS, NULL},    {REQ_HIDDEN, NULL}, {REQ_FILTER, NULL}, {REQ_GRAPH, NULL},
    {REQ_LOG, NULL},         {REQ_COPY, NULL},   {REQ_NONE, NULL}};

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
