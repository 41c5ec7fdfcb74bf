/* A snapshot made of the last one: of 100,000 entries a few have changed. */
#include <stdlib.h>
#include <string.h>

#include "state/snapshot_private.h"

/* The last one with what has changed. */
struct again {
    const struct snapshot_seen *last;
    const struct sorting *changes; /* sorted: */
    size_t there, count; /* those that are there come first */
    struct writing to; /* its names begin with those of the last one */
};

static void keep_entry(struct again *own, const struct snapshot_entry *entry)
{
    if (!(entry->flags & SNAPSHOT_DIFFERS))
        vec_push(&own->to.entries, *entry);
}

/* Changes of one path: instead of the last one's entries of their kinds, and besides the others. Those begin
 * at `at`, where `there` are any; returns where they end. */
static size_t put_changes(struct again *own, const struct sorting *changes, size_t count, size_t at,
                          bool there)
{
    const struct snapshot_seen *last = own->last;
    const char *path = changes->path;
    uint32_t name = UINT32_MAX;
    uint16_t flags = 0;
    for (; there; at++) {
        const struct snapshot_entry *old = &last->entries[at];
        bool replaced = false;
        for (size_t i = 0; i < count; i++)
            replaced |= changes[i].entry.kind == old->kind;
        name = old->name;
        flags |= old->flags & (uint16_t)~SNAPSHOT_DIFFERS;
        if (!replaced)
            keep_entry(own, old);
        there = at + 1 < last->there && strcmp(snapshot_name(last, at + 1), path) == 0;
    }
    for (size_t i = 0; i < count; i++) {
        struct snapshot_entry entry = changes[i].entry;
        entry.flags |= flags;
        if (name == UINT32_MAX) {
            snapshot_put_entry(&own->to, entry, path, strlen(path));
            name = own->to.entries.at[own->to.entries.len - 1].name;
            continue;
        }
        entry.name = name;
        if (entry.id.ctime_ns > own->to.newest_ns)
            own->to.newest_ns = entry.id.ctime_ns;
        vec_push(&own->to.entries, entry);
    }
    return at;
}

static void put_there(struct again *own)
{
    size_t at = 0;
    for (size_t i = 0, end; i < own->there; i = end) {
        const char *path = own->changes[i].path;
        bool there;
        size_t next = snapshot_first_from(own->last, at, path, &there);
        for (end = i + 1; end < own->there && own->changes[end].path == path;) /* interned */
            end++;
        for (; at < next; at++)
            keep_entry(own, &own->last->entries[at]);
        at = put_changes(own, own->changes + i, end - i, at, there);
    }
    for (; at < own->last->there; at++)
        keep_entry(own, &own->last->entries[at]);
}

/* The absent names of a directory, which is an entry of the last one. False where one has come since. */
static bool keep_absent(struct again *own, size_t at)
{
    const struct snapshot_entry *entries = own->last->entries;
    struct snapshot_entry head = entries[at];
    size_t place = own->to.entries.len;
    struct identity now = identity_at(own->to.root_fd, snapshot_name(own->last, at));
    bool same = identity_equal(&now, &head.id);
    if (!same)
        head.id = snapshot_calm_directory(own->to.root_fd, snapshot_name(own->last, at));
    bool look = !same && !identity_absent(&head.id);
    if (head.id.ctime_ns > own->to.newest_ns)
        own->to.newest_ns = head.id.ctime_ns;
    head.count = 0;
    vec_push(&own->to.entries, head);
    for (size_t i = at + 1; i <= at + entries[at].count; i++) {
        bool came = look && snapshot_is_there(own->to.root_fd, snapshot_name(own->last, i));
        if (came && !(entries[i].flags & SNAPSHOT_DIFFERS))
            return false;
        if (came)
            continue;
        vec_push(&own->to.entries, entries[i]);
        own->to.entries.at[own->to.entries.len - 1].flags &= (uint16_t)~SNAPSHOT_DIFFERS;
    }
    own->to.entries.at[place].count = own->to.entries.len - place - 1;
    if (!own->to.entries.at[place].count)
        own->to.entries.len = place;
    return true;
}

static bool put_absent_again(struct again *own)
{
    const struct snapshot_seen *last = own->last;
    VEC(struct sorting) more = {0};
    bool good = true;
    for (size_t at = last->there; good && at < last->count; at += 1 + last->entries[at].count)
        good = keep_absent(own, at);
    for (size_t i = own->there; i < own->count; i++) {
        size_t known = snapshot_find_absent(last, own->changes[i].path);
        if (known == SIZE_MAX || (last->entries[known].flags & SNAPSHOT_DIFFERS))
            vec_push(&more, own->changes[i]);
    }
    good = good && snapshot_put_absent(&own->to, more.at, more.len);
    vec_free(&more);
    return good;
}

bool snapshot_write_again(const struct snapshot_seen *last, struct snapshot *changes,
                          const char *file, int root_fd, uint64_t key,
                          const struct snapshot_answer *answer)
{
    const struct header *header = (const void *)last->bytes;
    snapshot_look_later(changes, root_fd);
    struct sorting *sorted = snapshot_sort(changes);
    size_t count = changes->entries.len;
    struct again own = {.last = last,
                        .changes = sorted,
                        .there = snapshot_count_there(sorted, count),
                        .count = count,
                        .to = {.root_fd = root_fd}};
    str_add_n(&own.to.names, last->names, header->names_bytes);
    vec_reserve(&own.to.entries, last->count + count);
    put_there(&own);
    bool good = put_absent_again(&own) && snapshot_young_hold(&own.to);
    good = snapshot_write_file(&own.to, good, file, key, last->names + header->names_bytes,
                               header->variables_bytes, answer);
    free(sorted);
    return good;
}
