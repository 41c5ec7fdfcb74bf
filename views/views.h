/* The screens there are, in the order of their keys. */
#ifndef GANTRY_VIEWS_VIEWS_H
#define GANTRY_VIEWS_VIEWS_H

#include "tui/view.h"

extern const struct view_ops *const views[];
extern const unsigned views_count;

extern const struct view_ops view_build, view_log;

#endif
