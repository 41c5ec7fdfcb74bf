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
    uint64_t mark; /* the other end of what is copied; UINT64_MAX: none */
    uint64_t rows;
    int w; /* columns of text in the last frame */
    size_t left; /* bytes of each line that are scrolled away */
    VEC(uint64_t) shown; /* the line in each row of the last frame: for the mouse */
    bool follow;
    bool wrap; /* long lines go on in the next row */
    struct re *search;
    char pattern[128];
    struct hunt {
        struct re *re; /* what is looked for; NULL: nothing is */
        int by; /* 1 or -1 */
        uint64_t from, at; /* where it began, and the line that was looked at last */
        uint64_t seen; /* lines so far */
    } hunt;
    struct re *diagnostics;
};

/*
 * What counts as a diagnostic, a line each: gcc, clang and as ("file:line:col: error: text"), the same
 * of javac behind ant's "[javac]" and of ant itself ("build.xml:12: text"); ld's undefined references,
 * with a line or without, and its other troubles; make's, with a place or without. Group 1 is the
 * file, 2 the line, where there are any.
 */
static const char diagnostic_pattern[] =
    "(?|^(?:\\s*\\[\\w+\\] )?(?:\\S*(?:ld|make)(?:\\[\\d+\\])?: )?([^\\s:]+):(\\d+)(?::\\d+)?:\\s+"
    "(?:fatal )?(?:[Ee]rror|[Ww]arning|undefined reference|\\*\\*\\*)"
    "|^(?:\\S*ld(?:\\.\\w+)?: )?([^\\s:]+):(?:\\([^)]*\\)|in function [^:]*): undefined reference()"
    "|^\\s*([^\\s:]+\\.xml):(\\d+): "
    "|^(?:\\S*/)?(?:ld(?:\\.\\w+)?|collect2): (?:fatal )?(?:error|cannot|undefined)()()"
    "|^g?make(?:\\[\\d+\\])?: \\*\\*\\* \\[([^:\\]]+):(\\d+)"
    "|^g?make(?:\\[\\d+\\])?: \\*\\*\\* ()())";

static struct log_view *log_of(const struct log_screen *log, const struct view_ctx *ctx)
{
    return ctx->ops->log(ctx->app, log->step);
}

static uint64_t lines_of(const struct log_screen *log, const struct view_ctx *ctx)
{
    struct log_view *lines = log_of(log, ctx);
    return lines ? ctx->ops->log_lines(lines) : 0;
}

/* Bytes of a text that fit into w columns, at least one character. */
static size_t fitting(const char *text, size_t length, int w)
{
    size_t bytes = 0;
    for (int columns = 0; bytes < length;) {
        size_t next = bytes + 1;
        while (next < length && ((unsigned char)text[next] & 0xC0) == 0x80)
            next++;
        columns += canvas_columns_n(text + bytes, next - bytes);
        if (columns > w && bytes)
            break;
        bytes = next;
    }
    return bytes;
}

/* Where the text that is shown of a line begins. */
static size_t left_of(const struct log_screen *log, const char *text, size_t length)
{
    size_t left = log->left < length ? log->left : length;
    while (left < length && ((unsigned char)text[left] & 0xC0) == 0x80)
        left++;
    return left;
}

/* Rows that a line takes. */
static uint64_t rows_of(const struct log_screen *log, const struct view_ctx *ctx, uint64_t line)
{
    size_t length;
    if (!log->wrap || log->w <= 0)
        return 1;
    const char *text = ctx->ops->log_line(log_of(log, ctx), line, &length);
    uint64_t rows = 0;
    for (size_t at = left_of(log, text, length); at < length || !rows; rows++)
        at += fitting(text + at, length - at, log->w);
    return rows;
}

/* Keeps the cursor's line in sight. */
static void clamp(struct log_screen *log, const struct view_ctx *ctx, uint64_t lines)
{
    if (log->at >= lines)
        log->at = lines ? lines - 1 : 0;
    if (log->at < log->top)
        log->top = log->at;
    if (!lines || !log->rows || log->at < log->top)
        return;
    if (log->at - log->top >= log->rows) /* far below: no line takes less than a row */
        log->top = log->at - log->rows + 1;
    uint64_t rows = 0;
    for (uint64_t line = log->at + 1; line-- > log->top;) {
        rows += rows_of(log, ctx, line);
        if (rows > log->rows) {
            log->top = line < log->at ? line + 1 : line;
            break;
        }
    }
}

static enum style line_style(const char *text, size_t length)
{
    if (memmem(text, length, " error:", 7) || memmem(text, length, " Error:", 7) ||
        memmem(text, length, " fatal error", 12) ||
        memmem(text, length, "undefined reference", 19) || memmem(text, length, " *** ", 5))
        return STYLE_FAILED;
    if (memmem(text, length, " warning:", 9))
        return STYLE_WARNING;
    return STYLE_TEXT;
}

/* Marks what the search finds in the part of a line that stands in a row. */
static void draw_matches(const struct log_screen *log, const struct canvas *canvas, int y,
                         const char *text, size_t length, size_t from, size_t to)
{
    struct re_match match;
    for (size_t at = 0; log->search && at < to;) {
        if (!re_find(log->search, text, length, at, &match) || match.end[0] == match.start[0])
            break;
        size_t begin = match.start[0] > from ? match.start[0] : from;
        size_t end = match.end[0] < to ? match.end[0] : to;
        if (begin < end)
            canvas_put_n(canvas, 1 + canvas_columns_n(text + from, begin - from), y, STYLE_MATCH,
                         text + begin, end - begin);
        at = match.end[0];
    }
}

/* Draws a line from row y on; returns the row after it. */
static int draw_line(struct log_screen *log, const struct canvas *canvas, int y, const char *text,
                     size_t length)
{
    enum style style = line_style(text, length);
    size_t at = left_of(log, text, length);
    do {
        size_t bytes = log->wrap ? fitting(text + at, length - at, log->w) : length - at;
        canvas_put_n(canvas, 1, y, style, text + at, bytes);
        draw_matches(log, canvas, y, text, length, at, at + bytes);
        at += bytes;
        y++;
    } while (log->wrap && at < length && y < canvas->h);
    return y;
}

static bool is_marked(const struct log_screen *log, uint64_t line)
{
    return log->mark != UINT64_MAX && line >= (log->mark < log->at ? log->mark : log->at) &&
           line <= (log->mark < log->at ? log->at : log->mark);
}

static void draw_lines(struct log_screen *log, const struct canvas *body,
                       const struct view_ctx *ctx, uint64_t count)
{
    struct log_view *lines = log_of(log, ctx);
    log->shown.len = 0;
    for (uint64_t line = log->top; line < count && (uint64_t)log->shown.len < log->rows; line++) {
        size_t length;
        const char *text = ctx->ops->log_line(lines, line, &length);
        int y = (int)log->shown.len, end = draw_line(log, body, y, text, length);
        for (; y < end; y++) {
            vec_push(&log->shown, line);
            if (line == log->at)
                canvas_reverse(body, 0, y, body->w);
            else if (is_marked(log, line))
                canvas_put(body, 0, y, STYLE_WARNING, "•");
        }
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
    log->w = body.w - 2;
    log->view.working = log->hunt.re || (lines && ctx->ops->log_grows(lines));
    if (log->follow && count)
        log->at = count - 1;
    clamp(log, ctx, count);
    struct str title = {0};
    char right[80] = "";
    title_text(log, ctx, &title);
    if (count && log->hunt.re)
        snprintf(right, sizeof right, "searching, %llu %%; Esc stops",
                 (unsigned long long)(log->hunt.seen * 100 / count));
    else if (count)
        snprintf(right, sizeof right, "%s%s%llu of %llu", log->follow ? "following, " : "",
                 log->wrap ? "wrapped, " : "", (unsigned long long)log->at + 1,
                 (unsigned long long)count);
    canvas_title(canvas, 0, true, str_text(&title), right);
    str_free(&title);
    draw_lines(log, &body, ctx, count);
    if (!count)
        canvas_put(&body, 1, 0, STYLE_FAINT,
                   log->step == EVENT_NONE ? "nothing was printed yet" : "it printed nothing");
}

/* ---- searching ---- */

static void stop_hunt(struct log_screen *log)
{
    log->hunt.re = NULL;
    log->view.working = false; /* drawing says whether there is more to read in */
}

static void found(struct log_screen *log)
{
    uint64_t at = log->at = log->hunt.at;
    log->follow = false;
    if (at < log->top || at >= log->top + log->rows)
        log->top = at > log->rows / 3 ? at - log->rows / 3 : 0;
    stop_hunt(log);
}

static void found_none(struct log_screen *log, const struct view_ctx *ctx)
{
    char text[200] = "no diagnostic in this log";
    if (log->hunt.re == log->search)
        snprintf(text, sizeof text, "no line matches '%s'", log->pattern);
    ctx->ops->say(ctx->app, SEVERITY_NOTE, text);
    stop_hunt(log);
}

/* Looks at some more lines, around the end once; a long log takes many such pieces, and keys are
 * answered between them. */
static void hunt_on(struct view *view, const struct view_ctx *ctx)
{
    enum { LINES_AT_ONCE = 8192, BYTES_AT_ONCE = 1 << 20 };
    struct log_screen *log = (struct log_screen *)view;
    struct hunt *hunt = &log->hunt;
    struct log_view *lines = log_of(log, ctx);
    uint64_t count = lines ? ctx->ops->log_lines(lines) : 0;
    size_t bytes = 0;
    if (!hunt->re) { /* more was read in, and that is all */
        log->view.working = lines && ctx->ops->log_grows(lines);
        return;
    }
    if (hunt->from >= count) { /* the log is another one by now */
        found_none(log, ctx);
        return;
    }
    for (unsigned i = 0; i < LINES_AT_ONCE && bytes < BYTES_AT_ONCE; i++) {
        size_t length;
        hunt->at = (hunt->at + count + (uint64_t)hunt->by) % count;
        hunt->seen++;
        const char *text = ctx->ops->log_line(lines, hunt->at, &length);
        bytes += length;
        if (re_find(hunt->re, text, length, 0, NULL)) {
            found(log);
            return;
        }
        if (hunt->at == hunt->from) {
            found_none(log, ctx);
            return;
        }
    }
}

/* Goes to the next line, from the cursor on, that `re` matches. */
static void hunt(struct log_screen *log, struct re *re, const struct view_ctx *ctx, int by)
{
    log->hunt = (struct hunt){.re = re, .by = by, .from = log->at, .at = log->at};
    log->view.working = true;
    hunt_on(&log->view, ctx);
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
    if (!log->search)
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "search with / first");
    else
        hunt(log, log->search, ctx, by);
}

/* True where there is no line to do something with; it says so. */
static bool is_empty(const struct log_screen *log, struct log_view *lines,
                     const struct view_ctx *ctx)
{
    if (lines && log->at < ctx->ops->log_lines(lines))
        return false;
    ctx->ops->say(ctx->app, SEVERITY_NOTE,
                  log->step == EVENT_NONE ? "no step of this build printed anything yet"
                                          : "this step printed nothing: l shows the whole build");
    return true;
}

static void mark(struct log_screen *log, const struct view_ctx *ctx)
{
    if (is_empty(log, log_of(log, ctx), ctx))
        return;
    bool on = log->mark == UINT64_MAX;
    log->mark = on ? log->at : UINT64_MAX;
    ctx->ops->say(ctx->app, SEVERITY_NOTE,
                  on ? "marked: y copies from here to the cursor" : "the mark is taken away");
}

/* The file and line that the cursor's line speaks of. */
static void edit(struct log_screen *log, const struct view_ctx *ctx)
{
    struct log_view *lines = log_of(log, ctx);
    size_t length;
    struct re_match match;
    if (is_empty(log, lines, ctx))
        return;
    const char *text = ctx->ops->log_line(lines, log->at, &length);
    if (!re_find(log->diagnostics, text, length, 0, &match) || match.end[1] == match.start[1]) {
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "this line names no place: > finds one that does");
        return;
    }
    char *path = mem_copy_n(text + match.start[1], match.end[1] - match.start[1]);
    bool has_line = match.end[2] > match.start[2]; /* ld knows none without debug information */
    unsigned line = has_line ? (unsigned)strtoul(text + match.start[2], NULL, 10) : 0;
    ctx->ops->edit(ctx->app, path, line);
    free(path);
}

/* The cursor's line, or those from the mark to it, to the clipboard. */
static void copy(struct log_screen *log, const struct view_ctx *ctx)
{
    enum { COPIED_MAX = 64 * 1024 }; /* terminals take no more at once (xterm: 75,000 in base 64) */
    struct log_view *lines = log_of(log, ctx);
    if (is_empty(log, lines, ctx))
        return;
    bool marked = log->mark != UINT64_MAX;
    uint64_t first = marked && log->mark < log->at ? log->mark : log->at;
    uint64_t last = marked && log->mark > log->at ? log->mark : log->at, line = first;
    struct str text = {0};
    for (; line <= last && text.len < COPIED_MAX; line++) {
        size_t length;
        const char *one = ctx->ops->log_line(lines, line, &length);
        str_add_n(&text, one, length);
        if (marked)
            str_add_char(&text, '\n');
    }
    char said[100] = "the line is in the clipboard";
    if (marked)
        snprintf(said, sizeof said, "%llu line%s in the clipboard%s",
                 (unsigned long long)(line - first), line - first == 1 ? " is" : "s are",
                 line <= last ? ": terminals take no more at once" : "");
    ctx->ops->copy(ctx->app, str_text(&text));
    ctx->ops->say(ctx->app, SEVERITY_NOTE, said);
    str_free(&text);
    log->mark = UINT64_MAX;
}

/* Another step's log, or the same again where one was. */
static void show_step(struct log_screen *log, uint32_t step)
{
    if (log->step == step)
        return;
    stop_hunt(log);
    log->step = step;
    log->top = log->at = 0;
    log->mark = UINT64_MAX;
    log->left = 0;
    log->follow = true;
}

static bool move(struct log_screen *log, enum request request, int y, const struct view_ctx *ctx)
{
    uint64_t lines = lines_of(log, ctx);
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
        if (y < 1 || (size_t)y > log->shown.len)
            return false;
        at = log->shown.at[y - 1];
        break;
    default:
        return false;
    }
    log->follow = request == REQ_END;
    log->at = at;
    clamp(log, ctx, lines);
    return true;
}

static enum view_result log_request(struct view *view, enum request request,
                                    const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct log_screen *log = (struct log_screen *)view;
    bool hunting = log->hunt.re != NULL;
    stop_hunt(log); /* every key does */
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
        hunt(log, log->diagnostics, ctx, 1);
        break;
    case REQ_PREVIOUS_FAILURE:
        hunt(log, log->diagnostics, ctx, -1);
        break;
    case REQ_ENTER:
    case REQ_EDIT:
        edit(log, ctx);
        break;
    case REQ_COPY:
        copy(log, ctx);
        break;
    case REQ_MARK:
        mark(log, ctx);
        break;
    case REQ_WRAP:
        log->wrap = !log->wrap;
        ctx->ops->say(ctx->app, SEVERITY_NOTE,
                      log->wrap ? "long lines are wrapped" : "long lines go on to the right");
        break;
    case REQ_BACK:
        if (hunting) {
            ctx->ops->say(ctx->app, SEVERITY_NOTE, "the search was stopped");
            break;
        }
        if (log->mark == UINT64_MAX)
            return VIEW_IGNORED;
        log->mark = UINT64_MAX;
        break;
    case REQ_LOG: /* the step's, the whole build's, and back */
        if (log->step == EVENT_NONE && ctx->state->focus == EVENT_NONE)
            ctx->ops->say(ctx->app, SEVERITY_NOTE,
                          "select a step first: in the lanes, the cone, the map or the failures");
        show_step(log, log->step == EVENT_NONE ? ctx->state->focus : EVENT_NONE);
        break;
    case REQ_LEFT:
        log->left = log->left > 8 ? log->left - 8 : 0;
        break;
    case REQ_RIGHT:
        log->left += 8;
        break;
    default:
        return move(log, request, arg->y, ctx) ? VIEW_HANDLED : VIEW_IGNORED;
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
    log->mark = UINT64_MAX;
    log->follow = true;
    log->diagnostics = re_compile(diagnostic_pattern, RE_DEFAULT, NULL);
    return &log->view;
}

static void log_close(struct view *view)
{
    struct log_screen *log = (struct log_screen *)view;
    re_free(log->search);
    re_free(log->diagnostics);
    vec_free(&log->shown);
    free(log);
}

static void log_save(const struct view *view, struct str *out)
{
    if (((const struct log_screen *)view)->wrap)
        str_add(out, "wrap yes\n");
}

static void log_restore(struct view *view, const char *line, const struct view_ctx *ctx)
{
    (void)ctx;
    ((struct log_screen *)view)->wrap |= strcmp(line, "wrap yes") == 0;
}

static const struct view_key keys[] = {{REQ_NEXT_FAILURE, "diagnostic"},
                                       {REQ_EDIT, NULL},
                                       {REQ_SEARCH, NULL},
                                       {REQ_LOG, "whole build"},
                                       {REQ_END, "follow"},
                                       {REQ_WRAP, NULL},
                                       {REQ_COPY, NULL},
                                       {REQ_MARK, NULL},
                                       {REQ_BACK, NULL},
                                       {REQ_NONE, NULL}};

const struct view_ops view_log = {
    .name = "log",
    .title = "Log",
    .key = '5',
    .keys = keys,
    .about = "What a step printed, or the whole build in order. It follows the end until you "
             "scroll. Space marks a line; then y copies from there to the cursor.",
    .open = log_open,
    .close = log_close,
    .draw = log_draw,
    .request = log_request,
    .save = log_save,
    .restore = log_restore,
    .work = hunt_on,
    .shown = log_shown,
};
