#include "views/views.h"

const struct view_ops *const views[] = {
    &view_build, &view_graph,  &view_time,    &view_races,
    &view_log,   &view_target, &view_compose, &view_boot,
};
const unsigned views_count = sizeof views / sizeof *views;
