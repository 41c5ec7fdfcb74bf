/* The screens there are, in the order of their keys, and the pop-ups that go over them. */
#ifndef GANTRY_VIEWS_VIEWS_H
#define GANTRY_VIEWS_VIEWS_H

#include "tui/view.h"

extern const struct view_ops *const views[];
extern const unsigned views_count; /* at most APP_VIEWS_MAX */

extern const struct view_ops view_build, view_graph, view_time, view_races, view_log, view_target,
    view_compose, view_boot;
extern const struct view_ops view_help, view_palette, view_why, view_compare, view_tour;

#endif
