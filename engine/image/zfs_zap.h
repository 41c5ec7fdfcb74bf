/*
 * ZAP objects: name -> integers, micro where it can be, else fat (zap_impl.h, zap_leaf.h of
 * OpenSolaris). Also the XDR name-value lists of labels. Private to zfs*.c.
 */
#ifndef GANTRY_IMAGE_ZFS_ZAP_H
#define GANTRY_IMAGE_ZFS_ZAP_H

#include <stdint.h>

#include "base/str.h"
#include "image/zfs_store.h"

struct zap_entry {
    const char *name;
    const void *values; /* `count` integers of `width` bytes, little endian */
    uint16_t width, count; /* 1, 2 or 8 bytes */
    uint64_t value; /* used where values is NULL: one integer of 8 bytes */
};

/* Writes the entries as the data of `dnode` (its type is set). The salt makes the order. */
int zap_write(struct zfs_store *store, struct zfs_dnode *dnode, uint64_t salt,
              const struct zap_entry *entries, size_t count);

/* XDR nvlists, built inside out: a list is a str that pairs are appended to. */
void nv_begin(struct str *list);
void nv_uint(struct str *list, const char *name, uint64_t value);
void nv_text(struct str *list, const char *name, const char *value);
void nv_flag(struct str *list, const char *name);
/* A nested list (ended), and an array of one. */
void nv_list(struct str *list, const char *name, const struct str *inner);
void nv_array_of_one(struct str *list, const char *name, const struct str *inner);
void nv_end(struct str *list);

#endif
