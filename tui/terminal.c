#include "tui/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "tui/screen.h"

/* Application keys off, mouse (press, release, wheel; SGR form), bracketed paste, cursor. */
#define MOUSE_ON "\033[?1000h\033[?1006h"
#define MOUSE_OFF "\033[?1006l\033[?1000l"
#define PASTE_ON "\033[?2004h\033[?1004h" /* and focus: whether anybody looks */
#define PASTE_OFF "\033[?1004l\033[?2004l"
#define SYNC_ON "\033[?2026h"
#define SYNC_OFF "\033[?2026l"
#define CURSOR_ON "\033[?25h"
#define ATTRIBUTES_OFF "\033[m"
#define ASK "\033[5n" /* device status report; ECMA-48 8.3.35 */
#define ANSWER "\033[0n"

static const int signals[] = {SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGTSTP, SIGCONT};
static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
enum {
    SIGNALS = sizeof signals / sizeof *signals,
    CRASHES = sizeof crashes / sizeof *crashes,
    CLOSE_MS = 200, /* how long a stalled terminal is waited for at the end */
};
#define ANSWER_NS 5000000000ull /* one that answered before, and does not: frames go on unasked */

struct terminal {
    int fd, pipe[2];
    bool mouse, again, taken;
    bool answers; /* it did, once: each frame is followed by a question */
    unsigned asked; /* questions that it has not answered */
    uint64_t asked_ns; /* when the last was sent */
    struct screen *screen;
    struct termios before;
    struct str pending; /* bytes that the terminal has not taken */
    size_t sent;
    struct str extra; /* to go with the next frame */
    struct sigaction old_signals[SIGNALS], old_crashes[CRASHES];
};

/* What a signal handler may know: set before the handlers are. */
static struct {
    volatile sig_atomic_t active; /* the terminal is ours */
    int fd, pipe;
    struct termios before;
    char leave[256];
    size_t leave_length;
} crash;

static void on_signal(int number)
{
    int saved = errno;
    char byte = (char)number;
    if (write(crash.pipe, &byte, 1) < 0) /* full: enough is told already */
        byte = 0;
    errno = saved;
}

static void on_crash(int number)
{
    if (crash.active) {
        crash.active = 0;
        if (write(crash.fd, crash.leave, crash.leave_length) < 0)
            number += 0;
        tcsetattr(crash.fd, TCSANOW, &crash.before);
    }
    raise(number); /* SA_RESETHAND: the default now */
}

static void take_signals(struct terminal *terminal)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction last = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &action, &terminal->old_signals[i]);
    for (int i = 0; i < CRASHES; i++) {
        struct sigaction *old = &terminal->old_crashes[i];
        sigaction(crashes[i], NULL, old);
        if (old->sa_handler == SIG_DFL) /* a sanitizer's own report is worth more */
            sigaction(crashes[i], &last, NULL);
    }
}

static void give_signals(struct terminal *terminal)
{
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &terminal->old_signals[i], NULL);
    for (int i = 0; i < CRASHES; i++)
        sigaction(crashes[i], &terminal->old_crashes[i], NULL);
}

static void set_raw(struct terminal *terminal)
{
    struct termios raw = terminal->before;
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    while (tcsetattr(terminal->fd, TCSANOW, &raw) < 0 && errno == EINTR)
        ;
}

static void add_leave(const struct terminal *terminal, struct str *out)
{
    str_add(out, SYNC_OFF PASTE_OFF MOUSE_OFF ATTRIBUTES_OFF CURSOR_ON);
    str_add(out, screen_leave(terminal->screen));
}

static void take(struct terminal *terminal)
{
    struct str leave = {0};
    add_leave(terminal, &leave);
    crash.fd = terminal->fd;
    crash.pipe = terminal->pipe[1];
    crash.before = terminal->before;
    crash.leave_length = leave.len < sizeof crash.leave ? leave.len : 0;
    memcpy(crash.leave, str_text(&leave), crash.leave_length);
    str_free(&leave);
    crash.active = 1;
    set_raw(terminal);
    str_add(&terminal->extra, screen_enter(terminal->screen));
    str_add(&terminal->extra, PASTE_ON);
    if (terminal->mouse)
        str_add(&terminal->extra, MOUSE_ON);
    str_add(&terminal->extra, ASK);
    terminal->asked++;
    terminal->again = terminal->taken = true;
}

/* Sends what waits, for a short while; a terminal that does not take it is left alone. */
static void drain(struct terminal *terminal)
{
    uint64_t end = clock_ns() + CLOSE_MS * 1000000ull;
    while (terminal_unsent(terminal) && terminal_flush(terminal) == 0 && clock_ns() < end) {
        struct pollfd fd = {.fd = terminal->fd, .events = POLLOUT};
        poll(&fd, 1, 20);
    }
}

/* Answers that are still to come would stand in the next program's input. */
static void take_answers(struct terminal *terminal)
{
    uint64_t end = clock_ns() + CLOSE_MS * 1000000ull;
    const char *at = ANSWER;
    while (terminal->answers && terminal->asked && clock_ns() < end) {
        struct pollfd fd = {.fd = terminal->fd, .events = POLLIN};
        char byte;
        if (poll(&fd, 1, 20) < 0 || terminal_read(terminal, &byte, 1) <= 0)
            continue;
        at = byte == *at ? at + 1 : byte == *ANSWER ? &ANSWER[1] : ANSWER;
        if (!*at) {
            at = ANSWER;
            terminal->asked--;
        }
    }
    terminal->asked = 0;
}

static void give(struct terminal *terminal)
{
    if (!terminal->taken)
        return;
    terminal->taken = false;
    drain(terminal);
    if (!terminal_unsent(terminal))
        take_answers(terminal);
    /* What is still unsent is given up, and with it the middle of an escape sequence. */
    bool cut = terminal_unsent(terminal);
    str_cut(&terminal->pending, 0);
    terminal->sent = 0;
    if (cut)
        str_add(&terminal->pending, "\030"); /* CAN ends a sequence */
    add_leave(terminal, &terminal->pending);
    drain(terminal);
    tcsetattr(terminal->fd, TCSANOW, &terminal->before);
    crash.active = 0;
    str_cut(&terminal->pending, 0);
    str_cut(&terminal->extra, 0);
    terminal->sent = 0;
}

static int no_terminal(struct err *err, const char *path)
{
    return err_set(err, ERR_INPUT,
                   "no terminal (%s: %s): the console needs one; without it use `gantry build`",
                   path, strerror(errno));
}

struct terminal *terminal_open(const struct terminal_options *options, struct err *err)
{
    struct screen *screen = screen_open(options->type, options->color, err);
    if (!screen)
        return NULL;
    struct terminal *terminal = mem_zero(1, sizeof *terminal);
    terminal->screen = screen;
    terminal->mouse = options->mouse;
    terminal->pipe[0] = terminal->pipe[1] = -1;
    /* Opened anew: O_NONBLOCK belongs to the open file, which the shell shares with us otherwise. */
    terminal->fd = open(options->path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (terminal->fd < 0 || tcgetattr(terminal->fd, &terminal->before) < 0) {
        no_terminal(err, options->path);
        terminal_close(terminal);
        return NULL;
    }
    if (pipe2(terminal->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
        err_errno(err, "cannot make a pipe");
        terminal_close(terminal);
        return NULL;
    }
    take(terminal);
    take_signals(terminal);
    return terminal;
}

void terminal_close(struct terminal *terminal)
{
    if (!terminal)
        return;
    give(terminal);
    if (terminal->pipe[0] >= 0) {
        give_signals(terminal);
        close(terminal->pipe[0]);
        close(terminal->pipe[1]);
    }
    if (terminal->fd >= 0)
        close(terminal->fd);
    screen_close(terminal->screen);
    str_free(&terminal->pending);
    str_free(&terminal->extra);
    free(terminal);
}

int terminal_fd(const struct terminal *terminal)
{
    return terminal->fd;
}

int terminal_signal_fd(const struct terminal *terminal)
{
    return terminal->pipe[0];
}

void terminal_size(const struct terminal *terminal, int *w, int *h)
{
    struct winsize size;
    bool known = ioctl(terminal->fd, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row;
    *w = known ? size.ws_col : 80;
    *h = known ? size.ws_row : 24;
}

int terminal_read(struct terminal *terminal, char *bytes, size_t size)
{
    ssize_t got = read(terminal->fd, bytes, size);
    if (got > 0)
        return (int)got;
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

bool terminal_unsent(const struct terminal *terminal)
{
    return terminal->sent < terminal->pending.len;
}

bool terminal_busy(const struct terminal *terminal)
{
    return terminal_unsent(terminal) ||
           (terminal_deadline(terminal) && clock_ns() < terminal_deadline(terminal));
}

uint64_t terminal_deadline(const struct terminal *terminal)
{
    return terminal->answers && terminal->asked ? terminal->asked_ns + ANSWER_NS : 0;
}

void terminal_answered(struct terminal *terminal)
{
    terminal->answers = true;
    if (terminal->asked)
        terminal->asked--;
}

int terminal_flush(struct terminal *terminal)
{
    while (terminal_unsent(terminal)) {
        ssize_t sent = write(terminal->fd, terminal->pending.at + terminal->sent,
                             terminal->pending.len - terminal->sent);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? 0 : -1;
        terminal->sent += (size_t)sent;
    }
    str_cut(&terminal->pending, 0);
    terminal->sent = 0;
    return 0;
}

bool terminal_show(struct terminal *terminal, const struct grid *grid)
{
    if (terminal_busy(terminal))
        return false;
    size_t length = 0;
    const char *frame = screen_render(terminal->screen, grid, terminal->again, &length);
    terminal->again = false;
    str_add_n(&terminal->pending, str_text(&terminal->extra), terminal->extra.len);
    str_cut(&terminal->extra, 0);
    if (length) {
        str_add(&terminal->pending, SYNC_ON);
        str_add_n(&terminal->pending, frame, length);
        str_add(&terminal->pending, SYNC_OFF);
        if (terminal->answers) {
            str_add(&terminal->pending, ASK);
            terminal->asked++;
            terminal->asked_ns = clock_ns();
        }
    }
    terminal_flush(terminal);
    return true;
}

void terminal_forget(struct terminal *terminal)
{
    terminal->again = true;
}

void terminal_send(struct terminal *terminal, const char *bytes, size_t length)
{
    str_add_n(&terminal->extra, bytes, length);
}

void terminal_mouse(struct terminal *terminal, bool on)
{
    terminal->mouse = on;
    str_add(&terminal->extra, on ? MOUSE_ON : MOUSE_OFF);
}

void terminal_suspend(struct terminal *terminal)
{
    give(terminal);
}

void terminal_resume(struct terminal *terminal)
{
    if (!terminal->taken)
        take(terminal);
}
