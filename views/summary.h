/* What stays on the normal screen when the console closes: the build in a line, failures last. */
#ifndef GANTRY_VIEWS_SUMMARY_H
#define GANTRY_VIEWS_SUMMARY_H

#include "base/str.h"
#include "views/model.h"

/* Appends lines, each with its newline; nothing where nothing was built or booted. */
void summary_text(const struct model *model, struct str *out);

#endif
