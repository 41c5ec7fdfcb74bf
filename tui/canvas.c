#include "tui/canvas.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "base/mem.h"

enum { REPLACEMENT = 0xFFFD };

/* Twins for terminals without UTF-8: each is one cell for one cell. */
static const struct {
    uint32_t ch;
    char twin;
} twins[] = {
    {0x2500, '-'}, {0x2502, '|'},  {0x250C, '+'},  {0x2510, '+'}, {0x2514, '`'}, {0x2518, '+'},
    {0x251C, '|'}, {0x2524, '|'},  {0x2026, '~'},  {0x25CF, 'o'}, {0x25D0, '%'}, {0x25CB, '.'},
    {0x2713, '+'}, {0x2717, 'x'},  {0x2691, '!'},  {0x2298, '-'}, {0x2504, '~'}, {0x2588, '#'},
    {0x2593, '='}, {0x2592, '-'},  {0x2591, '.'},  {0x2589, '#'}, {0x258A, '#'}, {0x258B, '#'},
    {0x2581, '.'}, {0x2582, '.'},  {0x2583, ':'},  {0x2584, ':'}, {0x2585, '='}, {0x2586, '='},
    {0x2587, '#'}, {0x258C, '='},  {0x258D, '-'},  {0x258E, '-'}, {0x258F, ' '}, {0x2022, '*'},
    {0x2039, '<'}, {0x203A, '>'},  {0x2192, '>'},  {0x2190, '<'}, {0x2191, '^'}, {0x2193, 'v'},
    {0x2265, '>'}, {0x2550, '='},  {0x00B7, '.'},  {0x25B8, '>'}, {0x25BE, 'v'}, {0x2014, '-'},
    {0x2013, '-'}, {0x2018, '\''}, {0x2019, '\''}, {0x201C, '"'}, {0x201D, '"'}, {0x25C6, '*'},
    {0x253C, '+'},
};

void grid_reset(struct grid *grid, int w, int h)
{
    if (w < 1)
        w = 1;
    if (h < 1)
        h = 1;
    size_t count = (size_t)w * (size_t)h;
    if (w != grid->w || h != grid->h)
        grid->cells = mem_grow(grid->cells, count * sizeof *grid->cells);
    grid->w = w;
    grid->h = h;
    grid->cursor_x = grid->cursor_y = -1;
    for (size_t i = 0; i < count; i++)
        grid->cells[i] = (struct cell){.ch = ' '};
}

void grid_free(struct grid *grid)
{
    free(grid->cells);
    *grid = (struct grid){0};
}

struct canvas grid_canvas(struct grid *grid)
{
    return (struct canvas){.grid = grid, .w = grid->w, .h = grid->h};
}

struct canvas canvas_part(const struct canvas *canvas, struct rect part)
{
    if (part.x < 0)
        part.w += part.x, part.x = 0;
    if (part.y < 0)
        part.h += part.y, part.y = 0;
    if (part.w > canvas->w - part.x)
        part.w = canvas->w - part.x;
    if (part.h > canvas->h - part.y)
        part.h = canvas->h - part.y;
    return (struct canvas){.grid = canvas->grid,
                           .x = canvas->x + part.x,
                           .y = canvas->y + part.y,
                           .w = part.w < 0 ? 0 : part.w,
                           .h = part.h < 0 ? 0 : part.h};
}

/* The cell at x,y of the canvas, or NULL outside. */
static struct cell *cell_at(const struct canvas *canvas, int x, int y)
{
    if (x < 0 || y < 0 || x >= canvas->w || y >= canvas->h)
        return NULL;
    return &canvas->grid->cells[(canvas->y + y) * canvas->grid->w + canvas->x + x];
}

static uint32_t to_ascii(uint32_t ch)
{
    if (ch < 0x80)
        return ch;
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
        if (twins[i].ch == ch)
            return (unsigned char)twins[i].twin;
    return '?';
}

/* A wide character loses its other half when one is overwritten. */
static void unpair(const struct canvas *canvas, int x, int y)
{
    struct cell *cell = cell_at(canvas, x, y);
    struct cell *left = cell_at(canvas, x - 1, y), *right = cell_at(canvas, x + 1, y);
    if (cell && cell->ch == 0 && left)
        left->ch = ' ';
    if (cell && right && right->ch == 0)
        right->ch = ' ';
}

static void set_cell(const struct canvas *canvas, int x, int y, enum style style, uint32_t ch)
{
    struct cell *cell = cell_at(canvas, x, y);
    if (!cell)
        return;
    unpair(canvas, x, y);
    *cell = (struct cell){.ch = ch, .style = (uint8_t)style};
}

/* The next character of text and its columns (0: a combining mark); never a control character. */
static size_t next_char(const char *text, size_t length, uint32_t *ch, int *columns)
{
    unsigned char byte = (unsigned char)*text;
    if (byte >= 0x20 && byte < 0x7f) {
        *ch = byte;
        *columns = 1;
        return 1;
    }
    utf8proc_int32_t code = -1;
    utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)text,
                                             (utf8proc_ssize_t)(length > 4 ? 4 : length), &code);
    if (used <= 0) {
        *ch = REPLACEMENT;
        *columns = 1;
        return 1;
    }
    *ch = (uint32_t)code;
    *columns = utf8proc_charwidth(code);
    utf8proc_category_t category = utf8proc_category(code);
    bool mark = category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME;
    if (category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
        category == UTF8PROC_CATEGORY_CO || category == UTF8PROC_CATEGORY_CN ||
        (*columns < 1 && !mark)) {
        *ch = code == '\t' ? ' ' : REPLACEMENT;
        *columns = 1;
    } else if (mark) {
        *columns = 0;
    }
    return (size_t)used;
}

int canvas_put_n(const struct canvas *canvas, int x, int y, enum style style, const char *text,
                 size_t length)
{
    bool ascii = canvas->grid->ascii;
    if (y < 0 || y >= canvas->h)
        return x;
    while (length && x < canvas->w) {
        uint32_t ch;
        int columns;
        size_t used = next_char(text, length, &ch, &columns);
        text += used;
        length -= used;
        if (columns == 0) {
            struct cell *before = cell_at(canvas, x - 1, y);
            if (before && before->ch && !ascii)
                before->mark = ch;
            continue;
        }
        if (ascii) {
            for (int i = 0; i < columns; i++)
                set_cell(canvas, x + i, y, style, to_ascii(ch));
        } else if (columns == 2 && (x < 0 || x + 1 >= canvas->w)) {
            set_cell(canvas, x, y, style, ' ');
        } else {
            set_cell(canvas, x, y, style, ch);
            if (columns == 2) {
                set_cell(canvas, x + 1, y, style, ' ');
                cell_at(canvas, x + 1, y)->ch = 0;
            }
        }
        x += columns;
    }
    return x;
}

int canvas_put(const struct canvas *canvas, int x, int y, enum style style, const char *text)
{
    return canvas_put_n(canvas, x, y, style, text, strlen(text));
}

int canvas_putf(const struct canvas *canvas, int x, int y, enum style style, const char *format,
                ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return canvas_put(canvas, x, y, style, text);
}

int canvas_columns_n(const char *text, size_t length)
{
    int sum = 0;
    while (length) {
        uint32_t ch;
        int columns;
        size_t used = next_char(text, length, &ch, &columns);
        text += used;
        length -= used;
        sum += columns;
    }
    return sum;
}

int canvas_columns(const char *text)
{
    return canvas_columns_n(text, strlen(text));
}

/* Bytes of the longest beginning of text that takes at most `columns`. */
static size_t bytes_within(const char *text, size_t length, int columns)
{
    size_t at = 0;
    while (at < length) {
        uint32_t ch;
        int width;
        size_t used = next_char(text + at, length - at, &ch, &width);
        if (width > columns)
            break;
        columns -= width;
        at += used;
    }
    return at;
}

int canvas_column(const struct canvas *canvas, int x, int y, int w, enum style style, enum fit fit,
                  const char *text)
{
    if (w <= 0)
        return x;
    struct canvas column = canvas_part(canvas, (struct rect){x, y, w, 1});
    canvas_fill(&column, (struct rect){0, 0, column.w, 1}, style, ' ');
    size_t length = strlen(text);
    int wide = canvas_columns_n(text, length);
    if (wide <= w) {
        canvas_put_n(&column, fit == FIT_RIGHT ? w - wide : 0, 0, style, text, length);
        return x + w;
    }
    int head = fit == FIT_MIDDLE ? (w - 1) / 3 : w - 1;
    int at = canvas_put_n(&column, 0, 0, style, text, bytes_within(text, length, head));
    at = canvas_put(&column, at, 0, style, "…");
    if (fit == FIT_MIDDLE) {
        size_t skip = bytes_within(text, length, wide - (w - at));
        uint32_t ch;
        int columns;
        if (canvas_columns_n(text + skip, length - skip) > w - at) /* half of a wide one */
            skip += next_char(text + skip, length - skip, &ch, &columns);
        canvas_put_n(&column, at, 0, style, text + skip, length - skip);
    }
    return x + w;
}

int canvas_wrap(const struct canvas *canvas, struct rect area, enum style style, const char *text)
{
    int rows = 0;
    struct canvas part = canvas_part(canvas, area);
    while (*text && area.w > 0) {
        size_t length = strcspn(text, "\n"), take = bytes_within(text, length, area.w);
        if (take < length && text[take] != ' ') {
            size_t word = take;
            while (word > 0 && text[word] != ' ')
                word--;
            take = word ? word : take ? take : 1;
        }
        canvas_put_n(&part, 0, rows++, style, text, take);
        text += take;
        text += strspn(text, " ");
        text += *text == '\n';
    }
    return rows;
}

void canvas_fill(const struct canvas *canvas, struct rect area, enum style style, uint32_t ch)
{
    if (canvas->grid->ascii)
        ch = to_ascii(ch);
    for (int y = area.y; y < area.y + area.h && y < canvas->h; y++)
        for (int x = area.x; x < area.x + area.w && x < canvas->w; x++)
            set_cell(canvas, x, y, style, ch);
}

void canvas_reverse(const struct canvas *canvas, int x, int y, int w)
{
    for (int i = x; i < x + w && i < canvas->w; i++) {
        struct cell *cell = cell_at(canvas, i, y);
        if (!cell)
            continue;
        cell->reverse = true;
        if (cell->ch == ' ' || cell->style == STYLE_FAINT) /* one even bar, easily read */
            cell->style = STYLE_TEXT;
    }
}

void canvas_restyle(const struct canvas *canvas, int x, int y, int w, enum style style)
{
    for (int i = x; i < x + w && i < canvas->w; i++) {
        struct cell *cell = cell_at(canvas, i, y);
        if (cell)
            cell->style = (uint8_t)style;
    }
}

void canvas_cursor(const struct canvas *canvas, int x, int y)
{
    if (cell_at(canvas, x, y)) {
        canvas->grid->cursor_x = canvas->x + x;
        canvas->grid->cursor_y = canvas->y + y;
    }
}

void canvas_title(const struct canvas *canvas, int y, bool focus, const char *name,
                  const char *right)
{
    int w = canvas->w;
    int right_w = right && *right ? canvas_columns(right) : 0;
    int name_w = canvas_columns(name);
    if (right_w && name_w + right_w + 8 > w) /* " name ─ right ──" */
        right_w = 0;
    int name_room = w - 2 - (right_w ? right_w + 4 : 0);
    canvas_fill(canvas, (struct rect){0, y, w, 1}, STYLE_FAINT, 0x2500);
    int x = canvas_put(canvas, 0, y, STYLE_FAINT, " ");
    x = canvas_column(canvas, x, y, name_w < name_room ? name_w : name_room,
                      focus ? STYLE_STRONG : STYLE_TEXT, FIT_MIDDLE, name);
    canvas_put(canvas, x, y, STYLE_FAINT, " ");
    if (right_w) {
        x = canvas_put(canvas, w - right_w - 4, y, STYLE_FAINT, " ");
        x = canvas_put(canvas, x, y, STYLE_TEXT, right);
        canvas_put(canvas, x, y, STYLE_FAINT, " ");
    }
}

void canvas_bar(const struct canvas *canvas, int x, int y, int w, enum style style, double part,
                double whole)
{
    static const uint32_t eighths[] = {' ',    0x258F, 0x258E, 0x258D, 0x258C,
                                       0x258B, 0x258A, 0x2589, 0x2588};
    if (w <= 0)
        return;
    bool over = whole > 0 && part > whole;
    double share = whole <= 0 || part <= 0 ? 0 : over ? 1 : part / whole;
    int filled = (int)(share * w * 8);
    for (int i = 0; i < w; i++) {
        int here = filled - i * 8;
        uint32_t ch = eighths[here < 0 ? 0 : here > 8 ? 8 : here];
        canvas_fill(canvas, (struct rect){x + i, y, 1, 1}, style, ch);
    }
    if (over)
        canvas_put(canvas, x + w - 1, y, STYLE_WARNING, ">");
}

struct canvas canvas_popup(const struct canvas *canvas, int w, int h, const char *title)
{
    if (w > canvas->w)
        w = canvas->w;
    if (h > canvas->h)
        h = canvas->h;
    struct rect at = {(canvas->w - w) / 2, (canvas->h - h) / 2, w, h};
    struct canvas box = canvas_part(canvas, at);
    canvas_fill(&box, (struct rect){0, 0, w, h}, STYLE_TEXT, ' ');
    canvas_fill(&box, (struct rect){0, 0, w, 1}, STYLE_FAINT, 0x2500);
    canvas_fill(&box, (struct rect){0, h - 1, w, 1}, STYLE_FAINT, 0x2500);
    canvas_fill(&box, (struct rect){0, 0, 1, h}, STYLE_FAINT, 0x2502);
    canvas_fill(&box, (struct rect){w - 1, 0, 1, h}, STYLE_FAINT, 0x2502);
    canvas_put(&box, 0, 0, STYLE_FAINT, "┌");
    canvas_put(&box, w - 1, 0, STYLE_FAINT, "┐");
    canvas_put(&box, 0, h - 1, STYLE_FAINT, "└");
    canvas_put(&box, w - 1, h - 1, STYLE_FAINT, "┘");
    if (title && w > 6) {
        int x = canvas_put(&box, 2, 0, STYLE_TEXT, " ");
        int room = w - 6, wide = canvas_columns(title);
        x = canvas_column(&box, x, 0, wide < room ? wide : room, STYLE_STRONG, FIT_LEFT, title);
        canvas_put(&box, x, 0, STYLE_TEXT, " ");
    }
    return canvas_part(&box, (struct rect){2, 1, w - 4, h - 2});
}

void text_duration(char out[static 16], uint64_t ns)
{
    uint64_t tenths = ns / 100000000, seconds = ns / 1000000000;
    if (ns && ns < 100000000)
        snprintf(out, 16, "%ums", (unsigned)((ns + 999999) / 1000000));
    else if (seconds < 60)
        snprintf(out, 16, "%u.%us", (unsigned)seconds, (unsigned)(tenths % 10));
    else if (seconds < 3600)
        snprintf(out, 16, "%u:%02u", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
    else
        snprintf(out, 16, "%u:%02u:%02u", (unsigned)(seconds / 3600 % 10000),
                 (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
}
