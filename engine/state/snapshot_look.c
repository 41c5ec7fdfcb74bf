/* Looking for single paths of a snapshot: what is there is sorted; absent names are so by directory. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "state/snapshot_private.h"

const char *snapshot_name(const struct snapshot_seen *seen, size_t entry)
{
    return seen->names + seen->entries[entry].name;
}

static size_t first_between(const struct snapshot_seen *seen, size_t low, size_t high,
                            const char *path)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(snapshot_name(seen, middle), path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t snapshot_first(const struct snapshot_seen *seen, const char *path)
{
    return first_between(seen, 0, seen->there, path);
}

size_t snapshot_first_from(const struct snapshot_seen *seen, size_t from, const char *path,
                           bool *there)
{
    size_t low = from, step = 1;
    int order = 1;
    while (low + step <= seen->there &&
           (order = strcmp(snapshot_name(seen, low + step - 1), path)) < 0) {
        low += step;
        step *= 2;
    }
    if (step > 1) {
        size_t high = low + step - 1;
        low = first_between(seen, low, high < seen->there ? high : seen->there, path);
        order = low < seen->there ? strcmp(snapshot_name(seen, low), path) : 1;
    }
    *there = low < seen->there && order == 0;
    return low;
}

const struct snapshot_entry *snapshot_find(const struct snapshot_seen *seen,
                                           enum snapshot_kind kind, const char *path)
{
    for (size_t i = snapshot_first(seen, path);
         i < seen->there && !strcmp(snapshot_name(seen, i), path); i++)
        if (seen->entries[i].kind == kind)
            return &seen->entries[i];
    return NULL;
}

size_t snapshot_find_absent(const struct snapshot_seen *seen, const char *path)
{
    for (size_t head = seen->there; head < seen->count; head += 1 + seen->entries[head].count)
        for (size_t low = head + 1, high = low + seen->entries[head].count; low < high;) {
            size_t middle = low + (high - low) / 2;
            int order = strcmp(snapshot_name(seen, middle), path);
            if (order == 0)
                return middle;
            if (order < 0)
                low = middle + 1;
            else
                high = middle;
        }
    return SIZE_MAX;
}

/* Bytes of a path before its last slash; 0: it is of no directory that would be opened. */
static size_t directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? (size_t)(slash - path) : 0;
}

void snapshot_place_close(struct snapshot_place *place)
{
    if (place->dir)
        close(place->dir_fd);
    place->dir = NULL;
}

int snapshot_place_of(struct snapshot_place *place, const struct snapshot_seen *seen, size_t entry,
                      const char **name)
{
    enum { ENOUGH = 6 }; /* entries in a row, for an open to be worth it */
    const char *path = snapshot_name(seen, entry);
    size_t length = directory_length(path);
    *name = path;
    if (place->dir && length == place->length && memcmp(path, place->dir, length) == 0) {
        *name = path + length + 1;
        return place->dir_fd;
    }
    if (!length || entry + ENOUGH >= seen->there)
        return place->root_fd;
    const char *later = snapshot_name(seen, entry + ENOUGH);
    if (directory_length(later) != length || memcmp(path, later, length) != 0)
        return place->root_fd;
    snapshot_place_close(place);
    char *dir = mem_copy_n(path, length);
    place->dir_fd = openat(place->root_fd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    if (place->dir_fd < 0)
        return place->root_fd;
    place->dir = path;
    place->length = length;
    *name = path + length + 1;
    return place->dir_fd;
}

static bool holds(const struct snapshot_seen *seen, size_t entry, int root_fd)
{
    size_t skip;
    return snapshot_entry_holds(&seen->entries[entry], snapshot_name(seen, entry), root_fd, &skip);
}

/* All entries of a path, or of all that is below it as well. */
static bool path_holds(const struct snapshot_seen *seen, const char *path, int root_fd, bool below)
{
    size_t length = strlen(path);
    bool good = true;
    for (size_t i = snapshot_first(seen, path); good && i < seen->there; i++) {
        const char *name = snapshot_name(seen, i);
        if (strncmp(name, path, length) != 0 || (name[length] && !below))
            break;
        if (!name[length] || name[length] == '/')
            good = holds(seen, i, root_fd);
    }
    size_t absent = snapshot_find_absent(seen, path);
    return good && (absent == SIZE_MAX || holds(seen, absent, root_fd));
}

/* A file that comes or goes is a change of its directory, too. */
static bool suspect_holds(const struct snapshot_seen *seen, const char *path, int root_fd)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash ? mem_copy_n(path, (size_t)(slash - path)) : mem_copy(".");
    bool good =
        path_holds(seen, path, root_fd, false) && path_holds(seen, directory, root_fd, false);
    free(directory);
    return good;
}

/* What nobody tells of: outside of the tree, and what may be below a directory that is not watched. */
static bool is_untold(const char *name)
{
    return name[0] == '/' || (name[0] == '.' && name[1]) || strstr(name, "/.") ||
           strchr(name, '~') || strstr(name, "4913");
}

static bool untold_holds(const struct snapshot_seen *seen, int root_fd)
{
    bool good = true;
    for (size_t i = 0; good && i < seen->there; i++)
        if (is_untold(snapshot_name(seen, i)))
            good = holds(seen, i, root_fd);
    for (size_t i = seen->there, skip; good && i < seen->count; i += 1 + skip) {
        /* In a directory of the tree any of these names may be below a link or begin with a dot. */
        const struct snapshot_entry *entry = &seen->entries[i];
        good = snapshot_entry_holds(entry, snapshot_name(seen, i), root_fd, &skip);
    }
    return good;
}

bool snapshot_check_suspects(const char *file, int root_fd, uint64_t key,
                             const struct snapshot_suspects *suspects,
                             struct snapshot_answer *answer)
{
    struct snapshot_seen seen;
    snapshot_read(&seen, file, key);
    bool good = seen.bytes && untold_holds(&seen, root_fd);
    for (size_t i = 0; good && i < suspects->paths_count; i++)
        good = suspect_holds(&seen, suspects->paths[i], root_fd);
    for (size_t i = 0; good && i < suspects->links_count; i++)
        good = path_holds(&seen, suspects->links[i], root_fd, true);
    if (good)
        *answer = (struct snapshot_answer){seen.answer.steps, mem_copy(seen.answer.text)};
    snapshot_seen_free(&seen);
    return good;
}
