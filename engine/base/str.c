#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void make_room(struct str *str, size_t more)
{
    size_t need = str->len + more + 1;
    if (need <= str->cap)
        return;
    size_t cap = str->cap ? str->cap * 2 : 64;
    if (cap < need)
        cap = need;
    str->at = mem_grow(str->at, cap);
    str->cap = cap;
}

void str_add_n(struct str *str, const char *bytes, size_t length)
{
    make_room(str, length);
    if (length)
        memcpy(str->at + str->len, bytes, length);
    str->len += length;
    str->at[str->len] = '\0';
}

void str_add(struct str *str, const char *text)
{
    str_add_n(str, text, strlen(text));
}

void str_add_char(struct str *str, char c)
{
    make_room(str, 1);
    str->at[str->len++] = c;
    str->at[str->len] = '\0';
}

void str_addf(struct str *str, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length > 0) {
        make_room(str, (size_t)length);
        vsnprintf(str->at + str->len, (size_t)length + 1, format, again);
        str->len += (size_t)length;
    }
    va_end(again);
}

const char *str_text(const struct str *str)
{
    return str->at ? str->at : "";
}

void str_cut(struct str *str, size_t length)
{
    if (length < str->len) {
        str->len = length;
        str->at[length] = '\0';
    }
}

char *str_take(struct str *str)
{
    char *text = str->at ? str->at : mem_copy("");
    *str = (struct str){0};
    return text;
}

void str_free(struct str *str)
{
    free(str->at);
    *str = (struct str){0};
}

bool str_ends(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}
