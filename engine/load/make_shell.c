/*
 * When a $(shell) of a make is the same again (hook_shell.c): what its processes looked at while it ran
 * last is as it was then, and nothing else is known that its output could come from.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "load/make_internal.h"
#include "load/make_taking.h"

enum { MOST_SEEN = 4096 }; /* paths of a call: more are not worth it */

/* A path that a call looked at. */
struct seen {
    char *path;
    bool there, whole; /* whole: its content counts, and not only that it is there */
    struct stat st;
};

struct shell_call {
    VEC(struct seen) seen;
};

/* A call while what it looked at is gathered. */
struct gathering {
    const struct make_build *make;
    const struct trace *trace;
    struct shell_call *call;
    int64_t since_files_ns; /* what changed since then may have changed before it was looked at */
    bool fails;
};

static void forget(struct shell_call *call)
{
    for (size_t i = 0; i < call->seen.len; i++)
        free(call->seen.at[i].path);
    vec_free(&call->seen);
}

static bool look(struct seen *seen)
{
    seen->there = lstat(seen->path, &seen->st) == 0;
    return seen->there;
}

static int64_t ns_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static bool changed_since(const struct stat *st, int64_t ns)
{
    return ns_of(st->st_mtim) >= ns || ns_of(st->st_ctim) >= ns;
}

/* What says nothing: where its memory lies is looked up by each gawk, whether there is a SELinux by each
 * ls. */
static bool is_nothing(const char *path)
{
    return strcmp(path, "/dev/null") == 0 || strcmp(path, "/proc/filesystems") == 0 ||
           (str_starts(path, "/proc/") && str_ends(path, "/maps"));
}

/* What is no file whose change would show. */
static bool is_unsure(const char *path)
{
    static const char *const dirs[] = {"/dev/", "/proc/", "/sys/", "/run/"};
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        if (str_starts(path, dirs[i]))
            return true;
    return path[0] != '/';
}

static bool is_make(const char *path)
{
    const char *name = path_base(path);
    return strcmp(name, "make") == 0 || strcmp(name, "gmake") == 0;
}

static bool may_repeat(const struct gathering *gathering, const char *path,
                       const struct access *access)
{
    uint32_t kinds = access->kinds;
    const uint32_t changes = ACCESS_WRITE | ACCESS_CREATE | ACCESS_REMOVE | ACCESS_MKDIR |
                             ACCESS_RMDIR | ACCESS_META | ACCESS_APPEND | ACCESS_ENSURE;
    bool own = false, oracle = false;
    if (kinds & ACCESS_EXEC)
        taking_program(path, gathering->make->build->options.root, &own, &oracle);
    return !(kinds & changes) && !(access->found && is_unsure(path)) && !own && !oracle &&
           !((kinds & ACCESS_EXEC) && is_make(path));
}

/* A trace_seen, under the lock of the trace's server. */
static void gather(void *data, const char *path, const struct access *access)
{
    struct gathering *gathering = data;
    if (gathering->fails || is_nothing(path))
        return;
    struct seen seen = {.path = mem_copy(path)};
    bool names = look(&seen) && S_ISDIR(seen.st.st_mode) && !(access->kinds & ACCESS_LIST);
    seen.whole = seen.there && !names;
    gathering->fails = gathering->trace->flaws || gathering->trace->network ||
                       !may_repeat(gathering, path, access) ||
                       gathering->call->seen.len == MOST_SEEN || seen.there != access->found ||
                       (seen.whole && changed_since(&seen.st, gathering->since_files_ns));
    vec_push(&gathering->call->seen, seen);
}

static struct shell_call *call_at(struct make_process *owner, uint32_t slot)
{
    enum { SLOTS = 256 };
    if (slot >= SLOTS)
        return NULL;
    while (owner->shells.len <= slot)
        vec_push(&owner->shells, mem_zero(1, sizeof(struct shell_call)));
    return owner->shells.at[slot];
}

bool make_shell_repeats(const struct make_build *make)
{
    const char *measured = getenv("GANTRY_TRACE");
    return make_trace_works(make->trace) && !make->build->options.verbatim &&
           !(measured && strstr(measured, "no-repeat"));
}

bool make_shell_begins(struct make_build *make, uint32_t number)
{
    struct make_process *owner = make->makes.at[number];
    if (!make_shell_repeats(make) || !owner->below)
        return false;
    trace_server_mark(make_trace_server(make->trace), owner->below);
    return true;
}

bool make_shell_ended(struct make_build *make, uint32_t number, uint32_t slot,
                      int64_t since_files_ns)
{
    struct make_process *owner = make->makes.at[number];
    struct shell_call *call = call_at(owner, slot);
    if (!call)
        return false;
    forget(call);
    if (!make_shell_repeats(make) || !make_trace_sees_all(make->trace) || !owner->below)
        return false;
    struct gathering gathering = {
        .make = make, .trace = owner->below, .call = call, .since_files_ns = since_files_ns};
    /* make waits meanwhile: what its trace got since the mark is the call's. */
    trace_server_since_mark(make_trace_server(make->trace), owner->below, gather, &gathering);
    bool plain = !gathering.fails && call->seen.len;
    if (!plain)
        forget(call);
    return plain;
}

static bool is_same(const struct seen *then)
{
    struct seen now = {.path = then->path};
    if (!look(&now) || !then->there)
        return now.there == then->there;
    const struct stat *a = &then->st, *b = &now.st;
    bool same = a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_mode == b->st_mode;
    return same &&
           (!then->whole || (a->st_size == b->st_size && ns_of(a->st_mtim) == ns_of(b->st_mtim) &&
                             ns_of(a->st_ctim) == ns_of(b->st_ctim)));
}

bool make_shell_is_same(struct make_build *make, uint32_t number, uint32_t slot)
{
    struct shell_call *call = call_at(make->makes.at[number], slot);
    bool same = call && call->seen.len && make_trace_sees_all(make->trace);
    for (size_t i = 0; same && i < call->seen.len; i++)
        same = is_same(&call->seen.at[i]);
    return same;
}

void make_shell_free(struct make_process *owner)
{
    for (size_t i = 0; i < owner->shells.len; i++) {
        forget(owner->shells.at[i]);
        free(owner->shells.at[i]);
    }
    vec_free(&owner->shells);
}
