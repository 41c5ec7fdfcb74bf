/*
 * The server's side of the accelerator (ring.h, accelerator.c): puts it into programs that are known
 * to make many calls, and takes what it noted. Private to the room; for the thread that holds the
 * server's lock.
 *
 * A program gets it when its dynamic linker asks for /etc/ld.so.preload, first of all. Either it is let in
 * while it stands there (inject.h), or, where that cannot be, the server answers that there is such a file
 * and what it holds. Nothing is in the program's environment, and what programs preload themselves comes
 * before.
 */
#ifndef GANTRY_TRACE_ACCELERATE_H
#define GANTRY_TRACE_ACCELERATE_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/private.h"

/* How far a thread's program is in getting it. */
enum inject { INJECT_NOT, INJECT_ASKED, INJECT_PRELOAD, INJECT_LIBRARY, INJECT_RING };

/* A thread is about to execute `program`; its environment stands at `environment`. */
void accelerate_exec(struct trace_server *server, struct thread *thread, const char *program,
                     uint64_t environment);
/* Counts a call of the thread's program: that is how programs become known. */
void accelerate_count(struct trace_server *server, struct thread *thread);
/* Whether a call is the first one of the thread's dynamic linker, by where it stands: then its path into
 * `path`, which need not be read. */
bool accelerate_knows_path(const struct thread *thread, const struct seccomp_notif *notice,
                           struct str *path);
/* Answers a call that is part of getting in; false: it is a call like others. To be asked after
 * see_call, which has read the path into server->raw. */
bool accelerate_answer(struct trace_server *server, struct thread *thread,
                       const struct seccomp_notif *notice, const struct call *call);
/* Keeps all that a trace's processes have noted so far; `last`: they have ended. */
void accelerate_drain(struct trace_server *server, const struct trace *trace, bool last);
/* Names are about to change, or a directory (into `directory`, where not NULL): what was noted came
 * before. */
void accelerate_before_change(struct trace_server *server, struct thread *thread,
                              const char *directory);
/* From now on all calls are made in the seen way. */
void accelerate_stop(struct trace_server *server);
/* A trace gets nothing more. */
void accelerate_drop(struct trace_server *server, const struct trace *trace);
void accelerate_free(struct trace_server *server);

#endif
