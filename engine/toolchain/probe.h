/* The room's own: asking a program, and keeping what it said. Any thread. */
#ifndef GANTRY_TOOLCHAIN_PROBE_H
#define GANTRY_TOOLCHAIN_PROBE_H

/* The first line that `program argument` prints; new, or NULL where it cannot be run or fails. */
char *probe_run(const char *program, const char *argument);
/* The same of a whole NULL-ended argv. */
char *probe_argv(char *const *argv);
/* The same, answered from `cache` (a file, made where it is missing) as long as the program is the
 * same file. */
char *probe_cached(const char *cache, const char *program, const char *argument);
/* What tells a file from its next version, as text: path, size, inode, times. New. */
char *probe_identity(const char *path);

#endif
