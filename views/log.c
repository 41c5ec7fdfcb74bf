/*
 * The log screen: what one step printed, or the whole build in order. Only what is visible is asked
 * for, whatever the length; it follows the end until one scrolls up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/re.h"
#include "views/build_view.h"
#include "views/views.h"

struct log_screen {
    struct view view;
    uint32_t step; /* event id; EVENT_NONE: the whole build */
    uint64_t top, at; /* first line shown; the cursor's line */
    uint64_t rows;
    size_t left; /* bytes of each line that are scrolled away */
    bool follow;
    struct re *search;
    char pattern[128];
    struct re *diagnostics;
};

/* gcc, clang, ld, make, and javac under ant: "file:line:col: error: text". Group 1 the file, 2 the
 * line. */
static const char diagnostic_pattern[] =
    "^(?:\\s*\\[\\w+\\] )?(?:\\S*(?:ld|make)(?:\\[\\d+\\])?: "
    ")?([^\\s:]+):(\\d+)(?::\\d+)?:\\s+(?:fatal )?"
    "(?:error|warning|undefined reference)|^make(?:\\[\\d+\\])?: \\*\\*\\* \\[([^:]+):(\\d+)";

static struct log_view *log_of(const struct log_screen *log, const struct view_ctx *ctx)
{
    return ctx->ops->log(ctx->app, log->step);
}

static uint64_t lines_of(const struct log_screen *log, const struct view_ctx *ctx)
{
    struct log_view *lines = log_of(log, ctx);
    return lines ? ctx->ops->log_lines(lines) : 0;
}

static void clamp(struct log_screen *log, uint64_t lines)
{
    if (log->at >= lines)
        log->at = lines ? lines - 1 : 0;
    if (log->at < log->top)
        log->top = log->at;
    if (log->rows && log->at >= log->top + log->rows)
        log->top = log->at - log->rows + 1;
}

static enum style line_style(const char *text, size_t length)
{
    if (memmem(text, length, " error:", 7) || memmem(text, length, " fatal error", 12) ||
        memmem(text, length, "undefined reference", 19) || memmem(text, length, " *** ", 5))
        return STYLE_FAILED;
    if (memmem(text, length, " warning:", 9))
        return STYLE_WARNING;
    return STYLE_TEXT;
}

static void draw_line(const struct log_screen *log, const struct canvas *canvas, int y,
                      const char *text, size_t length)
{
    enum style style = line_style(text, length);
    size_t left = log->left < length ? log->left : length;
    while (left < length && ((unsigned char)text[left] & 0xC0) == 0x80)
        left++;
    int x = canvas_put_n(canvas, 1, y, style, text + left, length - left);
    struct re_match match;
    for (size_t from = left; log->search && x > 1 && from < length;) {
        if (!re_find(log->search, text, length, from, &match) || match.end[0] == match.start[0])
            break;
        char *before = mem_copy_n(text + left, match.start[0] - left);
        int column = 1 + canvas_columns(before);
        free(before);
        canvas_put_n(canvas, column, y, STYLE_MATCH, text + match.start[0],
                     match.end[0] - match.start[0]);
        from = match.end[0];
    }
}

/* "core/sched.o  running 4.2s", or "whole build". */
static void title_text(const struct log_screen *log, const struct view_ctx *ctx, struct str *out)
{
    uint32_t index = model_find(ctx->model, log->step);
    if (index == MODEL_NONE) {
        str_add(out, "log: whole build");
        return;
    }
    const struct model_step *step = &ctx->model->steps.at[index];
    str_addf(out, "log: %s  %s", model_name(ctx->model, index), model_state_word(step));
}

static void log_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct log_screen *log = (struct log_screen *)view;
    struct log_view *lines = log_of(log, ctx);
    uint64_t count = lines ? ctx->ops->log_lines(lines) : 0;
    struct canvas body = canvas_part(canvas, (struct rect){0, 1, canvas->w, canvas->h - 1});
    log->rows = body.h > 0 ? (uint64_t)body.h : 0;
    if (log->follow && count)
        log->at = count - 1;
    clamp(log, count);
    struct str title = {0};
    char right[80] = "";
    title_text(log, ctx, &title);
    if (count)
        snprintf(right, sizeof right, "%s%llu of %llu", log->follow ? "following, " : "",
                 (unsigned long long)log->at + 1, (unsigned long long)count);
    canvas_title(canvas, 0, true, str_text(&title), right);
    str_free(&title);
    for (uint64_t row = 0; row < log->rows && log->top + row < count; row++) {
        size_t length;
        const char *text = ctx->ops->log_line(lines, log->top + row, &length);
        draw_line(log, &body, (int)row, text, length);
        if (log->top + row == log->at)
            canvas_reverse(&body, 0, (int)row, body.w);
    }
    if (!count)
        canvas_put(&body, 1, 0, STYLE_FAINT,
                   log->step == EVENT_NONE ? "nothing was printed yet" : "it printed nothing");
}

/* Goes to the next line, from the cursor on, that `re` matches; around the end once. */
static bool find(struct log_screen *log, struct re *re, const struct view_ctx *ctx, int by)
{
    struct log_view *lines = log_of(log, ctx);
    uint64_t count = lines ? ctx->ops->log_lines(lines) : 0;
    for (uint64_t i = 0, at = log->at; i < count; i++) {
        at = (at + count + (uint64_t)by) % count;
        size_t length;
        const char *text = ctx->ops->log_line(lines, at, &length);
        if (re_find(re, text, length, 0, NULL)) {
            log->at = at;
            log->follow = false;
            if (at < log->top || at >= log->top + log->rows)
                log->top = at > log->rows / 3 ? at - log->rows / 3 : 0;
            return true;
        }
    }
    return false;
}

static void search(struct log_screen *log, const char *pattern, const struct view_ctx *ctx, int by)
{
    struct err err = {0};
    if (pattern && *pattern) {
        struct re *re = re_compile(pattern, RE_SMART_CASE, &err);
        if (!re) {
            ctx->ops->say(ctx->app, SEVERITY_ERROR, err.text);
            return;
        }
        re_free(log->search);
        log->search = re;
        snprintf(log->pattern, sizeof log->pattern, "%s", pattern);
    } else if (pattern) {
        re_free(log->search);
        log->search = NULL;
        return;
    }
    if (!log->search) {
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "search with / first");
    } else if (!find(log, log->search, ctx, by)) {
        char text[200];
        snprintf(text, sizeof text, "no line matches '%s'", log->pattern);
        ctx->ops->say(ctx->app, SEVERITY_NOTE, text);
    }
}

static void next_diagnostic(struct log_screen *log, const struct view_ctx *ctx, int by)
{
    if (!find(log, log->diagnostics, ctx, by))
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "no diagnostic in this log");
}

/* The file and line that the cursor's line speaks of. */
static void edit(struct log_screen *log, const struct view_ctx *ctx)
{
    struct log_view *lines = log_of(log, ctx);
    size_t length;
    struct re_match match;
    if (!lines || log->at >= ctx->ops->log_lines(lines))
        return;
    const char *text = ctx->ops->log_line(lines, log->at, &length);
    if (!re_find(log->diagnostics, text, length, 0, &match)) {
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "this line names no place: > finds one that does");
        return;
    }
    unsigned group = match.start[1] != SIZE_MAX ? 1 : 3;
    char *path = mem_copy_n(text + match.start[group], match.end[group] - match.start[group]);
    unsigned line = (unsigned)strtoul(text + match.start[group + 1], NULL, 10);
    ctx->ops->edit(ctx->app, path, line);
    free(path);
}

static void copy(struct log_screen *log, const struct view_ctx *ctx)
{
    struct log_view *lines = log_of(log, ctx);
    size_t length;
    if (!lines || log->at >= ctx->ops->log_lines(lines))
        return;
    const char *text = ctx->ops->log_line(lines, log->at, &length);
    char *line = mem_copy_n(text, length);
    ctx->ops->copy(ctx->app, line);
    ctx->ops->say(ctx->app, SEVERITY_NOTE, "the line is in the clipboard");
    free(line);
}

/* Another step's log, or the same again where one was. */
static void show_step(struct log_screen *log, uint32_t step)
{
    if (log->step == step)
        return;
    log->step = step;
    log->top = log->at = 0;
    log->left = 0;
    log->follow = true;
}

static bool move(struct log_screen *log, enum request request, int y, uint64_t lines)
{
    uint64_t page = log->rows > 1 ? log->rows - 1 : 1, at = log->at;
    switch (request) {
    case REQ_UP:
        at -= at > 0;
        break;
    case REQ_DOWN:
        at++;
        break;
    case REQ_PAGE_UP:
        at = at > page ? at - page : 0;
        break;
    case REQ_PAGE_DOWN:
        at += page;
        break;
    case REQ_HOME:
        at = 0;
        break;
    case REQ_END:
        at = lines;
        break;
    case REQ_WHEEL_UP:
        at = at > 3 ? at - 3 : 0;
        break;
    case REQ_WHEEL_DOWN:
        at += 3;
        break;
    case REQ_CLICK:
        if (y < 1 || log->top + (uint64_t)y - 1 >= lines)
            return false;
        at = log->top + (uint64_t)y - 1;
        break;
    default:
        return false;
    }
    log->follow = request == REQ_END;
    log->at = at;
    clamp(log, lines);
    return true;
}

static enum view_result log_request(struct view *view, enum request request,
                                    const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct log_screen *log = (struct log_screen *)view;
    switch (request) {
    case REQ_SEARCH:
        search(log, arg->text, ctx, 1);
        break;
    case REQ_SEARCH_NEXT:
        search(log, NULL, ctx, 1);
        break;
    case REQ_SEARCH_PREVIOUS:
        search(log, NULL, ctx, -1);
        break;
    case REQ_NEXT_FAILURE:
        next_diagnostic(log, ctx, 1);
        break;
    case REQ_PREVIOUS_FAILURE:
        next_diagnostic(log, ctx, -1);
        break;
    case REQ_ENTER:
    case REQ_EDIT:
        edit(log, ctx);
        break;
    case REQ_COPY:
        copy(log, ctx);
        break;
    case REQ_LOG: /* the step's, the whole build's, and back */
        show_step(log, log->step == EVENT_NONE ? ctx->state->focus : EVENT_NONE);
        break;
    case REQ_LEFT:
        log->left = log->left > 8 ? log->left - 8 : 0;
        break;
    case REQ_RIGHT:
        log->left += 8;
        break;
    default:
        return move(log, request, arg->y, lines_of(log, ctx)) ? VIEW_HANDLED : VIEW_IGNORED;
    }
    return VIEW_HANDLED;
}

static void log_shown(struct view *view, const struct view_ctx *ctx)
{
    show_step((struct log_screen *)view, ctx->state->focus);
}

static struct view *log_open(const struct view_ctx *ctx)
{
    struct log_screen *log = mem_zero(1, sizeof *log);
    log->view.ops = &view_log;
    log->step = ctx->state->focus;
    log->follow = true;
    log->diagnostics = re_compile(diagnostic_pattern, RE_DEFAULT, NULL);
    return &log->view;
}

static void log_close(struct view *view)
{
    struct log_screen *log = (struct log_screen *)view;
    re_free(log->search);
    re_free(log->diagnostics);
    free(log);
}

static const struct view_key keys[] = {{REQ_NEXT_FAILURE, "diagnostic"},
                                       {REQ_EDIT, NULL},
                                       {REQ_SEARCH, NULL},
                                       {REQ_LOG, "whole build"},
                                       {REQ_END, "follow"},
                                       {REQ_COPY, NULL},
                                       {REQ_BACK, NULL},
                                       {REQ_NONE, NULL}};

const struct view_ops view_log = {
    .name = "log",
    .title = "Log",
    .key = '5',
    .keys = keys,
    .about = "What a step printed, or the whole build in order. It follows the end until you "
             "scroll.",
    .open = log_open,
    .close = log_close,
    .draw = log_draw,
    .request = log_request,
    .shown = log_shown,
};
