/*
 * A ZFS pool with one data set, written offline from a manifest: one vdev of 512-byte sectors, all
 * in the current directory's file, importable by OSv, OpenZFS and (SPA 28 and before) zfs-fuse.
 *
 * Layout: "ZFS On-Disk Specification" (Sun Microsystems, 2006) and the headers of OSv's bsd/cddl
 * (uberblock_impl.h, dmu.h, dnode.h, zap_impl.h, zap_leaf.h, sa_impl.h, space_map.h). What OSv's
 * import insists on was measured: FORMATS.md of the project's notes.
 */
#ifndef GANTRY_IMAGE_ZFS_H
#define GANTRY_IMAGE_ZFS_H

#include <stdint.h>

#include "base/err.h"
#include "image/image.h"
#include "manifest/manifest.h"

enum zfs_compression { ZFS_PLAIN, ZFS_LZ4 }; /* plain packs only the tails of files (ZLE) */

struct zfs_options {
    unsigned version; /* SPA: 23, 28 or 5000; 0: 5000 */
    const char
        *dataset; /* below the pool ("zfs"); "" puts the files into the pool's own data set */
    const char *device; /* how the guest names the vdev; NULL: "/dev/vblk0.1" */
    uint64_t size_bytes; /* of the vdev; 0: what is needed and a quarter more, at least 64 MiB */
    enum zfs_compression compression; /* LZ4 needs version 5000 */
};

/*
 * Writes the pool `osv` to `path`, sparse, by a temporary name. Owner is root, times are 0, modes
 * are 0755 for directories and executables and 0644 otherwise, so that equal content gives equal
 * bytes; GUIDs come from the content. Host files that are hard links of each other stay so.
 */
struct sink;
/* At the sink's place, as a partition has it. list NULL: no files. */
int zfs_put(struct sink *sink, const struct manifest_list *list, const struct zfs_options *options,
            struct err *err);
/* The bytes of a pool that is asked to have size_bytes, or 0 for what the files need. */
uint64_t zfs_size(const struct manifest_list *list, uint64_t size_bytes);
/* The same as a file of its own. */
int zfs_write(const char *path, const struct manifest_list *list, const struct zfs_options *options,
              const struct image_io *io, struct err *err);

#endif
