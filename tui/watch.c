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

enum { DIRS_MAX = 20000, TOUCHED_MAX = 20000 };

struct watched {
    int id; /* inotify's */
    char *path; /* absolute */
    bool products; /* what builds write: nobody's edit, but it may be damaged */
};

struct watch {
    int fd;
    char *root;
    VEC(struct watched) dirs; /* in order of their ids, which grow */
    str_list touched; /* since watch_forget; absolute */
    str_list links; /* symbolic links; absolute */
    bool blind; /* not all that was touched is known */
    bool never; /* nor ever will be: some directories are not watched, or are elsewhere by now */
};

/* What is nobody's source. */
static bool is_passed_over(const char *name)
{
    size_t length = strlen(name);
    return name[0] == '.' || (length && name[length - 1] == '~') ||
           strcmp(name, "4913") == 0; /* vim's trial */
}

static bool is_of_products(const struct watch *watch, const char *path)
{
    static const char build[] = "/build";
    size_t length = strlen(watch->root);
    return strncmp(path, watch->root, length) == 0 &&
           strncmp(path + length, build, sizeof build - 1) == 0 &&
           (!path[length + sizeof build - 1] || path[length + sizeof build - 1] == '/');
}

/* Watches a directory and all below it. */
static int add_tree(struct watch *watch, const char *top, struct err *err)
{
    str_list pending = {0};
    int status = 0;
    vec_push(&pending, mem_copy(top));
    while (pending.len && !status) {
        char *path = pending.at[--pending.len];
        bool products = is_of_products(watch, path);
        int id = inotify_add_watch(watch->fd, path,
                                   IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                       IN_CREATE | IN_ONLYDIR | IN_DONT_FOLLOW);
        if (id < 0 && (errno == ENOSPC || errno == ENOMEM))
            status = err_set(err, ERR_SYSTEM,
                             "cannot watch %s: no watches are left; raise "
                             "fs.inotify.max_user_watches (sysctl)",
                             path);
        if (watch->dirs.len >= DIRS_MAX)
            status = err_set(err, ERR_INPUT,
                             "%s has more than %d directories: too many to watch; b builds without",
                             watch->root, DIRS_MAX);
        if (id >= 0 && (!watch->dirs.len || watch->dirs.at[watch->dirs.len - 1].id < id))
            vec_push(&watch->dirs, (struct watched){id, mem_copy(path), products});
        watch->never |= id < 0 && errno != ENOENT && errno != ENOTDIR;
        if (status && products) { /* they are only watched to save a look at each */
            watch->never = true;
            status = 0;
            free(path);
            continue;
        }
        DIR *handle = id >= 0 && !status ? opendir(path) : NULL;
        for (struct dirent *entry; handle && (entry = readdir(handle));) {
            struct stat st;
            char *below = path_join(path, entry->d_name);
            bool there = !is_passed_over(entry->d_name) && lstat(below, &st) == 0;
            if (there && S_ISDIR(st.st_mode))
                vec_push(&pending, below);
            else if (there && S_ISLNK(st.st_mode))
                vec_push(&watch->links, below);
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
    str_list_free(&watch->touched);
    str_list_free(&watch->links);
    free(watch->root);
    free(watch);
}

int watch_fd(const struct watch *watch)
{
    return watch->fd;
}

static const struct watched *directory_of(const struct watch *watch, int id)
{
    size_t low = 0, high = watch->dirs.len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (watch->dirs.at[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < watch->dirs.len && watch->dirs.at[low].id == id ? &watch->dirs.at[low] : NULL;
}

/* Takes over the path. */
static void note_touched(struct watch *watch, char *path)
{
    str_list *touched = &watch->touched;
    bool again = touched->len && strcmp(touched->at[touched->len - 1], path) == 0;
    watch->blind |= touched->len >= TOUCHED_MAX;
    if (again || watch->blind)
        free(path);
    else
        vec_push(touched, path);
}

/* True where it is an edit. */
static bool take_one(struct watch *watch, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW) {
        watch->blind = true;
        return true; /* more than could be told: something changed for sure */
    }
    const struct watched *directory = directory_of(watch, event->wd);
    if (!directory || !event->len)
        return false;
    bool edit = !directory->products && !is_passed_over(event->name);
    char *path = path_join(directory->path, event->name);
    edit &= !is_of_products(watch, path);
    if (event->mask & IN_ISDIR) {
        watch->blind |=
            !is_passed_over(event->name); /* files may be in it already, or be gone with it */
        if (event->mask & (IN_CREATE | IN_MOVED_TO) && !is_passed_over(event->name))
            watch->never |= add_tree(watch, path, NULL) < 0;
        watch->never |= (event->mask & (IN_MOVED_FROM | IN_MOVED_TO)) != 0;
        free(path);
        return edit;
    }
    struct stat st;
    if (event->mask & (IN_CREATE | IN_MOVED_TO) && lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
        vec_push(&watch->links, mem_copy(path));
    note_touched(watch, path);
    return edit && !(event->mask & IN_CREATE); /* what is made is also closed */
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

bool watch_changes(const struct watch *watch, struct build_changes *changes)
{
    if (watch->blind || watch->never)
        return false;
    *changes = (struct build_changes){(const char *const *)watch->touched.at, watch->touched.len,
                                      (const char *const *)watch->links.at, watch->links.len};
    return true;
}

void watch_forget(struct watch *watch)
{
    str_list_free(&watch->touched);
    watch->blind = false;
}
