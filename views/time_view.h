/* The lanes by time, as the time screen draws them: private to views/time*.c. */
#ifndef GANTRY_VIEWS_TIME_VIEW_H
#define GANTRY_VIEWS_TIME_VIEW_H

#include "base/vec.h"
#include "tui/canvas.h"
#include "views/model.h"

/* What ran on each lane, in the order in which it ended: one step at a time, so in order of begin,
 * too. Grows with model->ended. */
struct time_lane {
    uint32_t *steps;
    size_t count, cap;
};

struct time_lanes {
    VEC(struct time_lane) lanes;
    size_t seen; /* of model->ended */
    uint32_t build; /* model->builds they are of */
};

/* A window of time. */
struct time_window {
    uint64_t left_ns, scale_ns; /* the first column's begin; nanoseconds a column, never 0 */
    int columns;
};

void time_lanes_update(struct time_lanes *lanes, const struct model *model);
void time_lanes_free(struct time_lanes *lanes);

/* The colour of a step's kind of rule. */
enum style time_rule_style(const struct model *model, const struct model_step *step);
/* Draws one lane into a row, from column x on. */
void time_lane_draw(const struct time_lanes *lanes, const struct model *model, size_t lane,
                    const struct time_window *window, const struct canvas *canvas, int x, int y);
/* The step on a lane at a time, or MODEL_NONE; then *since and *until are the bounds of the gap,
 * *next is what ended it (MODEL_NONE: nothing did). */
uint32_t time_lane_at(const struct time_lanes *lanes, const struct model *model, size_t lane,
                      uint64_t t_ns, uint64_t *since, uint64_t *until, uint32_t *next);
/* What a gap was for: "waited for gen/version.h, on lane 1". */
void time_gap_text(const struct model *model, size_t lane, uint32_t next, uint64_t since,
                   struct str *out);
/* Time that the lanes were busy in [0, now), nanoseconds. */
uint64_t time_busy_ns(const struct time_lanes *lanes, const struct model *model);
/* When the last of a step that ran ended: now, or the end of the build. */
uint64_t time_end_ns(const struct model *model);
/* The longest chain of steps that ran, each of which needs the next, from the last one back; `path`
 * is new. Returns their time together: less it cannot take, with any number of lanes. */
uint64_t time_path(const struct model *model, uint32_t **path, size_t *count);

#endif
