/*
 * Views: one file a screen in views/. A view is a table of operations; it draws the model
 * (views/model.h) into a canvas and answers requests. It never calls curses, and never touches a
 * file, a process or a terminal: what has to be done is asked of the console by struct app_ops,
 * whose functions return at once. The loop's thread only.
 *
 * A new view: define `const struct view_ops view_NAME`, add it to the table in views/views.c.
 */
#ifndef GANTRY_TUI_VIEW_H
#define GANTRY_TUI_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"
#include "journal/event.h"
#include "tui/canvas.h"
#include "tui/key.h"
#include "tui/request.h"

struct model;
struct view;
struct conf;
struct compare;
struct view_ctx;

/* What belongs to a request. */
struct request_arg {
    const char *text; /* of SEARCH and FILTER: what was typed; else NULL */
    int x, y; /* of CLICK and WHEEL_*: where, in the view's canvas */
};

enum view_result {
    VIEW_IGNORED, /* not mine: the console may do what is common to all screens */
    VIEW_HANDLED, /* done; draw again */
    VIEW_LEAVE, /* Esc at the outermost: back to the screen before */
};

/* A request that the key line of the view names, in the order of the table; the word NULL is the
 * request's own. The last has REQ_NONE. */
struct view_key {
    enum request request;
    const char *word;
};

struct view_ops {
    const char *name; /* "build": for the palette */
    const char *title; /* "Build": for the tab */
    char key; /* '1'; 0: a pop-up, drawn over the screen */
    const struct view_key *keys;
    const char *about; /* what the screen is for, in sentences, for the help; NULL: a pop-up */
    /* A new view; freed by close. */
    struct view *(*open)(const struct view_ctx *ctx);
    void (*close)(struct view *view);
    void (*draw)(struct view *view, const struct canvas *canvas, const struct view_ctx *ctx);
    enum view_result (*request)(struct view *view, enum request request,
                                const struct request_arg *arg, const struct view_ctx *ctx);
    /* Every key while view->typing; may be NULL where it never types. */
    void (*key_typed)(struct view *view, const struct key *key, const struct view_ctx *ctx);
    /* True where the tab is to carry a "•" (something to see there); may be NULL. */
    bool (*knocks)(const struct view *view, const struct view_ctx *ctx);
    /* What is to survive a restart (filters, folds, the pane), as lines "word value"; and one such
     * line back: what is not understood is passed over. May be NULL. */
    void (*save)(const struct view *view, struct str *out);
    void (*restore)(struct view *view, const char *line, const struct view_ctx *ctx);
    /* Goes on with what `working` says is not done yet, for a few milliseconds; called between keys
     * while the view is in front. NULL where nothing takes long. */
    void (*work)(struct view *view, const struct view_ctx *ctx);
    /* Called once when the screen comes to the front; may be NULL. */
    void (*shown)(struct view *view, const struct view_ctx *ctx);
};

/* Every view begins with this. */
struct view {
    const struct view_ops *ops;
    bool typing; /* keys go to key_typed as they are; the key line says EDIT */
    bool working; /* there is more for `work` to do */
    const char *typing_hint; /* for the key line meanwhile; NULL: "Enter accepts, Esc reverts" */
};

/* A log, line by line, however long; owned by the console. Lines have neither newline nor escape
 * sequences. */
struct log_view;
struct target_data;
struct compose_data;
struct edge_data;

/* What views can have done. All return at once; what comes of it comes as events, and errors go to
 * the message line by themselves. `app` is ctx->app. Other screens' needs are added here and
 * implemented in tui/actions*.c. */
struct app_ops {
    /* Builds the goals (target NULL) or one target, with what is selected. */
    void (*build)(void *app, const char *target);
    void (*compose)(void *app);
    void (*boot)(void *app);
    void (*tests)(void *app);
    /* Stops build or guest: first drains, then kills. */
    void (*stop)(void *app);
    /* Builds whenever a file of the tree is saved, or no more. */
    void (*watch)(void *app);
    /* Bytes for the guest's console. */
    void (*vm_type)(void *app, const char *bytes, size_t length);
    /* Picks NAME=VALUE (arch, mode, image, cmdline, any conf name) for the next build; value NULL
     * takes the pick back. */
    void (*select)(void *app, const char *name, const char *value);
    /* The configuration with what is picked; owned by the console, valid until the next select.
     * NULL where it can't be read (the reason is in err). */
    struct conf *(*conf)(void *app, struct err *err);
    /* $VISUAL or $EDITOR on a file of the tree; the screen is suspended meanwhile. */
    void (*edit)(void *app, const char *path, unsigned line);
    /* To the clipboard, by OSC 52. */
    void (*copy)(void *app, const char *text);
    /* Runs a command of Gantry's own on the terminal ("races prove R1"), the screen suspended
     * meanwhile; `words` is NULL-ended. */
    void (*command)(void *app, const char *const *words);
    /* Plays a recorded build from a time on, or pauses where it plays. */
    void (*play)(void *app, uint64_t from_ns);
    /* Another speed of playing: 1, 4, 16, 64 times. */
    void (*speed)(void *app);
    /* One sentence in the message line, until the next key. (This and the next two are the
     * console's own, app.c.) */
    void (*say)(void *app, enum severity severity, const char *text);
    /* Another screen by its name ("log"). */
    void (*go)(void *app, const char *view_name);
    /* As if the request's key was pressed on the screen under the pop-up, which closes. */
    void (*perform)(void *app, enum request request);
    /* The log of a step; of the whole build in order with EVENT_NONE. NULL where there is none. */
    struct log_view *(*log)(void *app, uint32_t step);
    uint64_t (*log_lines)(struct log_view *log);
    /* Whether another call would tell more lines, though nothing new was printed: a call reads in only
     * so much. */
    bool (*log_grows)(const struct log_view *log);
    /* One line, from 0; its length in *length. Valid until the next call. */
    const char *(*log_line)(struct log_view *log, uint64_t line, size_t *length);

    /* Two recorded builds beside each other, valid until the next call of the loop: those that
     * `gantry compare` was given, else the last two of this tree, read in the background. NULL: not
     * read yet, or not to be had; *why says which, valid as long. */
    const struct compare *(*comparison)(void *app, const char **why);

    /* What a step (event id) declares against what it was seen to use when it ran last
     * (tui/screen_edges.c). Valid until the next call of the loop. */
    const struct edge_data *(*edges)(void *app, uint32_t step);

    /* The rest is in tui/screen_target.c and screen_compose*.c; data in tui/screen_data.h. */

    /* What the target screen shows; never NULL where there is a tree. */
    const struct target_data *(*targets)(void *app);
    /* What builds of a make tree run from now on, as words for a shell ("make fs=rofs"). */
    void (*set_command)(void *app, const char *text);
    /* Builds several combinations of arch, mode and image, one after the other; what is picked stays.
     * All that was given is copied. */
    void (*build_each)(void *app, const char *const (*picks)[3], size_t count);
    /* Picks all that a profile assigns; saves what is picked as one; takes one away. */
    void (*pick_profile)(void *app, const char *name);
    void (*save_profile)(void *app, const char *name);
    void (*drop_profile)(void *app, const char *name);
    /* Writes what is picked into the tree's saved selection. */
    void (*save_selection)(void *app);

    /* What the compose screen shows; never NULL where there is a tree. Edits are staged in memory:
     * nothing is written before `write_staged`. */
    const struct compose_data *(*composition)(void *app);
    /* Adds an entry to the manifest in which entry `beside` (a guest name) stands; NULL: the first
     * of the tab. */
    void (*stage_add)(void *app, size_t tab, const char *guest, const char *wanted,
                      const char *beside);
    void (*stage_remove)(void *app, size_t tab, const char *guest);
    /* Renames an entry and gives it another right side. */
    void (*stage_change)(void *app, size_t tab, const char *guest, const char *to,
                         const char *wanted);
    /* Lets the entry at a line of a manifest change places with the one before it, or after it. */
    void (*stage_move)(void *app, const char *file, unsigned line, bool later);
    /* What an entry would put in: sizes, matches, what is missing and what it replaces; new, NULL
     * where there is nothing to say. `changing`: the guest name of the entry that it would be instead
     * of, or NULL. */
    char *(*preview_entry)(void *app, size_t tab, const char *guest, const char *wanted,
                           const char *changing);
    void (*stage_args)(void *app, const char *args);
    /* Puts the arguments of the next compose into the composed image now. */
    void (*apply_args)(void *app);
    void (*stage_undo)(void *app);
    void (*stage_redo)(void *app);
    /* A unified diff of everything staged, new; "" where nothing is. */
    char *(*staged_diff)(void *app);
    /* Writes everything staged; false where it was refused (the reason is in the message line). */
    bool (*write_staged)(void *app);
    /* The files that continue what was typed of a host path; new strings are added to words. */
    void (*complete_host)(void *app, const char *typed, str_list *words);
};

/* What kind of tree this is, as far as screens differ. */
/* OSV: driven whole (engine/osv); such a tree that is built by a command is MAKE. */
enum app_tree { APP_TREE_NONE, APP_TREE_NATIVE, APP_TREE_OSV, APP_TREE_MAKE };

/* What the console knows besides the events. Read-only for views, except `focus`. */
/* What was asked about a finding last (`gantry races VERB ID`), and what came of it. */
struct app_races {
    char verb[16], id[16];
    bool busy, failed;
    char progress[160]; /* how far it is: "2/3  what it tries" */
    char *text; /* what it printed; NULL: nothing yet. The app's */
};

struct app_state {
    const char *root; /* the tree, absolute; NULL: none */
    enum app_tree tree;
    const char *tree_error; /* no tree: what was looked for, and what to do */
    const char *command; /* what a build of a make tree runs ("make all"); NULL: a native tree */
    const char *arch, *mode, *image; /* as picked, or by default: what the next build builds */
    const char *held_by; /* the build is only looked at: "attached", "recorded"; else NULL */
    const char *head; /* "master@0e34e4d", "" where unknown */
    unsigned dirty; /* files that differ from it */
    const struct view_ops *screen; /* the one under a pop-up */
    bool building, booting; /* ours */
    bool watching; /* a build starts whenever a file is saved */
    bool stopping; /* the build was asked to drain */
    bool killing; /* and then to kill what runs */
    bool replaying, playing; /* what is shown is a recorded build; time runs in it */
    unsigned speed; /* that many times as fast as it was; 0 and 1: as fast */
    struct app_races races;
    uint32_t focus; /* the step that log, why and graph speak of; EVENT_NONE: none */
};

struct view_ctx {
    const struct model *model; /* the fold of the events */
    struct app_state *state;
    const struct app_ops *ops;
    void *app; /* for the ops; a struct app (app.h) stands at its beginning */
};

#endif
