/* Which tree a directory belongs to, and of what kind that is. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/look.h"
#include "base/mem.h"
#include "base/path.h"
#include "load/load.h"

static bool has(const char *dir, const char *name)
{
    char *path = path_join(dir, name);
    struct stat st;
    look_at(path);
    bool found = stat(path, &st) == 0;

    free(path);
    return found;
}

static enum tree_kind kind_of(const char *dir)
{
    if (has(dir, "module.mk"))
        return TREE_NATIVE;
    if (has(dir, "conf/base.mk") && has(dir, "scripts/module.py"))
        return TREE_OSV;
    if (has(dir, "GNUmakefile") || has(dir, "makefile") || has(dir, "Makefile"))
        return TREE_MAKE;
    if (has(dir, "build.ninja"))
        return TREE_NINJA;
    return TREE_NONE;
}

/* Goes up one directory; false, with `dir` unchanged, at the top. */
static bool go_up(char **dir)
{
    char *up = path_dir(*dir);
    bool top = strcmp(up, *dir) == 0;

    if (top) {
        free(up);
        return false;
    }
    free(*dir);
    *dir = up;
    return true;
}

/* A module's directory has a module.mk as well: the tree is the uppermost of them, where at most one
 * directory without stands between (arch/<arch>/). */
static char *uppermost(char *dir)
{
    char *above = mem_copy(dir);

    for (unsigned missing = 0; missing < 2 && go_up(&above);) {
        if (!has(above, "module.mk")) {
            missing++;
            continue;
        }
        missing = 0;
        free(dir);
        dir = mem_copy(above);
    }
    free(above);
    return dir;
}

enum tree_kind load_find_tree(const char *start, char **root, struct err *err)
{
    char *dir = path_absolute(start);
    enum tree_kind kind;
    struct stat st;

    *root = NULL;
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        err_set(err, ERR_INPUT, "%s is no directory", start);
        free(dir);
        return TREE_NONE;
    }
    while ((kind = kind_of(dir)) == TREE_NONE) {
        if (go_up(&dir))
            continue;
        free(dir);
        err_set(err, ERR_INPUT,
                "%s is in no tree: neither it nor a directory above has module.mk, conf/base.mk, "
                "a Makefile or build.ninja; `gantry demo DIR` writes a tree to try things on",
                start);
        return TREE_NONE;
    }
    *root = kind == TREE_NATIVE ? uppermost(dir) : dir;
    return kind;
}
