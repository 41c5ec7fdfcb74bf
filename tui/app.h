/*
 * The console without its descriptors: model, screens, pop-ups, prompt and message line. Keys and
 * events go in, a grid of cells comes out. It touches no file, process or terminal, so a test runs
 * it whole; loop.c gives it the world. The loop's thread only.
 */
#ifndef GANTRY_TUI_APP_H
#define GANTRY_TUI_APP_H

#include <stdbool.h>

#include "tui/field.h"
#include "tui/view.h"
#include "views/model.h"

enum { APP_VIEWS_MAX = 12 };

struct app {
    struct model model;
    struct app_state state;
    struct app_ops ops; /* the owner's, with say, go and perform ours */
    struct view_ctx ctx;
    struct view *views[APP_VIEWS_MAX]; /* by the table's index; opened on first use */
    unsigned current, previous;
    struct view *popup; /* help, palette or why; or NULL */
    struct rect body; /* where the screen stood in the last frame */
    struct field prompt;
    enum request prompt_for; /* SEARCH or FILTER while the prompt is open, else NONE */
    char message[512];
    enum severity message_severity;
    bool message_of_build; /* it speaks of a build that runs, and goes when that ends */
    bool asking_quit;
    /* What the owner is to do; it clears them. */
    bool quit, redraw, suspend, mouse_toggled, plain;
};

/* `ops` is copied. `app` stands at the beginning of the owner's own struct. */
void app_init(struct app *app, const struct app_ops *ops);
void app_free(struct app *app);
void app_event(struct app *app, const struct event *event);
void app_key(struct app *app, const struct key *key);
void app_perform(struct app *app, enum request request);
void app_draw(struct app *app, struct grid *grid);
void app_say(struct app *app, enum severity severity, const char *text);
/* The same of a build that runs: gone when it ends. */
void app_say_of_build(struct app *app, const char *text);
/* Shows a screen by its name; false where there is none. */
bool app_go(struct app *app, const char *view_name);
/* What is to survive a restart, as text, appended; and back. Lines that are none of ours are passed
 * over. */
void app_save(const struct app *app, struct str *out);
void app_restore(struct app *app, const char *text);
/* True while the picture changes by time alone. */
bool app_moves(const struct app *app);
/* Whether the screen in front has work left; and a piece of that, a few milliseconds long. */
bool app_works(const struct app *app);
void app_work(struct app *app);

#endif
