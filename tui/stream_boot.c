/* A guest in lines. On a terminal the keyboard is the guest's, as in the console's Boot screen. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"
#include "tui/stop.h"
#include "tui/stream.h"

enum { DETACH = 0x1d }; /* ^] */

struct boot {
    struct stream *stream;
    struct vm *vm;
    struct queue *events;
    stream_see *see;
    void *data;
    struct termios saved;
    bool typing; /* the terminal is ours to read, and `saved` is how it was */
    bool detached; /* ^] was typed */
};

static void stop_guest(void *data, unsigned times)
{
    (void)times;
    vm_stop(data);
}

/* Keys one by one, ^C and ^Z too; what is printed keeps its line ends. */
static void start_typing(struct boot *boot)
{
    struct termios keys;
    if (boot->see || !isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &boot->saved) < 0 ||
        tcgetpgrp(STDIN_FILENO) != getpgrp()) /* in the background nothing is typed */
        return;
    keys = boot->saved;
    keys.c_iflag &= (tcflag_t) ~(ICRNL | INLCR | IGNCR | IXON | ISTRIP);
    keys.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ISIG | IEXTEN);
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    boot->typing = tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
}

static void end_typing(struct boot *boot)
{
    if (boot->typing)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &boot->saved);
    boot->typing = false;
}

static void take_keys(struct boot *boot)
{
    char keys[256];
    ssize_t got = read(STDIN_FILENO, keys, sizeof keys);
    if (got <= 0 && errno != EINTR && errno != EAGAIN) {
        end_typing(boot); /* the terminal went away */
        return;
    }
    const char *detach = got > 0 ? memchr(keys, DETACH, (size_t)got) : NULL;
    if (detach) {
        boot->detached = true;
        got = detach - keys;
    }
    if (got > 0)
        vm_type(boot->vm, keys, (size_t)got);
    if (detach)
        vm_stop(boot->vm);
}

/* Prints what has come; true when it was the end. */
static bool print_events(struct boot *boot)
{
    bool end = false;
    for (struct event *event; !end && (event = queue_pop(boot->events)) != NULL;) {
        end = event->kind == EVENT_VM_END;
        if (!boot->see || boot->see(boot->data, event))
            stream_put(boot->stream, event);
        free(event);
    }
    stream_flush(boot->stream);
    return end;
}

int stream_boot(struct stream *stream, const struct vm_options *options, stream_see *see,
                void *data)
{
    struct err err = {0};
    struct boot boot = {.stream = stream, .events = queue_new(), .see = see, .data = data};
    if (!boot.events) {
        err_errno(&err, "cannot boot");
        return cli_fail(&err);
    }
    boot.vm = vm_start(options, boot.events, &err);
    struct stop *stop = boot.vm ? stop_watch(stop_guest, boot.vm, &err) : NULL;
    int status = 2, number = 0;
    if (stop) {
        start_typing(&boot);
        stream_interactive(stream, boot.typing);
        while (!print_events(&boot)) {
            struct pollfd fds[] = {{queue_fd(boot.events), POLLIN, 0},
                                   {boot.typing ? STDIN_FILENO : -1, POLLIN, 0}};
            if (poll(fds, 2, -1) > 0 && fds[1].revents)
                take_keys(&boot);
        }
        end_typing(&boot);
        stream_interactive(stream, false);
        number = stop_end(stop);
    } else if (boot.vm) {
        vm_stop(boot.vm);
    }
    if (boot.vm)
        status = vm_finish(boot.vm);
    queue_free(boot.events, free);
    if (!stop)
        return cli_fail(&err);
    return number ? 128 + number : boot.detached ? 0 : status;
}
