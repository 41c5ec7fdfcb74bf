#include "tui/keymap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "base/vec.h"

const struct request_info request_infos[REQUESTS_COUNT] = {
#define REQUEST_ROW(name, keys, word, help, command) [REQ_##name] = {keys, word, help, command},
    REQUESTS(REQUEST_ROW)
#undef REQUEST_ROW
};

static char *own[REQUESTS_COUNT]; /* the user's; NULL: as in the table */

/* Cuts the word at *at out of a list of words; false at its end. */
static bool next_word(const char **at, char out[static 16])
{
    *at += strspn(*at, " ");
    size_t length = strcspn(*at, " ");
    if (!length || length > 15)
        return false;
    snprintf(out, 16, "%.*s", (int)length, *at);
    *at += length;
    return true;
}

static bool has_key(const char *keys, const char *name)
{
    char word[16];
    while (next_word(&keys, word))
        if (strcmp(word, name) == 0)
            return true;
    return false;
}

enum request keymap_find(const struct key *key)
{
    char name[16];
    key_name(key, name);
    for (unsigned i = 0; *name && i < REQUESTS_COUNT; i++)
        if (own[i] && has_key(own[i], name))
            return (enum request)i;
    for (unsigned i = 0; *name && i < REQUESTS_COUNT; i++)
        if (!own[i] && has_key(request_infos[i].keys, name))
            return (enum request)i;
    return REQ_NONE;
}

const char *keymap_keys(enum request request)
{
    return own[request] ? own[request] : request_infos[request].keys;
}

void keymap_first(enum request request, char out[static 16])
{
    const char *at = keymap_keys(request);
    if (!next_word(&at, out))
        out[0] = '\0';
}

void keymap_dump(struct str *out)
{
    for (unsigned i = REQ_NONE + 1; i < REQUESTS_COUNT; i++)
        if (*request_infos[i].word)
            str_addf(out, "%-17s %-9s # %s\n", request_infos[i].word, keymap_keys((enum request)i),
                     request_infos[i].help);
}

void keymap_reset(void)
{
    for (unsigned i = 0; i < REQUESTS_COUNT; i++) {
        free(own[i]);
        own[i] = NULL;
    }
}

/* ---- the user's file ---- */

static enum request request_of(const char *word)
{
    for (unsigned i = REQ_NONE + 1; i < REQUESTS_COUNT; i++)
        if (strcmp(request_infos[i].word, word) == 0)
            return (enum request)i;
    return REQ_NONE;
}

static int unknown_word(const char *word, const char *path, unsigned line, struct err *err)
{
    const char *names[REQUESTS_COUNT];
    size_t count = 0;
    for (unsigned i = REQ_NONE + 1; i < REQUESTS_COUNT; i++)
        if (*request_infos[i].word)
            names[count++] = request_infos[i].word;
    const char *near = text_nearest(word, names, count);
    return err_at(err, path, line, 0, "no action is called '%s'%s%s%s", word,
                  near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* One line, its comment cut off: keys[request] becomes its keys. */
static int take_line(const char *text, char **keys, const char *path, unsigned line,
                     struct err *err)
{
    str_list words = {0};
    struct str list = {0};
    int status = 0;
    text_split(&words, text);
    enum request request = words.len ? request_of(words.at[0]) : REQ_NONE;
    if (words.len && request == REQ_NONE)
        status = unknown_word(words.at[0], path, line, err);
    for (size_t i = 1; !status && i < words.len; i++) {
        struct key key;
        if (strlen(words.at[i]) > 15 || !key_parse(words.at[i], &key))
            status = err_at(err, path, line, 0, "no key is called '%s'", words.at[i]);
        str_addf(&list, "%s%s", list.len ? " " : "", words.at[i]);
    }
    if (!status && words.len) {
        free(keys[request]);
        keys[request] = mem_copy(str_text(&list));
    }
    str_free(&list);
    str_list_free(&words);
    return status;
}

/* The part of a line before its comment: a # that stands alone, since # may be a key. */
static size_t before_comment(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (line[i] == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t') &&
            (i + 1 == length || line[i + 1] == ' ' || i == 0))
            return i;
    return length;
}

int keymap_load(const char *text, const char *path, struct err *err)
{
    char *keys[REQUESTS_COUNT] = {0};
    int status = 0;
    for (unsigned line = 1; *text && !status; line++) {
        size_t length = strcspn(text, "\n");
        char *copy = mem_copy_n(text, before_comment(text, length));
        status = take_line(copy, keys, path, line, err);
        free(copy);
        text += length + (text[length] == '\n');
    }
    for (unsigned i = 0; i < REQUESTS_COUNT; i++) {
        if (status) {
            free(keys[i]);
        } else if (keys[i]) {
            free(own[i]);
            own[i] = keys[i];
        }
    }
    return status;
}
