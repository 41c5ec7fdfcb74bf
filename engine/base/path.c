#include "base/path.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

char *path_clean(const char *path)
{
    struct str out = {0};
    bool absolute = path[0] == '/';
    if (absolute)
        str_add_char(&out, '/');
    size_t floor = out.len; /* what ".." may not remove */
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.') {
            if (out.len > floor) {
                char *slash = strrchr(out.at + floor, '/');
                str_cut(&out, slash ? (size_t)(slash - out.at) : floor);
            } else if (!absolute) {
                str_add(&out, out.len ? "/.." : "..");
                floor = out.len;
            }
        } else if (length && !(length == 1 && path[0] == '.')) {
            if (out.len && out.at[out.len - 1] != '/')
                str_add_char(&out, '/');
            str_add_n(&out, path, length);
        }
        path += length;
        path += *path == '/';
    }
    if (!out.len)
        str_add_char(&out, '.');
    return str_take(&out);
}

char *path_join(const char *dir, const char *path)
{
    if (path[0] == '/' || !dir[0])
        return path_clean(path);
    char *both = mem_format("%s/%s", dir, path);
    char *clean = path_clean(both);
    free(both);
    return clean;
}

char *path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mem_copy(".");
    return slash == path ? mem_copy("/") : mem_copy_n(path, (size_t)(slash - path));
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *path_absolute(const char *path)
{
    if (path[0] == '/')
        return path_clean(path);
    char *here = getcwd(NULL, 0);
    char *result = path_join(here ? here : "/", path);
    free(here);
    return result;
}

char *path_relative(const char *path, const char *dir)
{
    char *to = path_clean(path), *from = path_clean(dir);
    if (strcmp(from, ".") == 0)
        from[0] = '\0';
    size_t same = 0; /* bytes shared, ending on a component's end */
    for (size_t i = 0;; i++) {
        bool to_ends = to[i] == '\0' || to[i] == '/';
        bool from_ends = from[i] == '\0' || from[i] == '/';
        if (to_ends && from_ends)
            same = i;
        if (to[i] != from[i] || !to[i])
            break;
    }
    struct str out = {0};
    const char *rest = from + same + (from[same] == '/');
    while (*rest) {
        str_add(&out, out.len ? "/.." : "..");
        rest += strcspn(rest, "/");
        rest += *rest == '/';
    }
    const char *down = to + same + (to[same] == '/');
    if (*down) {
        if (out.len)
            str_add_char(&out, '/');
        str_add(&out, down);
    }
    if (!out.len)
        str_add_char(&out, '.');
    free(to);
    free(from);
    return str_take(&out);
}

char *path_shorten(const char *path, size_t columns)
{
    size_t length = strlen(path);
    if (length <= columns)
        return mem_copy(path);
    if (columns < 2)
        return mem_copy_n("…", columns ? 3 : 0);
    size_t tail = (columns - 1) * 2 / 3, head = columns - 1 - tail;
    while (tail && ((unsigned char)path[length - tail] & 0xC0) == 0x80)
        tail--;
    while (head && ((unsigned char)path[head] & 0xC0) == 0x80)
        head--;
    return mem_format("%.*s…%s", (int)head, path, path + length - tail);
}
