#include "tui/chrome.h"

#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "tui/keymap.h"
#include "views/views.h"

/* ---- header ---- */

/* What may be left out of the header, in the order in which it is. */
enum part {
    PART_ELAPSED = 1,
    PART_BRANCH = 2,
    PART_DIRTY = 4,
    PART_COMMIT = 8,
    PART_LEFT = 16,
    PART_SELECTION = 32,
    PART_NAME = 64,
    PART_RUNNING = 128,
    PART_ALL = 255
};

void chrome_progress(const struct app *app, char out[static 64])
{
    const struct model *model = &app->model;
    unsigned long long done = model_done(model), total = model_total(model);
    out[0] = '\0';
    if (model->state == BUILD_NEVER)
        snprintf(out, 64, "nothing built yet");
    else if (model->state == BUILD_RUNNING && total == 0)
        snprintf(out, 64, "reading the tree");
    else if (model->state == BUILD_RUNNING)
        snprintf(out, 64, "%llu/%s%llu%s", done,
                 model->complete        ? ""
                 : model->forecasts.len ? "~"
                                        : "≥",
                 total, app->state.stopping ? " stopping" : "");
    else if (model->status == BUILD_OK && total == 0)
        snprintf(out, 64, "✓ nothing to do");
    else if (model->status == BUILD_OK)
        snprintf(out, 64, "✓ %llu done", done);
    else
        snprintf(out, 64, "%s %llu/%llu %s", model->status == BUILD_FAILED ? "✗" : "⊘", done, total,
                 build_status_name(model->status));
}

static enum style progress_style(const struct model *model)
{
    if (model->state == BUILD_RUNNING)
        return STYLE_RUNNING;
    if (model->state == BUILD_NEVER)
        return STYLE_FAINT;
    return model->status == BUILD_OK       ? STYLE_GOOD
           : model->status == BUILD_FAILED ? STYLE_FAILED
                                           : STYLE_WARNING;
}

static void times(const struct app *app, unsigned parts, struct str *out)
{
    const struct model *model = &app->model;
    char text[16];
    if (model->state == BUILD_NEVER)
        return;
    uint64_t elapsed = model->state == BUILD_ENDED ? model->end_ns : model->now_ns;
    uint64_t left = model_left_ns(model);
    if ((parts & PART_RUNNING) && model->counts[STEP_STATE_RUNNING])
        str_addf(out, "%llu running", (unsigned long long)model->counts[STEP_STATE_RUNNING]);
    if (parts & PART_ELAPSED) {
        text_duration(text, elapsed);
        str_addf(out, "%s%s%s", out->len ? ", " : "", model->state == BUILD_ENDED ? "in " : "",
                 text);
    }
    if (left && (parts & PART_LEFT)) {
        text_duration(text, left);
        str_addf(out, "%s%s left", out->len ? ", " : "", text);
    }
}

static void tree_name(const struct app *app, unsigned parts, struct str *out)
{
    const struct app_state *state = &app->state;
    const struct model *model = &app->model;
    const char *told = model_text(model, model->tree);
    bool other = state->held_by && *told && (!state->root || strcmp(told, state->root) != 0);
    const char *root = state->root && !other ? state->root : told;
    if (parts & PART_NAME)
        str_add(out, *root ? path_base(root) : "no tree");
    const char *head = other || (!state->root && *root) ? model_text(model, model->head)
                       : state->head                    ? state->head
                                                        : "";
    const char *at = strchr(head, '@');
    if ((parts & PART_BRANCH) && *head)
        str_addf(out, " %s", head);
    else if ((parts & PART_COMMIT) && *head)
        str_addf(out, " %s", at ? at + 1 : head);
    unsigned dirty = other ? model->dirty : state->dirty;
    if ((parts & PART_DIRTY) && dirty)
        str_addf(out, "+%u", dirty);
}

static void selection(const struct app *app, struct str *out)
{
    const struct app_state *state = &app->state;
    const struct model *model = &app->model;
    const char *arch = model_text(model, model->arch), *mode = model_text(model, model->mode),
               *image = model_text(model, model->image);
    const char *next_arch = state->arch ? state->arch : arch,
               *next_mode = state->mode ? state->mode : mode,
               *next_image = state->image ? state->image : image;
    if (model->state != BUILD_RUNNING) {
        arch = next_arch;
        mode = next_mode;
        image = next_image;
    }
    if (*arch || *mode || *image)
        str_addf(out, "%s %s %s", arch, mode, image);
    else
        str_add(out, state->command ? state->command : model_text(model, model->argv));
    if (state->watching)
        str_add(out, ", watching");
    if (state->held_by) {
        str_addf(out, ", %s", state->held_by);
        return;
    }
    if (strcmp(arch, next_arch) == 0 && strcmp(mode, next_mode) == 0 &&
        strcmp(image, next_image) == 0)
        return;
    str_add(out, ", next:");
    if (strcmp(arch, next_arch) != 0)
        str_addf(out, " %s", next_arch);
    if (strcmp(mode, next_mode) != 0)
        str_addf(out, " %s", next_mode);
    if (strcmp(image, next_image) != 0)
        str_addf(out, " %s", next_image);
}

static void counters(const struct app *app, char out[static 64], enum style *style)
{
    const struct model *model = &app->model;
    unsigned long long failed = model->counts[STEP_STATE_FAILED], races = model->races;
    struct str text = {0};
    *style = failed ? STYLE_FAILED : STYLE_RACE;
    if (races)
        str_addf(&text, " ⚑%llu", races);
    if (failed)
        str_addf(&text, " ✗%llu", failed);
    if (model->holds.len)
        str_addf(&text, " held %zu", model->holds.len);
    snprintf(out, 64, "%s", text.len ? text.at + 1 : "");
    str_free(&text);
}

void chrome_header(const struct app *app, const struct canvas *canvas)
{
    static const unsigned dropped[] = {PART_RUNNING, PART_ELAPSED,   PART_BRANCH,
                                       PART_DIRTY,   PART_COMMIT,    PART_LEFT,
                                       PART_NAME,    PART_SELECTION, PART_NAME};
    unsigned parts = PART_ALL;
    char progress[64], flags[64];
    enum style flags_style;
    struct str name = {0}, picked = {0}, time = {0};
    chrome_progress(app, progress);
    counters(app, flags, &flags_style);
    int flags_w = canvas_columns(flags), picked_w = 0;
    for (size_t i = 0;; i++) {
        str_cut(&name, 0), str_cut(&picked, 0), str_cut(&time, 0);
        tree_name(app, parts, &name);
        if ((parts & PART_SELECTION) && (app->state.root || app->model.state != BUILD_NEVER))
            selection(app, &picked);
        times(app, parts, &time);
        picked_w = canvas_columns(str_text(&picked));
        if (picked_w > canvas->w / 3 && !app->state.arch) /* a command: its middle goes first */
            picked_w = canvas->w / 3;
        int w = 1 + canvas_columns(str_text(&name)) + 3 + picked_w + 3 + canvas_columns(progress) +
                2 + canvas_columns(str_text(&time)) + 1 + flags_w + 1;
        if (w <= canvas->w || i == sizeof dropped / sizeof *dropped)
            break;
        if (dropped[i] == PART_SELECTION) /* there may be room for the name without it */
            parts |= PART_NAME;
        parts &= ~dropped[i];
    }
    int x = canvas_put(canvas, 1, 0, STYLE_STRONG, str_text(&name));
    if (picked.len)
        x = canvas_column(canvas, name.len ? x + 3 : x, 0, picked_w, STYLE_TEXT, FIT_MIDDLE,
                          str_text(&picked));
    x = canvas_put(canvas, x > 1 ? x + 3 : x, 0, progress_style(&app->model), progress);
    canvas_put(canvas, x + 2, 0, STYLE_TEXT, str_text(&time));
    canvas_put(canvas, canvas->w - flags_w - 1, 0, flags_style, flags);
    str_free(&name);
    str_free(&picked);
    str_free(&time);
}

/* ---- tabs ---- */

static bool knocks(const struct app *app, unsigned index)
{
    const struct view *view = app->views[index];
    if (!view) /* never looked at: races knock all the same */
        return views[index] == &view_races && app->model.races > 0;
    return view->ops->knocks && index != app->current && view->ops->knocks(view, &app->ctx);
}

/* Columns of a tab: " 1 Build " or " 1 Build•". */
static int tab_width(unsigned index)
{
    return 4 + canvas_columns(views[index]->title);
}

static int tabs_width(void)
{
    int w = 0;
    for (unsigned i = 0; i < views_count; i++)
        w += tab_width(i);
    return w;
}

int chrome_tab_at(const struct app *app, int w, int x)
{
    if (tabs_width() > w)
        return x < tab_width(app->current) ? (int)app->current : -1;
    for (unsigned i = 0; i < views_count; i++) {
        x -= tab_width(i);
        if (x < 0)
            return (int)i;
    }
    return -1;
}

void chrome_tabs(const struct app *app, const struct canvas *canvas)
{
    char text[64];
    bool narrow = tabs_width() > canvas->w;
    int x = 0;
    for (unsigned i = 0; i < views_count; i++) {
        bool current = i == app->current;
        if (narrow && !current)
            continue;
        if (narrow)
            snprintf(text, sizeof text, "‹%c %s›", views[i]->key, views[i]->title);
        else
            snprintf(text, sizeof text, " %c %s ", views[i]->key, views[i]->title);
        canvas_put(canvas, x + narrow, 0, current && !narrow ? STYLE_TAB : STYLE_TEXT, text);
        if (knocks(app, i))
            canvas_put(canvas, x + tab_width(i) - 1, 0, STYLE_WARNING, "•");
        x += tab_width(i);
    }
}

/* ---- key line ---- */

static int put_key(const struct canvas *canvas, int x, enum request request, const char *word)
{
    char key[16];
    keymap_first(request, key);
    x = canvas_put(canvas, x, 0, STYLE_KEY, key);
    return canvas_putf(canvas, x, 0, STYLE_TEXT, " %s", word ? word : request_infos[request].word) +
           2;
}

static int key_width(const struct view_key *key)
{
    char name[16];
    keymap_first(key->request, name);
    return canvas_columns(name) + 1 +
           canvas_columns(key->word ? key->word : request_infos[key->request].word) + 2;
}

static void draw_keys(const struct view *view, const struct canvas *canvas)
{
    static const struct view_key always[] = {
        {REQ_PALETTE, "actions"}, {REQ_HELP, "help"}, {REQ_QUIT, "quit"}};
    enum { ALWAYS = sizeof always / sizeof *always };
    int room = canvas->w - 1;
    for (size_t i = 0; i < ALWAYS; i++)
        room -= key_width(&always[i]);
    int x = 1;
    for (const struct view_key *key = view->ops->keys; key->request != REQ_NONE; key++) {
        int w = key_width(key);
        if (w > room)
            break;
        room -= w;
        x = put_key(canvas, x, key->request, key->word);
    }
    for (size_t i = 0; i < ALWAYS; i++)
        x = put_key(canvas, x, always[i].request, always[i].word);
}

static void draw_prompt(struct app *app, const struct canvas *canvas)
{
    const char *label = app->prompt_for == REQ_SEARCH ? " / " : " filter: ";
    int x = canvas_put(canvas, 0, 0, STYLE_KEY, label);
    field_draw(&app->prompt, canvas, x, 0, canvas->w - x - 1);
}

int chrome_keys_rows(const struct app *app, const struct canvas *all)
{
    enum { ROWS_MAX = 4 };
    bool message = app->message[0] && app->prompt_for == REQ_NONE && !app->asking_quit;
    int most = all->h / 4 < ROWS_MAX ? all->h / 4 : ROWS_MAX;
    if (!message || most < 2 || canvas_columns(app->message) <= all->w - 2)
        return 1;
    int rows = canvas_wrap(all, (struct rect){1, 0, all->w - 2, 0}, STYLE_TEXT, app->message);
    return rows > most ? most : rows;
}

void chrome_keys(struct app *app, const struct canvas *canvas)
{
    static const enum style styles[SEVERITIES] = {STYLE_STRONG, STYLE_WARNING, STYLE_FAILED};
    const struct view *view = app->popup ? app->popup : app->views[app->current];
    if (app->prompt_for != REQ_NONE) {
        draw_prompt(app, canvas);
    } else if (app->asking_quit) {
        canvas_column(canvas, 1, 0, canvas->w - 2, STYLE_WARNING, FIT_LEFT,
                      app->state.building ? "a build is running: q again stops it and quits, any "
                                            "other key goes on"
                                          : "a guest is running: q again ends it and quits, any "
                                            "other key goes on");
    } else if (app->message[0] && canvas->h > 1) { /* over the end of the screen */
        for (int y = 0; y < canvas->h; y++)
            canvas_column(canvas, 0, y, canvas->w, STYLE_TEXT, FIT_LEFT, "");
        canvas_wrap(canvas, (struct rect){1, 0, canvas->w - 2, canvas->h},
                    styles[app->message_severity], app->message);
    } else if (app->message[0]) {
        canvas_column(canvas, 1, 0, canvas->w - 2, styles[app->message_severity], FIT_LEFT,
                      app->message);
    } else if (view->typing) {
        int x = canvas_put(canvas, 1, 0, STYLE_TAB, " EDIT ");
        canvas_put(canvas, x + 1, 0, STYLE_TEXT,
                   view->typing_hint ? view->typing_hint : "Enter accepts  Esc reverts");
    } else {
        draw_keys(view, canvas);
    }
}

/* ---- too small ---- */

void chrome_tiny(const struct app *app, const struct canvas *canvas)
{
    const struct model *model = &app->model;
    char progress[64], flags[64], time[16];
    enum style flags_style;
    chrome_progress(app, progress);
    counters(app, flags, &flags_style);
    int x = canvas_put(canvas, 0, 0, progress_style(model), progress);
    int flags_w = canvas_columns(flags);
    text_duration(time, model->state == BUILD_ENDED ? model->end_ns : model->now_ns);
    if (model->state != BUILD_NEVER && x + 1 + canvas_columns(time) + 1 + flags_w <= canvas->w)
        canvas_put(canvas, x + 1, 0, STYLE_TEXT, time);
    if (x + 1 + flags_w <= canvas->w)
        canvas_put(canvas, canvas->w - flags_w, 0, flags_style, flags);
    int y = 1;
    for (size_t i = 0; i < model->lanes.len && y < canvas->h - (app->message[0] != 0); i++) {
        if (model->lanes.at[i].step == MODEL_NONE)
            continue;
        const char *target = model_name(model, model->lanes.at[i].step);
        canvas_column(canvas, 0, y++, canvas->w, STYLE_TEXT, FIT_MIDDLE, target);
    }
    if (canvas->h > 1 && (app->message[0] || app->asking_quit))
        canvas_column(canvas, 0, canvas->h - 1, canvas->w, STYLE_WARNING, FIT_LEFT,
                      app->asking_quit ? "q again quits" : app->message);
}
