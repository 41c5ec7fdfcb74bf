/* The panes of the boot arguments and of the image. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"
#include "views/compose.h"

enum { LABEL_W = 9 };

/* Draws words with their marks one after another, wrapped; returns the rows taken. With no canvas
 * it only counts. */
static int flow(const struct canvas *canvas, int y, int w, const struct compose_note *notes,
                size_t count)
{
    int x = LABEL_W, rows = count ? 1 : 0;
    for (size_t i = 0; i < count; i++) {
        char text[256];
        char mark = notes[i].mark;
        snprintf(text, sizeof text, "%s%s",
                 mark == 'y'   ? "✓ "
                 : mark == 'n' ? "✗ "
                 : mark == '+' ? "+ "
                 : mark == '-' ? "- "
                 : mark == '~' ? "~ "
                               : "",
                 notes[i].text);
        int columns = canvas_columns(text);
        if (x > LABEL_W && x + columns > w - 1) {
            x = LABEL_W;
            rows++;
        }
        if (canvas)
            canvas_column(canvas, x, y + rows - 1, columns < w - x ? columns : w - x,
                          mark == 'n' ? STYLE_FAILED : STYLE_TEXT, FIT_LEFT, text);
        x += columns + 2;
    }
    return rows;
}

/* ---- arguments ---- */

/* What the next compose gets, or what is being typed for it. */
static const char *next_text(const struct compose_view *v, const struct compose_data *data)
{
    return v->typing == TYPING_ARGS ? field_text(&v->args) : data->args_next;
}

int args_pane_rows(const struct compose_view *v, const struct compose_data *data, int w)
{
    args_notes notes = {0};
    args_check(data, next_text(v, data), &notes);
    int rows = 3 + flow(NULL, 0, w, notes.at, notes.len);
    args_notes_free(&notes);
    return rows;
}

static void draw_next(struct compose_view *v, const struct canvas *canvas,
                      const struct compose_data *data, bool too_long)
{
    int room = canvas->w - LABEL_W - 1;
    canvas_put(canvas, 1, 1, STYLE_FAINT, "next");
    if (v->typing == TYPING_ARGS) {
        field_draw(&v->args, canvas, LABEL_W, 1, room);
        return;
    }
    enum style style = too_long ? STYLE_FAILED : data->args_staged ? STYLE_WARNING : STYLE_STRONG;
    int columns = canvas_columns(data->args_next);
    int x = canvas_column(canvas, LABEL_W, 1, columns < room ? columns : room, style, FIT_LEFT,
                          data->args_next);
    if (data->args_origin && x + 4 + canvas_columns(data->args_origin) < canvas->w)
        canvas_put(canvas, x + 3, 1, STYLE_FAINT, data->args_origin);
    if (v->pane == PANE_ARGS && !v->popup)
        canvas_reverse(canvas, LABEL_W - 1, 1, columns < room ? columns + 2 : room + 1);
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
    int room = canvas->w - LABEL_W - 1;
    struct str hint = {0};
    if (v->typing == TYPING_ARGS)
        field_hint(&v->args, &hint);
    if (hint.len) { /* what Tab offers */
        canvas_column(canvas, LABEL_W, 2, room, STYLE_FAINT, FIT_LEFT, str_text(&hint));
    } else {
        canvas_put(canvas, 1, 2, STYLE_FAINT, "image");
        canvas_column(canvas, LABEL_W, 2, room, STYLE_TEXT, FIT_LEFT,
                      !data->args_image                     ? "not composed yet"
                      : strcmp(data->args_image, next) == 0 ? "the same"
                                                            : data->args_image);
    }
    str_free(&hint);
    args_notes notes = {0};
    args_check(data, next, &notes);
    flow(canvas, 3, canvas->w, notes.at, notes.len);
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

/* ---- image ---- */

/* The parts as one flowing line. */
static int flow_parts(const struct canvas *canvas, int y, int w, const struct compose_data *data)
{
    int x = LABEL_W, rows = data->parts_count ? 1 : 0;
    for (size_t i = 0; i < data->parts_count; i++) {
        char text[96], size[16];
        text_size(size, data->parts[i].size_bytes);
        snprintf(text, sizeof text, "%s %s", data->parts[i].name, size);
        int columns = canvas_columns(text);
        if (x > LABEL_W && x + columns > w - 1) {
            x = LABEL_W;
            rows++;
        }
        if (canvas)
            canvas_put(canvas, x, y + rows - 1, STYLE_TEXT, text);
        x += columns + 3;
    }
    return rows;
}

int image_pane_rows(const struct compose_data *data, int w)
{
    int parts = flow_parts(NULL, 0, w, data);
    int next = flow(NULL, 0, w, data->next, data->next_count);
    return 1 + (parts ? parts : 1) + (next ? next : 1) + (data->held != NULL);
}

void image_pane_draw(struct compose_view *v, const struct canvas *canvas,
                     const struct compose_data *data)
{
    struct str right = {0};
    if (data->image_when) {
        char size[16];
        text_size(size, data->image_bytes);
        str_addf(&right, "%s  %s  %s", data->image_format, size, data->image_when);
    }
    char name[256];
    snprintf(name, sizeof name, "image %s", data->image_path ? data->image_path : "");
    canvas_title(canvas, 0, v->pane == PANE_IMAGE, name, str_text(&right));
    str_free(&right);
    int y = 1, w = canvas->w;
    canvas_put(canvas, 1, y, STYLE_FAINT, "parts");
    if (data->parts_count)
        y += flow_parts(canvas, y, w, data);
    else
        canvas_put(canvas, LABEL_W, y++, STYLE_TEXT,
                   data->image_path ? "not composed yet" : "conf names no boot-image");
    canvas_put(canvas, 1, y, STYLE_FAINT, "next");
    if (data->next_count)
        y += flow(canvas, y, w, data->next, data->next_count);
    else
        canvas_put(canvas, LABEL_W, y++, STYLE_TEXT, "changes nothing");
    if (data->held)
        canvas_putf(canvas, 1, y, STYLE_WARNING, "held by  %s; stop it to write", data->held);
}
