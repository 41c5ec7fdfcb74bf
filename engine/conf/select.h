/* The room's own: what a tree offers to pick, and the lines of a conf file without evaluating it. */
#ifndef GANTRY_CONF_SELECT_H
#define GANTRY_CONF_SELECT_H

#include "conf/conf.h"

/* Whether the tree describes itself in conf files: module.mk (native) or conf/base.mk (OSv). */
enum described { DESCRIBED_NOT, DESCRIBED_CONF, DESCRIBED_NATIVE };
enum described select_described(const char *root);

/* Checks a pick against what the tree offers; err lists that, and the nearest spelling. */
int select_check(const char *root, enum choice_kind kind, const char *name,
                 const struct origin *origin, struct err *err);

/* The arch whose conf says `machine = <machine>`: new, or NULL where there is none. */
char *select_arch_of(const char *root, const char *machine);

/* "ARCH" and "arch" are one name. */
const char *select_name(const char *name);

#define SELECTION_FILE "build/.gantry/selection.mk"

#endif
