/*
 * Which files a process tree touches, seen through seccomp user notification, or else by ptrace:
 * without privileges, static and 32-bit programs and raw system calls included (DESIGN.md section 7).
 *
 * The child installs a filter between fork and exec and sends the listener's descriptor to its
 * supervisor; from then on every call that names a path or changes a name stops until the
 * supervisor has seen it. One trace has one supervising thread, which alone may call trace_serve;
 * the result may be read by anyone once that returned.
 */
#ifndef GANTRY_TRACE_TRACE_H
#define GANTRY_TRACE_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/map.h"
#include "trace/names.h"

/* What was done with a path; an access is a set of these. */
enum access_kind {
    ACCESS_READ = 1 << 0, /* opened for reading, or executed */
    ACCESS_WRITE = 1 << 1, /* opened for writing, or truncated, where it was there before */
    ACCESS_CREATE =
        1 << 2, /* came into being: open with O_CREAT, mknod, link, symlink, rename to */
    ACCESS_REMOVE = 1 << 3, /* unlink, or rename away */
    ACCESS_MKDIR = 1 << 4,
    ACCESS_RMDIR = 1 << 5,
    ACCESS_LIST = 1 << 6, /* a directory's entries were read */
    ACCESS_STAT = 1 << 7, /* weak: stat, access, readlink of what is no link */
    ACCESS_META = 1 << 8, /* weak: chmod, chown, utimens, xattr */
    ACCESS_LINK = 1 << 9, /* a symbolic link that was followed, or read by readlink */
    ACCESS_APPEND = 1 << 10, /* all writing was by O_APPEND */
    ACCESS_EXEC = 1 << 11,
    ACCESS_ENSURE = 1 << 12, /* mkdir of what was there already: as good as having made it */
};

struct access {
    uint32_t path; /* a name (names.h): canonical, absolute */
    uint32_t kinds; /* enum access_kind, all that were seen */
    bool found; /* it was there when first touched */
    uint32_t process; /* who touched it first: index of trace->processes */
    uint64_t first_ns, last_ns; /* monotonic */
};

struct trace_process {
    pid_t pid; /* thread id of the first call seen */
    uint32_t program; /* name of what it executed, or INTERN_NONE: not seen */
    uint32_t command; /* id in trace->commands: its words, blanks between, cut at 1 KiB; or NONE */
};

/* Why a trace may be incomplete; the race report respects it. */
enum trace_flaw {
    TRACE_FOREIGN_ROOT = 1, /* a process had mounts of its own: its paths are as it saw them */
    TRACE_UNREADABLE = 2, /* a path could not be read out of the process */
    TRACE_SURVIVORS = 4, /* a process outlived its step: what it did after that is not here */
    /* What cannot work while it is traced; a step that fails so is worth another try untraced: */
    TRACE_PRIVILEGE = 8, /* a set-user-ID program was executed, without its privilege */
    TRACE_OWN_LISTENER = 16, /* a process wanted to be a seccomp supervisor itself (EBUSY) */
    TRACE_OWN_TRACER = 32, /* where calls are seen by ptrace: a process wanted to trace, too */

    TRACE_PARTIAL = TRACE_UNREADABLE | TRACE_OWN_TRACER, /* that much is missing: "untraced" */
};

struct trace {
    struct intern commands;
    VEC(struct access) accesses; /* in order of first touch */
    VEC(struct trace_process) processes;
    uint64_t calls; /* that were stopped, and seen */
    uint64_t noted; /* calls that the accelerator noted, without a stop */
    unsigned flaws; /* enum trace_flaw */
    bool
        network; /* somebody spoke, or wanted to be spoken to, by a socket: what came of it is in no
                     file. The caches of users' names (nscd, sssd) do not count */
    struct trace_private *private;
};

/*
 * How calls are seen: by a listener; or, where the step cannot have one, by ptrace (stops.h), which
 * costs more, and sees the same. GANTRY_TRACE in the environment may ask for ptrace or ptrace-filter,
 * where by a listener would do.
 */
enum trace_way {
    TRACE_BY_ANY, /* as this machine lets us */
    TRACE_BY_STOPS, /* by ptrace, at every call: for a step that supervises calls itself */
    TRACE_BY_FILTER_STOPS, /* by ptrace, at the calls of a filter: cheaper; see stops.h */
    TRACE_WAYS
};

/* A build begins: what the one before found out about paths is not believed any more. */
void trace_begin(void);

/* What a child needs to become traced; made once, shared by all, never freed before exit. */
struct trace_filter;
const struct trace_filter *trace_filter_get(enum trace_way way);

/*
 * In the child, between fork (or clone) and exec: installs the filter and sends the listener over
 * `socket`; where there can be none, it is traced by ptrace, once trace_receive was called at the other
 * end. Async-signal-safe. 0, or -1: the child can be traced in no way.
 * The process gets no_new_privs, so set-user-id programs run without their privilege.
 */
int trace_child(const struct trace_filter *filter, int socket);
/* In the supervisor: the listener that trace_child sent, or what is in its place; or -1 with errno. */
int trace_receive(int socket);
/* Whether a listener is one, which others can hold and serve as well; not where calls are seen by
 * ptrace. */
bool trace_is_listener(int listener);

/* A trace on a listener, which it owns from now on. `directory` is where the traced process stood when it
 * made it, canonical, or NULL: not known. The environment's GANTRY_TRACE may have the words
 * no-wake-up and no-accelerator, for measuring. */
struct trace *trace_open(int listener, const char *directory);
/* Answers calls until every process of the tree has ended, or `stop_fd` becomes readable (-1: never).
 * -1 and err where that went wrong. */
int trace_serve(struct trace *trace, int stop_fd, struct err *err);
void trace_free(struct trace *trace);
/* Lets one waiting call go on unseen: for whoever holds a listener that nobody serves any more.
 * Waits for a call where there is none. Async-signal-safe. */
void trace_let_pass(int listener);
/* The number of the call that was received last is kept there from now on, and never 0: for
 * trace_let_go_on. NULL: nowhere. */
struct trace_server;
void trace_note_last(struct trace *trace, _Atomic uint64_t *place);
void trace_server_note_last(struct trace_server *server, _Atomic uint64_t *place);
/* For the same, where the server was killed: lets all calls go on that it had received, around the
 * last, and did not answer. Linux would give them to nobody again, and they would wait for ever.
 * Async-signal-safe. */
void trace_let_go_on(int listener, uint64_t last);

/*
 * One listener for many steps, which a thread's calls are told apart by: `trace_of` gives the trace
 * of a thread that calls for the first time, or again after a while; NULL: nobody's, seen by none.
 * Several threads may serve; trace_of is called by one at a time.
 */
struct trace *trace_new(void);
struct trace_server *
trace_server_open(int listener, struct trace *(*trace_of)(void *data, pid_t tid), void *data);
/* As trace_serve. */
int trace_server_serve(struct trace_server *server, int stop_fd, struct err *err);
void trace_server_close(struct trace_server *server);
/* From now on (any thread): a thread's next call is asked for anew; a trace gets no more calls, its
 * threads are asked for anew; paths that begin so are not kept (before the first call is served). */
void trace_server_forget(struct trace_server *server, pid_t tid);
void trace_server_drop(struct trace_server *server, const struct trace *trace);
void trace_server_ignore(struct trace_server *server, const char *prefix);
/* False once calls may have gone by unseen: what stood in for the listener was killed. */
bool trace_server_sees_all(const struct trace_server *server);
/* The accesses of a trace that is still served, of those that were made or made again after
 * `since_ns`, in order of their first touch. Any thread; `seen` is called under the server's lock. */
typedef void trace_seen(void *data, const char *path, const struct access *access);
void trace_server_peek(struct trace_server *server, const struct trace *trace, uint64_t since_ns,
                       trace_seen *seen, void *data);
/* Marks this time: until the trace_server_since_mark that follows, what is done is noted apart. Any
 * thread. That gives each path with its access, of which `kinds` and `found` are those since the mark
 * alone (what was there at one time and not at another counts as created); `seen` is called under the
 * server's lock. */
void trace_server_mark(struct trace_server *server, const struct trace *trace);
void trace_server_since_mark(struct trace_server *server, const struct trace *trace,
                             trace_seen *seen, void *data);
/* The server of a trace that has one of its own (trace_open), until trace_free. */
struct trace_server *trace_own_server(const struct trace *trace);

/* Adds what another trace has, which nobody adds to any more, nor to this one; as if one trace had been
 * of both. */
void trace_merge(struct trace *trace, const struct trace *from);

/* The access of a canonical path, or NULL. */
const struct access *trace_find(const struct trace *trace, const char *path);

/* What this kernel can do, told by trying: the synchronous wake-up (Linux 6.6) and the killable
 * wait (5.19); and whether calls could be seen by ptrace. */
struct trace_features {
    bool notify, killable_wait, sync_wake_up;
    int refused; /* where not `notify`: the errno */
    bool stops;
    bool forced; /* GANTRY_TRACE asks for ptrace */
};
struct trace_features trace_probe(void);

#endif
