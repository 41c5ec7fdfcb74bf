/*
 * Detection. Only paths that some step changed matter: their accesses are brought together by a
 * counting sort, each changing step is held against the others of that path, and a pair that no
 * declared order separates is classified by what both did. What a step creates in a directory, and
 * what it lists there, is held against who made the directory and its names.
 *
 * A path that very many touch is not looked at pair by pair: its changing steps are laid into chains
 * of declared order, and in each chain those that are not ordered with a given step lie together
 * and are found by halving.
 *
 * A compiler leaves out of its search what is no directory when it starts: where that is made in no
 * order, it is a race only if something is made in it that would have been found first.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "race/detector.h"

enum {
    CHAINS_MAX = 8,
    CHAIN_HITS_MAX = 16, /* told of one step and one chain */
};

typedef VEC(uint32_t) id_list;

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
    int class = a->kinds & CHANGES ? race_classify(d, a, b) : NO_RACE;
    if (class >= NO_RACE && (b->kinds & CHANGES)) {
        int other = race_classify(d, b, a);
        if (other != NO_RACE && (class == NO_RACE || other < NO_RACE)) {
            const struct race_access *swapped = a;
            a = b;
            b = swapped;
            class = other;
        }
    }
    if (class == NO_RACE)
        return;
    enum race_rule rule = race_rule_for(d, a, b, class);
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
    /* libtool makes its .libs where it does not find it. */
    const char *command = d->input->steps[step].command;
    return (a->kinds & ACCESS_STAT) && a->found && command &&
           (strstr(command, "mkdir") || strstr(command, "libtool"));
}

/* Creating below a directory that only unordered steps make, or that an unordered step removes. */
static void look_at_creation(struct detector *d, const struct race_access *b, uint32_t directory)
{
    const struct race_access *maker = NULL;
    bool made = d->matters[directory] & MADE, unmade = d->matters[directory] & UNMADE;
    if ((!made && !unmade) || d->input->steps[b->step].forecast)
        return;
    bool cached = race_looks_like_cache(path_of(d, b->path));
    bool safe = !made || ensured(d, directory, b->step);
    for (uint32_t i = 0; i < count_of(d, directory); i++) {
        const struct race_access *a = access_at(d, directory, i);
        if ((a->kinds & ACCESS_RMDIR) && a->step != b->step && !race_is_private(b) &&
            !order_any(d->order, a->step, b->step)) {
            if (cached)
                suppress(d, RULE_CACHE, a->step, b->step, directory);
            else
                add_hit(d, RACE_REMOVAL, a->step, b->step, directory);
        }
        if (safe || !(a->kinds & (ACCESS_MKDIR | ACCESS_ENSURE)))
            continue;
        safe = order_before(d->order, a->step, b->step);
        if (a->kinds & ACCESS_MKDIR)
            maker = a;
    }
    if (!safe && maker && cached)
        suppress(d, RULE_CACHE, maker->step, b->step, directory);
    else if (!safe && maker)
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
    if (!(d->matters[directory] & LISTED) || race_is_private(a) ||
        d->input->steps[a->step].forecast)
        return;
    const char *path = path_of(d, a->path);
    for (uint32_t i = 0; i < count_of(d, directory); i++) {
        const struct race_access *b = access_at(d, directory, i);
        if (!(b->kinds & ACCESS_LIST) || order_any(d->order, a->step, b->step))
            continue;
        if (race_looks_like_cache(path) || race_looks_like_depfile(path))
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
        d->matters[a->path] |= race_matters(a->kinds);
        if (!a->found && (a->kinds & (ACCESS_STAT | ACCESS_READ)) &&
            !(a->kinds & (CHANGES | ACCESS_ENSURE)))
            d->matters[a->path] |= MISSED;
    }
}

/* ---- directories of a search path ---- */

static int by_directory(const void *left, const void *right)
{
    const struct rival *a = left, *b = right;
    return (a->directory > b->directory) - (a->directory < b->directory);
}

/* Whether a directory is one that others made and somebody missed, so that it was left out of his
 * search. */
static bool was_left_out(const struct detector *d, uint32_t path)
{
    return (d->matters[path] & MADE) && (d->matters[path] & MISSED);
}

/* The names below such directories: "sub/x.h" of DIRECTORY/sub/x.h, to their path. */
static void add_tails(const struct detector *d, uint32_t path, struct intern *tails, id_list *made,
                      id_list *directories)
{
    const char *text = path_of(d, path);
    for (const char *slash = strrchr(text, '/'); slash && slash > text;
         slash = memrchr(text, '/', (size_t)(slash - text))) {
        uint32_t directory = intern_find_n(d->input->paths, text, (size_t)(slash - text));
        if (directory == INTERN_NONE || !was_left_out(d, directory))
            continue;
        if (intern_id(tails, slash + 1) == made->len) { /* the first of that name will do */
            vec_push(made, path);
            vec_push(directories, directory);
        }
    }
}

/* Where something is made in a directory that was left out of a search, what is found by the same
 * name elsewhere tells whether anybody would have found it there. */
static void find_rivals(struct detector *d)
{
    struct intern tails = {0};
    id_list made = {0}, directories = {0};
    bool any = false;
    for (uint32_t path = 0; path < d->paths && !any; path++)
        any = was_left_out(d, path);
    for (uint32_t path = 0; path < d->paths && any; path++)
        if ((d->matters[path] & CHANGED) && !was_left_out(d, path))
            add_tails(d, path, &tails, &made, &directories);
    for (uint32_t path = 0; path < d->paths && made.len; path++)
        for (const char *at = strchr(path_of(d, path), '/'); at; at = strchr(at, '/')) {
            uint32_t tail = intern_find(&tails, ++at);
            if (tail == INTERN_NONE || made.at[tail] == path)
                continue;
            d->matters[path] |= RIVAL;
            vec_push(&d->rivals, (struct rival){directories.at[tail], made.at[tail], path});
        }
    if (d->rivals.len)
        qsort(d->rivals.at, d->rivals.len, sizeof *d->rivals.at, by_directory);
    intern_free(&tails);
    vec_free(&made);
    vec_free(&directories);
}

/* Brings the accesses of each path that matters together. */
static void sort_accesses(struct detector *d)
{
    const struct race_access *all = d->input->accesses;
    for (uint64_t i = 0; i < d->input->accesses_count; i++)
        d->start[all[i].path + 1] += (d->matters[all[i].path] & ~(unsigned)MISSED) != 0;
    for (uint32_t path = 0; path < d->paths; path++)
        d->start[path + 1] += d->start[path];
    d->sorted = mem_alloc((d->start[d->paths] + 1) * sizeof *d->sorted);
    uint32_t *next = mem_alloc((d->paths + 1) * sizeof *next);
    memcpy(next, d->start, (d->paths + 1) * sizeof *next);
    for (uint64_t i = 0; i < d->input->accesses_count; i++)
        if (d->matters[all[i].path] & ~(unsigned)MISSED)
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
void detector_group(struct detector *d)
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

void detector_open(struct detector *d, const struct race_input *input, struct order *order,
                   struct race_result *result)
{
    *d = (struct detector){.input = input, .order = order, .result = result};
    d->paths = intern_count(input->paths);
    d->matters = mem_zero((size_t)d->paths + 1, sizeof *d->matters);
    d->start = mem_zero((size_t)d->paths + 1, sizeof *d->start);
    d->parent_of = mem_alloc(((size_t)input->order.steps + 1) * sizeof *d->parent_of);
    for (uint32_t step = 0; step < input->order.steps; step++)
        d->parent_of[step] = step;
    mark_paths(d);
    find_rivals(d);
    sort_accesses(d);
}

void detector_look(struct detector *d, uint32_t path)
{
    if (!(d->matters[path] & CHANGED) || pass_system(d, path))
        return;
    look_at_path(d, path);
    look_at_directory(d, path);
}

void detector_add(struct detector *d, const struct race_witness *hit)
{
    add_hit(d, hit->class, hit->first, hit->second, hit->path);
}

void detector_close(struct detector *d)
{
    free(d->matters);
    free(d->start);
    free(d->sorted);
    free(d->parent_of);
    vec_free(&d->hits);
    vec_free(&d->rivals);
}

int race_detect(const struct race_input *input, struct race_result *result)
{
    struct detector d;
    *result = (struct race_result){0};
    struct order *order = order_new(&input->order);
    if (!order)
        return -1;
    detector_open(&d, input, order, result);
    for (uint32_t path = 0; path < d.paths; path++)
        detector_look(&d, path);
    for (uint32_t i = 0; i < input->goals_count; i++)
        vec_push(&d.hits, input->goals[i]);
    detector_group(&d);
    detector_close(&d);
    order_free(order);
    return 0;
}

void race_result_free(struct race_result *result)
{
    vec_free(&result->findings);
    vec_free(&result->witnesses);
    vec_free(&result->suppressed);
}
