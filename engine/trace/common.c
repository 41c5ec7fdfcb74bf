#include "trace/common.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/mem.h"
#include "trace/ring.h"
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

/* Where a path led. Half a line of the cache: it goes by a hash of 96 bits, not by its text. */
struct note {
    uint64_t low;
    uint32_t high;
    uint32_t name; /* + 1; 0: free */
    uint32_t since_ms;
    uint32_t ways; /* as they were; of what is not the system's */
    uint32_t links; /* first of note_links */
    uint8_t links_count;
    uint8_t kind; /* enum resolve_kind */
    bool systems, brief;
};

static struct {
    pthread_mutex_t
        lock; /* held for less than a microsecond: who waits is there before he could sleep */
    struct intern paths, targets;
    VEC(struct known) of; /* by id of paths */
    struct intern texts, canonicals; /* of parents */
    VEC(struct parent) parents; /* by id of texts */
    struct note *notes; /* open addressing */
    size_t notes_cap, notes_len;
    VEC(uint32_t) note_links; /* names */
    str_list programs; /* directories of PATH */
    bool begun; /* those are known */
    uint64_t born_ns;
    uint32_t ways; /* grows where a directory or a link changes */
    bool off; /* a step changes what is the system's */
} common = {.lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP};

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
        const char *at = path, *place = places[i];
        while (*place && *at == *place)
            at++, place++;
        if (!*place && (*at == '/' || !*at))
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

/* What is not there for long: processes, devices. */
static bool is_passing(const char *path)
{
    static const char *const places[] = {"/proc", "/dev", "/sys", "/run"};
    return is_below(path, places, sizeof places / sizeof *places);
}

bool common_is_systems(const char *path)
{
    pthread_mutex_lock(&common.lock);
    bool systems = !common.off && is_systems(path);
    pthread_mutex_unlock(&common.lock);
    return systems;
}

static void forget(void)
{
    intern_free(&common.paths);
    intern_free(&common.targets);
    intern_free(&common.texts);
    intern_free(&common.canonicals);
    common.of.len = common.parents.len = common.note_links.len = 0;
    free(common.notes);
    common.notes = NULL;
    common.notes_cap = common.notes_len = 0;
}

void trace_begin(void)
{
    pthread_mutex_lock(&common.lock);
    forget();
    str_list_free(&common.programs);
    common.begun = common.off = false;
    common.born_ns = 0;
    pthread_mutex_unlock(&common.lock);
    names_forget();
}

/* Takes the lock, and forgets what is too old. */
static void begin_keeping(void)
{
    pthread_mutex_lock(&common.lock);
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
    pthread_mutex_lock(&common.lock);
    uint32_t id = intern_find_n(&common.paths, path->at, path->len);
    const struct known *known = id == INTERN_NONE ? NULL : &common.of.at[id];
    bool believed = known && is_believed(known, resolver);
    if (believed) {
        *kind = (enum resolve_kind)known->kind;
        if (known->kind == RESOLVE_LINK)
            strcpy(target, intern_text(&common.targets, known->target));
    }
    pthread_mutex_unlock(&common.lock);
    return believed;
}

void common_keep(const struct str *path, const struct resolver *resolver, enum resolve_kind kind,
                 const char *target)
{
    if (resolver->through.len || is_passing(path->at))
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
    pthread_mutex_unlock(&common.lock);
}

bool common_find_parent(const char *path, size_t length, struct str *canonical,
                        enum resolve_kind *kind)
{
    pthread_mutex_lock(&common.lock);
    uint32_t id = common.off || coarse_ns() - common.born_ns > COMMON_NS
                      ? INTERN_NONE
                      : intern_find_n(&common.texts, path, length);
    if (id != INTERN_NONE) {
        *kind = common.parents.at[id].there ? RESOLVE_DIRECTORY : RESOLVE_ABSENT;
        str_add(canonical, intern_text(&common.canonicals, common.parents.at[id].canonical));
    }
    pthread_mutex_unlock(&common.lock);
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
    pthread_mutex_unlock(&common.lock);
}

/* ---- notes ---- */

static uint32_t now_ms(void)
{
    return (uint32_t)(coarse_ns() / 1000000);
}

/* What is kept of a path differs by whether its last link is followed, and by what the kernel said of it. */
static XXH128_hash_t hash_of_note(const struct common_query *query)
{
    uint64_t way = (uint64_t)query->told << 1 | query->follow_last;
    return XXH3_128bits_withSeed(query->path, query->length, way);
}

/* The slot that holds the note, or the free slot where it belongs. The table is never full. */
static struct note *slot_of(XXH128_hash_t hash)
{
    for (size_t at = hash.low64 & (common.notes_cap - 1);; at = (at + 1) & (common.notes_cap - 1)) {
        struct note *note = &common.notes[at];
        if (!note->name || (note->low == hash.low64 && note->high == (uint32_t)hash.high64))
            return note;
    }
}

static void grow_notes(void)
{
    enum { FIRST = 1024 };
    size_t old_cap = common.notes_cap;
    struct note *old = common.notes;
    common.notes_cap = old_cap ? old_cap * 2 : FIRST;
    common.notes = mem_zero(common.notes_cap, sizeof *common.notes);
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].name)
            *slot_of((XXH128_hash_t){old[i].low, old[i].high}) = old[i];
    free(old);
}

static bool is_note_believed(const struct note *note, const struct resolver *resolver)
{
    if (!note->name ||
        (note->systems ? common.off : note->ways != common.ways || resolver->distrust))
        return false;
    return now_ms() - note->since_ms <= (note->brief ? BRIEF_NS : COMMON_NS) / 1000000;
}

static void find_note(struct common_query *query, XXH128_hash_t hash,
                      const struct resolver *resolver)
{
    const struct note *note = slot_of(hash);
    if (!is_note_believed(note, resolver))
        return;
    struct common_note *out = &query->note;
    query->found = true;
    out->name = note->name - 1;
    out->kind = (enum resolve_kind)note->kind;
    out->systems = note->systems;
    out->links_count = note->links_count;
    for (uint32_t i = 0; i < note->links_count; i++)
        out->links[i] = common.note_links.at[note->links + i];
}

static bool may_believe(const struct common_query *query, const struct resolver *resolver)
{
    return query->told != RESOLVE_NOT_TOLD || resolver->looks;
}

void common_find_notes(struct common_query *const *queries, size_t count,
                       const struct resolver *resolver)
{
    XXH128_hash_t hashes[COMMON_QUERIES];
    for (size_t i = 0; i < count; i++) {
        queries[i]->found = false;
        hashes[i] = hash_of_note(queries[i]);
    }
    if (resolver->through.len || resolver->root.len)
        return;
    pthread_mutex_lock(&common.lock);
    for (size_t i = 0; i < count && common.notes_cap; i++) /* they lie anywhere in a large table */
        __builtin_prefetch(&common.notes[hashes[i].low64 & (common.notes_cap - 1)]);
    for (size_t i = 0; i < count && common.notes_cap; i++)
        if (may_believe(queries[i], resolver))
            find_note(queries[i], hashes[i], resolver);
    pthread_mutex_unlock(&common.lock);
}

/* Whether a path and all that it leads to is the system's. */
static bool leads_through_systems(const char *path, const struct common_note *note)
{
    bool systems = is_systems(path) && is_systems(name_text(note->name));
    for (uint32_t i = 0; i < note->links_count && systems; i++)
        systems = is_systems(name_text(note->links[i]));
    return systems;
}

/* Not where the kernel said one thing and a look another, nor what the next who looks would not believe. */
static bool is_fit_to_keep(const struct common_query *query, const struct resolver *resolver)
{
    const char *path = query->path;
    const struct common_note *note = &query->note;
    enum resolve_told fits =
        note->kind == RESOLVE_ABSENT ? RESOLVE_TOLD_ABSENT : RESOLVE_TOLD_THERE;
    if (resolver->through.len || resolver->root.len || note->links_count > COMMON_LINKS ||
        str_starts(name_text(note->name), RING_PLACE) || is_passing(path) ||
        is_passing(name_text(note->name)))
        return false;
    return query->told == RESOLVE_NOT_TOLD ? resolver->looks && common_is_systems(path)
                                           : query->told == fits;
}

void common_keep_note(const struct common_query *query, const struct resolver *resolver)
{
    const struct common_note *what = &query->note;
    if (!is_fit_to_keep(query, resolver))
        return;
    begin_keeping();
    bool systems = leads_through_systems(query->path, what);
    bool told = query->told != RESOLVE_NOT_TOLD;
    if (systems ? !common.off : told && !resolver->distrust) {
        if ((common.notes_len + 1) * 2 > common.notes_cap)
            grow_notes();
        XXH128_hash_t hash = hash_of_note(query);
        struct note *note = slot_of(hash);
        common.notes_len += !note->name;
        *note = (struct note){.low = hash.low64,
                              .high = (uint32_t)hash.high64,
                              .name = what->name + 1,
                              .since_ms = now_ms(),
                              .ways = common.ways,
                              .links = (uint32_t)common.note_links.len,
                              .links_count = (uint8_t)what->links_count,
                              .kind = (uint8_t)what->kind,
                              .systems = systems,
                              .brief = !systems || what->links_count || what->kind == RESOLVE_LINK};
        for (uint32_t i = 0; i < what->links_count; i++)
            vec_push(&common.note_links, what->links[i]);
    }
    pthread_mutex_unlock(&common.lock);
}

/* ---- changes ---- */

uint64_t common_since(const char *path)
{
    pthread_mutex_lock(&common.lock);
    bool old = common.off || coarse_ns() - common.born_ns > COMMON_NS || !is_systems(path);
    uint64_t since = old ? 0 : common.born_ns;
    pthread_mutex_unlock(&common.lock);
    return since;
}

void common_changed(const char *path)
{
    pthread_mutex_lock(&common.lock);
    bool systems = !common.off && is_systems(path);
    uint32_t id = intern_find(&common.paths, path);
    pthread_mutex_unlock(&common.lock);
    if (!systems && id == INTERN_NONE)
        return;
    pthread_mutex_lock(&common.lock);
    common.off |= systems;
    id = intern_find(&common.paths, path);
    if (id != INTERN_NONE)
        common.of.at[id].gone = true;
    pthread_mutex_unlock(&common.lock);
}

void common_ways_changed(void)
{
    pthread_mutex_lock(&common.lock);
    common.ways++;
    pthread_mutex_unlock(&common.lock);
}
