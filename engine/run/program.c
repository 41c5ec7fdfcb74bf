#include "run/program.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"

static bool is_below(const char *path, const char *root)
{
    size_t length = strlen(root);
    return strncmp(path, root, length) == 0 && (path[length] == '/' || !path[length]);
}

/* 1 there, 0 not there, -1 something that only execve can tell. */
static int look(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 1 : -1;
}

char *program_find(const char *name, const char *root, str_list *missed)
{
    const char *at = getenv("PATH");
    if (!at || !*name || strchr(name, '/'))
        return NULL;
    for (;;) {
        size_t length = strcspn(at, ":");
        char *dir = mem_copy_n(at, length);
        char *path = path_join(dir, name);
        int found = dir[0] == '/' && !is_below(dir, root) ? look(path) : -1;
        free(dir);
        if (found == 1)
            return path;
        if (found == 0)
            vec_push(missed, path);
        else
            free(path);
        if (found < 0 || !at[length])
            break;
        at += length + 1;
    }
    str_list_free(missed);
    return NULL;
}
