/* What is in an image, with hashes, and as bills of materials. Any thread. */
#ifndef GANTRY_IMAGE_INVENTORY_H
#define GANTRY_IMAGE_INVENTORY_H

#include "base/str.h"
#include "image/image.h"

struct inventory_file {
    struct image_file file; /* strings in the inventory's arena */
    char sha256[65], sha1[41]; /* of files; "" otherwise */
};
struct inventory {
    struct arena arena;
    VEC(struct inventory_file) files; /* sorted by path */
    char sha256[65]; /* of all names and hashes */
};
/* Reads every file of an image. The inventory is zeroed by the caller, and freed by him on error
 * too. */
int inventory_make(struct inventory *inventory, const char *path, struct err *err);
/* Appends a JSON document; `name` is the image's. */
void inventory_spdx(const struct inventory *inventory, const char *name, struct str *out);
void inventory_cyclonedx(const struct inventory *inventory, const char *name, struct str *out);
void inventory_free(struct inventory *inventory);

#endif
