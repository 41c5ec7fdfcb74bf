/*
 * The parts of the build screen (build.c puts them together): the map of the whole graph, the
 * lanes, and the cone of one goal. Private to views/build*.c.
 */
#ifndef GANTRY_VIEWS_BUILD_VIEW_H
#define GANTRY_VIEWS_BUILD_VIEW_H

#include "tui/list.h"
#include "tui/view.h"
#include "views/model.h"

/*
 * The map: every step has a cell, stages from left to right, within a stage by directory. A cell
 * stands for a run of `order`. Cells never move while steps are only added to the room that a
 * layout left for them; a layout is made anew when the size changes, the graph becomes complete,
 * or the room is used up.
 */
struct map_tally { /* of the steps in a cell */
    uint32_t count, forecast, raced;
    bool critical; /* in the last frame: a step of the critical path is in it */
    uint32_t states[STEP_STATES];
};

struct map_stage {
    uint32_t *order; /* step indexes */
    struct map_tally *tallies; /* by cell */
    size_t tallies_cap;
    size_t count, cap;
    size_t room; /* steps that the cells are laid out for */
    int x, columns; /* of its cells; columns 0: not shown */
};

struct build_map {
    struct map_stage stages[STAGES];
    size_t seen; /* steps of the model that are in the orders */
    uint32_t shape; /* of the model when the orders were made */
    bool complete, laid_out;
    /* What the tallies count, so that a frame only looks at what changed since the last. */
    VEC(uint32_t) cells; /* by step: its cell */
    VEC(uint8_t) counted; /* by step: its state, forecast and raced in the tally */
    size_t changes; /* of the model's that are counted */
    uint32_t builds; /* the model's */
    int w, h;
    int stage, cell; /* the cursor */
};

void build_map_update(struct build_map *map, const struct model *model, int w, int h);
/* The steps of `path` that are not over are marked: the critical path. */
void build_map_draw(const struct build_map *map, const struct model *model, const uint32_t *path,
                    size_t path_count, const struct canvas *canvas, bool focus);
/* Moves the cursor; true where the request was a motion. */
bool build_map_request(struct build_map *map, enum request request, int x, int y);
/* What the cursor's cell holds: "cc bsd/sys/netinet  38/41  1 running". */
void build_map_describe(const struct build_map *map, const struct model *model, struct str *out);
/* The step in the cursor's cell that matters most, or MODEL_NONE. */
uint32_t build_map_step(const struct build_map *map, const struct model *model);
void build_map_free(struct build_map *map);

/* The lanes, most telling first where there are more than rows. */
struct build_lanes {
    struct list list;
    VEC(uint32_t) order; /* lane numbers */
    const struct model *model;
    bool metered, bars; /* one of them tells its memory; what it took before, or how far it is */
};

void lanes_update(struct build_lanes *lanes, const struct model *model, size_t rows);
void lanes_draw(struct build_lanes *lanes, const struct canvas *canvas, bool focus);
bool lanes_request(struct build_lanes *lanes, enum request request, int y);
/* The step on the selected lane, or the last there, or MODEL_NONE. */
uint32_t lanes_step(const struct build_lanes *lanes);
void lanes_free(struct build_lanes *lanes);

/* The cone: what one goal waits for. Rows are failed and running steps, then what waits and what is
 * done, folded by directory. */
enum cone_row_kind { CONE_ROOT, CONE_STEP, CONE_WAITING, CONE_DONE, CONE_DONE_DIR };

struct cone_row {
    enum cone_row_kind kind;
    uint32_t step; /* of ROOT and STEP; of WAITING the next of them */
    uint32_t dir; /* interned; of WAITING and DONE_DIR */
    uint32_t count, dirs;
    uint8_t depth;
    bool critical; /* on the critical path */
};

/* What is read of every step whenever the path is sought: kept close together. */
struct cone_hot {
    uint64_t weight; /* nanoseconds that it takes, as far as is known */
    uint32_t needs, needs_count, dir; /* as in the model */
    uint8_t state; /* enum step_state */
};

struct build_cone {
    struct list list;
    VEC(struct cone_row) rows;
    VEC(uint32_t) members; /* steps of the cone, prerequisites first */
    VEC(uint64_t) lengths; /* by step: nanoseconds of the longest way to it that is not done */
    VEC(uint8_t) marks; /* by step: enum cone_mark */
    VEC(struct cone_hot) hot; /* by step */
    size_t changes; /* of the model's that are in `hot` */
    VEC(uint64_t) unfolded; /* row identities */
    uint32_t goal; /* dense index; MODEL_NONE: everything */
    uint32_t pinned; /* event id of the goal that was asked for, or EVENT_NONE */
    uint32_t shape, generation;
    uint64_t updated_ns;
    VEC(uint32_t) critical; /* steps of the critical path that are not over, from the goal down */
    uint64_t waits, path, blocked; /* steps not done; on the critical path; behind failures */
    const struct model *model;
};

void cone_update(struct build_cone *cone, const struct model *model);
void cone_draw(struct build_cone *cone, const struct canvas *canvas, bool focus);
bool cone_request(struct build_cone *cone, enum request request, int y);
/* The selected step, or MODEL_NONE on a fold. */
uint32_t cone_step(const struct build_cone *cone);
/* Enter: pins the step's own cone (unfolds a fold); Esc: back to the build's goal. True where
 * something changed. */
bool cone_enter(struct build_cone *cone);
bool cone_back(struct build_cone *cone);
void cone_pin(struct build_cone *cone, uint32_t step_id);
void cone_free(struct build_cone *cone);

/* What is over: newest first while a build runs, then the longest first. */
struct build_done {
    struct list list;
    VEC(uint32_t) order; /* of an ended build: dense indexes, the longest first */
    const struct model *model;
    uint32_t builds; /* the model's, when `order` was made */
    bool sorted; /* `order` counts */
};

void done_update(struct build_done *done, const struct model *model);
void done_draw(struct build_done *done, const struct canvas *canvas, bool focus);
bool done_request(struct build_done *done, enum request request, int y);
/* The selected step, or MODEL_NONE. */
uint32_t done_step(const struct build_done *done);
void done_free(struct build_done *done);

/* One step (dense index, or MODEL_NONE): what it is, why it runs, its races, its command. */
void step_draw(const struct model *model, uint32_t index, const struct canvas *canvas);

/* Columns of a rule's name and the gap behind it, in a pane of w columns. */
int rule_width(int w);

/* The style of a state. */
enum style state_style(const struct model_step *step);

#endif
