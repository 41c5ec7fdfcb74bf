/*
 * Keys: what the input parser makes of bytes, and the keymap's names for them ("b", "^L", "F1",
 * "Enter", "PgUp"). Printable keys are their own code point.
 */
#ifndef GANTRY_TUI_KEY_H
#define GANTRY_TUI_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum key_code {
    KEY_NONE = 0,
    KEY_TAB = 9,
    KEY_ENTER = 13,
    KEY_ESC = 27,
    KEY_SPACE = 32,
    KEY_BACKSPACE = 127,
    /* beyond Unicode: keys without a character. No file includes this and curses.h. */
    KEY_UP = 0x110000,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_INSERT,
    KEY_DELETE,
    KEY_BACKTAB,
    KEY_F1, /* F1 to F12 follow one another */
    KEY_F12 = KEY_F1 + 11,
    KEY_MOUSE_PRESS, /* left button down at x,y */
    KEY_MOUSE_WHEEL_UP,
    KEY_MOUSE_WHEEL_DOWN,
    KEY_MOUSE_OTHER, /* other buttons, releases */
    KEY_PASTE, /* `text`: what was pasted */
    KEY_FOCUS_IN,
    KEY_FOCUS_OUT,
    KEY_ANSWER, /* of the terminal, to a question for its status */
};

enum key_mods { KEY_SHIFT = 1, KEY_ALT = 2, KEY_CTRL = 4 };

struct key {
    uint32_t code; /* code point or enum key_code; ^A is 'a' with KEY_CTRL */
    uint8_t mods; /* enum key_mods; shift is told only where it is no other character */
    int x, y; /* of a mouse key, from 0 */
    const char *text; /* of a paste, NUL-ended; valid until the next key is asked for */
    size_t length;
};

static inline bool key_is_text(const struct key *key)
{
    return key->code >= 32 && key->code != 127 && key->code < 0x110000 && !key->mods;
}

/* The name that the keymap and the help use. */
void key_name(const struct key *key, char out[static 16]);
/* Back from a name; false where it is none. */
bool key_parse(const char *name, struct key *key);
/* The bytes a terminal would send for it, for the guest of the boot screen; returns how many. */
size_t key_bytes(const struct key *key, char out[static 16]);

#endif
