/* Looking for single paths of a snapshot: what is there is sorted; absent names are so by directory. */
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "state/snapshot_private.h"

const char *snapshot_name(const struct snapshot_seen *seen, size_t entry)
{
    return seen->names + seen->entries[entry].name;
}

size_t snapshot_first(const struct snapshot_seen *seen, const char *path)
{
    size_t low = 0, high = seen->there;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(snapshot_name(seen, middle), path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
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
