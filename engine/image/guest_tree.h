/*
 * The names of a manifest as a tree of directories, for file systems whose directories are written
 * as a whole. Directories are numbered in the order in which the sorted list first needs them,
 * parents before children; everything else is a leaf, in order of path. Private to engine/image.
 */
#ifndef GANTRY_IMAGE_GUEST_TREE_H
#define GANTRY_IMAGE_GUEST_TREE_H

#include <stdint.h>

#include "base/map.h"
#include "manifest/manifest.h"

enum { GUEST_LINKS_MAX = 65000 }; /* names of a file; what has more becomes several */
enum guest_type { GUEST_DIRECTORY = 4, GUEST_FILE = 8, GUEST_LINK = 10 }; /* DT_* of dirent.h */

/* One name in a directory. */
struct guest_child {
    uint32_t directory; /* that it is in */
    uint32_t index; /* of directories, or of leaves */
    const char *name;
    enum guest_type type;
};

/* A file or symbolic link, which may have several names. */
struct guest_leaf {
    const struct manifest_entry *entry; /* its first name */
    uint32_t directory;
    uint32_t links; /* names */
    uint32_t mode; /* S_IFREG or S_IFLNK, and 0755 where it can be executed, else 0644 */
};

struct guest_tree {
    struct intern directories; /* guest paths; 0 is the root, "" */
    VEC(uint32_t) parent_of; /* by directory */
    VEC(uint32_t) directories_in; /* by directory: subdirectories */
    VEC(struct guest_child) children; /* sorted by directory, then name */
    VEC(struct guest_leaf) leaves;
    struct map hard_links; /* "dev:ino" -> index of leaves + 1 */
};

/* A zeroed tree is made from a list (NULL: the root alone); names point into the list. Host files
 * that are hard links of each other become one leaf. Freed by the caller, after an error too. */
int guest_tree_make(struct guest_tree *tree, const struct manifest_list *list, struct err *err);
void guest_tree_free(struct guest_tree *tree);

#endif
