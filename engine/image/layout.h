/*
 * Layouts of images as conf/layouts.conf declares them: which parts, where, in which partitions.
 * Any thread.
 */
#ifndef GANTRY_IMAGE_LAYOUT_H
#define GANTRY_IMAGE_LAYOUT_H

#include "image/image.h"

/* Fills pack's volumes (kinds and partitions), align, size, table and data sets from a declaration
 * (the text of a conf/layouts.conf, NULL: the stock one). `texts` keeps the strings that pack points
 * to; the caller frees it (str_list_free). An unknown name is an error that lists those there are. */
int image_layout(struct image_pack *pack, const char *declaration, const char *layout,
                 const char *fs, str_list *texts, struct err *err);
/* "512", "64K", "2M", "10G", "1T", "0x200000". */
int image_size(const char *text, uint64_t *bytes, struct err *err);
/* "rofs", "zfs", "ext", "ramfs". */
const char *image_fs_name(enum image_fs fs);
/* "raw", "qcow2", "vmdk", "vdi", "vhd", "gce". */
const char *image_format_name(enum disk_format format);

#endif
