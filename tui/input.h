/*
 * The input parser: bytes from the terminal in, keys out. Escape sequences of xterm and its kin
 * (CSI, SS3, SGR mouse 1006, bracketed paste, CSI u), UTF-8, Alt by a leading Esc. An Esc that
 * nothing follows within 25 ms is the key Esc. Pure: time comes from the caller. The loop's thread.
 */
#ifndef GANTRY_TUI_INPUT_H
#define GANTRY_TUI_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "tui/key.h"

enum { INPUT_ESC_MS = 25 };

struct input {
    struct str bytes; /* not parsed yet */
    size_t at; /* first of them */
    uint64_t fed_ns; /* when the last of them came */
    struct str paste; /* what the last KEY_PASTE key points at */
};

/* Adds bytes. A zeroed struct input is ready. */
void input_feed(struct input *input, const char *bytes, size_t length, uint64_t now_ns);
/* The next key; false where there is none yet. */
bool input_next(struct input *input, uint64_t now_ns, struct key *key);
/* When to ask again though nothing came; 0: only when something comes. */
uint64_t input_deadline(const struct input *input);
void input_free(struct input *input);

#endif
