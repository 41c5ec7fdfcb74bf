#include "base/json.h"

#include <math.h>
#include <string.h>

#include <utf8proc.h>

/* Bytes from `from` on that stand for themselves: nearly all, so they go as a whole. */
static size_t plain_run(const char *text, size_t from, size_t length)
{
    size_t end = from;
    while (end < length && text[end] >= 0x20 && text[end] != 0x7F && text[end] != '"' &&
           text[end] != '\\')
        end++;
    return end - from;
}

static void quote(struct str *out, const char *text, size_t length)
{
    str_add_char(out, '"');
    for (size_t i = 0; i < length;) {
        size_t run = plain_run(text, i, length);
        str_add_n(out, text + i, run);
        i += run;
        if (i == length)
            break;
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            str_addf(out, "\\%c", c);
            i++;
        } else if (c == '\n' || c == '\t' || c == '\r') {
            str_add(out, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
            i++;
        } else if (c < 0x20 || c == 0x7F) {
            str_addf(out, "\\u%04x", c);
            i++;
        } else {
            utf8proc_int32_t point;
            utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)text + i,
                                                     (utf8proc_ssize_t)(length - i), &point);
            if (used > 0)
                str_add_n(out, text + i, (size_t)used);
            else
                str_add(out, "\xEF\xBF\xBD");
            i += used > 0 ? (size_t)used : 1;
        }
    }
    str_add_char(out, '"');
}

/* A comma goes before whatever follows a value: the last byte tells. */
static void begin(struct str *out, const char *key)
{
    char last = out->len ? out->at[out->len - 1] : '\0';
    if (last && last != '{' && last != '[' && last != '\n')
        str_add_char(out, ',');
    if (key) {
        quote(out, key, strlen(key));
        str_add_char(out, ':');
    }
}

void json_put_object(struct str *out, const char *key)
{
    begin(out, key);
    str_add_char(out, '{');
}

void json_put_object_end(struct str *out)
{
    str_add_char(out, '}');
}

void json_put_array(struct str *out, const char *key)
{
    begin(out, key);
    str_add_char(out, '[');
}

void json_put_array_end(struct str *out)
{
    str_add_char(out, ']');
}

void json_put_text_n(struct str *out, const char *key, const char *text, size_t length)
{
    begin(out, key);
    quote(out, text, length);
}

void json_put_text(struct str *out, const char *key, const char *text)
{
    if (text) {
        json_put_text_n(out, key, text, strlen(text));
        return;
    }
    begin(out, key);
    str_add(out, "null");
}

enum { DIGITS_MAX = 20 };

/* The digits of a number stand at the end of `digits`; returns where they begin. */
static size_t digits_of(char digits[DIGITS_MAX], uint64_t number)
{
    size_t at = DIGITS_MAX;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    return at;
}

static void add_digits(struct str *out, uint64_t number)
{
    char digits[DIGITS_MAX];
    size_t at = digits_of(digits, number);
    str_add_n(out, digits + at, sizeof digits - at);
}

void json_put_uints(struct str *out, const char *key, const uint32_t *numbers, size_t count)
{
    char piece[1024], digits[DIGITS_MAX];
    size_t used = 0;
    json_put_array(out, key);
    for (size_t i = 0; i < count; i++) {
        size_t at = digits_of(digits, numbers[i]);
        if (used + DIGITS_MAX + 1 > sizeof piece) {
            str_add_n(out, piece, used);
            used = 0;
        }
        if (i)
            piece[used++] = ',';
        memcpy(piece + used, digits + at, sizeof digits - at);
        used += sizeof digits - at;
    }
    str_add_n(out, piece, used);
    json_put_array_end(out);
}

void json_put_int(struct str *out, const char *key, int64_t number)
{
    begin(out, key);
    uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    if (number < 0)
        str_add_char(out, '-');
    add_digits(out, size);
}

void json_put_uint(struct str *out, const char *key, uint64_t number)
{
    begin(out, key);
    add_digits(out, number);
}

void json_put_real(struct str *out, const char *key, double number)
{
    begin(out, key);
    str_addf(out, "%.6g", isfinite(number) ? number : 0.0);
}

void json_put_bool(struct str *out, const char *key, bool value)
{
    begin(out, key);
    str_add(out, value ? "true" : "false");
}
