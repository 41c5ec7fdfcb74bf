#include "run/depfile.h"

#include <stdbool.h>

#include "base/str.h"

/* Skips blanks and joined lines. */
static const char *skip_blank(const char *at)
{
    for (;;) {
        if (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')
            at++;
        else if (*at == '\\' && at[1] == '\n')
            at += 2;
        else if (*at == '\\' && at[1] == '\r' && at[2] == '\n')
            at += 3;
        else
            return at;
    }
}

static bool ends_word(const char *at)
{
    return !*at || *at == ' ' || *at == '\t' || *at == '\n' || *at == '\r' ||
           (*at == '\\' && (at[1] == '\n' || at[1] == '\r'));
}

void depfile_parse(const char *text, str_list *paths)
{
    struct str word = {0};
    for (const char *at = skip_blank(text); *at; at = skip_blank(at)) {
        str_cut(&word, 0);
        while (!ends_word(at)) {
            if (*at == '\\' && (at[1] == ' ' || at[1] == '#' || at[1] == '\\' || at[1] == ':'))
                at++;
            else if (*at == '$' && at[1] == '$')
                at++;
            str_add_char(&word, *at++);
        }
        /* "target:" or "target" before a lone ":" */
        if (word.len && word.at[word.len - 1] == ':')
            continue;
        const char *next = at;
        while (*next == ' ' || *next == '\t')
            next++;
        if (*next == ':' && ends_word(next + 1)) {
            at = next + 1;
            continue;
        }
        if (word.len)
            vec_push(paths, str_take(&word));
    }
    str_free(&word);
}
