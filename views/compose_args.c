/* The pane of the boot arguments. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"
#include "views/compose.h"

/* What the next compose gets, or what is being typed for it. */
static const char *next_text(const struct compose_view *v, const struct compose_data *data)
{
    return v->typing == TYPING_ARGS ? field_text(&v->args) : data->args_next;
}

int args_pane_rows(const struct compose_view *v, const struct compose_data *data, int w)
{
    args_notes notes = {0};
    args_check(data, next_text(v, data), &notes);
    int rows = 3 + compose_flow(NULL, 0, w, notes.at, notes.len);
    args_notes_free(&notes);
    return rows;
}

static void draw_next(struct compose_view *v, const struct canvas *canvas,
                      const struct compose_data *data, bool too_long)
{
    int room = canvas->w - COMPOSE_LABEL_W - 1;
    canvas_put(canvas, 1, 1, STYLE_FAINT, "next");
    if (v->typing == TYPING_ARGS) {
        field_draw(&v->args, canvas, COMPOSE_LABEL_W, 1, room);
        return;
    }
    enum style style = too_long ? STYLE_FAILED : data->args_staged ? STYLE_WARNING : STYLE_STRONG;
    int columns = canvas_columns(data->args_next);
    int x = canvas_column(canvas, COMPOSE_LABEL_W, 1, columns < room ? columns : room, style,
                          FIT_LEFT, data->args_next);
    if (data->args_origin && x + 4 + canvas_columns(data->args_origin) < canvas->w)
        canvas_put(canvas, x + 3, 1, STYLE_FAINT, data->args_origin);
    if (v->pane == PANE_ARGS && !v->popup)
        canvas_reverse(canvas, COMPOSE_LABEL_W - 1, 1, columns < room ? columns + 2 : room + 1);
}

void args_pane_draw(struct compose_view *v, const struct canvas *canvas,
                    const struct compose_data *data)
{
    const char *next = next_text(v, data);
    size_t length = strlen(next);
    bool too_long = length > data->args_max;
    char right[64];
    snprintf(right, sizeof right, "%s%zu of %u bytes%s", data->args_staged ? "•staged  " : "",
             length, data->args_max, too_long ? ", too long" : "");
    canvas_title(canvas, 0, v->pane == PANE_ARGS, "args", right);
    draw_next(v, canvas, data, too_long);
    int room = canvas->w - COMPOSE_LABEL_W - 1;
    struct str hint = {0};
    if (v->typing == TYPING_ARGS)
        field_hint(&v->args, &hint);
    if (hint.len) { /* what Tab offers */
        canvas_column(canvas, COMPOSE_LABEL_W, 2, room, STYLE_FAINT, FIT_LEFT, str_text(&hint));
    } else {
        canvas_put(canvas, 1, 2, STYLE_FAINT, "image");
        canvas_column(canvas, COMPOSE_LABEL_W, 2, room, STYLE_TEXT, FIT_LEFT,
                      !data->args_image                     ? "not composed yet"
                      : strcmp(data->args_image, next) == 0 ? "the same"
                                                            : data->args_image);
    }
    str_free(&hint);
    args_notes notes = {0};
    args_check(data, next, &notes);
    compose_flow(canvas, 3, canvas->w, notes.at, notes.len);
    args_notes_free(&notes);
}

static void complete(void *view, const char *text, size_t at, size_t *from, str_list *words)
{
    const struct view_ctx *ctx = ((struct compose_view *)view)->ctx;
    const struct compose_data *data = ctx ? ctx->ops->composition(ctx->app) : NULL;
    if (data)
        args_complete(data, text, at, from, words);
}

static void begin_typing(struct compose_view *v, const struct compose_data *data)
{
    field_begin(&v->args, data->args_next);
    bool first = !v->args.past.len; /* afterwards, what was typed is newer */
    for (size_t i = data->args_past_count; first && i-- > 0;)
        field_remember(&v->args, data->args_past[i]);
    v->args.complete = complete;
    v->args.data = v;
    v->typing = TYPING_ARGS;
    v->view.typing = true;
    v->view.typing_hint = "Tab completes, Up goes back in history, Enter stages, Esc reverts";
}

/* Asks whether the image is to get the arguments now. */
static void ask_apply(struct compose_view *v, const struct view_ctx *ctx,
                      const struct compose_data *data)
{
    char text[200];
    if (data->held)
        snprintf(text, sizeof text, "the image is held by %s: stop it first", data->held);
    else if (!data->args_image)
        snprintf(text, sizeof text, "there is no image to put them into: c composes it");
    else if (strcmp(data->args_image, data->args_next) == 0)
        snprintf(text, sizeof text, "the image has them already");
    else if (strlen(data->args_next) > data->args_max)
        snprintf(text, sizeof text, "%zu bytes: the guest takes %u at most",
                 strlen(data->args_next), data->args_max);
    else {
        compose_show(v, POPUP_APPLY,
                     mem_format("boot arguments in %s, at once\n- %s\n+ %s\n", data->image_path,
                                data->args_image, data->args_next));
        return;
    }
    ctx->ops->say(ctx->app, SEVERITY_NOTE, text);
}

bool args_pane_request(struct compose_view *v, enum request request, const struct view_ctx *ctx,
                       const struct compose_data *data)
{
    switch (request) {
    case REQ_ENTER:
    case REQ_TYPE:
    case REQ_INSERT:
        begin_typing(v, data);
        return true;
    case REQ_APPLY:
        ask_apply(v, ctx, data);
        return true;
    case REQ_COPY:
        ctx->ops->copy(ctx->app, data->args_next);
        return true;
    default:
        return false;
    }
}

void args_pane_key(struct compose_view *v, const struct key *key, const struct view_ctx *ctx,
                   const struct compose_data *data)
{
    v->ctx = ctx;
    enum field_result result = field_key(&v->args, key);
    v->ctx = NULL;
    const char *text = field_text(&v->args);
    if (result == FIELD_EDITING)
        return;
    if (result == FIELD_ACCEPTED && strlen(text) > data->args_max) {
        char sentence[128];
        snprintf(sentence, sizeof sentence, "%zu bytes: the guest takes %u at most", strlen(text),
                 data->args_max);
        ctx->ops->say(ctx->app, SEVERITY_ERROR, sentence);
        return;
    }
    v->typing = TYPING_NOTHING;
    v->view.typing = false;
    if (result == FIELD_ACCEPTED && strcmp(text, data->args_next) != 0) {
        field_remember(&v->args, text);
        ctx->ops->stage_args(ctx->app, text);
    }
}
