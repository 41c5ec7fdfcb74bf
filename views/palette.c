/*
 * The palette: every action and every screen by name, filtered as one types. The letters typed must
 * occur in order; a match at the beginning of a word counts most.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tui/field.h"
#include "tui/keymap.h"
#include "tui/list.h"
#include "views/views.h"

struct entry {
    enum request request; /* REQ_NONE: a screen */
    unsigned view; /* its index */
    int score;
};

struct palette_view {
    struct view view;
    struct field field;
    struct list list;
    VEC(struct entry) entries;
    int top; /* of the rows in the last frame: for the mouse */
};

/* How well typed letters fit a name; 0: not at all. */
static int fit(const char *typed, const char *name)
{
    int score = 1;
    bool begins = true;
    for (; *typed; name++) {
        if (!*name)
            return 0;
        bool word_begin = begins;
        begins = *name == '-' || *name == ' ';
        if (tolower((unsigned char)*typed) != tolower((unsigned char)*name))
            continue;
        score += word_begin ? 4 : 1;
        typed++;
    }
    return score * 64 - (int)strlen(name);
}

static int by_score(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    if (a->view != b->view)
        return a->view < b->view ? -1 : 1;
    return a->request < b->request ? -1 : a->request > b->request;
}

static void add(struct palette_view *palette, const char *name, const char *help,
                struct entry entry)
{
    const char *typed = field_text(&palette->field);
    entry.score = fit(typed, name);
    if (!entry.score && strlen(typed) > 2 && strcasestr(help, typed))
        entry.score = 1;
    if (entry.score)
        vec_push(&palette->entries, entry);
}

static void fill(struct palette_view *palette)
{
    palette->entries.len = 0;
    for (unsigned i = REQ_NONE + 1; i < REQUESTS_COUNT; i++) {
        const struct request_info *info = &request_infos[i];
        bool motion = (i >= REQ_UP && i <= REQ_BACK) || i == REQ_PALETTE;
        if (*info->word && !motion)
            add(palette, info->word, info->help, (struct entry){(enum request)i, views_count, 0});
    }
    for (unsigned i = 0; i < views_count; i++)
        add(palette, views[i]->name, "", (struct entry){REQ_NONE, i, 0});
    if (palette->entries.len && *field_text(&palette->field))
        qsort(palette->entries.at, palette->entries.len, sizeof *palette->entries.at, by_score);
    palette->list.started = false;
    palette->list.at = palette->list.top = 0;
}

static size_t count(void *data)
{
    return ((struct palette_view *)data)->entries.len;
}

static uint64_t id(void *data, size_t index)
{
    const struct entry *entry = &((struct palette_view *)data)->entries.at[index];
    return (uint64_t)entry->request << 32 | entry->view;
}

static void draw_entry(void *data, const struct canvas *canvas, int y, size_t index)
{
    const struct entry *entry = &((struct palette_view *)data)->entries.at[index];
    char key[16], help[64];
    const char *name, *text;
    if (entry->request == REQ_NONE) {
        name = views[entry->view]->name;
        snprintf(key, sizeof key, "%c", views[entry->view]->key);
        snprintf(help, sizeof help, "the screen %s", views[entry->view]->title);
        text = help;
    } else {
        name = request_infos[entry->request].word;
        text = request_infos[entry->request].help;
        keymap_first(entry->request, key);
    }
    int x = canvas_column(canvas, 0, y, 17, STYLE_STRONG, FIT_LEFT, name) + 1;
    x = canvas_column(canvas, x, y, 5, STYLE_KEY, FIT_LEFT, key) + 1;
    canvas_column(canvas, x, y, canvas->w - x, STYLE_TEXT, FIT_LEFT, text);
}

static struct list_source source_of(struct palette_view *palette)
{
    return (struct list_source){palette, count, id, draw_entry};
}

static void palette_draw(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx)
{
    struct palette_view *palette = (struct palette_view *)view;
    (void)ctx;
    int w = canvas->w > 78 ? 74 : canvas->w - 2, h = canvas->h > 20 ? 18 : canvas->h;
    struct canvas box = canvas_popup(canvas, w, h, "actions");
    int x = canvas_put(&box, 0, 0, STYLE_KEY, ": ");
    field_draw(&palette->field, &box, x, 0, box.w - x);
    palette->top = box.y + 1 - canvas->y;
    int hint = box.h > 6;
    struct canvas rows = canvas_part(&box, (struct rect){0, 1, box.w, box.h - 1 - hint});
    struct list_source source = source_of(palette);
    list_draw(&palette->list, &source, &rows, true);
    if (hint && palette->list.at < palette->entries.len) {
        const char *command = request_infos[palette->entries.at[palette->list.at].request].command;
        if (*command)
            canvas_putf(&box, 0, box.h - 1, STYLE_FAINT, "as a command: %s", command);
    }
    if (!palette->entries.len)
        canvas_put(&rows, 0, 0, STYLE_FAINT, "no action is called so");
}

static void run(struct palette_view *palette, const struct view_ctx *ctx)
{
    if (palette->list.at >= palette->entries.len)
        return;
    struct entry entry = palette->entries.at[palette->list.at];
    if (entry.request == REQ_NONE)
        ctx->ops->go(ctx->app, views[entry.view]->name);
    else
        ctx->ops->perform(ctx->app, entry.request); /* closes this view */
}

static void palette_key(struct view *view, const struct key *key, const struct view_ctx *ctx)
{
    struct palette_view *palette = (struct palette_view *)view;
    struct list_source source = source_of(palette);
    enum request request = keymap_find(key);
    bool moves = (!key_is_text(key) && request >= REQ_UP && request <= REQ_PAGE_DOWN);
    if (key->code == KEY_ESC || ((key->mods & KEY_CTRL) && key->code == 'c')) {
        ctx->ops->perform(ctx->app, REQ_NONE);
    } else if (key->code == KEY_ENTER) {
        run(palette, ctx);
    } else if (moves) {
        list_request(&palette->list, &source, request, -1);
    } else {
        field_key(&palette->field, key);
        fill(palette);
    }
}

static enum view_result palette_request(struct view *view, enum request request,
                                        const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct palette_view *palette = (struct palette_view *)view;
    struct list_source source = source_of(palette);
    size_t before = palette->list.at;
    if (!list_request(&palette->list, &source, request, arg->y - palette->top))
        return VIEW_IGNORED;
    if (request == REQ_CLICK && palette->list.at == before) /* a second click does it */
        run(palette, ctx);
    return VIEW_HANDLED;
}

static struct view *palette_open(const struct view_ctx *ctx)
{
    (void)ctx;
    struct palette_view *palette = mem_zero(1, sizeof *palette);
    palette->view.ops = &view_palette;
    palette->view.typing = true;
    palette->view.typing_hint = "type a name  Enter does it  Esc closes";
    field_begin(&palette->field, "");
    fill(palette);
    return &palette->view;
}

static void palette_close(struct view *view)
{
    struct palette_view *palette = (struct palette_view *)view;
    field_free(&palette->field);
    vec_free(&palette->entries);
    free(palette);
}

static const struct view_key keys[] = {{REQ_ENTER, "do it"}, {REQ_BACK, NULL}, {REQ_NONE, NULL}};

const struct view_ops view_palette = {
    .name = "palette",
    .title = "Actions",
    .keys = keys,
    .open = palette_open,
    .close = palette_close,
    .draw = palette_draw,
    .request = palette_request,
    .key_typed = palette_key,
};
