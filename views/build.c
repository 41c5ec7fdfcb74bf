/*
 * The build screen: what failed, the map of the whole graph, the lanes, what is over, the cone of the
 * goal, the step in focus and the tail of its log. Which panes there are follows from the size; lanes
 * stay longest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/re.h"
#include "views/build_view.h"
#include "views/views.h"

/* Their numbers are saved. */
enum pane { PANE_FAILED, PANE_MAP, PANE_LANES, PANE_CONE, PANE_TAIL, PANE_DONE, PANE_STEP, PANES };
enum { WIDE = 150, FAILED_ROWS = 3 };

struct build_view {
    struct view view;
    enum pane focus;
    bool zoomed;
    struct rect at[PANES]; /* in the last frame, title included; h 0: not shown */
    struct list failed;
    struct build_map map;
    struct build_lanes lanes;
    struct build_cone cone;
    struct build_done done;
    struct re *search;
    const struct view_ctx *ctx; /* while a request or a frame is on */
};

/* ---- failures: causes, then errors that no step has ---- */

static size_t errors_count(const struct model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->messages.len; i++)
        count += model->messages.at[i].severity == SEVERITY_ERROR;
    return count;
}

static size_t failed_count(void *data)
{
    const struct model *model = ((struct build_view *)data)->ctx->model;
    return model->causes.len + errors_count(model);
}

static uint64_t failed_id(void *data, size_t index)
{
    (void)data;
    return index;
}

/* "include/osv/sched.hh:88  'now' was not declared", for a cause. */
static void cause_text(const struct model *model, const struct model_cause *cause, struct str *out)
{
    const struct model_step *step = &model->steps.at[cause->step];
    if (cause->diagnostic != MODEL_NONE) {
        const struct model_diagnostic *diagnostic = &model->diagnostics.at[cause->diagnostic];
        const char *path = model_text(model, diagnostic->path);
        if (*path && diagnostic->line)
            str_addf(out, "%s:%u  ", path, diagnostic->line);
        else if (*path)
            str_addf(out, "%s  ", path);
        str_add(out, model_text(model, diagnostic->text));
    } else if (step->signal) {
        str_addf(out, "%s  ended by signal %d", model_name(model, cause->step), step->signal);
    } else {
        str_addf(out, "%s  exit %d", model_name(model, cause->step), step->exit);
    }
}

static void failed_draw(void *data, const struct canvas *canvas, int y, size_t index)
{
    const struct model *model = ((struct build_view *)data)->ctx->model;
    struct str text = {0}, steps = {0};
    canvas_put(canvas, 1, y, STYLE_FAILED, "✗");
    if (index < model->causes.len) {
        const struct model_cause *cause = &model->causes.at[index];
        cause_text(model, cause, &text);
        if (cause->diagnostic != MODEL_NONE)
            str_add(&steps, model_name(model, cause->step));
        if (cause->count > 1)
            str_addf(&steps, " and %u", cause->count - 1);
    } else {
        size_t left = index - model->causes.len, i = 0;
        while (i < model->messages.len)
            if (model->messages.at[i++].severity == SEVERITY_ERROR && left-- == 0)
                break;
        str_add(&text, model_text(model, model->messages.at[i - 1].text));
    }
    int text_w = canvas_columns(str_text(&text)), steps_w = canvas_columns(str_text(&steps));
    int room = canvas->w - 4;
    if (text_w + 2 + steps_w > room)
        steps_w = room - text_w - 2 > 18 ? room - text_w - 2 : room > 70 && steps_w > 24 ? 24 : 0;
    int x = canvas_column(canvas, 3, y, steps_w ? room - steps_w - 2 : room, STYLE_STRONG, FIT_LEFT,
                          str_text(&text));
    canvas_column(canvas, x + 2, y, steps_w, STYLE_TEXT, FIT_MIDDLE, str_text(&steps));
    str_free(&text);
    str_free(&steps);
}

static struct list_source failed_source(struct build_view *build)
{
    return (struct list_source){build, failed_count, failed_id, failed_draw};
}

/* ---- layout ---- */

static int at_most(int value, int limit)
{
    return value < limit ? value : limit;
}

/* Rows of the map: as many as give each step a cell of its own, from two up to the limit. */
static int map_rows(const struct model *model, int w, int limit)
{
    enum { LABELS_W = 40 };
    uint64_t steps = model->graph_steps > model->steps.len ? model->graph_steps : model->steps.len;
    uint64_t rows = steps / (uint64_t)(w > LABELS_W + 10 ? w - LABELS_W : 10) + 1;
    return rows < 2 ? 2 : rows > (uint64_t)limit ? limit : (int)rows;
}

/* The step whose output is shown: the one in focus, or what ran last and printed. A lane that is
 * selected stays so, whatever runs on it. */
static uint32_t tail_step(const struct build_view *build)
{
    const struct model *model = build->ctx->model;
    uint32_t focus = model_find(model, build->ctx->state->focus), best = MODEL_NONE;
    bool lanes = build->focus == PANE_LANES && model->state == BUILD_RUNNING;
    if (focus != MODEL_NONE && lanes && lanes_step(&build->lanes) != MODEL_NONE)
        return lanes_step(&build->lanes);
    if (focus != MODEL_NONE)
        return focus;
    if (model->causes.len)
        return model->causes.at[0].step;
    for (size_t i = 0; i < model->lanes.len; i++) {
        const struct model_lane *lane = &model->lanes.at[i];
        uint32_t step = lane->step != MODEL_NONE ? lane->step : lane->last;
        if (step != MODEL_NONE && model->steps.at[step].log != MODEL_NONE &&
            (best == MODEL_NONE || model->steps.at[step].begin_ns > model->steps.at[best].begin_ns))
            best = step;
    }
    return best;
}

/* Rows that a log's last lines take, title included; of one that is empty, a row to say so; none where
 * no step has printed yet. */
static int tail_rows(const struct build_view *build, int least, int most)
{
    const struct view_ctx *ctx = build->ctx;
    uint32_t step = tail_step(build);
    struct log_view *log =
        step == MODEL_NONE ? NULL : ctx->ops->log(ctx->app, ctx->model->steps.at[step].id);
    uint64_t lines = log ? ctx->ops->log_lines(log) : 0;
    if (!lines)
        return step == MODEL_NONE ? 0 : 2;
    int rows = lines + 1 < (uint64_t)most ? (int)lines + 1 : most;
    return rows < least ? least : rows;
}

/* Side by side: lanes, what is over and tail left; the cone and the step right. */
static void lay_out_wide(struct build_view *build, int w, int h, int failed, int lanes)
{
    enum { STEP_MIN = 12, TAIL_MIN = 6 };
    struct rect *at = build->at;
    int y = failed, map = 1 + map_rows(build->ctx->model, w, h / 5);
    at[PANE_MAP] = (struct rect){0, y, w, map};
    y += map;
    int left = w * 55 / 100, rest = h - y;
    int lane_rows = at_most(lanes, rest * 6 / 10);
    at[PANE_LANES] = (struct rect){0, y, left - 1, lane_rows};
    int tail = tail_rows(build, TAIL_MIN, (rest - lane_rows) / 2);
    at[PANE_DONE] = (struct rect){0, y + lane_rows, left - 1, rest - lane_rows - tail};
    at[PANE_TAIL] = (struct rect){0, h - tail, left - 1, tail};
    int step = rest / 3 > STEP_MIN ? rest / 3 : STEP_MIN;
    int cone = at_most((int)build->cone.rows.len + 2, rest - step);
    at[PANE_CONE] = (struct rect){left, y, w - left, cone};
    at[PANE_STEP] = (struct rect){left, y + cone, w - left, rest - cone};
}

static void lay_out_tall(struct build_view *build, int w, int h, int failed, int lanes)
{
    enum { DONE_MIN = 4, TALL_TAIL = 8, SHORT_TAIL = 4 };
    struct rect *at = build->at;
    int y = failed, left = h - failed;
    int map = left >= 16 ? 1 + map_rows(build->ctx->model, w, left >= 30 ? left / 6 : 2) : 0;
    int tail = left >= 30   ? tail_rows(build, TALL_TAIL, TALL_TAIL)
               : left >= 14 ? tail_rows(build, SHORT_TAIL, SHORT_TAIL)
                            : 0;
    int cone = left >= 7 ? 4 : 0; /* at least */
    int lane_rows = at_most(lanes, left - map - tail - cone);
    if (cone)
        lane_rows = at_most(lane_rows, left * 4 / 10 > 2 ? left * 4 / 10 : 2);
    cone = cone ? left - map - tail - lane_rows : 0;
    if (!cone)
        lane_rows = left;
    int rows = at_most((int)build->cone.rows.len + 2, cone);
    int done = cone - rows >= DONE_MIN ? cone - rows : 0;
    cone -= done;
    at[PANE_MAP] = (struct rect){0, y, w, map};
    at[PANE_LANES] = (struct rect){0, y += map, w, lane_rows};
    at[PANE_DONE] = (struct rect){0, y += lane_rows, w, done};
    at[PANE_CONE] = (struct rect){0, y += done, w, cone};
    at[PANE_TAIL] = (struct rect){0, y + cone, w, tail};
}

static void lay_out(struct build_view *build, const struct model *model, int w, int h)
{
    memset(build->at, 0, sizeof build->at);
    if (build->zoomed) {
        build->at[build->focus] = (struct rect){0, 0, w, h};
        return;
    }
    int failures = (int)failed_count(build);
    int failed = failures ? 1 + at_most(failures, h < 12 ? 1 : h < 30 ? FAILED_ROWS : 6) : 0;
    enum { VERDICT_ROWS = 2 }; /* stand in the lanes' place at the end, however many those were */
    int lanes = 1 + (model->state == BUILD_ENDED ? VERDICT_ROWS
                     : model->lanes.len          ? (int)model->lanes.len
                                                 : 1);
    build->at[PANE_FAILED] = (struct rect){0, 0, w, failed};
    if (w >= WIDE && h >= 30)
        lay_out_wide(build, w, h, failed, lanes);
    else
        lay_out_tall(build, w, h, failed, lanes);
}

/* ---- panes ---- */

static void draw_failed(struct build_view *build, const struct canvas *title,
                        const struct canvas *canvas)
{
    const struct model *model = build->ctx->model;
    struct list_source source = failed_source(build);
    bool focus = build->focus == PANE_FAILED;
    char right[64];
    size_t causes = failed_count(build);
    snprintf(right, sizeof right, "%zu cause%s, %llu behind", causes, causes == 1 ? "" : "s",
             (unsigned long long)build->cone.blocked);
    canvas_title(title, 0, focus, "failed", model->causes.len ? right : NULL);
    list_draw(&build->failed, &source, canvas, focus);
}

static void draw_map(struct build_view *build, const struct canvas *title,
                     const struct canvas *canvas)
{
    const struct model *model = build->ctx->model;
    bool focus = build->focus == PANE_MAP;
    struct str right = {0};
    build_map_update(&build->map, model, canvas->w, canvas->h);
    if (focus)
        build_map_describe(&build->map, model, &right);
    else if (model->steps.len)
        str_addf(&right, "%zu step%s%s", model->steps.len, model->steps.len == 1 ? "" : "s",
                 model->complete        ? ""
                 : model->forecasts.len ? ", ┄ forecast"
                                        : " so far");
    if (!focus && build->cone.critical.len && model->state == BUILD_RUNNING)
        str_add(&right, ", ◆ critical path");
    canvas_title(title, 0, focus, "map", str_text(&right));
    str_free(&right);
    bool running = model->state == BUILD_RUNNING;
    build_map_draw(&build->map, model, build->cone.critical.at,
                   running ? build->cone.critical.len : 0, canvas, focus);
    if (!model->steps.len)
        canvas_put(canvas, 1, 0, STYLE_FAINT,
                   model->state == BUILD_ENDED ? "no steps" : "no graph yet");
}

/* What stands in place of the lanes before and after a build. */
static void draw_verdict(const struct model *model, const struct canvas *canvas)
{
    const struct event *sum = &model->summary;
    struct str text = {0};
    char wall[16], cpu[16];
    text_duration(wall, sum->wall_ns ? sum->wall_ns : model->end_ns);
    text_duration(cpu, sum->cpu_ns ? sum->cpu_ns : model->cpu_ns);
    unsigned long long unchanged = model->outcomes[OUTCOME_UNCHANGED],
                       restored = model->outcomes[OUTCOME_RESTORED],
                       cancelled = model->outcomes[OUTCOME_CANCELLED],
                       failed = model->outcomes[OUTCOME_FAILED],
                       ran = model->outcomes[OUTCOME_RAN] + unchanged + failed;
    static const char *const words[BUILD_STATUSES] = {"✓ done", "✗ failed", "⊘ cancelled"};
    static const enum style styles[BUILD_STATUSES] = {STYLE_GOOD, STYLE_FAILED, STYLE_WARNING};
    int x = canvas_put(canvas, 1, 0, styles[model->status], words[model->status]);
    if (ran + restored == 0 && model->status == BUILD_OK)
        str_add(&text, "  nothing was stale");
    else
        str_addf(&text, "  %llu ran, %llu spared, in %s (%s of processor time)", ran,
                 (unsigned long long)model->counts[STEP_STATE_FRESH], wall, cpu);
    canvas_column(canvas, x, 0, canvas->w - x - 1, STYLE_TEXT, FIT_LEFT, str_text(&text));
    str_cut(&text, 0);
    if (failed)
        str_addf(&text, "%llu failed, ", failed);
    if (model->counts[STEP_STATE_WAITING] + model->counts[STEP_STATE_READY] + cancelled)
        str_addf(&text, "%llu not built, ",
                 (unsigned long long)(model->counts[STEP_STATE_WAITING] +
                                      model->counts[STEP_STATE_READY] + cancelled));
    if (unchanged)
        str_addf(&text, "%llu rewrote the same bytes, ", unchanged);
    if (restored)
        str_addf(&text, "%llu restored, ", restored);
    if (model->warnings)
        str_addf(&text, "%llu warning%s, ", (unsigned long long)model->warnings,
                 model->warnings == 1 ? "" : "s");
    if (text.len > 2)
        str_cut(&text, text.len - 2);
    canvas_column(canvas, 1, 1, canvas->w - 2, STYLE_TEXT, FIT_LEFT, str_text(&text));
    str_free(&text);
}

static void draw_lanes(struct build_view *build, const struct canvas *title,
                       const struct canvas *canvas)
{
    const struct model *model = build->ctx->model;
    bool focus = build->focus == PANE_LANES;
    size_t running = 0;
    char right[64] = "";
    for (size_t i = 0; i < model->lanes.len; i++)
        running += model->lanes.at[i].step != MODEL_NONE;
    size_t rows = canvas->h > 0 ? (size_t)canvas->h : 0;
    if (model->state == BUILD_ENDED) {
        canvas_title(title, 0, focus, "build", NULL);
        draw_verdict(model, canvas);
        return;
    }
    lanes_update(&build->lanes, model, rows);
    if (model->lanes.len > rows && rows)
        snprintf(right, sizeof right, "%zu of %zu, %zu more below", running, model->lanes.len,
                 model->lanes.len - rows);
    else if (model->lanes.len)
        snprintf(right, sizeof right, "%zu of %zu", running, model->lanes.len);
    canvas_title(title, 0, focus, "lanes", right);
    if (model->state == BUILD_RUNNING)
        lanes_draw(&build->lanes, canvas, focus);
    if (!model->lanes.len)
        canvas_put(canvas, 1, 0, STYLE_FAINT, "no lanes yet");
}

static void draw_cone(struct build_view *build, const struct canvas *title,
                      const struct canvas *canvas)
{
    const struct model *model = build->ctx->model;
    struct build_cone *cone = &build->cone;
    struct str name = {0}, right = {0};
    str_addf(&name, "cone: %s", cone->goal == MODEL_NONE ? "all" : model_name(model, cone->goal));
    if (cone->waits)
        str_addf(&right, "waits for %llu", (unsigned long long)cone->waits);
    if (cone->path)
        str_addf(&right, ", %llu on path", (unsigned long long)cone->path);
    bool forecast = model->forecasts.len && !model->complete && model->state == BUILD_RUNNING;
    if (forecast)
        str_add(&right, right.len ? ", by the last build" : "by the last build");
    canvas_title(title, 0, build->focus == PANE_CONE, str_text(&name), str_text(&right));
    bool partial = model_edges_unknown(model) && cone->goal == MODEL_NONE;
    if (partial)
        canvas_column(canvas, 1, canvas->h - 1, canvas->w - 2, STYLE_FAINT, FIT_LEFT,
                      "what waits for what, make tells when it ends; until then by directory");
    struct canvas rows =
        canvas_part(canvas, (struct rect){0, 0, canvas->w, partial ? canvas->h - 1 : canvas->h});
    cone_draw(cone, &rows, build->focus == PANE_CONE);
    str_free(&name);
    str_free(&right);
}

static void draw_done(struct build_view *build, const struct canvas *title,
                      const struct canvas *canvas)
{
    const struct model *model = build->ctx->model;
    bool focus = build->focus == PANE_DONE, ended = model->state == BUILD_ENDED;
    struct str right = {0};
    done_update(&build->done, model);
    str_addf(&right, "%zu", model->ended.len);
    if (model->outcomes[OUTCOME_UNCHANGED])
        str_addf(&right, ", %llu the same bytes",
                 (unsigned long long)model->outcomes[OUTCOME_UNCHANGED]);
    canvas_title(title, 0, focus, ended ? "longest" : "done, newest first", str_text(&right));
    str_free(&right);
    if (model->ended.len)
        done_draw(&build->done, canvas, focus);
    else
        canvas_put(canvas, 1, 0, STYLE_FAINT, ended ? "nothing ran" : "nothing yet");
}

static void draw_step(struct build_view *build, const struct canvas *title,
                      const struct canvas *canvas)
{
    const struct model *model = build->ctx->model;
    uint32_t step = tail_step(build);
    for (size_t i = 0; i < model->lanes.len && step == MODEL_NONE; i++)
        step = model->lanes.at[i].step;
    if (step == MODEL_NONE && model->ended.len)
        step = model->ended.at[model->ended.len - 1];
    struct str name = {0};
    str_add(&name, "step");
    if (step != MODEL_NONE)
        str_addf(&name, ": %s", model_name(model, step));
    canvas_title(title, 0, build->focus == PANE_STEP, str_text(&name), NULL);
    str_free(&name);
    step_draw(model, step, canvas);
}

static void draw_tail(struct build_view *build, const struct canvas *title,
                      const struct canvas *canvas)
{
    const struct view_ctx *ctx = build->ctx;
    uint32_t step = tail_step(build);
    struct str name = {0};
    str_add(&name, "tail");
    if (step != MODEL_NONE)
        str_addf(&name, ": %s", model_name(ctx->model, step));
    canvas_title(title, 0, build->focus == PANE_TAIL, str_text(&name), NULL);
    str_free(&name);
    struct log_view *log =
        step == MODEL_NONE ? NULL : ctx->ops->log(ctx->app, ctx->model->steps.at[step].id);
    if (!log) {
        if (step != MODEL_NONE)
            canvas_put(canvas, 1, 0, STYLE_FAINT, "it printed nothing");
        return;
    }
    uint64_t lines = ctx->ops->log_lines(log), rows = canvas->h > 0 ? (uint64_t)canvas->h : 0;
    uint64_t first = lines > rows ? lines - rows : 0;
    for (uint64_t i = first; i < lines; i++) {
        size_t length;
        const char *text = ctx->ops->log_line(log, i, &length);
        canvas_put_n(canvas, 1, (int)(i - first), STYLE_TEXT, text, length);
    }
}

/* Before the first build. */
static void draw_first(const struct view_ctx *ctx, const struct canvas *canvas)
{
    const struct app_state *state = ctx->state;
    struct str text = {0};
    int y = canvas->h / 3;
    if (!state->root) {
        const char *why = state->tree_error ? state->tree_error : "no tree here";
        canvas_wrap(canvas, (struct rect){2, y, canvas->w - 4, canvas->h - y}, STYLE_STRONG, why);
        return;
    }
    if (state->command)
        str_addf(&text, "nothing built yet: %s", state->command);
    else
        str_addf(&text, "nothing built yet: %s %s %s", state->arch ? state->arch : "",
                 state->mode ? state->mode : "", state->image ? state->image : "");
    canvas_put(canvas, 2, y, STYLE_STRONG, str_text(&text));
    int x = canvas_put(canvas, 2, y + 2, STYLE_KEY, "b");
    x = canvas_put(canvas, x, y + 2, STYLE_TEXT, " builds   ");
    x = canvas_put(canvas, x, y + 2, STYLE_KEY, "6");
    x = canvas_put(canvas, x, y + 2, STYLE_TEXT, " changes the target   ");
    x = canvas_put(canvas, x, y + 2, STYLE_KEY, "?");
    canvas_put(canvas, x, y + 2, STYLE_TEXT, " what the keys do");
    str_free(&text);
}

static void build_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    static void (*const draws[PANES])(struct build_view *, const struct canvas *,
                                      const struct canvas *) = {
        draw_failed, draw_map, draw_lanes, draw_cone, draw_tail, draw_done, draw_step};
    struct build_view *build = (struct build_view *)view;
    build->ctx = ctx;
    if (ctx->model->state == BUILD_NEVER && !ctx->model->messages.len) {
        memset(build->at, 0, sizeof build->at);
        draw_first(ctx, canvas);
        return;
    }
    cone_update(&build->cone, ctx->model);
    lay_out(build, ctx->model, canvas->w, canvas->h);
    for (int i = 0; i < PANES; i++) {
        struct rect at = build->at[i];
        if (at.h < 1)
            continue;
        struct canvas title = canvas_part(canvas, (struct rect){at.x, at.y, at.w, 1});
        struct canvas inside = canvas_part(canvas, (struct rect){at.x, at.y + 1, at.w, at.h - 1});
        draws[i](build, &title, &inside);
    }
}

/* ---- requests ---- */

/* What the focused pane points at becomes what log, why and graph speak of. */
static void take_focus(struct build_view *build)
{
    const struct model *model = build->ctx->model;
    uint32_t step = MODEL_NONE;
    switch (build->focus) {
    case PANE_FAILED:
        if (build->failed.at < model->causes.len)
            step = model->causes.at[build->failed.at].step;
        break;
    case PANE_MAP:
        step = build_map_step(&build->map, model);
        break;
    case PANE_LANES:
        step = lanes_step(&build->lanes);
        break;
    case PANE_CONE:
        step = cone_step(&build->cone);
        break;
    case PANE_DONE:
        step = done_step(&build->done);
        break;
    case PANE_STEP:
    case PANE_TAIL:
    case PANES:
        return;
    }
    build->ctx->state->focus = step == MODEL_NONE ? EVENT_NONE : model->steps.at[step].id;
}

static void move_pane(struct build_view *build, int by)
{
    bool zoomed = build->zoomed;
    if (zoomed) { /* which panes there would be */
        build->zoomed = false;
        lay_out(build, build->ctx->model, 200, 60);
        build->zoomed = true;
    }
    for (int i = 0; i < PANES; i++) {
        build->focus = (enum pane)(((int)build->focus + by + PANES) % PANES);
        if (build->at[build->focus].h)
            break;
    }
}

static void move_failure(struct build_view *build, int by)
{
    size_t count = failed_count(build);
    struct list_source source = failed_source(build);
    if (!count) {
        build->ctx->ops->say(build->ctx->app, SEVERITY_NOTE, "nothing failed");
        return;
    }
    if (build->focus != PANE_FAILED)
        build->focus = PANE_FAILED;
    else
        list_select(&build->failed, &source,
                    build->failed.at + (size_t)by < count ? build->failed.at + (size_t)by
                    : by < 0                              ? count - 1
                                                          : 0);
    if (build->failed.at < build->ctx->model->causes.len)
        cone_pin(&build->cone, EVENT_NONE);
}

/* The next step whose target matches becomes the cone's goal. */
static void search(struct build_view *build, const char *pattern, int by)
{
    const struct view_ctx *ctx = build->ctx;
    const struct model *model = ctx->model;
    struct err err = {0};
    if (pattern) {
        struct re *re = re_compile(pattern, RE_SMART_CASE, &err);
        if (!re) {
            ctx->ops->say(ctx->app, SEVERITY_ERROR, err.text);
            return;
        }
        re_free(build->search);
        build->search = re;
    }
    if (!build->search || !model->steps.len)
        return;
    size_t count = model->steps.len, at = build->cone.goal == MODEL_NONE ? 0 : build->cone.goal;
    for (size_t i = 0; i < count; i++) {
        at = (at + count + (size_t)by) % count;
        const char *target = model_target(model, (uint32_t)at);
        if (re_find(build->search, target, strlen(target), 0, NULL)) {
            cone_pin(&build->cone, model->steps.at[at].id);
            build->focus = PANE_CONE;
            return;
        }
    }
    ctx->ops->say(ctx->app, SEVERITY_NOTE, "no target matches");
}

static void click(struct build_view *build, enum request request, const struct request_arg *arg)
{
    for (int i = 0; i < PANES; i++) {
        struct rect at = build->at[i];
        int x = arg->x - at.x, y = arg->y - at.y - 1;
        if (x < 0 || x >= at.w || y < -1 || y >= at.h - 1)
            continue;
        build->focus = (enum pane)i;
        struct list_source source = failed_source(build);
        if (i == PANE_FAILED)
            list_request(&build->failed, &source, request, y);
        else if (i == PANE_MAP)
            build_map_request(&build->map, request, x, y);
        else if (i == PANE_LANES)
            lanes_request(&build->lanes, request, y);
        else if (i == PANE_CONE)
            cone_request(&build->cone, request, y);
        else if (i == PANE_DONE)
            done_request(&build->done, request, y);
        return;
    }
}

static enum view_result enter(struct build_view *build)
{
    const struct view_ctx *ctx = build->ctx;
    take_focus(build);
    if (build->focus == PANE_CONE) {
        cone_enter(&build->cone);
    } else if (build->focus == PANE_MAP && ctx->state->focus != EVENT_NONE) {
        cone_pin(&build->cone, ctx->state->focus);
        build->focus = PANE_CONE;
    } else {
        ctx->ops->go(ctx->app, "log");
    }
    return VIEW_HANDLED;
}

static bool motion(struct build_view *build, enum request request)
{
    struct list_source source = failed_source(build);
    switch (build->focus) {
    case PANE_FAILED:
        return list_request(&build->failed, &source, request, -1);
    case PANE_MAP:
        return build_map_request(&build->map, request, -1, -1);
    case PANE_LANES:
        return lanes_request(&build->lanes, request, -1);
    case PANE_CONE:
        return cone_request(&build->cone, request, -1);
    case PANE_DONE:
        return done_request(&build->done, request, -1);
    case PANE_STEP:
    case PANE_TAIL:
    case PANES:
        break;
    }
    return false;
}

/* $EDITOR at the diagnostic of what is selected, else at the target's source: its first need. */
static void edit(struct build_view *build)
{
    const struct view_ctx *ctx = build->ctx;
    const struct model *model = ctx->model;
    take_focus(build);
    uint32_t step = model_find(model, ctx->state->focus);
    if (step != MODEL_NONE && model->steps.at[step].diagnostic != MODEL_NONE) {
        const struct model_diagnostic *diagnostic =
            &model->diagnostics.at[model->steps.at[step].diagnostic];
        ctx->ops->edit(ctx->app, model_text(model, diagnostic->path), diagnostic->line);
    } else {
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "no diagnostic there: select a failure with <");
    }
}

/* Events came since the last frame: another build may have begun, of which the panes know nothing. */
static void catch_up(struct build_view *build)
{
    const struct model *model = build->ctx->model;
    cone_update(&build->cone, model);
    lanes_update(&build->lanes, model, build->lanes.list.rows);
    done_update(&build->done, model);
    if (build->map.laid_out)
        build_map_update(&build->map, model, build->map.w, build->map.h);
}

static enum view_result build_request(struct view *view, enum request request,
                                      const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct build_view *build = (struct build_view *)view;
    build->ctx = ctx;
    if (ctx->model->state == BUILD_NEVER && !ctx->model->messages.len)
        return VIEW_IGNORED;
    catch_up(build);
    if (!build->at[build->focus].h)
        build->focus = PANE_LANES;
    switch (request) {
    case REQ_NEXT_PANE:
        move_pane(build, 1);
        break;
    case REQ_PREVIOUS_PANE:
        move_pane(build, -1);
        break;
    case REQ_ZOOM:
        build->zoomed = !build->zoomed;
        break;
    case REQ_ENTER:
        return enter(build);
    case REQ_BACK:
        if (build->zoomed)
            build->zoomed = false;
        else if (!cone_back(&build->cone))
            return VIEW_LEAVE;
        break;
    case REQ_NEXT_FAILURE:
        move_failure(build, 1);
        break;
    case REQ_PREVIOUS_FAILURE:
        move_failure(build, -1);
        break;
    case REQ_SEARCH:
        search(build, arg->text, 1);
        break;
    case REQ_SEARCH_NEXT:
        search(build, NULL, 1);
        break;
    case REQ_SEARCH_PREVIOUS:
        search(build, NULL, -1);
        break;
    case REQ_EDIT:
        edit(build);
        return VIEW_HANDLED;
    case REQ_GRAPH:
    case REQ_LOG:
    case REQ_WHY:
        take_focus(build);
        return VIEW_IGNORED; /* the console shows it */
    case REQ_CLICK:
    case REQ_WHEEL_UP:
    case REQ_WHEEL_DOWN:
        click(build, request, arg);
        break;
    default:
        if (!motion(build, request))
            return VIEW_IGNORED;
    }
    take_focus(build);
    return VIEW_HANDLED;
}

static void build_save(const struct view *view, struct str *out)
{
    const struct build_view *build = (const struct build_view *)view;
    str_addf(out, "pane %d\n%s", (int)build->focus, build->zoomed ? "zoomed yes\n" : "");
}

static void build_restore(struct view *view, const char *line, const struct view_ctx *ctx)
{
    struct build_view *build = (struct build_view *)view;
    (void)ctx;
    if (str_starts(line, "pane ") && line[5] >= '0' && line[5] < '0' + PANES)
        build->focus = (enum pane)(line[5] - '0');
    build->zoomed |= strcmp(line, "zoomed yes") == 0;
}

static bool build_knocks(const struct view *view, const struct view_ctx *ctx)
{
    (void)view;
    return ctx->model->causes.len > 0;
}

static struct view *build_open(const struct view_ctx *ctx)
{
    struct build_view *build = mem_zero(1, sizeof *build);
    build->view.ops = &view_build;
    build->focus = PANE_LANES;
    build->cone.pinned = EVENT_NONE;
    build->cone.goal = MODEL_NONE;
    build->ctx = ctx;
    return &build->view;
}

static void build_close(struct view *view)
{
    struct build_view *build = (struct build_view *)view;
    build_map_free(&build->map);
    lanes_free(&build->lanes);
    cone_free(&build->cone);
    done_free(&build->done);
    re_free(build->search);
    free(build);
}

static const struct view_key keys[] = {
    {REQ_BUILD, NULL},  {REQ_STOP, NULL},      {REQ_WHY, NULL},
    {REQ_LOG, NULL},    {REQ_NEXT_PANE, NULL}, {REQ_NEXT_FAILURE, "failures"},
    {REQ_SEARCH, NULL}, {REQ_ZOOM, NULL},      {REQ_COMPOSE, NULL},
    {REQ_BOOT, NULL},   {REQ_NONE, NULL}};

const struct view_ops view_build = {
    .name = "build",
    .title = "Build",
    .key = '1',
    .keys = keys,
    .about = "What runs, what waits for what, and what is wrong. The map is the whole graph, "
             "from what is generated to what is composed; the cone is what one goal still "
             "waits for. Enter goes into what is selected, Esc comes back.",
    .open = build_open,
    .close = build_close,
    .draw = build_draw,
    .request = build_request,
    .knocks = build_knocks,
    .save = build_save,
    .restore = build_restore,
};
