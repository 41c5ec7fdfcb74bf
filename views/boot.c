/*
 * Boot: the guest's console, what it was booted with, and the verdict. `i` attaches: then every key
 * goes to the guest, ^C too, and ^] comes back. `[` and `]` go through earlier runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/re.h"
#include "tui/view.h"
#include "views/console_text.h"
#include "views/model.h"
#include "views/views.h"

enum { LABEL_W = 11, LOW = 12 };

struct boot_view {
    struct view view;
    size_t run; /* which run is shown: an index of model->vm_earlier; SIZE_MAX: the last */
    size_t shown_run; /* the number of the run that `text` holds; SIZE_MAX: none */
    size_t fed; /* bytes of its console that `text` has taken in */
    struct console_text text;
    bool follow; /* the last line stays in sight */
    size_t top; /* first line shown */
    size_t rows, width; /* of the console, at the last draw */
    struct re *search;
    size_t found; /* line of the last match; SIZE_MAX: none */
    size_t seen_bytes, seen_runs; /* at the last draw: for the tab's mark */
    bool seen_end;
};

static struct view *open_boot(const struct view_ctx *ctx)
{
    (void)ctx;
    struct boot_view *v = mem_zero(1, sizeof *v);
    v->view.ops = &view_boot;
    v->run = v->shown_run = v->found = SIZE_MAX;
    v->follow = true;
    return &v->view;
}

static void close_boot(struct view *view)
{
    struct boot_view *v = (struct boot_view *)view;
    console_text_free(&v->text);
    re_free(v->search);
    free(v);
}

/* ---- which run ---- */

/* Runs are numbered from 0, the last one is model->vm. */
static size_t runs_count(const struct model *model)
{
    return model->vm_earlier.len + (model->vm.state != VM_NEVER);
}

static size_t run_number(const struct boot_view *v, const struct model *model)
{
    return v->run < model->vm_earlier.len ? v->run : model->vm_earlier.len;
}

static const struct model_vm *run_of(const struct boot_view *v, const struct model *model)
{
    size_t number = run_number(v, model);
    return number < model->vm_earlier.len ? &model->vm_earlier.at[number] : &model->vm;
}

/* Takes in what the shown run has printed since the last time. */
static void sync_text(struct boot_view *v, const struct model *model)
{
    size_t number = run_number(v, model);
    const struct model_vm *vm = run_of(v, model);
    if (number != v->shown_run || vm->console.len < v->fed) {
        console_text_free(&v->text);
        v->fed = 0;
        v->shown_run = number;
        v->found = SIZE_MAX;
        v->follow = true;
        v->top = 0;
    }
    console_text_feed(&v->text, str_text(&vm->console) + v->fed, vm->console.len - v->fed);
    v->fed = vm->console.len;
    bool is_last = v->run >= model->vm_earlier.len;
    if (v->view.typing && (!is_last || vm->state != VM_RUNNING))
        v->view.typing = false; /* nobody is there any more */
}

static bool is_good(const struct model_vm *vm)
{
    return vm->verdict && strcmp(vm->verdict, "ok") == 0;
}

/* ---- drawing ---- */

/* Returns the rows that it takes. */
static int draw_verdict(const struct canvas *canvas, int y, const struct model_vm *vm)
{
    canvas_put(canvas, 1, y, STYLE_FAINT, "verdict");
    if (vm->state == VM_RUNNING) {
        canvas_put(canvas, LABEL_W, y, STYLE_RUNNING, "● running; a clean power-off is good");
        return 1;
    }
    char took[16];
    text_duration(took, vm->wall_ns);
    bool good = is_good(vm);
    int x = canvas_putf(canvas, LABEL_W, y, good ? STYLE_GOOD : STYLE_FAILED, "%s %s",
                        good ? "✓" : "✗", vm->verdict ? vm->verdict : "?");
    canvas_putf(canvas, x, y, STYLE_TEXT, ", after %s", took);
    int rows = canvas->h >= LOW ? 3 : 1;
    return 1 + (vm->why ? canvas_wrap(canvas,
                                      (struct rect){LABEL_W, y + 1, canvas->w - LABEL_W - 1, rows},
                                      STYLE_TEXT, vm->why)
                        : 0);
}

/* Arguments, machine and verdict; returns the rows used. */
static int draw_facts(const struct canvas *canvas, const struct model_vm *vm)
{
    int y = 0, room = canvas->w - LABEL_W - 1;
    if (canvas->h >= LOW) {
        canvas_put(canvas, 1, y, STYLE_FAINT, "arguments");
        canvas_column(canvas, LABEL_W, y++, room, STYLE_STRONG, FIT_LEFT,
                      vm->args ? vm->args : "none");
        canvas_put(canvas, 1, y, STYLE_FAINT, "machine");
        canvas_column(canvas, LABEL_W, y++, room, STYLE_TEXT, FIT_LEFT, vm->argv ? vm->argv : "");
    }
    return y + draw_verdict(canvas, y, vm);
}

static void draw_title(const struct boot_view *v, const struct canvas *canvas,
                       const struct model *model)
{
    char name[64], right[96];
    size_t runs = runs_count(model);
    snprintf(name, sizeof name, runs > 1 ? "console  run %zu of %zu" : "console",
             run_number(v, model) + 1, runs);
    size_t lines = console_text_lines(&v->text);
    if (v->view.typing)
        snprintf(right, sizeof right, "attached: ^] detaches");
    else if (v->follow || lines <= v->rows)
        snprintf(right, sizeof right, "%zu line%s", lines, lines == 1 ? "" : "s");
    else
        snprintf(right, sizeof right, "%zu-%zu of %zu lines, End follows", v->top + 1,
                 v->top + v->rows < lines ? v->top + v->rows : lines, lines);
    canvas_title(canvas, 0, true, name, right);
}

/* Rows that a line takes: what is too long goes on in the next, as on a terminal. */
static size_t rows_of(struct boot_view *v, size_t line, size_t w)
{
    size_t length;
    const char *text = console_text_line(&v->text, line, &length);
    size_t columns = length < w ? length : (size_t)canvas_columns_n(text, length);
    return columns > w && w ? (columns + w - 1) / w : 1;
}

/* The first line from which on all the rest is in sight. */
static size_t last_top(struct boot_view *v)
{
    size_t lines = console_text_lines(&v->text), top = lines, rows = 0;
    while (top > 0) {
        rows += rows_of(v, top - 1, v->width);
        if (rows > v->rows)
            break;
        top--;
    }
    return top == lines && lines ? lines - 1 : top;
}

/* One console line from row y on, what a search found marked; returns the row after it. */
static int draw_line(struct boot_view *v, const struct canvas *canvas, int y, size_t line)
{
    size_t length;
    const char *text = console_text_line(&v->text, line, &length);
    int w = (int)v->width, rows = (int)rows_of(v, line, v->width);
    for (int i = 0; i < rows && y + i < canvas->h; i++) {
        struct canvas row = canvas_part(canvas, (struct rect){1, y + i, w, 1});
        canvas_put_n(&row, -i * w, 0, STYLE_TEXT, text, length);
        struct re_match match;
        size_t from = 0;
        while (v->search && from < length && re_find(v->search, text, length, from, &match) &&
               match.end[0] > match.start[0]) {
            canvas_restyle(&row, canvas_columns_n(text, match.start[0]) - i * w, 0,
                           canvas_columns_n(text + match.start[0], match.end[0] - match.start[0]),
                           STYLE_MATCH);
            from = match.end[0];
        }
    }
    if (line == v->found)
        canvas_put(canvas, 0, y, STYLE_WARNING, "▸");
    return y + rows;
}

static void draw_console(struct boot_view *v, const struct canvas *canvas,
                         const struct model_vm *vm)
{
    size_t lines = console_text_lines(&v->text);
    v->rows = canvas->h > 0 ? (size_t)canvas->h : 0;
    v->width = canvas->w > 3 ? (size_t)canvas->w - 2 : 1;
    size_t last = last_top(v);
    if (v->follow || v->top > last)
        v->top = last;
    if (v->top == last && v->found == SIZE_MAX)
        v->follow = true;
    int y = 0, written = 0;
    for (size_t line = v->top; line < lines && y < canvas->h; line++) {
        written = y;
        y = draw_line(v, canvas, y, line);
    }
    if (!lines)
        canvas_put(canvas, 1, 0, STYLE_FAINT,
                   vm->state == VM_RUNNING ? "nothing printed yet" : "it printed nothing");
    if (v->view.typing) { /* the terminal's cursor stands where the guest writes */
        int column = (int)v->text.column, w = (int)v->width;
        canvas_cursor(canvas, 1 + column % w, written + column / w);
    }
}

static void draw_nothing(const struct canvas *canvas, const struct view_ctx *ctx)
{
    const struct app_state *state = ctx->state;
    if (state->tree == APP_TREE_NONE)
        canvas_put(canvas, 1, 1, STYLE_TEXT, state->tree_error ? state->tree_error : "no tree");
    else if (state->booting)
        canvas_put(canvas, 1, 1, STYLE_TEXT, "starting …");
    else if (state->arch && state->image) {
        canvas_putf(canvas, 1, 1, STYLE_STRONG, "nothing booted yet: %s %s %s", state->arch,
                    state->mode, state->image);
        int x = canvas_put(canvas, 1, 3, STYLE_KEY, "r");
        canvas_put(canvas, x, 3, STYLE_TEXT, " builds what is stale, and boots it");
    } else
        canvas_put(canvas, 1, 1, STYLE_TEXT, "nothing booted yet: r boots");
}

static void draw_boot(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct boot_view *v = (struct boot_view *)view;
    const struct model *model = ctx->model;
    v->seen_runs = runs_count(model);
    v->seen_bytes = model->vm.console.len;
    v->seen_end = model->vm.state == VM_ENDED;
    if (!runs_count(model)) {
        draw_nothing(canvas, ctx);
        return;
    }
    sync_text(v, model);
    const struct model_vm *vm = run_of(v, model);
    int y = draw_facts(canvas, vm);
    struct canvas part = canvas_part(canvas, (struct rect){0, y, canvas->w, canvas->h - y});
    draw_title(v, &part, model);
    part = canvas_part(canvas, (struct rect){0, y + 1, canvas->w, canvas->h - y - 1});
    draw_console(v, &part, vm);
}

/* ---- requests ---- */

static bool scroll(struct boot_view *v, enum request request)
{
    size_t page = v->rows > 1 ? v->rows - 1 : 1;
    size_t last = last_top(v), top = v->top;
    switch (request) {
    case REQ_UP:
        top -= top > 0;
        break;
    case REQ_DOWN:
        top++;
        break;
    case REQ_WHEEL_UP:
        top = top > 3 ? top - 3 : 0;
        break;
    case REQ_WHEEL_DOWN:
        top += 3;
        break;
    case REQ_PAGE_UP:
        top = top > page ? top - page : 0;
        break;
    case REQ_PAGE_DOWN:
        top += page;
        break;
    case REQ_HOME:
        top = 0;
        break;
    case REQ_END:
        top = last;
        break;
    default:
        return false;
    }
    v->found = SIZE_MAX;
    v->top = top < last ? top : last;
    v->follow = v->top == last;
    return true;
}

/* The next line that matches, from the one found last; all around. */
static void find(struct boot_view *v, int step, const struct view_ctx *ctx)
{
    size_t lines = console_text_lines(&v->text);
    size_t line = v->found != SIZE_MAX ? v->found : step > 0 ? v->top + lines - 1 : v->top;
    for (size_t i = 0; v->search && i < lines; i++) {
        line = (line + (step > 0 ? 1 : lines - 1)) % lines;
        size_t length;
        const char *text = console_text_line(&v->text, line, &length);
        if (!re_find(v->search, text, length, 0, NULL))
            continue;
        v->found = line;
        v->follow = false;
        if (line < v->top || line >= v->top + v->rows)
            v->top = line > v->rows / 2 ? line - v->rows / 2 : 0;
        return;
    }
    ctx->ops->say(ctx->app, SEVERITY_NOTE, "not found");
}

static void set_search(struct boot_view *v, const char *pattern, const struct view_ctx *ctx)
{
    struct err err = {0};
    re_free(v->search);
    v->search = pattern && *pattern ? re_compile(pattern, RE_SMART_CASE, &err) : NULL;
    v->found = SIZE_MAX;
    if (v->search)
        find(v, 1, ctx);
    else if (pattern && *pattern)
        ctx->ops->say(ctx->app, SEVERITY_ERROR, err.text);
}

static void attach(struct boot_view *v, const struct view_ctx *ctx)
{
    if (ctx->model->vm.state != VM_RUNNING) {
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "no guest runs; r boots");
        return;
    }
    v->run = SIZE_MAX;
    v->follow = true;
    v->view.typing = true;
    v->view.typing_hint = "everything goes to the guest; ^] detaches";
    sync_text(v, ctx->model);
}

static void go_to_run(struct boot_view *v, const struct model *model, int step,
                      const struct view_ctx *ctx)
{
    size_t number = run_number(v, model), count = runs_count(model);
    if ((step < 0 && number == 0) || (step > 0 && number + 1 >= count)) {
        ctx->ops->say(ctx->app, SEVERITY_NOTE, step < 0 ? "no earlier run" : "no later run");
        return;
    }
    number += step > 0 ? 1 : (size_t)-1;
    v->run = number + 1 == count ? SIZE_MAX : number;
}

static enum view_result request_boot(struct view *view, enum request request,
                                     const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct boot_view *v = (struct boot_view *)view;
    const struct model *model = ctx->model;
    if (request == REQ_BACK)
        return VIEW_LEAVE;
    if (!runs_count(model))
        return VIEW_IGNORED;
    sync_text(v, model);
    if (scroll(v, request))
        return VIEW_HANDLED;
    switch (request) {
    case REQ_TYPE:
    case REQ_ENTER:
        attach(v, ctx);
        return VIEW_HANDLED;
    case REQ_PREVIOUS_RUN:
        go_to_run(v, model, -1, ctx);
        return VIEW_HANDLED;
    case REQ_NEXT_RUN:
        go_to_run(v, model, 1, ctx);
        return VIEW_HANDLED;
    case REQ_SEARCH:
        set_search(v, arg->text, ctx);
        return VIEW_HANDLED;
    case REQ_SEARCH_NEXT:
    case REQ_SEARCH_PREVIOUS:
        find(v, request == REQ_SEARCH_NEXT ? 1 : -1, ctx);
        return VIEW_HANDLED;
    case REQ_COPY:
        ctx->ops->copy(ctx->app, str_text(&run_of(v, model)->console));
        return VIEW_HANDLED;
    default:
        return VIEW_IGNORED;
    }
}

static void boot_key(struct view *view, const struct key *key, const struct view_ctx *ctx)
{
    if (key->code == ']' && key->mods == KEY_CTRL) {
        view->typing = false;
        return;
    }
    if (key->code == KEY_PASTE) {
        ctx->ops->vm_type(ctx->app, key->text, key->length);
        return;
    }
    char bytes[16];
    size_t length = key_bytes(key, bytes);
    if (length)
        ctx->ops->vm_type(ctx->app, bytes, length);
}

static bool boot_knocks(const struct view *view, const struct view_ctx *ctx)
{
    const struct boot_view *v = (const struct boot_view *)view;
    const struct model *model = ctx->model;
    return runs_count(model) != v->seen_runs || model->vm.console.len != v->seen_bytes ||
           (model->vm.state == VM_ENDED) != v->seen_end;
}

static const struct view_key boot_keys[] = {
    {REQ_BOOT, NULL},
    {REQ_TYPE, "attach"},
    {REQ_STOP, NULL},
    {REQ_SEARCH, NULL},
    {REQ_PREVIOUS_RUN, "earlier run"},
    {REQ_NONE, NULL},
};

const struct view_ops view_boot = {
    .name = "boot",
    .title = "Boot",
    .key = '8',
    .keys = boot_keys,
    .about = "The guest's console, and how it was judged. i attaches: then every key is the "
             "guest's, and ^] comes back.",
    .open = open_boot,
    .close = close_boot,
    .draw = draw_boot,
    .request = request_boot,
    .key_typed = boot_key,
    .knocks = boot_knocks,
};
