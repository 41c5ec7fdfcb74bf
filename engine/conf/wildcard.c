/* $(wildcard ...): names of the tree, relative to its root whatever the current directory is. */
#include <dirent.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/look.h"
#include "base/path.h"
#include "conf/dialect.h"

/* The pattern below the root, whose own special characters are quoted. */
static void rooted(struct str *out, const char *root, struct slice pattern)
{
    if (pattern.at[0] != '/') {
        for (; *root; root++) {
            if (strchr("*?[\\", *root))
                str_add_char(out, '\\');
            str_add_char(out, *root);
        }
        str_add_char(out, '/');
    }
    str_add_n(out, pattern.at, pattern.len);
}

static void note_directory(struct conf *conf, struct slice pattern)
{
    size_t length = strcspn(pattern.at, "*?[");
    char *fixed = strndup(pattern.at, length < pattern.len ? length : pattern.len);

    if (fixed) {
        char *dir = path_dir(fixed);
        conf_note_file(conf, dir);
        free(dir);
        free(fixed);
    }
}

/* The directories and names that glob looks at, noted on the way. */

static void *open_noted(const char *path)
{
    look_at(path);
    return opendir(path);
}

static int stat_noted(const char *path, struct stat *st)
{
    look_at(path);
    return stat(path, st);
}

static int lstat_noted(const char *path, struct stat *st)
{
    look_at_link(path);
    return lstat(path, st);
}

static struct dirent *read_entry(void *dir)
{
    return readdir(dir);
}

static void close_dir(void *dir)
{
    closedir(dir);
}

int function_wildcard(struct expansion *x, struct str *out, const struct slice *args,
                      unsigned count)
{
    struct slice rest = args[0], word;
    size_t start = out->len, skip = strlen(x->conf->root) + 1;

    (void)count;
    while (slice_word(&rest, &word)) {
        struct str pattern = {0};
        glob_t found = {.gl_opendir = open_noted,
                        .gl_readdir = read_entry,
                        .gl_closedir = close_dir,
                        .gl_stat = stat_noted,
                        .gl_lstat = lstat_noted};
        if (expand_work(x, 4096) != 0)
            return -1;
        if (!x->conf->sealed)
            note_directory(x->conf, word);
        rooted(&pattern, x->conf->root, word);
        if (glob(str_text(&pattern), GLOB_ALTDIRFUNC, NULL, &found) == 0) {
            for (size_t i = 0; i < found.gl_pathc; i++) {
                str_add(out, found.gl_pathv[i] + (word.at[0] == '/' ? 0 : skip));
                str_add_char(out, ' ');
            }
        }
        globfree(&found);
        str_free(&pattern);
    }
    if (out->len > start)
        str_cut(out, out->len - 1);
    return 0;
}
