/*
 * How a step is run again by itself: a recorded step's command line for a shell. For a make that is
 * how it was started, with the step's target for goals; for a native step its own command.
 */
#ifndef GANTRY_RACE_RERUN_H
#define GANTRY_RACE_RERUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct record;

/* From a make's words and environment (each NUL-ended, as in /proc/PID/cmdline and environ): its
 * command for a shell without its goals, its jobs and -C; and what its environment has that ours has
 * not, as NAME=VALUE words. */
void rerun_words(const char *words, size_t words_length, const char *environment,
                 size_t environment_length, struct str *command, struct str *variables);

/* Whether a make's own words ask for one job at a time. */
bool rerun_asks_one_job(const char *words, size_t length);

/* Appends "(cd DIR && NAME=VALUE... make GOAL)" for the shell, DIR relative to the tree. `options`
 * ("-j4") go to make. False where nobody knows how. */
bool rerun_line(const struct record *record, uint32_t step, const char *options, struct str *out);
/* The same for two steps of one make at once; false where they are not of one. */
bool rerun_both(const struct record *record, uint32_t a, uint32_t b, const char *options,
                struct str *out);

#endif
