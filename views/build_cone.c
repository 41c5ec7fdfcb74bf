#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/build_view.h"

enum cone_mark { MARK_MEMBER = 1, MARK_BLOCKED = 2, MARK_CRITICAL = 4 };
enum { UPDATE_NS = 200000000, LARGE = 5000, FAILED_MAX = 50 };

static uint64_t row_id(const struct cone_row *row)
{
    bool fold = row->kind == CONE_WAITING || row->kind == CONE_DONE || row->kind == CONE_DONE_DIR;
    return (uint64_t)row->kind << 32 | (row->kind == CONE_DONE ? 0 : fold ? row->dir : row->step);
}

static bool is_unfolded(const struct build_cone *cone, uint64_t id)
{
    for (size_t i = 0; i < cone->unfolded.len; i++)
        if (cone->unfolded.at[i] == id)
            return true;
    return false;
}

static void set_unfolded(struct build_cone *cone, uint64_t id, bool unfold)
{
    for (size_t i = 0; i < cone->unfolded.len; i++) {
        if (cone->unfolded.at[i] == id) {
            if (!unfold)
                cone->unfolded.at[i] = cone->unfolded.at[--cone->unfolded.len];
            return;
        }
    }
    if (unfold)
        vec_push(&cone->unfolded, id);
}

/* ---- members ---- */

/* The steps below one and it itself, prerequisites before their users. Depth first without recursion:
 * a make tree can be deep. */
static void add_members(struct build_cone *cone, const struct model *model, uint32_t root)
{
    struct frame {
        uint32_t step, next;
    };
    VEC(struct frame) stack = {0};
    vec_push(&stack, (struct frame){root, 0});
    cone->marks.at[root] = MARK_MEMBER;
    while (stack.len) {
        struct frame *top = &stack.at[stack.len - 1];
        const struct model_step *step = &model->steps.at[top->step];
        if (top->next == step->needs_count) {
            vec_push(&cone->members, top->step);
            stack.len--;
            continue;
        }
        uint32_t need = model->links.at[step->needs + top->next++];
        if (!cone->marks.at[need]) {
            cone->marks.at[need] = MARK_MEMBER;
            vec_push(&stack, (struct frame){need, 0});
        }
    }
    vec_free(&stack);
}

/* `all`: where it is not known of each step whether the goal needs it, all are members. */
static void find_members(struct build_cone *cone, const struct model *model, bool all)
{
    size_t count = model->steps.len;
    cone->members.len = 0;
    vec_reserve(&cone->marks, count + 1);
    memset(cone->marks.at, 0, count);
    cone->marks.len = count;
    vec_reserve(&cone->lengths, count + 1);
    memset(cone->lengths.at, 0, count * sizeof *cone->lengths.at);
    cone->lengths.len = count;
    if (cone->goal != MODEL_NONE)
        add_members(cone, model, cone->goal);
    for (uint32_t i = 0; (all || cone->goal == MODEL_NONE) && i < count; i++)
        if (!cone->marks.at[i])
            add_members(cone, model, i);
}

static bool is_over(uint8_t state)
{
    return state == STEP_STATE_DONE || state == STEP_STATE_FRESH;
}

/* Brings `hot` up to date: everything where the shape is another, else what changed since. */
static void take_changes(struct build_cone *cone, const struct model *model, bool everything)
{
    if (everything) {
        vec_reserve(&cone->hot, model->steps.len + 1);
        cone->hot.len = model->steps.len;
        cone->changes = model->changed.len;
    }
    size_t from = everything ? 0 : cone->changes;
    size_t to = everything ? model->steps.len : model->changed.len;
    for (size_t i = from; i < to; i++) {
        uint32_t at = everything ? (uint32_t)i : model->changed.at[i];
        const struct model_step *step = &model->steps.at[at];
        cone->hot.at[at] = (struct cone_hot){.weight = step->expect_ns ? step->expect_ns : 1000000,
                                             .needs = step->needs,
                                             .needs_count = step->needs_count,
                                             .dir = step->dir,
                                             .state = step->state};
    }
    cone->changes = model->changed.len;
}

/* The longest way of undone steps to each member, and what stands behind a failure. */
static void find_path(struct build_cone *cone, const struct model *model)
{
    cone->waits = cone->path = cone->blocked = 0;
    cone->critical.len = 0;
    for (size_t i = 0; i < cone->members.len; i++) {
        uint32_t at = cone->members.at[i];
        const struct cone_hot *step = &cone->hot.at[at];
        uint64_t longest = 0;
        bool blocked = false, over = is_over(step->state);
        for (uint32_t j = 0; !over && j < step->needs_count; j++) {
            uint32_t need = model->links.at[step->needs + j];
            if (cone->lengths.at[need] > longest)
                longest = cone->lengths.at[need];
            blocked |= cone->hot.at[need].state == STEP_STATE_FAILED ||
                       (cone->marks.at[need] & MARK_BLOCKED);
        }
        cone->lengths.at[at] = over ? 0 : longest + step->weight;
        cone->marks.at[at] = (uint8_t)(MARK_MEMBER | (blocked ? MARK_BLOCKED : 0));
        cone->waits += !over && at != cone->goal;
        cone->blocked += blocked;
    }
    for (uint32_t at = cone->goal; at != MODEL_NONE && cone->lengths.at[at];) {
        const struct model_step *step = &model->steps.at[at];
        uint32_t next = MODEL_NONE;
        cone->marks.at[at] |= MARK_CRITICAL;
        vec_push(&cone->critical, at);
        cone->path += at != cone->goal;
        for (uint32_t j = 0; j < step->needs_count; j++) {
            uint32_t need = model->links.at[step->needs + j];
            if (cone->lengths.at[need] && !(cone->marks.at[need] & MARK_CRITICAL) &&
                (next == MODEL_NONE || cone->lengths.at[need] > cone->lengths.at[next]))
                next = need;
        }
        at = next;
    }
}

/* ---- rows ---- */

struct group {
    uint32_t dir, next, waiting, done;
};

static const struct model *sorting; /* qsort has no argument; the loop's thread only */

static int by_name(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    return strcmp(model_text(sorting, a->dir), model_text(sorting, b->dir));
}

static void add_step_row(struct build_cone *cone, uint32_t at, uint8_t depth)
{
    vec_push(&cone->rows, (struct cone_row){.kind = CONE_STEP,
                                            .step = at,
                                            .depth = depth,
                                            .critical = cone->marks.at[at] & MARK_CRITICAL});
}

static void add_state_rows(struct build_cone *cone, const struct model *model,
                           enum step_state state)
{
    size_t shown = 0;
    if (!model->counts[state])
        return;
    for (size_t i = 0; i < cone->members.len && shown < FAILED_MAX; i++) {
        uint32_t at = cone->members.at[i];
        if (cone->hot.at[at].state == state && at != cone->goal) {
            add_step_row(cone, at, 1);
            shown++;
        }
    }
}

static bool is_waiting(uint8_t state)
{
    return state == STEP_STATE_WAITING || state == STEP_STATE_READY ||
           state == STEP_STATE_CANCELLED;
}

/* The steps of one directory, where its row is unfolded. */
static void add_unfolded(struct build_cone *cone, uint32_t dir, bool waiting, uint8_t depth)
{
    for (size_t i = 0; i < cone->members.len; i++) {
        uint32_t at = cone->members.at[i];
        const struct cone_hot *step = &cone->hot.at[at];
        if (step->dir == dir && at != cone->goal &&
            (waiting ? is_waiting(step->state) : is_over(step->state)))
            add_step_row(cone, at, depth);
    }
}

/* Counts waiting and done members by directory. */
static struct group *group_members(const struct build_cone *cone, const struct model *model,
                                   size_t *count)
{
    VEC(struct group) groups = {0};
    uint32_t *slots = mem_zero(intern_count(&model->texts) + 1, sizeof *slots);
    for (size_t i = 0; i < cone->members.len; i++) {
        uint32_t at = cone->members.at[i];
        const struct cone_hot *step = &cone->hot.at[at];
        bool over = is_over(step->state), waiting = is_waiting(step->state);
        if (at == cone->goal || (!over && !waiting))
            continue;
        if (!slots[step->dir]) {
            vec_push(&groups, (struct group){.dir = step->dir, .next = MODEL_NONE});
            slots[step->dir] = (uint32_t)groups.len;
        }
        struct group *group = &groups.at[slots[step->dir] - 1];
        group->done += over;
        if (!waiting)
            continue;
        group->waiting++;
        bool critical = cone->marks.at[at] & MARK_CRITICAL;
        if (group->next == MODEL_NONE || critical ||
            (cone->hot.at[group->next].state != STEP_STATE_READY &&
             step->state == STEP_STATE_READY))
            group->next = at;
    }
    free(slots);
    sorting = model;
    if (groups.len)
        qsort(groups.at, groups.len, sizeof *groups.at, by_name);
    *count = groups.len;
    return groups.at;
}

static void add_fold_rows(struct build_cone *cone, const struct model *model)
{
    size_t count;
    struct group *groups = group_members(cone, model, &count);
    struct cone_row done = {.kind = CONE_DONE, .depth = 1};
    for (size_t i = 0; i < count; i++) {
        const struct group *group = &groups[i];
        done.count += group->done;
        done.dirs += group->done > 0;
        if (!group->waiting)
            continue;
        struct cone_row row = {.kind = CONE_WAITING,
                               .dir = group->dir,
                               .step = group->next,
                               .count = group->waiting,
                               .depth = 1};
        if (group->waiting == 1) {
            add_step_row(cone, group->next, 1);
            continue;
        }
        vec_push(&cone->rows, row);
        if (is_unfolded(cone, row_id(&row)))
            add_unfolded(cone, group->dir, true, 2);
    }
    if (done.count)
        vec_push(&cone->rows, done);
    for (size_t i = 0; done.count && is_unfolded(cone, row_id(&done)) && i < count; i++) {
        struct cone_row row = {
            .kind = CONE_DONE_DIR, .dir = groups[i].dir, .count = groups[i].done, .depth = 2};
        if (!row.count)
            continue;
        vec_push(&cone->rows, row);
        if (is_unfolded(cone, row_id(&row)))
            add_unfolded(cone, row.dir, false, 3);
    }
    free(groups);
}

void cone_update(struct build_cone *cone, const struct model *model)
{
    uint32_t pinned = cone->pinned == EVENT_NONE ? MODEL_NONE : model_find(model, cone->pinned);
    /* Of a make that runs, the longest chain that is known is no goal yet, but where it is forecast. */
    bool partial = !model->complete && model->state == BUILD_RUNNING;
    uint32_t goal = pinned != MODEL_NONE         ? pinned
                    : model_edges_unknown(model) ? MODEL_NONE
                                                 : model->goal;
    bool same = cone->model && cone->shape == model->shape && cone->goal == goal;
    if (same && cone->generation == model->generation)
        return;
    if (same && cone->members.len > LARGE && model->now_ns < cone->updated_ns + UPDATE_NS &&
        model->now_ns >= cone->updated_ns && model->state == BUILD_RUNNING)
        return;
    cone->model = model;
    cone->goal = goal;
    if (!same)
        find_members(cone, model, partial && pinned == MODEL_NONE);
    take_changes(cone, model, !same);
    cone->shape = model->shape;
    cone->generation = model->generation;
    cone->updated_ns = model->now_ns;
    find_path(cone, model);
    cone->rows.len = 0;
    if (!model->steps.len)
        return;
    if (cone->goal != MODEL_NONE)
        vec_push(&cone->rows, (struct cone_row){.kind = CONE_ROOT, .step = cone->goal});
    add_state_rows(cone, model, STEP_STATE_FAILED);
    add_state_rows(cone, model, STEP_STATE_RUNNING);
    add_fold_rows(cone, model);
}

/* ---- drawing ---- */

enum style state_style(const struct model_step *step)
{
    static const enum style styles[STEP_STATES] = {STYLE_TEXT,    STYLE_TEXT,  STYLE_FAINT,
                                                   STYLE_WARNING, STYLE_READY, STYLE_RUNNING,
                                                   STYLE_FAILED};
    return styles[step->state];
}

/* What is worth saying of a step beside its name. */
static void step_note(const struct build_cone *cone, const struct model *model,
                      const struct cone_row *row, struct str *out)
{
    const struct model_step *step = &model->steps.at[row->step];
    char text[16];
    switch ((enum step_state)step->state) {
    case STEP_STATE_FAILED:
        str_add(out, "failed");
        if (step->diagnostic != MODEL_NONE)
            str_addf(out, ": %s", model_text(model, model->diagnostics.at[step->diagnostic].text));
        else if (step->signal)
            str_addf(out, " by signal %d", step->signal);
        else
            str_addf(out, " with exit %d", step->exit);
        break;
    case STEP_STATE_RUNNING:
        str_addf(out, "lane %u", step->lane + 1);
        break;
    case STEP_STATE_DONE:
        text_duration(text, step->wall_ns);
        str_addf(out, "%s %s", model_state_word(step), text);
        break;
    default:
        str_add(out, model_state_word(step));
    }
    if (cone->marks.at[row->step] & MARK_BLOCKED)
        str_add(out, ", behind a failure");
    else if (row->critical && row->kind == CONE_STEP)
        str_add(out, ", on the critical path");
}

/* The build directory itself is named whole: "./" is the tree's. */
static const char *dir_name(const struct model *model, uint32_t dir)
{
    const char *whole = model_text(model, dir), *cut = model_short(whole);
    return strcmp(cut, ".") == 0 ? whole : cut;
}

static const char *fold_text(const struct model *model, const struct cone_row *row, struct str *out)
{
    if (row->kind == CONE_DONE)
        str_addf(out, "%u done in %u director%s", row->count, row->dirs,
                 row->dirs == 1 ? "y" : "ies");
    else if (row->kind == CONE_DONE_DIR)
        str_addf(out, "%s/  %u done", dir_name(model, row->dir), row->count);
    else
        str_addf(out, "%s/  %u waiting", dir_name(model, row->dir), row->count);
    return str_text(out);
}

static size_t rows_count(void *data)
{
    return ((struct build_cone *)data)->rows.len;
}

static uint64_t id_of_row(void *data, size_t index)
{
    return row_id(&((struct build_cone *)data)->rows.at[index]);
}

/* The branch in front of a row: the last of its depth ends it. */
static int draw_branch(const struct build_cone *cone, const struct canvas *canvas, int y,
                       size_t index)
{
    const struct cone_row *row = &cone->rows.at[index];
    int x = 1;
    for (int depth = 1; depth <= row->depth; depth++) {
        bool more = false;
        for (size_t i = index + 1; i < cone->rows.len && cone->rows.at[i].depth >= depth; i++) {
            if (cone->rows.at[i].depth == depth) {
                more = true;
                break;
            }
        }
        const char *text = depth < row->depth ? (more ? "│ " : "  ") : (more ? "├─" : "└─");
        x = canvas_put(canvas, x, y, STYLE_FAINT, text);
    }
    return x;
}

static void draw_row(void *data, const struct canvas *canvas, int y, size_t index)
{
    const struct build_cone *cone = data;
    const struct model *model = cone->model;
    const struct cone_row *row = &cone->rows.at[index];
    struct str text = {0};
    int x = draw_branch(cone, canvas, y, index), w = canvas->w - 1;
    int name_w = (w - x - 2) * 45 / 100;
    if (row->kind == CONE_ROOT || row->kind == CONE_STEP) {
        const struct model_step *step = &model->steps.at[row->step];
        x = canvas_put(canvas, x, y, state_style(step), model_state_glyph(step)) + 1;
        step_note(cone, model, row, &text);
        const char *name = model_name(model, row->step);
        enum style style = step->state == STEP_STATE_FAILED || step->state == STEP_STATE_RUNNING ||
                                   row->kind == CONE_ROOT
                               ? STYLE_STRONG
                               : STYLE_TEXT;
        x = canvas_column(canvas, x, y, name_w, style, FIT_MIDDLE, name) + 2;
        canvas_column(canvas, x, y, w - x, state_style(step), FIT_LEFT, str_text(&text));
    } else {
        bool waiting = row->kind == CONE_WAITING;
        x = canvas_put(canvas, x, y, waiting ? STYLE_FAINT : STYLE_TEXT, waiting ? "○" : "✓") + 1;
        x = canvas_column(canvas, x, y, waiting ? name_w : w - x, STYLE_TEXT, FIT_MIDDLE,
                          fold_text(model, row, &text)) +
            2;
        if (waiting && row->step != MODEL_NONE) {
            str_cut(&text, 0);
            const char *target = model_target(model, row->step), *slash = strrchr(target, '/');
            str_addf(&text, "next: %s", slash ? slash + 1 : target);
            canvas_column(canvas, x, y, w - x, STYLE_FAINT, FIT_LEFT, str_text(&text));
        }
    }
    str_free(&text);
}

static struct list_source source_of(struct build_cone *cone)
{
    return (struct list_source){cone, rows_count, id_of_row, draw_row};
}

void cone_draw(struct build_cone *cone, const struct canvas *canvas, bool focus)
{
    struct list_source source = source_of(cone);
    list_draw(&cone->list, &source, canvas, focus);
}

/* ---- requests ---- */

static const struct cone_row *selected(const struct build_cone *cone)
{
    return cone->list.at < cone->rows.len ? &cone->rows.at[cone->list.at] : NULL;
}

static bool fold(struct build_cone *cone, bool open)
{
    const struct cone_row *row = selected(cone);
    if (!row || row->kind == CONE_ROOT)
        return row != NULL;
    if (row->kind == CONE_STEP) {
        if (open || row->depth < 2)
            return true;
        size_t at = cone->list.at; /* left on a step goes to its fold */
        while (at > 0 && cone->rows.at[at].depth >= row->depth)
            at--;
        struct list_source source = source_of(cone);
        list_select(&cone->list, &source, at);
        return true;
    }
    set_unfolded(cone, row_id(row), open);
    cone->generation--; /* rows are to be made again */
    return true;
}

bool cone_request(struct build_cone *cone, enum request request, int y)
{
    struct list_source source = source_of(cone);
    if (!cone->model)
        return false;
    if (request == REQ_LEFT || request == REQ_RIGHT)
        return fold(cone, request == REQ_RIGHT);
    return list_request(&cone->list, &source, request, y);
}

uint32_t cone_step(const struct build_cone *cone)
{
    const struct cone_row *row = selected(cone);
    return row && (row->kind == CONE_STEP || row->kind == CONE_ROOT) ? row->step : MODEL_NONE;
}

bool cone_enter(struct build_cone *cone)
{
    const struct cone_row *row = selected(cone);
    if (!row)
        return false;
    if (row->kind == CONE_STEP) {
        cone_pin(cone, cone->model->steps.at[row->step].id);
    } else if (row->kind != CONE_ROOT) {
        set_unfolded(cone, row_id(row), !is_unfolded(cone, row_id(row)));
        cone->generation--;
    }
    return true;
}

bool cone_back(struct build_cone *cone)
{
    if (cone->pinned == EVENT_NONE)
        return false;
    cone_pin(cone, EVENT_NONE);
    return true;
}

void cone_pin(struct build_cone *cone, uint32_t step_id)
{
    cone->pinned = step_id;
    cone->list = (struct list){0};
}

void cone_free(struct build_cone *cone)
{
    vec_free(&cone->rows);
    vec_free(&cone->members);
    vec_free(&cone->lengths);
    vec_free(&cone->marks);
    vec_free(&cone->hot);
    vec_free(&cone->critical);
    vec_free(&cone->unfolded);
}
