#include "views/graph_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    GROUP_MIN = 4, /* as many of one directory become one row, */
    GROUPED_FROM = 12, /* where a step has more children than this */
};

/* ---- structure ---- */

static void resize(struct graph_tree *tree, size_t count)
{
    vec_reserve(&tree->rank, count + 1);
    vec_reserve(&tree->parent, count + 1);
    vec_reserve(&tree->also, count + 1);
    vec_reserve(&tree->first_child, count + 1);
    vec_reserve(&tree->next_sibling, count + 1);
    for (size_t i = 0; i < count; i++) {
        tree->rank.at[i] = tree->parent.at[i] = MODEL_NONE;
        tree->first_child.at[i] = tree->next_sibling.at[i] = MODEL_NONE;
        tree->also.at[i] = 0;
    }
}

/* Users of each step, as the needs are kept: slices of one array. */
static void find_users(struct graph_tree *tree, const struct model *model)
{
    size_t count = model->steps.len;
    vec_reserve(&tree->use_start, count + 2);
    memset(tree->use_start.at, 0, (count + 2) * sizeof *tree->use_start.at);
    size_t links = 0;
    for (size_t i = 0; i < count; i++) {
        const struct model_step *step = &model->steps.at[i];
        links += step->needs_count;
        for (uint32_t j = 0; j < step->needs_count; j++)
            tree->use_start.at[model->links.at[step->needs + j] + 2]++;
    }
    vec_reserve(&tree->uses, links + 1);
    for (size_t i = 2; i < count + 2; i++)
        tree->use_start.at[i] += tree->use_start.at[i - 1];
    for (size_t i = 0; i < count; i++) {
        const struct model_step *step = &model->steps.at[i];
        for (uint32_t j = 0; j < step->needs_count; j++)
            tree->uses.at[tree->use_start.at[model->links.at[step->needs + j] + 1]++] = (uint32_t)i;
    }
}

static const uint32_t *next_of(const struct graph_tree *tree, const struct model *model,
                               uint32_t step, uint32_t *count)
{
    if (tree->way == TREE_NEEDS) {
        *count = model->steps.at[step].needs_count;
        return model->links.at + model->steps.at[step].needs;
    }
    *count = tree->use_start.at[step + 1] - tree->use_start.at[step];
    return tree->uses.at + tree->use_start.at[step];
}

/* Reachable steps, each behind all that lead to it: depth first, then turned round. */
static void find_members(struct graph_tree *tree, const struct model *model)
{
    struct frame {
        uint32_t step, next;
    };
    VEC(struct frame) stack = {0};
    tree->members.len = 0;
    tree->rank.at[tree->root] = 0;
    vec_push(&stack, (struct frame){tree->root, 0});
    while (stack.len) {
        struct frame *top = &stack.at[stack.len - 1];
        uint32_t count;
        const uint32_t *next = next_of(tree, model, top->step, &count);
        if (top->next == count) {
            vec_push(&tree->members, top->step);
            stack.len--;
            continue;
        }
        uint32_t step = next[top->next++];
        if (tree->rank.at[step] == MODEL_NONE) {
            tree->rank.at[step] = 0;
            vec_push(&stack, (struct frame){step, 0});
        }
    }
    vec_free(&stack);
    for (size_t i = 0, j = tree->members.len; i + 1 < j--; i++) {
        uint32_t swap = tree->members.at[i];
        tree->members.at[i] = tree->members.at[j];
        tree->members.at[j] = swap;
    }
}

/* Each thing hangs under the one by which the longest way leads to it. */
static void find_parents(struct graph_tree *tree, const struct model *model)
{
    for (size_t i = 0; i < tree->members.len; i++) {
        uint32_t step = tree->members.at[i], count;
        const uint32_t *next = next_of(tree, model, step, &count);
        for (uint32_t j = 0; j < count; j++) {
            uint32_t child = next[j];
            tree->also.at[child]++;
            if (tree->rank.at[step] + 1 > tree->rank.at[child]) {
                tree->rank.at[child] = tree->rank.at[step] + 1;
                tree->parent.at[child] = step;
            }
        }
    }
    for (size_t i = tree->members.len; i-- > 1;) {
        uint32_t step = tree->members.at[i], parent = tree->parent.at[step];
        tree->also.at[step]--;
        if (parent == MODEL_NONE)
            continue;
        tree->next_sibling.at[step] = tree->first_child.at[parent];
        tree->first_child.at[parent] = step;
    }
}

/* ---- rows ---- */

uint64_t graph_tree_row_id(const struct graph_tree *tree, const struct tree_row *row)
{
    uint64_t way = tree->way == TREE_USERS ? 1ull << 63 : 0;
    if (row->kind == TREE_STEP)
        return way | row->step;
    return way | 1ull << 62 | (uint64_t)(row->parent & 0x3FFFFFFF) << 32 | row->dir;
}

static bool is_toggled(const struct graph_tree *tree, uint64_t id)
{
    for (size_t i = 0; i < tree->toggled.len; i++)
        if (tree->toggled.at[i] == id)
            return true;
    return false;
}

bool graph_tree_fold(struct graph_tree *tree, const struct tree_row *row, bool fold)
{
    uint64_t id = graph_tree_row_id(tree, row);
    if (!row->has_children || row->folded == fold)
        return row->has_children;
    for (size_t i = 0; i < tree->toggled.len; i++) {
        if (tree->toggled.at[i] == id) {
            tree->toggled.at[i] = tree->toggled.at[--tree->toggled.len];
            return true;
        }
    }
    vec_push(&tree->toggled, id);
    return true;
}

/* What matters first: failed, running, ready, waiting, then what is over; then by name. */
static int by_state(const void *left, const void *right, void *data)
{
    const struct model *model = data;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    const struct model_step *x = &model->steps.at[a], *y = &model->steps.at[b];
    bool x_over = x->state <= STEP_STATE_DONE, y_over = y->state <= STEP_STATE_DONE;
    if (!(x_over && y_over) && x->state != y->state)
        return x->state > y->state ? -1 : 1;
    int order = strcmp(model_target(model, a), model_target(model, b));
    return order ? order : a < b ? -1 : a > b;
}

struct rows {
    struct graph_tree *tree;
    const struct model *model;
    uint8_t *passes; /* by step, where there is a filter: it or something below it matches */
};

static void add_children(struct rows *rows, uint32_t parent, uint16_t depth);

static void add_step(struct rows *rows, uint32_t step, uint16_t depth, bool last)
{
    struct graph_tree *tree = rows->tree;
    struct tree_row row = {.kind = TREE_STEP,
                           .step = step,
                           .parent = tree->parent.at[step],
                           .depth = depth,
                           .last = last,
                           .has_children = tree->first_child.at[step] != MODEL_NONE,
                           .also = tree->also.at[step]};
    bool toggled = is_toggled(tree, graph_tree_row_id(tree, &row));
    bool open = rows->passes || (depth == 1 && tree->way == TREE_NEEDS); /* to begin with */
    row.folded = row.has_children && toggled == open;
    vec_push(&tree->rows, row);
    if (row.has_children && !row.folded)
        add_children(rows, step, (uint16_t)(depth + 1));
}

static void add_dir(struct rows *rows, const uint32_t *steps, uint32_t count, uint32_t parent,
                    uint16_t depth, bool last)
{
    struct graph_tree *tree = rows->tree;
    struct tree_row row = {.kind = TREE_DIR,
                           .step = steps[0],
                           .dir = rows->model->steps.at[steps[0]].dir,
                           .count = count,
                           .parent = parent,
                           .depth = depth,
                           .last = last,
                           .has_children = true};
    row.folded = is_toggled(tree, graph_tree_row_id(tree, &row)) == (rows->passes != NULL);
    vec_push(&tree->rows, row);
    for (uint32_t i = 0; !row.folded && i < count; i++)
        add_step(rows, steps[i], (uint16_t)(depth + 1), i + 1 == count);
}

/* Done ones of one directory stand together, where there are many. */
static int by_directory(const void *left, const void *right, void *data)
{
    const struct model *model = data;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    const struct model_step *x = &model->steps.at[a], *y = &model->steps.at[b];
    bool x_now = x->state >= STEP_STATE_RUNNING, y_now = y->state >= STEP_STATE_RUNNING;
    if (x_now != y_now)
        return x_now ? -1 : 1;
    if (!x_now && x->dir != y->dir)
        return strcmp(model_text(model, x->dir), model_text(model, y->dir));
    return by_state(left, right, data);
}

static void add_children(struct rows *rows, uint32_t parent, uint16_t depth)
{
    struct graph_tree *tree = rows->tree;
    const struct model *model = rows->model;
    VEC(uint32_t) children = {0};
    for (uint32_t at = tree->first_child.at[parent]; at != MODEL_NONE;
         at = tree->next_sibling.at[at])
        if (!rows->passes || rows->passes[at])
            vec_push(&children, at);
    bool grouped = children.len > GROUPED_FROM;
    if (children.len)
        qsort_r(children.at, children.len, sizeof *children.at, grouped ? by_directory : by_state,
                (void *)(uintptr_t)model);
    for (size_t i = 0; i < children.len;) {
        const struct model_step *step = &model->steps.at[children.at[i]];
        size_t end = i + 1;
        while (grouped && step->state < STEP_STATE_RUNNING && end < children.len &&
               model->steps.at[children.at[end]].dir == step->dir)
            end++;
        if (end - i >= GROUP_MIN) {
            add_dir(rows, children.at + i, (uint32_t)(end - i), parent, depth, end == children.len);
        } else {
            end = i + 1;
            add_step(rows, children.at[i], depth, end == children.len);
        }
        i = end;
    }
    vec_free(&children);
}

/* A step passes where it matches, and so do all above it. */
static uint8_t *find_passing(const struct graph_tree *tree, const struct model *model,
                             struct re *re)
{
    uint8_t *passes = mem_zero(model->steps.len + 1, 1);
    for (size_t i = tree->members.len; i-- > 1;) {
        uint32_t step = tree->members.at[i];
        const char *target = model_target(model, step);
        if (!passes[step] && re_find(re, target, strlen(target), 0, NULL))
            passes[step] = 1;
        if (passes[step] && tree->parent.at[step] != MODEL_NONE)
            passes[tree->parent.at[step]] = 1;
    }
    return passes;
}

void graph_tree_update(struct graph_tree *tree, const struct model *model, uint32_t root,
                       struct re *re)
{
    if (tree->root != root || tree->shape != model->shape || !tree->rank.at) {
        tree->root = root;
        tree->shape = model->shape;
        resize(tree, model->steps.len);
        if (tree->way == TREE_USERS)
            find_users(tree, model);
        find_members(tree, model);
        find_parents(tree, model);
    }
    struct rows rows = {tree, model, re ? find_passing(tree, model, re) : NULL};
    tree->rows.len = 0;
    add_children(&rows, root, 1);
    free(rows.passes);
}

bool graph_tree_path(const struct model *model, uint32_t user, uint32_t need, uint32_t **path,
                     size_t *count)
{
    uint32_t *from = mem_alloc((model->steps.len + 1) * sizeof *from);
    VEC(uint32_t) queue = {0};
    memset(from, 0xFF, model->steps.len * sizeof *from);
    vec_push(&queue, user);
    from[user] = user;
    for (size_t i = 0; i < queue.len && from[need] == MODEL_NONE; i++) {
        const struct model_step *step = &model->steps.at[queue.at[i]];
        for (uint32_t j = 0; j < step->needs_count; j++) {
            uint32_t next = model->links.at[step->needs + j];
            if (from[next] == MODEL_NONE) {
                from[next] = queue.at[i];
                vec_push(&queue, next);
            }
        }
    }
    bool found = from[need] != MODEL_NONE;
    VEC(uint32_t) way = {0};
    for (uint32_t at = need; found; at = from[at]) {
        vec_push(&way, at);
        if (at == user)
            break;
    }
    for (size_t i = 0; i < way.len / 2; i++) {
        uint32_t swap = way.at[i];
        way.at[i] = way.at[way.len - 1 - i];
        way.at[way.len - 1 - i] = swap;
    }
    *path = way.at;
    *count = way.len;
    vec_free(&queue);
    free(from);
    return found;
}

void graph_tree_free(struct graph_tree *tree)
{
    vec_free(&tree->members);
    vec_free(&tree->rank);
    vec_free(&tree->parent);
    vec_free(&tree->also);
    vec_free(&tree->first_child);
    vec_free(&tree->next_sibling);
    vec_free(&tree->toggled);
    vec_free(&tree->rows);
    vec_free(&tree->use_start);
    vec_free(&tree->uses);
}
