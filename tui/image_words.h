/* `gantry image pack`, which has the most words of all. */
#ifndef GANTRY_TUI_IMAGE_WORDS_H
#define GANTRY_TUI_IMAGE_WORDS_H

struct cli;

/* argv[0] is "pack"; as a command's function. */
int image_words_pack(struct cli *cli, int argc, char **argv);

#endif
