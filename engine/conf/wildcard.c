/* $(wildcard ...): names of the tree, relative to its root whatever the current directory is. */
#include <glob.h>
#include <string.h>
#include <unistd.h>

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

int function_wildcard(struct expansion *x, struct str *out, const struct slice *args,
                      unsigned count)
{
    struct slice rest = args[0], word;
    size_t start = out->len, skip = strlen(x->conf->root) + 1;

    (void)count;
    while (slice_word(&rest, &word)) {
        struct str pattern = {0};
        glob_t found = {0};
        if (expand_work(x, 4096) != 0)
            return -1;
        if (!x->conf->sealed)
            note_directory(x->conf, word);
        rooted(&pattern, x->conf->root, word);
        if (glob(str_text(&pattern), 0, NULL, &found) == 0) {
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
