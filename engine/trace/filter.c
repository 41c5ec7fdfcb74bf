/* The filter: made once, then installed by each child with the raw system call. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include "trace/calls.h"
#include "trace/filter.h"
#include "trace/ring.h"
#include "trace/stops.h"
#include "trace/trace.h"
#include "trace/wire.h"

static struct trace_filter filters[TRACE_WAYS]; /* by enum trace_way */
static pthread_once_t filter_once = PTHREAD_ONCE_INIT;

/*
 * The program: the architecture picks a search, which leads a call's number to a leaf behind. Linux
 * translates the program for each step that installs it, and runs it for each number there is, as far
 * as it looks at nothing else, so as to remember what is always let pass: such calls never run it
 * (5.11). So a step pays 0.15 us for an instruction, and 1.3 us for one that all numbers come by.
 *
 * fstat(fd) comes from glibc as newfstatat(fd, "", ..., AT_EMPTY_PATH), which names no path: calls
 * with that flag pass unseen. The same flag with a path is rare (and a stat is weak).
 */
enum {
    CODE_MAX = 256,
    NUMBERS = 480, /* about as many as there are */
    COMMON = 424, /* from here on all architectures have the same */
    X32_BIT = 0x40000000, /* there are none from here on but those of x32: refused, never missed */
};

/* In the program's order: a leaf jumps to later ones alone. */
enum leaf {
    LEAF_COMMON, /* to be searched for among the numbers that architectures share */
    LEAF_STAT_2, /* a call whose flags are its argument 2; 3; 4 */
    LEAF_STAT_3,
    LEAF_STAT_4,
    LEAF_UNSHARE,
    LEAF_LISTENER,
    LEAF_TRACER,
    LEAF_NOTIFY, /* unless the accelerator noted it */
    LEAF_SEE,
    LEAF_ALLOW,
    LEAF_REFUSE,
    LEAVES
};

struct code {
    struct sock_filter at[CODE_MAX];
    unsigned len;
    uint32_t action; /* what becomes of a call that is to be seen */
    struct {
        unsigned at; /* a jump that waits for its leaf */
        bool yes; /* by its first way */
        enum leaf leaf;
    } jumps[2 * CODE_MAX];
    unsigned jumps_len;
};

static void emit(struct code *code, unsigned operation, uint32_t value)
{
    assert(code->len < CODE_MAX);
    code->at[code->len++] = (struct sock_filter){(uint16_t)operation, 0, 0, value};
}

static void load(struct code *code, size_t offset)
{
    emit(code, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

static void load_argument(struct code *code, unsigned index)
{
    /* The low half: flags are ints. */
    load(code, offsetof(struct seccomp_data, args) + index * sizeof(uint64_t) +
                   (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0));
}

static void give(struct code *code, uint32_t action)
{
    emit(code, BPF_RET | BPF_K, action);
}

/* A jump; a way that nothing is said of goes on with the next instruction. Returns where it is. */
static unsigned compare(struct code *code, unsigned comparison, uint32_t value)
{
    emit(code, BPF_JMP | comparison | BPF_K, value);
    return code->len - 1;
}

/* One way of a jump leads here. */
static void land(struct code *code, unsigned at, bool yes)
{
    unsigned distance = code->len - at - 1;
    assert(distance <= UINT8_MAX);
    *(yes ? &code->at[at].jt : &code->at[at].jf) = (uint8_t)distance;
}

static void wait_for_leaf(struct code *code, unsigned at, bool yes, enum leaf leaf)
{
    code->jumps[code->jumps_len].at = at;
    code->jumps[code->jumps_len].yes = yes;
    code->jumps[code->jumps_len++].leaf = leaf;
}

static void decide(struct code *code, unsigned comparison, uint32_t value, enum leaf yes,
                   enum leaf no)
{
    unsigned at = compare(code, comparison, value);
    wait_for_leaf(code, at, true, yes);
    wait_for_leaf(code, at, false, no);
}

static enum leaf leaf_of(const struct call *call)
{
    if (call->op == CALL_LISTENER)
        return LEAF_LISTENER;
    if (call->op == CALL_UNSHARE)
        return LEAF_UNSHARE;
    if (call->op == CALL_TRACER)
        return LEAF_TRACER;
    if (call->op != CALL_STAT || call->flags == NO_ARG)
        return LEAF_NOTIFY;
    return call->flags == 2 ? LEAF_STAT_2 : call->flags == 3 ? LEAF_STAT_3 : LEAF_STAT_4;
}

/* What is made by the accelerator's one instruction (ring.h) passes: it was noted. */
static void emit_notify(struct code *code)
{
    const size_t pointer = offsetof(struct seccomp_data, instruction_pointer);
    const bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    if (code->action != SECCOMP_RET_USER_NOTIF)
        return; /* nothing is noted: LEAF_SEE follows */
    load(code, pointer + (big ? 4 : 0));
    wait_for_leaf(code, compare(code, BPF_JEQ, (uint32_t)RING_CODE_AFTER), false, LEAF_SEE);
    load(code, pointer + (big ? 0 : 4));
    decide(code, BPF_JEQ, (uint32_t)(RING_CODE_AFTER >> 32), LEAF_ALLOW, LEAF_SEE);
}

struct number {
    uint32_t number;
    enum leaf leaf;
};

static int by_number(const void *a, const void *b)
{
    uint32_t one = ((const struct number *)a)->number, two = ((const struct number *)b)->number;
    return one < two ? -1 : one > two;
}

/* Numbers from this one on, up to the next stretch's, have the leaf. */
struct stretch {
    uint32_t from;
    enum leaf leaf;
};

/* Where to halve stretches, of which the last ends before `end`: there should be as many numbers on
 * both sides, since each of them goes its way to a leaf. */
static unsigned half_of(const struct stretch *stretches, unsigned count, uint32_t end)
{
    int64_t twice_middle = (int64_t)stretches[0].from + end;
    unsigned half = 1;
    for (unsigned i = 2; i < count; i++)
        if (llabs(2 * (int64_t)stretches[i].from - twice_middle) <
            llabs(2 * (int64_t)stretches[half].from - twice_middle))
            half = i;
    return half;
}

/* A binary search through stretches; a number that is alone between two of one leaf is asked for. */
static void emit_search(struct code *code, const struct stretch *stretches, unsigned count,
                        uint32_t end)
{
    if (count == 3 && stretches[0].leaf == stretches[2].leaf &&
        stretches[2].from == stretches[1].from + 1) {
        decide(code, BPF_JEQ, stretches[1].from, stretches[1].leaf, stretches[0].leaf);
        return;
    }
    unsigned half = half_of(stretches, count, end);
    unsigned fork = compare(code, BPF_JGE, stretches[half].from);
    if (half > 1)
        emit_search(code, stretches, half, stretches[half].from);
    else
        wait_for_leaf(code, fork, false, stretches[0].leaf);
    if (count - half > 1) {
        land(code, fork, true);
        emit_search(code, stretches + half, count - half, end);
    } else {
        wait_for_leaf(code, fork, true, stretches[half].leaf);
    }
}

/*
 * Calls that are seen as well, and answered at once (trace_call_of knows none of them), where that
 * joins two stretches: the processes of a build make them so seldom that a stop costs less than the
 * instructions in each step's filter. (Not so fchmod, fchown and fsetxattr, which an archiver or cp
 * makes for each file, nor getcwd, which ld makes ten times.) Programs of the other architecture are
 * rare in themselves, so that more of their calls are.
 */
static const char *const rare_calls[] = {
    "acct",      "clock_adjtime",    "fallocate",     "fsconfig",   "fsmount",     "fsopen",
    "ftruncate", "inotify_rm_watch", "migrate_pages", "nfsservctl", "personality", "pidfd_getfd",
    "sendmmsg",  "settimeofday",     "sync",          "syncfs",     "ustat",       NULL,
};
static const char *const rare_other_calls[] = {
    "break",      "fchmod",     "fchown",   "fgetxattr",   "flistxattr",  "fsetxattr",
    "fstatfs",    "fstatfs64",  "ftime",    "ftruncate64", "getitimer",   "getpriority",
    "gtty",       "ioperm",     "kill",     "nice",        "profil",      "reboot",
    "setfsgid32", "setfsuid32", "setgid32", "setitimer",   "setpriority", "setuid32",
    "stty",       "swapon",     "syslog",   "tgkill",      "time",        NULL,
};

static void mark_rare(bool *rare, uint32_t arch, const char *const *names)
{
    for (; *names; names++) {
        int number = seccomp_syscall_resolve_name_arch(arch, *names);
        if (number >= 0 && number < NUMBERS)
            rare[number] = true;
    }
}

static bool are_rare(const bool *rare, uint32_t from, uint32_t end)
{
    while (from < end && from < NUMBERS && rare[from])
        from++;
    return from == end;
}

/* Sorted numbers, from one on, as stretches; returns how many. */
static unsigned stretches_of(uint32_t arch, uint32_t from, const struct number *numbers,
                             unsigned count, struct stretch *out)
{
    bool rare[NUMBERS] = {false};
    mark_rare(rare, arch, rare_calls);
    if (arch != seccomp_arch_native())
        mark_rare(rare, arch, rare_other_calls);
    unsigned len = 0;
    uint32_t next = from; /* the first number that no stretch has yet */
    out[len++] = (struct stretch){from, LEAF_ALLOW};
    for (unsigned i = 0; i < count; i++) {
        enum leaf between = are_rare(rare, next, numbers[i].number) ? LEAF_NOTIFY : LEAF_ALLOW;
        if (numbers[i].number > next && out[len - 1].leaf != between)
            out[len++] = (struct stretch){next, between};
        if (out[len - 1].leaf != numbers[i].leaf)
            out[len++] = (struct stretch){numbers[i].number, numbers[i].leaf};
        next = numbers[i].number + 1;
    }
    out[len++] = (struct stretch){next, LEAF_ALLOW};
    return len;
}

/* The calls of an architecture from a number on, up to `end`, from where on there is one leaf. */
static void emit_numbers(struct code *code, uint32_t arch, uint32_t from, uint32_t end,
                         enum leaf beyond)
{
    struct number numbers[NUMBERS];
    struct stretch stretches[2 * NUMBERS + 3];
    unsigned count = 0;
    for (unsigned i = 0; i < trace_calls_count; i++) {
        int number = trace_call_number(&trace_calls[i], arch);
        if (trace_calls[i].op == CALL_TRACER && code->action == SECCOMP_RET_USER_NOTIF)
            continue; /* a listener is in nobody's way */
        if (number >= (int)from && number < (int)end)
            numbers[count++] = (struct number){(uint32_t)number, leaf_of(&trace_calls[i])};
    }
    /* io_uring opens files behind the filter's back: programs fall back to plain calls. */
    int io_uring = seccomp_syscall_resolve_name_arch(arch, "io_uring_setup");
    if (io_uring >= (int)from && io_uring < (int)end)
        numbers[count++] = (struct number){(uint32_t)io_uring, LEAF_REFUSE};
    qsort(numbers, count, sizeof *numbers, by_number);
    unsigned len = stretches_of(arch, from, numbers, count, stretches);
    stretches[len++] = (struct stretch){end, beyond};
    emit_search(code, stretches, len, NUMBERS);
}

/* Where trace_call_matters decides by arguments, so do these. */
static void emit_leaf(struct code *code, enum leaf leaf)
{
    switch (leaf) {
    case LEAF_COMMON:
        emit_numbers(code, seccomp_arch_native(), COMMON, X32_BIT, LEAF_REFUSE);
        break;
    case LEAF_STAT_2:
    case LEAF_STAT_3:
    case LEAF_STAT_4:
        load_argument(code, leaf == LEAF_STAT_2 ? 2 : leaf == LEAF_STAT_3 ? 3 : 4);
        decide(code, BPF_JSET, AT_EMPTY_PATH, LEAF_ALLOW, LEAF_NOTIFY);
        break;
    case LEAF_UNSHARE:
        load_argument(code, 0);
        decide(code, BPF_JSET, CLONE_FS | CLONE_NEWNS | CLONE_NEWUSER, LEAF_NOTIFY, LEAF_ALLOW);
        break;
    case LEAF_LISTENER:
        load_argument(code, 1);
        decide(code, BPF_JSET, SECCOMP_FILTER_FLAG_NEW_LISTENER, LEAF_NOTIFY, LEAF_ALLOW);
        break;
    case LEAF_TRACER:
        load_argument(code, 0);
        wait_for_leaf(code, compare(code, BPF_JEQ, PTRACE_TRACEME), true, LEAF_NOTIFY);
        wait_for_leaf(code, compare(code, BPF_JEQ, PTRACE_ATTACH), true, LEAF_NOTIFY);
        decide(code, BPF_JEQ, PTRACE_SEIZE, LEAF_NOTIFY, LEAF_ALLOW);
        break;
    case LEAF_NOTIFY:
        emit_notify(code);
        break;
    case LEAF_SEE:
        give(code, code->action);
        break;
    case LEAF_ALLOW:
        give(code, SECCOMP_RET_ALLOW);
        break;
    default:
        give(code, SECCOMP_RET_ERRNO | ENOSYS);
        break;
    }
}

/* The leaves that are waited for: all that wait for one come before it. */
static void emit_leaves(struct code *code)
{
    for (enum leaf leaf = 0; leaf < LEAVES; leaf++) {
        bool wanted = false;
        for (unsigned i = 0; i < code->jumps_len; i++)
            if (code->jumps[i].leaf == leaf) {
                land(code, code->jumps[i].at, code->jumps[i].yes);
                wanted = true;
            }
        if (wanted || leaf == LEAF_SEE) /* which LEAF_NOTIFY may run into */
            emit_leaf(code, leaf);
    }
}

/* An architecture's search, where the accumulator has which it is. Returns the jump that is to lead,
 * by its second way, to what is done for another. */
static unsigned emit_block(struct code *code, uint32_t arch)
{
    unsigned other = compare(code, BPF_JEQ, arch);
    load(code, offsetof(struct seccomp_data, nr));
    emit_numbers(code, arch, 0, COMMON, LEAF_COMMON);
    return other;
}

static struct sock_fprog make_program(struct code *code, uint32_t action)
{
    uint32_t native = seccomp_arch_native();
    code->action = action;
    load(code, offsetof(struct seccomp_data, arch));
    unsigned other = emit_block(code, native);
    if (native == SCMP_ARCH_X86_64) {
        land(code, other, false);
        other = emit_block(code, SCMP_ARCH_X86);
    }
    wait_for_leaf(code, other, false, LEAF_REFUSE); /* not ours: refused, never missed */
    emit_leaves(code);
    return (struct sock_fprog){.len = (unsigned short)code->len, .filter = code->at};
}

static void make_filters(void)
{
    static struct code listener, stops;
    const char *forced = getenv("GANTRY_TRACE");
    struct trace_filter *any = &filters[TRACE_BY_ANY];
    any->listener = make_program(&listener, SECCOMP_RET_USER_NOTIF);
    any->stops = make_program(&stops, SECCOMP_RET_TRACE);
    if (forced && strstr(forced, "ptrace"))
        any->first = strstr(forced, "ptrace-filter") ? FIRST_STOPS : FIRST_EVERY;
    for (unsigned way = TRACE_BY_STOPS; way < TRACE_WAYS; way++) {
        filters[way] = *any;
        filters[way].first = way == TRACE_BY_STOPS ? FIRST_EVERY : FIRST_STOPS;
    }
}

const struct trace_filter *trace_filter_get(enum trace_way way)
{
    pthread_once(&filter_once, make_filters);
    return &filters[way];
}

static int install(const struct sock_fprog *program, bool *killable)
{
    const unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                      flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, program);
    *killable = fd >= 0;
    if (fd < 0 && errno == EINVAL) /* before 5.19 */
        fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
    return (int)fd;
}

int trace_child(const struct trace_filter *filter, int socket)
{
    bool killable, every = filter->first == FIRST_EVERY;
    int listener = filter->first == FIRST_LISTENER ? install(&filter->listener, &killable) : -1;
    if (listener < 0) {
        /* Behind somebody's listener, who may take calls that our filter would have stopped, each
         * call has to be. */
        every |= filter->first == FIRST_LISTENER && errno == EBUSY;
        return stops_child(every ? NULL : &filter->stops, socket);
    }
    int status = wire_send_fd(socket, listener);
    int kept = errno;
    close(listener);
    errno = kept;
    return status;
}

int trace_receive(int socket)
{
    char first = 0;
    int fd = wire_receive_fd(socket, &first);
    return fd < 0 && first == STOPS_ASK ? stops_start(socket) : fd;
}

/* In a child that tries it: sends the listener, or why there is none. */
static _Noreturn void try_listener(int socket)
{
    bool killable = false;
    int fd = install(&trace_filter_get(TRACE_BY_ANY)->listener, &killable);
    int number = fd < 0 ? errno : 0;
    if (fd >= 0)
        wire_send_fd(socket, fd);
    _exit(number ? number : killable ? 0 : ENOSYS);
}

/* Runs `body` in a child; what comes over the socket, or -1; its exit status. */
static int probe(void (*body)(int socket), int (*receive)(int socket), int *status)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        close(pair[0]);
        body(pair[1]);
        _exit(0);
    }
    close(pair[1]);
    int fd = child > 0 ? receive(pair[0]) : -1;
    close(pair[0]);
    *status = 0;
    while (child > 0 && waitpid(child, status, 0) < 0 && errno == EINTR)
        continue;
    return fd;
}

static void try_stops(int socket)
{
    trace_child(trace_filter_get(TRACE_BY_STOPS), socket);
}

static int receive_listener(int socket)
{
    char first;
    return wire_receive_fd(socket, &first);
}

struct trace_features trace_probe(void)
{
    struct trace_features features = {0};
    int status;
    int listener = probe(try_listener, receive_listener, &status);
    features.notify = listener >= 0;
    features.refused = features.notify ? 0 : WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
    features.killable_wait = features.notify && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (listener >= 0) {
        features.sync_wake_up = wire_sync_wake_up(listener) == 0;
        close(listener);
    }
    int calls = probe(try_stops, trace_receive, &status);
    features.stops = calls >= 0;
    if (calls >= 0) {
        pid_t tracer;
        stops_at_every_call(calls, &tracer);
        close(calls);
        stops_end(tracer);
    }
    features.forced = trace_filter_get(TRACE_BY_ANY)->first != FIRST_LISTENER;
    return features;
}
