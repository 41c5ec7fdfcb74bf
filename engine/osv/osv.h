/*
 * Trees of OSv driven whole (DESIGN.md, section 10): what scripts/build does with several makes, a
 * Python script, qemu-nbd and a booted guest is one gated build and an image composed in-process.
 *
 * drive.c writes a makefile of the stages that scripts/build runs by hand, so that the make runner
 * drives, traces and records them; compose.c lays usr.img out as scripts/build would; build.c is the
 * runner that does both; boot.c says what run.py would. No name of an arch or of a file system stands in the code: conf/osv/head.mk has
 * them. The coordinator's thread of a build, or any one thread.
 */
#ifndef GANTRY_OSV_OSV_H
#define GANTRY_OSV_OSV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "conf/conf.h"
#include "image/image.h"

/* The image of a configuration, as it was composed last. */
struct osv_record {
    char *image, *fs; /* what was picked; NULL: nothing is recorded, or the file is another now */
    char *key; /* of all that went in */
};
/* A zeroed record is filled; free it with osv_record_free. */
void osv_record_read(struct osv_record *record, const char *root, struct conf *conf);
void osv_record_free(struct osv_record *record);

/* What composing came to; freed by osv_made_free. */
struct osv_made {
    char *path; /* of the image, relative to the root */
    bool fresh; /* nothing was to do */
    size_t files;
    str_list warnings; /* of what went in although the kernel cannot run it */
};
void osv_made_free(struct osv_made *made);
/* Composes the image of what was built: the loader and the file systems, by usr.manifest and cmdline of
 * the build directory. Files of the tree that end in .so go in stripped, by at most `lanes` processes at
 * a time. */
int osv_compose(const char *root, struct conf *conf, unsigned lanes, const struct image_io *io,
                struct osv_made *made, struct err *err);

/* Of such files, those that a compose would put in stripped, and that were since they changed: their
 * entries name what goes in. */
struct manifest_list;
void osv_use_stripped(struct manifest_list *list, const char *root, struct conf *conf);

/* What a run boots with: `cmdline` where that was given, else what the build directory's file says. New;
 * NULL and err where there is none yet. */
char *osv_cmdline(const char *root, struct conf *conf, struct err *err);

/* What vm_options of a guest of such a tree point to. */
struct osv_boot {
    char *arguments, *program, *addr2line;
};
struct vm_options;
/* Fills arguments, program and addr2line of `options` as scripts/run.py would: the arguments are
 * `execute`, or what the image has where that is NULL; `verbose` puts --verbose before
 * them. The boot is zeroed, freed by osv_boot_free, and must outlive vm_start. */
int osv_boot_fill(struct osv_boot *boot, struct vm_options *options, const char *execute,
                  bool verbose, struct err *err);
void osv_boot_free(struct osv_boot *boot);

#endif
