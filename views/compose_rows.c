/*
 * The rows of the manifest pane: what the filter lets through, in one of three orders. Sorted by
 * guest, a long manifest folds by directory; what is missing, replaced or staged stays in sight.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "views/compose.h"

enum {
    FOLD_FROM = 30, /* entries from which on a manifest is long */
    FOLD_MIN = 4, /* entries of one directory that are worth a row of their own */
    MARK_W = 3,
    SIZE_W = 7,
    FROM_W = 23,
};

struct manifest_columns manifest_columns_of(int w)
{
    struct manifest_columns c = {.guest_x = MARK_W, .size_w = SIZE_W};
    c.from_w = w >= 120 ? w / 4 : w >= 76 ? FROM_W : 0;
    int room = w - MARK_W - SIZE_W - 2 - (c.from_w ? c.from_w + 1 : 0);
    c.guest_w = room * 11 / 20;
    c.host_x = MARK_W + c.guest_w + 1;
    c.host_w = room - c.guest_w;
    c.size_x = c.host_x + c.host_w;
    c.from_x = c.size_x + SIZE_W + 2;
    return c;
}

/* ---- folds ---- */

static size_t dir_length(const char *guest)
{
    const char *slash = strrchr(guest, '/');
    return slash ? (size_t)(slash - guest) : 0;
}

static bool is_toggled(const struct compose_view *v, const char *dir, size_t length)
{
    for (size_t i = 0; i < v->toggled.len; i++)
        if (strlen(v->toggled.at[i]) == length && strncmp(v->toggled.at[i], dir, length) == 0)
            return true;
    return false;
}

void manifest_toggle(struct compose_view *v, const char *dir, size_t length)
{
    for (size_t i = 0; i < v->toggled.len; i++) {
        if (strlen(v->toggled.at[i]) != length || strncmp(v->toggled.at[i], dir, length) != 0)
            continue;
        free(v->toggled.at[i]);
        v->toggled.at[i] = v->toggled.at[--v->toggled.len];
        return;
    }
    vec_push(&v->toggled, mem_copy_n(dir, length));
}

/* What is hidden by a fold: an entry of which nothing is to be said. */
static bool is_plain(const struct compose_row *row)
{
    return row->stage == ROW_SAME && !row->missing && !row->duplicate;
}

/* Adds the entries from..to, which are of one directory. */
static void add_directory(struct compose_view *v, const struct compose_tab *tab,
                          const size_t *order, size_t count)
{
    const char *guest = tab->rows[order[0]].guest;
    struct shown_row dir = {.row = order[0], .count = (uint32_t)count, .dir = dir_length(guest)};
    bool worth = count >= FOLD_MIN;
    dir.folded = !is_toggled(v, guest, dir.dir);
    for (size_t i = 0; i < count; i++) {
        const struct compose_row *row = &tab->rows[order[i]];
        bool stays = row->stage != ROW_REMOVED && !row->duplicate;
        dir.size_bytes += stays ? row->size_bytes : 0;
        dir.missing += row->missing && row->stage != ROW_REMOVED;
        dir.staged += row->stage != ROW_SAME;
    }
    if (worth)
        vec_push(&v->shown, dir);
    for (size_t i = 0; i < count; i++)
        if (!worth || !dir.folded || !is_plain(&tab->rows[order[i]]))
            vec_push(&v->shown, (struct shown_row){.row = order[i], .dir = worth ? dir.dir : 0});
}

/* ---- orders ---- */

static int by_directory(const void *left, const void *right, void *data)
{
    const struct compose_tab *tab = data;
    const char *a = tab->rows[*(const size_t *)left].guest;
    const char *b = tab->rows[*(const size_t *)right].guest;
    size_t a_dir = dir_length(a), b_dir = dir_length(b);
    int order = strncmp(a, b, a_dir < b_dir ? a_dir : b_dir);
    if (!order && a_dir != b_dir)
        return a_dir < b_dir ? -1 : 1;
    order = order ? order : strcmp(a + a_dir, b + b_dir);
    return order ? order : *(const size_t *)left < *(const size_t *)right ? -1 : 1;
}

static int by_size(const void *left, const void *right, void *data)
{
    const struct compose_tab *tab = data;
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    uint64_t x = tab->rows[a].size_bytes, y = tab->rows[b].size_bytes;
    return x != y ? (x > y ? -1 : 1) : a < b ? -1 : 1;
}

static int by_file(const void *left, const void *right, void *data)
{
    const struct compose_tab *tab = data;
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    int order = strcmp(tab->rows[a].file, tab->rows[b].file);
    if (order)
        return order;
    unsigned x = tab->rows[a].line, y = tab->rows[b].line;
    return x != y ? (x < y ? -1 : 1) : a < b ? -1 : 1;
}

static void sort(const struct compose_tab *tab, size_t *order, size_t count,
                 int (*compare)(const void *, const void *, void *))
{
    if (count)
        qsort_r(order, count, sizeof *order, compare, (void *)(uintptr_t)tab);
}

static bool folds(const struct compose_view *v, const struct compose_tab *tab)
{
    return v->order == ORDER_GUEST && !v->filter_re && tab->rows_count > FOLD_FROM;
}

bool manifest_row_passes(struct re *re, const struct compose_row *row)
{
    return re_find(re, row->guest, strlen(row->guest), 0, NULL) ||
           re_find(re, row->wanted, strlen(row->wanted), 0, NULL);
}

size_t *manifest_order(const struct compose_view *v, const struct compose_tab *tab, size_t *count)
{
    size_t *order = mem_alloc((tab->rows_count + 1) * sizeof *order);
    *count = 0;
    for (size_t i = 0; i < tab->rows_count; i++)
        if (!v->filter_re || manifest_row_passes(v->filter_re, &tab->rows[i]))
            order[(*count)++] = i;
    if (folds(v, tab))
        sort(tab, order, *count, by_directory);
    else if (v->order == ORDER_SIZE)
        sort(tab, order, *count, by_size);
    else if (v->order == ORDER_FILE)
        sort(tab, order, *count, by_file);
    return order;
}

void manifest_pane_sync(struct compose_view *v, const struct compose_data *data)
{
    size_t count;
    v->shown.len = 0;
    if (v->tab >= data->tabs_count)
        v->tab = data->tabs_count ? data->tabs_count - 1 : 0;
    if (!data->tabs_count)
        return;
    const struct compose_tab *tab = &data->tabs[v->tab];
    size_t *order = manifest_order(v, tab, &count);
    bool fold = folds(v, tab);
    for (size_t i = 0, end; i < count; i = end) {
        const char *guest = tab->rows[order[i]].guest;
        end = i + 1;
        if (!fold) {
            vec_push(&v->shown, (struct shown_row){.row = order[i]});
            continue;
        }
        size_t length = dir_length(guest);
        while (end < count && dir_length(tab->rows[order[end]].guest) == length &&
               strncmp(tab->rows[order[end]].guest, guest, length) == 0)
            end++;
        add_directory(v, tab, order + i, end - i);
    }
    free(order);
}

/* ---- drawing ---- */

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

static void draw_directory(const struct canvas *canvas, int y, const struct shown_row *shown,
                           const struct compose_tab *tab)
{
    struct manifest_columns c = manifest_columns_of(canvas->w);
    const char *guest = tab->rows[shown->row].guest;
    char *name = mem_format("%s %.*s/", shown->folded ? "▸" : "▾", (int)shown->dir, guest);
    char *entries = mem_format("%u entries", shown->count);
    char size[16];
    text_size(size, shown->size_bytes);
    canvas_column(canvas, c.guest_x, y, c.guest_w, STYLE_STRONG, FIT_MIDDLE, name);
    canvas_column(canvas, c.host_x, y, c.host_w - 1, STYLE_TEXT, FIT_LEFT, entries);
    canvas_column(canvas, c.size_x, y, c.size_w, STYLE_TEXT, FIT_RIGHT, size);
    int x = c.from_x;
    if (c.from_w && shown->missing)
        x = canvas_putf(canvas, x, y, STYLE_FAILED, "✗%u missing", shown->missing) + 2;
    if (c.from_w && shown->staged)
        canvas_putf(canvas, x, y, STYLE_WARNING, "•%u staged", shown->staged);
    free(name);
    free(entries);
}

void manifest_row_draw(const struct canvas *canvas, int y, const struct shown_row *shown,
                       const struct compose_tab *tab)
{
    if (shown->count) {
        draw_directory(canvas, y, shown, tab);
        return;
    }
    const struct compose_row *row = &tab->rows[shown->row];
    struct manifest_columns c = manifest_columns_of(canvas->w);
    bool gone = row->stage == ROW_REMOVED || row->duplicate;
    enum style style = gone ? STYLE_FAINT : row->missing ? STYLE_FAILED : STYLE_TEXT;
    const char *mark = row->missing && row->stage != ROW_REMOVED ? "✗"
                       : row->stage != ROW_SAME                  ? "•"
                       : row->duplicate                          ? "⊘"
                                                                 : " ";
    canvas_put(canvas, 1, y, row->missing ? STYLE_FAILED : STYLE_WARNING, mark);
    if (shown->dir)
        canvas_column(canvas, c.guest_x + 2, y, c.guest_w - 2, style, FIT_MIDDLE,
                      row->guest + shown->dir + 1);
    else
        canvas_column(canvas, c.guest_x, y, c.guest_w, style, FIT_MIDDLE, row->guest);
    canvas_column(canvas, c.host_x, y, c.host_w - 1, gone ? STYLE_FAINT : STYLE_TEXT, FIT_MIDDLE,
                  row->wanted);
    char size[16];
    const char *word = row_word(row);
    text_size(size, row->size_bytes);
    canvas_column(canvas, c.size_x, y, c.size_w,
                  gone           ? STYLE_FAINT
                  : row->missing ? STYLE_FAILED
                                 : STYLE_TEXT,
                  FIT_RIGHT, word ? word : size);
    if (c.from_w)
        draw_from(canvas, c.from_x, y, c.from_w, row);
}
