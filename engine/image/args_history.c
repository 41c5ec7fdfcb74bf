/*
 * Boot arguments that an image had before, so that a change can be taken back. They are kept beside
 * the user's other state, not in the image: $XDG_STATE_HOME/gantry/args/<hash of the image's path>,
 * a line each, oldest first: seconds since 1970, a tab, the text with \n, \t and \\ escaped. The
 * first line is the image's path.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "image/image.h"

enum { KEPT_MOST = 1000 };

/* Where the history of an image is; NULL where the user has no such place. */
static char *history_path(const char *image, char **real)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    *real = realpath(image, NULL);
    if (!*real || ((!state || !*state) && (!home || !*home)))
        return NULL;
    struct hash hash = hash_bytes(*real, strlen(*real));
    return state && *state
               ? mem_format("%s/gantry/args/%016llx", state, (unsigned long long)hash.low)
               : mem_format("%s/.local/state/gantry/args/%016llx", home,
                            (unsigned long long)hash.low);
}

static void escape(struct str *out, const char *text)
{
    for (const char *p = text; *p; p++)
        if (*p == '\n' || *p == '\t' || *p == '\\')
            str_addf(out, "\\%c", *p == '\n' ? 'n' : *p == '\t' ? 't' : '\\');
        else
            str_add_char(out, *p);
}

static char *unescape(const char *text, size_t length)
{
    struct str out = {0};
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '\\' && i + 1 < length) {
            c = text[++i];
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
        str_add_char(&out, c);
    }
    return str_take(&out);
}

static int read_history(const char *path, struct image_history *history, struct err *err)
{
    if (access(path, F_OK) < 0)
        return 0; /* nothing was changed yet */
    size_t length;
    char *text = file_read(path, &length, err);
    if (!text)
        return -1;
    bool first = true;
    for (const char *line = text; *line;) {
        size_t bytes = strcspn(line, "\n");
        const char *tab = memchr(line, '\t', bytes);
        if (!first && tab) {
            struct image_past past = {.at_s = strtoll(line, NULL, 10)};
            past.args = unescape(tab + 1, bytes - (size_t)(tab + 1 - line));
            vec_push(&history->past, past);
        }
        first = false;
        line += bytes + (line[bytes] != '\0');
    }
    free(text);
    return 0;
}

static int write_history(const char *path, const char *real, const struct image_history *history,
                         struct err *err)
{
    struct str text = {0};
    size_t first = history->past.len > KEPT_MOST ? history->past.len - KEPT_MOST : 0;
    escape(&text, real);
    str_add_char(&text, '\n');
    for (size_t i = first; i < history->past.len; i++) {
        str_addf(&text, "%lld\t", (long long)history->past.at[i].at_s);
        escape(&text, history->past.at[i].args);
        str_add_char(&text, '\n');
    }
    int status = file_make_parents(path, err);
    if (!status)
        status = file_write(path, text.at, text.len, 0600, err);
    str_free(&text);
    return status;
}

int image_args_history(const char *path, struct image_history *history, struct err *err)
{
    char *real, *file = history_path(path, &real);
    int status = file ? read_history(file, history, err) : 0;
    if (!real)
        status = err_errno(err, "%s", path);
    free(file);
    free(real);
    return status;
}

int image_change_args(const char *path, const char *cmdline, struct err *err)
{
    struct image_history history = {0};
    char *real = NULL, *file = NULL, *old = image_args(path, err);
    int status = old ? image_set_args(path, cmdline, err) : -1;
    /* A user without a place for state changes arguments all the same. */
    if (!status && strcmp(old, cmdline) != 0 && (file = history_path(path, &real))) {
        struct err ignored;
        if (read_history(file, &history, &ignored) == 0) {
            vec_push(&history.past, (struct image_past){time(NULL), old});
            old = NULL;
            write_history(file, real, &history, &ignored);
        }
    }
    image_history_free(&history);
    free(old);
    free(file);
    free(real);
    return status;
}

int image_undo_args(const char *path, struct err *err)
{
    struct image_history history = {0};
    char *real, *file = history_path(path, &real);
    int status = file ? read_history(file, &history, err) : 0;
    if (!status && !history.past.len)
        status =
            err_set(err, ERR_INPUT, "%s: there is no change of its arguments to take back", path);
    if (!status)
        status = image_set_args(path, history.past.at[history.past.len - 1].args, err);
    if (!status) {
        free(history.past.at[--history.past.len].args);
        status = write_history(file, real, &history, err);
    }
    image_history_free(&history);
    free(file);
    free(real);
    return status;
}

void image_history_free(struct image_history *history)
{
    for (size_t i = 0; i < history->past.len; i++)
        free(history->past.at[i].args);
    vec_free(&history->past);
}
