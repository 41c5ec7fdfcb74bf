/*
 * What a serial console printed, as lines of text: a very small terminal. Carriage return, backspace
 * and tab move the column as on one; erasing to the end of the line and clearing the screen are
 * obeyed; every other control sequence is dropped. Bytes may come cut anywhere. One thread.
 */
#ifndef GANTRY_VIEWS_CONSOLE_TEXT_H
#define GANTRY_VIEWS_CONSOLE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/vec.h"

enum console_state {
    CONSOLE_TEXT,
    CONSOLE_ESCAPE,
    CONSOLE_CSI,
    CONSOLE_STRING,
    CONSOLE_STRING_ESC
};

/* A zeroed one is ready and empty. */
struct console_text {
    struct str text; /* the lines that are over, UTF-8, each with its newline */
    VEC(size_t) starts; /* of each in text */
    VEC(uint32_t) line; /* code points of the line that is being written */
    size_t column; /* in it */
    struct str last; /* the same as UTF-8, made by console_text_line */
    enum console_state state;
    char csi[8]; /* parameters so far */
    unsigned csi_length;
    unsigned char utf8[4]; /* a sequence so far */
    unsigned utf8_length;
};

void console_text_feed(struct console_text *console, const char *bytes, size_t length);
/* Lines, the one that is being written included. */
size_t console_text_lines(const struct console_text *console);
/* A line from 0, without newline; valid until the next call with this console. */
const char *console_text_line(struct console_text *console, size_t line, size_t *length);
/* Empties it and frees what it held; ready for use again. */
void console_text_free(struct console_text *console);

#endif
