/*
 * Named profiles: lines of the saved selection, `profile-NAME = arch=x64 mode=debug conf-opt='-O0 -g'`.
 * A value with blanks or quotes stands in single quotes, as for a shell.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "conf/dialect.h"
#include "conf/select.h"

#define PREFIX "profile-"

/* Reads one word; returns what comes after it. NULL at the end. */
static const char *next_word(const char *at, struct str *word)
{
    bool quoted = false;
    at += strspn(at, " \t");
    if (!*at)
        return NULL;
    for (; *at && (quoted || !strchr(" \t", *at)); at++) {
        if (*at == '\'')
            quoted = !quoted;
        else if (*at == '\\' && !quoted && at[1])
            str_add_char(word, *++at);
        else
            str_add_char(word, *at);
    }
    return at;
}

void conf_profile_words(const char *text, str_list *words)
{
    struct str word = {0};
    while ((text = next_word(text, &word)))
        if (word.len)
            vec_push(words, str_take(&word));
    str_free(&word);
}

static void no_such_profile(const char *root, const char *name, struct err *err)
{
    str_list names = {0};
    struct str list = {0};
    conf_profiles(root, &names);
    for (size_t i = 0; i < names.len; i++)
        str_addf(&list, " %s", names.at[i]);
    const char *near = text_nearest(name, (const char *const *)names.at, names.len);
    err_set(err, ERR_INPUT,
            "no profile is called '%.60s'; there are:%.600s%s%s%s (gantry config set " PREFIX
            "NAME='arch=... mode=...' makes one)",
            name, names.len ? str_text(&list) : " none", near ? "; did you mean '" : "",
            near ? near : "", near ? "'?" : "");
    str_free(&list);
    str_list_free(&names);
}

/* Calls `take` for each profile of the saved selection. */
static void each_profile(const char *root,
                         void (*take)(void *data, const char *name, const char *value), void *data)
{
    char *path = path_join(root, SELECTION_FILE), *text = file_read(path, NULL, NULL);
    for (const char *line = text; line && *line;) {
        size_t length = strcspn(line, "\n");
        char *copy = mem_copy_n(line, length);
        struct assign_parts parts;
        if (copy[0] != '#' && conf_parse_assign(copy, &parts) &&
            parts.name_length > strlen(PREFIX) && str_starts(parts.name, PREFIX)) {
            char *name =
                mem_copy_n(parts.name + strlen(PREFIX), parts.name_length - strlen(PREFIX));
            take(data, name, parts.value);
            free(name);
        }
        free(copy);
        line += length + (line[length] == '\n');
    }
    free(text);
    free(path);
}

static void take_name(void *data, const char *name, const char *value)
{
    (void)value;
    vec_push((str_list *)data, mem_copy(name));
}

void conf_profiles(const char *root, str_list *names)
{
    each_profile(root, take_name, names);
    /* Few: by insertion. */
    for (size_t i = 1; i < names->len; i++)
        for (size_t k = i; k > 0 && strcmp(names->at[k - 1], names->at[k]) > 0; k--) {
            char *swap = names->at[k];
            names->at[k] = names->at[k - 1];
            names->at[k - 1] = swap;
        }
}

struct wanted {
    const char *name;
    char *value;
};

static void take_wanted(void *data, const char *name, const char *value)
{
    struct wanted *wanted = data;
    if (strcmp(name, wanted->name) != 0)
        return;
    free(wanted->value);
    wanted->value = mem_copy(value);
}

int conf_profile(const char *root, const char *name, str_list *words, struct err *err)
{
    struct wanted wanted = {name, NULL};
    each_profile(root, take_wanted, &wanted);
    if (!wanted.value) {
        no_such_profile(root, name, err);
        return -1;
    }
    size_t first = words->len;
    conf_profile_words(wanted.value, words);
    free(wanted.value);
    for (size_t i = first; i < words->len; i++)
        if (!strchr(words->at[i], '=') || words->at[i][0] == '=' ||
            str_starts(words->at[i], "profile="))
            return err_set(err, ERR_INPUT,
                           "profile '%.60s': '%.60s' is no NAME=VALUE; gantry config set " PREFIX
                           "NAME=... writes it anew",
                           name, words->at[i]);
    return 0;
}
