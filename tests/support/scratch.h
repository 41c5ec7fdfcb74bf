/* A directory of a test's own under TMPDIR, and files in it. One at a time; fails the test where the
 * machine does not play along. */
#ifndef GANTRY_TESTS_SCRATCH_H
#define GANTRY_TESTS_SCRATCH_H

#include <stddef.h>

/* As cmocka's setup and teardown. */
int scratch_make(void **state);
int scratch_remove(void **state);
const char *scratch_dir(void);
/* "<dir>/<name>"; kept until scratch_remove. */
const char *scratch(const char *name);
/* Writes a file, with the directories above it. Returns its path. */
const char *scratch_bytes(const char *name, const void *bytes, size_t length);
const char *scratch_text(const char *name, const char *text);
/* A file's bytes; the caller frees. */
char *scratch_read(const char *name, size_t *length);

#endif
