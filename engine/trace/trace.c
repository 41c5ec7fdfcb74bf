/*
 * The supervisor: takes a notification, copies its paths out of the stopped thread, looks at what
 * is there, lets the call go on, and keeps the access. The existence of a path is looked up before
 * the answer, so what the call itself does can't be mistaken for what was there; a call whose
 * answer fails (the thread was killed) never happened and is not kept.
 */
#include "trace/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/openat2.h>
#include <linux/seccomp.h>

#include "base/clock.h"
#include "base/mem.h"
#include "trace/calls.h"
#include "trace/interpreter.h"
#include "trace/resolve.h"
#include "trace/wire.h"

/* A thread of the traced tree. Its directory is read when first needed and kept until some thread
 * changes directory (threads may share it). */
struct thread {
    pid_t tid;
    uint32_t process; /* index of trace->processes */
    uint32_t directory_of; /* generation at which `directory` was read */
    char *directory;
};

/* Accesses that a call makes, kept back until its answer was taken. */
struct pending {
    uint32_t path;
    uint32_t kinds;
    bool found;
};

struct trace_private {
    int listener;
    struct resolver resolver;
    VEC(uint32_t) access_of; /* by path id: index of accesses + 1 */
    struct thread *threads; /* open addressing by tid */
    size_t threads_cap, threads_len;
    uint32_t generation; /* of directories; bumped by chdir */
    bool foreign_root;
    VEC(struct pending) pending;
    struct str raw, absolute, canonical;
};

static void hold_access(struct trace *trace, const char *path, uint32_t kinds, bool found)
{
    uint32_t id = intern_id(&trace->paths, path);
    vec_push(&trace->private->pending, (struct pending){id, kinds, found});
}

static void link_followed(void *data, const char *path)
{
    hold_access(data, path, ACCESS_LINK, true);
}

/* Threads. */

static struct thread *find_slot(struct trace_private *p, pid_t tid)
{
    size_t mask = p->threads_cap - 1;
    size_t at = (size_t)tid * 0x9E3779B1u & mask;
    while (p->threads[at].tid && p->threads[at].tid != tid)
        at = (at + 1) & mask;
    return &p->threads[at];
}

static void grow_threads(struct trace_private *p)
{
    struct thread *old = p->threads;
    size_t old_cap = p->threads_cap;
    p->threads_cap = old_cap ? old_cap * 2 : 16;
    p->threads = mem_zero(p->threads_cap, sizeof *p->threads);
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].tid)
            *find_slot(p, old[i].tid) = old[i];
    free(old);
}

static struct thread *thread_of(struct trace *trace, pid_t tid)
{
    struct trace_private *p = trace->private;
    if ((p->threads_len + 1) * 2 > p->threads_cap)
        grow_threads(p);
    struct thread *thread = find_slot(p, tid);
    if (!thread->tid) {
        thread->tid = tid;
        thread->process = (uint32_t)trace->processes.len;
        vec_push(&trace->processes, (struct trace_process){tid, INTERN_NONE});
        p->threads_len++;
    }
    return thread;
}

/* Reading out of the stopped thread. */

static bool read_bytes(pid_t tid, uint64_t address, void *bytes, size_t length)
{
    struct iovec local = {bytes, length}, remote = {(void *)(uintptr_t)address, length};
    return process_vm_readv(tid, &local, 1, &remote, 1, 0) == (ssize_t)length;
}

/* A NUL-ended string, page by page, so that nothing past a mapping's end is asked for. */
static bool read_path(pid_t tid, uint64_t address, struct str *out)
{
    enum { PIECE = 256, PAGE = 4096 };
    str_cut(out, 0);
    char piece[PIECE];
    while (out->len <= PATH_MAX) {
        size_t length = PAGE - (size_t)(address % PAGE);
        if (length > PIECE)
            length = PIECE;
        struct iovec local = {piece, length}, remote = {(void *)(uintptr_t)address, length};
        ssize_t got = process_vm_readv(tid, &local, 1, &remote, 1, 0);
        if (got <= 0)
            return false;
        const char *end = memchr(piece, 0, (size_t)got);
        str_add_n(out, piece, end ? (size_t)(end - piece) : (size_t)got);
        if (end)
            return true;
        address += (uint64_t)got;
    }
    return false;
}

static bool read_link(const char *path, struct str *out)
{
    char target[PATH_MAX + 1];
    ssize_t length = readlink(path, target, PATH_MAX);
    str_cut(out, 0);
    if (length <= 0)
        return false;
    str_add_n(out, target, (size_t)length);
    return true;
}

/* The directory that a relative path counts from, into p->absolute. */
static bool base_directory(struct trace *trace, pid_t tid, int dir)
{
    struct trace_private *p = trace->private;
    char link[64];
    if (dir != AT_FDCWD) {
        snprintf(link, sizeof link, "/proc/%ld/fd/%d", (long)tid, dir);
        return read_link(link, &p->absolute);
    }
    struct thread *thread = thread_of(trace, tid);
    if (!thread->directory || thread->directory_of != p->generation) {
        snprintf(link, sizeof link, "/proc/%ld/cwd", (long)tid);
        if (!read_link(link, &p->absolute))
            return false;
        free(thread->directory);
        thread->directory = mem_copy(p->absolute.at);
        thread->directory_of = p->generation;
    }
    str_cut(&p->absolute, 0);
    str_add(&p->absolute, thread->directory);
    return true;
}

/* The path argument as an absolute path in p->absolute; false where there is nothing to see. */
static bool absolute_path(struct trace *trace, const struct seccomp_notif *notice, int dir_arg,
                          int path_arg)
{
    struct trace_private *p = trace->private;
    pid_t tid = (pid_t)notice->pid;
    int dir = dir_arg == NO_ARG ? AT_FDCWD : (int)notice->data.args[dir_arg];
    str_cut(&p->raw, 0);
    if (path_arg != NO_ARG && !read_path(tid, notice->data.args[path_arg], &p->raw)) {
        /* A bad address makes the call fail as well; a path over PATH_MAX too. */
        return false;
    }
    const char *raw = str_text(&p->raw);
    if (raw[0] == '/') {
        str_cut(&p->absolute, 0);
    } else {
        if (raw[0] == '\0' && dir == AT_FDCWD)
            return false;
        if (!base_directory(trace, tid, dir)) {
            trace->flaws |= TRACE_UNREADABLE;
            return false;
        }
        if (p->absolute.at[0] != '/')
            return false; /* a pipe, a socket */
    }
    if (p->foreign_root && raw[0] == '/') {
        char link[64];
        snprintf(link, sizeof link, "/proc/%ld/root", (long)tid);
        if (read_link(link, &p->absolute) && p->absolute.len == 1)
            str_cut(&p->absolute, 0);
    }
    if (raw[0] && raw[0] != '/')
        str_add_char(&p->absolute, '/');
    str_add(&p->absolute, raw);
    return true;
}

/* Resolves an argument into p->canonical. */
static enum resolve_kind resolve_argument(struct trace *trace, const struct seccomp_notif *notice,
                                          int dir_arg, int path_arg, bool follow, bool *seen)
{
    struct trace_private *p = trace->private;
    *seen = absolute_path(trace, notice, dir_arg, path_arg);
    if (!*seen)
        return RESOLVE_ABSENT;
    return resolve_path(&p->resolver, (pid_t)notice->pid, str_text(&p->absolute), follow,
                        &p->canonical);
}

/* What an open does, from its flags and what is there. */
static uint32_t open_kinds(uint64_t flags, enum resolve_kind kind)
{
    bool there = kind != RESOLVE_ABSENT;
    if (flags & O_PATH)
        return ACCESS_STAT;
    if (!there)
        return !(flags & O_CREAT) ? ACCESS_READ
               : flags & O_APPEND ? ACCESS_CREATE | ACCESS_APPEND
                                  : ACCESS_CREATE;
    if ((flags & O_CREAT) && (flags & O_EXCL))
        return ACCESS_STAT;
    if (kind == RESOLVE_DIRECTORY)
        return ACCESS_STAT; /* read by getdents, if at all */
    uint32_t kinds = 0;
    if ((flags & O_ACCMODE) != O_WRONLY && !(flags & O_TRUNC))
        kinds |= ACCESS_READ;
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC))
        kinds |= ACCESS_WRITE;
    if ((kinds & ACCESS_WRITE) && (flags & O_APPEND) && !(flags & O_TRUNC))
        kinds |= ACCESS_APPEND;
    return kinds;
}

static void see_open(struct trace *trace, const struct seccomp_notif *notice,
                     const struct call *call)
{
    struct trace_private *p = trace->private;
    uint64_t flags = O_CREAT | O_WRONLY | O_TRUNC;
    if (call->op == CALL_OPEN)
        flags = notice->data.args[call->flags];
    struct open_how how = {0};
    if (call->op == CALL_OPENAT2) {
        if (!read_bytes((pid_t)notice->pid, notice->data.args[call->flags], &how, sizeof how))
            return;
        flags = how.flags;
    }
    bool exclusive = (flags & O_CREAT) && (flags & O_EXCL);
    bool seen;
    enum resolve_kind kind = resolve_argument(trace, notice, call->dir, call->path,
                                              !(flags & O_NOFOLLOW) && !exclusive, &seen);
    if (!seen || (flags & O_TMPFILE) == O_TMPFILE)
        return;
    hold_access(trace, p->canonical.at, open_kinds(flags, kind), kind != RESOLVE_ABSENT);
}

static void see_exec(struct trace *trace, const struct seccomp_notif *notice,
                     const struct call *call)
{
    struct trace_private *p = trace->private;
    bool seen;
    enum resolve_kind kind = resolve_argument(trace, notice, call->dir, call->path, true, &seen);
    if (!seen)
        return;
    struct thread *thread = thread_of(trace, (pid_t)notice->pid);
    hold_access(trace, p->canonical.at, ACCESS_READ | ACCESS_EXEC, kind == RESOLVE_FILE);
    if (kind != RESOLVE_FILE)
        return;
    trace->processes.at[thread->process].program = intern_id(&trace->paths, p->canonical.at);
    free(thread->directory); /* the number may belong to a new process */
    thread->directory = NULL;
    /* The kernel itself opens what follows: the interpreter of a script, the dynamic linker. */
    enum { DEPTH = 4 };
    struct str interpreter = {0}, next = {0};
    str_add(&next, p->canonical.at);
    for (int depth = 0; depth < DEPTH && interpreter_of(next.at, &interpreter); depth++) {
        kind = resolve_path(&p->resolver, (pid_t)notice->pid, interpreter.at, true, &next);
        hold_access(trace, next.at, ACCESS_READ | ACCESS_EXEC, kind == RESOLVE_FILE);
        if (kind != RESOLVE_FILE)
            break;
    }
    str_free(&interpreter);
    str_free(&next);
}

/* Calls with two paths: the first goes away or is linked to, the second comes into being. */
static void see_two(struct trace *trace, const struct seccomp_notif *notice,
                    const struct call *call)
{
    struct trace_private *p = trace->private;
    uint64_t flags = call->flags == NO_ARG ? 0 : notice->data.args[call->flags];
    bool link = call->op == CALL_LINK;
    bool exchange = call->op == CALL_EXCHANGE && (flags & RENAME_EXCHANGE);
    bool seen;
    enum resolve_kind kind = resolve_argument(trace, notice, call->dir, call->path,
                                              link && (flags & AT_SYMLINK_FOLLOW), &seen);
    if (!seen)
        return;
    bool there = kind != RESOLVE_ABSENT;
    uint32_t kinds = link ? ACCESS_READ : ACCESS_REMOVE;
    hold_access(trace, p->canonical.at,
                !there     ? ACCESS_STAT
                : exchange ? ACCESS_WRITE
                           : kinds,
                there);
    kind = resolve_argument(trace, notice, call->dir2, call->path2, false, &seen);
    if (!seen)
        return;
    bool before = kind != RESOLVE_ABSENT;
    kinds = before ? ACCESS_WRITE : ACCESS_CREATE;
    hold_access(trace, p->canonical.at, there && !(link && before) ? kinds : ACCESS_STAT, before);
    resolve_forget(&p->resolver);
}

/* What a call with one path does to it, by what is there. */
static uint32_t one_path_kinds(enum call_op op, uint64_t flags, enum resolve_kind kind)
{
    bool there = kind != RESOLVE_ABSENT;
    switch (op) {
    case CALL_READLINK:
        return kind == RESOLVE_LINK ? ACCESS_LINK : ACCESS_STAT;
    case CALL_SYMLINK:
    case CALL_MKNOD:
    case CALL_BIND:
        return there ? ACCESS_STAT : ACCESS_CREATE;
    case CALL_UNLINK:
        return !there ? ACCESS_STAT : flags & AT_REMOVEDIR ? ACCESS_RMDIR : ACCESS_REMOVE;
    case CALL_RMDIR:
        return there ? ACCESS_RMDIR : ACCESS_STAT;
    case CALL_MKDIR:
        return there ? ACCESS_ENSURE : ACCESS_MKDIR;
    case CALL_TRUNCATE:
        return there ? ACCESS_WRITE : ACCESS_STAT;
    case CALL_META:
    case CALL_LMETA:
        return there ? ACCESS_META : ACCESS_STAT;
    default:
        return ACCESS_STAT;
    }
}

static bool follows_last(enum call_op op, uint64_t flags)
{
    switch (op) {
    case CALL_STAT:
    case CALL_META:
        return !(flags & AT_SYMLINK_NOFOLLOW);
    case CALL_TRUNCATE:
    case CALL_CHDIR:
    case CALL_ROOT:
        return true;
    default:
        return false;
    }
}

static void see_one(struct trace *trace, const struct seccomp_notif *notice,
                    const struct call *call)
{
    struct trace_private *p = trace->private;
    uint64_t flags = call->flags == NO_ARG ? 0 : notice->data.args[call->flags];
    bool seen;
    enum resolve_kind kind = resolve_argument(trace, notice, call->dir, call->path,
                                              follows_last(call->op, flags), &seen);
    if (!seen)
        return;
    uint32_t kinds = one_path_kinds(call->op, flags, kind);
    hold_access(trace, p->canonical.at, kinds, kind != RESOLVE_ABSENT);
    if (kinds & (ACCESS_REMOVE | ACCESS_RMDIR) || call->op == CALL_SYMLINK)
        resolve_forget(&p->resolver);
}

/* A descriptor's directory is listed; getdents comes again and again, the access is one. */
static void see_list(struct trace *trace, const struct seccomp_notif *notice,
                     const struct call *call)
{
    struct trace_private *p = trace->private;
    bool seen;
    enum resolve_kind kind = resolve_argument(trace, notice, call->dir, NO_ARG, true, &seen);
    if (seen)
        hold_access(trace, p->canonical.at, ACCESS_LIST, kind != RESOLVE_ABSENT);
}

/* A socket that is bound to a name in the file system. */
static void see_bind(struct trace *trace, const struct seccomp_notif *notice,
                     const struct call *call)
{
    struct trace_private *p = trace->private;
    struct sockaddr_un address = {0};
    uint64_t length = notice->data.args[call->flags];
    if (length > sizeof address)
        length = sizeof address;
    if (length <= offsetof(struct sockaddr_un, sun_path) ||
        !read_bytes((pid_t)notice->pid, notice->data.args[call->path], &address, length) ||
        address.sun_family != AF_UNIX || !address.sun_path[0])
        return;
    char path[sizeof address.sun_path + 1] = {0};
    memcpy(path, address.sun_path, sizeof address.sun_path);
    str_cut(&p->absolute, 0);
    if (path[0] != '/') {
        if (!base_directory(trace, (pid_t)notice->pid, AT_FDCWD))
            return;
        str_add_char(&p->absolute, '/');
    }
    str_add(&p->absolute, path);
    enum resolve_kind kind =
        resolve_path(&p->resolver, (pid_t)notice->pid, p->absolute.at, false, &p->canonical);
    hold_access(trace, p->canonical.at, one_path_kinds(CALL_BIND, 0, kind), kind != RESOLVE_ABSENT);
}

static void see(struct trace *trace, const struct seccomp_notif *notice, const struct call *call)
{
    struct trace_private *p = trace->private;
    switch (call->op) {
    case CALL_OPEN:
    case CALL_OPENAT2:
    case CALL_CREAT:
        see_open(trace, notice, call);
        break;
    case CALL_EXEC:
        see_exec(trace, notice, call);
        break;
    case CALL_RENAME:
    case CALL_EXCHANGE:
    case CALL_LINK:
        see_two(trace, notice, call);
        break;
    case CALL_LIST:
        see_list(trace, notice, call);
        break;
    case CALL_BIND:
        see_bind(trace, notice, call);
        break;
    case CALL_FCHDIR:
        p->generation++;
        break;
    case CALL_CHDIR:
        see_one(trace, notice, call);
        p->generation++;
        break;
    case CALL_ROOT:
        p->foreign_root = true;
        trace->flaws |= TRACE_FOREIGN_ROOT;
        break;
    default:
        see_one(trace, notice, call);
        break;
    }
}

/* Keeps what the call did, now that it was let go. */
static void keep_pending(struct trace *trace, pid_t tid, uint64_t now_ns)
{
    struct trace_private *p = trace->private;
    uint32_t process = p->pending.len ? thread_of(trace, tid)->process : 0;
    for (size_t i = 0; i < p->pending.len; i++) {
        const struct pending *held = &p->pending.at[i];
        while (p->access_of.len < intern_count(&trace->paths))
            vec_push(&p->access_of, 0u);
        uint32_t *slot = &p->access_of.at[held->path];
        if (!*slot) {
            vec_push(&trace->accesses,
                     (struct access){held->path, 0, held->found, process, now_ns, now_ns});
            *slot = (uint32_t)trace->accesses.len;
        }
        struct access *access = &trace->accesses.at[*slot - 1];
        const uint32_t writes = ACCESS_WRITE | ACCESS_CREATE;
        bool plain = ((access->kinds & writes) && !(access->kinds & ACCESS_APPEND)) ||
                     ((held->kinds & writes) && !(held->kinds & ACCESS_APPEND));
        access->kinds |= held->kinds;
        access->last_ns = now_ns;
        if (plain) /* appending counts only where all writing was appending */
            access->kinds &= ~(uint32_t)ACCESS_APPEND;
    }
}

/* One call: seen, let go, kept. False where no more will come. */
static bool serve_one(struct trace *trace, struct seccomp_notif *notice)
{
    struct trace_private *p = trace->private;
    memset(notice, 0, sizeof *notice);
    if (ioctl(p->listener, SECCOMP_IOCTL_NOTIF_RECV, notice) < 0)
        return errno == EINTR || errno == ENOENT; /* ENOENT: the thread was killed meanwhile */
    uint64_t now_ns = clock_ns();
    p->pending.len = 0;
    const struct call *call = trace_call_of(notice->data.arch, notice->data.nr);
    if (call)
        see(trace, notice, call);
    else
        trace->flaws |= TRACE_FOREIGN_ROOT; /* unshare with CLONE_NEWNS: the only other one */
    struct seccomp_notif_resp answer = {.id = notice->id,
                                        .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    if (ioctl(p->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0) {
        trace->calls++;
        keep_pending(trace, (pid_t)notice->pid, now_ns);
    }
    return true;
}

void trace_let_pass(int listener)
{
    struct seccomp_notif notice;
    memset(&notice, 0, sizeof notice);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notice) < 0)
        return;
    struct seccomp_notif_resp answer = {.id = notice.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

struct trace *trace_open(int listener)
{
    struct trace *trace = mem_zero(1, sizeof *trace);
    struct trace_private *p = trace->private = mem_zero(1, sizeof *p);
    p->listener = listener;
    p->generation = 1;
    p->resolver.data = trace;
    p->resolver.link = link_followed;
    wire_sync_wake_up(listener); /* where the kernel has it; only speed depends on it */
    return trace;
}

int trace_serve(struct trace *trace, int stop_fd, struct err *err)
{
    struct trace_private *p = trace->private;
    /* Before 6.11 a receive sleeps on although every process has ended; poll tells of that. */
    for (;;) {
        struct pollfd fds[2] = {{.fd = p->listener, .events = POLLIN},
                                {.fd = stop_fd, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            return err_errno(err, "tracing stopped");
        }
        struct seccomp_notif notice;
        if ((fds[0].revents & POLLIN) && serve_one(trace, &notice))
            continue;
        if (fds[0].revents & (POLLHUP | POLLERR) || fds[1].revents)
            return 0;
    }
}

const struct access *trace_find(const struct trace *trace, const char *path)
{
    uint32_t id = intern_find(&trace->paths, path);
    const struct trace_private *p = trace->private;
    if (id == INTERN_NONE || id >= p->access_of.len || !p->access_of.at[id])
        return NULL;
    return &trace->accesses.at[p->access_of.at[id] - 1];
}

void trace_free(struct trace *trace)
{
    if (!trace)
        return;
    struct trace_private *p = trace->private;
    close(p->listener);
    resolve_forget(&p->resolver);
    for (size_t i = 0; i < p->threads_cap; i++)
        free(p->threads[i].directory);
    free(p->threads);
    vec_free(&p->access_of);
    vec_free(&p->pending);
    str_free(&p->raw);
    str_free(&p->absolute);
    str_free(&p->canonical);
    free(p);
    intern_free(&trace->paths);
    vec_free(&trace->accesses);
    vec_free(&trace->processes);
    free(trace);
}
