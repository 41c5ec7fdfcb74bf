#include "state/snapshot_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/clock.h"
#include "base/mem.h"

enum { SCHEMA = 2, ORDER = 0x01020304 };

static const char magic[8] = "gantry\0P";

static uint64_t check_of(const struct header *header, const void *rest, size_t length)
{
    return XXH3_64bits_withSeed(rest, length, XXH3_64bits(header, offsetof(struct header, check)));
}

/* ---- making ---- */

void snapshot_add(struct snapshot *snapshot, enum snapshot_kind kind, const char *path,
                  const struct identity *id)
{
    static const struct identity nobody;
    uint32_t name = intern_id(&snapshot->paths, path);
    while (snapshot->kinds.len <= name) {
        vec_push(&snapshot->kinds, 0);
        vec_push(&snapshot->flags, 0);
    }
    bool exact = kind == SNAPSHOT_FILE || kind == SNAPSHOT_LINK;
    if (snapshot->kinds.at[name] & 1u << kind)
        return;
    snapshot->kinds.at[name] |= (uint8_t)(1u << kind);
    vec_push(&snapshot->entries,
             (struct snapshot_entry){name, (uint16_t)kind, 0, 0, exact ? *id : nobody});
}

void snapshot_mark(struct snapshot *snapshot, const char *path, enum snapshot_flags flags)
{
    uint32_t name = intern_find(&snapshot->paths, path);
    if (name != INTERN_NONE)
        snapshot->flags.at[name] |= (uint8_t)flags;
}

void snapshot_add_variable(struct snapshot *snapshot, const char *name)
{
    vec_push(&snapshot->environment, mem_copy(name));
}

void snapshot_free(struct snapshot *snapshot)
{
    intern_free(&snapshot->paths);
    vec_free(&snapshot->entries);
    vec_free(&snapshot->kinds);
    vec_free(&snapshot->flags);
    str_list_free(&snapshot->environment);
    *snapshot = (struct snapshot){0};
}

/* The values of the variables, as one hash. */
static uint64_t hash_environment(const char *names, size_t length)
{
    struct str all = {0};
    for (const char *at = names; at < names + length; at += strlen(at) + 1) {
        const char *value = getenv(at);
        str_addf(&all, "%s%c%s", at, value ? '=' : '!', value ? value : "");
        str_add_char(&all, '\0');
    }
    uint64_t hash = XXH3_64bits(str_text(&all), all.len);
    str_free(&all);
    return hash;
}

/* Waits until the clock that stamps files has passed `stamp`: whatever changes from then on gets
 * another stamp. False where the stamp lies far in the future. */
static bool wait_past(int64_t stamp_ns)
{
    enum { TICKS = 40 };
    for (int i = 0; i < TICKS; i++) {
        if (clock_files_ns() > stamp_ns)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static struct identity identity_of_link(int root_fd, const char *path)
{
    struct stat st;
    if (fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return (struct identity){0};
    return identity_of(&st);
}

void snapshot_look_later(struct snapshot *snapshot, int root_fd)
{
    size_t kept = 0, count = snapshot->entries.len;
    for (size_t i = 0; i < count; i++) {
        struct snapshot_entry entry = snapshot->entries.at[i];
        if (entry.kind == SNAPSHOT_LATER_FILE || entry.kind == SNAPSHOT_LATER_LINK) {
            bool link = entry.kind == SNAPSHOT_LATER_LINK;
            const char *path = intern_text(&snapshot->paths, entry.name);
            entry.id = link ? identity_of_link(root_fd, path) : identity_at(root_fd, path);
            entry.kind = identity_absent(&entry.id) ? SNAPSHOT_ABSENT
                         : link                     ? SNAPSHOT_LINK
                                                    : SNAPSHOT_FILE;
            if (snapshot->kinds.at[entry.name] & 1u << entry.kind)
                continue;
            snapshot->kinds.at[entry.name] |= (uint8_t)(1u << entry.kind);
        }
        snapshot->entries.at[kept++] = entry;
    }
    snapshot->entries.len = kept;
}

static int by_place(const void *a, const void *b)
{
    const struct sorting *one = a, *two = b;
    bool absent_one = one->entry.kind == SNAPSHOT_ABSENT,
         absent_two = two->entry.kind == SNAPSHOT_ABSENT;
    if (absent_one != absent_two)
        return absent_one ? 1 : -1;
    if (absent_one) {
        size_t shorter = one->dir_length < two->dir_length ? one->dir_length : two->dir_length;
        int order = memcmp(one->path, two->path, shorter);
        if (order || one->dir_length != two->dir_length)
            return order ? order : one->dir_length < two->dir_length ? -1 : 1;
    }
    return strcmp(one->path, two->path);
}

static size_t dir_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

struct sorting *snapshot_sort(const struct snapshot *snapshot)
{
    struct sorting *sorted = mem_alloc((snapshot->entries.len + 1) * sizeof *sorted);
    for (size_t i = 0; i < snapshot->entries.len; i++) {
        struct snapshot_entry entry = snapshot->entries.at[i];
        const char *path = intern_text(&snapshot->paths, entry.name);
        entry.flags = snapshot->flags.at[entry.name];
        sorted[i] =
            (struct sorting){path, entry.kind == SNAPSHOT_ABSENT ? dir_length(path) : 0, entry};
    }
    if (snapshot->entries.len)
        qsort(sorted, snapshot->entries.len, sizeof *sorted, by_place);
    return sorted;
}

void snapshot_put_entry(struct writing *to, struct snapshot_entry entry, const char *path,
                        size_t length)
{
    entry.name = (uint32_t)to->names.len;
    if (entry.id.ctime_ns > to->newest_ns)
        to->newest_ns = entry.id.ctime_ns;
    str_add_n(&to->names, path, length);
    str_add_char(&to->names, '\0');
    vec_push(&to->entries, entry);
}

bool snapshot_is_there(int root_fd, const char *path)
{
    struct stat st;
    return fstatat(root_fd, path, &st, 0) == 0;
}

struct identity snapshot_calm_directory(int root_fd, const char *path)
{
    enum { CALM_NS = 50 * 1000 * 1000 };
    struct identity id = identity_at(root_fd, path);
    if (id.ctime_ns + CALM_NS > clock_files_ns())
        id = (struct identity){.dev = UINT64_MAX, .ino = UINT64_MAX};
    return id;
}

/* The directory of absent names is looked at first, so that a name that comes after is seen. Where it is
 * not there none of them is, and they need no look: most are below a few such directories, where a
 * compiler looks for all that it finds elsewhere. */
static bool put_absent(struct writing *to, const struct sorting *from, size_t count)
{
    size_t length = from->dir_length;
    char *dir =
        length ? mem_copy_n(from->path, length) : mem_copy(from->path[0] == '/' ? "/" : ".");
    struct snapshot_entry head = {.kind = SNAPSHOT_DIRECTORY, .count = count};
    head.id = snapshot_calm_directory(to->root_fd, dir);
    snapshot_put_entry(to, head, dir, strlen(dir));
    free(dir);
    for (size_t i = 0; i < count; i++) {
        if (!identity_absent(&head.id) && snapshot_is_there(to->root_fd, from[i].path))
            return false;
        snapshot_put_entry(to, from[i].entry, from[i].path, strlen(from[i].path));
    }
    return true;
}

bool snapshot_put_absent(struct writing *to, const struct sorting *sorted, size_t count)
{
    bool good = true;
    for (size_t i = 0, end; good && i < count; i = end) {
        end = i + 1;
        while (end < count && sorted[end].dir_length == sorted[i].dir_length &&
               memcmp(sorted[end].path, sorted[i].path, sorted[i].dir_length) == 0)
            end++;
        good = put_absent(to, sorted + i, end - i);
    }
    return good;
}

size_t snapshot_count_there(const struct sorting *sorted, size_t count)
{
    size_t there = 0;
    while (there < count && sorted[there].entry.kind != SNAPSHOT_ABSENT)
        there++;
    return there;
}

static bool put_all(struct writing *to, const struct snapshot *snapshot)
{
    struct sorting *sorted = snapshot_sort(snapshot);
    size_t count = snapshot->entries.len, there = snapshot_count_there(sorted, count);
    for (size_t i = 0; i < there; i++)
        snapshot_put_entry(to, sorted[i].entry, sorted[i].path, strlen(sorted[i].path));
    bool good = snapshot_put_absent(to, sorted + there, count - there);
    free(sorted);
    return good;
}

bool snapshot_young_hold(const struct writing *to)
{
    enum { YOUNG_NS = 50 * 1000 * 1000 };
    if (!wait_past(to->newest_ns))
        return false;
    for (size_t i = 0; i < to->entries.len; i++) {
        const struct snapshot_entry *entry = &to->entries.at[i];
        if (entry->id.ctime_ns + YOUNG_NS < to->newest_ns || entry->kind == SNAPSHOT_DIRECTORY)
            continue;
        const char *path = to->names.at + entry->name;
        struct identity now = entry->kind == SNAPSHOT_LINK ? identity_of_link(to->root_fd, path)
                                                           : identity_at(to->root_fd, path);
        if ((entry->kind == SNAPSHOT_FILE || entry->kind == SNAPSHOT_LINK) &&
            !identity_equal(&now, &entry->id))
            return false;
    }
    return true;
}

bool snapshot_write_file(struct writing *to, bool good, const char *file, uint64_t key,
                         const char *variables, size_t variables_bytes,
                         const struct snapshot_answer *answer)
{
    struct str bytes = {0};
    const char *text = answer->text ? answer->text : "";
    struct header header = {.schema = SCHEMA,
                            .order = ORDER,
                            .key = key,
                            .environment = hash_environment(variables, variables_bytes),
                            .steps = answer->steps,
                            .entries = to->entries.len,
                            .names_bytes = to->names.len,
                            .variables_bytes = variables_bytes,
                            .text_bytes = strlen(text) + 1};
    memcpy(header.magic, magic, sizeof magic);
    str_add_n(&bytes, (const char *)&header, sizeof header);
    str_add_n(&bytes, (const char *)to->entries.at, to->entries.len * sizeof *to->entries.at);
    str_add_n(&bytes, str_text(&to->names), to->names.len);
    str_add_n(&bytes, variables, variables_bytes);
    str_add_n(&bytes, text, strlen(text) + 1);
    header.check = check_of(&header, bytes.at + sizeof header, bytes.len - sizeof header);
    memcpy(bytes.at, &header, sizeof header);
    good = good && file_replace(file, bytes.at, bytes.len);
    if (!good)
        unlink(file);
    str_free(&bytes);
    str_free(&to->names);
    vec_free(&to->entries);
    return good;
}

bool snapshot_write(struct snapshot *snapshot, const char *file, int root_fd, uint64_t key,
                    const struct snapshot_answer *answer)
{
    struct writing to = {.root_fd = root_fd};
    struct str variables = {0};
    snapshot_look_later(snapshot, root_fd);
    bool good = put_all(&to, snapshot) && snapshot_young_hold(&to);
    for (size_t i = 0; i < snapshot->environment.len; i++)
        str_add_n(&variables, snapshot->environment.at[i], strlen(snapshot->environment.at[i]) + 1);
    good = snapshot_write_file(&to, good, file, key, str_text(&variables), variables.len, answer);
    str_free(&variables);
    return good;
}

/* ---- checking ---- */

/* The header of a whole file, or NULL. */
static const struct header *header_of(const char *bytes, size_t length, uint64_t key)
{
    const struct header *header = (const void *)bytes;
    if (length < sizeof *header || memcmp(header->magic, magic, sizeof magic) ||
        header->schema != SCHEMA || header->order != ORDER || header->key != key)
        return NULL;
    size_t rest = length - sizeof *header;
    if (header->check != check_of(header, header + 1, rest))
        return NULL;
    /* The hash holds, so the sizes are the writer's; this only guards against our own mistakes. */
    uint64_t sum = header->entries * sizeof(struct snapshot_entry) + header->names_bytes +
                   header->variables_bytes + header->text_bytes;
    return sum == rest ? header : NULL;
}

bool snapshot_entry_holds(const struct snapshot_entry *entry, const char *path, int root_fd,
                          size_t *skip)
{
    struct identity now;
    *skip = 0;
    switch ((enum snapshot_kind)entry->kind) {
    case SNAPSHOT_FILE:
        now = identity_at(root_fd, path);
        return identity_equal(&now, &entry->id);
    case SNAPSHOT_LINK:
        now = identity_of_link(root_fd, path);
        return identity_equal(&now, &entry->id);
    case SNAPSHOT_EXISTS:
        return snapshot_is_there(root_fd, path);
    case SNAPSHOT_ABSENT:
        return !snapshot_is_there(root_fd, path);
    case SNAPSHOT_DIRECTORY:
        now = identity_at(root_fd, path);
        if (identity_equal(&now, &entry->id) || identity_absent(&now))
            *skip = entry->count;
        return true;
    case SNAPSHOT_LATER_FILE:
    case SNAPSHOT_LATER_LINK:
        break;
    }
    return false;
}

static size_t there_of(const struct snapshot_entry *entries, size_t count)
{
    size_t low = 0, high = count; /* the first that is not there, or a directory of such */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entries[middle].kind == SNAPSHOT_ABSENT || entries[middle].kind == SNAPSHOT_DIRECTORY)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void snapshot_read(struct snapshot_seen *seen, const char *file, uint64_t key)
{
    size_t length;
    char *bytes = file_read(file, &length, NULL);
    const struct header *header = bytes ? header_of(bytes, length, key) : NULL;
    *seen = (struct snapshot_seen){0};
    if (!header) {
        free(bytes);
        return;
    }
    struct snapshot_entry *entries = (void *)(bytes + sizeof *header);
    const char *names = (const char *)(entries + header->entries);
    const char *variables = names + header->names_bytes;
    if (header->environment != hash_environment(variables, header->variables_bytes)) {
        free(bytes);
        return;
    }
    *seen = (struct snapshot_seen){.bytes = bytes,
                                   .entries = entries,
                                   .count = header->entries,
                                   .names = names,
                                   .there = there_of(entries, header->entries),
                                   .answer = {header->steps, bytes + length - header->text_bytes}};
}

bool snapshot_check(const char *file, int root_fd, uint64_t key, struct snapshot_answer *answer)
{
    struct snapshot_seen seen;
    snapshot_read(&seen, file, key);
    bool holds = seen.bytes != NULL;
    struct snapshot_place place = {.root_fd = root_fd};
    for (size_t i = 0, skip; holds && i < seen.count; i += 1 + skip) {
        const char *name;
        int fd = snapshot_place_of(&place, &seen, i, &name);
        holds = snapshot_entry_holds(&seen.entries[i], name, fd, &skip);
    }
    snapshot_place_close(&place);
    if (holds)
        *answer = (struct snapshot_answer){seen.answer.steps, mem_copy(seen.answer.text)};
    snapshot_seen_free(&seen);
    return holds;
}

void snapshot_compare(struct snapshot_seen *seen, const char *file, int root_fd, uint64_t key)
{
    snapshot_read(seen, file, key);
    seen->holds = seen->loading_holds = seen->bytes != NULL;
    struct snapshot_place place = {.root_fd = root_fd};
    for (size_t i = 0, skip; seen->bytes && i < seen->count; i += 1 + skip) {
        struct snapshot_entry *entry = &seen->entries[i];
        const char *name;
        int fd = snapshot_place_of(&place, seen, i, &name);
        if (snapshot_entry_holds(entry, name, fd, &skip))
            continue;
        entry->flags |= SNAPSHOT_DIFFERS;
        seen->holds = false;
        if (entry->flags & SNAPSHOT_LOADING ||
            (entry->flags & SNAPSHOT_LOADING_FOR &&
             (entry->kind == SNAPSHOT_ABSENT || !snapshot_is_there(fd, name))))
            seen->loading_holds = false;
    }
    snapshot_place_close(&place);
}

void snapshot_seen_free(struct snapshot_seen *seen)
{
    free(seen->bytes);
    *seen = (struct snapshot_seen){0};
}
