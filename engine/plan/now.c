#include "plan/now.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

void now_open(struct now *now, struct state *state, int root_fd)
{
    *now = (struct now){.state = state, .root_fd = root_fd, .epoch = 1};
}

void now_close(struct now *now)
{
    vec_free(&now->versions);
    vec_free(&now->held);
}

void now_seed(struct now *now, const struct snapshot_seen *seen)
{
    const struct state *state = now->state;
    for (size_t i = 0; i < seen->count; i++) {
        const struct snapshot_entry *entry = &seen->entries[i];
        bool absent = entry->kind == SNAPSHOT_ABSENT;
        if (entry->flags & SNAPSHOT_DIFFERS || (!absent && entry->kind != SNAPSHOT_FILE))
            continue;
        text_id text = intern_find(&state->texts, seen->names + entry->name);
        if (text == INTERN_NONE)
            continue;
        version_id version = absent ? state_find_version(state, text, NULL, &hash_absent)
                                    : state_find_version(state, text, &entry->id, NULL);
        if (version != VERSION_NONE)
            now_set(now, text, version);
    }
}

const char *now_plain(const char *path)
{
    return path + (path[0] == PATH_EXISTS || path[0] == PATH_LINK || path[0] == PATH_LIST);
}

struct identity now_identity(int root_fd, const char *path)
{
    struct stat st;
    switch (path[0]) {
    case PATH_EXISTS:
        return (struct identity){0}; /* there is nothing to compare but the "hash" */
    case PATH_LINK:
        if (fstatat(root_fd, path + 1, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return (struct identity){0};
        return identity_of(&st);
    default:
        return identity_at(root_fd, now_plain(path));
    }
}

struct hash now_hash(int root_fd, const char *path, const struct identity *id, name_filter *counts,
                     const void *data)
{
    struct stat st;
    char target[PATH_MAX];
    ssize_t length;
    switch (path[0]) {
    case PATH_EXISTS:
        return fstatat(root_fd, path + 1, &st, 0) == 0 ? hash_exists : hash_absent;
    case PATH_LINK:
        length = readlinkat(root_fd, path + 1, target, sizeof target);
        return length < 0 ? hash_absent : hash_bytes(target, (size_t)length);
    case PATH_LIST:
        return identity_hash_names(root_fd, path + 1, id, counts, data);
    default:
        return identity_hash(root_fd, path, id);
    }
}

/* A file that was written in this very tick of the clock may be written again unseen: its identity
 * says nothing yet. */
static bool is_settled(const struct identity *id)
{
    enum { TICK_NS = 10 * 1000 * 1000 };
    return id->ctime_ns + TICK_NS < clock_files_ns();
}

static version_id look(struct now *now, text_id path)
{
    const char *name = intern_text(&now->state->texts, path);
    struct identity id = now_identity(now->root_fd, name);
    version_id version = VERSION_NONE;
    if (!identity_absent(&id))
        version = state_find_version(now->state, path, &id, NULL);
    if (version != VERSION_NONE)
        return version;
    struct hash hash = now_hash(now->root_fd, name, &id, now->counts, now->counts_data);
    if (!hash_equal(hash, hash_unknown))
        version = state_find_version(now->state, path, NULL, &hash);
    if (version == VERSION_NONE)
        return NOW_OTHER;
    if (is_settled(&id))
        state_refresh(now->state, version, &id);
    return version;
}

version_id now_of(struct now *now, text_id path)
{
    while (now->versions.len <= path)
        vec_push(&now->versions, NOW_UNSEEN);
    if (now->versions.at[path] == NOW_UNSEEN)
        now->versions.at[path] = look(now, path);
    return now->versions.at[path];
}

bool now_is(struct now *now, version_id version)
{
    return now_of(now, now->state->versions.at[version].path) == version;
}

bool now_holds(struct now *now, set_id set, version_id *other)
{
    while (now->held.len <= set)
        vec_push(&now->held, 0);
    if (now->held.at[set] == now->epoch)
        return true;
    struct set_walk walk = state_set(now->state, set);
    for (version_id version; set_next(&walk, &version);)
        if (!now_is(now, version)) {
            *other = version;
            return false;
        }
    now->held.at[set] = now->epoch;
    return true;
}

void now_set(struct now *now, text_id path, version_id version)
{
    while (now->versions.len <= path)
        vec_push(&now->versions, NOW_UNSEEN);
    if (now->versions.at[path] != version && now->versions.at[path] != NOW_UNSEEN)
        now->epoch++;
    now->versions.at[path] = version;
}

void now_review(struct now *now, text_id path)
{
    if (path < now->versions.len && now->versions.at[path] == NOW_OTHER)
        now_set(now, path, NOW_UNSEEN);
}
