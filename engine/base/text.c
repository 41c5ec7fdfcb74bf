#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { NEAREST_MAX = 63 };

/* Optimal string alignment distance (Damerau 1964, without repeated edits). */
static size_t distance(const char *a, const char *b)
{
    size_t an = strlen(a), bn = strlen(b);
    if (an > NEAREST_MAX || bn > NEAREST_MAX)
        return NEAREST_MAX;
    size_t row[3][NEAREST_MAX + 1];
    for (size_t j = 0; j <= bn; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= an; i++) {
        size_t *now = row[i % 3], *before = row[(i + 2) % 3], *older = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= bn; j++) {
            int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);
            size_t best = before[j - 1] + (ca != cb);
            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                older[j - 2] + 1 < best)
                best = older[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[an % 3][bn];
}

const char *text_nearest(const char *word, const char *const *names, size_t count)
{
    size_t limit = strlen(word) / 3 < 2 ? 2 : strlen(word) / 3;
    const char *best = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, names[i]);
        if (d <= limit && d < strlen(names[i])) {
            best = names[i];
            limit = d ? d - 1 : 0;
            if (!d)
                break;
        }
    }
    return best;
}

/* What a shell takes as it stands: letters, digits and %+,-./:=@_ */
static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '+' && c <= ':') || (c >= '@' && c <= 'Z') || c == '_' ||
           c == '%' || c == '=';
}

void text_shell_quote(struct str *out, const char *word)
{
    /* Not strspn, which makes its table anew for each word; there are many words. */
    size_t plain = 0;
    while (is_plain((unsigned char)word[plain]))
        plain++;
    if (plain && word[plain] == '\0') {
        str_add_n(out, word, plain);
        return;
    }
    str_add_char(out, '\'');
    for (; *word; word++) {
        if (*word == '\'')
            str_add(out, "'\\''");
        else
            str_add_char(out, *word);
    }
    str_add_char(out, '\'');
}

void text_split(str_list *words, const char *text)
{
    for (;;) {
        text += strspn(text, " \t\n\r\v\f");
        size_t length = strcspn(text, " \t\n\r\v\f");
        if (!length)
            return;
        vec_push(words, mem_copy_n(text, length));
        text += length;
    }
}

void text_size(char out[static 16], unsigned long long size_bytes)
{
    if (size_bytes < 1024) {
        snprintf(out, 16, "%llu", size_bytes);
        return;
    }
    static const char units[] = "KMGTPE";
    double size = (double)size_bytes / 1024;
    size_t unit = 0;
    while (size >= 1023.95 && units[unit + 1])
        size /= 1024, unit++;
    snprintf(out, 16, "%.1f%c", size, units[unit]);
}
