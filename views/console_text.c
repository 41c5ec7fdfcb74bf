#include "views/console_text.h"

#include <string.h>

#include <utf8proc.h>

enum { LINE_MAX_COLUMNS = 4096, TAB_STOP = 8, REPLACEMENT = 0xfffd };

/* Appends the written line as UTF-8, blanks at its end left out. */
static void add_line(const struct console_text *console, struct str *out)
{
    size_t length = console->line.len;
    while (length && console->line.at[length - 1] == ' ')
        length--;
    for (size_t i = 0; i < length; i++) {
        utf8proc_uint8_t bytes[4];
        utf8proc_ssize_t count = utf8proc_encode_char((utf8proc_int32_t)console->line.at[i], bytes);
        str_add_n(out, (const char *)bytes, (size_t)count);
    }
}

static void end_line(struct console_text *console)
{
    vec_push(&console->starts, console->text.len);
    add_line(console, &console->text);
    str_add_char(&console->text, '\n');
    console->line.len = 0;
}

static void write_char(struct console_text *console, uint32_t ch)
{
    if (console->column >= LINE_MAX_COLUMNS) {
        end_line(console);
        console->column = 0;
    }
    while (console->line.len <= console->column)
        vec_push(&console->line, ' ');
    console->line.at[console->column++] = ch;
}

/* The end of "ESC [ parameters final". */
static void end_csi(struct console_text *console, char final)
{
    console->state = CONSOLE_TEXT;
    console->csi[console->csi_length] = '\0';
    if (final == 'K' && console->column < console->line.len &&
        (!console->csi_length || strcmp(console->csi, "0") == 0))
        console->line.len = console->column;
    /* A cleared screen starts afresh; what was on it stays in the scrollback. */
    if ((final == 'J' && strcmp(console->csi, "2") == 0) || (final == 'H' && console->column)) {
        if (console->line.len)
            end_line(console);
        console->column = 0;
    }
}

/* Control characters; the rest of them are dropped. */
static void control(struct console_text *console, unsigned char byte)
{
    switch (byte) {
    case '\n':
        end_line(console);
        console->column = 0;
        break;
    case '\r':
        console->column = 0;
        break;
    case '\b':
        console->column -= console->column > 0;
        break;
    case '\t':
        do
            write_char(console, ' ');
        while (console->column % TAB_STOP);
        break;
    case 0x1b:
        console->state = CONSOLE_ESCAPE;
        break;
    default:
        break;
    }
}

static unsigned sequence_length(unsigned char lead)
{
    return lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
}

/* A byte of text: whole UTF-8 sequences are written, what is none as one replacement a byte. */
static void text_byte(struct console_text *console, unsigned char byte)
{
    bool continues = (byte & 0xc0) == 0x80;
    if (console->utf8_length && !continues) {
        write_char(console, REPLACEMENT);
        console->utf8_length = 0;
    }
    if (!console->utf8_length && byte < 0x80) {
        if (byte < 0x20 || byte == 0x7f)
            control(console, byte);
        else
            write_char(console, byte);
        return;
    }
    console->utf8[console->utf8_length++] = byte;
    unsigned wants = sequence_length(console->utf8[0]);
    if (console->utf8_length < wants)
        return;
    utf8proc_int32_t code = -1;
    utf8proc_iterate(console->utf8, wants, &code);
    /* C1 controls are as dangerous as escape sequences. */
    write_char(console, code < 0xa0 ? REPLACEMENT : (uint32_t)code);
    console->utf8_length = 0;
}

static void escape_byte(struct console_text *console, unsigned char byte)
{
    switch (console->state) {
    case CONSOLE_ESCAPE:
        console->csi_length = 0;
        console->state = byte == '['                          ? CONSOLE_CSI
                         : byte && strchr("]P^_X", (int)byte) ? CONSOLE_STRING
                         : byte >= 0x20 && byte < 0x30        ? CONSOLE_ESCAPE /* ESC ( B */
                                                              : CONSOLE_TEXT;
        break;
    case CONSOLE_CSI:
        if (byte >= 0x40 && byte < 0x7f)
            end_csi(console, (char)byte);
        else if (byte < 0x20)
            console->state = CONSOLE_TEXT;
        else if (console->csi_length + 1 < sizeof console->csi)
            console->csi[console->csi_length++] = (char)byte;
        break;
    case CONSOLE_STRING:
        console->state = byte == 0x1b                   ? CONSOLE_STRING_ESC
                         : byte == 0x07 || byte == '\n' ? CONSOLE_TEXT
                                                        : CONSOLE_STRING;
        break;
    default:
        console->state = byte == '\\' ? CONSOLE_TEXT : CONSOLE_STRING;
    }
}

void console_text_feed(struct console_text *console, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (console->state == CONSOLE_TEXT)
            text_byte(console, (unsigned char)bytes[i]);
        else
            escape_byte(console, (unsigned char)bytes[i]);
    }
}

size_t console_text_lines(const struct console_text *console)
{
    return console->starts.len + (console->line.len > 0);
}

const char *console_text_line(struct console_text *console, size_t line, size_t *length)
{
    if (line < console->starts.len) {
        size_t end =
            line + 1 < console->starts.len ? console->starts.at[line + 1] : console->text.len;
        *length = end - 1 - console->starts.at[line];
        return console->text.at + console->starts.at[line];
    }
    str_cut(&console->last, 0);
    add_line(console, &console->last);
    *length = console->last.len;
    return str_text(&console->last);
}

void console_text_free(struct console_text *console)
{
    str_free(&console->text);
    str_free(&console->last);
    vec_free(&console->starts);
    vec_free(&console->line);
    *console = (struct console_text){0};
}
