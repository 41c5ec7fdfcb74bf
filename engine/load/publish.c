/* Links that name what was built last: build/<mode>, and the image's files in build/<mode>.<arch>/. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/look.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "load/load.h"

/* What a symbolic link says; new, or NULL where the path is none. */
static char *read_link(const char *path)
{
    char text[4096];
    look_at_link(path);
    ssize_t length = readlink(path, text, sizeof text);

    return length < 0 ? NULL : mem_copy_n(text, (size_t)length);
}

/* Makes `path` a link to `target`, in one rename; a directory in its place is left alone. */
static int put_link(const char *path, const char *target, struct err *err)
{
    char *old = read_link(path);
    bool same = old && strcmp(old, target) == 0;
    struct stat st;
    int result = 0;

    free(old);
    if (same || (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return 0;
    if (file_make_parents(path, err) != 0)
        return -1;
    char *temporary = mem_format("%s.%ld.link", path, (long)getpid());
    unlink(temporary);
    if (symlink(target, temporary) != 0 || rename(temporary, path) != 0) {
        result = err_errno(err, "%s", path);
        unlink(temporary);
    }
    free(temporary);
    return result;
}

/* A file of another image is not this one's: its link goes. */
static int drop_link(const char *path, struct err *err)
{
    char *old = read_link(path);
    bool ours = old && strstr(old, "images/") != NULL;

    free(old);
    if (!ours || unlink(path) == 0 || errno == ENOENT)
        return 0;
    return err_errno(err, "%s", path);
}

static int publish(const char *root, const struct load_facts *facts, const char *name,
                   struct err *err)
{
    char *from = mem_format("%s/%s/%s", root, facts->out, name);
    char *to = mem_format("%s/%s/%s", root, facts->image_out, name);
    char *dir = path_dir(from), *target = path_relative(to, dir);
    struct stat st;
    int result = stat(to, &st) == 0 ? put_link(from, target, err) : drop_link(from, err);

    free(target);
    free(dir);
    free(to);
    free(from);
    return result;
}

int load_publish(const char *root, const struct load_facts *facts, struct err *err)
{
    char *link = mem_format("%s/build/%s", root, facts->mode);
    char *target = mem_format("%s.%s", facts->mode, facts->arch);
    str_list names = {0};
    int result = put_link(link, target, err);

    text_split(&names, facts->image_targets);
    for (size_t i = 0; result == 0 && i < names.len; i++)
        result = publish(root, facts, names.at[i], err);
    str_list_free(&names);
    free(target);
    free(link);
    return result;
}
