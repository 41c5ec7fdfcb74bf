/*
 * Paths as text. Nothing here looks at the file system, except path_absolute (getcwd).
 * Results are new strings that the caller frees. Any thread.
 */
#ifndef GANTRY_BASE_PATH_H
#define GANTRY_BASE_PATH_H

#include <stddef.h>

/* `path` seen from `dir`: path itself where it is absolute; "." and "//" are cleaned away. */
char *path_join(const char *dir, const char *path);
/* Without ".", "//" and, textually, ".."; "." where nothing is left. */
char *path_clean(const char *path);
/* What is before and after the last slash ("." and the whole where there is none). */
char *path_dir(const char *path);
const char *path_base(const char *path);
/* Cleaned and absolute by the current directory. */
char *path_absolute(const char *path);
/* `path` relative to `dir`, with ".." where needed; both absolute or both relative to one place. */
char *path_relative(const char *path, const char *dir);
/* The path in at most `columns` bytes, its middle replaced by "…" (3 bytes, one column). */
char *path_shorten(const char *path, size_t columns);

#endif
