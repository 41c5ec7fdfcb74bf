#include "trace/stops.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <elf.h>
#include <linux/audit.h>

#include "trace/calls.h"

/* What child and tracer say to each other before the child executes anything; over a stream. */
struct ask {
    char kind; /* STOPS_ASK */
    int32_t pid;
};
enum { SAY_TRACER, SAY_MAY, SAY_SEIZED, SAY_FILTER, SAY_EVERY, SAY_GO };

/* What the tracer says to the server besides calls: first of all how it stops; at last, in packets of
 * one byte, that the tree has ended. */
struct first_news {
    int32_t every, pid;
};
enum { NEWS_END = '.' };

static bool give(int socket, const void *bytes, size_t length)
{
    ssize_t sent;
    do
        sent = send(socket, bytes, length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)length;
}

static bool take(int socket, void *bytes, size_t length)
{
    ssize_t got;
    do
        got = recv(socket, bytes, length, MSG_WAITALL);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)length;
}

static bool say(int socket, int32_t what)
{
    return give(socket, &what, sizeof what);
}

static bool hear(int socket, int32_t what)
{
    int32_t said;
    return take(socket, &said, sizeof said) && said == what;
}

/* ---- the child ---- */

static bool install(const struct sock_fprog *filter)
{
    return filter && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, filter) == 0;
}

int stops_child(const struct sock_fprog *filter, int socket)
{
    struct ask ask = {.kind = STOPS_ASK, .pid = getpid()};
    int32_t tracer;
    if (!give(socket, &ask.kind, 1) || !give(socket, &ask.pid, sizeof ask.pid) ||
        !hear(socket, SAY_TRACER) || !take(socket, &tracer, sizeof tracer))
        return -1;
    prctl(PR_SET_PTRACER, tracer); /* where Yama asks for it; elsewhere it is unknown */
    if (!say(socket, SAY_MAY) || !hear(socket, SAY_SEIZED))
        return -1;
    bool filtered = install(filter);
    return say(socket, filtered ? SAY_FILTER : SAY_EVERY) && hear(socket, SAY_GO) ? 0 : -1;
}

/* ---- the tracer: no memory is asked for in it, it is forked from a process with threads ---- */

enum { CHILD = 0, SERVER = 1 }; /* its descriptors */

struct tracer {
    bool every; /* stops at every call */
    bool alone; /* nobody hears of calls any more */
    uint64_t calls;
};

static bool is_group_stop(int sig)
{
    return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

/* Lets a stopped thread go on, with a signal or 0. Where nobody hears of it, for good. */
static void resume(const struct tracer *tracer, pid_t tid, int sig)
{
    enum __ptrace_request how = !tracer->every  ? PTRACE_CONT
                                : tracer->alone ? PTRACE_DETACH
                                                : PTRACE_SYSCALL;
    ptrace(how, tid, NULL, (void *)(intptr_t)sig);
}

/* Makes a call that is about to be made into one that there is not. */
static void refuse(pid_t tid)
{
#if defined(__x86_64__)
    ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, regs.orig_rax), -1L);
    ptrace(PTRACE_POKEUSER, tid, offsetof(struct user, regs.rax), (long)-ENOSYS);
#else
    int number = -1;
    struct iovec part = {&number, sizeof number};
    struct user_regs_struct registers;
    struct iovec all = {&registers, sizeof registers};
    ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &part);
    if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &all) == 0) {
        registers.regs[0] = (uint64_t)-ENOSYS;
        ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &all);
    }
#endif
}

/* Has the server look at a call while the thread stands still. */
static void show(struct tracer *tracer, const struct seccomp_notif *notice)
{
    uint64_t answered;
    if (!tracer->alone && give(SERVER, notice, sizeof *notice) &&
        take(SERVER, &answered, sizeof answered))
        return;
    tracer->alone = true;
}

/* A thread that a traced process wants to trace is let go: it has one tracer only. What waits for a
 * traced child may not come to a stop: it stays ours. */
static void let_go(pid_t tid)
{
    enum { TRIES = 40, TRY_MS = 5 };
    if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0)
        return;
    for (int i = 0; i < TRIES; i++) {
        int status;
        pid_t stopped = waitpid(tid, &status, __WALL | WNOHANG);
        if (stopped == tid && WIFSTOPPED(status)) {
            bool signal = status >> 16 == 0 && WSTOPSIG(status) != (SIGTRAP | 0x80);
            ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)(signal ? WSTOPSIG(status) : 0));
            return;
        }
        if (stopped != 0)
            return;
        poll(NULL, 0, TRY_MS);
    }
}

/* A call for a tracer. True where the thread itself was let go. */
static bool hand_over(const struct tracer *tracer, pid_t tid, const uint64_t *arguments)
{
    if (!tracer->every) /* the filter would stay, and make its calls fail: it is refused (EPERM) */
        return false;
    if ((int)arguments[0] != PTRACE_TRACEME) {
        let_go((pid_t)arguments[1]);
        return false;
    }
    ptrace(PTRACE_DETACH, tid, NULL, NULL);
    return true;
}

/* A thread stands before a call, or after one. */
static void at_call(struct tracer *tracer, pid_t tid)
{
    struct __ptrace_syscall_info info;
    struct seccomp_notif notice;
    memset(&notice, 0, sizeof notice);
    long known = ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info);
    if (known <= 0 ||
        (info.op != PTRACE_SYSCALL_INFO_ENTRY && info.op != PTRACE_SYSCALL_INFO_SECCOMP)) {
        resume(tracer, tid, 0);
        return;
    }
    bool entry = info.op == PTRACE_SYSCALL_INFO_ENTRY;
    const uint64_t *arguments = (const uint64_t *)(entry ? info.entry.args : info.seccomp.args);
    uint64_t number = entry ? info.entry.nr : info.seccomp.nr;
    if (trace_call_is_refused(info.arch, number)) {
        refuse(tid);
        resume(tracer, tid, 0);
        return;
    }
    const struct call *call = trace_call_of(info.arch, (int)number);
    if (call && trace_call_matters(call, arguments)) {
        notice.id = ++tracer->calls;
        notice.pid = (uint32_t)tid;
        notice.data.nr = (int)number;
        notice.data.arch = info.arch;
        notice.data.instruction_pointer = info.instruction_pointer;
        memcpy(notice.data.args, arguments, sizeof notice.data.args);
        show(tracer, &notice);
        if (call->op == CALL_TRACER && hand_over(tracer, tid, arguments))
            return;
    }
    resume(tracer, tid, 0);
}

static void at_stop(struct tracer *tracer, pid_t tid, int status)
{
    int sig = WSTOPSIG(status), event = status >> 16;
    if (event == PTRACE_EVENT_SECCOMP || sig == (SIGTRAP | 0x80))
        at_call(tracer, tid);
    else if (event == PTRACE_EVENT_STOP && is_group_stop(sig) && !(tracer->alone && tracer->every))
        ptrace(PTRACE_LISTEN, tid, NULL, NULL);
    else
        resume(tracer, tid, event ? 0 : sig);
}

/* Comes to terms with the child. */
static bool begin(struct tracer *tracer, pid_t child)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP;
    int32_t self = getpid(), how;
    if (!say(CHILD, SAY_TRACER) || !say(CHILD, self) || !hear(CHILD, SAY_MAY) ||
        ptrace(PTRACE_SEIZE, child, NULL, options) != 0 || !say(CHILD, SAY_SEIZED) ||
        !take(CHILD, &how, sizeof how))
        return false;
    tracer->every = how == SAY_EVERY;
    int status;
    if (tracer->every) {
        if (ptrace(PTRACE_INTERRUPT, child, NULL, NULL) != 0 ||
            waitpid(child, &status, __WALL) != child || !WIFSTOPPED(status))
            return false;
        resume(tracer, child, 0);
    }
    struct first_news news = {tracer->every, self};
    return give(SERVER, &news, sizeof news) && say(CHILD, SAY_GO);
}

static _Noreturn void trace_tree(int socket, int server, pid_t child)
{
    setsid();
    prctl(PR_SET_NAME, "gantry-tracer");
    static const int deaf[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (unsigned i = 0; i < sizeof deaf / sizeof *deaf; i++)
        signal(deaf[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    if (server == CHILD)
        server = dup(server);
    dup2(socket, CHILD);
    dup2(server, SERVER);
    close_range(SERVER + 1, ~0U, 0);
    (void)!chdir("/");
    struct tracer tracer = {0};
    if (!begin(&tracer, child))
        _exit(1);
    close(CHILD);
    for (;;) {
        int status;
        pid_t tid = waitpid(-1, &status, __WALL);
        if (tid < 0 && errno != EINTR)
            break;
        if (tid > 0 && WIFSTOPPED(status))
            at_stop(&tracer, tid, status);
    }
    const char news = NEWS_END;
    for (int i = 0; i < STOPS_SERVERS; i++)
        give(SERVER, &news, 1);
    _exit(0);
}

/* ---- the supervisor ---- */

int stops_start(int socket)
{
    int32_t child;
    int ends[2];
    if (!take(socket, &child, sizeof child) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    trace_call_of(0, 0); /* the tables are filled before the fork */
    pid_t tracer = fork();
    if (tracer == 0)
        trace_tree(socket, ends[1], child);
    close(ends[1]);
    struct first_news news;
    ssize_t got = 0;
    do
        got = tracer < 0 ? 0 : recv(ends[0], &news, sizeof news, MSG_PEEK);
    while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof news)
        return ends[0];
    shutdown(socket, SHUT_RDWR); /* the child waits for an answer */
    close(ends[0]);
    if (tracer > 0)
        stops_end(tracer);
    errno = EPERM;
    return -1;
}

bool stops_is(int descriptor)
{
    int type;
    socklen_t length = sizeof type;
    return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
}

bool stops_at_every_call(int descriptor, pid_t *tracer)
{
    struct first_news news = {0};
    bool told = take(descriptor, &news, sizeof news);
    *tracer = news.pid;
    return told && news.every;
}

void stops_end(pid_t tracer)
{
    while (waitpid(tracer, NULL, 0) < 0 && errno == EINTR)
        continue;
}

int stops_receive(int descriptor, struct seccomp_notif *notice)
{
    ssize_t got = recv(descriptor, notice, sizeof *notice, 0);
    if (got == (ssize_t)sizeof *notice)
        return 0;
    if (got >= 0)
        errno = got == 1 ? ECONNRESET : EPIPE;
    return -1;
}

bool stops_answer(int descriptor, const struct seccomp_notif *notice)
{
    return give(descriptor, &notice->id, sizeof notice->id);
}
