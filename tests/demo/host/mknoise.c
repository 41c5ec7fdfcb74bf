/*
 * mknoise -o FILE BYTES: a file of noise from a fixed generator, so that a reader can tell each
 * byte that it should find (selftest/files.c does). Runs on the build machine.
 */
#include "noise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct noise noise = {NOISE_SEED};

    if (argc != 4 || strcmp(argv[1], "-o") != 0) {
        fprintf(stderr, "usage: mknoise -o FILE BYTES\n");
        return 2;
    }
    FILE *out = fopen(argv[2], "wb");

    if (!out) {
        perror(argv[2]);
        return 1;
    }
    for (long left = atol(argv[3]); left > 0; left--)
        putc(noise_byte(&noise), out);
    if (ferror(out) | fclose(out)) {
        perror(argv[2]);
        return 1;
    }
    return 0;
}
