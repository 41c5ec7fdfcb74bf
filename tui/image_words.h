/* What the commands on images share; and `gantry image pack`, which has the most words of all. */
#ifndef GANTRY_TUI_IMAGE_WORDS_H
#define GANTRY_TUI_IMAGE_WORDS_H

#include "image/image.h"

struct cli;

/* "raw", "qcow2". */
const char *image_words_format(enum disk_format format);
/* What an image is made of, for people, to standard output. */
void image_words_print(const char *path, const struct image_info *info);

/* argv[0] is "pack"; as a command's function. */
int image_words_pack(struct cli *cli, int argc, char **argv);

#endif
