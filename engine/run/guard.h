/*
 * The guard: a tiny child process that answers for the running steps. It holds the ids of their
 * process groups and kills them when Gantry dies, however it dies (kill -9 included); it learns of
 * the death by the end of its socket. It also holds a copy of each step's listener: without anyone
 * who serves it every file call of a traced process fails (ENOSYS), so the guard lets the calls of
 * those pass that outlive their step (daemons), and outlives Gantry itself where it has to. A call that
 * Gantry had received, and not answered when it died, is never given to anyone again: the guard knows of
 * it by memory that it shares with Gantry, and lets it go on.
 * Any thread may call add and remove.
 */
#ifndef GANTRY_RUN_GUARD_H
#define GANTRY_RUN_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct guard;

/* Forks the guard. NULL and err where that cannot be. */
struct guard *guard_new(struct err *err);
/* A step runs: `listener` is its trace's, of which the guard gets a copy, or -1. A negative group
 * is served but not killed: what runs there ends by itself when Gantry is gone (the gates). Returns
 * where the number of the call that was received last is to be kept until guard_remove (trace_note_last);
 * NULL: nowhere. */
_Atomic uint64_t *guard_add(struct guard *guard, pid_t group, int listener);
/* A step has ended; `survivors`: processes of it go on, and the guard serves them from now on. */
void guard_remove(struct guard *guard, pid_t group, bool survivors);
/* Ends the guard's watch; groups that it still holds are killed. */
void guard_free(struct guard *guard);

#endif
