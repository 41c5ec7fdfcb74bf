/*
 * The gate and the hook (gate.c, hook.c) travel inside of the program, and are unpacked where a
 * build needs them: out/gantry works wherever it is copied to. Any thread.
 */
#ifndef GANTRY_LOAD_PAYLOAD_H
#define GANTRY_LOAD_PAYLOAD_H

#include "base/err.h"

/*
 * Unpacks into <state_dir>/bin/<hash>/ (or below the user's cache directory, or /tmp, where that
 * directory cannot be used: not writable, mounted noexec, or with a blank or colon in its name):
 *   gate, hook.so, path/make and, where the machine has one, path/gmake.
 * What is there already is kept. The directory's absolute path, new; NULL and err otherwise.
 */
char *payload_unpack(const char *state_dir, struct err *err);

#endif
