/* A tree of every kind of file, its manifest, and images packed from it: for the tests of images. In
 * the scratch directory of the running test. */
#ifndef GANTRY_TESTS_IMAGE_TREE_H
#define GANTRY_TESTS_IMAGE_TREE_H

#include "image/image.h"

enum { IMAGE_TREE_MANY = 600 };

/* Writes files below `name` (in the scratch directory) and a manifest of them; returns its path. The
 * same each time. `backwards`: in the opposite order, with other times. */
const char *image_tree_make(const char *name, bool backwards);
/* Packs one file system of a manifest, alone (`partition` 0) or in a disk. -1 and err. */
int image_tree_try(const char *manifest, const char *path, const struct image_pack *pack,
                   struct err *err);
/* The same, and the test fails where it fails. */
void image_tree_pack(const char *manifest, const char *path, const struct image_pack *pack);
/* Bytes that do not pack, the same each time; the caller frees. */
char *image_tree_noise(size_t length, uint64_t seed);
/* Has the scratch directory in memory where there is enough of it: these tests write many images, and
 * each is synced to the disk. */
void image_tree_prefer_memory(void);
/* Runs a command of the shell, its output thrown away; the test fails where it fails. */
void image_tree_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
