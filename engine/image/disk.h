/* Sector 0 and what is told of it: for disk.c and pack.c. Private to engine/image. */
#ifndef GANTRY_IMAGE_DISK_H
#define GANTRY_IMAGE_DISK_H

#include "image/sink.h"

int disk_file_size(const char *path, uint64_t *size_bytes, struct err *err);
/* Marks sector 0 as having a table, where no code stands there that must be left alone. `first` is
 * what lies at offset 0, or NULL. */
int disk_put_signature(struct sink *sink, const char *first, struct err *err);
/* An entry (number 1 to 4) of the table in sector 0, all but its boot flag. */
struct disk_entry {
    unsigned number;
    uint64_t start, size_bytes; /* multiples of 512 */
    enum image_table table;
};
int disk_put_partition(struct sink *sink, const struct disk_entry *entry, struct err *err);
/* The arguments, and NULs over what the loader had there. */
int disk_put_cmdline(struct sink *sink, uint64_t at, const char *cmdline, const char *first,
                     struct err *err);

#endif
