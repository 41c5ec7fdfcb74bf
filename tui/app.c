#include "tui/app.h"

#include <stdio.h>
#include <string.h>

#include "tui/chrome.h"
#include "tui/keymap.h"
#include "views/views.h"

enum { TINY_W = 40, TINY_H = 6 };

static void op_say(void *data, enum severity severity, const char *text)
{
    app_say(data, severity, text);
}

static void op_go(void *data, const char *view_name)
{
    app_go(data, view_name);
}

static void close_popup(struct app *app)
{
    if (app->popup)
        app->popup->ops->close(app->popup);
    app->popup = NULL;
}

static void op_perform(void *data, enum request request)
{
    struct app *app = data;
    close_popup(app);
    app_perform(app, request);
}

void app_init(struct app *app, const struct app_ops *ops)
{
    model_init(&app->model);
    app->ops = *ops;
    app->ops.say = op_say;
    app->ops.go = op_go;
    app->ops.perform = op_perform;
    app->state.focus = EVENT_NONE;
    app->ctx = (struct view_ctx){&app->model, &app->state, &app->ops, app};
}

void app_free(struct app *app)
{
    close_popup(app);
    for (unsigned i = 0; i < views_count; i++)
        if (app->views[i])
            app->views[i]->ops->close(app->views[i]);
    field_free(&app->prompt);
    model_free(&app->model);
}

static struct view *current_view(struct app *app)
{
    struct view **view = &app->views[app->current];
    if (!*view)
        *view = views[app->current]->open(&app->ctx);
    return *view;
}

/* The view that keys go to. */
static struct view *front_view(struct app *app)
{
    return app->popup ? app->popup : current_view(app);
}

static void show(struct app *app, unsigned index)
{
    close_popup(app);
    if (index == app->current)
        return;
    app->previous = app->current;
    app->current = index;
    struct view *view = current_view(app);
    if (view->ops->shown)
        view->ops->shown(view, &app->ctx);
}

bool app_go(struct app *app, const char *view_name)
{
    for (unsigned i = 0; i < views_count; i++) {
        if (strcmp(views[i]->name, view_name) == 0) {
            show(app, i);
            return true;
        }
    }
    return false;
}

void app_say(struct app *app, enum severity severity, const char *text)
{
    snprintf(app->message, sizeof app->message, "%s", text);
    app->message_severity = severity;
    app->message_of_build = false;
}

void app_say_of_build(struct app *app, const char *text)
{
    app_say(app, SEVERITY_NOTE, text);
    app->message_of_build = true;
}

void app_event(struct app *app, const struct event *event)
{
    if (event->kind == EVENT_BUILD_BEGIN)
        app->state.focus = EVENT_NONE;
    model_event(&app->model, event);
    if (event->kind == EVENT_BUILD_END && app->message_of_build)
        app->message[0] = '\0';
    if (event->kind == EVENT_MESSAGE && event->severity == SEVERITY_ERROR && event->text)
        app_say(app, SEVERITY_ERROR, event->text);
}

void app_save(const struct app *app, struct str *out)
{
    for (unsigned i = 0; i < views_count; i++) {
        const struct view *view = app->views[i];
        struct str lines = {0};
        if (view && view->ops->save)
            view->ops->save(view, &lines);
        for (const char *line = str_text(&lines); *line;) {
            size_t length = strcspn(line, "\n");
            str_addf(out, "%s %.*s\n", views[i]->name, (int)length, line);
            line += length + (line[length] == '\n');
        }
        str_free(&lines);
    }
    str_addf(out, "screen %s\n", views[app->current]->name);
}

/* One line: "screen graph", "graph filter \\.o$". */
static void restore_line(struct app *app, const char *line)
{
    size_t word = strcspn(line, " ");
    if (!line[word])
        return;
    if (word == 6 && strncmp(line, "screen", word) == 0) {
        app_go(app, line + word + 1);
        return;
    }
    for (unsigned i = 0; i < views_count; i++) {
        if (strlen(views[i]->name) != word || strncmp(views[i]->name, line, word) != 0)
            continue;
        if (!app->views[i])
            app->views[i] = views[i]->open(&app->ctx);
        if (views[i]->restore)
            views[i]->restore(app->views[i], line + word + 1, &app->ctx);
    }
}

void app_restore(struct app *app, const char *text)
{
    char before[sizeof app->message];
    memcpy(before, app->message, sizeof before);
    while (*text) {
        char line[512];
        size_t length = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        restore_line(app, line);
        text += length + (text[length] == '\n');
    }
    memcpy(app->message, before, sizeof before); /* nobody typed the patterns: no complaints */
}

bool app_moves(const struct app *app)
{
    bool paused = app->state.replaying && !app->state.playing;
    return (app->model.state == BUILD_RUNNING && !paused) || app->model.vm.state == VM_RUNNING;
}

bool app_works(const struct app *app)
{
    const struct view *view = app->views[app->current];
    return !app->popup && view && view->working && view->ops->work;
}

void app_work(struct app *app)
{
    if (app_works(app))
        current_view(app)->ops->work(current_view(app), &app->ctx);
}

/* ---- requests ---- */

static void open_popup(struct app *app, const struct view_ops *ops)
{
    bool same = app->popup && app->popup->ops == ops;
    app->state.screen = views[app->current];
    close_popup(app);
    if (!same)
        app->popup = ops->open(&app->ctx);
}

static void ask_quit(struct app *app)
{
    if (app->state.building || app->state.booting)
        app->asking_quit = true;
    else
        app->quit = true;
}

static void open_prompt(struct app *app, enum request request)
{
    field_begin(&app->prompt, "");
    app->prompt_for = request;
}

/* A key that nobody wanted; motions say nothing: there is nowhere to go. */
static void say_idle(struct app *app, enum request request)
{
    char text[128];
    if (request >= REQ_UP && request <= REQ_BACK)
        return;
    snprintf(text, sizeof text, "nothing here to do '%s' with now; ? tells what the keys do",
             request_infos[request].word);
    app_say(app, SEVERITY_NOTE, text);
}

static void visit(struct app *app, const char *view_name, enum request request)
{
    unsigned before = app->current;
    bool over = app->popup != NULL;
    app_go(app, view_name);
    if (app->current == before && !over)
        say_idle(app, request);
}

/* What is common to all screens. */
static void common(struct app *app, enum request request)
{
    const struct app_ops *ops = &app->ops;
    switch (request) {
    case REQ_BUILD:
        ops->build(app, NULL);
        break;
    case REQ_COMPOSE:
        ops->compose(app);
        break;
    case REQ_BOOT:
        ops->boot(app);
        break;
    case REQ_TESTS:
        ops->tests(app);
        break;
    case REQ_STOP:
        ops->stop(app);
        break;
    case REQ_LOG:
        visit(app, "log", request);
        break;
    case REQ_GRAPH:
        visit(app, "graph", request);
        break;
    case REQ_WHY:
        open_popup(app, &view_why);
        break;
    case REQ_COMPARE:
        open_popup(app, &view_compare);
        break;
    case REQ_TOUR:
        open_popup(app, &view_tour);
        break;
    case REQ_HELP:
        open_popup(app, &view_help);
        break;
    case REQ_PALETTE:
        open_popup(app, &view_palette);
        break;
    case REQ_BACK:
        if (app->popup)
            close_popup(app);
        else if (app->current != app->previous)
            show(app, app->previous);
        break;
    case REQ_REDRAW:
        app->redraw = true;
        break;
    case REQ_WATCH:
        ops->watch(app);
        break;
    case REQ_PLAIN:
        app->plain = true;
        break;
    case REQ_SUSPEND:
        app->suspend = true;
        break;
    case REQ_MOUSE:
        app->mouse_toggled = true;
        break;
    case REQ_INTERRUPT: /* drains, kills, leaves: also while what was killed takes its time */
        if ((app->state.building && !app->state.killing) || app->state.booting)
            ops->stop(app);
        else
            app->quit = true;
        break;
    case REQ_QUIT:
        if (app->popup)
            close_popup(app);
        else
            ask_quit(app);
        break;
    default:
        say_idle(app, request);
    }
}

static void ask_view(struct app *app, enum request request, const struct request_arg *arg)
{
    struct view *view = front_view(app);
    enum view_result result = view->ops->request(view, request, arg, &app->ctx);
    if (result == VIEW_HANDLED)
        return;
    if (result == VIEW_LEAVE)
        request = REQ_BACK;
    if (arg->text)
        app_say(app, SEVERITY_NOTE, "there is nothing to search on this screen");
    else
        common(app, request);
}

void app_perform(struct app *app, enum request request)
{
    if (request == REQ_SEARCH || request == REQ_FILTER)
        open_prompt(app, request);
    else if (request != REQ_NONE)
        ask_view(app, request, &(struct request_arg){0});
}

/* ---- keys ---- */

static void prompt_key(struct app *app, const struct key *key)
{
    bool interrupt = (key->mods & KEY_CTRL) && key->code == 'c';
    enum field_result result = interrupt ? FIELD_REVERTED : field_key(&app->prompt, key);
    if (result == FIELD_EDITING)
        return;
    enum request request = app->prompt_for;
    app->prompt_for = REQ_NONE;
    if (result == FIELD_ACCEPTED && *field_text(&app->prompt))
        field_remember(&app->prompt, field_text(&app->prompt));
    if (result == FIELD_ACCEPTED)
        ask_view(app, request, &(struct request_arg){.text = field_text(&app->prompt)});
}

static void mouse_key(struct app *app, const struct key *key)
{
    enum request request = key->code == KEY_MOUSE_WHEEL_UP     ? REQ_WHEEL_UP
                           : key->code == KEY_MOUSE_WHEEL_DOWN ? REQ_WHEEL_DOWN
                           : key->code == KEY_MOUSE_PRESS      ? REQ_CLICK
                                                               : REQ_NONE;
    if (request == REQ_NONE)
        return;
    if (request == REQ_CLICK && key->y == 1 && app->body.y == 2) {
        int index = chrome_tab_at(app, app->body.w, key->x);
        if (index >= 0)
            show(app, (unsigned)index);
        return;
    }
    int y = key->y - app->body.y;
    if (y >= 0 && y < app->body.h) {
        struct view *view = front_view(app);
        view->ops->request(view, request, &(struct request_arg){.x = key->x, .y = y}, &app->ctx);
    }
}

static void quit_key(struct app *app, const struct key *key)
{
    enum request request = keymap_find(key);
    app->asking_quit = false;
    if (request == REQ_QUIT || request == REQ_INTERRUPT || key->code == 'y')
        app->quit = true;
}

/* The screen of a digit, or -1. */
static int view_of_digit(const struct key *key)
{
    for (unsigned i = 0; i < views_count; i++)
        if (!key->mods && key->code == (uint32_t)views[i]->key)
            return (int)i;
    return -1;
}

void app_key(struct app *app, const struct key *key)
{
    if (key->code == KEY_FOCUS_IN || key->code == KEY_FOCUS_OUT || key->code == KEY_ANSWER ||
        key->code == KEY_MOUSE_OTHER)
        return;
    app->message[0] = '\0';
    struct view *view = front_view(app);
    bool mouse = key->code == KEY_MOUSE_PRESS || key->code == KEY_MOUSE_WHEEL_UP ||
                 key->code == KEY_MOUSE_WHEEL_DOWN;
    if (app->prompt_for != REQ_NONE && !mouse)
        prompt_key(app, key);
    else if (app->asking_quit)
        quit_key(app, key);
    else if (mouse)
        mouse_key(app, key);
    else if (view->typing)
        view->ops->key_typed(view, key, &app->ctx);
    else if (view_of_digit(key) >= 0)
        show(app, (unsigned)view_of_digit(key));
    else
        app_perform(app, keymap_find(key));
}

/* ---- drawing ---- */

void app_draw(struct app *app, struct grid *grid)
{
    struct canvas all = grid_canvas(grid);
    model_tick(&app->model, app->model.now_ns);
    if (!app->state.building && !app->state.booting)
        app->asking_quit = false; /* what it asked about has ended */
    if (all.w < TINY_W || all.h < TINY_H) {
        app->body = (struct rect){0};
        chrome_tiny(app, &all);
        return;
    }
    app->body = (struct rect){0, 2, all.w, all.h - 3};
    struct canvas header = canvas_part(&all, (struct rect){0, 0, all.w, 1});
    struct canvas tabs = canvas_part(&all, (struct rect){0, 1, all.w, 1});
    struct canvas body = canvas_part(&all, app->body);
    int rows = chrome_keys_rows(app, &all);
    struct canvas keys = canvas_part(&all, (struct rect){0, all.h - rows, all.w, rows});
    chrome_header(app, &header);
    chrome_tabs(app, &tabs);
    struct view *view = current_view(app);
    view->ops->draw(view, &body, &app->ctx);
    if (app->popup) {
        grid->cursor_x = grid->cursor_y = -1;
        app->popup->ops->draw(app->popup, &body, &app->ctx);
    }
    chrome_keys(app, &keys);
}
