/*
 * A thread that serves the trace of one step while its lane reads the step's output. The lane
 * starts it, lets the child install the filter, and takes the trace when the step has ended.
 */
#ifndef GANTRY_TRACE_SUPERVISOR_H
#define GANTRY_TRACE_SUPERVISOR_H

#include "base/err.h"
#include "trace/trace.h"

struct supervisor;

/* Starts the thread, which waits for a listener. NULL and err where this machine cannot trace. */
struct supervisor *supervisor_start(struct err *err);

/* In the child, between (v)fork and exec: as trace_child. Async-signal-safe. */
int supervisor_child(const struct supervisor *supervisor);

/* In the parent, once the child has executed its program: no listener can come any more. The
 * listener (still the supervisor's), or -1: the child could not install the filter. */
int supervisor_listener(struct supervisor *supervisor);

/*
 * Once the step's own process has ended: ends the thread and gives the trace, which the caller
 * frees with trace_free; NULL where there was no listener. Processes that outlive the step set
 * TRACE_SURVIVORS; their calls are no longer answered here, so another holder of the listener has
 * to (run/guard.h). Frees the supervisor.
 */
struct trace *supervisor_finish(struct supervisor *supervisor);

#endif
