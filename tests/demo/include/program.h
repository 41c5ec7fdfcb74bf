/* What the programs share: the kernel's table, printing, and reading of whole files. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "kernel_api.h"

/* Set before program_main is called. */
extern const struct kernel_api *kernel;

/* Each program has one; returns the exit status. */
int program_main(int argc, char **argv);

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints "path: what went wrong" and returns 1, an exit status. */
int complain(const char *path, int error);

/*
 * Looks path up and hands its bytes to use(), piece after piece, until it returns false. Prints
 * what went wrong, if so. Returns an exit status.
 */
int for_each_piece(const char *path, bool (*use)(void *context, const void *bytes, size_t size),
                   void *context);

#endif
