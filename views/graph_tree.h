/*
 * The ranked tree of the graph screen: everything that one step needs, or that needs it, each thing
 * once and at its lowest place, as rows that fold. Private to views/graph*.c.
 */
#ifndef GANTRY_VIEWS_GRAPH_TREE_H
#define GANTRY_VIEWS_GRAPH_TREE_H

#include "base/re.h"
#include "base/vec.h"
#include "views/model.h"

enum tree_way { TREE_NEEDS, TREE_USERS };

enum tree_kind_of_row { TREE_STEP, TREE_DIR };

struct tree_row {
    enum tree_kind_of_row kind;
    uint32_t step; /* of a STEP; of a DIR the first of its steps */
    uint32_t dir, count; /* of a DIR: interned directory, steps in it */
    uint32_t parent; /* the step above */
    uint16_t depth; /* 1: directly at the root */
    bool folded, has_children, last; /* last: of its siblings */
    uint32_t also; /* steps besides the parent to which it belongs as well */
};

/* Zeroed it is ready. Everything is by dense step index. */
struct graph_tree {
    enum tree_way way;
    uint32_t root, shape; /* what the arrays are of */
    VEC(uint32_t) members; /* without the root, lowest rank first */
    VEC(uint32_t) rank; /* by step: the longest way from the root; MODEL_NONE: no member */
    VEC(uint32_t) parent; /* by step */
    VEC(uint32_t) also; /* by step */
    VEC(uint32_t) first_child, next_sibling; /* by step; MODEL_NONE ends */
    VEC(uint64_t) toggled; /* rows that are not folded as they are at first */
    VEC(struct tree_row) rows;
    VEC(uint32_t) use_start, uses; /* users of each step */
};

/* Brings the tree up to date with model, root and way; `re` (may be NULL) lets only what it matches
 * through, and what stands above that. Rows are made anew. */
void graph_tree_update(struct graph_tree *tree, const struct model *model, uint32_t root,
                       struct re *re);
uint64_t graph_tree_row_id(const struct graph_tree *tree, const struct tree_row *row);
/* Folds or unfolds a row; true where it can be. */
bool graph_tree_fold(struct graph_tree *tree, const struct tree_row *row, bool fold);
/* A way of prerequisites from `user` down to `need`, both included, appended to path; false where
 * there is none. */
bool graph_tree_path(const struct model *model, uint32_t user, uint32_t need, uint32_t **path,
                     size_t *count);
void graph_tree_free(struct graph_tree *tree);

#endif
