#include "trace/resolve.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "trace/common.h"
#include "trace/names.h"

enum { LINKS_MAX = 40 }; /* path_resolution(7) */
#define KNOWN_NS (10 * UINT64_C(1000000000))

static void forget_parents(struct resolve_parents *parents)
{
    intern_free(&parents->texts);
    intern_free(&parents->names);
    parents->of.len = parents->links.len = 0;
}

void resolve_forget_files(struct resolver *resolver)
{
    if (intern_count(&resolver->files))
        intern_free(&resolver->files);
}

void resolve_forget(struct resolver *resolver)
{
    if (intern_count(&resolver->directories))
        intern_free(&resolver->directories);
    resolve_forget_files(resolver);
    if (intern_count(&resolver->parents.names))
        forget_parents(&resolver->parents);
}

void resolve_forget_old(struct resolver *resolver, uint64_t now_ns)
{
    if (now_ns - resolver->since_ns <= KNOWN_NS)
        return;
    resolve_forget(resolver);
    resolver->since_ns = now_ns;
}

void resolve_free(struct resolver *resolver)
{
    resolve_forget(resolver);
    vec_free(&resolver->parents.of);
    vec_free(&resolver->parents.links);
    vec_free(&resolver->followed);
    str_free(&resolver->root);
    str_free(&resolver->through);
}

/* One walk: `done` is canonical and real so far, `rest` is still to be walked. */
struct walk {
    struct str *done;
    const char *rest;
    char *owned; /* what `rest` is once a link was followed, or NULL */
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
    free(walk->owned);
    walk->rest = walk->owned = rest;
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

static void tell_link(struct resolver *resolver, uint32_t name)
{
    vec_push(&resolver->followed, name);
    if (resolver->link)
        resolver->link(resolver->data, name);
}

/* The walk goes on where a link leads; false where it has led too far. */
static bool follow_link(struct resolver *resolver, struct walk *walk, const char *target,
                        enum resolve_kind *kind)
{
    const struct str *done = walk->done;
    if (++walk->links > LINKS_MAX) {
        *kind = RESOLVE_ABSENT;
        return false;
    }
    if (strncmp(done->at, "/proc/", 6) != 0) {
        uint32_t name = name_id_n(done->at, done->len);
        if (resolver->gathering)
            vec_push(&resolver->parents.links, name);
        tell_link(resolver, name);
    }
    go_through(resolver, walk, target);
    *kind = RESOLVE_DIRECTORY;
    return true;
}

/* Looks at what `done` names; true where the walk goes on. What is `last`, and was told of, is remembered
 * with all of its path (common_keep_note), if at all. */
static bool look(struct resolver *resolver, struct walk *walk, pid_t tid, bool follow, bool last,
                 enum resolve_kind *kind)
{
    struct str *done = walk->done;
    bool noted = last && resolver->told != RESOLVE_NOT_TOLD;
    struct stat st;
    if (is_self(done, tid)) {
        *kind = RESOLVE_DIRECTORY;
        return true;
    }
    char target[PATH_MAX + 1];
    if (common_find(done, resolver, kind, target)) {
        if (*kind == RESOLVE_LINK && follow)
            return follow_link(resolver, walk, target, kind);
        return *kind == RESOLVE_DIRECTORY;
    }
    if (resolver->told == RESOLVE_TOLD_THERE && !resolver->through.len &&
        intern_find_n(&resolver->files, done->at, done->len) != INTERN_NONE) {
        *kind = RESOLVE_FILE;
        return false;
    }
    char room[2 * PATH_MAX];
    const char *real = looked_up(resolver, done->at, room);
    if (lstat(real, &st) < 0) {
        *kind = RESOLVE_ABSENT;
        if (errno == ENOENT && !noted)
            common_keep(done, resolver, *kind, NULL);
        return false;
    }
    *kind = S_ISDIR(st.st_mode)   ? RESOLVE_DIRECTORY
            : S_ISLNK(st.st_mode) ? RESOLVE_LINK
                                  : RESOLVE_FILE;
    bool lasting = strncmp(done->at, "/proc/", 6) != 0 && /* processes come and go */
                   !resolver->distrust && !resolver->through.len;
    if (*kind != RESOLVE_LINK) {
        bool directory = *kind == RESOLVE_DIRECTORY;
        if (noted && !directory)
            return false;
        common_keep(done, resolver, *kind, NULL);
        if (lasting)
            intern_id_n(directory ? &resolver->directories : &resolver->files, done->at, done->len);
        return directory;
    }
    if (!follow)
        return false;
    ssize_t length = readlink(real, target, PATH_MAX);
    if (length > 0)
        target[length] = '\0';
    bool magic = strncmp(done->at, "/proc/", 6) == 0 && length > 0 &&
                 (target[0] != '/' || str_ends(target, " (deleted)"));
    if (length <= 0 || magic) {
        *kind = magic ? RESOLVE_FILE : RESOLVE_ABSENT; /* a pipe or socket */
        return false;
    }
    common_keep(done, resolver, *kind, target);
    return follow_link(resolver, walk, target, kind);
}

/* Walks to the end. */
static enum resolve_kind go(struct resolver *resolver, struct walk *walk, pid_t tid, bool follow)
{
    struct str *done = walk->done;
    enum resolve_kind kind = RESOLVE_DIRECTORY;
    for (;;) {
        walk->at += strspn(walk->rest + walk->at, "/");
        const char *name = walk->rest + walk->at;
        size_t length = strcspn(name, "/");
        if (!length)
            break;
        walk->at += length;
        if (length == 1 && name[0] == '.')
            continue;
        if (length == 2 && name[0] == '.' && name[1] == '.') {
            step_up(resolver, done);
            continue;
        }
        str_add_char(done, '/');
        str_add_n(done, name, length);
        kind = RESOLVE_DIRECTORY;
        if (!resolver->through.len &&
            intern_find_n(&resolver->directories, done->at, done->len) != INTERN_NONE)
            continue;
        bool last = at_end(walk);
        if (look(resolver, walk, tid, !last || follow, last, &kind))
            continue;
        if (!last) { /* through a file, or nothing there: keep the rest, cleaned of nothing */
            if (kind != RESOLVE_ABSENT)
                kind = RESOLVE_ABSENT;
            walk->at += strspn(walk->rest + walk->at, "/");
            str_add_char(done, '/');
            str_add(done, walk->rest + walk->at);
        }
        break;
    }
    return kind;
}

/* From a path that ends with its NUL. */
static enum resolve_kind go_from(struct resolver *resolver, pid_t tid, const char *path,
                                 bool follow, struct str *canonical)
{
    struct walk walk = {.done = canonical, .rest = path};
    enum resolve_kind kind = go(resolver, &walk, tid, follow);
    free(walk.owned);
    return kind;
}

static struct resolve_parent *add_parent(struct resolve_parents *parents, const char *path,
                                         size_t length, const char *canonical, size_t size,
                                         enum resolve_kind kind)
{
    intern_id_n(&parents->texts, path, length);
    struct resolve_parent *parent = vec_new(&parents->of);
    parent->canonical = intern_id_n(&parents->names, canonical, size);
    parent->kind = kind;
    return parent;
}

/* Where the first `length` bytes of a path lead, into `canonical`; `fresh` where it was looked at
 * right now. */
static enum resolve_kind go_to_parent(struct resolver *resolver, pid_t tid, const char *path,
                                      size_t length, struct str *canonical, bool *fresh)
{
    struct resolve_parents *parents = &resolver->parents;
    uint32_t id = intern_find_n(&parents->texts, path, length);
    *fresh = false;
    if (id != INTERN_NONE) {
        const struct resolve_parent *parent = &parents->of.at[id];
        str_add(canonical, intern_text(&parents->names, parent->canonical));
        for (uint32_t i = 0; i < parent->links_count; i++)
            tell_link(resolver, parents->links.at[parent->links + i]);
        return parent->kind;
    }
    enum resolve_kind kind = RESOLVE_DIRECTORY;
    if (common_find_parent(path, length, canonical, &kind)) {
        add_parent(parents, path, length, canonical->at, canonical->len, kind);
        return kind;
    }
    size_t links = parents->links.len;
    resolver->gathering = *fresh = true;
    char *way = mem_copy_n(path, length);
    kind = go_from(resolver, tid, way, true, canonical);
    free(way);
    resolver->gathering = false;
    if (kind == RESOLVE_FILE || kind == RESOLVE_LINK ||
        strncmp(str_text(canonical), "/proc", 5) == 0)
        return kind;
    struct resolve_parent *parent =
        add_parent(parents, path, length, str_text(canonical), canonical->len, kind);
    parent->links = (uint32_t)links;
    parent->links_count = (uint32_t)(parents->links.len - links);
    if (!parent->links_count)
        common_keep_parent(path, length, canonical, kind);
    return kind;
}

/* Length of what stands before the last name; 0 where nothing does, or that name is none. */
static size_t parent_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    bool named = slash && slash[1] && strcmp(slash, "/.") != 0 && strcmp(slash, "/..") != 0;
    return named ? (size_t)(slash - path) : 0;
}

static enum resolve_kind walk_path(struct resolver *resolver, pid_t tid, const char *path,
                                   size_t length, bool follow_last, struct str *canonical)
{
    str_cut(canonical, 0);
    size_t parent = parent_length(path);
    if (length && path[length - 1] == '/')
        follow_last = true;
    enum resolve_kind kind = RESOLVE_DIRECTORY;
    bool fresh = false;
    if (parent && !resolver->distrust && !resolver->root.len && !resolver->through.len) {
        kind = go_to_parent(resolver, tid, path, parent, canonical, &fresh);
        bool believed = fresh || resolver->told == RESOLVE_TOLD_ABSENT ||
                        (resolver->looks && common_is_systems(path));
        if (kind != RESOLVE_DIRECTORY && believed) {
            str_add(canonical, path + parent);
            return RESOLVE_ABSENT;
        }
        if (kind != RESOLVE_DIRECTORY) { /* it may have been made meanwhile */
            str_cut(canonical, 0);
            parent = 0;
        }
    } else {
        parent = 0;
    }
    kind = go_from(resolver, tid, path + parent, follow_last, canonical);
    if (!canonical->len)
        str_add_char(canonical, '/');
    return kind;
}

enum resolve_kind resolve_path_anew(struct resolver *resolver, pid_t tid, const char *path,
                                    bool follow_last, struct str *canonical)
{
    struct common_query query = {path, strlen(path), follow_last, .told = resolver->told};
    struct common_note *note = &query.note;
    resolver->followed.len = 0;
    note->kind = walk_path(resolver, tid, path, query.length, follow_last, canonical);
    resolver->name = note->name = name_id_n(canonical->at, canonical->len);
    note->links_count = (uint32_t)resolver->followed.len;
    for (uint32_t i = 0; i < note->links_count && i < COMMON_LINKS; i++)
        note->links[i] = resolver->followed.at[i];
    common_keep_note(&query, resolver);
    return note->kind;
}

enum resolve_kind resolve_path(struct resolver *resolver, pid_t tid, const char *path,
                               bool follow_last, struct str *canonical)
{
    struct common_query query = {path, strlen(path), follow_last, .told = resolver->told};
    struct common_query *const queries[] = {&query};
    common_find_notes(queries, 1, resolver);
    if (!query.found)
        return resolve_path_anew(resolver, tid, path, follow_last, canonical);
    resolver->followed.len = 0;
    for (uint32_t i = 0; i < query.note.links_count; i++)
        tell_link(resolver, query.note.links[i]);
    resolver->name = query.note.name;
    str_cut(canonical, 0);
    str_add(canonical, name_text(query.note.name));
    return query.note.kind;
}
