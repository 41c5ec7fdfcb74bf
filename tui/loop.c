#include "tui/loop.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "load/load.h"
#include "tui/console.h"
#include "views/summary.h"

enum {
    FRAME_NS = 33333333, /* 30 frames a second */
    TICK_NS = 200000000, /* clocks on the screen, while something runs */
    EVENTS_NS = 10000000, /* events are taken in for so long before a frame is due */
};

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

/* ---- what comes in ---- */

static void take_event(struct console *console, struct event *event)
{
    if (event->kind == EVENT_BUILD_BEGIN)
        console->build_ns = clock_ns() - event->t_ns;
    app_event(&console->app, event);
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

/* Keys, and what they asked of the terminal. */
static void take_keys(struct console *console)
{
    struct app *app = &console->app;
    static bool mouse = true;
    struct key key;
    while (!app->quit && input_next(&console->input, clock_ns(), &key)) {
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

/* ---- the loop ---- */

static void show(struct console *console)
{
    struct app *app = &console->app;
    if (app->model.state == BUILD_RUNNING)
        model_tick(&app->model, clock_ns() - console->build_ns);
    grid_reset(&console->grid, console->grid.w, console->grid.h);
    app_draw(app, &console->grid);
    if (terminal_show(console->terminal, &console->grid))
        console->dirty = false;
}

/* Milliseconds until something is due, -1: nothing is. */
static int wait_ms(const struct console *console, uint64_t shown_ns)
{
    uint64_t now = clock_ns(), due = UINT64_MAX;
    if (console->dirty && !terminal_busy(console->terminal))
        due = shown_ns + FRAME_NS;
    else if (app_moves(&console->app))
        due = shown_ns + TICK_NS;
    uint64_t key = input_deadline(&console->input);
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
        struct pollfd fds[] = {
            {.fd = terminal_fd(console->terminal), .events = POLLIN},
            {.fd = terminal_signal_fd(console->terminal), .events = POLLIN},
            {.fd = queue_fd(console->events), .events = POLLIN},
        };
        if (terminal_busy(console->terminal))
            fds[0].events |= POLLOUT;
        poll(fds, 3, wait_ms(console, shown_ns));
        if (fds[1].revents)
            take_signals(console);
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
            take_bytes(console);
        if ((fds[0].revents & POLLOUT) && terminal_flush(console->terminal) < 0)
            console->app.quit = true;
        take_keys(console);
        if (fds[2].revents)
            take_events(console);
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
    target_screen_free(console);
    compose_screen_free(console);
    conf_free(console->conf);
    logs_free(console->logs);
    input_free(&console->input);
    grid_free(&console->grid);
    queue_free(console->events, free);
    free(console->root);
    free(console);
}

int console_run(struct cli *cli)
{
    struct err err = {0};
    struct console *console = mem_zero(1, sizeof *console);
    struct app_ops ops = {0};
    actions_fill(&ops);
    app_init(&console->app, &ops);
    console->cli = cli;
    console->events = queue_new();
    for (size_t i = 0; i < cli->assigns.len; i++)
        vec_push(&console->assigns, cli->assigns.at[i]);
    struct terminal_options options = {
        .path = "/dev/tty", .color = cli_color(cli, stdout), .mouse = true};
    console->terminal = terminal_open(&options, &err);
    if (!console->terminal) {
        free_console(console);
        return cli_fail(&err);
    }
    console->grid.ascii = cli_ascii(cli);
    resize(console);
    find_tree(console);
    if (console->root && (cli->assigns.len || cli->lanes))
        console->app.ops.build(console, NULL);
    run(console);
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
