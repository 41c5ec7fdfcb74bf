/* The manifest pane: what goes into the image, one entry a row, and the row that adds one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"
#include "views/compose.h"

enum { MARK_W = 3, SIZE_W = 7, FROM_W = 23, ADD_ROW_ID = 1 };

/* Where the columns stand at a width. */
struct columns {
    int guest_w, host_w, size_x, from_x, from_w; /* from_w 0: dropped */
};

static struct columns columns_of(int w)
{
    struct columns c = {.from_w = w >= 76 ? FROM_W : 0};
    if (w >= 120)
        c.from_w = w / 4;
    int room = w - MARK_W - SIZE_W - 2 - (c.from_w ? c.from_w + 1 : 0);
    c.guest_w = room * 11 / 20;
    c.host_w = room - c.guest_w;
    c.size_x = MARK_W + c.guest_w + 1 + c.host_w;
    c.from_x = c.size_x + SIZE_W + 2;
    return c;
}

/* ---- rows ---- */

struct rows {
    const struct compose_view *v;
    const struct compose_tab *tab;
};

static size_t rows_count(void *data)
{
    return ((struct rows *)data)->v->shown.len + 1;
}

static const struct compose_row *row_at(const struct rows *rows, size_t index)
{
    return index < rows->v->shown.len ? &rows->tab->rows[rows->v->shown.at[index]] : NULL;
}

static uint64_t row_id(void *data, size_t index)
{
    const struct compose_row *row = row_at(data, index);
    return row ? row->id : ADD_ROW_ID;
}

/* The word that stands in place of a size; NULL: the size counts. */
static const char *row_word(const struct compose_row *row)
{
    return row->stage == ROW_REMOVED ? "removed"
           : row->missing            ? "missing"
           : row->duplicate          ? "unused" /* a later line gives the same name */
           : row->unbuilt            ? "unbuilt"
           : row->is_link            ? "link"
           : row->is_directory       ? "dir"
                                     : NULL;
}

/* Where an entry comes from, and whether it is staged. */
static void draw_from(const struct canvas *canvas, int x, int y, int w,
                      const struct compose_row *row)
{
    if (row->stage == ROW_ADDED) {
        canvas_column(canvas, x, y, w, STYLE_WARNING, FIT_LEFT, "new");
        return;
    }
    int end = x + w;
    if (row->stage == ROW_CHANGED)
        x = canvas_put(canvas, x, y, STYLE_WARNING, "changed ");
    canvas_column(canvas, x, y, end - x, STYLE_FAINT, FIT_MIDDLE, row->from);
}

static void draw_row(void *data, const struct canvas *canvas, int y, size_t index)
{
    const struct compose_row *row = row_at(data, index);
    struct columns c = columns_of(canvas->w);
    if (!row) {
        canvas_put(canvas, MARK_W, y, STYLE_FAINT, "+ add an entry");
        return;
    }
    bool gone = row->stage == ROW_REMOVED || row->duplicate;
    enum style style = gone ? STYLE_FAINT : row->missing ? STYLE_FAILED : STYLE_TEXT;
    const char *mark = row->missing && row->stage != ROW_REMOVED ? "✗"
                       : row->stage != ROW_SAME                  ? "•"
                       : row->duplicate                          ? "⊘"
                                                                 : " ";
    canvas_put(canvas, 1, y, row->missing ? STYLE_FAILED : STYLE_WARNING, mark);
    canvas_column(canvas, MARK_W, y, c.guest_w, style, FIT_MIDDLE, row->guest);
    canvas_column(canvas, MARK_W + c.guest_w + 1, y, c.host_w - 1, gone ? STYLE_FAINT : STYLE_TEXT,
                  FIT_MIDDLE, row->wanted);
    char size[16];
    const char *word = row_word(row);
    text_size(size, row->size_bytes);
    canvas_column(canvas, c.size_x, y, SIZE_W,
                  gone           ? STYLE_FAINT
                  : row->missing ? STYLE_FAILED
                                 : STYLE_TEXT,
                  FIT_RIGHT, word ? word : size);
    if (c.from_w)
        draw_from(canvas, c.from_x, y, c.from_w, row);
}

static struct list_source source_of(struct rows *rows)
{
    return (struct list_source){.data = rows, .count = rows_count, .id = row_id, .draw = draw_row};
}

/* Whether an entry passes a pattern: on either side of it. */
static bool passes(struct re *re, const struct compose_row *row)
{
    return re_find(re, row->guest, strlen(row->guest), 0, NULL) ||
           re_find(re, row->wanted, strlen(row->wanted), 0, NULL);
}

/* Insertion sort by size, largest first, stable. */
static void sort_by_size(struct compose_view *v, const struct compose_tab *tab)
{
    for (size_t i = 1; i < v->shown.len; i++) {
        size_t row = v->shown.at[i], j = i;
        for (; j > 0 && tab->rows[v->shown.at[j - 1]].size_bytes < tab->rows[row].size_bytes; j--)
            v->shown.at[j] = v->shown.at[j - 1];
        v->shown.at[j] = row;
    }
}

void manifest_pane_sync(struct compose_view *v, const struct compose_data *data)
{
    v->shown.len = 0;
    if (v->tab >= data->tabs_count)
        v->tab = data->tabs_count ? data->tabs_count - 1 : 0;
    if (!data->tabs_count)
        return;
    const struct compose_tab *tab = &data->tabs[v->tab];
    for (size_t i = 0; i < tab->rows_count; i++)
        if (!v->filter_re || passes(v->filter_re, &tab->rows[i]))
            vec_push(&v->shown, i);
    if (v->by_size)
        sort_by_size(v, tab);
}

/* ---- drawing ---- */

static void draw_title(const struct compose_view *v, const struct canvas *canvas,
                       const struct compose_data *data)
{
    struct str name = {0}, right = {0};
    str_add(&name, "manifest");
    for (size_t i = 0; i < data->tabs_count; i++)
        str_addf(&name, i == v->tab ? " ‹%s›" : "  %s ", data->tabs[i].name);
    const struct compose_tab *tab = &data->tabs[v->tab];
    char size[16];
    text_size(size, tab->size_bytes);
    if (v->filter)
        str_addf(&right, "f: %s  %zu of ", v->filter, v->shown.len);
    str_addf(&right, "%zu entr%s  %s", tab->rows_count, tab->rows_count == 1 ? "y" : "ies", size);
    if (tab->missing_count)
        str_addf(&right, "  ✗%zu missing", tab->missing_count);
    if (tab->staged_count)
        str_addf(&right, "  •%zu staged", tab->staged_count);
    if (canvas_columns(str_text(&name)) + canvas_columns(str_text(&right)) + 8 > canvas->w) {
        str_cut(&right, 0); /* what must not be missed */
        if (v->filter)
            str_addf(&right, "f: %s  ", v->filter);
        str_addf(&right, "%zu of %zu", v->shown.len, tab->rows_count);
        if (tab->missing_count)
            str_addf(&right, " ✗%zu", tab->missing_count);
        if (tab->staged_count)
            str_addf(&right, " •%zu", tab->staged_count);
    }
    canvas_title(canvas, 0, v->pane == PANE_MANIFEST, str_text(&name), str_text(&right));
    str_free(&name);
    str_free(&right);
}

/* The entry that is typed, in the place of its row. */
static void draw_typed(struct compose_view *v, const struct canvas *canvas, int y)
{
    struct columns c = columns_of(canvas->w);
    canvas_fill(canvas, (struct rect){0, y, canvas->w, 1}, STYLE_TEXT, ' ');
    canvas_put(canvas, 1, y, STYLE_WARNING, "•");
    int host_x = MARK_W + c.guest_w + 1;
    int host_w = canvas->w - host_x - 1;
    if (v->typing == TYPING_GUEST) {
        canvas_column(canvas, host_x, y, host_w, STYLE_TEXT, FIT_LEFT, field_text(&v->host));
        field_draw(&v->guest, canvas, MARK_W, y, c.guest_w);
    } else {
        canvas_column(canvas, MARK_W, y, c.guest_w, STYLE_TEXT, FIT_MIDDLE, field_text(&v->guest));
        field_draw(&v->host, canvas, host_x, y, host_w);
    }
}

/* What Tab offers, or what is asked for, in the row below. */
static void draw_hint(struct compose_view *v, const struct canvas *canvas, int y)
{
    struct str hint = {0};
    field_hint(v->typing == TYPING_GUEST ? &v->guest : &v->host, &hint);
    if (!hint.len)
        str_add(&hint, v->typing == TYPING_GUEST
                           ? "the name in the guest: /data/file; /dir/** takes a tree"
                           : "the file here (Tab completes), or ->/target for a link");
    canvas_fill(canvas, (struct rect){0, y, canvas->w, 1}, STYLE_TEXT, ' ');
    canvas_column(canvas, MARK_W, y, canvas->w - MARK_W - 1, STYLE_FAINT, FIT_LEFT,
                  str_text(&hint));
    str_free(&hint);
}

void manifest_pane_draw(struct compose_view *v, const struct canvas *canvas,
                        const struct compose_data *data)
{
    if (!data->tabs_count)
        return;
    draw_title(v, canvas, data);
    const struct compose_tab *tab = &data->tabs[v->tab];
    struct canvas body = canvas_part(canvas, (struct rect){0, 1, canvas->w, canvas->h - 1});
    if (tab->problem) {
        canvas_putf(&body, 1, 0, STYLE_FAILED, "✗ %s", tab->problem);
        body = canvas_part(canvas, (struct rect){0, 2, canvas->w, canvas->h - 2});
    }
    if (canvas->h >= 8 && !tab->problem) {
        struct columns c = columns_of(canvas->w);
        canvas_put(&body, MARK_W, 0, STYLE_FAINT, "guest");
        canvas_put(&body, MARK_W + c.guest_w + 1, 0, STYLE_FAINT, "host");
        canvas_column(&body, c.size_x, 0, SIZE_W, STYLE_FAINT, FIT_RIGHT, "size");
        if (c.from_w)
            canvas_put(&body, c.from_x, 0, STYLE_FAINT, "from");
        body = canvas_part(canvas, (struct rect){0, 2, canvas->w, canvas->h - 2});
    }
    v->at[PANE_MANIFEST] = (struct rect){body.x, body.y, body.w, body.h};
    struct rows rows = {v, tab};
    struct list_source source = source_of(&rows);
    bool typing = v->typing == TYPING_GUEST || v->typing == TYPING_HOST;
    list_draw(&v->list, &source, &body, v->pane == PANE_MANIFEST && !typing && !v->popup);
    if (typing) {
        int y = (int)(v->list.at - v->list.top);
        draw_typed(v, &body, y);
        draw_hint(v, &body, y + 1 < body.h ? y + 1 : y - 1);
    }
}

/* ---- requests ---- */

static const struct compose_row *selected(const struct compose_view *v,
                                          const struct compose_data *data)
{
    struct rows rows = {v, &data->tabs[v->tab]};
    return row_at(&rows, v->list.at);
}

/* Completion of host paths: the whole of what was typed is replaced. */
static void complete(void *data, const char *text, size_t at, size_t *from, str_list *words)
{
    struct compose_view *v = data;
    char *typed = mem_copy_n(text, at);
    *from = 0;
    if (v->ctx)
        v->ctx->ops->complete_host(v->ctx->app, typed, words);
    free(typed);
}

static void begin_typing(struct compose_view *v, const struct compose_row *row)
{
    free(v->changing);
    v->changing = row ? mem_copy(row->guest) : NULL;
    field_begin(&v->guest, row ? row->guest : "/");
    field_begin(&v->host, row ? row->wanted : "");
    v->host.complete = complete;
    v->host.data = v;
    v->typing = TYPING_GUEST;
    v->view.typing = true;
    v->view.typing_hint = "Enter goes on to the file here, Esc reverts";
}

/* A new entry stands where the selected one does, and is typed in the last row. */
static void begin_adding(struct compose_view *v, const struct compose_data *data)
{
    const struct compose_row *row = selected(v, data);
    free(v->beside);
    v->beside = row && row->stage != ROW_REMOVED ? mem_copy(row->guest) : NULL;
    struct rows rows = {v, &data->tabs[v->tab]};
    struct list_source source = source_of(&rows);
    list_select(&v->list, &source, v->shown.len);
    begin_typing(v, NULL);
}

/* Selects the next entry that the pattern finds; backwards where `step` is -1. */
static void find(struct compose_view *v, const struct compose_data *data, int step,
                 const struct view_ctx *ctx)
{
    const struct compose_tab *tab = &data->tabs[v->tab];
    size_t count = v->shown.len, at = v->list.at;
    for (size_t i = 0; v->search_re && i < count; i++) {
        at = step > 0 ? at + 1 : at + count - 1;
        if (at >= count)
            at %= count;
        if (passes(v->search_re, &tab->rows[v->shown.at[at]])) {
            struct rows rows = {v, tab};
            struct list_source source = source_of(&rows);
            list_select(&v->list, &source, at);
            return;
        }
    }
    ctx->ops->say(ctx->app, SEVERITY_NOTE, "not found");
}

/* Compiles a typed pattern; NULL where it is empty or bad (and says so). */
static struct re *pattern_of(const char *text, const struct view_ctx *ctx)
{
    struct err err = {0};
    struct re *re = text && *text ? re_compile(text, RE_SMART_CASE, &err) : NULL;
    if (text && *text && !re)
        ctx->ops->say(ctx->app, SEVERITY_ERROR, err.text);
    return re;
}

void manifest_pane_filter(struct compose_view *v, const char *text, const struct view_ctx *ctx)
{
    re_free(v->filter_re);
    v->filter_re = pattern_of(text, ctx);
    free(v->filter);
    v->filter = v->filter_re ? mem_copy(text) : NULL;
}

static bool row_request(struct compose_view *v, enum request request, const struct view_ctx *ctx,
                        const struct compose_row *row)
{
    switch (request) {
    case REQ_ENTER:
    case REQ_TYPE:
        if (row->stage == ROW_REMOVED)
            ctx->ops->say(ctx->app, SEVERITY_NOTE, "it is removed; u takes that back");
        else
            begin_typing(v, row);
        return true;
    case REQ_DELETE:
        if (row->stage != ROW_REMOVED)
            ctx->ops->stage_remove(ctx->app, v->tab, row->guest);
        return true;
    case REQ_EDIT:
        ctx->ops->edit(ctx->app, row->file, row->line);
        return true;
    case REQ_COPY:
        ctx->ops->copy(ctx->app, row->guest);
        return true;
    default:
        return false;
    }
}

bool manifest_pane_request(struct compose_view *v, enum request request,
                           const struct request_arg *arg, const struct view_ctx *ctx,
                           const struct compose_data *data)
{
    if (!data->tabs_count)
        return false;
    struct rows rows = {v, &data->tabs[v->tab]};
    struct list_source source = source_of(&rows);
    if (request != REQ_CLICK && list_request(&v->list, &source, request, 0))
        return true;
    const struct compose_row *row = selected(v, data);
    switch (request) {
    case REQ_LEFT:
        v->tab -= v->tab > 0;
        return true;
    case REQ_RIGHT:
        v->tab += v->tab + 1 < data->tabs_count;
        return true;
    case REQ_INSERT:
        begin_adding(v, data);
        return true;
    case REQ_SORT:
        v->by_size = !v->by_size;
        return true;
    case REQ_FILTER:
        manifest_pane_filter(v, arg->text, ctx);
        return true;
    case REQ_SEARCH:
        re_free(v->search_re);
        v->search_re = pattern_of(arg->text, ctx);
        if (v->search_re)
            find(v, data, 1, ctx);
        return true;
    case REQ_SEARCH_NEXT:
    case REQ_SEARCH_PREVIOUS:
        find(v, data, request == REQ_SEARCH_NEXT ? 1 : -1, ctx);
        return true;
    case REQ_ENTER:
    case REQ_TYPE:
        if (!row) {
            begin_adding(v, data);
            return true;
        }
        break;
    case REQ_BACK:
        if (!v->filter)
            return false;
        manifest_pane_filter(v, NULL, ctx);
        return true;
    default:
        break;
    }
    return row && row_request(v, request, ctx, row);
}

bool manifest_pane_click(struct compose_view *v, int row, const struct compose_data *data)
{
    struct rows rows = {v, &data->tabs[v->tab]};
    struct list_source source = source_of(&rows);
    return list_request(&v->list, &source, REQ_CLICK, row);
}

/* Stages what was typed. */
static void accept(struct compose_view *v, const struct view_ctx *ctx)
{
    const char *guest = field_text(&v->guest), *host = field_text(&v->host);
    if (v->changing)
        ctx->ops->stage_change(ctx->app, v->tab, v->changing, guest, host);
    else
        ctx->ops->stage_add(ctx->app, v->tab, guest, host, v->beside);
}

void manifest_pane_key(struct compose_view *v, const struct key *key, const struct view_ctx *ctx)
{
    bool on_guest = v->typing == TYPING_GUEST;
    enum field_result result;
    if (on_guest && key->code == KEY_TAB && !key->mods) {
        result = FIELD_ACCEPTED; /* nothing to complete there: on to the next field */
    } else if (!on_guest && key->code == KEY_BACKTAB) {
        v->typing = TYPING_GUEST;
        return;
    } else {
        v->ctx = ctx;
        result = field_key(on_guest ? &v->guest : &v->host, key);
        v->ctx = NULL;
    }
    if (result == FIELD_EDITING)
        return;
    if (result == FIELD_ACCEPTED && on_guest) {
        v->typing = TYPING_HOST;
        v->view.typing_hint = "Tab completes, Enter stages, Esc reverts";
        return;
    }
    v->typing = TYPING_NOTHING;
    v->view.typing = false;
    if (result == FIELD_ACCEPTED)
        accept(v, ctx);
}
