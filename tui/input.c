#include "tui/input.h"

#include <stdlib.h>
#include <string.h>

enum { PASTE_MAX = 1 << 20, PARAMS = 4 };

/* What a try to parse found. */
enum found { FOUND_KEY, FOUND_NOTHING, FOUND_PART };

struct csi {
    char mark; /* '<' '?' '>' before the parameters, or 0 */
    unsigned params[PARAMS];
    unsigned count;
    char final;
    size_t length; /* bytes, from the one after "ESC [" */
};

void input_feed(struct input *input, const char *bytes, size_t length, uint64_t now_ns)
{
    if (input->at == input->bytes.len) {
        str_cut(&input->bytes, 0);
        input->at = 0;
    }
    str_add_n(&input->bytes, bytes, length);
    input->fed_ns = now_ns;
}

/* Reads a control sequence (ECMA-48 5.4) behind its introducer. */
static enum found read_csi(const char *text, size_t length, struct csi *csi)
{
    size_t at = 0;
    *csi = (struct csi){.count = 1};
    if (at < length && strchr("<=>?", text[at]))
        csi->mark = text[at++];
    for (; at < length && text[at] >= 0x30 && text[at] <= 0x3b; at++) {
        unsigned *param = &csi->params[csi->count - 1];
        if (text[at] == ';') {
            if (csi->count < PARAMS)
                csi->count++;
        } else if (text[at] != ':' && *param < 1000000) {
            *param = *param * 10 + (unsigned)(text[at] - '0');
        }
    }
    while (at < length && text[at] >= 0x20 && text[at] <= 0x2f)
        at++;
    if (at == length)
        return FOUND_PART;
    csi->final = text[at];
    csi->length = at + 1;
    return text[at] >= 0x40 && text[at] <= 0x7e ? FOUND_KEY : FOUND_NOTHING;
}

static uint8_t mods_of(unsigned param)
{
    unsigned bits = param ? param - 1 : 0;
    return (uint8_t)((bits & 1 ? KEY_SHIFT : 0) | (bits & 2 ? KEY_ALT : 0) |
                     (bits & 4 ? KEY_CTRL : 0));
}

static uint32_t letter_key(char final)
{
    switch (final) {
    case 'A':
        return KEY_UP;
    case 'B':
        return KEY_DOWN;
    case 'C':
        return KEY_RIGHT;
    case 'D':
        return KEY_LEFT;
    case 'H':
        return KEY_HOME;
    case 'F':
        return KEY_END;
    case 'Z':
        return KEY_BACKTAB;
    case 'M':
        return KEY_ENTER; /* the keypad's, in application mode */
    case 'I':
        return KEY_FOCUS_IN;
    case 'O':
        return KEY_FOCUS_OUT;
    default:
        return final >= 'P' && final <= 'S' ? KEY_F1 + (uint32_t)(final - 'P') : KEY_NONE;
    }
}

/* The numbers of DEC's and xterm's keys: CSI n ~. */
static uint32_t tilde_key(unsigned number)
{
    static const uint32_t keys[] = {
        [1] = KEY_HOME,    [2] = KEY_INSERT,    [3] = KEY_DELETE,   [4] = KEY_END,
        [5] = KEY_PAGE_UP, [6] = KEY_PAGE_DOWN, [7] = KEY_HOME,     [8] = KEY_END,
        [11] = KEY_F1,     [12] = KEY_F1 + 1,   [13] = KEY_F1 + 2,  [14] = KEY_F1 + 3,
        [15] = KEY_F1 + 4, [17] = KEY_F1 + 5,   [18] = KEY_F1 + 6,  [19] = KEY_F1 + 7,
        [20] = KEY_F1 + 8, [21] = KEY_F1 + 9,   [23] = KEY_F1 + 10, [24] = KEY_F12,
    };
    return number < sizeof keys / sizeof *keys ? keys[number] : KEY_NONE;
}

static void mouse_key(const struct csi *csi, struct key *key)
{
    unsigned button = csi->params[0];
    key->x = csi->params[1] ? (int)csi->params[1] - 1 : 0;
    key->y = csi->params[2] ? (int)csi->params[2] - 1 : 0;
    key->code = KEY_MOUSE_OTHER;
    if (button & 32) /* motion */
        return;
    if ((button & ~28u) == 64)
        key->code = KEY_MOUSE_WHEEL_UP;
    else if ((button & ~28u) == 65)
        key->code = KEY_MOUSE_WHEEL_DOWN;
    else if ((button & ~28u) == 0 && csi->final == 'M')
        key->code = KEY_MOUSE_PRESS;
}

/* Codes below 32 by their letters, as ^A. */
static void plain_key(uint32_t code, struct key *key)
{
    key->code = code;
    if (code == '\n')
        key->code = KEY_ENTER;
    else if (code == 8)
        key->code = KEY_BACKSPACE;
    else if (code < 32 && code != KEY_TAB && code != KEY_ENTER && code != KEY_ESC) {
        key->code = code ? (code < 27 ? code + 96 : code + 64) : KEY_SPACE;
        key->mods |= KEY_CTRL;
    }
}

static enum found read_paste(struct input *input, const char *text, size_t length, size_t *used,
                             struct key *key)
{
    static const char end[] = "\033[201~";
    const char *stop = memmem(text, length, end, sizeof end - 1);
    if (!stop && length < PASTE_MAX)
        return FOUND_PART;
    size_t size = stop ? (size_t)(stop - text) : length;
    str_cut(&input->paste, 0);
    str_add_n(&input->paste, text, size);
    *used = size + (stop ? sizeof end - 1 : 0);
    key->code = KEY_PASTE;
    key->text = str_text(&input->paste);
    key->length = size;
    return FOUND_KEY;
}

static enum found read_escape(struct input *input, const char *text, size_t length, size_t *used,
                              struct key *key)
{
    if (length < 2)
        return FOUND_PART;
    if (text[1] == 'O') {
        if (length < 3)
            return FOUND_PART;
        *used = 3;
        key->code = letter_key(text[2]);
        return FOUND_KEY;
    }
    if (text[1] != '[') {
        if (text[1] == '\033') { /* Esc, and then something else */
            *used = 1;
            key->code = KEY_ESC;
            return FOUND_KEY;
        }
        key->mods = KEY_ALT;
        *used = 1;
        return FOUND_NOTHING; /* the caller reads the character */
    }
    struct csi csi;
    enum found found = read_csi(text + 2, length - 2, &csi);
    if (found == FOUND_PART)
        return FOUND_PART;
    *used = 2 + csi.length;
    if (found == FOUND_NOTHING)
        return FOUND_KEY; /* KEY_NONE: passed over */
    if (csi.mark == '<' && (csi.final == 'M' || csi.final == 'm')) {
        mouse_key(&csi, key);
    } else if (csi.mark) {
        key->code = KEY_NONE;
    } else if (csi.final == '~' && csi.params[0] == 200) {
        size_t pasted = 0;
        found = read_paste(input, text + *used, length - *used, &pasted, key);
        *used += pasted;
        return found;
    } else if (csi.final == '~') {
        key->code = tilde_key(csi.params[0]);
        key->mods = mods_of(csi.params[1]);
    } else if (csi.final == 'n') {
        key->code = csi.params[0] == 0 ? KEY_ANSWER : KEY_NONE;
    } else if (csi.final == 'u') {
        plain_key(csi.params[0] < 0x110000 ? csi.params[0] : 0, key);
        key->mods |= mods_of(csi.params[1]);
    } else {
        key->code = letter_key(csi.final);
        key->mods = csi.final == 'Z' ? 0 : mods_of(csi.params[1]);
    }
    return FOUND_KEY;
}

/* One character; a byte that is no UTF-8 is passed over. */
static enum found read_char(const char *text, size_t length, size_t *used, struct key *key)
{
    unsigned char lead = (unsigned char)*text;
    *used = 1;
    if (lead < 0x80) {
        plain_key(lead, key);
        return FOUND_KEY;
    }
    size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4)
        return FOUND_KEY; /* KEY_NONE */
    uint32_t code = lead & (0xFFu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if (i == length)
            return FOUND_PART;
        unsigned char byte = (unsigned char)text[i];
        if ((byte & 0xC0) != 0x80)
            return FOUND_KEY;
        code = code << 6 | (byte & 0x3F);
    }
    *used = size;
    key->code = code < 0x110000 ? code : KEY_NONE;
    return FOUND_KEY;
}

static enum found read_key(struct input *input, const char *text, size_t length, size_t *used,
                           struct key *key)
{
    if (*text != '\033')
        return read_char(text, length, used, key);
    enum found found = read_escape(input, text, length, used, key);
    if (found != FOUND_NOTHING)
        return found;
    size_t more = 0;
    found = read_char(text + 1, length - 1, &more, key);
    *used = 1 + more;
    return found;
}

bool input_next(struct input *input, uint64_t now_ns, struct key *key)
{
    while (input->at < input->bytes.len) {
        const char *text = input->bytes.at + input->at;
        size_t length = input->bytes.len - input->at, used = 0;
        *key = (struct key){0};
        enum found found = read_key(input, text, length, &used, key);
        if (found == FOUND_PART) {
            bool pasting = length >= 6 && memcmp(text, "\033[200~", 6) == 0;
            if (pasting || now_ns < input->fed_ns + INPUT_ESC_MS * 1000000ull)
                return false;
            *key = (struct key){.code = *text == '\033' ? KEY_ESC : KEY_NONE};
            used = 1;
        }
        input->at += used;
        if (key->code != KEY_NONE)
            return true;
    }
    return false;
}

uint64_t input_deadline(const struct input *input)
{
    return input->at < input->bytes.len ? input->fed_ns + INPUT_ESC_MS * 1000000ull : 0;
}

void input_free(struct input *input)
{
    str_free(&input->bytes);
    str_free(&input->paste);
}
