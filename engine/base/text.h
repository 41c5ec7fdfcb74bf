/* Words and lines: nearest spellings, quoting, splitting. Any thread. */
#ifndef GANTRY_BASE_TEXT_H
#define GANTRY_BASE_TEXT_H

#include <stddef.h>

#include "base/str.h"
#include "base/vec.h"

/* The name that is nearest to `word` by optimal string alignment distance, or NULL where none is
 * within a third of its length (at least 2). */
const char *text_nearest(const char *word, const char *const *names, size_t count);

/* Appends a word so that a POSIX shell reads it back as one word; plain words stay plain. */
void text_shell_quote(struct str *out, const char *word);

/* Splits at white space as make does; the words are new strings in `words`. */
void text_split(str_list *words, const char *text);

/* Bytes for people: "812", "41.2K", "3.1M", "10.0G" (units of 1,024). */
void text_size(char out[static 16], unsigned long long size_bytes);

#endif
