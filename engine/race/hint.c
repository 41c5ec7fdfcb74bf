/*
 * Hints. An input counts as declared where the step itself or one that comes before it names it, or
 * where the step wrote a list of its headers. A wait counts as used where the step touched anything
 * that the one before changed; or what had to come before that, unless another wait brings it: so one
 * stamp may stand for many.
 */
#include "race/hint.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "race/detector.h"

enum { ASKED_MAX = 256 }; /* steps of one file that are looked at */

struct finder {
    const struct race_report *report;
    const struct record *record;
    struct order *order;
    struct race_hints *hints;
    uint32_t paths;
    uint32_t *first_writer, *writers; /* by path: steps that changed it */
    bool *runs_make; /* by step: what its makes do is theirs */
    uint32_t *start, *declarers; /* by path: steps that declare it */
    VEC(uint32_t) seen; /* steps whose changes the step at hand touched */
};

const char *hint_class_name(enum hint_class class)
{
    static const char *const names[] = {"undeclared-input", "unused-edge", "self-change", "escape"};
    return names[class];
}

static bool is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* A file of the tree, and neither git's nor ours. */
static bool is_of_tree(const struct finder *f, uint32_t path)
{
    const char *text = record_text(f->record, path),
               *root = record_text(f->record, f->record->root);
    if (!is_below(text, root))
        return false;
    text += strlen(root);
    return !strstr(text, "/.git/") && !str_starts(text, "/.gantry") && !race_looks_like_cache(text);
}

static bool is_makefile(const char *path)
{
    const char *name = path_base(path);
    return strcmp(name, "Makefile") == 0 || strcmp(name, "makefile") == 0 ||
           strcmp(name, "GNUmakefile") == 0 || str_ends(name, ".mk");
}

static bool is_known(const struct finder *f, uint32_t step)
{
    const struct record_step *of = &f->record->steps.at[step];
    return (of->flags & RECORD_TRACED) && !(of->flags & (RECORD_FLAWED | RECORD_FAILED)) &&
           !f->runs_make[step];
}

static void add(struct finder *f, enum hint_class class, uint32_t step, uint32_t other,
                uint32_t path)
{
    vec_push(&f->hints->list, (struct race_hint){class, step, other, path, 1});
}

/* ---- what is known of paths ---- */

static void index_writers(struct finder *f)
{
    const struct record *record = f->record;
    size_t room = ((size_t)f->paths + 1) * sizeof *f->first_writer, count = 0;
    f->first_writer = mem_zero((size_t)f->paths + 1, sizeof *f->first_writer);
    for (size_t i = 0; i < record->accesses.len; i++)
        if (record->accesses.at[i].kinds & CHANGES) {
            f->first_writer[record->accesses.at[i].path + 1]++;
            count++;
        }
    for (uint32_t path = 0; path < f->paths; path++)
        f->first_writer[path + 1] += f->first_writer[path];
    uint32_t *next = memcpy(mem_alloc(room), f->first_writer, room);
    f->writers = mem_alloc((count + 1) * sizeof *f->writers);
    for (size_t i = 0; i < record->accesses.len; i++)
        if (record->accesses.at[i].kinds & CHANGES)
            f->writers[next[record->accesses.at[i].path]++] = record->accesses.at[i].step;
    free(next);
    f->runs_make = mem_zero(record->steps.len + 1, sizeof *f->runs_make);
    for (size_t i = 0; i < record->makes.len; i++)
        if (record->makes.at[i].parent < record->steps.len)
            f->runs_make[record->makes.at[i].parent] = true;
}

static bool is_source(const struct finder *f, uint32_t path)
{
    return f->first_writer[path] == f->first_writer[path + 1];
}

static void index_declarers(struct finder *f)
{
    const struct record *record = f->record;
    size_t room = ((size_t)f->paths + 1) * sizeof *f->start;
    f->start = mem_zero((size_t)f->paths + 1, sizeof *f->start);
    f->declarers = mem_alloc((record->declared.len + 1) * sizeof *f->declarers);
    for (size_t i = 0; i < record->declared.len; i++)
        f->start[record->declared.at[i] + 1]++;
    for (uint32_t path = 0; path < f->paths; path++)
        f->start[path + 1] += f->start[path];
    uint32_t *next = memcpy(mem_alloc(room), f->start, room);
    for (uint32_t i = 0; i < record->steps.len; i++)
        for (uint32_t k = 0; k < record->steps.at[i].declared_count; k++)
            f->declarers[next[record->declared.at[record->steps.at[i].declared + k]]++] = i;
    free(next);
}

/* Whether the step itself names a file that no step makes. */
static bool declares(const struct finder *f, uint32_t step, uint32_t path)
{
    const struct record_step *of = &f->record->steps.at[step];
    for (uint32_t i = 0; i < of->declared_count; i++)
        if (f->record->declared.at[of->declared + i] == path)
            return true;
    return false;
}

/* Whether an edit of the file makes the step stale: it, or what comes before it, names the file. */
static bool is_declared(const struct finder *f, uint32_t step, uint32_t path)
{
    if (declares(f, step, path))
        return true;
    uint32_t from = f->start[path], to = f->start[path + 1];
    if (to - from > ASKED_MAX)
        to = from + ASKED_MAX;
    for (uint32_t i = from; i < to; i++)
        if (order_before(f->order, f->declarers[i], step))
            return true;
    return false;
}

/* ---- inputs ---- */

/* Whether it is what a step that comes right before is declared to make. */
static bool is_need(const struct finder *f, uint32_t step, uint32_t path)
{
    const struct record_step *of = &f->record->steps.at[step];
    for (uint32_t i = 0; i < of->needs_count; i++) {
        uint32_t need = f->record->needs.at[of->needs + i];
        if (need != step && f->report->input.steps.at[need].target == path)
            return true;
    }
    return false;
}

static bool writes_depfile(const struct finder *f, const struct record_step *of)
{
    for (uint32_t i = 0; i < of->accesses_count; i++) {
        const struct race_access *access = &f->record->accesses.at[of->accesses + i];
        if ((access->kinds & WRITES) &&
            race_looks_like_depfile(record_text(f->record, access->path)))
            return true;
    }
    return false;
}

static void look_at_inputs(struct finder *f, uint32_t step)
{
    const struct record_step *of = &f->record->steps.at[step];
    bool listed = writes_depfile(f, of);
    for (uint32_t i = 0; i < of->accesses_count; i++) {
        const struct race_access *access = &f->record->accesses.at[of->accesses + i];
        uint32_t path = access->path;
        if (!access->found || !(access->kinds & ACCESS_READ) || (access->kinds & ACCESS_LIST) ||
            !is_of_tree(f, path))
            continue;
        bool own = path == f->report->input.steps.at[step].target;
        if ((access->kinds & WRITES) && access->left && !own &&
            (declares(f, step, path) || is_need(f, step, path)))
            add(f, HINT_SELF_CHANGE, step, ORDER_TOP, path);
        if (is_source(f, path) && !listed && !is_makefile(record_text(f->record, path)) &&
            !race_looks_like_depfile(record_text(f->record, path)) && !is_declared(f, step, path))
            add(f, HINT_UNDECLARED_INPUT, step, ORDER_TOP, path);
    }
}

/* ---- waits ---- */

static void note_writers(struct finder *f, uint32_t step, uint32_t path)
{
    if (path == INTERN_NONE)
        return;
    uint32_t from = f->first_writer[path], to = f->first_writer[path + 1];
    for (uint32_t w = from; w < to && w - from < ASKED_MAX; w++) {
        size_t i = f->seen.len;
        while (i > 0 && f->seen.at[i - 1] != f->writers[w])
            i--;
        if (!i && f->writers[w] != step)
            vec_push(&f->seen, f->writers[w]);
    }
}

/* Whose changes the step touched, at the paths and at the directories that hold them. */
static void find_seen(struct finder *f, uint32_t step)
{
    const struct record_step *of = &f->record->steps.at[step];
    f->seen.len = 0;
    for (uint32_t i = 0; i < of->accesses_count; i++) {
        uint32_t path = f->record->accesses.at[of->accesses + i].path;
        note_writers(f, step, path);
        const char *text = record_text(f->record, path), *slash = strrchr(text, '/');
        if (slash && slash > text)
            note_writers(f, step, intern_find_n(&f->record->texts, text, (size_t)(slash - text)));
    }
}

static bool makes_something(const struct finder *f, uint32_t step)
{
    const struct record_step *of = &f->record->steps.at[step];
    for (uint32_t i = 0; i < of->accesses_count; i++) {
        const struct race_access *access = &f->record->accesses.at[of->accesses + i];
        if ((access->kinds & CHANGES) && access->left && is_of_tree(f, access->path))
            return true;
    }
    return false;
}

/* The wait that a change which the step touched comes by: the one that is used anyway, or the first. */
static void use_one(struct finder *f, const uint32_t *needs, uint32_t count, uint32_t writer,
                    bool *used)
{
    uint32_t first = count;
    for (uint32_t i = 0; i < count; i++) {
        if (!order_before(f->order, writer, needs[i]))
            continue;
        if (used[i])
            return;
        first = first == count ? i : first;
    }
    if (first < count)
        used[first] = true;
}

static void look_at_waits(struct finder *f, uint32_t step)
{
    const struct record_step *of = &f->record->steps.at[step];
    const uint32_t *needs = f->record->needs.at + of->needs, count = of->needs_count;
    if (!count ||
        !makes_something(f, step)) /* a name for others, or a test that looks at anything */
        return;
    bool *used = mem_zero(count, sizeof *used);
    find_seen(f, step);
    for (size_t k = 0; k < f->seen.len; k++)
        for (uint32_t i = 0; i < count; i++)
            used[i] |= needs[i] == f->seen.at[k];
    for (size_t k = 0; k < f->seen.len; k++)
        use_one(f, needs, count, f->seen.at[k], used);
    for (uint32_t i = 0; i < count; i++)
        if (!used[i] && needs[i] != step && is_known(f, needs[i]) && makes_something(f, needs[i]))
            add(f, HINT_UNUSED_EDGE, step, needs[i], INTERN_NONE);
    free(used);
}

/* ---- places ---- */

/* The directory that holds all targets: below the root, or there is none. */
static uint32_t place_of_all(const struct finder *f)
{
    const struct record *record = f->record;
    char *common = NULL;
    unsigned targets = 0;
    for (uint32_t i = 0; i < record->steps.len; i++) {
        uint32_t target = f->report->input.steps.at[i].target;
        const struct race_access *access =
            target == INTERN_NONE ? NULL : race_access_of(record, i, target, NULL);
        if (!access || !(access->kinds & WRITES))
            continue;
        const char *text = record_text(record, target);
        targets++;
        if (!common)
            common = path_dir(text);
        while (strlen(common) > 1 && !is_below(text, common)) {
            char *up = path_dir(common);
            free(common);
            common = up;
        }
    }
    bool is_place = targets > 1 && is_below(common, record_text(record, record->root));
    uint32_t place = is_place ? intern_find(&record->texts, common) : INTERN_NONE;
    free(common);
    return place;
}

static void look_at_places(struct finder *f, uint32_t step)
{
    const struct record_step *of = &f->record->steps.at[step];
    const char *place = record_text(f->record, f->hints->place);
    for (uint32_t i = 0; f->hints->place != INTERN_NONE && i < of->accesses_count; i++) {
        const struct race_access *access = &f->record->accesses.at[of->accesses + i];
        const char *text = record_text(f->record, access->path);
        bool above = is_below(place, text) || access->path == f->hints->place;
        if ((access->kinds & WRITES) && access->left && !above && !is_below(text, place) &&
            is_of_tree(f, access->path))
            add(f, HINT_ESCAPE, step, ORDER_TOP, access->path);
    }
}

/* ---- bringing it together ---- */

static int by_subject(const void *left, const void *right, void *data)
{
    const struct race_hint *a = left, *b = right;
    const struct record *record = data;
    if (a->class != b->class)
        return a->class < b->class ? -1 : 1;
    int by_path = strcmp(record_text(record, a->path), record_text(record, b->path));
    int by_other =
        by_path ? by_path : strcmp(race_target(record, a->other), race_target(record, b->other));
    return by_other ? by_other : strcmp(race_target(record, a->step), race_target(record, b->step));
}

/* One hint a file, or a step that is waited for, with the number of those it was seen at. */
static void fold(struct finder *f)
{
    struct race_hints *hints = f->hints;
    size_t kept = 0;
    if (hints->list.len)
        qsort_r(hints->list.at, hints->list.len, sizeof *hints->list.at, by_subject,
                (void *)(uintptr_t)f->record);
    for (size_t i = 0; i < hints->list.len; i++) {
        const struct race_hint *hint = &hints->list.at[i];
        struct race_hint *last = kept ? &hints->list.at[kept - 1] : NULL;
        if (last && last->class == hint->class && last->path == hint->path &&
            last->other == hint->other)
            last->count++;
        else
            hints->list.at[kept++] = *hint;
    }
    hints->list.len = kept;
}

/* False where there is no order: cannot be, since record_input leaves no rings. */
static bool open_finder(struct finder *f, const struct race_report *report)
{
    *f = (struct finder){.report = report, .record = report->record};
    f->order = order_new(&report->input.input.order);
    if (!f->order)
        return false;
    f->paths = intern_count(&f->record->texts);
    index_writers(f);
    index_declarers(f);
    return true;
}

static void close_finder(struct finder *f)
{
    order_free(f->order);
    free(f->first_writer);
    free(f->writers);
    free(f->runs_make);
    free(f->start);
    free(f->declarers);
    vec_free(&f->seen);
}

static void look_at(struct finder *f, uint32_t step)
{
    if (f->record->declares)
        look_at_inputs(f, step);
    look_at_waits(f, step);
    look_at_places(f, step);
}

void race_hints_find(const struct race_report *report, struct race_hints *hints)
{
    *hints = (struct race_hints){.place = INTERN_NONE};
    struct finder f;
    if (!open_finder(&f, report))
        return;
    f.hints = hints;
    hints->place = place_of_all(&f);
    for (uint32_t step = 0; step < f.record->steps.len; step++)
        if (is_known(&f, step))
            look_at(&f, step);
    fold(&f);
    close_finder(&f);
}

struct race_asker {
    struct finder finder;
    uint32_t place;
};

struct race_asker *race_asker_new(const struct race_report *report)
{
    struct race_asker *asker = mem_zero(1, sizeof *asker);
    if (!open_finder(&asker->finder, report)) {
        free(asker);
        return NULL;
    }
    asker->place = place_of_all(&asker->finder);
    return asker;
}

void race_asker_free(struct race_asker *asker)
{
    if (asker)
        close_finder(&asker->finder);
    free(asker);
}

bool race_hints_of(struct race_asker *asker, uint32_t step, struct race_hints *hints)
{
    struct finder *f = &asker->finder;
    *hints = (struct race_hints){.place = asker->place};
    if (step >= f->record->steps.len || !is_known(f, step))
        return false;
    f->hints = hints;
    look_at(f, step);
    fold(f);
    return true;
}

void race_hints_free(struct race_hints *hints)
{
    vec_free(&hints->list);
}

void race_hint_sentence(const struct race_report *report, const struct race_hints *hints,
                        const struct race_hint *hint, struct str *out)
{
    const struct record *record = report->record;
    const char *target = race_target(record, hint->step);
    const char *path = hint->path == INTERN_NONE ? "" : race_path(record, hint->path);
    switch (hint->class) {
    case HINT_UNDECLARED_INPUT:
        str_addf(out,
                 "%s reads %s, which no rule names for it: an edit there does not make it stale",
                 target, path);
        break;
    case HINT_UNUSED_EDGE:
        str_addf(out, "%s waits for %s and uses nothing that it makes", target,
                 race_target(record, hint->other));
        break;
    case HINT_SELF_CHANGE:
        str_addf(out, "%s changes %s, which it is made from", target, path);
        break;
    case HINT_ESCAPE:
        str_addf(out, "%s writes %s, outside of %s, where all targets are", target, path,
                 race_path(record, hints->place));
        break;
    default:
        break;
    }
}
