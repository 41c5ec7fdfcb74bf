/*
 * Files in memory, for the fuzzers of images: system calls are most of what a run takes otherwise.
 * The linker puts these in the place of the calls that readers make (--wrap, in the Makefile); paths
 * that are not of such a file go on to the system. One thread.
 */
#ifndef GANTRY_TESTS_FUZZ_RAM_FILE_H
#define GANTRY_TESTS_FUZZ_RAM_FILE_H

#include <stddef.h>

enum { RAM_FILES = 4 };

/* A file of `length` bytes, the caller's, and its path. It stays until another is put in its place. */
const char *ram_file(unsigned index, unsigned char *bytes, size_t length);

#endif
