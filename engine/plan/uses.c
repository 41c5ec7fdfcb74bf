#include "plan/uses.h"

#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "plan/libraries.h"
#include "toolchain/launcher.h"
#include "trace/trace.h"

/* The rest of a path below a directory, or NULL; "" for the directory itself. */
static const char *below(const char *path, const char *dir)
{
    while (*dir && *path == *dir) /* mostly ends at once: cheaper than a call */
        path++, dir++;
    return *dir ? NULL : *path == '/' ? path + 1 : *path ? NULL : path;
}

static bool is_system(const char *path)
{
    static const char *const dirs[] = {"/dev", "/proc", "/sys", "/run"};
    if (!strchr("dpsre", path[1])) /* no need to compare most */
        return false;
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        if (below(path, dirs[i]))
            return true;
    return strcmp(path, LIBRARIES_CACHE) == 0;
}

/* Where names are new each time. A program is none of these, wherever it is. */
static bool is_scratch(const char *path)
{
    return below(path, "/tmp") || below(path, "/var/tmp");
}

static unsigned uses_of(uint32_t kinds, bool found, bool inside)
{
    const uint32_t changes =
        ACCESS_WRITE | ACCESS_CREATE | ACCESS_REMOVE | ACCESS_MKDIR | ACCESS_RMDIR;
    if (kinds & (ACCESS_MKDIR | ACCESS_RMDIR | ACCESS_ENSURE))
        return 0; /* directories come with what is in them */
    if (kinds & changes) {
        if (!inside || (kinds & ACCESS_APPEND))
            return inside ? USE_APPENDED : 0;
        return USE_MADE | (found ? USE_WAS_THERE : 0);
    }
    if (!found)
        return USE_ABSENT;
    unsigned uses = 0;
    if (kinds & (ACCESS_READ | ACCESS_EXEC))
        uses |= USE_CONTENT;
    if (kinds & ACCESS_LIST)
        uses |= USE_LIST;
    if (kinds & ACCESS_LINK)
        uses |= USE_LINK;
    /* A look at what the system has all over the place is no use of it. */
    if (!uses && inside && (kinds & ACCESS_STAT))
        uses = USE_EXISTS;
    return uses;
}

static void use_of_access(const struct access *access, const struct use_place *place, use_fn *each,
                          void *data)
{
    const char *path = name_text(access->path);
    if (path[0] != '/' || is_system(path) || below(path, place->state_dir))
        return;
    const char *relative = below(path, place->root);
    if (!relative && is_scratch(path) && !(access->kinds & ACCESS_EXEC))
        return;
    unsigned uses = uses_of(access->kinds, access->found, relative != NULL);
    if (relative && !*relative) {
        relative = ".";
        uses &= USE_LIST;
    }
    if (uses)
        each(data, access->path, relative ? relative : path, uses);
}

void uses_of_trace(const struct trace *trace, const struct use_place *place, use_fn *each,
                   void *data)
{
    for (size_t i = 0; i < trace->accesses.len; i++)
        use_of_access(&trace->accesses.at[i], place, each, data);
}

/* What is written here goes nowhere, to whoever watches, or into the writer itself. */
static bool is_sink(const char *path)
{
    static const char *const files[] = {"/dev/null",   "/dev/zero",   "/dev/full",
                                        "/dev/tty",    "/dev/stdout", "/dev/stderr",
                                        "/dev/random", "/dev/urandom"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(path, files[i]) == 0)
            return true;
    return below(path, "/dev/pts") || below(path, "/dev/fd") ||
           (below(path, "/proc") && !below(path, "/proc/sys"));
}

bool uses_reach_outside(const struct trace *trace, const struct use_place *place)
{
    const uint32_t changes =
        ACCESS_WRITE | ACCESS_CREATE | ACCESS_REMOVE | ACCESS_MKDIR | ACCESS_RMDIR | ACCESS_META;
    for (size_t i = 0; i < trace->accesses.len; i++) {
        const struct access *access = &trace->accesses.at[i];
        const char *path = name_text(access->path);
        struct stat st;
        if (!(access->kinds & changes) || path[0] != '/' || below(path, place->root) ||
            below(path, place->state_dir) || is_sink(path) || launcher_is_cache(path))
            continue;
        bool comes = access->kinds & (ACCESS_CREATE | ACCESS_MKDIR);
        bool was_there = access->found && !(access->kinds & ACCESS_MKDIR);
        if (was_there || (comes && lstat(path, &st) == 0))
            return true;
    }
    return false;
}
