/* Inside of the room: the stages, and what a manifest's files come to. */
#ifndef GANTRY_OSV_PRIVATE_H
#define GANTRY_OSV_PRIVATE_H

#include "manifest/manifest.h"
#include "osv/osv.h"
#include "toolchain/toolchain.h"

/* Which stages are to run. */
struct osv_stages {
    bool image_only; /* the kernel is taken as it is, where it fits the file system */
    const char *const
        *targets; /* goals of the tree's make in place of all stages; NULL-ended or NULL */
};

/* Writes the makefile of the stages where it is not there as it should be: its path relative to the
 * root, new; what it says is appended to `text`. NULL and err on bad input (a file that does not
 * exist). */
char *osv_drive(const char *root, struct conf *conf, const struct toolchain *tools,
                const struct osv_stages *stages, struct str *text, struct err *err);

/* Of the picked file system: the value of osv-<what>-<fs>. */
const char *osv_of_fs(struct conf *conf, const char *what);
/* What libgcc_s.so.1 stands in, as scripts/build finds it: new. */
char *osv_libgcc_dir(const char *root, struct conf *conf, const struct toolchain *tools);

/* The entries of usr.manifest, strictly. The list is zeroed, and freed by the caller. */
int osv_entries(struct manifest_list *list, const char *root, struct conf *conf,
                const struct toolchain *tools, struct err *err);
/* Puts stripped files in the place of those that OSv's scripts strip (manifest_common.py: what ends in
 * .so and lies in the build directory, in modules/ or in apps/); X-stripped.so beside X is made where it
 * is missing or older. */
int osv_strip(struct manifest_list *list, const char *root, struct conf *conf,
              const struct toolchain *tools, unsigned lanes, struct err *err);

/* Appends a line for each of the first programs among the entries that are for another machine than the
 * kernel's: makefiles of modules that know of no arch leave those of the last build. */
void osv_foreign(const struct manifest_list *list, const char *root, struct conf *conf,
                 str_list *lines);

/* Keeps what was composed: to be called when the image stands. */
int osv_record_write(const struct osv_record *record, const char *root, struct conf *conf,
                     struct err *err);

#endif
