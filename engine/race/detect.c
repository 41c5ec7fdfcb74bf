/*
 * Detection. Only paths that some step changed matter: their accesses are brought together by a
 * counting sort, each changing step is held against the others of that path, and a pair that no
 * declared order separates is classified by what both did. What a step creates in a directory, and
 * what it lists there, is held against who made the directory and its names.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "race/race.h"
#include "trace/trace.h"

static const uint32_t WRITES = ACCESS_WRITE | ACCESS_CREATE;
static const uint32_t REMOVES = ACCESS_REMOVE | ACCESS_RMDIR;
static const uint32_t CHANGES =
    ACCESS_WRITE | ACCESS_CREATE | ACCESS_REMOVE | ACCESS_RMDIR | ACCESS_MKDIR;
static const uint32_t USES = ACCESS_READ | ACCESS_EXEC | ACCESS_LINK;
static const uint32_t NAMES_CHANGE = ACCESS_CREATE | ACCESS_REMOVE | ACCESS_RMDIR | ACCESS_MKDIR;

static const char *const class_names[RACE_CLASSES] = {
    "missing-edge", "write-write", "overwrite",         "shadow",  "listing",
    "directory",    "scratch",     "check-then-create", "removal", "double-work",
};
static const char *const rule_names[RACE_RULES] = {"append-only log", "lock file", "system files",
                                                   "cache"};

const char *race_class_name(enum race_class class)
{
    return class_names[class];
}

const char *race_rule_name(enum race_rule rule)
{
    return rule_names[rule];
}

/* A witness with its class, before grouping. */
struct hit {
    enum race_class class;
    struct race_witness witness;
};

struct detector {
    const struct race_input *input;
    struct order *order;
    struct race_result *result;
    uint32_t paths;
    uint32_t *start; /* by path: first of `sorted`; paths + 1 entries */
    uint32_t *sorted; /* indexes of accesses, by path; only of paths that matter */
    uint8_t *matters; /* by path: enum matter */
    VEC(struct hit) hits;
};
enum matter { CHANGED = 1, LISTED = 2, MADE = 4 /* by mkdir */ };

enum { NO_RACE = RACE_CLASSES };

static const char *path_of(const struct detector *d, uint32_t path)
{
    return intern_text(d->input->paths, path);
}

/* Made and taken away again by the step itself. */
static bool is_private(const struct race_access *a)
{
    return (a->kinds & ACCESS_CREATE) && (a->kinds & ACCESS_REMOVE) && !a->found;
}

static bool looks_like_lock(const char *path)
{
    const char *name = path_base(path);
    return str_ends(name, ".lock") || str_ends(name, ".lck") || strcmp(name, "lock") == 0;
}

/* Both commands speak of the name: the weak look of one is the guard of a creation. */
static bool both_name_it(const struct detector *d, uint32_t a, uint32_t b, uint32_t path)
{
    const char *name = path_base(path_of(d, path));
    const char *one = d->input->steps[a].command, *other = d->input->steps[b].command;
    return one && other && strstr(one, name) && strstr(other, name);
}

static bool same_recipe(const struct detector *d, uint32_t a, uint32_t b)
{
    uint64_t recipe = d->input->steps[a].recipe;
    return recipe && recipe == d->input->steps[b].recipe;
}

/* What two unordered accesses of one path are; `a` changes it. */
static enum race_class classify(const struct detector *d, const struct race_access *a,
                                const struct race_access *b)
{
    const enum race_class none = (enum race_class)NO_RACE;
    if (is_private(a) || is_private(b)) {
        const struct race_access *other = is_private(a) ? b : a;
        return other->kinds & (CHANGES | USES) ? RACE_SCRATCH : none;
    }
    if (a->kinds & WRITES) {
        if (b->kinds & WRITES)
            return same_recipe(d, a->step, b->step) ? RACE_DOUBLE_WORK : RACE_WRITE_WRITE;
        if (b->kinds & USES) {
            if (!b->found)
                return RACE_SHADOW;
            bool target = d->input->steps[a->step].target == a->path;
            return a->found && !(a->kinds & ACCESS_CREATE) && !target ? RACE_OVERWRITE
                                                                      : RACE_MISSING_EDGE;
        }
        bool guarded = (a->kinds & ACCESS_STAT) && (a->kinds & ACCESS_CREATE) && !a->found;
        if ((b->kinds & ACCESS_STAT) && guarded && both_name_it(d, a->step, b->step, a->path))
            return RACE_CHECK_THEN_CREATE;
        return none; /* a stat alone is weak */
    }
    if (a->kinds & REMOVES)
        return b->kinds & (WRITES | USES | ACCESS_MKDIR | ACCESS_ENSURE) ? RACE_REMOVAL : none;
    return none; /* mkdir: what is created below is looked at by itself */
}

/* A named rule under which the pair is no race, or RACE_RULES. */
static enum race_rule rule_for(const struct detector *d, const struct race_access *a,
                               const struct race_access *b, enum race_class class)
{
    const char *path = path_of(d, a->path);
    if (class == RACE_WRITE_WRITE && (a->kinds & b->kinds & ACCESS_APPEND))
        return RULE_APPEND;
    if ((class == RACE_SCRATCH || class == RACE_WRITE_WRITE) && looks_like_lock(path))
        return RULE_LOCK;
    for (uint32_t i = 0; i < d->input->cache_prefixes_count; i++)
        if (str_starts(path, d->input->cache_prefixes[i]))
            return RULE_CACHE;
    return RACE_RULES;
}

static bool is_symmetric(enum race_class class)
{
    return class == RACE_WRITE_WRITE || class == RACE_SCRATCH || class == RACE_DOUBLE_WORK ||
           class == RACE_CHECK_THEN_CREATE;
}

static void add_hit(struct detector *d, enum race_class class, uint32_t first, uint32_t second,
                    uint32_t path)
{
    if (is_symmetric(class) && first > second) {
        uint32_t swapped = first;
        first = second;
        second = swapped;
    }
    vec_push(&d->hits, (struct hit){class, {first, second, path}});
}

static void suppress(struct detector *d, enum race_rule rule, uint32_t first, uint32_t second,
                     uint32_t path)
{
    size_t len = d->result->suppressed.len;
    if (len && d->result->suppressed.at[len - 1].rule == rule &&
        d->result->suppressed.at[len - 1].witness.path == path)
        return; /* one a path */
    vec_push(&d->result->suppressed, (struct race_suppressed){rule, {first, second, path}});
}

/* All pairs of one path, one of them changing it. */
static void look_at_path(struct detector *d, uint32_t path)
{
    const struct race_access *all = d->input->accesses;
    for (uint32_t i = d->start[path]; i < d->start[path + 1]; i++) {
        const struct race_access *a = &all[d->sorted[i]];
        if (!(a->kinds & CHANGES))
            continue;
        for (uint32_t k = d->start[path]; k < d->start[path + 1]; k++) {
            const struct race_access *b = &all[d->sorted[k]];
            if (k == i || ((b->kinds & CHANGES) && k < i && (unsigned)classify(d, b, a) != NO_RACE))
                continue; /* that pair was seen from its other side */
            enum race_class class = classify(d, a, b);
            if ((unsigned)class == NO_RACE || order_any(d->order, a->step, b->step))
                continue;
            enum race_rule rule = rule_for(d, a, b, class);
            if (rule != RACE_RULES)
                suppress(d, rule, a->step, b->step, path);
            else
                add_hit(d, class, a->step, b->step, path);
        }
    }
}

/* The directory of a path, where anyone touched it; or INTERN_NONE. */
static uint32_t directory_of(const struct detector *d, uint32_t path)
{
    const char *text = path_of(d, path);
    const char *slash = strrchr(text, '/');
    if (!slash || slash == text)
        return INTERN_NONE;
    return intern_find_n(d->input->paths, text, (size_t)(slash - text));
}

/* Whether a step made the directory itself, or saw to it that it is there. */
static bool ensured(const struct detector *d, uint32_t directory, uint32_t step)
{
    for (uint32_t i = d->start[directory]; i < d->start[directory + 1]; i++) {
        const struct race_access *a = &d->input->accesses[d->sorted[i]];
        if (a->step == step)
            return a->kinds & (ACCESS_MKDIR | ACCESS_ENSURE);
    }
    return false;
}

/* Creating below a directory that only unordered steps make. */
static void look_at_creation(struct detector *d, const struct race_access *b, uint32_t directory)
{
    const struct race_access *maker = NULL;
    if (!(d->matters[directory] & MADE) || ensured(d, directory, b->step))
        return;
    for (uint32_t i = d->start[directory]; i < d->start[directory + 1]; i++) {
        const struct race_access *a = &d->input->accesses[d->sorted[i]];
        if (!(a->kinds & (ACCESS_MKDIR | ACCESS_ENSURE)))
            continue;
        if (order_before(d->order, a->step, b->step))
            return;
        if (a->kinds & ACCESS_MKDIR)
            maker = a;
    }
    if (maker)
        add_hit(d, RACE_DIRECTORY, maker->step, b->step, directory);
}

/* A name that comes or goes in a directory that others list. */
static void look_at_listing(struct detector *d, const struct race_access *a, uint32_t directory)
{
    if (!(d->matters[directory] & LISTED) || is_private(a))
        return;
    for (uint32_t i = d->start[directory]; i < d->start[directory + 1]; i++) {
        const struct race_access *b = &d->input->accesses[d->sorted[i]];
        if ((b->kinds & ACCESS_LIST) && !order_any(d->order, a->step, b->step))
            add_hit(d, RACE_LISTING, a->step, b->step, directory);
    }
}

static bool is_system(const char *path)
{
    return str_starts(path, "/dev/") || str_starts(path, "/proc/") || str_starts(path, "/sys/");
}

/* Says of each path whether and why it matters. */
static void mark_paths(struct detector *d)
{
    for (uint64_t i = 0; i < d->input->accesses_count; i++) {
        const struct race_access *a = &d->input->accesses[i];
        uint8_t *mark = &d->matters[a->path];
        *mark |= (a->kinds & CHANGES ? CHANGED : 0) | (a->kinds & ACCESS_LIST ? LISTED : 0) |
                 (a->kinds & ACCESS_MKDIR ? MADE : 0);
    }
    for (uint32_t path = 0; path < d->paths; path++)
        if (d->matters[path] && is_system(path_of(d, path)))
            d->matters[path] = 0;
}

/* Brings the accesses of each path that matters together. */
static void sort_accesses(struct detector *d)
{
    const struct race_access *all = d->input->accesses;
    for (uint64_t i = 0; i < d->input->accesses_count; i++)
        d->start[all[i].path + 1] += d->matters[all[i].path] != 0;
    for (uint32_t path = 0; path < d->paths; path++)
        d->start[path + 1] += d->start[path];
    d->sorted = mem_alloc((d->start[d->paths] + 1) * sizeof *d->sorted);
    uint32_t *next = mem_alloc((d->paths + 1) * sizeof *next);
    memcpy(next, d->start, (d->paths + 1) * sizeof *next);
    for (uint64_t i = 0; i < d->input->accesses_count; i++)
        if (d->matters[all[i].path])
            d->sorted[next[all[i].path]++] = (uint32_t)i;
    free(next);
}

static int by_group(const void *left, const void *right)
{
    const struct hit *a = left, *b = right;
    const uint32_t keys[][2] = {{a->witness.first, b->witness.first},
                                {a->class, b->class},
                                {a->witness.second, b->witness.second},
                                {a->witness.path, b->witness.path}};
    for (unsigned i = 0; i < 4; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

/* One finding a class and changing step; witnesses without repetition. */
static void group_hits(struct detector *d)
{
    struct race_result *result = d->result;
    if (d->hits.len)
        qsort(d->hits.at, d->hits.len, sizeof *d->hits.at, by_group);
    for (size_t i = 0; i < d->hits.len; i++) {
        const struct hit *hit = &d->hits.at[i], *before = i ? hit - 1 : NULL;
        if (before && by_group(before, hit) == 0)
            continue;
        if (!before || before->class != hit->class || before->witness.first != hit->witness.first)
            vec_push(&result->findings, (struct race_finding){hit->class, hit->witness.first,
                                                              (uint32_t)result->witnesses.len, 0});
        vec_push(&result->witnesses, hit->witness);
        result->findings.at[result->findings.len - 1].witnesses_count++;
    }
}

int race_detect(const struct race_input *input, struct race_result *result)
{
    struct detector d = {.input = input, .result = result};
    *result = (struct race_result){0};
    d.order = order_new(&input->order);
    if (!d.order)
        return -1;
    d.paths = intern_count(input->paths);
    d.matters = mem_zero(d.paths, sizeof *d.matters);
    d.start = mem_zero((size_t)d.paths + 1, sizeof *d.start);
    mark_paths(&d);
    sort_accesses(&d);
    for (uint32_t path = 0; path < d.paths; path++) {
        if (!(d.matters[path] & CHANGED))
            continue;
        look_at_path(&d, path);
        uint32_t directory = directory_of(&d, path);
        if (directory == INTERN_NONE || !d.matters[directory])
            continue;
        for (uint32_t i = d.start[path]; i < d.start[path + 1]; i++) {
            const struct race_access *a = &input->accesses[d.sorted[i]];
            if (a->kinds & (ACCESS_CREATE | ACCESS_MKDIR))
                look_at_creation(&d, a, directory);
            if (a->kinds & NAMES_CHANGE)
                look_at_listing(&d, a, directory);
        }
    }
    group_hits(&d);
    order_free(d.order);
    free(d.matters);
    free(d.start);
    free(d.sorted);
    vec_free(&d.hits);
    return 0;
}

void race_result_free(struct race_result *result)
{
    vec_free(&result->findings);
    vec_free(&result->witnesses);
    vec_free(&result->suppressed);
}
