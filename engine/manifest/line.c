#include "manifest/line.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

enum line_kind manifest_line_split(const char *text, size_t length, struct line_sides *sides)
{
    *sides = (struct line_sides){0};
    while (length && is_space(text[length - 1]))
        length--;
    size_t start = 0;
    while (start < length && is_space(text[start]))
        start++;
    size_t rest = length - start;
    if (!rest || text[start] == '#')
        return LINE_NOTHING;
    if (memchr(text, '\0', length)) {
        sides->problem = "this is no text: it has a NUL byte";
        return LINE_BAD;
    }
    if (rest == 10 && memcmp(text + start, "[manifest]", 10) == 0)
        return LINE_NOTHING;
    if (text[start] == '[') {
        sides->problem = "the only section is [manifest]";
        return LINE_BAD;
    }
    size_t colon = start;
    while (colon < length &&
           !(text[colon] == ':' && (colon + 1 == length || is_space(text[colon + 1]))))
        colon++;
    size_t host = colon + 1;
    while (host < length && is_space(text[host]))
        host++;
    if (host >= length) {
        sides->problem = "expected `guest: host`";
        return LINE_BAD;
    }
    size_t guest_end = colon;
    while (guest_end > start && is_space(text[guest_end - 1]))
        guest_end--;
    if (guest_end == start) {
        sides->problem = "nothing stands before the colon; expected `guest: host`";
        return LINE_BAD;
    }
    *sides = (struct line_sides){start, guest_end - start, host, length - host, NULL};
    return LINE_ENTRY;
}

char *manifest_guest_clean(const char *guest, size_t length, const char **problem)
{
    struct str out = {0};
    *problem = NULL;
    for (size_t i = 0; i < length && !*problem; i++)
        if ((unsigned char)guest[i] < ' ' || guest[i] == 0x7f)
            *problem = "a guest name must not have control characters";
    for (size_t i = 0; i < length && !*problem;) {
        const char *slash = memchr(guest + i, '/', length - i);
        size_t part = slash ? (size_t)(slash - guest) - i : length - i;
        if (part == 2 && memcmp(guest + i, "..", 2) == 0) {
            *problem = "a guest name must not have `..`";
        } else if (out.len + part > 4095) {
            *problem = "the guest name is longer than 4095 bytes";
        } else if (part > 255) {
            *problem = "a part of the guest name is longer than 255 bytes";
        } else if (part && !(part == 1 && guest[i] == '.')) {
            str_add_char(&out, '/');
            str_add_n(&out, guest + i, part);
        }
        i += part + 1;
    }
    if (!*problem && !out.len)
        *problem = "the guest name is empty";
    if (!*problem)
        return str_take(&out);
    str_free(&out);
    return NULL;
}
