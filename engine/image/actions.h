/*
 * Image making as native steps: what load/tree.c gives as `action` and `data` of the steps bootfs,
 * rofs, disk, embed, compress and copy. Each writes outputs[0] by a temporary name and a rename, tells the
 * host files that it read by io->needs and the bytes composed by io->compose, and stops with
 * file:line where a manifest is wrong. Paths in the data are relative to the tree's root. Called on
 * lane threads; the data is read only.
 */
#ifndef GANTRY_IMAGE_ACTIONS_H
#define GANTRY_IMAGE_ACTIONS_H

#include <stddef.h>

#include "base/err.h"
#include "graph/graph.h"
#include "image/image.h"
#include "manifest/manifest.h"

/* Data of action_bootfs and action_rofs: the manifests in order, what %(name)s means, and where
 * relative host paths are looked up, in order (image-out, out, "."). scope.root is ignored: the
 * step's root is taken. */
struct manifest_action {
    const char *const *manifests;
    size_t manifests_count;
    struct manifest_scope scope;
    uint64_t reserve_bytes; /* of action_bootfs: what it is padded to, 0: not at all */
};
/* outputs[0] = a bootfs (OSv HEAD's records), resp. a ROFS. */
action_fn action_bootfs, action_rofs;

/* The same data, before the step runs: an entry that no file on disk and no step of the graph can give
 * is an error, with file:line. */
check_fn manifest_check;

/* Data of action_disk is a struct disk_layout, its files relative to the root.
 * outputs[0] = the disk. */
action_fn action_disk;

/* Data: the symbol. outputs[0] = inputs[0], with the bootfs inputs[1] put where it was linked with a
 * reserve (image_embed). */
action_fn action_embed;

/* No data. outputs[0] = inputs[0] packed as loader_compress does, resp. copied with its mode. */
action_fn action_compress, action_copy;

#endif
