/* What a call does to which paths, from its arguments and from what is there. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/openat2.h>

#include "base/mem.h"
#include "trace/accelerate.h"
#include "trace/common.h"
#include "trace/interpreter.h"
#include "trace/private.h"
#include "trace/ring.h"

/* Notes an access of the path that was resolved last. */
static void hold_resolved(struct trace_server *server, uint32_t kinds, bool found)
{
    hold_name(server, server->resolver.name, false, kinds, found);
}

/* A call that stands still while it is looked at. */
struct still {
    struct trace_server *server;
    const struct seccomp_notif *notice;
    const struct call *call;
    struct thread *thread;
    pid_t tid;
};

static uint64_t argument(const struct still *still, int index)
{
    return still->notice->data.args[index];
}

/* A directory or a link comes, goes or gets another name. */
static void changes_names(const struct still *still)
{
    thread_changes(still->server, still->thread, still->notice->data.nr);
    common_ways_changed();
}

static void flaw(const struct still *still, unsigned flaw)
{
    still->thread->trace->flaws |= flaw;
}

/* Says whether memory was read; what hides its memory is a flaw of the trace. */
static bool was_read(const struct still *still, enum read_result result)
{
    if (result == READ_REFUSED)
        flaw(still, TRACE_UNREADABLE);
    return result == READ_DONE;
}

/* /proc/TID/cwd or fd/N as a path; false where it has none: a pipe, a directory that was removed. */
static bool path_behind(const struct still *still, const char *link, struct str *out)
{
    if (!read_link(link, out)) {
        if (access(link, F_OK) < 0 && kill(still->tid, 0) == 0)
            flaw(still, TRACE_UNREADABLE);
        return false;
    }
    struct stat open, named;
    bool nameless = str_ends(out->at, " (deleted)") &&
                    (stat(link, &open) < 0 || lstat(out->at, &named) < 0 ||
                     open.st_ino != named.st_ino || open.st_dev != named.st_dev);
    return out->at[0] == '/' && !nameless;
}

/* The directory that a relative path counts from, into server->absolute. */
static bool base_directory(const struct still *still, int dir)
{
    struct trace_server *server = still->server;
    char link[64];
    if (dir != AT_FDCWD) {
        snprintf(link, sizeof link, "/proc/%ld/fd/%d", (long)still->tid, dir);
        if (access(link, F_OK) < 0 && kill(still->tid, 0) == 0) {
            char own[64]; /* a bad descriptor makes the call fail; a hidden process is a flaw */
            snprintf(own, sizeof own, "/proc/%ld/fd", (long)still->tid);
            if (access(own, R_OK | X_OK) == 0)
                return false;
        }
        return path_behind(still, link, &server->absolute);
    }
    const char *known = thread_directory(server, still->thread);
    if (known) {
        str_cut(&server->absolute, 0);
        str_add(&server->absolute, known);
        return true;
    }
    snprintf(link, sizeof link, "/proc/%ld/cwd", (long)still->tid);
    if (!path_behind(still, link, &server->absolute))
        return false;
    thread_stands(server, still->thread, server->absolute.at);
    return true;
}

/*
 * Where a process's paths begin, once some process changed its root or its mounts. A root inside of
 * our own mounts is put before its paths. In other mounts paths are kept as the process sees them,
 * and looked up through its own root.
 */
static void set_root(const struct still *still)
{
    struct trace_server *server = still->server;
    struct resolver *resolver = &server->resolver;
    str_cut(&resolver->root, 0);
    str_cut(&resolver->through, 0);
    if (!server->foreign_root)
        return;
    char link[64];
    struct str theirs = {0}, ours = {0};
    snprintf(link, sizeof link, "/proc/%ld/ns/mnt", (long)still->tid);
    bool same = read_link(link, &theirs) && read_link("/proc/self/ns/mnt", &ours) &&
                strcmp(theirs.at, ours.at) == 0;
    snprintf(link, sizeof link, "/proc/%ld/root", (long)still->tid);
    if (!same) {
        flaw(still, TRACE_FOREIGN_ROOT);
        str_add(&resolver->through, link);
    } else if (read_link(link, &theirs) && theirs.len > 1) {
        str_add(&resolver->root, theirs.at);
    }
    str_free(&theirs);
    str_free(&ours);
}

/* The way up out of a directory that was removed is still there: its parent into server->absolute,
 * and what follows the dots in *raw. False for every other way. */
static bool leave_removed(const struct still *still, int dir, const char **raw)
{
    struct str *absolute = &still->server->absolute;
    const char *rest = *raw;
    while (rest[0] == '.' && rest[1] == '/')
        rest += 1 + strspn(rest + 1, "/");
    if (strncmp(rest, "..", 2) != 0 || (rest[2] && rest[2] != '/'))
        return false;
    char link[64];
    if (dir == AT_FDCWD)
        snprintf(link, sizeof link, "/proc/%ld/cwd", (long)still->tid);
    else
        snprintf(link, sizeof link, "/proc/%ld/fd/%d", (long)still->tid, dir);
    if (!read_link(link, absolute) || absolute->at[0] != '/' ||
        !str_ends(absolute->at, " (deleted)"))
        return false;
    str_cut(absolute, (size_t)(strrchr(absolute->at, '/') - absolute->at));
    *raw = rest + 2;
    return true;
}

/* A path in server->raw as an absolute one in server->absolute; false where there is none. */
static bool make_absolute(const struct still *still, int dir)
{
    struct trace_server *server = still->server;
    const char *raw = str_text(&server->raw);
    set_root(still);
    if (raw[0] == '/') {
        str_cut(&server->absolute, 0);
        str_add(&server->absolute, str_text(&server->resolver.root));
    } else {
        if (raw[0] == '\0' && dir == AT_FDCWD)
            return false;
        if (!base_directory(still, dir) && !leave_removed(still, dir, &raw))
            return false;
        if (raw[0])
            str_add_char(&server->absolute, '/');
    }
    str_add(&server->absolute, raw);
    return true;
}

static enum resolve_kind resolve_raw(const struct still *still, int dir, bool follow, bool *seen)
{
    struct trace_server *server = still->server;
    *seen = make_absolute(still, dir);
    if (!*seen)
        return RESOLVE_ABSENT;
    if (str_starts(server->absolute.at, RING_PLACE)) { /* there is no such place */
        str_cut(&server->canonical, 0);
        str_add(&server->canonical, server->absolute.at);
        server->resolver.name = name_id(server->absolute.at);
        return RESOLVE_ABSENT;
    }
    return resolve_path(&server->resolver, still->tid, str_text(&server->absolute), follow,
                        &server->canonical);
}

/* Resolves a path argument into server->canonical; `seen` is false where it names nothing. */
static enum resolve_kind resolve_argument(const struct still *still, int dir_arg, int path_arg,
                                          bool follow, bool *seen)
{
    struct trace_server *server = still->server;
    int dir = dir_arg == NO_ARG ? AT_FDCWD : (int)argument(still, dir_arg);
    str_cut(&server->raw, 0);
    *seen = path_arg == NO_ARG ||
            (still->call->op == CALL_STAT &&
             accelerate_knows_path(still->thread, still->notice, &server->raw)) ||
            was_read(still, read_path(still->tid, argument(still, path_arg), &server->raw));
    return *seen ? resolve_raw(still, dir, follow, seen) : RESOLVE_ABSENT;
}

uint32_t open_kinds(uint64_t flags, enum resolve_kind kind)
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

/* openat2 with RESOLVE_IN_ROOT: the directory is the root of all that the path says. */
static enum resolve_kind resolve_in_root(const struct still *still, bool follow, bool *seen)
{
    struct trace_server *server = still->server;
    struct resolver *resolver = &server->resolver;
    *seen =
        was_read(still, read_path(still->tid, argument(still, still->call->path), &server->raw)) &&
        base_directory(still, (int)argument(still, still->call->dir));
    if (!*seen)
        return RESOLVE_ABSENT;
    set_root(still);
    str_cut(&resolver->root, 0);
    str_add(&resolver->root, server->absolute.len > 1 ? server->absolute.at : "");
    str_add_char(&server->absolute, '/');
    str_add(&server->absolute, str_text(&server->raw));
    enum resolve_kind kind =
        resolve_path(resolver, still->tid, server->absolute.at, follow, &server->canonical);
    str_cut(&resolver->root, 0);
    return kind;
}

static void see_open(const struct still *still)
{
    struct trace_server *server = still->server;
    const struct call *call = still->call;
    uint64_t flags = O_CREAT | O_WRONLY | O_TRUNC;
    if (call->op == CALL_OPEN)
        flags = argument(still, call->flags);
    struct open_how how = {0};
    if (call->op == CALL_OPENAT2) {
        uint64_t at = argument(still, call->flags);
        if (!was_read(still, read_bytes(still->tid, at, &how, sizeof how)))
            return;
        flags = how.flags;
    }
    bool exclusive = (flags & O_CREAT) && (flags & O_EXCL);
    bool seen, follow = !(flags & O_NOFOLLOW) && !exclusive;
    enum resolve_kind kind = how.resolve & RESOLVE_IN_ROOT
                                 ? resolve_in_root(still, follow, &seen)
                                 : resolve_argument(still, call->dir, call->path, follow, &seen);
    if (!seen || (flags & O_TMPFILE) == O_TMPFILE)
        return;
    hold_resolved(server, open_kinds(flags, kind), kind != RESOLVE_ABSENT);
}

/* The kernel itself opens what follows an exec: the interpreter of a script, the dynamic linker. */
static void see_interpreters(const struct still *still)
{
    struct trace_server *server = still->server;
    enum { DEPTH = 5 }; /* exec_binprm of Linux */
    struct str interpreter = {0}, next = {0}, real = {0};
    str_add(&next, server->canonical.at);
    for (int depth = 0; depth < DEPTH; depth++) {
        str_cut(&real, 0);
        str_add(&real, str_text(&server->resolver.through));
        str_add(&real, next.at);
        bool foreign = server->resolver.through.len || server->resolver.root.len;
        if (!(foreign ? interpreter_of : interpreter_of_common)(real.at, &interpreter))
            break;
        str_cut(&server->raw, 0);
        str_add(&server->raw, interpreter.at);
        bool seen;
        enum resolve_kind kind = resolve_raw(still, AT_FDCWD, true, &seen);
        if (!seen)
            break;
        str_cut(&next, 0);
        str_add(&next, server->canonical.at);
        hold_resolved(server, ACCESS_READ | ACCESS_EXEC, kind == RESOLVE_FILE);
        if (kind != RESOLVE_FILE)
            break;
    }
    str_free(&interpreter);
    str_free(&next);
    str_free(&real);
}

/* The program of a descriptor that has no name: of a memfd, or removed. */
static void see_nameless_exec(const struct still *still)
{
    struct trace_server *server = still->server;
    char link[64];
    if (still->call->dir == NO_ARG || server->raw.len)
        return;
    int fd = (int)argument(still, still->call->dir);
    snprintf(link, sizeof link, "/proc/%ld/fd/%d", (long)still->tid, fd);
    if (access(link, F_OK) < 0)
        return;
    thread_executes(server, still->thread, INTERN_NONE, argument(still, still->call->argv),
                    still->notice->data.arch == AUDIT_ARCH_I386);
    still->thread->inject = INJECT_NOT;
    str_cut(&server->canonical, 0);
    str_add(&server->canonical, link);
    see_interpreters(still);
}

static void see_exec(const struct still *still)
{
    struct trace_server *server = still->server;
    bool seen;
    enum resolve_kind kind =
        resolve_argument(still, still->call->dir, still->call->path, true, &seen);
    if (!seen) {
        see_nameless_exec(still);
        return;
    }
    hold_resolved(server, ACCESS_READ | ACCESS_EXEC, kind == RESOLVE_FILE);
    if (kind != RESOLVE_FILE)
        return;
    struct stat st;
    if (stat(server->canonical.at, &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID)) &&
        (st.st_mode & S_IXUSR))
        flaw(still, TRACE_PRIVILEGE);
    uint32_t program = server->resolver.name;
    thread_executes(server, still->thread, program, argument(still, still->call->argv),
                    still->notice->data.arch == AUDIT_ARCH_I386);
    if (still->notice->data.arch != AUDIT_ARCH_I386 && !server->foreign_root)
        accelerate_exec(server, still->thread, server->canonical.at,
                        argument(still, still->call->argv + 1));
    see_interpreters(still);
}

/* Calls with two paths: the first goes away or is linked to, the second comes into being. */
static void see_two(const struct still *still)
{
    struct trace_server *server = still->server;
    const struct call *call = still->call;
    uint64_t flags = call->flags == NO_ARG ? 0 : argument(still, call->flags);
    bool link = call->op == CALL_LINK;
    bool exchange = call->op == CALL_EXCHANGE && (flags & RENAME_EXCHANGE);
    bool seen, follow = link && (flags & AT_SYMLINK_FOLLOW);
    enum resolve_kind kind = resolve_argument(still, call->dir, call->path, follow, &seen);
    enum resolve_kind first = kind;
    bool nameless = !seen && link; /* linkat of a descriptor gives a file its first name */
    if (!seen && !nameless)
        return;
    bool there = nameless || kind != RESOLVE_ABSENT;
    uint32_t kinds = link ? ACCESS_READ : ACCESS_REMOVE;
    if (seen)
        hold_access(server, server->canonical.at,
                    !there     ? ACCESS_STAT
                    : exchange ? ACCESS_WRITE
                               : kinds,
                    there);
    kind = resolve_argument(still, call->dir2, call->path2, false, &seen);
    if (!seen)
        return;
    bool before = kind != RESOLVE_ABSENT;
    bool refused = !there || (before && (link || (flags & RENAME_NOREPLACE)));
    kinds = before ? ACCESS_WRITE : ACCESS_CREATE;
    hold_access(server, server->canonical.at, refused ? ACCESS_STAT : kinds, before);
    /* A file that takes another's name, or a new one, changes no way to anything. */
    bool plain = !nameless && first == RESOLVE_FILE && !exchange &&
                 (kind == RESOLVE_FILE || kind == RESOLVE_ABSENT);
    if (!plain)
        changes_names(still);
    else if (!link)
        resolve_forget_files(&server->resolver);
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
        return true;
    default:
        return false;
    }
}

static void see_one(const struct still *still)
{
    struct trace_server *server = still->server;
    const struct call *call = still->call;
    uint64_t flags = call->flags == NO_ARG ? 0 : argument(still, call->flags);
    bool seen;
    enum resolve_kind kind =
        resolve_argument(still, call->dir, call->path, follows_last(call->op, flags), &seen);
    if (seen)
        hold_resolved(server, one_path_kinds(call->op, flags, kind), kind != RESOLVE_ABSENT);
    if (call->op == CALL_CHDIR && seen && kind == RESOLVE_DIRECTORY)
        accelerate_before_change(server, still->thread, server->canonical.at);
    bool plain = seen && kind == RESOLVE_FILE; /* it leads nowhere: its going changes no way */
    if (call->op == CALL_UNLINK && plain)
        resolve_forget_files(&server->resolver);
    if ((call->op == CALL_UNLINK && !plain) || call->op == CALL_RMDIR || call->op == CALL_SYMLINK)
        changes_names(still);
    if (call->op == CALL_CHDIR)
        thread_moves(server, still->thread);
}

/* A descriptor's directory is listed; getdents comes again and again, the access is one. */
static void see_list(const struct still *still)
{
    bool seen;
    enum resolve_kind kind = resolve_argument(still, still->call->dir, NO_ARG, true, &seen);
    if (seen)
        hold_access(still->server, still->server->canonical.at, ACCESS_LIST,
                    kind != RESOLVE_ABSENT);
}

/* Whether a socket of this name only serves what the C library asks for by itself, or Gantry. */
static bool is_service(const struct sockaddr_un *address, size_t length)
{
    static const char *const names[] = {"/var/run/nscd/", "/run/nscd/", "/var/lib/sss/",
                                        "/run/systemd/userdb/"};
    size_t skip = offsetof(struct sockaddr_un, sun_path);
    if (length > skip + 1 && !address->sun_path[0]) /* an abstract name: the gates' own */
        return str_starts(address->sun_path + 1, "gantry-");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_starts(address->sun_path, names[i]))
            return true;
    return false;
}

/* A socket gets a name (bind), or is looked for by it (connect): in the file system, or not. */
static void see_socket(const struct still *still, enum call_op op, uint64_t at, uint64_t length)
{
    struct trace_server *server = still->server;
    struct sockaddr_un address = {0};
    if (length > sizeof address)
        length = sizeof address;
    if (length < sizeof address.sun_family ||
        !was_read(still, read_bytes(still->tid, at, &address, length)))
        return;
    bool is_path = address.sun_family == AF_UNIX && address.sun_path[0];
    if (!is_path) {
        /* AF_UNSPEC unties a socket, AF_NETLINK is the kernel itself. */
        bool silent = address.sun_family == AF_UNSPEC || address.sun_family == AF_NETLINK ||
                      (address.sun_family == AF_UNIX && is_service(&address, length));
        still->thread->trace->network |= !silent;
        return;
    }
    char path[sizeof address.sun_path + 1] = {0};
    memcpy(path, address.sun_path, sizeof address.sun_path);
    str_cut(&server->raw, 0);
    str_add(&server->raw, path);
    bool seen;
    enum resolve_kind kind = resolve_raw(still, AT_FDCWD, op == CALL_CONNECT, &seen);
    if (!seen)
        return;
    if ((op == CALL_BIND || kind != RESOLVE_ABSENT) && !is_service(&address, length))
        still->thread->trace->network = true;
    hold_access(server, server->canonical.at, one_path_kinds(op, 0, kind), kind != RESOLVE_ABSENT);
}

/* socketcall(2) of i386: the arguments stand in memory. */
static void see_socketcall(const struct still *still)
{
    enum { SYS_BIND = 2, SYS_CONNECT = 3 };
    uint32_t words[3];
    uint64_t number = argument(still, 0);
    if ((number == SYS_BIND || number == SYS_CONNECT) &&
        was_read(still, read_bytes(still->tid, argument(still, 1), words, sizeof words)))
        see_socket(still, number == SYS_BIND ? CALL_BIND : CALL_CONNECT, words[1], words[2]);
}

void see_call(struct trace_server *server, const struct seccomp_notif *notice,
              const struct call *call, struct thread *thread)
{
    struct still still = {server, notice, call, thread, (pid_t)notice->pid};
    switch (call->op) {
    case CALL_OPEN:
    case CALL_OPENAT2:
    case CALL_CREAT:
        see_open(&still);
        break;
    case CALL_EXEC:
        see_exec(&still);
        break;
    case CALL_RENAME:
    case CALL_EXCHANGE:
    case CALL_LINK:
        see_two(&still);
        break;
    case CALL_LIST:
        see_list(&still);
        break;
    case CALL_BIND:
    case CALL_CONNECT:
        see_socket(&still, call->op, argument(&still, call->path), argument(&still, call->flags));
        break;
    case CALL_SOCKETCALL:
        see_socketcall(&still);
        break;
    case CALL_FCHDIR:
        if (base_directory(&still, (int)argument(&still, call->dir)))
            accelerate_before_change(server, thread, server->absolute.at);
        thread_moves(server, thread);
        break;
    case CALL_ROOT:
        server->foreign_root = true;
        accelerate_stop(server);
        changes_names(&still);
        thread_moves(server, thread);
        break;
    case CALL_UNSHARE:
        accelerate_stop(server);
        break;
    case CALL_LISTENER:
        if (server->stops && !server->every) /* it takes calls before they stop */
            flaw(&still, TRACE_OWN_LISTENER | TRACE_UNREADABLE);
        else if (!server->stops)
            flaw(&still, TRACE_OWN_LISTENER);
        break;
    case CALL_TRACER:
        flaw(&still, TRACE_OWN_TRACER);
        break;
    case CALL_HANDLE:
        flaw(&still, TRACE_UNREADABLE);
        break;
    default:
        see_one(&still);
        break;
    }
}
