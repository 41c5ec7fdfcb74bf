/*
 * What a pair of accesses is: the classes, and the rules by which what looks like a race is none. The
 * two steps are known to be unordered; what each did to the path, by which command, decides.
 */
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "race/detector.h"
#include "toolchain/launcher.h"

static const char *const class_names[RACE_CLASSES] = {
    "missing-edge", "write-write",       "overwrite", "shadow",      "listing",        "directory",
    "scratch",      "check-then-create", "removal",   "double-work", "goal-dependent",
};
static const char *const rule_names[RACE_RULES] = {
    "append-only log", "lock file",
    "system files",    "cache",
    "own temporary",   "mkdir by several",
    "looked at alone", "dependency list",
    "other pattern",   "made by another, too",
};

const char *race_class_name(enum race_class class)
{
    return class_names[class];
}

const char *race_class_meaning(enum race_class class)
{
    static const char *const meanings[RACE_CLASSES] = {
        "A step reads what another makes, and no declared order says that it comes later",
        "Two steps without declared order write one file",
        "A step changes a file in place while another, without declared order, may read it",
        "A step looks up in vain what another, without declared order, makes",
        "A step lists a directory in which another, without declared order, makes or removes names",
        "A step needs a directory that only a step without declared order makes",
        "Two steps without declared order use one temporary name",
        "Two steps without declared order look for a name and make it where it is absent",
        "A step removes what another, without declared order, uses",
        "One recipe with several targets runs once for each of them",
        "A command differs with the goal that reached its target first",
    };
    return meanings[class];
}

const char *race_rule_name(enum race_rule rule)
{
    return rule_names[rule];
}

enum race_grade race_class_grade(enum race_class class)
{
    if (class == RACE_LISTING)
        return RACE_SLIGHT;
    if (class == RACE_SHADOW || class == RACE_CHECK_THEN_CREATE || class == RACE_DOUBLE_WORK ||
        class == RACE_GOAL_DEPENDENT)
        return RACE_DOUBTFUL;
    return RACE_GRAVE;
}

/* Made and taken away again by the step itself: a name that was not there before and is not after,
 * or one that was left over from before and is written, then removed. */
bool race_is_private(const struct race_access *a)
{
    if (!(a->kinds & ACCESS_REMOVE) || a->left)
        return false;
    return a->found ? (a->kinds & ACCESS_WRITE) && !(a->kinds & ACCESS_CREATE)
                    : (a->kinds & ACCESS_CREATE) != 0;
}

static bool looks_like_lock(const char *path)
{
    const char *name = path_base(path);
    return str_ends(name, ".lock") || str_ends(name, ".lck") || strcmp(name, "lock") == 0 ||
           strcmp(name, "LOCK") == 0;
}

bool race_looks_like_cache(const char *path)
{
    return launcher_is_cache(path) || strstr(path, "/go-build/") ||
           strstr(path, "/CMakeFiles/Progress") || str_ends(path, ".pyc");
}

bool race_looks_like_depfile(const char *path)
{
    return str_ends(path, ".d") || str_ends(path, ".dep") || str_ends(path, ".Po") ||
           str_ends(path, ".Plo") || str_ends(path, ".Tpo") || str_ends(path, ".deps");
}

static bool names_it(const char *command, const char *path)
{
    return command && strstr(command, path_base(path));
}

/* Both commands speak of the name: the look of one is the guard of a creation. */
static bool both_name_it(const struct detector *d, const struct race_access *a,
                         const struct race_access *b)
{
    const char *path = path_of(d, a->path);
    return names_it(step_of(d, a)->command, path) && names_it(step_of(d, b)->command, path);
}

static bool wrote(const struct detector *d, uint32_t step, uint32_t path)
{
    const struct race_access *a =
        path == INTERN_NONE || !d->matters[path] ? NULL : access_of(d, path, step);
    return a && (a->kinds & WRITES);
}

/* One recipe that ran for one of its targets and again for another. A pattern rule that ran for two
 * stems is not that: neither made the other's target. */
static bool same_work(const struct detector *d, const struct race_access *a,
                      const struct race_access *b)
{
    const struct race_step *one = step_of(d, a), *other = step_of(d, b);
    return one->recipe && one->recipe == other->recipe &&
           (wrote(d, a->step, other->target) || wrote(d, b->step, one->target));
}

/* The look at a path that another makes where it is absent: `test -e x || ln -s y x`. */
static bool is_guarded(const struct race_access *a)
{
    return (a->kinds & ACCESS_STAT) && (a->kinds & (ACCESS_CREATE | ACCESS_MKDIR)) && !a->found;
}

static bool only_looked(const struct race_access *b)
{
    const uint32_t looks = ACCESS_STAT | ACCESS_LINK | ACCESS_META;
    return (b->kinds & (ACCESS_STAT | ACCESS_LINK)) && !(b->kinds & ~looks);
}

static bool makes_without_p(const char *command)
{
    return command && strstr(command, "mkdir ") && !strstr(command, "mkdir -p") &&
           !strstr(command, "mkdir -m");
}

static int classify_writer(const struct detector *d, const struct race_access *a,
                           const struct race_access *b)
{
    if (b->kinds & WRITES)
        return RACE_WRITE_WRITE;
    if (is_guarded(a) && only_looked(b) && both_name_it(d, a, b))
        return RACE_CHECK_THEN_CREATE;
    if (b->kinds & USES) {
        if (!b->found)
            return RACE_SHADOW;
        bool own = step_of(d, a)->target == a->path;
        return a->found && !(a->kinds & ACCESS_CREATE) && !own ? RACE_OVERWRITE : RACE_MISSING_EDGE;
    }
    if (!(b->kinds & ACCESS_STAT))
        return NO_RACE;
    /* A shell's `test -f x` decides what is done; a compiler's or linker's stat does not. */
    return !b->found && names_it(step_of(d, b)->command, path_of(d, a->path)) ? RACE_SHADOW
                                                                              : WEAK_RACE;
}

/* Whether a step that missed a directory would have found something in it, made by a step in no
 * order with it, instead of what it found by the same name elsewhere. */
static bool would_find(const struct detector *d, const struct race_access *b)
{
    size_t low = 0, high = d->rivals.len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (d->rivals.at[middle].directory < b->path)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < d->rivals.len && d->rivals.at[low].directory == b->path; low++) {
        const struct rival *rival = &d->rivals.at[low];
        if (!access_of(d, rival->other, b->step))
            continue;
        for (uint32_t i = 0; i < count_of(d, rival->made); i++) {
            const struct race_access *made = access_at(d, rival->made, i);
            if ((made->kinds & WRITES) && !order_any(d->order, made->step, b->step))
                return true;
        }
    }
    return false;
}

/* What two unordered accesses of one path are; `a` changes it. */
int race_classify(const struct detector *d, const struct race_access *a,
                  const struct race_access *b)
{
    const struct race_step *one = step_of(d, a), *other = step_of(d, b);
    if (one->forecast && other->forecast)
        return NO_RACE;
    if (one->forecast || other->forecast) {
        bool target = (one->forecast ? one : other)->target == a->path;
        return same_work(d, a, b)                                     ? RACE_DOUBLE_WORK
               : target && (a->kinds & WRITES) && (b->kinds & WRITES) ? RACE_WRITE_WRITE
                                                                      : NO_RACE;
    }
    if (same_work(d, a, b) && (b->kinds & (CHANGES | USES)))
        return RACE_DOUBLE_WORK;
    if (race_is_private(a) || race_is_private(b)) {
        uint32_t kinds = (race_is_private(a) ? b : a)->kinds;
        if (kinds & ((CHANGES & ~(unsigned)ACCESS_MKDIR) | USES))
            return (kinds & REMOVES) && !(kinds & (WRITES | USES)) ? RACE_REMOVAL : RACE_SCRATCH;
        return kinds & ACCESS_STAT ? WEAK_RACE : NO_RACE;
    }
    if (a->kinds & WRITES)
        return classify_writer(d, a, b);
    if (a->kinds & REMOVES)
        return b->kinds & (WRITES | USES | ACCESS_MKDIR | ACCESS_ENSURE) ? RACE_REMOVAL : NO_RACE;
    if (is_guarded(a) && only_looked(b) && both_name_it(d, a, b) &&
        makes_without_p(step_of(d, a)->command) && makes_without_p(step_of(d, b)->command))
        return RACE_CHECK_THEN_CREATE;
    if ((a->kinds & ACCESS_MKDIR) && !b->found && (b->kinds & (ACCESS_STAT | ACCESS_READ)) &&
        !(b->kinds & (CHANGES | ACCESS_ENSURE)) &&
        names_it(step_of(d, b)->command, path_of(d, a->path)))
        return would_find(d, b) ? RACE_SHADOW : WEAK_RACE;
    /* What is created below a directory is looked at by itself. */
    return b->kinds & (ACCESS_MKDIR | ACCESS_ENSURE) ? WEAK_RACE : NO_RACE;
}

/* Whether the reader is declared to come after another step that would make the same file. */
static bool has_twin(const struct detector *d, const struct race_access *a,
                     const struct race_access *b)
{
    uint32_t count = count_of(d, a->path);
    for (uint32_t i = 0; i < count && count < PAIRS_MAX; i++) {
        const struct race_access *twin = access_at(d, a->path, i);
        if ((twin->kinds & WRITES) && twin->step != a->step && twin->step != b->step &&
            order_before(d->order, twin->step, b->step) &&
            !order_any(d->order, twin->step, a->step))
            return true;
    }
    return false;
}

/* A named rule under which the pair is no race, or RACE_RULES. */
enum race_rule race_rule_for(const struct detector *d, const struct race_access *a,
                             const struct race_access *b, int class)
{
    const char *path = path_of(d, a->path);
    if (class == WEAK_RACE)
        return race_is_private(a) || race_is_private(b)    ? RULE_PRIVATE
               : b->kinds & (ACCESS_MKDIR | ACCESS_ENSURE) ? RULE_MKDIR
                                                           : RULE_WEAK;
    if (class == RACE_WRITE_WRITE && (a->kinds & b->kinds & ACCESS_APPEND))
        return RULE_APPEND;
    if ((class == RACE_SCRATCH || class == RACE_WRITE_WRITE || class == RACE_REMOVAL) &&
        looks_like_lock(path))
        return RULE_LOCK;
    if (race_looks_like_cache(path))
        return RULE_CACHE;
    if ((class == RACE_MISSING_EDGE || class == RACE_OVERWRITE) && has_twin(d, a, b))
        return RULE_TWIN;
    bool reads = class == RACE_MISSING_EDGE || class == RACE_SHADOW || class == RACE_OVERWRITE;
    if (reads && race_looks_like_depfile(path) && !names_it(step_of(d, b)->command, path))
        return RULE_DEPFILE;
    return RACE_RULES;
}
