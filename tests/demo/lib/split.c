/*
 * Words and commands of a line, by the quoting rules of POSIX sh (2.2 Quoting) and nothing else of
 * it. One state machine serves both: it says of each character whether quotes hold it.
 */
#include "tiny.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * Looks at *at under the open quote *quote (0 if none). Returns 1 if it is a plain character that
 * may separate, 0 if it is kept as text, -1 if it is a mark to drop (a quote or a backslash; the
 * character behind a backslash is text whatever it is).
 */
static int classify(const char *at, char *quote, bool *escaped)
{
    if (*escaped) {
        *escaped = false;
        return 0;
    }
    if (*at == '\\' && *quote != '\'' && at[1]) {
        *escaped = true;
        return -1;
    }
    if (*quote) {
        if (*at != *quote)
            return 0;
        *quote = 0;
        return -1;
    }
    if (*at == '\'' || *at == '"') {
        *quote = *at;
        return -1;
    }
    return 1;
}

int split_words(char *line, char **words, int max)
{
    char quote = 0;
    bool escaped = false, in_word = false;
    int count = 0;
    char *out = line;

    for (const char *at = line; *at; at++) {
        /* classify() looks ahead and out never passes at, so writing in place is safe. */
        char c = *at;
        int kind = classify(at, &quote, &escaped);

        if (kind == 1 && is_blank(c)) {
            if (in_word)
                *out++ = '\0';
            in_word = false;
            continue;
        }
        if (!in_word) {
            if (count + 1 >= max)
                return ERROR_TOO_MANY;
            words[count++] = out;
            in_word = true;
        }
        if (kind >= 0)
            *out++ = c;
    }
    if (quote)
        return ERROR_QUOTE;
    if (in_word)
        *out = '\0';
    words[count] = NULL;
    return count;
}

char *split_command(char **list)
{
    char *start = *list;
    char quote = 0;
    bool escaped = false;

    if (!start)
        return NULL;
    *list = NULL;
    for (char *at = start; *at; at++)
        if (classify(at, &quote, &escaped) == 1 && *at == ';') {
            *at = '\0';
            *list = at + 1;
            break;
        }
    return start;
}
