/*
 * What the files of the room share. A server takes the calls of one listener; it has one trace, or
 * asks whose trace a thread's calls belong to. Everything here is for the serving thread, which
 * holds the server's lock.
 */
#ifndef GANTRY_TRACE_PRIVATE_H
#define GANTRY_TRACE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/seccomp.h>

#include "base/ids.h"
#include "base/str.h"
#include "trace/calls.h"
#include "trace/resolve.h"
#include "trace/trace.h"

/* A trace's own. */
#define RECENT_FOUND (1u << 30) /* it was there at one time */
#define RECENT_ABSENT (1u << 31)
struct trace_private {
    struct trace_server *server; /* that trace_free closes, or NULL */
    struct ids paths; /* names, in the order of accesses */
    bool marked; /* what comes is noted as recent, too: */
    VEC(uint32_t) recent; /* by access: how it was touched since the mark, and RECENT_... */
    VEC(uint32_t) recently; /* those that were */
};

/* A thread of the traced tree. Numbers are used again by the system: what is known of a thread that
 * was quiet for long is looked up anew. Its directory is read when first needed and kept until some
 * thread changes directory (threads may share it). */
struct thread {
    pid_t tid; /* 0: free slot */
    uint32_t process; /* index of trace->processes, or INTERN_NONE: not looked up yet */
    struct trace *trace; /* NULL: nobody's */
    uint64_t seen_ns; /* its last call */
    uint32_t directory_of; /* generation at which `directory` was read */
    uint32_t calls; /* since it executed something */
    uint8_t inject; /* enum inject: accelerate.h */
    uint8_t linker; /* of its program, for inject.h; 0: the accelerator is preloaded */
    bool changing; /* its last call changes names, and may still be at it */
    bool moving; /* the same of its directory */
    char *directory;
};

/* A call that changes names, and may still be at it. */
struct change {
    pid_t tid;
    int number; /* of the call */
    uint64_t since_ns;
};

/* Accesses that a call makes, kept back until its answer was taken. */
struct pending {
    uint32_t path;
    uint32_t kinds;
    bool found;
};

struct trace_server {
    int listener; /* or, with `stops`, what calls come by from a tracer (stops.h), */
    bool stops, every; /* which stops at each call there is */
    _Atomic bool tracer_lost; /* that tracer was killed, */
    _Atomic bool tracer_ended; /* or told that all has ended */
    bool traced_ended; /* no process is left of those that were traced */
    pid_t tracer;
    _Atomic uint64_t last; /* number of the call received last, */
    _Atomic(_Atomic uint64_t *) last_place; /* and where else it is kept, or NULL */
    pthread_mutex_t lock; /* of all below, where several threads serve */
    struct trace *only; /* the trace of all calls; or NULL: */
    struct trace *(*trace_of)(void *data, pid_t tid); /* whose a thread's calls are */
    void *data;

    struct accelerator *accelerator; /* accelerate.c; NULL: none yet, or none here */
    bool accelerator_tried, unaccelerated;
    bool preloads; /* it comes in as a library alone */
    bool populates; /* it has memory there before it is used */
    str_list ignored; /* prefixes of paths that are not kept */
    bool ignores_systems; /* some of them are the system's own */

    struct trace *trace; /* of the call that is looked at */
    struct resolver resolver;
    struct thread *threads; /* open addressing by tid */
    size_t threads_cap, threads_len;
    VEC(struct change) changes;
    uint64_t looked_ns; /* when those were looked at last */
    uint32_t generation; /* of directories; grows with each change */
    bool
        moved; /* some thread has changed its directory. As long as none has, all of a step stand */
    char *directory; /* here; NULL: not known */
    uint32_t directory_of; /* generation at which it was read */
    bool foreign_root; /* some process changed its root or mounts: look at each one's */
    VEC(struct pending) pending;
    struct str raw, absolute, canonical, paths;
};

/* trace.c */
/* Notes an access of the call at hand. */
void hold_access(struct trace_server *server, const char *path, uint32_t kinds, bool found);
/* The same of a path by its name; `systems`: it is known to be the system's. */
void hold_name(struct trace_server *server, uint32_t name, bool systems, uint32_t kinds,
               bool found);
/* Adds an access to a trace. */
void keep_access(struct trace *trace, const struct pending *held, uint32_t process,
                 uint64_t now_ns);

/* threads.c */
/* Where a thread stands, as far as that is known without asking; or NULL. */
const char *thread_directory(const struct trace_server *server, const struct thread *thread);
/* It was found to stand there. */
void thread_stands(struct trace_server *server, struct thread *thread, const char *directory);
struct thread *thread_of(struct trace_server *server, pid_t tid, uint64_t now_ns);
/* The process entry of a thread, looked up where it has none. */
uint32_t thread_process(struct trace_server *server, struct thread *thread);
/* The number of the process that a thread is of: the thread's own where it leads it. */
pid_t thread_leader(pid_t tid);
/* A thread is about to execute `program` (a name, or INTERN_NONE: it has no path); its arguments stand at `argv` in its memory. */
void thread_executes(struct trace_server *server, struct thread *thread, uint32_t program,
                     uint64_t argv, bool words_of_4);
/* The thread's call, by its number, changes names: what is known of them is not to be trusted until the
 * call is over. */
void thread_changes(struct trace_server *server, struct thread *thread, int number);
/* The thread's call changes its directory. */
void thread_moves(struct trace_server *server, struct thread *thread);
/* Ends changes whose thread has gone on without calling again, or ended. */
void threads_look_at_changes(struct trace_server *server, uint64_t now_ns);
/* Its next call is as its first. */
void thread_forget(struct trace_server *server, pid_t tid);
/* The same for all of a trace. */
void threads_drop(struct trace_server *server, const struct trace *trace);
void threads_free(struct trace_server *server);

/* memory.c: reading out of a stopped thread */
enum read_result { READ_DONE, READ_FAILED /* the call fails as well */, READ_REFUSED };
enum read_result read_bytes(pid_t tid, uint64_t address, void *bytes, size_t length);
/* Reads `count` NUL-ended strings, each cut at `each` bytes and at its page's end, and gives them in their
 * order, not NUL-ended. They mostly stand side by side, and are read so. */
typedef void read_string(void *data, const char *text, size_t length);
bool read_strings(pid_t tid, const uint64_t *at, size_t count, size_t each, read_string *take,
                  void *data);
enum read_result read_path(pid_t tid, uint64_t address, struct str *out);
bool read_link(const char *path, struct str *out);

/* see.c: what a call does, as held accesses */
/* What an open does, from its flags and what is there. */
uint32_t open_kinds(uint64_t flags, enum resolve_kind kind);
void see_call(struct trace_server *server, const struct seccomp_notif *notice,
              const struct call *call, struct thread *thread);

#endif
