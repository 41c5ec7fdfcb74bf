/* The manifest pane: what goes into the image, one entry a row, and the row that adds one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"
#include "views/compose.h"

enum { ADD_ROW_ID = 1, DIRECTORY_ID = 2 };

/* ---- rows ---- */

struct rows {
    const struct compose_view *v;
    const struct compose_tab *tab;
};

static size_t rows_count(void *data)
{
    return ((struct rows *)data)->v->shown.len + 1;
}

static const struct shown_row *shown_at(const struct rows *rows, size_t index)
{
    return index < rows->v->shown.len ? &rows->v->shown.at[index] : NULL;
}

static uint64_t row_id(void *data, size_t index)
{
    const struct rows *rows = data;
    const struct shown_row *shown = shown_at(rows, index);
    if (!shown)
        return ADD_ROW_ID;
    if (!shown->count)
        return rows->tab->rows[shown->row].id;
    uint64_t id = 14695981039346656037u; /* FNV-1a of the directory */
    for (size_t i = 0; i < shown->dir; i++)
        id = (id ^ (unsigned char)rows->tab->rows[shown->row].guest[i]) * 1099511628211u;
    return id + DIRECTORY_ID;
}

static void draw_row(void *data, const struct canvas *canvas, int y, size_t index)
{
    const struct rows *rows = data;
    const struct shown_row *shown = shown_at(rows, index);
    if (shown)
        manifest_row_draw(canvas, y, shown, rows->tab);
    else
        canvas_put(canvas, manifest_columns_of(canvas->w).guest_x, y, STYLE_FAINT,
                   "+ add an entry");
}

static struct list_source source_of(struct rows *rows)
{
    return (struct list_source){.data = rows, .count = rows_count, .id = row_id, .draw = draw_row};
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
    static const char *const orders[] = {"", "largest first  ", "in the files' order  "};
    if (v->filter)
        str_addf(&right, "f: %s  %zu of ", v->filter, v->shown.len);
    else
        str_add(&right, orders[v->order]);
    str_addf(&right, "%zu entr%s  %s", tab->rows_count, tab->rows_count == 1 ? "y" : "ies", size);
    if (tab->change_bytes) {
        uint64_t change =
            (uint64_t)(tab->change_bytes < 0 ? -tab->change_bytes : tab->change_bytes);
        text_size(size, change);
        str_addf(&right, " (%s%s)", tab->change_bytes < 0 ? "-" : "+", size);
    }
    if (tab->missing_count)
        str_addf(&right, "  ✗%zu missing", tab->missing_count);
    if (tab->staged_count)
        str_addf(&right, "  •%zu staged", tab->staged_count);
    if (canvas_columns(str_text(&name)) + canvas_columns(str_text(&right)) + 8 > canvas->w) {
        str_cut(&right, 0); /* what must not be missed */
        if (v->filter)
            str_addf(&right, "f: %s  %zu of ", v->filter, v->shown.len);
        str_addf(&right, "%zu", tab->rows_count);
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
    struct manifest_columns c = manifest_columns_of(canvas->w);
    canvas_fill(canvas, (struct rect){0, y, canvas->w, 1}, STYLE_TEXT, ' ');
    canvas_put(canvas, 1, y, STYLE_WARNING, "•");
    int host_w = canvas->w - c.host_x - 1;
    if (v->typing == TYPING_GUEST) {
        canvas_column(canvas, c.host_x, y, host_w, STYLE_TEXT, FIT_LEFT, field_text(&v->host));
        field_draw(&v->guest, canvas, c.guest_x, y, c.guest_w);
    } else {
        canvas_column(canvas, c.guest_x, y, c.guest_w, STYLE_TEXT, FIT_MIDDLE,
                      field_text(&v->guest));
        field_draw(&v->host, canvas, c.host_x, y, host_w);
    }
}

/* What Tab offers, what the entry would put in, or what is asked for, in the row below. */
static void draw_hint(struct compose_view *v, const struct canvas *canvas, int y)
{
    struct str hint = {0};
    field_hint(v->typing == TYPING_GUEST ? &v->guest : &v->host, &hint);
    if (!hint.len && v->preview)
        str_add(&hint, v->preview);
    if (!hint.len)
        str_add(&hint, v->typing == TYPING_GUEST
                           ? "the name in the guest: /data/file; /dir/** takes a tree"
                           : "the file here (Tab completes), or ->/target for a link");
    canvas_fill(canvas, (struct rect){0, y, canvas->w, 1}, STYLE_TEXT, ' ');
    int x = manifest_columns_of(canvas->w).guest_x;
    canvas_column(canvas, x, y, canvas->w - x - 1, STYLE_FAINT, FIT_LEFT, str_text(&hint));
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
        struct manifest_columns c = manifest_columns_of(canvas->w);
        canvas_put(&body, c.guest_x, 0, STYLE_FAINT, "guest");
        canvas_put(&body, c.host_x, 0, STYLE_FAINT, "host");
        canvas_column(&body, c.size_x, 0, c.size_w, STYLE_FAINT, FIT_RIGHT, "size");
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

static const struct shown_row *selected_shown(const struct compose_view *v)
{
    return v->list.at < v->shown.len ? &v->shown.at[v->list.at] : NULL;
}

/* The selected entry; of a directory its first. NULL on the row that adds one. */
static const struct compose_row *selected(const struct compose_view *v,
                                          const struct compose_data *data)
{
    const struct shown_row *shown = selected_shown(v);
    return shown ? &data->tabs[v->tab].rows[shown->row] : NULL;
}

static void select_row(struct compose_view *v, const struct compose_data *data, size_t index)
{
    struct rows rows = {v, &data->tabs[v->tab]};
    struct list_source source = source_of(&rows);
    list_select(&v->list, &source, index);
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

/* An entry is typed: one that is there, or (row NULL) a new one, whose guest name begins so. */
static void begin_typing(struct compose_view *v, const struct compose_row *row, const char *guest)
{
    free(v->preview);
    v->preview = NULL;
    free(v->changing);
    v->changing = row ? mem_copy(row->guest) : NULL;
    field_begin(&v->guest, row ? row->guest : guest);
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
    const struct shown_row *shown = selected_shown(v);
    const struct compose_row *row = selected(v, data);
    char *guest = shown && shown->dir ? mem_copy_n(row->guest, shown->dir + 1) : mem_copy("/");
    free(v->beside);
    v->beside = row && row->stage != ROW_REMOVED ? mem_copy(row->guest) : NULL;
    select_row(v, data, v->shown.len);
    begin_typing(v, NULL, guest);
    free(guest);
}

/* The index of a tab's row among those shown; its directory is unfolded where that hides it. */
static size_t index_of(struct compose_view *v, const struct compose_data *data, size_t row)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < v->shown.len; i++)
            if (v->shown.at[i].row == row && !v->shown.at[i].count)
                return i;
        const char *guest = data->tabs[v->tab].rows[row].guest, *slash = strrchr(guest, '/');
        manifest_toggle(v, guest, slash ? (size_t)(slash - guest) : 0);
        manifest_pane_sync(v, data);
    }
    return 0;
}

/* Selects the next entry that the pattern finds; backwards where `step` is -1. */
static void find(struct compose_view *v, const struct compose_data *data, int step,
                 const struct view_ctx *ctx)
{
    const struct compose_tab *tab = &data->tabs[v->tab];
    const struct shown_row *shown = selected_shown(v);
    size_t count, at = 0;
    size_t *order = manifest_order(v, tab, &count);
    while (shown && at < count && order[at] != shown->row)
        at++;
    at = shown ? at : count - 1; /* the row that adds one is the last */
    for (size_t i = 0; v->search_re && i < count; i++) {
        /* A directory stands before its first entry. */
        bool stay = i == 0 && step > 0 && shown && shown->count;
        at = stay ? at : (at + count + (size_t)step) % count;
        if (!manifest_row_passes(v->search_re, &tab->rows[order[at]]))
            continue;
        select_row(v, data, index_of(v, data, order[at]));
        free(order);
        return;
    }
    free(order);
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

/* Before or after the next entry of its file: seen in the files' own order. */
static void move_entry(struct compose_view *v, const struct compose_row *row, bool later,
                       const struct view_ctx *ctx)
{
    if (v->order != ORDER_FILE) {
        v->order = ORDER_FILE;
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "this is the files' order: again moves the entry");
    } else if (row->stage == ROW_REMOVED) {
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "it is removed; u takes that back");
    } else {
        ctx->ops->stage_move(ctx->app, row->file, row->line, later);
    }
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
            begin_typing(v, row, NULL);
        return true;
    case REQ_MOVE_UP:
    case REQ_MOVE_DOWN:
        move_entry(v, row, request == REQ_MOVE_DOWN, ctx);
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

/* Left and right: folds, where there is something to fold. */
static bool fold(struct compose_view *v, const struct compose_data *data, enum request request)
{
    const struct shown_row *shown = selected_shown(v);
    if (!shown || !shown->dir)
        return false;
    bool open = request == REQ_RIGHT, toggles = request == REQ_ENTER || request == REQ_MARK;
    if (shown->count ? !toggles && shown->folded != open : open || toggles)
        return false;
    size_t at = v->list.at;
    while (!v->shown.at[at].count) /* an entry's directory stands above it */
        at--;
    const struct shown_row dir = v->shown.at[at];
    select_row(v, data, at);
    if (toggles || dir.folded == open)
        manifest_toggle(v, data->tabs[v->tab].rows[dir.row].guest, dir.dir);
    manifest_pane_sync(v, data);
    return true;
}

/* On the row of a directory there is no entry to act upon. */
static bool directory_request(enum request request, const struct view_ctx *ctx)
{
    if (request != REQ_DELETE && request != REQ_TYPE && request != REQ_MOVE_UP &&
        request != REQ_MOVE_DOWN)
        return false;
    ctx->ops->say(ctx->app, SEVERITY_NOTE, "this is a directory: Right shows its entries");
    return true;
}

bool manifest_pane_request(struct compose_view *v, enum request request,
                           const struct request_arg *arg, const struct view_ctx *ctx,
                           const struct compose_data *data)
{
    if (!data->tabs_count)
        return false;
    struct rows rows = {v, &data->tabs[v->tab]};
    struct list_source source = source_of(&rows);
    list_sync(&v->list, &source, v->list.rows); /* the selected entry, wherever it stands now */
    if (request != REQ_CLICK && list_request(&v->list, &source, request, 0))
        return true;
    bool folds =
        request == REQ_LEFT || request == REQ_RIGHT || request == REQ_ENTER || request == REQ_MARK;
    if (folds && fold(v, data, request))
        return true;
    const struct shown_row *shown = selected_shown(v);
    if (shown && shown->count && directory_request(request, ctx))
        return true;
    const struct compose_row *row = selected(v, data);
    switch (request) {
    case REQ_LEFT:
    case REQ_PREVIOUS_RUN:
        v->tab -= v->tab > 0;
        return true;
    case REQ_RIGHT:
    case REQ_NEXT_RUN:
        v->tab += v->tab + 1 < data->tabs_count;
        return true;
    case REQ_INSERT:
        begin_adding(v, data);
        return true;
    case REQ_SORT:
        v->order = (v->order + 1) % COMPOSE_ORDERS;
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

/* What the entry would put in, as far as it is typed. */
static void look_ahead(struct compose_view *v, const struct view_ctx *ctx)
{
    free(v->preview);
    v->preview = *field_text(&v->host)
                     ? ctx->ops->preview_entry(ctx->app, v->tab, field_text(&v->guest),
                                               field_text(&v->host), v->changing)
                     : NULL;
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
    if (result == FIELD_ACCEPTED && on_guest) {
        v->typing = TYPING_HOST;
        v->view.typing_hint = "Tab completes, Enter stages, Esc reverts";
        result = FIELD_EDITING;
    }
    if (result == FIELD_EDITING) {
        look_ahead(v, ctx);
        return;
    }
    v->typing = TYPING_NOTHING;
    v->view.typing = false;
    if (result == FIELD_ACCEPTED)
        accept(v, ctx);
}
