/*
 * A thread that serves the trace of one step while its lane reads the step's output. The lane
 * starts it, lets the child install the filter, and takes the trace when the step has ended.
 */
#ifndef GANTRY_TRACE_SUPERVISOR_H
#define GANTRY_TRACE_SUPERVISOR_H

#include <stdbool.h>

#include "base/err.h"
#include "trace/trace.h"

struct supervisor;

/* Starts the thread, which waits for a listener. `directory` is where the child stands when it installs the
 * filter, canonical, or NULL: not known. NULL and err where that cannot be. */
struct supervisor *supervisor_start(enum trace_way way, const char *directory, struct err *err);
/* The same for many steps (see trace_server_open), served by several threads. Paths that begin with
 * one of `ignored` (NULL-ended) are not kept. */
struct supervisor *supervisor_start_shared(struct trace *(*trace_of)(void *data, pid_t tid),
                                           void *data, const char *const *ignored, unsigned threads,
                                           struct err *err);
/* The server of a shared one, once there is a listener; until supervisor_finish. */
struct trace_server *supervisor_server(struct supervisor *supervisor);

/* In the child, between (v)fork and exec: as trace_child. Async-signal-safe. */
int supervisor_child(const struct supervisor *supervisor);

/* In the parent, once the child has executed its program: no listener can come any more. The
 * listener (still the supervisor's), for others to hold; or -1: there is none, since the child is
 * traced by ptrace, or not at all. */
int supervisor_listener(struct supervisor *supervisor);

/* trace_note_last of what it serves; after supervisor_listener gave one. */
void supervisor_note_last(struct supervisor *supervisor, _Atomic uint64_t *place);
/* After supervisor_listener: the trace that is being filled, until supervisor_finish; its server's
 * lock is to be held for looking at it. NULL where there is no listener, and of a shared one. */
const struct trace *supervisor_trace(const struct supervisor *supervisor);

/*
 * Once the step's own process has ended: ends the thread and gives the trace, which the caller
 * frees with trace_free; NULL where there was no listener, and of a shared supervisor. Processes
 * that outlive the step set `survivors` and TRACE_SURVIVORS; their calls are no longer answered
 * here, so another holder of the listener has to (run/guard.h). Frees the supervisor.
 */
struct trace *supervisor_finish(struct supervisor *supervisor, bool *survivors);

#endif
