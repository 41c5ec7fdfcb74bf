#include "tui/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t code;
    const char *bytes; /* what an xterm sends */
} named[] = {
    {"Tab", KEY_TAB, "\t"},
    {"Enter", KEY_ENTER, "\r"},
    {"Esc", KEY_ESC, "\033"},
    {"Space", KEY_SPACE, " "},
    {"Backspace", KEY_BACKSPACE, "\177"},
    {"Up", KEY_UP, "\033[A"},
    {"Down", KEY_DOWN, "\033[B"},
    {"Left", KEY_LEFT, "\033[D"},
    {"Right", KEY_RIGHT, "\033[C"},
    {"Home", KEY_HOME, "\033[H"},
    {"End", KEY_END, "\033[F"},
    {"PgUp", KEY_PAGE_UP, "\033[5~"},
    {"PgDn", KEY_PAGE_DOWN, "\033[6~"},
    {"Ins", KEY_INSERT, "\033[2~"},
    {"Del", KEY_DELETE, "\033[3~"},
    {"S-Tab", KEY_BACKTAB, "\033[Z"},
};
enum { NAMED = sizeof named / sizeof *named };

static size_t encode(uint32_t code, char out[static 4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (code >> 18 & 0x07));
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

void key_name(const struct key *key, char out[static 16])
{
    char base[8] = "";
    const char *name = base;
    if (key->code >= KEY_F1 && key->code <= KEY_F12)
        snprintf(base, sizeof base, "F%u", key->code - KEY_F1 + 1);
    for (size_t i = 0; i < NAMED; i++)
        if (named[i].code == key->code)
            name = named[i].name;
    if (!*name && key->code && key->code < 0x110000)
        encode(key->code, base);
    if ((key->mods & KEY_CTRL) && key->code < 0x80 && name == base)
        snprintf(out, 16, "^%c", base[0] >= 'a' && base[0] <= 'z' ? base[0] - 32 : base[0]);
    else
        snprintf(out, 16, "%s%s%s%.9s", key->mods & KEY_CTRL ? "C-" : "",
                 key->mods & KEY_ALT ? "M-" : "", key->mods & KEY_SHIFT ? "S-" : "", name);
}

bool key_parse(const char *name, struct key *key)
{
    *key = (struct key){0};
    for (size_t i = 0; i < NAMED; i++) {
        if (strcmp(named[i].name, name) == 0) {
            key->code = named[i].code;
            return true;
        }
    }
    if (name[0] == '^' && name[1] && !name[2]) {
        key->code = (unsigned char)(name[1] >= 'A' && name[1] <= 'Z' ? name[1] + 32 : name[1]);
        key->mods = KEY_CTRL;
        return true;
    }
    if (name[0] == 'F' && name[1] >= '1' && name[1] <= '9') {
        unsigned long number = strtoul(name + 1, NULL, 10);
        key->code = KEY_F1 + (uint32_t)number - 1;
        return number <= 12;
    }
    key->code = (unsigned char)name[0];
    return name[0] > ' ' && !name[1];
}

size_t key_bytes(const struct key *key, char out[static 16])
{
    size_t at = 0;
    if (key->mods & KEY_ALT)
        out[at++] = '\033';
    if ((key->mods & KEY_CTRL) && key->code >= '@' && key->code < 0x80) {
        out[at++] = (char)(key->code & 0x1F);
        return at;
    }
    if ((key->mods & KEY_CTRL) && key->code == KEY_SPACE) {
        out[at++] = '\0';
        return at;
    }
    for (size_t i = 0; i < NAMED; i++) {
        if (named[i].code == key->code) {
            size_t length = strlen(named[i].bytes);
            memcpy(out + at, named[i].bytes, length);
            return at + length;
        }
    }
    if (key->code && key->code < 0x110000)
        at += encode(key->code, out + at);
    return at;
}
