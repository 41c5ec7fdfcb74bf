#include "vm/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/re.h"
#include "base/str.h"

enum { LINE_MAX_BYTES = 1024, ESC = 0x1b };

struct words {
    struct re *failed, *refused, *begins;
    struct str line, last; /* what has come of a line; the last one that was not empty */
    char *refusal; /* NULL: none was seen */
    bool begun;
    enum { TEXT, ESCAPE, CONTROL } in; /* a terminal's control sequence is passed over */
};

static int compile(struct re **re, const char *pattern, struct err *err)
{
    if (pattern && *pattern)
        *re = re_compile(pattern, RE_DEFAULT, err);
    return *re || !pattern || !*pattern ? 0 : -1;
}

struct words *words_new(const struct vm_texts *texts, struct err *err)
{
    struct words *words = mem_zero(1, sizeof *words);
    if (compile(&words->failed, texts->failed, err) == 0 &&
        compile(&words->refused, texts->refused, err) == 0 &&
        compile(&words->begins, texts->begins, err) == 0)
        return words;
    words_free(words);
    return NULL;
}

void words_free(struct words *words)
{
    if (!words)
        return;
    re_free(words->failed);
    re_free(words->refused);
    re_free(words->begins);
    str_free(&words->line);
    str_free(&words->last);
    free(words->refusal);
    free(words);
}

static bool says(struct re *re, const struct str *line)
{
    return re && re_find(re, str_text(line), line->len, 0, NULL);
}

static void end_line(struct words *words)
{
    struct str *line = &words->line;
    while (line->len && (line->at[line->len - 1] == ' ' || line->at[line->len - 1] == '\t'))
        str_cut(line, line->len - 1);
    if (!line->len)
        return;
    if (!words->begun) {
        words->begun = says(words->begins, line);
        if (!words->begun && !words->refusal && says(words->refused, line))
            words->refusal = mem_copy(str_text(line));
    }
    str_cut(&words->last, 0);
    str_add(&words->last, str_text(line));
    str_cut(line, 0);
}

static void take(struct words *words, char c)
{
    switch (words->in) {
    case ESCAPE:
        words->in = c == '[' ? CONTROL : TEXT;
        return;
    case CONTROL:
        if (c >= '@' && c <= '~')
            words->in = TEXT;
        return;
    case TEXT:
        break;
    }
    if (c == ESC)
        words->in = ESCAPE;
    else if (c == '\n')
        end_line(words);
    else if (c != '\r' && c && words->line.len < LINE_MAX_BYTES)
        str_add_char(&words->line, c);
}

void words_feed(struct words *words, const char *bytes, size_t length)
{
    for (size_t i = 0; words && i < length; i++)
        take(words, bytes[i]);
}

const char *words_complaint(struct words *words)
{
    if (!words)
        return NULL;
    end_line(words);
    if (words->refusal && !words->begun)
        return words->refusal;
    return words->last.len && says(words->failed, &words->last) ? str_text(&words->last) : NULL;
}
