/*
 * The server: takes a notification, copies its paths out of the stopped thread, looks at what is
 * there, lets the call go on, and keeps the access. The existence of a path is looked up before
 * the answer, so what the call itself does can't be mistaken for what was there; a call whose
 * answer fails (the thread was killed) never happened and is not kept.
 */
#include "trace/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "trace/accelerate.h"
#include "trace/common.h"
#include "trace/private.h"
#include "trace/ring.h"
#include "trace/stops.h"
#include "trace/wire.h"

static bool is_ignored(const struct trace_server *server, const char *path)
{
    for (size_t i = 0; i < server->ignored.len; i++)
        if (str_starts(path, server->ignored.at[i]))
            return true;
    return false;
}

void hold_access(struct trace_server *server, const char *path, uint32_t kinds, bool found)
{
    if (!is_ignored(server, path))
        vec_push(&server->pending, (struct pending){name_id(path), kinds, found});
}

void hold_name(struct trace_server *server, uint32_t name, bool systems, uint32_t kinds, bool found)
{
    if ((systems && !server->ignores_systems) || !is_ignored(server, name_text(name)))
        vec_push(&server->pending, (struct pending){name, kinds, found});
}

static void link_followed(void *data, uint32_t name)
{
    hold_name(data, name, false, ACCESS_LINK, true);
}

static void note_recent(struct trace_private *own, uint32_t access, const struct pending *held)
{
    while (own->recent.len <= access)
        vec_push(&own->recent, 0u);
    if (!own->recent.at[access])
        vec_push(&own->recently, access);
    own->recent.at[access] |= held->kinds | (held->found ? RECENT_FOUND : RECENT_ABSENT);
}

void keep_access(struct trace *trace, const struct pending *held, uint32_t process, uint64_t now_ns)
{
    struct trace_private *own = trace->private;
    uint32_t place = ids_add(&own->paths, held->path);
    if (place == trace->accesses.len)
        vec_push(&trace->accesses,
                 (struct access){held->path, 0, held->found, process, now_ns, now_ns});
    struct access *access = &trace->accesses.at[place];
    const uint32_t writes = ACCESS_WRITE | ACCESS_CREATE;
    bool plain = ((access->kinds & writes) && !(access->kinds & ACCESS_APPEND)) ||
                 ((held->kinds & writes) && !(held->kinds & ACCESS_APPEND));
    access->kinds |= held->kinds;
    if (held->kinds & (ACCESS_CREATE | ACCESS_REMOVE | ACCESS_MKDIR | ACCESS_RMDIR | ACCESS_WRITE))
        common_changed(name_text(held->path));
    access->last_ns = now_ns;
    if (own->marked)
        note_recent(own, place, held);
    if (plain) /* appending counts only where all writing was appending */
        access->kinds &= ~(uint32_t)ACCESS_APPEND;
}

/* Keeps what the call did, now that it was let go. */
static void keep_pending(struct trace_server *server, uint32_t process, uint64_t now_ns)
{
    for (size_t i = 0; i < server->pending.len; i++)
        keep_access(server->trace, &server->pending.at[i], process, now_ns);
    server->trace->calls++;
}

static bool answer_listener(int listener, const struct seccomp_notif *notice)
{
    struct seccomp_notif_resp answer = {.id = notice->id,
                                        .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0;
}

static bool answer(const struct trace_server *server, const struct seccomp_notif *notice)
{
    return server->stops ? stops_answer(server->listener, notice)
                         : answer_listener(server->listener, notice);
}

static int receive(struct trace_server *server, struct seccomp_notif *notice)
{
    if (server->stops)
        return stops_receive(server->listener, notice);
    memset(notice, 0, sizeof *notice);
    int status = ioctl(server->listener, SECCOMP_IOCTL_NOTIF_RECV, notice);
    if (status == 0) {
        atomic_store_explicit(&server->last, notice->id, memory_order_relaxed);
        _Atomic uint64_t *place = atomic_load_explicit(&server->last_place, memory_order_acquire);
        if (place)
            atomic_store_explicit(place, notice->id, memory_order_relaxed);
    }
    return status;
}

/* Whether a call only looks: what the accelerator noted before may still be taken after it. */
static bool only_looks(const struct seccomp_notif *notice, const struct call *call)
{
    const uint64_t changing = O_ACCMODE | O_CREAT | O_TRUNC | O_TMPFILE;
    switch (call->op) {
    case CALL_OPEN:
        return !(notice->data.args[call->flags] & (changing & ~(uint64_t)O_DIRECTORY));
    case CALL_STAT:
    case CALL_LSTAT:
    case CALL_READLINK:
    case CALL_LIST:
    case CALL_CONNECT:
        return true;
    default:
        return false;
    }
}

/* One call: seen, let go, kept. */
static void serve_call(struct trace_server *server, const struct seccomp_notif *notice)
{
    uint64_t now_ns = clock_ns();
    pthread_mutex_lock(&server->lock);
    resolve_forget_old(&server->resolver, now_ns);
    threads_look_at_changes(server, now_ns);
    struct thread *thread = thread_of(server, (pid_t)notice->pid, now_ns);
    const struct call *call = trace_call_of(notice->data.arch, notice->data.nr);
    server->pending.len = 0;
    server->trace = thread->trace;
    if (!server->trace || !call) { /* no call: one of filter.c's rare_calls */
        answer(server, notice);
    } else {
        bool looks = only_looks(notice, call);
        if (!looks)
            accelerate_drain(server, server->trace, false);
        server->resolver.looks = looks || call->op == CALL_EXEC;
        see_call(server, notice, call, thread);
        server->resolver.looks = false;
        uint32_t process = thread_process(server, thread);
        accelerate_count(server, thread);
        if (accelerate_answer(server, thread, notice, call) || answer(server, notice))
            keep_pending(server, process, now_ns);
    }
    pthread_mutex_unlock(&server->lock);
}

void trace_let_pass(int listener)
{
    struct seccomp_notif notice;
    memset(&notice, 0, sizeof notice);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notice) == 0)
        answer_listener(listener, &notice);
}

void trace_server_note_last(struct trace_server *server, _Atomic uint64_t *place)
{
    atomic_store_explicit(&server->last_place, place, memory_order_release);
    uint64_t nothing = 0;
    if (place) /* where a thread has not done so meanwhile */
        atomic_compare_exchange_strong(place, &nothing, atomic_load(&server->last));
}

void trace_note_last(struct trace *trace, _Atomic uint64_t *place)
{
    trace_server_note_last(trace->private->server, place);
}

void trace_let_go_on(int listener, uint64_t last)
{
    enum { AROUND = 16384 }; /* numbers are given out one by one */
    for (uint64_t id = last - AROUND; id != last + AROUND; id++) {
        const struct seccomp_notif notice = {.id = id};
        answer_listener(listener, &notice);
    }
}

/* Before Linux 6.11 a receive sleeps on although every process has ended; poll tells of that. */
static bool receive_ends(void)
{
    struct utsname name;
    int major = 0, minor = 0;
    return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
           (major > 6 || (major == 6 && minor >= 11));
}

static int ends(struct trace_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->traced_ended = true;
    pthread_mutex_unlock(&server->lock);
    return 0;
}

int trace_server_serve(struct trace_server *server, int stop_fd, struct err *err)
{
    bool direct = server->stops || receive_ends();
    for (bool look = true;;) {
        struct pollfd fds[2] = {{.fd = server->listener, .events = POLLIN},
                                {.fd = stop_fd, .events = POLLIN}};
        if (look && poll(fds, 2, direct ? 0 : -1) < 0 && errno != EINTR)
            return err_errno(err, "tracing stopped");
        if (fds[1].revents)
            return 0;
        if (!direct && !(fds[0].revents & POLLIN)) {
            if (fds[0].revents)
                return ends(server);
            continue;
        }
        if ((fds[0].revents & (POLLHUP | POLLERR)) && !(fds[0].revents & POLLIN))
            return ends(server);
        struct seccomp_notif notice;
        if (receive(server, &notice) == 0) {
            serve_call(server, &notice);
            look = !direct;
        } else if (server->stops && errno != EINTR) {
            atomic_store(errno == ECONNRESET ? &server->tracer_ended : &server->tracer_lost, true);
            return 0;
        } else if (errno == EINTR || errno == ENOENT) /* ENOENT: the thread was killed meanwhile, */
            look = true; /* or all have ended */
        else
            return err_errno(err, "tracing stopped");
    }
}

struct trace *trace_new(void)
{
    struct trace *trace = mem_zero(1, sizeof *trace);
    trace->private = mem_zero(1, sizeof *trace->private);
    names_hold();
    return trace;
}

struct trace_server *trace_server_open(int listener,
                                       struct trace *(*trace_of)(void *data, pid_t tid), void *data)
{
    struct trace_server *server = mem_zero(1, sizeof *server);
    server->listener = listener;
    /* It is held for microseconds: who waits on another processor is there before he could sleep. */
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&server->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    server->trace_of = trace_of;
    server->data = data;
    server->generation = 1;
    server->resolver.data = server;
    server->resolver.link = link_followed;
    const char *measured = getenv("GANTRY_TRACE");
    server->stops = !trace_is_listener(listener);
    server->every = server->stops && stops_at_every_call(listener, &server->tracer);
    server->unaccelerated = server->stops || (measured && strstr(measured, "no-accelerator"));
    server->preloads = measured && strstr(measured, "preload");
    server->populates = !measured || !strstr(measured, "no-populate");
    trace_server_ignore(server, RING_PLACE);
    if (!server->stops && (!measured || !strstr(measured, "no-wake-up")))
        wire_sync_wake_up(listener); /* where the kernel has it; only speed depends on it */
    return server;
}

void trace_server_ignore(struct trace_server *server, const char *prefix)
{
    vec_push(&server->ignored, mem_copy(prefix));
    server->ignores_systems |= common_is_systems(prefix);
}

bool trace_server_sees_all(const struct trace_server *server)
{
    return !atomic_load(&server->tracer_lost);
}

void trace_server_forget(struct trace_server *server, pid_t tid)
{
    pthread_mutex_lock(&server->lock);
    thread_forget(server, tid);
    pthread_mutex_unlock(&server->lock);
}

void trace_server_drop(struct trace_server *server, const struct trace *trace)
{
    pthread_mutex_lock(&server->lock);
    accelerate_drop(server, trace);
    threads_drop(server, trace);
    pthread_mutex_unlock(&server->lock);
}

void trace_server_peek(struct trace_server *server, const struct trace *trace, uint64_t since_ns,
                       trace_seen *seen, void *data)
{
    pthread_mutex_lock(&server->lock);
    accelerate_drain(server, trace, false);
    for (size_t i = 0; i < trace->accesses.len; i++) {
        const struct access *access = &trace->accesses.at[i];
        if (access->last_ns > since_ns)
            seen(data, name_text(access->path), access);
    }
    pthread_mutex_unlock(&server->lock);
}

void trace_server_mark(struct trace_server *server, const struct trace *trace)
{
    struct trace_private *own = trace->private;
    pthread_mutex_lock(&server->lock);
    accelerate_drain(server, trace, false);
    for (size_t i = 0; i < own->recently.len; i++)
        own->recent.at[own->recently.at[i]] = 0;
    own->recently.len = 0;
    own->marked = true;
    pthread_mutex_unlock(&server->lock);
}

void trace_server_since_mark(struct trace_server *server, const struct trace *trace,
                             trace_seen *seen, void *data)
{
    struct trace_private *own = trace->private;
    pthread_mutex_lock(&server->lock);
    accelerate_drain(server, trace, false);
    own->marked = false;
    for (size_t i = 0; i < own->recently.len; i++) {
        struct access access = trace->accesses.at[own->recently.at[i]];
        uint32_t how = own->recent.at[own->recently.at[i]];
        access.kinds = how & ~(RECENT_FOUND | RECENT_ABSENT);
        access.found = how & RECENT_FOUND;
        if (access.found && (how & RECENT_ABSENT))
            access.kinds |= ACCESS_CREATE;
        seen(data, name_text(access.path), &access);
    }
    pthread_mutex_unlock(&server->lock);
}

struct trace_server *trace_own_server(const struct trace *trace)
{
    return trace->private->server;
}

void trace_server_close(struct trace_server *server)
{
    if (!server)
        return;
    close(server->listener);
    if (atomic_load(&server->tracer_ended) || atomic_load(&server->tracer_lost))
        stops_end(server->tracer);
    accelerate_free(server);
    threads_free(server);
    resolve_free(&server->resolver);
    free(server->directory);
    str_list_free(&server->ignored);
    vec_free(&server->pending);
    str_free(&server->raw);
    str_free(&server->absolute);
    str_free(&server->canonical);
    str_free(&server->paths);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

bool trace_is_listener(int listener)
{
    return !stops_is(listener);
}

struct trace *trace_open(int listener, const char *directory)
{
    struct trace *trace = trace_new();
    trace->private->server = trace_server_open(listener, NULL, NULL);
    struct trace_server *server = trace->private->server;
    server->only = trace;
    if (directory) {
        server->directory = mem_copy(directory);
        server->directory_of = server->generation;
    }
    return trace;
}

int trace_serve(struct trace *trace, int stop_fd, struct err *err)
{
    int status = trace_server_serve(trace->private->server, stop_fd, err);
    if (!trace_server_sees_all(trace->private->server))
        trace->flaws |= TRACE_UNREADABLE;
    struct trace_server *server = trace->private->server;
    pthread_mutex_lock(&server->lock); /* others may peek to the end */
    accelerate_drain(server, trace, true);
    accelerate_free(server);
    pthread_mutex_unlock(&server->lock);
    return status;
}

const struct access *trace_find(const struct trace *trace, const char *path)
{
    uint32_t name = name_find(path);
    uint32_t place = name == INTERN_NONE ? IDS_NONE : ids_find(&trace->private->paths, name);
    return place == IDS_NONE ? NULL : &trace->accesses.at[place];
}

static uint32_t merged_text(struct intern *texts, const struct intern *from, uint32_t text)
{
    return text == INTERN_NONE ? INTERN_NONE : intern_id(texts, intern_text(from, text));
}

static void merge_access(struct trace *trace, const struct access *access, uint32_t first_process)
{
    struct trace_private *own = trace->private;
    uint32_t place = ids_find(&own->paths, access->path);
    const struct access *before = place == IDS_NONE ? NULL : &trace->accesses.at[place];
    uint32_t process =
        access->process == INTERN_NONE ? INTERN_NONE : access->process + first_process;
    struct access all = *access;
    if (before) {
        bool earlier = before->first_ns <= access->first_ns;
        all.found = earlier ? before->found : access->found;
        all.first_ns = earlier ? before->first_ns : access->first_ns;
        all.last_ns = before->last_ns > access->last_ns ? before->last_ns : access->last_ns;
        process = earlier ? before->process : process;
    }
    keep_access(trace, &(struct pending){access->path, access->kinds, all.found}, process,
                all.first_ns);
    struct access *merged = &trace->accesses.at[ids_find(&own->paths, access->path)];
    all.kinds = merged->kinds;
    all.process = process;
    *merged = all;
}

void trace_merge(struct trace *trace, const struct trace *from)
{
    uint32_t first_process = (uint32_t)trace->processes.len;
    for (size_t i = 0; i < from->processes.len; i++) {
        struct trace_process process = from->processes.at[i];
        process.command = merged_text(&trace->commands, &from->commands, process.command);
        vec_push(&trace->processes, process);
    }
    trace->private->marked = false;
    for (size_t i = 0; i < from->accesses.len; i++)
        merge_access(trace, &from->accesses.at[i], first_process);
    trace->calls += from->calls;
    trace->noted += from->noted;
    trace->flaws |= from->flaws;
    trace->network |= from->network;
}

void trace_free(struct trace *trace)
{
    if (!trace)
        return;
    trace_server_close(trace->private->server);
    ids_free(&trace->private->paths);
    vec_free(&trace->private->recent);
    vec_free(&trace->private->recently);
    free(trace->private);
    intern_free(&trace->commands);
    vec_free(&trace->accesses);
    vec_free(&trace->processes);
    free(trace);
    names_release();
}
