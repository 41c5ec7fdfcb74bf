#include "views/views.h"

const struct view_ops *const views[] = {&view_build, &view_log};
const unsigned views_count = sizeof views / sizeof *views;
