/*
 * The program that a command's first word means, found before the step is started: execvp(3) tries one
 * directory of PATH after the other by execve, which in a traced step costs a stop and 20 us each.
 * Private to run; lane threads.
 */
#ifndef GANTRY_RUN_PROGRAM_H
#define GANTRY_RUN_PROGRAM_H

#include "base/vec.h"

/* The path of a bare name as execvp would find it, new, and in `missed` those where it looked in vain
 * before: they count for the step as if it had looked itself. NULL where execvp has to search: the
 * name has a slash or is not found, or directories of PATH are relative or in the tree (what steps do
 * there is for the trace to see). */
char *program_find(const char *name, const char *root, str_list *missed);

#endif
