/*
 * The stock files: /conf, /manifests and the bundled tree (tests/demo), as they were when Gantry
 * was built, inside the program. Constant; any thread.
 */
#ifndef GANTRY_CONF_STOCK_H
#define GANTRY_CONF_STOCK_H

#include <stddef.h>

struct stock_file {
    const char *path; /* as in Gantry's repository: "conf/base.mk", "tests/demo/module.mk" */
    const char *bytes; /* NUL-ended past its length */
    size_t length;
    unsigned mode; /* permission bits */
};

/* All of them, sorted by path; written by embed_tool into gen/stock.c. */
extern const struct stock_file stock_files[];
extern const size_t stock_files_count;

/* The file of a path, or NULL. */
const struct stock_file *stock_find(const char *path);
/* Walks the files whose path starts with `prefix`: NULL first, then what it returned; NULL ends. */
const struct stock_file *stock_next(const char *prefix, const struct stock_file *previous);

#endif
