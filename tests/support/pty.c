#include "tests/support/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <vterm.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"

enum { SLICE_MS = 5 };

/* Bytes that were taken at once: up to an offset of all that was sent. */
struct taken {
    size_t end;
    uint64_t ns;
};

struct pty {
    int fd; /* the terminal's end; -1: hung up */
    int slave; /* kept open, for the settings after the program's end */
    pid_t pid;
    bool ended;
    int status;
    int w, h;
    VTerm *term;
    struct termios before;
    uint64_t rate, credit_ns; /* bytes a second; up to when they were taken */
    struct str sent, text;
    VEC(struct taken) takes; /* in order */
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void set_environment(const char *const *environment)
{
    for (; environment && *environment; environment++) {
        char *entry = mem_copy(*environment), *equal = strchr(entry, '=');
        if (equal) {
            *equal = '\0';
            setenv(entry, equal + 1, 1);
        } else {
            unsetenv(entry);
        }
        free(entry);
    }
}

static void become(const char *const *argv, const char *directory, const char *const *environment,
                   int slave)
{
    setsid();
    if (ioctl(slave, TIOCSCTTY, 0) < 0 || chdir(directory) < 0)
        _exit(126);
    for (int fd = 0; fd < 3; fd++)
        dup2(slave, fd);
    set_environment(environment);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

struct pty *pty_start(const char *const *argv, const char *directory,
                      const char *const *environment, int w, int h)
{
    struct pty *pty = mem_zero(1, sizeof *pty);
    struct winsize size = {.ws_col = (unsigned short)w, .ws_row = (unsigned short)h};
    pty->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (pty->fd < 0 || grantpt(pty->fd) < 0 || unlockpt(pty->fd) < 0)
        die("a pseudo terminal");
    pty->slave = open(ptsname(pty->fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (pty->slave < 0 || ioctl(pty->slave, TIOCSWINSZ, &size) < 0 ||
        tcgetattr(pty->slave, &pty->before) < 0)
        die("a pseudo terminal");
    pty->w = w;
    pty->h = h;
    pty->rate = UINT64_MAX;
    pty->term = vterm_new(h, w);
    vterm_set_utf8(pty->term, 1);
    vterm_screen_enable_altscreen(vterm_obtain_screen(pty->term), 1);
    vterm_screen_reset(vterm_obtain_screen(pty->term), 1);
    pty->pid = fork();
    if (pty->pid < 0)
        die("fork");
    if (pty->pid == 0)
        become(argv, directory, environment, pty->slave);
    return pty;
}

void pty_hang_up(struct pty *pty)
{
    if (pty->fd >= 0)
        close(pty->fd);
    pty->fd = -1;
}

void pty_close(struct pty *pty)
{
    if (!pty->ended) {
        kill(pty->pid, SIGKILL);
        waitpid(pty->pid, &pty->status, 0);
    }
    pty_hang_up(pty);
    close(pty->slave);
    vterm_free(pty->term);
    str_free(&pty->sent);
    vec_free(&pty->takes);
    str_free(&pty->text);
    free(pty);
}

void pty_drain(struct pty *pty, uint64_t bytes_per_s)
{
    pty->rate = bytes_per_s;
    pty->credit_ns = clock_ns();
}

/* How many bytes the terminal may take now. */
static size_t allowance(struct pty *pty, size_t most)
{
    if (pty->rate == UINT64_MAX || pty->rate == 0)
        return pty->rate ? most : 0;
    uint64_t now = clock_ns(), bytes = (now - pty->credit_ns) * pty->rate / 1000000000;
    return bytes < most ? (size_t)bytes : most;
}

/* What the terminal says by itself: answers to questions. */
static void give_answers(struct pty *pty)
{
    char bytes[256];
    size_t length = vterm_output_read(pty->term, bytes, sizeof bytes);
    if (length)
        pty_type(pty, bytes, length);
}

static void take(struct pty *pty)
{
    char bytes[65536];
    size_t most = allowance(pty, sizeof bytes);
    ssize_t got = most ? read(pty->fd, bytes, most) : 0;
    if (got <= 0)
        return;
    if (pty->rate != UINT64_MAX)
        pty->credit_ns += (uint64_t)got * 1000000000 / pty->rate;
    str_add_n(&pty->sent, bytes, (size_t)got);
    vec_push(&pty->takes, (struct taken){pty->sent.len, clock_ns()});
    vterm_input_write(pty->term, bytes, (size_t)got);
    give_answers(pty);
}

static void look_for_end(struct pty *pty)
{
    if (!pty->ended && waitpid(pty->pid, &pty->status, WNOHANG) == pty->pid)
        pty->ended = true;
}

bool pty_run(struct pty *pty, unsigned ms)
{
    uint64_t end = clock_ns() + ms * 1000000ull;
    do {
        uint64_t now = clock_ns();
        int left = now < end ? (int)((end - now) / 1000000) + 1 : 0;
        bool slow = pty->rate != UINT64_MAX;
        struct pollfd fd = {.fd = slow ? -1 : pty->fd, .events = POLLIN};
        int wait = left > SLICE_MS ? SLICE_MS : left;
        /* A slow line that had nothing to take gains no credit by that. */
        struct pollfd waiting = {.fd = pty->fd, .events = POLLIN};
        if (slow && pty->fd >= 0 && poll(&waiting, 1, 0) == 0)
            pty->credit_ns = clock_ns();
        poll(&fd, 1, wait);
        if (pty->fd >= 0)
            take(pty);
        look_for_end(pty);
    } while (!pty->ended && clock_ns() < end);
    if (pty->ended && pty->fd >= 0)
        take(pty);
    return !pty->ended;
}

void pty_type(struct pty *pty, const char *bytes, size_t length)
{
    while (length && pty->fd >= 0) {
        ssize_t done = write(pty->fd, bytes, length);
        if (done < 0 && errno != EAGAIN && errno != EINTR)
            return;
        if (done < 0) { /* it reads nothing now: as a keyboard, we wait no longer */
            return;
        }
        bytes += done;
        length -= (size_t)done;
    }
}

void pty_keys(struct pty *pty, const char *bytes)
{
    pty_type(pty, bytes, strlen(bytes));
}

void pty_resize(struct pty *pty, int w, int h)
{
    struct winsize size = {.ws_col = (unsigned short)w, .ws_row = (unsigned short)h};
    pty->w = w;
    pty->h = h;
    vterm_set_size(pty->term, h, w);
    ioctl(pty->fd, TIOCSWINSZ, &size);
}

static void add_utf8(struct str *out, uint32_t ch)
{
    char bytes[4];
    if (ch < 0x80) {
        str_add_char(out, ch ? (char)ch : ' ');
        return;
    }
    int length = ch < 0x800 ? 2 : ch < 0x10000 ? 3 : 4;
    for (int i = length - 1; i > 0; i--, ch >>= 6)
        bytes[i] = (char)(0x80 | (ch & 0x3F));
    bytes[0] = (char)((0xF00 >> length & 0xFF) | ch);
    str_add_n(out, bytes, (size_t)length);
}

const char *pty_text(struct pty *pty)
{
    VTermScreen *cells = vterm_obtain_screen(pty->term);
    str_cut(&pty->text, 0);
    for (int y = 0; y < pty->h; y++) {
        for (int x = 0; x < pty->w; x++) {
            VTermScreenCell cell;
            vterm_screen_get_cell(cells, (VTermPos){y, x}, &cell);
            add_utf8(&pty->text, cell.chars[0] == UINT32_MAX ? ' ' : cell.chars[0]);
            x += cell.width > 1;
        }
        while (pty->text.len && pty->text.at[pty->text.len - 1] == ' ')
            str_cut(&pty->text, pty->text.len - 1);
        str_add_char(&pty->text, '\n');
    }
    return str_text(&pty->text);
}

bool pty_wait_for(struct pty *pty, const char *text, unsigned ms)
{
    uint64_t end = clock_ns() + ms * 1000000ull;
    bool runs = true;
    while (!strstr(pty_text(pty), text)) {
        if (!runs || clock_ns() >= end)
            return false;
        runs = pty_run(pty, SLICE_MS);
    }
    return true;
}

int pty_wait(struct pty *pty, unsigned ms)
{
    uint64_t end = clock_ns() + ms * 1000000ull;
    while (!pty->ended && clock_ns() < end)
        pty_run(pty, SLICE_MS);
    return pty->ended ? pty->status : -1;
}

pid_t pty_pid(const struct pty *pty)
{
    return pty->pid;
}

const struct str *pty_sent(const struct pty *pty)
{
    return &pty->sent;
}

uint64_t pty_taken_ns(const struct pty *pty, size_t offset)
{
    size_t at = pty->takes.len;
    while (at && pty->takes.at[at - 1].end > offset)
        at--;
    return at < pty->takes.len ? pty->takes.at[at].ns : 0;
}

/* The last of two texts that was sent. */
static const char *last_of(const struct pty *pty, const char *one, const char *other)
{
    const char *last = "", *found = NULL;
    const char *const words[] = {one, other};
    const char *bytes = str_text(&pty->sent), *end = bytes + pty->sent.len;
    for (int i = 0; i < 2; i++) {
        size_t length = strlen(words[i]);
        for (const char *at = bytes;
             (at = memmem(at, (size_t)(end - at), words[i], length)) != NULL; at += length)
            if (!found || at > found) {
                found = at;
                last = words[i];
            }
    }
    return last;
}

const char *pty_spoiled(struct pty *pty)
{
    static const struct {
        const char *on, *off, *what;
    } modes[] = {{"\033[?1049h", "\033[?1049l", "it is on the alternate screen"},
                 {"\033[?25l", "\033[?25h", "the cursor is hidden"},
                 {"\033[?1000h", "\033[?1000l", "the mouse is reported"},
                 {"\033[?1004h", "\033[?1004l", "focus is reported"},
                 {"\033[?2004h", "\033[?2004l", "pastes are marked"},
                 {"\033[?2026h", "\033[?2026l", "output is synchronised"}};
    struct termios now;
    memset(&now, 0, sizeof now);
    if (tcgetattr(pty->slave, &now) < 0)
        return "the settings cannot be read";
    if (now.c_iflag != pty->before.c_iflag || now.c_oflag != pty->before.c_oflag ||
        now.c_lflag != pty->before.c_lflag || now.c_cflag != pty->before.c_cflag ||
        memcmp(now.c_cc, pty->before.c_cc, sizeof now.c_cc) != 0)
        return "the terminal's settings are others than before";
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(last_of(pty, modes[i].on, modes[i].off), modes[i].on) == 0)
            return modes[i].what;
    return NULL;
}
