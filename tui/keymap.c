#include "tui/keymap.h"

#include <stdio.h>
#include <string.h>

const struct request_info request_infos[REQUESTS_COUNT] = {
#define REQUEST_ROW(name, keys, word, help, command) [REQ_##name] = {keys, word, help, command},
    REQUESTS(REQUEST_ROW)
#undef REQUEST_ROW
};

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

enum request keymap_find(const struct key *key)
{
    char name[16], word[16];
    key_name(key, name);
    for (unsigned i = 0; *name && i < REQUESTS_COUNT; i++) {
        const char *at = request_infos[i].keys;
        while (next_word(&at, word))
            if (strcmp(word, name) == 0)
                return (enum request)i;
    }
    return REQ_NONE;
}

const char *keymap_keys(enum request request)
{
    return request_infos[request].keys;
}

void keymap_first(enum request request, char out[static 16])
{
    const char *at = request_infos[request].keys;
    if (!next_word(&at, out))
        out[0] = '\0';
}

void keymap_dump(struct str *out)
{
    for (unsigned i = REQ_NONE + 1; i < REQUESTS_COUNT; i++)
        if (*request_infos[i].keys)
            str_addf(out, "%-17s %-9s %s\n", request_infos[i].word, request_infos[i].keys,
                     request_infos[i].help);
}
