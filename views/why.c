/* Why: a pop-up that says of the step in focus why it is or was built, what it waits for, and what
 * it did. From events alone. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/build_view.h"
#include "views/plain.h"
#include "views/views.h"

struct why_view {
    struct view view;
    struct list list;
    str_list lines;
    int top; /* of the rows in the last frame: for the mouse */
    size_t w; /* columns of text beside the labels */
};

static size_t count(void *data)
{
    return ((struct why_view *)data)->lines.len;
}

static uint64_t id(void *data, size_t index)
{
    (void)data;
    return index;
}

static void draw_line(void *data, const struct canvas *canvas, int y, size_t index)
{
    canvas_put(canvas, 0, y, STYLE_TEXT, ((struct why_view *)data)->lines.at[index]);
}

/* A labelled text, broken into as many lines as it needs. */
static void line(struct why_view *why, const char *label, const char *text)
{
    while (*text) {
        size_t length = strlen(text);
        if (length > why->w) {
            length = why->w;
            while (length > why->w / 2 && text[length] != ' ')
                length--;
            if (text[length] != ' ')
                length = why->w;
            while (length > 1 && ((unsigned char)text[length] & 0xC0) == 0x80)
                length--;
        }
        vec_push(&why->lines, mem_format("%-9s %.*s", label, (int)length, text));
        text += length;
        text += strspn(text, " ");
        label = "";
    }
}

static void reason_lines(struct why_view *why, const struct model *model,
                         const struct model_step *step)
{
    const char *reason = model_text(model, step->reason);
    if (*reason)
        line(why, "why", plain_reason(reason));
    else if (step->state == STEP_STATE_FRESH)
        line(why, "why", "nothing that it depends on changed: it is not built");
    else if (step->state == STEP_STATE_WAITING)
        line(why, "why", "it or something that it needs is stale");
    line(why, "changed", model_text(model, step->path));
    line(why, "was", model_text(model, step->was));
    line(why, "now", model_text(model, step->now));
}

/* What it waits for, and who waits for it. */
static void need_lines(struct why_view *why, const struct model *model, uint32_t index)
{
    const struct model_step *step = &model->steps.at[index];
    bool waits = step->state == STEP_STATE_WAITING || step->state == STEP_STATE_CANCELLED;
    unsigned shown = 0, more = 0;
    for (uint32_t i = 0; waits && i < step->needs_count; i++) {
        const struct model_step *need = &model->steps.at[model->links.at[step->needs + i]];
        if (need->state == STEP_STATE_FRESH || need->state == STEP_STATE_DONE)
            continue;
        if (shown == 8) {
            more++;
            continue;
        }
        vec_push(&why->lines,
                 mem_format("%-9s %s %s  %s", shown++ ? "" : "waits for", model_state_glyph(need),
                            model_short(model_text(model, need->target)), model_state_word(need)));
    }
    if (more)
        vec_push(&why->lines, mem_format("%-9s and %u more", "", more));
}

static void result_lines(struct why_view *why, const struct model *model,
                         const struct model_step *step)
{
    char wall[16], cpu[16];
    if (step->state != STEP_STATE_DONE && step->state != STEP_STATE_FAILED)
        return;
    text_duration(wall, step->wall_ns);
    text_duration(cpu, step->cpu_ns);
    vec_push(&why->lines, mem_format("%-9s %s, processor %s", "took", wall, cpu));
    if (step->state == STEP_STATE_FAILED)
        vec_push(&why->lines, step->signal ? mem_format("%-9s by signal %d", "ended", step->signal)
                                           : mem_format("%-9s with exit %d", "ended", step->exit));
    if (step->diagnostic != MODEL_NONE) {
        const struct model_diagnostic *diagnostic = &model->diagnostics.at[step->diagnostic];
        char *said = mem_format("%s:%u: %s", model_text(model, diagnostic->path), diagnostic->line,
                                model_text(model, diagnostic->text));
        line(why, "said", said);
        free(said);
    }
}

static void fill(struct why_view *why, const struct view_ctx *ctx)
{
    const struct model *model = ctx->model;
    uint32_t index = model_find(model, ctx->state->focus);
    str_list_free(&why->lines);
    if (index == MODEL_NONE) {
        line(why, "", "select a step first: in the lanes, the cone, the map or the failures");
        return;
    }
    const struct model_step *step = &model->steps.at[index];
    vec_push(&why->lines, mem_format("%-9s %s %s", model_text(model, step->rule),
                                     model_state_glyph(step), model_state_word(step)));
    reason_lines(why, model, step);
    need_lines(why, model, index);
    result_lines(why, model, step);
    line(why, "command", model_text(model, step->command));
}

static void why_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct why_view *why = (struct why_view *)view;
    int w = canvas->w > 104 ? 100 : canvas->w - 4;
    why->w = w > 40 ? (size_t)w - 14 : 26;
    fill(why, ctx);
    uint32_t index = model_find(ctx->model, ctx->state->focus);
    struct str title = {0};
    str_addf(&title, "why %s", index == MODEL_NONE ? "" : model_name(ctx->model, index));
    int h = (int)why->lines.len + 2;
    struct canvas box = canvas_popup(canvas, w, h, str_text(&title));
    why->top = box.y - canvas->y;
    struct list_source source = {why, count, id, draw_line};
    list_draw(&why->list, &source, &box, why->lines.len > (size_t)box.h);
    str_free(&title);
}

static enum view_result why_request(struct view *view, enum request request,
                                    const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct why_view *why = (struct why_view *)view;
    (void)ctx;
    struct list_source source = {why, count, id, draw_line};
    return list_request(&why->list, &source, request, arg->y - why->top) ? VIEW_HANDLED
                                                                         : VIEW_IGNORED;
}

static struct view *why_open(const struct view_ctx *ctx)
{
    struct why_view *why = mem_zero(1, sizeof *why);
    (void)ctx;
    why->view.ops = &view_why;
    return &why->view;
}

static void why_close(struct view *view)
{
    struct why_view *why = (struct why_view *)view;
    str_list_free(&why->lines);
    free(why);
}

static const struct view_key keys[] = {
    {REQ_LOG, NULL}, {REQ_GRAPH, NULL}, {REQ_BACK, NULL}, {REQ_NONE, NULL}};

const struct view_ops view_why = {
    .name = "why",
    .title = "Why",
    .keys = keys,
    .open = why_open,
    .close = why_close,
    .draw = why_draw,
    .request = why_request,
};
