/*
 * Tracing of a make and all that it starts, by one listener: the kernel allows no second one below
 * the first, and a thread has one tracer. Whose a call is, is told by ancestry: a gate stands above the processes of each recipe
 * line and is their subreaper, a make above those of its $(shell)s. What gates do is nobody's.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "load/make_internal.h"
#include "run/guard.h"
#include "trace/supervisor.h"

enum { GENERATIONS = 256 }; /* of processes that are looked up at most */

/* A process that calls are told apart by. */
struct mark {
    pid_t pid;
    struct trace *own; /* its own calls are of this; NULL: nobody's */
    struct trace *below; /* those of its descendants */
};

struct make_trace {
    struct supervisor *supervisor;
    struct trace_server *server; /* NULL before the command runs, and where nothing is traced */
    struct guard *guard;
    pid_t command;
    struct trace *other; /* what is neither a step's nor a make's */
    pthread_mutex_t lock; /* of the marks: the supervisor's threads look at them */
    VEC(struct mark) marks;
};

pid_t make_trace_parent(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    const char *after_name = strrchr(text, ')'); /* the name may have any character */
    long parent = 0;
    if (!after_name || sscanf(after_name + 1, " %*c %ld", &parent) != 1)
        return 0;
    return (pid_t)parent;
}

static const struct mark *find_mark(const struct make_trace *trace, pid_t pid)
{
    for (size_t i = trace->marks.len; i-- > 0;)
        if (trace->marks.at[i].pid == pid)
            return &trace->marks.at[i];
    return NULL;
}

/* In a supervisor's thread. */
static struct trace *trace_of(void *data, pid_t tid)
{
    struct make_trace *trace = data;
    struct trace *found = trace->other;
    pthread_mutex_lock(&trace->lock);
    pid_t pid = tid;
    for (int i = 0; pid > 1 && i < GENERATIONS; i++, pid = make_trace_parent(pid)) {
        const struct mark *mark = find_mark(trace, pid);
        if (!mark)
            continue;
        found = pid == tid ? mark->own : mark->below;
        break;
    }
    pthread_mutex_unlock(&trace->lock);
    return found;
}

struct make_trace *make_trace_new(struct make_build *make)
{
    struct build *build = make->build;
    if (build->options.untraced)
        return NULL;
    struct err err = {0};
    if (!build->guard && !(build->guard = guard_new(&err)))
        return NULL;
    struct make_trace *trace = mem_zero(1, sizeof *trace);
    trace->guard = build->guard;
    trace->other = trace_new();
    pthread_mutex_init(&trace->lock, NULL);
    char *state = mem_format("%s/", make->state_dir), *payload = mem_format("%s/", make->payload);
    const char *const ignored[] = {state, payload, NULL};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    /* One goes on where the other has to wait for a processor; each call wakes all there are. */
    unsigned threads = processors > 1 ? 2 : 1;
    trace->supervisor = supervisor_start_shared(trace_of, trace, ignored, threads, &err);
    free(state);
    free(payload);
    if (trace->supervisor)
        return trace;
    make_trace_end(trace);
    return NULL;
}

void make_trace_child(const struct make_trace *trace)
{
    if (trace)
        supervisor_child(trace->supervisor);
}

void make_trace_started(struct make_trace *trace, pid_t command)
{
    if (!trace)
        return;
    make_trace_mark(trace, command, NULL, trace->other);
    int listener = supervisor_listener(trace->supervisor);
    trace->server = supervisor_server(trace->supervisor);
    trace->command = command;
    if (listener >= 0)
        supervisor_note_last(trace->supervisor, guard_add(trace->guard, -command, listener));
}

bool make_trace_works(const struct make_trace *trace)
{
    return trace && trace->server;
}

bool make_trace_sees_all(const struct make_trace *trace)
{
    return make_trace_works(trace) && trace_server_sees_all(trace->server);
}

struct trace_server *make_trace_server(const struct make_trace *trace)
{
    return trace ? trace->server : NULL;
}

void make_trace_mark(struct make_trace *trace, pid_t pid, struct trace *own, struct trace *below)
{
    if (!trace)
        return;
    make_trace_unmark(trace, pid);
    pthread_mutex_lock(&trace->lock);
    vec_push(&trace->marks, (struct mark){pid, own, below});
    pthread_mutex_unlock(&trace->lock);
    if (trace->server)
        trace_server_forget(trace->server, pid);
}

void make_trace_unmark(struct make_trace *trace, pid_t pid)
{
    if (!trace)
        return;
    pthread_mutex_lock(&trace->lock);
    for (size_t i = trace->marks.len; i-- > 0;)
        if (trace->marks.at[i].pid == pid)
            trace->marks.at[i] = trace->marks.at[--trace->marks.len];
    pthread_mutex_unlock(&trace->lock);
    if (trace->server)
        trace_server_forget(trace->server, pid);
}

void make_trace_drop(struct make_trace *trace, const struct trace *whose)
{
    if (!trace || !whose)
        return;
    pthread_mutex_lock(&trace->lock);
    for (size_t i = trace->marks.len; i-- > 0;)
        if (trace->marks.at[i].own == whose || trace->marks.at[i].below == whose)
            trace->marks.at[i] = trace->marks.at[--trace->marks.len];
    pthread_mutex_unlock(&trace->lock);
    if (trace->server)
        trace_server_drop(trace->server, whose);
}

void make_trace_end(struct make_trace *trace)
{
    if (!trace)
        return;
    bool survivors = false;
    if (trace->supervisor)
        supervisor_finish(trace->supervisor, &survivors);
    if (trace->server)
        guard_remove(trace->guard, -trace->command, survivors);
    trace_free(trace->other);
    vec_free(&trace->marks);
    pthread_mutex_destroy(&trace->lock);
    free(trace);
}
