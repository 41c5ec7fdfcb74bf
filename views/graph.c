/*
 * The graph screen: one step, what it needs below it and what needs it above, as trees in which each
 * thing stands once. Enter goes to the selected step, Esc back; Space marks one, and the way between
 * it and the selected one is shown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/re.h"
#include "tui/list.h"
#include "tui/screen_data.h"
#include "views/build_view.h"
#include "views/graph_tree.h"
#include "views/views.h"

enum { UPDATE_NS = 200000000, LARGE = 5000, BACK_MAX = 32, LABEL_W = 10 };

struct graph_view {
    struct view view;
    struct graph_tree up, down;
    struct list list;
    uint32_t back[BACK_MAX], back_count; /* event ids of the roots before */
    uint32_t pinned; /* event id of the root, EVENT_NONE: the build's goal */
    uint32_t root; /* dense; MODEL_NONE: there is no graph */
    uint32_t marked; /* event id, EVENT_NONE: none */
    bool edges; /* what the selected step declares and uses is shown */
    char *filter;
    struct re *filter_re, *search_re;
    const struct model *model; /* of the last update */
    uint32_t generation, build; /* model->builds */
    uint64_t updated_ns;
    bool again; /* rows are to be made, whatever the model says */
};

static uint32_t root_of(const struct graph_view *graph, const struct model *model)
{
    uint32_t pinned = model_find(model, graph->pinned);
    if (pinned != MODEL_NONE)
        return pinned;
    return model->goal != MODEL_NONE ? model->goal : model->steps.len ? 0 : MODEL_NONE;
}

static void update(struct graph_view *graph, const struct model *model)
{
    uint32_t root = root_of(graph, model);
    bool same =
        graph->model && root == graph->root && !graph->again && graph->build == model->builds;
    graph->model = model;
    if (same && graph->generation == model->generation)
        return;
    if (same && model->steps.len > LARGE && model->state == BUILD_RUNNING &&
        model->now_ns >= graph->updated_ns && model->now_ns < graph->updated_ns + UPDATE_NS)
        return;
    graph->root = root;
    graph->build = model->builds;
    graph->generation = model->generation;
    graph->updated_ns = model->now_ns;
    graph->again = false;
    graph->up.rows.len = graph->down.rows.len = 0;
    if (root == MODEL_NONE)
        return;
    graph_tree_update(&graph->up, model, root, graph->filter_re);
    graph_tree_update(&graph->down, model, root, graph->filter_re);
}

/* ---- rows: users from the farthest, the root, needs ---- */

/* The row at an index; *tree is NULL for the root. Users stand above it, turned round. */
static const struct tree_row *row_at(const struct graph_view *graph, size_t index,
                                     const struct graph_tree **tree)
{
    *tree = NULL;
    if (index < graph->up.rows.len) {
        *tree = &graph->up;
        return &graph->up.rows.at[graph->up.rows.len - 1 - index];
    }
    if (index == graph->up.rows.len)
        return NULL;
    *tree = &graph->down;
    return &graph->down.rows.at[index - graph->up.rows.len - 1];
}

static size_t count(void *data)
{
    const struct graph_view *graph = data;
    return graph->root == MODEL_NONE ? 0 : graph->up.rows.len + 1 + graph->down.rows.len;
}

static uint64_t id_of(void *data, size_t index)
{
    const struct graph_tree *tree;
    const struct tree_row *row = row_at(data, index, &tree);
    return tree ? graph_tree_row_id(tree, row) : UINT64_MAX;
}

/* The step under the cursor; the root where a directory is selected. */
static uint32_t selected(const struct graph_view *graph)
{
    const struct graph_tree *tree;
    if (graph->root == MODEL_NONE)
        return MODEL_NONE;
    if (graph->list.at >= count((void *)(uintptr_t)graph))
        return graph->root;
    const struct tree_row *row = row_at(graph, graph->list.at, &tree);
    return tree && row->kind == TREE_STEP ? row->step : graph->root;
}

/* ---- drawing ---- */

static bool is_over(const struct model_step *step)
{
    return step->state == STEP_STATE_DONE || step->state == STEP_STATE_FRESH;
}

/* "waits for core/timer.o (failed) and 3 more", of what it needs directly. */
static void waiting_text(const struct model *model, const struct model_step *step, struct str *out)
{
    uint32_t best = MODEL_NONE, more = 0;
    for (uint32_t i = 0; i < step->needs_count; i++) {
        uint32_t need = model->links.at[step->needs + i];
        if (is_over(&model->steps.at[need]))
            continue;
        more++;
        if (best == MODEL_NONE || model->steps.at[need].state > model->steps.at[best].state)
            best = need;
    }
    if (best == MODEL_NONE) {
        str_add(out, "waits for a lane");
        return;
    }
    str_addf(out, "waits for %s (%s)", model_name(model, best),
             model_state_word(&model->steps.at[best]));
    if (more > 1)
        str_addf(out, " and %u more", more - 1);
}

static void note_text(const struct model *model, uint32_t index, struct str *out)
{
    const struct model_step *step = &model->steps.at[index];
    char text[16];
    if (step->raced)
        str_add(out, "⚑ raced, ");
    switch ((enum step_state)step->state) {
    case STEP_STATE_RUNNING:
        str_addf(out, "runs on lane %u", step->lane + 1);
        break;
    case STEP_STATE_WAITING:
        waiting_text(model, step, out);
        break;
    case STEP_STATE_FAILED:
        str_add(out, "failed");
        if (step->diagnostic != MODEL_NONE)
            str_addf(out, ": %s", model_text(model, model->diagnostics.at[step->diagnostic].text));
        break;
    case STEP_STATE_DONE:
        text_duration(text, step->wall_ns);
        str_addf(out, "%s %s", model_state_word(step), text);
        break;
    default:
        str_add(out, model_state_word(step));
    }
}

static void draw_step(const struct graph_view *graph, const struct canvas *canvas, int x, int y,
                      uint32_t index, const struct tree_row *row)
{
    const struct model *model = graph->model;
    const struct model_step *step = &model->steps.at[index];
    struct str name = {0}, note = {0};
    if (row && row->has_children)
        str_add(&name, row->folded ? "▸ " : "▾ ");
    str_add(&name, model_name(model, index));
    note_text(model, index, &note);
    if (row && row->also)
        str_addf(&note, ", also %s %u other%s", row->parent == MODEL_NONE ? "of" : "for", row->also,
                 row->also == 1 ? "" : "s");
    x = canvas_put(canvas, x, y, state_style(step), model_state_glyph(step)) + 1;
    /* Notes stand below one another, unless a long name is read better than that. */
    int end = canvas->w - 1, wide = canvas_columns(str_text(&name));
    int name_w = canvas->w * 45 / 100 - x, room = end - x - 2 - canvas_columns(str_text(&note));
    if (wide > name_w)
        name_w = room > name_w ? (wide < room ? wide : room) : name_w;
    name_w = name_w < 12 ? 12 : name_w;
    x = canvas_column(canvas, x, y, name_w, row ? STYLE_TEXT : STYLE_STRONG, FIT_MIDDLE,
                      str_text(&name)) +
        1;
    if (step->id == graph->marked && graph->marked != EVENT_NONE)
        x = canvas_put(canvas, x, y, STYLE_WARNING, "• ");
    canvas_column(canvas, x, y, end - x, step->raced ? STYLE_RACE : state_style(step), FIT_LEFT,
                  str_text(&note));
    str_free(&name);
    str_free(&note);
}

static void draw_dir(const struct graph_view *graph, const struct canvas *canvas, int x, int y,
                     const struct tree_row *row)
{
    canvas_putf(canvas, x, y, STYLE_TEXT, "%s %s/  %u", row->folded ? "▸" : "▾",
                model_short(model_text(graph->model, row->dir)), row->count);
}

/* The branch before a row: whether more of each depth follows decides it. */
static int draw_branch(const struct canvas *canvas, int y, const struct graph_tree *tree,
                       size_t index)
{
    const struct tree_row *row = &tree->rows.at[index];
    bool up = tree->way == TREE_USERS;
    uint64_t more = 0; /* by depth, up to 63 */
    unsigned lowest = row->depth;
    for (size_t i = index + 1; i < tree->rows.len && lowest > 1; i++) {
        unsigned depth = tree->rows.at[i].depth;
        if (depth < lowest) {
            lowest = depth;
            more |= depth < 64 ? 1ull << depth : 0;
        }
    }
    int x = 1;
    for (unsigned depth = 1; depth < row->depth && x < canvas->w / 2; depth++)
        x = canvas_put(canvas, x, y, STYLE_FAINT, depth < 64 && more >> depth & 1 ? "│ " : "  ");
    return canvas_put(canvas, x, y, STYLE_FAINT, row->last ? (up ? "┌─" : "└─") : "├─");
}

static void draw_row(void *data, const struct canvas *canvas, int y, size_t index)
{
    const struct graph_view *graph = data;
    const struct graph_tree *tree;
    const struct tree_row *row = row_at(graph, index, &tree);
    if (!tree) {
        draw_step(graph, canvas, 1, y, graph->root, NULL);
        return;
    }
    int x = draw_branch(canvas, y, tree, (size_t)(row - tree->rows.at));
    if (row->kind == TREE_DIR)
        draw_dir(graph, canvas, x, y, row);
    else
        draw_step(graph, canvas, x, y, row->step, row);
}

static struct list_source source_of(struct graph_view *graph)
{
    return (struct list_source){graph, count, id_of, draw_row};
}

/* The way between the marked step and the selected one, either way round. */
static void draw_path(const struct graph_view *graph, const struct canvas *canvas)
{
    const struct model *model = graph->model;
    uint32_t marked = model_find(model, graph->marked), at = selected(graph);
    struct str text = {0};
    uint32_t *path = NULL;
    size_t length = 0;
    canvas_title(canvas, 0, false, "way", "Space takes the mark away");
    bool found = graph_tree_path(model, at, marked, &path, &length);
    if (!found) {
        free(path);
        found = graph_tree_path(model, marked, at, &path, &length);
    }
    for (size_t i = 0; i < length; i++)
        str_addf(&text, "%s%s", i ? " needs " : "", model_name(model, path[i]));
    if (!found)
        str_addf(&text, "neither of %s and %s needs the other", model_name(model, marked),
                 model_name(model, at));
    canvas_wrap(canvas, (struct rect){1, 1, canvas->w - 2, canvas->h - 1}, STYLE_TEXT,
                str_text(&text));
    str_free(&text);
    free(path);
}

/* What the selected step declares against what it was seen to use. */
static void draw_edges(const struct graph_view *graph, const struct canvas *canvas,
                       const struct view_ctx *ctx)
{
    uint32_t step = selected(graph);
    const struct edge_data *data = ctx->ops->edges(ctx->app, graph->model->steps.at[step].id);
    struct str name = {0};
    char right[64] = "";
    str_addf(&name, "declared and used: %s", model_name(graph->model, step));
    if (!data->pending && !data->problem)
        snprintf(right, sizeof right, "%zu of %zu prerequisites used", data->used, data->declared);
    canvas_title(canvas, 0, false, str_text(&name), right);
    str_free(&name);
    if (data->pending || data->problem) {
        canvas_column(canvas, 1, 1, canvas->w - 2, STYLE_FAINT, FIT_LEFT,
                      data->pending ? "the record is being read" : data->problem);
        return;
    }
    int rows = canvas->h - 1;
    for (int i = 0; i < rows && (size_t)i < data->notes_count; i++) {
        const struct edge_note *note = &data->notes[i];
        bool more = i + 1 == rows && data->notes_count > (size_t)rows;
        int x = canvas_column(canvas, 1, i + 1, 10, STYLE_WARNING, FIT_LEFT,
                              more             ? ""
                              : note->declared ? "unused"
                                               : "undeclared") +
                1;
        if (more)
            canvas_putf(canvas, x, i + 1, STYLE_FAINT, "and %zu more",
                        data->notes_count - (size_t)i);
        else
            canvas_column(canvas, x, i + 1, canvas->w - x - 1, STYLE_TEXT, FIT_LEFT, note->text);
    }
    if (!data->notes_count)
        canvas_put(canvas, 1, 1, STYLE_TEXT, "✓ all that it uses is declared, and the other way");
}

static void draw_title(const struct graph_view *graph, const struct canvas *canvas)
{
    struct str name = {0}, right = {0};
    str_addf(&name, "graph: %s", model_name(graph->model, graph->root));
    if (graph->filter)
        str_addf(&right, "f: %s  ", graph->filter);
    size_t needs = graph->down.members.len, users = graph->up.members.len;
    str_addf(&right, "needs %zu, needed by %zu", needs ? needs - 1 : 0, users ? users - 1 : 0);
    canvas_title(canvas, 0, true, str_text(&name), str_text(&right));
    str_free(&name);
    str_free(&right);
}

/* The root first, with what needs it in sight. */
static void place(struct graph_view *graph)
{
    struct list_source source = source_of(graph);
    if (!graph->list.started && graph->root != MODEL_NONE)
        list_select(&graph->list, &source, graph->up.rows.len);
}

static void graph_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct graph_view *graph = (struct graph_view *)view;
    update(graph, ctx->model);
    if (graph->root == MODEL_NONE) {
        canvas_title(canvas, 0, true, "graph", NULL);
        canvas_put(canvas, 1, 1, STYLE_FAINT,
                   ctx->model->state == BUILD_RUNNING ? "no graph yet"
                                                      : "no graph yet: b builds, and shows it");
        return;
    }
    draw_title(graph, canvas);
    bool marked = model_find(ctx->model, graph->marked) != MODEL_NONE && canvas->h >= 10;
    int edges = graph->edges && canvas->h >= 8 ? canvas->h / 4 + 1 : 0;
    bool unknown = model_edges_unknown(ctx->model) && canvas->h >= 4;
    int way = (marked ? 3 : 0) + edges, foot = way + unknown;
    if (unknown)
        canvas_column(canvas, 1, canvas->h - foot, canvas->w - 2, STYLE_FAINT, FIT_LEFT,
                      "what needs what, make tells when it ends; until then what is known so far");
    struct canvas rows = canvas_part(canvas, (struct rect){0, 1, canvas->w, canvas->h - 1 - foot});
    struct list_source source = source_of(graph);
    place(graph);
    list_draw(&graph->list, &source, &rows, true);
    struct canvas part =
        canvas_part(canvas, (struct rect){0, canvas->h - way, canvas->w, way - edges});
    if (marked)
        draw_path(graph, &part);
    part = canvas_part(canvas, (struct rect){0, canvas->h - edges, canvas->w, edges});
    if (edges)
        draw_edges(graph, &part, ctx);
}

/* ---- requests ---- */

static void set_root(struct graph_view *graph, uint32_t step_id)
{
    graph->pinned = step_id;
    graph->list = (struct list){0};
    graph->again = true;
}

static void go_into(struct graph_view *graph)
{
    uint32_t step = selected(graph), id = graph->model->steps.at[step].id;
    if (step == graph->root)
        return;
    if (graph->back_count == BACK_MAX)
        memmove(graph->back, graph->back + 1, --graph->back_count * sizeof *graph->back);
    graph->back[graph->back_count++] = graph->pinned;
    set_root(graph, id);
}

static void fold(struct graph_view *graph, bool fold_it)
{
    const struct graph_tree *tree;
    size_t at = graph->list.at;
    const struct tree_row *row = row_at(graph, at, &tree);
    if (!tree)
        return;
    struct graph_tree *own = tree == &graph->up ? &graph->up : &graph->down;
    if (row->has_children && row->folded != fold_it) {
        graph_tree_fold(own, row, fold_it);
        graph->again = true;
        return;
    }
    if (!fold_it)
        return;
    /* Left on what cannot be folded goes to what it hangs under. */
    unsigned depth = row->depth;
    int by = tree == &graph->up ? 1 : -1;
    for (at = at + (size_t)by; at < count(graph); at = at + (size_t)by) {
        row = row_at(graph, at, &tree);
        if (!tree || row->depth < depth)
            break;
    }
    struct list_source source = source_of(graph);
    list_select(&graph->list, &source, at);
}

static bool set_pattern(struct re **re, const char *text, const struct view_ctx *ctx)
{
    struct err err = {0};
    struct re *made = text && *text ? re_compile(text, RE_SMART_CASE, &err) : NULL;
    if (text && *text && !made) {
        ctx->ops->say(ctx->app, SEVERITY_ERROR, err.text);
        return false;
    }
    re_free(*re);
    *re = made;
    return true;
}

/* The next step of the whole graph that matches becomes the root, as on the build screen. */
static void find(struct graph_view *graph, int by, const struct view_ctx *ctx)
{
    const struct model *model = ctx->model;
    size_t total = model->steps.len, at = graph->root;
    for (size_t i = 0; graph->search_re && i < total; i++) {
        at = (at + total + (size_t)by) % total;
        const char *target = model_target(model, (uint32_t)at);
        if (re_find(graph->search_re, target, strlen(target), 0, NULL)) {
            set_root(graph, model->steps.at[at].id);
            return;
        }
    }
    ctx->ops->say(ctx->app, SEVERITY_NOTE, "no target matches");
}

static void set_filter(struct graph_view *graph, const char *text, const struct view_ctx *ctx)
{
    if (!set_pattern(&graph->filter_re, text, ctx))
        return;
    free(graph->filter);
    graph->filter = graph->filter_re ? mem_copy(text) : NULL;
    graph->list = (struct list){0};
    graph->up.toggled.len = graph->down.toggled.len = 0;
    graph->again = true;
}

static enum view_result back(struct graph_view *graph, const struct view_ctx *ctx)
{
    if (graph->filter) {
        set_filter(graph, NULL, ctx);
        return VIEW_HANDLED;
    }
    if (!graph->back_count)
        return VIEW_LEAVE;
    set_root(graph, graph->back[--graph->back_count]);
    return VIEW_HANDLED;
}

static enum view_result graph_request(struct view *view, enum request request,
                                      const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct graph_view *graph = (struct graph_view *)view;
    struct list_source source = source_of(graph);
    update(graph, ctx->model);
    place(graph);
    enum view_result result = VIEW_HANDLED;
    if (graph->root == MODEL_NONE)
        return request == REQ_BACK ? VIEW_LEAVE : VIEW_IGNORED;
    if (list_request(&graph->list, &source, request, arg->y - 1))
        request = REQ_NONE;
    switch (request) {
    case REQ_NONE:
        break;
    case REQ_ENTER:
        go_into(graph);
        break;
    case REQ_LEFT:
    case REQ_RIGHT:
        fold(graph, request == REQ_LEFT);
        break;
    case REQ_MARK: {
        uint32_t id = ctx->model->steps.at[selected(graph)].id;
        graph->marked = graph->marked == id || graph->marked != EVENT_NONE ? EVENT_NONE : id;
        break;
    }
    case REQ_DIFF:
        graph->edges = !graph->edges;
        break;
    case REQ_FILTER:
        set_filter(graph, arg->text, ctx);
        break;
    case REQ_SEARCH:
        if (set_pattern(&graph->search_re, arg->text, ctx) && graph->search_re)
            find(graph, 1, ctx);
        break;
    case REQ_SEARCH_NEXT:
    case REQ_SEARCH_PREVIOUS:
        find(graph, request == REQ_SEARCH_NEXT ? 1 : -1, ctx);
        break;
    case REQ_BUILD: { /* the selected step, not everything */
        ctx->ops->build(ctx->app, model_target(ctx->model, selected(graph)));
        break;
    }
    case REQ_COPY:
        ctx->ops->copy(ctx->app, model_target(ctx->model, selected(graph)));
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "the target is in the clipboard");
        break;
    case REQ_GRAPH:
        set_root(graph, EVENT_NONE);
        graph->back_count = 0;
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "what the goal needs");
        break;
    case REQ_BACK:
        result = back(graph, ctx);
        break;
    default:
        result = VIEW_IGNORED;
    }
    update(graph, ctx->model);
    place(graph); /* another root: the next key may come before the next frame */
    if (graph->root != MODEL_NONE)
        ctx->state->focus = ctx->model->steps.at[selected(graph)].id;
    return result;
}

static void graph_save(const struct view *view, struct str *out)
{
    const struct graph_view *graph = (const struct graph_view *)view;
    if (graph->filter)
        str_addf(out, "filter %s\n", graph->filter);
    if (graph->edges)
        str_add(out, "edges yes\n");
}

static void graph_restore(struct view *view, const char *line, const struct view_ctx *ctx)
{
    if (str_starts(line, "filter "))
        set_filter((struct graph_view *)view, line + 7, ctx);
    ((struct graph_view *)view)->edges |= strcmp(line, "edges yes") == 0;
}

static void graph_shown(struct view *view, const struct view_ctx *ctx)
{
    struct graph_view *graph = (struct graph_view *)view;
    if (ctx->state->focus != EVENT_NONE && ctx->state->focus != graph->pinned) {
        graph->back_count = 0;
        set_root(graph, ctx->state->focus);
    }
}

static struct view *graph_open(const struct view_ctx *ctx)
{
    struct graph_view *graph = mem_zero(1, sizeof *graph);
    graph->view.ops = &view_graph;
    graph->up.way = TREE_USERS;
    graph->down.way = TREE_NEEDS;
    graph->pinned = ctx->state->focus;
    graph->marked = EVENT_NONE;
    graph->root = MODEL_NONE;
    return &graph->view;
}

static void graph_close(struct view *view)
{
    struct graph_view *graph = (struct graph_view *)view;
    graph_tree_free(&graph->up);
    graph_tree_free(&graph->down);
    free(graph->filter);
    re_free(graph->filter_re);
    re_free(graph->search_re);
    free(graph);
}

static const struct view_key keys[] = {
    {REQ_ENTER, "go to"}, {REQ_RIGHT, "unfold"}, {REQ_WHY, NULL},  {REQ_LOG, NULL},
    {REQ_FILTER, NULL},   {REQ_SEARCH, NULL},    {REQ_MARK, NULL}, {REQ_BUILD, "build it"},
    {REQ_DIFF, "used"},   {REQ_GRAPH, "goal"},   {REQ_COPY, NULL}, {REQ_NONE, NULL}};

const struct view_ops view_graph = {
    .name = "graph",
    .title = "Graph",
    .key = '2',
    .keys = keys,
    .about =
        "One target, what it needs below it and what needs it above, each thing once and at "
        "its lowest place. Enter goes to what is selected, Esc back. Space marks a target: then "
        "the way between it and the selected one is shown. d shows what a step uses and does not "
        "declare, and what it declares and does not use.",
    .open = graph_open,
    .close = graph_close,
    .draw = graph_draw,
    .request = graph_request,
    .save = graph_save,
    .restore = graph_restore,
    .shown = graph_shown,
};
