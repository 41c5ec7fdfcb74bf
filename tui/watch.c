#include "tui/watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "base/vec.h"

enum { DIRS_MAX = 20000 };

struct watched {
    int id; /* inotify's */
    char *path; /* absolute */
};

struct watch {
    int fd;
    char *root;
    VEC(struct watched) dirs; /* in order of their ids, which grow */
};

/* What builds write, and what is nobody's source. */
static bool is_passed_over(const struct watch *watch, const char *directory, const char *name)
{
    size_t length = strlen(name);
    bool top = strcmp(directory, watch->root) == 0;
    return name[0] == '.' || (top && strcmp(name, "build") == 0) ||
           (length && name[length - 1] == '~') || strcmp(name, "4913") == 0; /* vim's trial */
}

/* Watches a directory and all below it. */
static int add_tree(struct watch *watch, const char *top, struct err *err)
{
    str_list pending = {0};
    int status = 0;
    vec_push(&pending, mem_copy(top));
    while (pending.len && !status) {
        char *path = pending.at[--pending.len];
        int id = inotify_add_watch(watch->fd, path,
                                   IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                       IN_CREATE | IN_ONLYDIR | IN_DONT_FOLLOW);
        if (id < 0 && (errno == ENOSPC || errno == ENOMEM))
            status = err_set(err, ERR_SYSTEM,
                             "cannot watch %s: no watches are left; raise "
                             "fs.inotify.max_user_watches (sysctl)",
                             path);
        if (watch->dirs.len >= DIRS_MAX)
            status = err_set(err, ERR_INPUT, "%s has more than %d directories: too many to watch",
                             watch->root, DIRS_MAX);
        if (id >= 0 && (!watch->dirs.len || watch->dirs.at[watch->dirs.len - 1].id < id))
            vec_push(&watch->dirs, (struct watched){id, mem_copy(path)});
        DIR *handle = id >= 0 && !status ? opendir(path) : NULL;
        for (struct dirent *entry; handle && (entry = readdir(handle));) {
            struct stat st;
            char *below = path_join(path, entry->d_name);
            if (!is_passed_over(watch, path, entry->d_name) && lstat(below, &st) == 0 &&
                S_ISDIR(st.st_mode))
                vec_push(&pending, below);
            else
                free(below);
        }
        if (handle)
            closedir(handle);
        free(path);
    }
    str_list_free(&pending);
    return status;
}

struct watch *watch_open(const char *root, struct err *err)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0) {
        err_errno(err, "cannot watch %s", root);
        return NULL;
    }
    struct watch *watch = mem_zero(1, sizeof *watch);
    watch->fd = fd;
    watch->root = mem_copy(root);
    if (add_tree(watch, root, err) < 0) {
        watch_close(watch);
        return NULL;
    }
    return watch;
}

void watch_close(struct watch *watch)
{
    if (!watch)
        return;
    close(watch->fd);
    for (size_t i = 0; i < watch->dirs.len; i++)
        free(watch->dirs.at[i].path);
    vec_free(&watch->dirs);
    free(watch->root);
    free(watch);
}

int watch_fd(const struct watch *watch)
{
    return watch->fd;
}

static const char *directory_of(const struct watch *watch, int id)
{
    size_t low = 0, high = watch->dirs.len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (watch->dirs.at[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < watch->dirs.len && watch->dirs.at[low].id == id ? watch->dirs.at[low].path : NULL;
}

static bool take_one(struct watch *watch, const struct inotify_event *event)
{
    const char *directory = directory_of(watch, event->wd);
    if (event->mask & IN_Q_OVERFLOW)
        return true; /* more than could be told: something changed for sure */
    if (!directory || !event->len || is_passed_over(watch, directory, event->name))
        return false;
    if (!(event->mask & IN_ISDIR))
        return !(event->mask & IN_CREATE); /* what is made is also closed */
    if (event->mask & (IN_CREATE | IN_MOVED_TO)) {
        char *path = path_join(directory, event->name);
        add_tree(watch, path, NULL);
        free(path);
        return true; /* files may be in it already */
    }
    return true;
}

bool watch_take(struct watch *watch)
{
    char bytes[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool changed = false;
    for (ssize_t got; (got = read(watch->fd, bytes, sizeof bytes)) > 0;) {
        for (char *at = bytes; at < bytes + got;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            changed |= take_one(watch, event);
            at += sizeof *event + event->len;
        }
    }
    return changed;
}
