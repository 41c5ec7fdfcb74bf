#include "trace/resolve.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { LINKS_MAX = 40 }; /* path_resolution(7) */

void resolve_forget(struct resolver *resolver)
{
    if (intern_count(&resolver->directories))
        intern_free(&resolver->directories);
}

void resolve_free(struct resolver *resolver)
{
    resolve_forget(resolver);
    str_free(&resolver->root);
    str_free(&resolver->through);
}

/*
 * What stands below /usr is the same for all steps, and most of what they look at: what is a real
 * file or directory there is asked once in ten seconds (packages are upgraded while a console is
 * open). Where a step changes anything there, it is asked each time.
 */
#define COMMON_NS (10 * UINT64_C(1000000000))

static struct {
    pthread_rwlock_t lock;
    struct intern files, directories;
    uint64_t born_ns;
    bool off;
} common = {.lock = PTHREAD_RWLOCK_INITIALIZER};

static bool is_common(const struct resolver *resolver, const char *path)
{
    return strncmp(path, "/usr/", 5) == 0 && !resolver->through.len;
}

static enum resolve_kind common_kind(const struct str *path)
{
    enum resolve_kind kind = RESOLVE_ABSENT; /* not known */
    pthread_rwlock_rdlock(&common.lock);
    if (common.off || clock_ns() - common.born_ns > COMMON_NS)
        ;
    else if (intern_find_n(&common.files, path->at, path->len) != INTERN_NONE)
        kind = RESOLVE_FILE;
    else if (intern_find_n(&common.directories, path->at, path->len) != INTERN_NONE)
        kind = RESOLVE_DIRECTORY;
    pthread_rwlock_unlock(&common.lock);
    return kind;
}

static void remember_common(const struct str *path, bool directory)
{
    pthread_rwlock_wrlock(&common.lock);
    if (clock_ns() - common.born_ns > COMMON_NS) {
        intern_free(&common.files);
        intern_free(&common.directories);
        common.files = common.directories = (struct intern){0};
        common.born_ns = clock_ns();
    }
    if (!common.off)
        intern_id_n(directory ? &common.directories : &common.files, path->at, path->len);
    pthread_rwlock_unlock(&common.lock);
}

void resolve_changed(const char *path)
{
    if (strncmp(path, "/usr/", 5) != 0)
        return;
    pthread_rwlock_wrlock(&common.lock);
    common.off = true;
    pthread_rwlock_unlock(&common.lock);
}

/* One walk: `done` is canonical and real so far, `rest` is still to be walked. */
struct walk {
    struct str *done;
    char *rest; /* owned */
    size_t at; /* of rest */
    unsigned links;
};

static void step_up(const struct resolver *resolver, struct str *done)
{
    if (resolver->root.len && done->len <= resolver->root.len)
        return;
    char *slash = done->len ? strrchr(done->at, '/') : NULL;
    str_cut(done, slash ? (size_t)(slash - done->at) : 0);
}

/* Puts a link's target in front of what is left. */
static void go_through(const struct resolver *resolver, struct walk *walk, const char *target)
{
    if (target[0] == '/') {
        str_cut(walk->done, 0);
        str_add(walk->done, str_text(&resolver->root));
    } else {
        step_up(resolver, walk->done);
    }
    char *rest = mem_format("%s/%s", target, walk->rest + walk->at);
    free(walk->rest);
    walk->rest = rest;
    walk->at = 0;
}

/* Where the kernel sees the caller's own process, we must see that process, not ourselves. */
static bool is_self(struct str *done, pid_t tid)
{
    if (strcmp(done->at, "/proc/self") != 0 && strcmp(done->at, "/proc/thread-self") != 0)
        return false;
    str_cut(done, 5);
    str_addf(done, "/%ld", (long)tid);
    return true;
}

static bool at_end(const struct walk *walk)
{
    return walk->rest[walk->at + strspn(walk->rest + walk->at, "/")] == '\0';
}

/* The path to look something up by. */
static const char *looked_up(const struct resolver *resolver, const char *path, char *room)
{
    if (!resolver->through.len)
        return path;
    snprintf(room, 2 * PATH_MAX, "%s%s", resolver->through.at, path);
    return room;
}

/* Looks at what `done` names; true where the walk goes on. */
static bool look(struct resolver *resolver, struct walk *walk, pid_t tid, bool follow,
                 enum resolve_kind *kind)
{
    struct str *done = walk->done;
    struct stat st;
    if (is_self(done, tid)) {
        *kind = RESOLVE_DIRECTORY;
        return true;
    }
    bool shared = is_common(resolver, done->at);
    if (shared && (*kind = common_kind(done)) != RESOLVE_ABSENT)
        return *kind == RESOLVE_DIRECTORY;
    char room[2 * PATH_MAX];
    const char *real = looked_up(resolver, done->at, room);
    if (lstat(real, &st) < 0) {
        *kind = RESOLVE_ABSENT;
        return false;
    }
    if (shared && !S_ISLNK(st.st_mode))
        remember_common(done, S_ISDIR(st.st_mode));
    if (S_ISDIR(st.st_mode)) {
        *kind = RESOLVE_DIRECTORY;
        if (strncmp(done->at, "/proc/", 6) != 0 && /* processes come and go */
            !resolver->distrust && !resolver->through.len)
            intern_id_n(&resolver->directories, done->at, done->len);
        return true;
    }
    if (!S_ISLNK(st.st_mode)) {
        *kind = RESOLVE_FILE;
        return false;
    }
    *kind = RESOLVE_LINK;
    if (!follow)
        return false;
    char target[PATH_MAX + 1];
    ssize_t length = readlink(real, target, PATH_MAX);
    if (length > 0)
        target[length] = '\0';
    bool magic = strncmp(done->at, "/proc/", 6) == 0 && length > 0 &&
                 (target[0] != '/' || str_ends(target, " (deleted)"));
    if (length <= 0 || ++walk->links > LINKS_MAX || magic) {
        *kind = magic ? RESOLVE_FILE : RESOLVE_ABSENT; /* a pipe or socket; or a loop */
        return false;
    }
    if (resolver->link && strncmp(done->at, "/proc/", 6) != 0)
        resolver->link(resolver->data, done->at);
    go_through(resolver, walk, target);
    *kind = RESOLVE_DIRECTORY;
    return true;
}

enum resolve_kind resolve_path(struct resolver *resolver, pid_t tid, const char *path,
                               bool follow_last, struct str *canonical)
{
    str_cut(canonical, 0);
    struct walk walk = {.done = canonical, .rest = mem_copy(path)};
    size_t length = strlen(path);
    if (length && path[length - 1] == '/')
        follow_last = true;
    enum resolve_kind kind = RESOLVE_DIRECTORY;
    for (;;) {
        walk.at += strspn(walk.rest + walk.at, "/");
        const char *name = walk.rest + walk.at;
        size_t name_length = strcspn(name, "/");
        if (!name_length)
            break;
        walk.at += name_length;
        if (name_length == 1 && name[0] == '.')
            continue;
        if (name_length == 2 && name[0] == '.' && name[1] == '.') {
            step_up(resolver, canonical);
            continue;
        }
        str_add_char(canonical, '/');
        str_add_n(canonical, name, name_length);
        kind = RESOLVE_DIRECTORY;
        if (!resolver->through.len &&
            intern_find_n(&resolver->directories, canonical->at, canonical->len) != INTERN_NONE)
            continue;
        bool last = at_end(&walk);
        if (look(resolver, &walk, tid, !last || follow_last, &kind))
            continue;
        if (!last) { /* through a file, or nothing there: keep the rest, cleaned of nothing */
            if (kind != RESOLVE_ABSENT)
                kind = RESOLVE_ABSENT;
            walk.at += strspn(walk.rest + walk.at, "/");
            str_add_char(canonical, '/');
            str_add(canonical, walk.rest + walk.at);
        }
        break;
    }
    if (!canonical->len)
        str_add_char(canonical, '/');
    free(walk.rest);
    return kind;
}
