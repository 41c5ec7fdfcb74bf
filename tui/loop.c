#include "tui/loop.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "load/load.h"
#include "tui/console.h"
#include "tui/keymap.h"
#include "tui/plain_screen.h"
#include "views/summary.h"

enum {
    FRAME_NS = 33333333, /* 30 frames a second */
    LOADING_NS = 250000000, /* between two while a journal is read */
    TICK_NS = 200000000, /* clocks on the screen, while something runs */
    EVENTS_NS = 10000000, /* events are taken in for so long before a frame is due */

    SAVED_NS = 200000000, /* so long nothing more is saved before a build starts */
    FOLLOW_NS = 50000000, /* between looks at a journal that grows */
    SILENCE_NS = 1000000000, /* after which the builder may have died */
};

#define BELL_NS 10000000000ull /* shorter builds are not worth a bell */

/* ---- the world, to begin with ---- */

static void find_tree(struct console *console)
{
    static const enum app_tree kinds[] = {[TREE_NONE] = APP_TREE_NONE,
                                          [TREE_NATIVE] = APP_TREE_NATIVE,
                                          [TREE_OSV] = APP_TREE_OSV,
                                          [TREE_MAKE] = APP_TREE_MAKE,
                                          [TREE_NINJA] = APP_TREE_NONE};
    struct app_state *state = &console->app.state;
    struct err err = {0};
    state->tree = kinds[load_find_tree(console->cli->directory, &console->root, &err)];
    state->root = console->root;
    if (state->tree == APP_TREE_OSV && (console->cli->after || !conf_is_osv(console->root)))
        state->tree =
            APP_TREE_MAKE; /* built by a command that was given, or by none that we know */
    if (state->tree == APP_TREE_MAKE) {
        struct str command = {0};
        char **words = console->cli->after;
        for (; words && *words; words++) {
            str_add(&command, command.len ? " " : "");
            text_shell_quote(&command, *words);
        }
        state->command = command.len ? str_take(&command) : mem_copy("make");
    }
    if (!console->root)
        state->tree_error = mem_copy(err.text);
    else
        console->logs = logs_new(console->root);
    actions_refresh(console);
}

/* Costs some 12 ms: done when the first frame is out. */
static void read_head(struct console *console)
{
    struct vcs_state *vcs = &console->vcs;
    if (!console->root || vcs_read(console->root, vcs, NULL) < 0)
        return;
    if (vcs->head[0])
        snprintf(console->head, sizeof console->head, "%s@%s", vcs->branch, vcs->head);
    console->app.state.head = console->head;
    console->app.state.dirty = vcs->dirty;
    console->dirty = true;
}

/* Where the console keeps what survives a restart; new, NULL where there is no place: nothing is made
 * in a tree that was never built. */
static char *memory_path(const struct console *console)
{
    static const char *const places[] = {"build/.gantry", ".gantry"};
    for (size_t i = 0; console->root && i < sizeof places / sizeof *places; i++) {
        char *directory = path_join(console->root, places[i]);
        char *path = access(directory, W_OK) == 0 ? path_join(directory, "console") : NULL;
        free(directory);
        if (path)
            return path;
    }
    return NULL;
}

/* The user's own keys: $XDG_CONFIG_HOME/gantry/keys, or ~/.config/gantry/keys. */
static void load_keys(struct console *console)
{
    struct err err = {0};
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path = config && *config ? mem_format("%s/gantry/keys", config)
                                   : mem_format("%s/.config/gantry/keys", home ? home : "");
    char *text = file_read(path, NULL, NULL);
    if (text && keymap_load(text, path, &err) < 0)
        app_say(&console->app, SEVERITY_ERROR, err.text);
    free(text);
    free(path);
}

/* The tour comes at the user's first start, and never again by itself: a file says so, even where the
 * console ends in an accident. Where none can be written there is no tour. */
static void show_tour(struct console *console)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = state && *state ? mem_format("%s/gantry/toured", state)
                 : home && *home ? mem_format("%s/.local/state/gantry/toured", home)
                                 : NULL;
    bool first = path && access(path, F_OK) != 0 && file_make_parents(path, NULL) == 0 &&
                 file_write(path, "", 0, 0666, NULL) == 0;
    free(path);
    if (first)
        app_perform(&console->app, REQ_TOUR);
}

static void recall(struct console *console)
{
    char *path = memory_path(console);
    char *text = path ? file_read(path, NULL, NULL) : NULL;
    if (text)
        app_restore(&console->app, text);
    free(text);
    free(path);
}

static void remember(const struct console *console)
{
    char *path = memory_path(console);
    struct str text = {0};
    app_save(&console->app, &text);
    if (path) /* where it cannot be written, nothing is lost that counts */
        file_write(path, str_text(&text), text.len, 0666, NULL);
    str_free(&text);
    free(path);
}

/* ---- what comes in ---- */

/* The bell, and a notification of the desktop's (OSC 9) where the terminal has them; the others pass it
 * over, but the kernel's own would print it. */
static void notify(struct console *console, const struct event *event)
{
    const char *type = getenv("TERM");
    struct str text = {0};
    str_add(&text, "\a");
    if (!type || strcmp(type, "linux") != 0)
        str_addf(&text, "\033]9;gantry: %s: %llu steps ran, %llu failed\033\\",
                 build_status_name(event->status), (unsigned long long)event->steps_run,
                 (unsigned long long)event->steps_failed);
    terminal_send(console->terminal, str_text(&text), text.len);
    str_free(&text);
}

static void take_event(struct console *console, struct event *event)
{
    if (event->kind == EVENT_BUILD_BEGIN)
        console->build_ns = clock_ns() - event->t_ns;
    app_event(&console->app, event);
    bool long_one = event->kind == EVENT_BUILD_END && console->app.model.end_ns > BELL_NS;
    if (long_one && console->unseen) /* it ended while nobody looked */
        notify(console, event);
    if (event->kind == EVENT_BUILD_END || event->kind == EVENT_VM_END)
        actions_ended(console, event);
    console->dirty = true;
}

static void take_events(struct console *console)
{
    uint64_t end = clock_ns() + EVENTS_NS;
    for (struct event *event; (event = queue_pop(console->events));) {
        take_event(console, event);
        free(event);
        if (clock_ns() > end)
            break;
    }
}

static void resize(struct console *console)
{
    int w, h;
    terminal_size(console->terminal, &w, &h);
    grid_reset(&console->grid, w, h);
    terminal_forget(console->terminal);
    console->dirty = true;
}

static void suspend(struct console *console)
{
    terminal_suspend(console->terminal);
    raise(SIGSTOP);
    terminal_resume(console->terminal);
    resize(console);
}

static void take_signals(struct console *console)
{
    char numbers[64];
    ssize_t got = read(terminal_signal_fd(console->terminal), numbers, sizeof numbers);
    for (ssize_t i = 0; i < got; i++) {
        switch (numbers[i]) {
        case SIGWINCH:
            resize(console);
            break;
        case SIGTSTP:
            suspend(console);
            break;
        case SIGCONT:
            terminal_resume(console->terminal);
            resize(console);
            break;
        default:
            console->signal = numbers[i];
            console->app.quit = true;
        }
    }
}

/* What goes on while the screen is another's. */
static void meanwhile(struct console *console)
{
    take_events(console);
}

/* Keys, and what they asked of the terminal. */
static void take_keys(struct console *console)
{
    struct app *app = &console->app;
    static bool mouse = true;
    struct key key;
    while (!app->quit && input_next(&console->input, clock_ns(), &key)) {
        if (key.code == KEY_ANSWER) {
            terminal_answered(console->terminal);
            continue; /* nothing to show: an idle console stays idle */
        }
        if (key.code == KEY_FOCUS_IN || key.code == KEY_FOCUS_OUT)
            console->unseen = key.code == KEY_FOCUS_OUT;
        app_key(app, &key);
        console->dirty = true;
    }
    if (app->redraw)
        resize(console);
    if (app->mouse_toggled) {
        mouse = !mouse;
        terminal_mouse(console->terminal, mouse);
        app_say(app, SEVERITY_NOTE, mouse ? "the mouse is ours" : "the mouse is the terminal's");
    }
    app->redraw = app->mouse_toggled = false;
    if (app->plain) {
        app->plain = false;
        plain_screen_run(console, meanwhile);
        resize(console);
    }
    if (app->suspend) {
        app->suspend = false;
        suspend(console);
    }
}

static void take_bytes(struct console *console)
{
    char bytes[4096];
    int got = terminal_read(console->terminal, bytes, sizeof bytes);
    if (got < 0) { /* the terminal is gone */
        console->signal = SIGHUP;
        console->app.quit = true;
    } else if (got > 0) {
        input_feed(&console->input, bytes, (size_t)got, clock_ns());
    }
}

/* ---- a recorded build ---- */

/* Silence may mean a long step, or that nobody builds any more. What it wrote before its end is there
 * by now: one look more, and then that is all. */
static void look_for_builder(struct console *console, uint64_t now)
{
    console->news_ns = now;
    if (console->gone)
        player_cut(console->player);
    console->gone = player_builder_is_gone(player_path(console->player));
}

/* What a journal that grows has got; what was played goes on. */
static void take_journal(struct console *console)
{
    struct app *app = &console->app;
    struct player *player = console->player;
    uint64_t now = clock_ns();
    if (console->loading) {
        console->loading = !player_read(player, app, now + EVENTS_NS);
        /* A picture now and then: each costs time that the reading needs. */
        console->dirty |= !console->loading || now >= console->shown_ns + LOADING_NS;
        if (console->loading)
            return;
        if (!console->follow) {
            player_cut(player);
            player_read(player, app, now);
        }
        if (console->follow && player_at_end(player))
            console->status = app->model.exit;
        console->follow = console->follow && !player_at_end(player);
        console->build_ns = clock_ns() - player_at(player);
        app->state.replaying = !console->follow;
    } else if (console->follow) {
        uint32_t generation = app->model.generation;
        if (player_seek(player, app, UINT64_MAX)) {
            console->follow = false;
            console->status = app->model.exit;
        }
        console->dirty |= generation != app->model.generation;
        if (generation != app->model.generation)
            console->news_ns = now;
        else if (console->follow && now > console->news_ns + SILENCE_NS)
            look_for_builder(console, now);
        uint64_t began = now - player_at(player);
        if (generation != app->model.generation &&
            (!console->build_ns || began < console->build_ns))
            console->build_ns = began;
    } else if (app->state.playing) {
        uint64_t t = console->played_from_ns + (now - console->played_at_ns) * console->speed;
        if (player_seek(player, app, t))
            app->state.playing = false;
        else
            model_tick(&app->model, t);
        console->dirty = true;
    }
}

/* ---- files that change ---- */

/* A make tree's own outputs lie among its sources: what changes during a build is not looked at. */
static void take_changes(struct console *console)
{
    bool changed = watch_take(console->watch);
    if (changed && !(console->build && console->app.state.tree != APP_TREE_NATIVE))
        console->changed_ns = clock_ns();
}

static bool may_build_saved(const struct console *console)
{
    return console->changed_ns && !console->build && !console->vm;
}

static void build_saved(struct console *console)
{
    if (!may_build_saved(console) || clock_ns() < console->changed_ns + SAVED_NS)
        return;
    console->changed_ns = 0;
    actions_changed(console); /* conf may be among it */
    console->app.ops.build(console, NULL);
    console->dirty = true;
}

/* ---- the loop ---- */

static void show(struct console *console)
{
    struct app *app = &console->app;
    if (app->model.state == BUILD_RUNNING && !app->state.replaying && !console->loading)
        model_tick(&app->model, clock_ns() - console->build_ns);
    grid_reset(&console->grid, console->grid.w, console->grid.h);
    app_draw(app, &console->grid);
    if (terminal_show(console->terminal, &console->grid))
        console->dirty = false;
    console->shown_ns = clock_ns();
}

/* Milliseconds until something is due, -1: nothing is. */
static int wait_ms(const struct console *console, uint64_t shown_ns)
{
    uint64_t now = clock_ns(), due = UINT64_MAX;
    if (console->dirty && !terminal_busy(console->terminal))
        due = shown_ns + FRAME_NS;
    else if (!console->dirty && app_moves(&console->app))
        due = shown_ns + TICK_NS; /* while the terminal is busy nothing but it is waited for */
    if (console->app.state.playing && !terminal_busy(console->terminal))
        due = shown_ns + FRAME_NS;
    if (may_build_saved(console) && due > console->changed_ns + SAVED_NS)
        due = console->changed_ns + SAVED_NS;
    if (console->loading || app_works(&console->app))
        due = now;
    if (console->follow && due > now + FOLLOW_NS)
        due = now + FOLLOW_NS;
    uint64_t key = input_deadline(&console->input), answer = terminal_deadline(console->terminal);
    if (console->dirty && answer && answer < due)
        due = answer;
    if (key && key < due)
        due = key;
    if (due == UINT64_MAX)
        return -1;
    return due <= now ? 0 : (int)((due - now + 999999) / 1000000);
}

static void run(struct console *console)
{
    uint64_t shown_ns = 0;
    bool head_read = false;
    console->dirty = true;
    while (!console->app.quit) {
        if (console->player)
            take_journal(console);
        uint64_t now = clock_ns();
        if (app_moves(&console->app) && now >= shown_ns + TICK_NS)
            console->dirty = true;
        if (console->dirty && !terminal_busy(console->terminal) && now >= shown_ns + FRAME_NS) {
            show(console);
            shown_ns = now;
            if (!head_read)
                read_head(console);
            head_read = true;
        }
        int asked[2];
        asking_fds(console, asked);
        struct pollfd fds[] = {
            {.fd = terminal_fd(console->terminal), .events = POLLIN},
            {.fd = terminal_signal_fd(console->terminal), .events = POLLIN},
            {.fd = queue_fd(console->events), .events = POLLIN},
            {.fd = target_screen_fd(console), .events = POLLIN},
            {.fd = console->watch ? watch_fd(console->watch) : -1, .events = POLLIN},
            {.fd = console->comparison ? comparison_fd(console->comparison) : -1, .events = POLLIN},
            {.fd = edges_screen_fd(console), .events = POLLIN},
            {.fd = asked[0], .events = POLLIN},
            {.fd = asked[1], .events = POLLIN},
        };
        if (terminal_unsent(console->terminal))
            fds[0].events |= POLLOUT;
        poll(fds, sizeof fds / sizeof *fds, wait_ms(console, shown_ns));
        if (fds[1].revents)
            take_signals(console);
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
            take_bytes(console);
        if ((fds[0].revents & POLLOUT) && terminal_flush(console->terminal) < 0)
            console->app.quit = true;
        take_keys(console);
        if (app_works(&console->app)) { /* what was typed meanwhile goes first */
            app_work(&console->app);
            console->dirty = true;
        }
        if (fds[2].revents)
            take_events(console);
        if (fds[4].revents && console->watch)
            take_changes(console);
        build_saved(console);
        if (fds[3].revents && target_screen_take(console))
            console->dirty = true;
        if (fds[5].revents && console->comparison && comparison_take(console->comparison))
            console->dirty = true;
        if ((fds[7].revents || fds[8].revents) && asking_take(console))
            console->dirty = true;
        if (fds[6].revents && edges_screen_fd(console) >= 0) {
            edges_screen_take(console);
            console->dirty = true;
        }
    }
}

static void free_console(struct console *console)
{
    app_free(&console->app);
    for (size_t i = 0; i < console->assigns.len; i++) {
        if (console->assigns.at[i].kind == ORIGIN_SCREEN) {
            free((char *)(uintptr_t)console->assigns.at[i].name);
            free((char *)(uintptr_t)console->assigns.at[i].value);
        }
    }
    vec_free(&console->assigns);
    free((char *)(uintptr_t)console->app.state.tree_error);
    free((char *)(uintptr_t)console->app.state.command);
    free(console->app.state.races.text);
    target_screen_free(console);
    compose_screen_free(console);
    compare_forget(console);
    free(console->compare_first);
    free(console->compare_second);
    asking_end(console);
    edges_screen_forget(console);
    actions_forget_batch(console);
    str_list_free(&console->command);
    player_close(console->player);
    watch_close(console->watch);
    free(console->image_before);
    conf_free(console->conf);
    logs_free(console->logs);
    input_free(&console->input);
    grid_free(&console->grid);
    keymap_reset();
    queue_free(console->events, free);
    free(console->root);
    free(console);
}

/* Everything but the terminal. Takes the player over. */
static struct console *new_console(struct cli *cli, struct player *player)
{
    struct console *console = mem_zero(1, sizeof *console);
    struct app_ops ops = {0};
    actions_fill(&ops);
    app_init(&console->app, &ops);
    console->cli = cli;
    console->player = player;
    console->speed = 1;
    console->events = queue_new();
    for (size_t i = 0; i < cli->assigns.len; i++)
        vec_push(&console->assigns, cli->assigns.at[i]);
    return console;
}

static int open_terminal(struct console *console, struct err *err)
{
    struct terminal_options options = {
        .path = "/dev/tty", .color = cli_color(console->cli, stdout), .mouse = true};
    console->terminal = terminal_open(&options, err);
    if (!console->terminal)
        return -1;
    console->grid.ascii = cli_ascii(console->cli);
    resize(console);
    load_keys(console);
    find_tree(console);
    return 0;
}

/* Gives the terminal back and leaves a summary on it; returns the exit status. */
static int close_console(struct console *console)
{
    actions_end_all(console);
    terminal_close(console->terminal);
    struct str text = {0};
    summary_text(&console->app.model, &text);
    fputs(str_text(&text), stdout);
    str_free(&text);
    int status = console->signal ? 128 + console->signal : console->status;
    free_console(console);
    return status;
}

int console_run(struct cli *cli)
{
    struct err err = {0};
    struct console *console = new_console(cli, NULL);
    if (open_terminal(console, &err) < 0) {
        free_console(console);
        return cli_fail(&err);
    }
    recall(console);
    if (console->root && (cli->assigns.len || cli->lanes)) {
        app_go(&console->app, "build");
        console->app.ops.build(console, NULL);
    } else {
        show_tour(console);
    }
    run(console);
    remember(console);
    return close_console(console);
}

/* A recorded build, on the screen `view`. */
static int run_recorded(struct console *console, const char *held_by, const char *view)
{
    struct err err = {0};
    if (open_terminal(console, &err) < 0) {
        free_console(console);
        return cli_fail(&err);
    }
    struct app *app = &console->app;
    console->loading = true;
    app->state.replaying = true; /* no clock of ours before it is read */
    app->state.held_by = held_by;
    app_go(app, view);
    if (console->compare_first)
        app_perform(app, REQ_COMPARE);
    run(console);
    return close_console(console);
}

int console_replay(struct cli *cli, const char *journal, bool follow)
{
    struct err err = {0};
    struct player *player = player_open(journal, &err);
    if (!player)
        return cli_fail(&err);
    struct console *console = new_console(cli, player);
    console->follow = follow;
    return run_recorded(console, follow ? "attached" : "recorded", follow ? "build" : "time");
}

int console_compare(struct cli *cli, const char *first, const char *second)
{
    struct err err = {0};
    struct player *player = player_open(first, &err);
    if (!player)
        return cli_fail(&err);
    struct console *console = new_console(cli, player);
    console->compare_first = mem_copy(first);
    console->compare_second = mem_copy(second);
    return run_recorded(console, "recorded", "time");
}
