/*
 * The other way to see calls, by ptrace, for where a step cannot have our listener: something has
 * one already, or the system lets nobody have one. Private to the room.
 *
 * A process of its own, the tracer, stops the step's threads at their calls and hands each call over
 * a socket to the server, in the form in which a listener gives it; the call goes on once the server
 * has answered. So all that is behind a listener is behind the socket, too. Once nobody is at its
 * other end, the tracer lets go of what lives on: a daemon works on, Gantry or not.
 *
 * It stops at every call there is; or, with less cost, at those of the filter alone (SECCOMP_RET_TRACE).
 * The filter cannot be taken back: then a step can neither trace a process of its own, nor supervise one
 * without calls being missed, and a daemon keeps the tracer.
 */
#ifndef GANTRY_TRACE_STOPS_H
#define GANTRY_TRACE_STOPS_H

#include <stdbool.h>
#include <sys/types.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

/* The child's first byte, where it sends no listener. */
#define STOPS_ASK 's'
/* Threads that may receive calls from one descriptor: each hears of the end. */
enum { STOPS_SERVERS = 16 };

/*
 * In the child: asks the supervisor at the other end of `socket` for a tracer, and waits for it. It
 * installs `filter`, where not NULL; where that cannot be, and with NULL, it is stopped at every
 * call. Async-signal-safe. 0, or -1: nobody may trace here.
 */
int stops_child(const struct sock_fprog *filter, int socket);

/* In the supervisor, after STOPS_ASK came from the child: starts the tracer. The descriptor that calls
 * come by, close-on-exec, or -1 with errno. */
int stops_start(int socket);
/* Whether a descriptor is such a one; a listener is none. */
bool stops_is(int descriptor);
/* To be asked once, before the first call is received: whether its tracer stops at every call, and
 * the tracer's number, to be given to stops_end. */
bool stops_at_every_call(int descriptor, pid_t *tracer);
/* Waits for a tracer whose tree has ended. */
void stops_end(pid_t tracer);
/* Waits for a call. 0, or -1 with errno: EINTR; ECONNRESET: the tree has ended; EPIPE: the tracer was
 * killed, and nobody sees what goes on. Any thread. */
int stops_receive(int descriptor, struct seccomp_notif *notice);
/* Lets the call go on. */
bool stops_answer(int descriptor, const struct seccomp_notif *notice);

#endif
