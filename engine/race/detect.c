/*
 * Detection. Only paths that some step changed matter: their accesses are brought together by a
 * counting sort, each changing step is held against the others of that path, and a pair that no
 * declared order separates is classified by what both did. What a step creates in a directory, and
 * what it lists there, is held against who made the directory and its names.
 *
 * A path that very many touch is not looked at pair by pair: its changing steps are laid into chains
 * of declared order, and in each chain those that are not ordered with a given step lie together
 * and are found by halving.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "race/race.h"
#include "trace/trace.h"

enum {
    PAIRS_MAX = 1 << 13, /* of one path that are looked at one by one */
    CHAINS_MAX = 8,
    CHAIN_HITS_MAX = 16, /* told of one step and one chain */
};

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
    if (class == RACE_SHADOW || class == RACE_CHECK_THEN_CREATE || class == RACE_DOUBLE_WORK)
        return RACE_DOUBTFUL;
    return RACE_GRAVE;
}

enum matter { CHANGED = 1, LISTED = 2, MADE = 4 /* by mkdir */, UNMADE = 8 /* by rmdir */ };

struct detector {
    const struct race_input *input;
    struct order *order;
    struct race_result *result;
    uint32_t paths;
    uint32_t *start; /* by path: first of `sorted`; paths + 1 entries */
    uint32_t *sorted; /* indexes of accesses, by path; only of paths that matter */
    uint8_t *matters; /* by path: enum matter */
    VEC(struct race_witness) hits;
    uint32_t *parent_of; /* by step: union of those that share names, for grouping */
};

enum { NO_RACE = RACE_CLASSES, WEAK_RACE };

static const char *path_of(const struct detector *d, uint32_t path)
{
    return intern_text(d->input->paths, path);
}

static const struct race_step *step_of(const struct detector *d, const struct race_access *a)
{
    return &d->input->steps[a->step];
}

static uint32_t count_of(const struct detector *d, uint32_t path)
{
    return d->start[path + 1] - d->start[path];
}

static const struct race_access *access_at(const struct detector *d, uint32_t path, uint32_t i)
{
    return &d->input->accesses[d->sorted[d->start[path] + i]];
}

static const struct race_access *access_of(const struct detector *d, uint32_t path, uint32_t step)
{
    for (uint32_t i = 0; i < count_of(d, path); i++)
        if (access_at(d, path, i)->step == step)
            return access_at(d, path, i);
    return NULL;
}

/* ---- what a pair is ---- */

/* Made and taken away again by the step itself: a name that was not there before and is not after,
 * or one that was left over from before and is written, then removed. */
static bool is_private(const struct race_access *a)
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

static bool looks_like_cache(const char *path)
{
    static const char *const parts[] = {
        "/__pycache__", "/.ccache/",           "/ccache/", "/.cache/", "/.sccache/",
        "/go-build/",   "/CMakeFiles/Progress"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(path, parts[i]))
            return true;
    return str_ends(path, ".pyc");
}

static bool looks_like_depfile(const char *path)
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

/* What two unordered accesses of one path are; `a` changes it. */
static int classify(const struct detector *d, const struct race_access *a,
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
    if (is_private(a) || is_private(b)) {
        uint32_t kinds = (is_private(a) ? b : a)->kinds;
        if (kinds & ((CHANGES & ~(uint32_t)ACCESS_MKDIR) | USES))
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
    /* A compiler leaves out of its search what is no directory when it starts. */
    if ((a->kinds & ACCESS_MKDIR) && !b->found && (b->kinds & (ACCESS_STAT | ACCESS_READ)) &&
        !(b->kinds & (CHANGES | ACCESS_ENSURE)) &&
        names_it(step_of(d, b)->command, path_of(d, a->path)))
        return RACE_SHADOW;
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
static enum race_rule rule_for(const struct detector *d, const struct race_access *a,
                               const struct race_access *b, int class)
{
    const char *path = path_of(d, a->path);
    if (class == WEAK_RACE)
        return is_private(a) || is_private(b)              ? RULE_PRIVATE
               : b->kinds & (ACCESS_MKDIR | ACCESS_ENSURE) ? RULE_MKDIR
                                                           : RULE_WEAK;
    if (class == RACE_WRITE_WRITE && (a->kinds & b->kinds & ACCESS_APPEND))
        return RULE_APPEND;
    if ((class == RACE_SCRATCH || class == RACE_WRITE_WRITE || class == RACE_REMOVAL) &&
        looks_like_lock(path))
        return RULE_LOCK;
    for (uint32_t i = 0; i < d->input->cache_prefixes_count; i++)
        if (str_starts(path, d->input->cache_prefixes[i]))
            return RULE_CACHE;
    if (looks_like_cache(path))
        return RULE_CACHE;
    if ((class == RACE_MISSING_EDGE || class == RACE_OVERWRITE) && has_twin(d, a, b))
        return RULE_TWIN;
    bool reads = class == RACE_MISSING_EDGE || class == RACE_SHADOW || class == RACE_OVERWRITE;
    if (reads && looks_like_depfile(path) && !names_it(step_of(d, b)->command, path))
        return RULE_DEPFILE;
    return RACE_RULES;
}

/* ---- telling ---- */

static bool is_symmetric(enum race_class class)
{
    return class == RACE_WRITE_WRITE || class == RACE_SCRATCH || class == RACE_DOUBLE_WORK ||
           class == RACE_CHECK_THEN_CREATE;
}

static uint32_t root_of(const struct detector *d, uint32_t step)
{
    while (d->parent_of[step] != step) {
        d->parent_of[step] = d->parent_of[d->parent_of[step]];
        step = d->parent_of[step];
    }
    return step;
}

static void add_hit(struct detector *d, enum race_class class, uint32_t first, uint32_t second,
                    uint32_t path)
{
    if (is_symmetric(class)) {
        if (first > second) {
            uint32_t swapped = first;
            first = second;
            second = swapped;
        }
        uint32_t a = root_of(d, first), b = root_of(d, second);
        d->parent_of[a > b ? a : b] = a > b ? b : a;
    }
    vec_push(&d->hits, (struct race_witness){first, second, path, class});
}

static void suppress(struct detector *d, enum race_rule rule, uint32_t first, uint32_t second,
                     uint32_t path)
{
    size_t len = d->result->suppressed.len;
    for (size_t i = len > RACE_RULES ? len - RACE_RULES : 0; i < len; i++)
        if (d->result->suppressed.at[i].rule == rule &&
            d->result->suppressed.at[i].witness.path == path)
            return; /* one a path */
    vec_push(&d->result->suppressed,
             (struct race_suppressed){rule, {first, second, path, RACE_CLASSES}});
}

/* A pair that is known to be unordered. */
static void tell_pair(struct detector *d, const struct race_access *a, const struct race_access *b)
{
    int class = a->kinds & CHANGES ? classify(d, a, b) : NO_RACE;
    if (class >= NO_RACE && (b->kinds & CHANGES)) {
        int other = classify(d, b, a);
        if (other != NO_RACE && (class == NO_RACE || other < NO_RACE)) {
            const struct race_access *swapped = a;
            a = b;
            b = swapped;
            class = other;
        }
    }
    if (class == NO_RACE)
        return;
    enum race_rule rule = rule_for(d, a, b, class);
    if (rule != RACE_RULES)
        suppress(d, rule, a->step, b->step, a->path);
    else
        add_hit(d, (enum race_class) class, a->step, b->step, a->path);
}

/* ---- the accesses of one path ---- */

/* Whether two accesses could be told at all: cheap, before the order is asked. */
static bool concerns(const struct race_access *a, const struct race_access *b)
{
    return ((a->kinds | b->kinds) & CHANGES) != 0;
}

static void look_at_all_pairs(struct detector *d, uint32_t path)
{
    uint32_t count = count_of(d, path);
    for (uint32_t i = 0; i < count; i++) {
        const struct race_access *a = access_at(d, path, i);
        if (!(a->kinds & CHANGES))
            continue;
        for (uint32_t k = 0; k < count; k++) {
            const struct race_access *b = access_at(d, path, k);
            if (k != i && (!(b->kinds & CHANGES) || k > i) && concerns(a, b) &&
                !order_any(d->order, a->step, b->step))
                tell_pair(d, a, b);
        }
    }
}

struct chain {
    VEC(const struct race_access *) links; /* each strictly before the next */
};

static int by_when(const void *left, const void *right)
{
    const struct race_access *a = *(const struct race_access *const *)left,
                             *b = *(const struct race_access *const *)right;
    if (a->when != b->when)
        return a->when < b->when ? -1 : 1;
    return a->step < b->step ? -1 : a->step > b->step;
}

/* How many of a chain are declared to come before a step; or, `after`, do not come after it. */
static size_t halve(struct detector *d, const struct chain *chain, uint32_t step, bool after)
{
    size_t low = 0, high = chain->links.len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        uint32_t link = chain->links.at[middle]->step;
        bool left =
            after ? !order_before(d->order, step, link) : order_before(d->order, link, step);
        if (left)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void look_along(struct detector *d, const struct chain *chain, const struct race_access *b)
{
    size_t from = halve(d, chain, b->step, false), to = halve(d, chain, b->step, true);
    for (size_t i = from, told = 0; i < to && told < CHAIN_HITS_MAX; i++) {
        const struct race_access *a = chain->links.at[i];
        bool seen = (b->kinds & CHANGES) && b->step < a->step; /* from its other side */
        if (a->step == b->step || seen || order_any(d->order, a->step, b->step))
            continue;
        tell_pair(d, a, b);
        told++;
    }
}

/* What is in no chain is held against a sample. */
static void look_at_loose(struct detector *d, uint32_t path, const struct chain *loose)
{
    uint32_t count = count_of(d, path);
    uint64_t budget = PAIRS_MAX;
    for (size_t i = 0; i < loose->links.len && budget; i++)
        for (uint32_t k = 0; k < count && budget; k++, budget--) {
            const struct race_access *a = loose->links.at[i], *b = access_at(d, path, k);
            if (a != b && !order_any(d->order, a->step, b->step))
                tell_pair(d, a, b);
        }
}

static void look_at_many(struct detector *d, uint32_t path)
{
    struct chain changing = {0}, chains[CHAINS_MAX + 1] = {0};
    for (uint32_t i = 0; i < count_of(d, path); i++)
        if (access_at(d, path, i)->kinds & CHANGES)
            vec_push(&changing.links, access_at(d, path, i));
    qsort(changing.links.at, changing.links.len, sizeof *changing.links.at, by_when);
    for (size_t i = 0; i < changing.links.len; i++) {
        unsigned c = 0;
        for (; c < CHAINS_MAX && chains[c].links.len; c++)
            if (order_strictly_before(d->order, chains[c].links.at[chains[c].links.len - 1]->step,
                                      changing.links.at[i]->step))
                break;
        vec_push(&chains[c].links, changing.links.at[i]);
    }
    for (unsigned c = 0; c < CHAINS_MAX && chains[c].links.len; c++)
        for (uint32_t i = 0; i < count_of(d, path); i++)
            look_along(d, &chains[c], access_at(d, path, i));
    look_at_loose(d, path, &chains[CHAINS_MAX]);
    for (unsigned c = 0; c <= CHAINS_MAX; c++)
        vec_free(&chains[c].links);
    vec_free(&changing.links);
}

/* Nothing that a rule excuses as a whole is looked at further. */
static bool is_excused(struct detector *d, uint32_t path)
{
    bool all_append = true;
    uint32_t changing = 0, count = count_of(d, path);
    for (uint32_t i = 0; i < count; i++) {
        const struct race_access *a = access_at(d, path, i);
        changing += (a->kinds & CHANGES) != 0;
        all_append &= (a->kinds & ACCESS_APPEND) || !(a->kinds & (CHANGES | USES));
    }
    if (changing < 2 || !all_append || (uint64_t)changing * count < PAIRS_MAX)
        return false;
    suppress(d, RULE_APPEND, access_at(d, path, 0)->step, access_at(d, path, 1)->step, path);
    return true;
}

static void look_at_path(struct detector *d, uint32_t path)
{
    uint32_t count = count_of(d, path), changing = 0;
    for (uint32_t i = 0; i < count; i++)
        changing += (access_at(d, path, i)->kinds & CHANGES) != 0;
    if (count < 2 || is_excused(d, path))
        return;
    if ((uint64_t)changing * count <= PAIRS_MAX || changing == 1)
        look_at_all_pairs(d, path);
    else
        look_at_many(d, path);
}

/* ---- directories ---- */

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
    const struct race_access *a = access_of(d, directory, step);
    if (!a)
        return false;
    if (a->kinds & (ACCESS_MKDIR | ACCESS_ENSURE))
        return true;
    const char *command = d->input->steps[step].command;
    return (a->kinds & ACCESS_STAT) && a->found && command && strstr(command, "mkdir");
}

/* Creating below a directory that only unordered steps make, or that an unordered step removes. */
static void look_at_creation(struct detector *d, const struct race_access *b, uint32_t directory)
{
    const struct race_access *maker = NULL;
    bool made = d->matters[directory] & MADE, unmade = d->matters[directory] & UNMADE;
    if ((!made && !unmade) || d->input->steps[b->step].forecast)
        return;
    bool safe = !made || ensured(d, directory, b->step);
    for (uint32_t i = 0; i < count_of(d, directory); i++) {
        const struct race_access *a = access_at(d, directory, i);
        if ((a->kinds & ACCESS_RMDIR) && a->step != b->step && !is_private(b) &&
            !order_any(d->order, a->step, b->step))
            add_hit(d, RACE_REMOVAL, a->step, b->step, directory);
        if (safe || !(a->kinds & (ACCESS_MKDIR | ACCESS_ENSURE)))
            continue;
        safe = order_before(d->order, a->step, b->step);
        if (a->kinds & ACCESS_MKDIR)
            maker = a;
    }
    if (!safe && maker)
        add_hit(d, RACE_DIRECTORY, maker->step, b->step, directory);
}

/* Whether a command that names patterns names one for this name. True where it names none: who
 * knows what a program looks for. */
static bool may_look_for(const char *command, const char *name)
{
    bool any = false;
    for (const char *at = command; at && *at;) {
        at += strspn(at, " \t\n;&|()<>'\"`=");
        size_t length = strcspn(at, " \t\n;&|()<>'\"`=");
        if (memchr(at, '*', length) || memchr(at, '?', length)) {
            char *word = mem_copy_n(at, length);
            any = true;
            bool match = fnmatch(path_base(word), name, 0) == 0;
            free(word);
            if (match)
                return true;
        }
        at += length;
    }
    return !any;
}

/* A name that comes or goes in a directory that others list. */
static void look_at_listing(struct detector *d, const struct race_access *a, uint32_t directory)
{
    if (!(d->matters[directory] & LISTED) || is_private(a) || d->input->steps[a->step].forecast)
        return;
    const char *path = path_of(d, a->path);
    for (uint32_t i = 0; i < count_of(d, directory); i++) {
        const struct race_access *b = access_at(d, directory, i);
        if (!(b->kinds & ACCESS_LIST) || order_any(d->order, a->step, b->step))
            continue;
        if (looks_like_cache(path) || looks_like_depfile(path))
            suppress(d, RULE_CACHE, a->step, b->step, directory);
        else if (!may_look_for(step_of(d, b)->command, path_base(path)))
            suppress(d, RULE_GLOB, a->step, b->step, directory);
        else
            add_hit(d, RACE_LISTING, a->step, b->step, directory);
    }
}

static void look_at_directory(struct detector *d, uint32_t path)
{
    uint32_t directory = directory_of(d, path);
    if (directory == INTERN_NONE || !d->matters[directory])
        return;
    for (uint32_t i = 0; i < count_of(d, path); i++) {
        const struct race_access *a = access_at(d, path, i);
        if (a->kinds & (ACCESS_CREATE | ACCESS_MKDIR))
            look_at_creation(d, a, directory);
        if (a->kinds & NAMES_CHANGE)
            look_at_listing(d, a, directory);
    }
}

/* ---- bringing it together ---- */

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
                 (a->kinds & ACCESS_MKDIR ? MADE : 0) | (a->kinds & ACCESS_RMDIR ? UNMADE : 0);
    }
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

/* Steps of /dev, /proc and the like are told of once, and are no race. */
static bool pass_system(struct detector *d, uint32_t path)
{
    if (!is_system(path_of(d, path)))
        return false;
    if (count_of(d, path) > 1)
        suppress(d, RULE_SYSTEM, access_at(d, path, 0)->step, access_at(d, path, 1)->step, path);
    return true;
}

/* Classes that one edit mends: an order after the step that changes. */
static unsigned family(enum race_class class)
{
    return class == RACE_OVERWRITE || class == RACE_SHADOW ? RACE_MISSING_EDGE : class;
}

static uint32_t group_of(const struct detector *d, const struct race_witness *hit)
{
    return is_symmetric(hit->class)     ? root_of(d, hit->first)
           : hit->class == RACE_LISTING ? hit->second /* who lists, whoever makes the names */
                                        : hit->first;
}

static int by_group(const void *left, const void *right, void *data)
{
    const struct race_witness *a = left, *b = right;
    const uint32_t keys[][2] = {{family(a->class), family(b->class)},
                                {group_of(data, a), group_of(data, b)},
                                {a->first, b->first},
                                {a->second, b->second},
                                {a->path, b->path},
                                {a->class, b->class}};
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

/* One finding a family and group; witnesses without repetition. */
static void group_hits(struct detector *d)
{
    struct race_result *result = d->result;
    if (d->hits.len)
        qsort_r(d->hits.at, d->hits.len, sizeof *d->hits.at, by_group, d);
    for (size_t i = 0; i < d->hits.len; i++) {
        const struct race_witness *hit = &d->hits.at[i], *before = i ? hit - 1 : NULL;
        if (before && before->first == hit->first && before->second == hit->second &&
            before->path == hit->path && family(before->class) == family(hit->class))
            continue;
        if (!before || family(before->class) != family(hit->class) ||
            group_of(d, before) != group_of(d, hit))
            vec_push(&result->findings, (struct race_finding){hit->class, hit->first,
                                                              (uint32_t)result->witnesses.len, 0});
        struct race_finding *finding = &result->findings.at[result->findings.len - 1];
        vec_push(&result->witnesses, *hit);
        finding->witnesses_count++;
        if (hit->class < finding->class)
            finding->class = hit->class;
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
    d.matters = mem_zero((size_t)d.paths + 1, sizeof *d.matters);
    d.start = mem_zero((size_t)d.paths + 1, sizeof *d.start);
    d.parent_of = mem_alloc(((size_t)input->order.steps + 1) * sizeof *d.parent_of);
    for (uint32_t step = 0; step < input->order.steps; step++)
        d.parent_of[step] = step;
    mark_paths(&d);
    sort_accesses(&d);
    for (uint32_t path = 0; path < d.paths; path++) {
        if (!(d.matters[path] & CHANGED) || pass_system(&d, path))
            continue;
        look_at_path(&d, path);
        look_at_directory(&d, path);
    }
    group_hits(&d);
    order_free(d.order);
    free(d.matters);
    free(d.start);
    free(d.sorted);
    free(d.parent_of);
    vec_free(&d.hits);
    return 0;
}

void race_result_free(struct race_result *result)
{
    vec_free(&result->findings);
    vec_free(&result->witnesses);
    vec_free(&result->suppressed);
}
