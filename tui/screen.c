#include "tui/screen.h"

#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <term.h>
#include <unistd.h>
#include <wchar.h>

#include "base/mem.h"
#include "base/str.h"

struct screen {
    SCREEN *curses;
    FILE *out, *in; /* a memory file that curses writes to; /dev/null */
    struct str frame;
    char *enter, *leave;
    bool color, begun; /* the latter: a frame was rendered */
    attr_t looks[STYLES_COUNT];
    short pairs[STYLES_COUNT];
};

static const struct {
    short color;
    unsigned look;
} theme[STYLES_COUNT] = {
#define STYLE_ROW(name, color, look) {color, look},
    STYLES(STYLE_ROW)
#undef STYLE_ROW
};

/* Moves what curses wrote into the frame. */
static void collect(struct screen *screen)
{
    int fd = fileno(screen->out);
    fflush(screen->out);
    off_t length = lseek(fd, 0, SEEK_CUR);
    str_cut(&screen->frame, 0);
    char buffer[16384];
    for (off_t at = 0; at < length;) {
        ssize_t got = pread(fd, buffer, sizeof buffer, at);
        if (got <= 0)
            break;
        str_add_n(&screen->frame, buffer, (size_t)got);
        at += got;
    }
    if (lseek(fd, 0, SEEK_SET) == 0 && ftruncate(fd, 0) < 0)
        str_cut(&screen->frame,
                screen->frame.len); /* stale bytes lie beyond the offset: harmless */
}

static void make_looks(struct screen *screen)
{
    for (int i = 0; i < STYLES_COUNT; i++) {
        attr_t attr = A_NORMAL;
        if (theme[i].look & LOOK_BOLD)
            attr |= A_BOLD;
        if (theme[i].look & LOOK_DIM)
            attr |= A_DIM;
        if (theme[i].look & LOOK_UNDERLINE)
            attr |= A_UNDERLINE;
        if (theme[i].look & LOOK_REVERSE)
            attr |= A_REVERSE;
        screen->looks[i] = attr;
        if (!screen->color || theme[i].color < 0)
            continue;
        short pair = (short)(theme[i].color + 1);
        init_pair(pair, theme[i].color, -1);
        screen->pairs[i] = pair;
    }
}

static const char *capability(const char *name)
{
    const char *text = tigetstr((char *)(uintptr_t)name);
    return text && text != (char *)-1 ? text : "";
}

static int no_use(const char *type, struct err *err)
{
    return err_set(err, ERR_INPUT,
                   "the terminal type '%s' cannot show the console: set TERM (xterm, linux, "
                   "screen ...), or use `gantry build --plain`",
                   type && *type ? type : "");
}

struct screen *screen_open(const char *type, bool color, struct err *err)
{
    const char *name = type ? type : getenv("TERM");
    if (!name || !*name || strcmp(name, "dumb") == 0 || strcmp(name, "unknown") == 0) {
        no_use(name, err);
        return NULL;
    }
    struct screen *screen = mem_zero(1, sizeof *screen);
    int fd = memfd_create("frame", MFD_CLOEXEC);
    screen->out = fd >= 0 ? fdopen(fd, "w") : NULL;
    screen->in = fopen("/dev/null", "re");
    if (!screen->out || !screen->in) {
        err_errno(err, "cannot make a frame buffer");
        screen_close(screen);
        return NULL;
    }
    /* The size is set with the first frame; not every type has one to begin with ("linux"). */
    use_env(TRUE);
    screen->curses = newterm((char *)(uintptr_t)name, screen->out, screen->in);
    if (!screen->curses || !*capability("cup")) {
        no_use(name, err);
        screen_close(screen);
        return NULL;
    }
    screen->enter = mem_copy(capability("smcup"));
    /* Without an alternate screen what we drew would stay, and the shell begin in its middle. */
    screen->leave = mem_copy(*capability("rmcup") ? capability("rmcup") : capability("clear"));
    screen->color = color && has_colors() && start_color() == OK && use_default_colors() == OK;
    make_looks(screen);
    noecho();
    leaveok(stdscr, FALSE);
    idlok(stdscr, FALSE);
    typeahead(-1);
    /* What newterm writes is ours to say, and part of it would be wrong: a scroll region of as many
     * lines as terminfo thinks there are. The first refresh hands it out. */
    refresh();
    collect(screen);
    return screen;
}

void screen_close(struct screen *screen)
{
    if (!screen)
        return;
    if (screen->curses) {
        endwin();
        delscreen(screen->curses);
    }
    if (screen->out)
        fclose(screen->out);
    if (screen->in)
        fclose(screen->in);
    str_free(&screen->frame);
    free(screen->enter);
    free(screen->leave);
    free(screen);
}

static void draw_cell(const struct screen *screen, const struct cell *cell, int x, int y)
{
    wchar_t text[3] = {(wchar_t)cell->ch, (wchar_t)cell->mark, 0};
    attr_t attr = screen->looks[cell->style] ^ (cell->reverse ? A_REVERSE : 0);
    cchar_t wide;
    if (setcchar(&wide, text, attr, screen->pairs[cell->style], NULL) == OK)
        mvadd_wch(y, x, &wide);
}

const char *screen_render(struct screen *screen, const struct grid *grid, bool again,
                          size_t *length)
{
    if (grid->w != COLS || grid->h != LINES) {
        resizeterm(grid->h, grid->w);
        again = true;
    }
    again |= !screen->begun; /* curses thinks that the terminal is blank by now */
    screen->begun = true;
    for (int y = 0; y < grid->h; y++) {
        const struct cell *row = &grid->cells[y * grid->w];
        for (int x = 0; x < grid->w; x++)
            if (row[x].ch)
                draw_cell(screen, &row[x], x, y);
    }
    if (again)
        clearok(curscr, TRUE);
    bool cursor = grid->cursor_x >= 0;
    curs_set(cursor);
    leaveok(stdscr, !cursor);
    if (cursor)
        move(grid->cursor_y, grid->cursor_x);
    refresh();
    collect(screen);
    *length = screen->frame.len;
    return str_text(&screen->frame);
}

const char *screen_enter(const struct screen *screen)
{
    return screen->enter;
}

const char *screen_leave(const struct screen *screen)
{
    return screen->leave;
}

bool screen_has_color(const struct screen *screen)
{
    return screen->color;
}
