#include "trace/common.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "trace/trace.h"

#define COMMON_NS (10 * UINT64_C(1000000000))
#define BRIEF_NS UINT64_C(1000000000)

/* A path and what stands there. */
struct known {
    uint64_t since_ns;
    uint32_t target; /* id of targets, of a link */
    uint32_t ways; /* as they were; of what is not the system's */
    uint8_t kind; /* enum resolve_kind */
    bool gone; /* not known any more */
    bool systems;
};

struct parent {
    uint32_t canonical; /* id of canonicals */
    bool there;
};

static struct {
    pthread_rwlock_t lock;
    struct intern paths, targets;
    VEC(struct known) of; /* by id of paths */
    struct intern texts, canonicals; /* of parents */
    VEC(struct parent) parents; /* by id of texts */
    str_list programs; /* directories of PATH */
    bool begun; /* those are known */
    uint64_t born_ns;
    uint32_t ways; /* grows where a directory or a link changes */
    bool off; /* a step changes what is the system's */
} common = {.lock = PTHREAD_RWLOCK_INITIALIZER};

static uint64_t coarse_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Whether a path is one of these or below one. */
static bool is_below(const char *path, const char *const *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(places[i]);
        if (strncmp(path, places[i], length) == 0 && (path[length] == '/' || !path[length]))
            return true;
    }
    return false;
}

/* Directories of PATH, but for those that a build may fill: around where we stand. */
static void find_programs(void)
{
    char here[PATH_MAX];
    const char *path = getenv("PATH"), *places[] = {here, "/tmp", "/proc", "/dev", "/var"};
    common.begun = true;
    if (!path || !getcwd(here, sizeof here))
        return;
    while (*path) {
        size_t length = strcspn(path, ":");
        char *place = mem_copy_n(path, length);
        const char *const it[] = {place};
        if (place[0] == '/' && length > 1 && place[length - 1] != '/' &&
            !is_below(place, places, sizeof places / sizeof *places) && !is_below(here, it, 1))
            vec_push(&common.programs, place);
        else
            free(place);
        path += length + (path[length] == ':');
    }
}

static bool is_systems(const char *path)
{
    static const char *const places[] = {"/usr", "/etc", "/lib", "/lib64", "/bin", "/sbin"};
    if (is_below(path, places, sizeof places / sizeof *places))
        return true;
    const char *slash = strrchr(path, '/');
    for (size_t i = 0; slash && i < common.programs.len; i++)
        if (strlen(common.programs.at[i]) == (size_t)(slash - path) &&
            strncmp(common.programs.at[i], path, (size_t)(slash - path)) == 0)
            return true;
    return false;
}

bool common_is_systems(const char *path)
{
    pthread_rwlock_rdlock(&common.lock);
    bool systems = !common.off && is_systems(path);
    pthread_rwlock_unlock(&common.lock);
    return systems;
}

static void forget(void)
{
    intern_free(&common.paths);
    intern_free(&common.targets);
    intern_free(&common.texts);
    intern_free(&common.canonicals);
    common.of.len = common.parents.len = 0;
}

void trace_begin(void)
{
    pthread_rwlock_wrlock(&common.lock);
    forget();
    str_list_free(&common.programs);
    common.begun = common.off = false;
    common.born_ns = 0;
    pthread_rwlock_unlock(&common.lock);
}

/* Takes the lock to write, and forgets what is too old. */
static void begin_keeping(void)
{
    pthread_rwlock_wrlock(&common.lock);
    if (!common.begun)
        find_programs();
    if (coarse_ns() - common.born_ns > COMMON_NS) {
        forget();
        common.born_ns = coarse_ns();
    }
}

static bool is_believed(const struct known *known, const struct resolver *resolver)
{
    if (known->gone || (known->systems ? common.off : known->ways != common.ways))
        return false;
    bool brief = known->kind == RESOLVE_LINK || (!known->systems && known->kind != RESOLVE_ABSENT);
    if (coarse_ns() - known->since_ns > (brief ? BRIEF_NS : COMMON_NS))
        return false;
    if (known->kind == RESOLVE_ABSENT)
        return resolver->told == RESOLVE_TOLD_ABSENT || (resolver->looks && known->systems);
    return known->systems || !resolver->distrust;
}

bool common_find(const struct str *path, const struct resolver *resolver, enum resolve_kind *kind,
                 char *target)
{
    if (resolver->through.len)
        return false;
    pthread_rwlock_rdlock(&common.lock);
    uint32_t id = intern_find_n(&common.paths, path->at, path->len);
    const struct known *known = id == INTERN_NONE ? NULL : &common.of.at[id];
    bool believed = known && is_believed(known, resolver);
    if (believed) {
        *kind = (enum resolve_kind)known->kind;
        if (known->kind == RESOLVE_LINK)
            strcpy(target, intern_text(&common.targets, known->target));
    }
    pthread_rwlock_unlock(&common.lock);
    return believed;
}

void common_keep(const struct str *path, const struct resolver *resolver, enum resolve_kind kind,
                 const char *target)
{
    static const char *const passing[] = {"/proc", "/dev", "/sys", "/run"};
    if (resolver->through.len || is_below(path->at, passing, sizeof passing / sizeof *passing))
        return;
    bool everywhere = kind == RESOLVE_DIRECTORY || kind == RESOLVE_ABSENT;
    if (!everywhere && !common_is_systems(path->at))
        return;
    begin_keeping();
    struct known known = {.since_ns = coarse_ns(), .ways = common.ways, .kind = (uint8_t)kind};
    known.systems = is_systems(path->at);
    bool held = known.systems ? !common.off : !resolver->distrust && everywhere;
    if (held) {
        uint32_t id = intern_id_n(&common.paths, path->at, path->len);
        if (kind == RESOLVE_LINK)
            known.target = intern_id(&common.targets, target);
        if (id == common.of.len)
            vec_push(&common.of, known);
        common.of.at[id] = known;
    }
    pthread_rwlock_unlock(&common.lock);
}

bool common_find_parent(const char *path, size_t length, struct str *canonical,
                        enum resolve_kind *kind)
{
    pthread_rwlock_rdlock(&common.lock);
    uint32_t id = common.off || coarse_ns() - common.born_ns > COMMON_NS
                      ? INTERN_NONE
                      : intern_find_n(&common.texts, path, length);
    if (id != INTERN_NONE) {
        *kind = common.parents.at[id].there ? RESOLVE_DIRECTORY : RESOLVE_ABSENT;
        str_add(canonical, intern_text(&common.canonicals, common.parents.at[id].canonical));
    }
    pthread_rwlock_unlock(&common.lock);
    return id != INTERN_NONE;
}

void common_keep_parent(const char *path, size_t length, const struct str *canonical,
                        enum resolve_kind kind)
{
    begin_keeping();
    if (!common.off && is_systems(path) && is_systems(str_text(canonical)) &&
        intern_find_n(&common.texts, path, length) == INTERN_NONE) {
        intern_id_n(&common.texts, path, length);
        uint32_t id = intern_id_n(&common.canonicals, canonical->at, canonical->len);
        vec_push(&common.parents, (struct parent){id, kind == RESOLVE_DIRECTORY});
    }
    pthread_rwlock_unlock(&common.lock);
}

uint64_t common_since(const char *path)
{
    pthread_rwlock_rdlock(&common.lock);
    bool old = common.off || coarse_ns() - common.born_ns > COMMON_NS || !is_systems(path);
    uint64_t since = old ? 0 : common.born_ns;
    pthread_rwlock_unlock(&common.lock);
    return since;
}

void common_changed(const char *path)
{
    pthread_rwlock_rdlock(&common.lock);
    bool systems = !common.off && is_systems(path);
    uint32_t id = intern_find(&common.paths, path);
    pthread_rwlock_unlock(&common.lock);
    if (!systems && id == INTERN_NONE)
        return;
    pthread_rwlock_wrlock(&common.lock);
    common.off |= systems;
    id = intern_find(&common.paths, path);
    if (id != INTERN_NONE)
        common.of.at[id].gone = true;
    pthread_rwlock_unlock(&common.lock);
}

void common_ways_changed(void)
{
    pthread_rwlock_wrlock(&common.lock);
    common.ways++;
    pthread_rwlock_unlock(&common.lock);
}
