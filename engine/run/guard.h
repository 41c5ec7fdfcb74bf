/*
 * The guard: a tiny child process that holds the ids of the running steps' process groups and
 * kills them when Gantry dies, however it dies (kill -9 included). It learns of the death by the
 * end of its pipe. Any thread may add and remove.
 */
#ifndef GANTRY_RUN_GUARD_H
#define GANTRY_RUN_GUARD_H

#include <sys/types.h>

#include "base/err.h"

struct guard;

/* Forks the guard. NULL and err where that cannot be. */
struct guard *guard_new(struct err *err);
void guard_add(struct guard *guard, pid_t group);
void guard_remove(struct guard *guard, pid_t group);
/* Ends the guard; groups that it still holds are killed. */
void guard_free(struct guard *guard);

#endif
