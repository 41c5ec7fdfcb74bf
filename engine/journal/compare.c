#include "journal/compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "journal/journal.h"

/* Reading one journal: numbers of the journal become indexes and texts of the comparison. */
struct reading {
    struct compare *compare;
    struct compare_build *build;
    char *root; /* of the recorded tree, no slash at its end */
    VEC(uint32_t) index_of; /* by the journal's step id: index + 1; 0: not known */
    VEC(uint32_t) files; /* by the journal's number of a path: text + 1; 0: not known */
};

const char *compare_text(const struct compare *compare, uint32_t text)
{
    return text == COMPARE_NONE ? "" : intern_text(&compare->texts, text);
}

static uint32_t text_of(struct compare *compare, const char *text)
{
    return text ? intern_id(&compare->texts, text) : COMPARE_NONE;
}

/* Sets an element of a list of numbers that grows with zeros. */
#define PUT(list, index, value)                                                                    \
    do {                                                                                           \
        while ((list)->len <= (index))                                                             \
            vec_push((list), 0);                                                                   \
        (list)->at[index] = (value);                                                               \
    } while (0)
#define GET(list, index) ((index) < (list)->len ? (list)->at[index] : 0)

enum { IDS_MAX = 1 << 26 }; /* numbers beyond are damage */

/* A path of the tree from its root; any other as it is. */
static const char *from_root(const struct reading *reading, const char *path)
{
    size_t length = reading->root ? strlen(reading->root) : 0;
    bool inside = length && strncmp(path, reading->root, length) == 0 && path[length] == '/';
    return inside ? path + length + 1 : path;
}

/* A text without the places of the recorded tree, which are another's elsewhere. */
static uint32_t placeless(struct reading *reading, const char *text)
{
    size_t length = reading->root ? strlen(reading->root) : 0;
    struct str out = {0};
    if (!text)
        return COMPARE_NONE;
    while (*text) {
        const char *place = length ? strstr(text, reading->root) : NULL;
        char after = place ? place[length] : '\0';
        if (!place) {
            str_add(&out, text);
            break;
        }
        str_add_n(&out, text, (size_t)(place - text));
        if (after == '/')
            text = place + length + 1;
        else
            str_add(&out, "."), text = place + length;
    }
    uint32_t id = intern_id(&reading->compare->texts, str_text(&out));
    str_free(&out);
    return id;
}

/* The step of a journal's id, made where it is new; NULL where the id is damage. */
static struct compare_step *step_of(struct reading *reading, uint32_t id, const char *target)
{
    struct compare_build *build = reading->build;
    if (id >= IDS_MAX)
        return NULL;
    uint32_t index = GET(&reading->index_of, id);
    if (!index) {
        struct compare_step *step = vec_new(&build->steps);
        *step = (struct compare_step){.target = COMPARE_NONE,
                                      .lane = EVENT_NONE,
                                      .command = COMPARE_NONE,
                                      .diagnostic = COMPARE_NONE};
        index = (uint32_t)build->steps.len;
        PUT(&reading->index_of, id, index);
    }
    struct compare_step *step = &build->steps.at[index - 1];
    if (target && *target && step->target == COMPARE_NONE) {
        step->target = text_of(reading->compare, target);
        PUT(&build->step_of, step->target, index);
    }
    return step;
}

static void take_needs(struct reading *reading, const struct event *event)
{
    struct compare_build *build = reading->build;
    struct compare_step *step = step_of(reading, event->step, event->target);
    if (!step || !event->needs_count)
        return;
    uint32_t first = (uint32_t)build->needs.len;
    for (uint32_t i = 0; i < event->needs_count; i++)
        if (step_of(reading, event->needs[i], NULL))
            vec_push(&build->needs, GET(&reading->index_of, event->needs[i]) - 1);
    step = step_of(reading, event->step, NULL); /* the array may have moved */
    step->needs = first;
    step->needs_count = (uint32_t)build->needs.len - first;
}

static void take_touched(struct reading *reading, const struct event *event)
{
    struct compare_build *build = reading->build;
    struct compare_step *step = step_of(reading, event->step, event->target);
    if (!step || step->touched)
        return;
    uint32_t index = (uint32_t)(step - build->steps.at);
    step->touched = true;
    step->touches = (uint32_t)build->touches.len;
    for (uint32_t i = 0; i + 2 < event->needs_count; i += 3) {
        uint32_t path = GET(&reading->files, event->needs[i]), touch = event->needs[i + 1];
        if (!path)
            continue;
        vec_push(&build->touches, (struct compare_touch){path - 1, touch, event->needs[i + 2]});
        if ((touch & TOUCH_WRITE) && !GET(&build->maker_of, path - 1))
            PUT(&build->maker_of, path - 1, index + 1);
    }
    step->touches_count = (uint32_t)build->touches.len - step->touches;
}

static void take_begin(struct reading *reading, const struct event *event)
{
    struct compare *compare = reading->compare;
    struct compare_build *build = reading->build;
    size_t length = event->tree ? strlen(event->tree) : 0;
    while (length > 1 && event->tree[length - 1] == '/')
        length--;
    free(reading->root);
    reading->root = length > 1 ? mem_copy_n(event->tree, length) : NULL;
    build->tree = text_of(compare, event->tree);
    build->head = text_of(compare, event->head);
    build->arch = text_of(compare, event->arch);
    build->mode = text_of(compare, event->mode);
    build->image = text_of(compare, event->image);
    build->argv = text_of(compare, event->argv);
    build->dirty = event->dirty;
    build->lanes = event->lanes;
}

static void take_event(struct reading *reading, const struct event *event)
{
    struct compare *compare = reading->compare;
    struct compare_build *build = reading->build;
    struct compare_step *step;
    switch ((int)event->kind) {
    case EVENT_BUILD_BEGIN:
        take_begin(reading, event);
        break;
    case EVENT_STEP:
        take_needs(reading, event);
        break;
    case EVENT_STEP_BEGIN:
        if ((step = step_of(reading, event->step, event->target))) {
            step->begin_ns = event->t_ns;
            step->lane = event->lane;
            step->command = placeless(reading, event->text);
        }
        break;
    case EVENT_STEP_END:
        if ((step = step_of(reading, event->step, event->target)) && !step->ended) {
            step->ended = event->outcome != OUTCOME_CANCELLED;
            step->outcome = event->outcome;
            step->exit = event->exit;
            step->signal = event->signal;
            step->end_ns = event->t_ns;
        }
        break;
    case EVENT_DIAGNOSTIC:
        step = event->severity == SEVERITY_ERROR ? step_of(reading, event->step, NULL) : NULL;
        if (step && step->diagnostic == COMPARE_NONE) {
            const char *path = event->path ? event->path : "",
                       *text = event->text ? event->text : "";
            char *said = event->line ? mem_format("%s:%u: %s", path, event->line, text)
                                     : mem_format("%s%s%s", path, *path ? ": " : "", text);
            step->diagnostic = placeless(reading, said);
            free(said);
        }
        break;
    case EVENT_PATH:
        if (event->path && event->file < IDS_MAX)
            PUT(&reading->files, event->file,
                text_of(compare, from_root(reading, event->path)) + 1);
        break;
    case EVENT_TOUCHED:
        take_touched(reading, event);
        break;
    case EVENT_BUILD_END:
        build->complete = true;
        build->status = event->status;
        build->wall_ns = event->wall_ns ? event->wall_ns : event->t_ns;
        build->steps_run = event->steps_run;
        build->steps_failed = event->steps_failed;
        break;
    default:
        break;
    }
}

static int by_path(const void *a, const void *b)
{
    const struct compare_touch *one = a, *other = b;
    return one->path != other->path
               ? (one->path < other->path ? -1 : 1)
               : (one->when_ms > other->when_ms) - (one->when_ms < other->when_ms);
}

/* Each path of a step once: lines of a recipe have each their own trace. */
static void settle_touches(struct compare_build *build)
{
    for (size_t i = 0; i < build->steps.len; i++) {
        struct compare_step *step = &build->steps.at[i];
        struct compare_touch *touches = build->touches.at + step->touches;
        uint32_t kept = 0;
        if (!step->touches_count)
            continue;
        qsort(touches, step->touches_count, sizeof *touches, by_path);
        for (uint32_t k = 0; k < step->touches_count; k++) {
            if (kept && touches[kept - 1].path == touches[k].path)
                touches[kept - 1].touch |= touches[k].touch & ~(uint32_t)TOUCH_ABSENT;
            else
                touches[kept++] = touches[k];
        }
        step->touches_count = kept;
    }
}

static int read_build(struct compare *compare, struct compare_build *build, const char *path,
                      struct err *err)
{
    struct reading reading = {.compare = compare, .build = build};
    struct journal_reader *journal = journal_read_open(path, err);
    if (!journal)
        return -1;
    *build = (struct compare_build){.journal = mem_copy(path),
                                    .tree = COMPARE_NONE,
                                    .head = COMPARE_NONE,
                                    .arch = COMPARE_NONE,
                                    .mode = COMPARE_NONE,
                                    .image = COMPARE_NONE,
                                    .argv = COMPARE_NONE};
    for (struct event *event; (event = journal_next(journal)); free(event))
        take_event(&reading, event);
    int status =
        build->steps.len || build->complete
            ? 0
            : err_set(err, ERR_INPUT,
                      "%s has no build in it: make one by gantry build --journal=FILE", path);
    journal_read_close(journal);
    settle_touches(build);
    vec_free(&reading.index_of);
    vec_free(&reading.files);
    free(reading.root);
    return status;
}

/* ---- comparing ---- */

/* When something was first touched, seen from the step that makes it. */
static enum compare_order order_of(const struct compare_build *build, uint32_t maker,
                                   const struct compare_touch *touch)
{
    if (maker == COMPARE_NONE)
        return COMPARE_UNMADE;
    const struct compare_step *step = &build->steps.at[maker];
    uint64_t made_ms = step->begin_ns / 1000000, end_ms = step->end_ns / 1000000;
    for (uint32_t i = 0; i < step->touches_count; i++)
        if (build->touches.at[step->touches + i].path == touch->path)
            made_ms = build->touches.at[step->touches + i].when_ms;
    return touch->when_ms < made_ms                  ? COMPARE_BEFORE
           : step->end_ns && touch->when_ms < end_ms ? COMPARE_WHILE
                                                     : COMPARE_AFTER;
}

/* Whether a step declares, at any distance, that it comes after another. */
static bool comes_after(const struct compare_build *build, uint32_t step, uint32_t maker)
{
    VEC(uint32_t) pending = {0};
    bool *seen = mem_zero(build->steps.len, sizeof *seen);
    bool found = false;
    vec_push(&pending, step);
    while (pending.len && !found) {
        const struct compare_step *at = &build->steps.at[pending.at[--pending.len]];
        for (uint32_t i = 0; i < at->needs_count && !found; i++) {
            uint32_t need = build->needs.at[at->needs + i];
            found = need == maker;
            if (!seen[need])
                vec_push(&pending, need);
            seen[need] = true;
        }
    }
    free(seen);
    vec_free(&pending);
    return found;
}

/* One path of a step that ran in both, as a difference: what of it differs, 0 where nothing does. */
static uint32_t compare_path(const struct compare *compare, struct compare_difference *at,
                             uint32_t path, const struct compare_touch *const touches[2])
{
    at->path = path;
    for (int side = 0; side < 2; side++) {
        const struct compare_build *build = &compare->build[side];
        at->touch[side] = touches[side] ? *touches[side] : (struct compare_touch){.path = path};
        at->maker[side] = GET(&build->maker_of, path) - 1; /* 0 - 1 is COMPARE_NONE */
        if (at->maker[side] == at->step[side])
            at->maker[side] = COMPARE_NONE;
        at->order[side] =
            touches[side] ? order_of(build, at->maker[side], touches[side]) : COMPARE_UNMADE;
    }
    uint32_t one = at->touch[0].touch, other = at->touch[1].touch;
    if (one & other & TOUCH_WRITE) /* whether its own output was there before says nothing */
        one = other;
    if (one != other)
        return COMPARE_TOUCH;
    return at->order[0] && at->order[1] && at->order[0] != at->order[1] ? COMPARE_ORDER : 0;
}

/* What was made at another time explains more than what is merely other; then the earlier. */
static bool tells_more(const struct compare_difference *a, const struct compare_difference *b)
{
    bool a_made = a->order[0] != a->order[1], b_made = b->order[0] != b->order[1];
    int a_side = a->touch[0].touch ? 0 : 1, b_side = b->touch[0].touch ? 0 : 1;
    if (a_made != b_made)
        return a_made;
    return a->touch[a_side].when_ms < b->touch[b_side].when_ms;
}

/* Walks the paths of both steps side by side. */
static void compare_touches(const struct compare *compare, struct compare_difference *difference)
{
    const struct compare_touch *at[2], *end[2];
    for (int side = 0; side < 2; side++) {
        const struct compare_build *build = &compare->build[side];
        const struct compare_step *step = &build->steps.at[difference->step[side]];
        if (!step->touched)
            return;
        at[side] = build->touches.at + step->touches;
        end[side] = at[side] + step->touches_count;
    }
    while (at[0] < end[0] || at[1] < end[1]) {
        bool first = at[1] == end[1] || (at[0] < end[0] && at[0]->path <= at[1]->path),
             second = at[0] == end[0] || (at[1] < end[1] && at[1]->path <= at[0]->path);
        const struct compare_touch *const touches[2] = {first ? at[0] : NULL,
                                                        second ? at[1] : NULL};
        struct compare_difference candidate = *difference;
        uint32_t what = compare_path(compare, &candidate, (first ? at[0] : at[1])->path, touches);
        at[0] += first;
        at[1] += second;
        if (!what)
            continue;
        candidate.what |= what;
        candidate.paths++;
        if (difference->path == COMPARE_NONE || tells_more(&candidate, difference)) {
            *difference = candidate;
        } else {
            difference->what |= what;
            difference->paths++;
        }
    }
}

static void compare_step(struct compare *compare, uint32_t one, uint32_t other)
{
    struct compare_difference difference = {
        .step = {one, other}, .path = COMPARE_NONE, .maker = {COMPARE_NONE, COMPARE_NONE}};
    const struct compare_step *steps[2] = {
        one == COMPARE_NONE ? NULL : &compare->build[0].steps.at[one],
        other == COMPARE_NONE ? NULL : &compare->build[1].steps.at[other]};
    bool failed[2];
    for (int side = 0; side < 2; side++)
        failed[side] = steps[side] && steps[side]->outcome == OUTCOME_FAILED;
    if (!steps[0] || !steps[1]) {
        compare->alone[steps[0] ? 0 : 1]++;
        if (!failed[0] && !failed[1])
            return;
    }
    if (failed[0] != failed[1])
        difference.what |= COMPARE_OUTCOME;
    if (steps[0] && steps[1]) {
        if (steps[0]->command != steps[1]->command)
            difference.what |= COMPARE_COMMAND;
        compare_touches(compare, &difference);
    }
    for (int side = 0; side < 2; side++)
        if (difference.maker[side] != COMPARE_NONE && steps[side])
            difference.ordered |=
                comes_after(&compare->build[side], difference.step[side], difference.maker[side]);
    if (difference.what)
        vec_push(&compare->differences, difference);
    else
        compare->same++;
}

static int rank_of(const struct compare_difference *difference)
{
    return difference->what & COMPARE_OUTCOME             ? 0
           : difference->order[0] != difference->order[1] ? 1
                                                          : 2;
}

struct sorted {
    struct compare_difference difference;
    uint64_t at_ns;
};

static int by_rank(const void *a, const void *b)
{
    const struct sorted *one = a, *other = b;
    int left = rank_of(&one->difference), right = rank_of(&other->difference);
    if (left != right)
        return left < right ? -1 : 1;
    if (one->at_ns != other->at_ns)
        return one->at_ns < other->at_ns ? -1 : 1;
    return one->difference.step[0] < other->difference.step[0] ? -1 : 1;
}

static void sort_differences(struct compare *compare)
{
    size_t count = compare->differences.len;
    struct sorted *sorted = mem_zero(count + 1, sizeof *sorted);
    for (size_t i = 0; i < count; i++) {
        const struct compare_difference *difference = &compare->differences.at[i];
        int side = difference->step[0] == COMPARE_NONE ? 1 : 0;
        sorted[i].difference = *difference;
        sorted[i].at_ns = compare->build[side].steps.at[difference->step[side]].begin_ns;
    }
    qsort(sorted, count, sizeof *sorted, by_rank);
    for (size_t i = 0; i < count; i++)
        compare->differences.at[i] = sorted[i].difference;
    free(sorted);
}

static uint32_t ran_as(const struct compare_build *build, uint32_t target)
{
    uint32_t step = target == COMPARE_NONE ? 0 : GET(&build->step_of, target);
    return step && build->steps.at[step - 1].ended ? step - 1 : COMPARE_NONE;
}

struct compare *compare_journals(const char *first, const char *second, struct err *err)
{
    struct compare *compare = mem_zero(1, sizeof *compare);
    if (read_build(compare, &compare->build[0], first, err) < 0 ||
        read_build(compare, &compare->build[1], second, err) < 0) {
        compare_free(compare);
        return NULL;
    }
    struct compare_build *one = &compare->build[0], *other = &compare->build[1];
    for (uint32_t i = 0; i < one->steps.len; i++)
        if (one->steps.at[i].ended && one->steps.at[i].target != COMPARE_NONE)
            compare_step(compare, i, ran_as(other, one->steps.at[i].target));
    for (uint32_t i = 0; i < other->steps.len; i++) {
        const struct compare_step *step = &other->steps.at[i];
        if (step->ended && step->target != COMPARE_NONE &&
            ran_as(one, step->target) == COMPARE_NONE)
            compare_step(compare, COMPARE_NONE, i);
    }
    sort_differences(compare);
    return compare;
}

void compare_free(struct compare *compare)
{
    if (!compare)
        return;
    for (int side = 0; side < 2; side++) {
        struct compare_build *build = &compare->build[side];
        free(build->journal);
        vec_free(&build->steps);
        vec_free(&build->touches);
        vec_free(&build->needs);
        vec_free(&build->step_of);
        vec_free(&build->maker_of);
    }
    vec_free(&compare->differences);
    intern_free(&compare->texts);
    free(compare);
}
