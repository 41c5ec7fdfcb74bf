/* Hints of the last build's record, as `gantry races list --all` and `gantry graph --unused` tell them. */
#ifndef GANTRY_TUI_HINTS_H
#define GANTRY_TUI_HINTS_H

#include "race/hint.h"
#include "tui/cli.h"

/* Where the tree at cli->directory keeps the record, and its root (both new); NULL and err. */
char *hints_state_dir(struct cli *cli, char **root, struct err *err);
/* One hint, one line. */
void hints_print(const struct race_report *report, const struct race_hints *hints,
                 const struct race_hint *hint);
/* The waits that the last build did not need. 0, or -1 and err where no record can be read. */
int hints_show_unused(struct cli *cli, struct err *err);

#endif
