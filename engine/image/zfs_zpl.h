/* Object sets, and the file system (ZPL) in one. Private to zfs*.c. */
#ifndef GANTRY_IMAGE_ZFS_ZPL_H
#define GANTRY_IMAGE_ZFS_ZPL_H

#include "image/zfs_store.h"
#include "manifest/manifest.h"

/* An objset_phys_t being written: its dnodes come in order of their numbers, from 1 up. */
struct zfs_objset {
    struct zfs_store *store;
    struct zfs_tree meta;
    uint8_t *dnodes; /* the open block of 32 */
    unsigned in_block; /* dnodes in it, the unused number 0 too */
    uint64_t objects; /* in use so far */
    uint64_t space; /* bytes taken by everything in the set */
};
enum objset_type { OBJSET_META = 1, OBJSET_ZFS = 2 };
void objset_begin(struct zfs_objset *set, struct zfs_store *store);
/* Adds the next dnode; its own used_bytes are the caller's to add to `space`. */
int objset_add(struct zfs_objset *set, const struct zfs_dnode *dnode);
int objset_end(struct zfs_objset *set, enum objset_type type, struct zfs_bp *bp);

/* The file system of a manifest (NULL: an empty one) as an object set. `zpl` is 4 or 5. */
struct zfs_tree_writer {
    struct zfs_store *store;
    unsigned zpl;
    enum zfs_packing packing; /* of file data; PACK_ZLE packs tails only */
};
int zpl_write(struct zfs_tree_writer *writer, const struct manifest_list *list, struct zfs_bp *bp,
              uint64_t *space);

#endif
