#include "tui/plain_screen.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "base/path.h"
#include "journal/journal.h"
#include "tui/stream.h"

enum { LOOK_MS = 50 };

/* The journal of what is shown: the recorded one, or the newest of the picked configuration. */
static char *journal_of(struct console *console, struct err *err)
{
    if (console->player)
        return path_join(".", player_path(console->player));
    if (!console->root) {
        err_set(err, ERR_INPUT, "no tree here, and so no build to print");
        return NULL;
    }
    char *state = build_state_dir(console->root, console->assigns.at, console->assigns.len, err);
    char *directory = state ? path_join(state, "journal") : NULL;
    char *path = directory ? journal_newest(directory) : NULL;
    if (state && !path)
        err_set(err, ERR_INPUT, "nothing was built here yet");
    free(directory);
    free(state);
    return path;
}

/* Keys one by one, not shown. */
static void take_keys(int fd, struct termios *before)
{
    struct termios keys;
    if (tcgetattr(fd, before) < 0)
        return;
    keys = *before;
    keys.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ISIG);
    tcsetattr(fd, TCSANOW, &keys);
}

static void print_until_key(struct console *console, struct journal_reader *reader,
                            struct stream *stream, void (*idle)(struct console *))
{
    struct pollfd fds[] = {{.fd = terminal_fd(console->terminal), .events = POLLIN},
                           {.fd = terminal_signal_fd(console->terminal), .events = POLLIN}};
    for (;;) {
        for (struct event *event; (event = journal_next(reader));) {
            stream_put(stream, event);
            free(event);
        }
        stream_flush(stream);
        if (poll(fds, 2, LOOK_MS) > 0)
            break;
        idle(console);
    }
    char bytes[64]; /* the key that ended it means nothing else */
    if (fds[0].revents)
        terminal_read(console->terminal, bytes, sizeof bytes);
}

void plain_screen_run(struct console *console, void (*idle)(struct console *))
{
    struct err err = {0};
    struct cli cli = *console->cli;
    struct termios before;
    cli.output = OUTPUT_PLAIN;
    cli.json_to = NULL;
    char *path = journal_of(console, &err);
    struct journal_reader *reader = path ? journal_read_open(path, &err) : NULL;
    struct stream *stream = reader ? stream_open(&cli, &err) : NULL;
    if (stream) {
        terminal_suspend(console->terminal);
        int fd = terminal_fd(console->terminal);
        take_keys(fd, &before);
        printf("\n");
        fflush(stdout);
        print_until_key(console, reader, stream, idle);
        tcsetattr(fd, TCSANOW, &before);
        stream_close(stream);
        terminal_resume(console->terminal);
    } else {
        app_say(&console->app, SEVERITY_ERROR, err.text);
    }
    if (reader)
        journal_read_close(reader);
    free(path);
}
