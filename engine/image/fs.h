/* File systems as they are put into a sink, for whole files and for partitions. Private. */
#ifndef GANTRY_IMAGE_FS_H
#define GANTRY_IMAGE_FS_H

#include "base/err.h"
#include "image/sink.h"
#include "manifest/manifest.h"

/* Writes a file system at the sink's place, which is a multiple of 512. Entries with a problem are
 * refused (ERR_INPUT, file:line); replaced duplicates are left out. */
int rofs_put(struct sink *sink, const struct manifest_list *list, struct err *err);
/* As the volume asks: alignment, deduplication. list NULL: an empty one. */
int rofs_put_volume(struct sink *sink, const struct image_volume *volume, struct err *err);
int bootfs_put(struct sink *sink, const struct manifest_list *list, struct err *err);
/* The same as the volume asks: with the records of 2014; padded to its size (0: not), so that a larger
 * one can take its place (reserve.h). */
int bootfs_put_volume(struct sink *sink, const struct image_volume *volume, struct err *err);
/* The most bytes that these come to. */
uint64_t rofs_most(const struct image_volume *volume);
uint64_t bootfs_most(const struct manifest_list *list, uint64_t size_bytes);

/* The data of one file; what is wrong with it is said with the manifest's file:line. */
int fs_put_file(struct sink *sink, const struct manifest_entry *entry, struct err *err);

/* `why` with the place of the entry in the manifest, where its host file is to blame; -1. */
int fs_blame(const struct manifest_entry *entry, const struct err *why, struct err *err);

/* The bytes of all files, for progress; and -1 where an entry cannot be written. */
int fs_total(const struct manifest_list *list, uint64_t *total_bytes, struct err *err);

#endif
