/* The room's own: what a tree offers to pick, and the lines of a conf file without evaluating it. */
#ifndef GANTRY_CONF_SELECT_H
#define GANTRY_CONF_SELECT_H

#include "conf/conf.h"

/* Whether the tree describes itself in conf files: module.mk (native), OSv's own way, or at least
 * conf/base.mk. */
enum described { DESCRIBED_NOT, DESCRIBED_CONF, DESCRIBED_OSV, DESCRIBED_NATIVE };
enum described select_described(const char *root);

/* Checks a pick against what the tree offers; err lists that, and the nearest spelling. */
int select_check(const char *root, enum choice_kind kind, const char *name,
                 const struct origin *origin, struct err *err);

/* The arch whose conf says `machine = <machine>`: new, or NULL where there is none. */
char *select_arch_of(const char *root, const char *machine);

/* "ARCH" and "arch" are one name. */
const char *select_name(const char *name);

/* ---- select_osv.c ---- */

/* The stock conf of a tree of OSv that can be driven: scripts/module.py, and scripts/build (HEAD) or
 * build.mk (2014); NULL for any other. */
const char *select_osv_conf(const char *root);
/* Names of images/ and of all modules, sorted. */
void select_osv_images(const char *root, str_list *names);
/* A list of modules as it was given. */
struct select_osv_list {
    const char *what; /* "image", or "modules", which adds the defaults of config.json */
    const char *text;
    const char *more; /* one that is needed besides, or "" */
    const struct origin *origin;
};
/* What module.py is to be told of a list: appended. -1 and one line with the nearest spelling where a
 * name is none. */
int select_osv_modules(const char *root, const struct select_osv_list *given, struct str *out,
                       struct err *err);
/* A name that was given a value: -1 and one line where it is no conf_ of the tree's, or nearly one of
 * those that are known. Any other may be a variable of a module's makefile. */
int select_osv_name(const char *root, const char *arch, const char *name,
                    const struct origin *origin, struct err *err);

#define SELECTION_FILE "build/.gantry/selection.mk"

#endif
