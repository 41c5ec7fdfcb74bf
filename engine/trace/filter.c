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
#include "trace/ring.h"
#include "trace/stops.h"
#include "trace/trace.h"
#include "trace/wire.h"

struct trace_filter {
    struct sock_fprog listener, stops; /* what they let through: each its own way of seeing */
    enum { FIRST_LISTENER, FIRST_STOPS, FIRST_EVERY } first; /* what is tried first */
};

static struct trace_filter filters[TRACE_WAYS]; /* by enum trace_way */
static pthread_once_t filter_once = PTHREAD_ONCE_INIT;

/*
 * The program: the architecture picks a block, the number a leaf at the block's end. What is always
 * let pass never runs it: Linux remembers such numbers (5.11).
 *
 * fstat(fd) comes from glibc as newfstatat(fd, "", ..., AT_EMPTY_PATH), which names no path: calls
 * with that flag pass unseen. The same flag with a path is rare (and a stat is weak).
 */
enum { CODE_MAX = 512, X32_BIT = 0x40000000 };

enum leaf {
    LEAF_ALLOW,
    LEAF_NOTIFY,
    LEAF_STAT_2,
    LEAF_STAT_3,
    LEAF_STAT_4,
    LEAF_LISTENER,
    LEAF_UNSHARE,
    LEAF_TRACER,
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
    } jumps[CODE_MAX];
    unsigned jumps_len;
};

static void emit(struct code *code, unsigned operation, uint32_t value, unsigned yes, unsigned no)
{
    code->at[code->len++] =
        (struct sock_filter){(uint16_t)operation, (uint8_t)yes, (uint8_t)no, value};
}

static void load(struct code *code, size_t offset)
{
    emit(code, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void load_argument(struct code *code, unsigned index)
{
    /* The low half: flags are ints. */
    load(code, offsetof(struct seccomp_data, args) + index * sizeof(uint64_t) +
                   (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0));
}

static void give(struct code *code, uint32_t action)
{
    emit(code, BPF_RET | BPF_K, action, 0, 0);
}

static void wait_for_leaf(struct code *code, unsigned at, bool yes, enum leaf leaf)
{
    code->jumps[code->jumps_len].at = at;
    code->jumps[code->jumps_len].yes = yes;
    code->jumps[code->jumps_len++].leaf = leaf;
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
static void notify(struct code *code)
{
    if (code->action != SECCOMP_RET_USER_NOTIF) {
        give(code, code->action);
        return;
    }
    const size_t pointer = offsetof(struct seccomp_data, instruction_pointer);
    const bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    load(code, pointer + (big ? 4 : 0));
    emit(code, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)RING_CODE_AFTER, 0, 3);
    load(code, pointer + (big ? 0 : 4));
    emit(code, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(RING_CODE_AFTER >> 32), 0, 1);
    give(code, SECCOMP_RET_ALLOW);
    give(code, SECCOMP_RET_USER_NOTIF);
}

static void emit_leaf(struct code *code, enum leaf leaf)
{
    switch (leaf) {
    case LEAF_STAT_2:
    case LEAF_STAT_3:
    case LEAF_STAT_4:
        load_argument(code, leaf == LEAF_STAT_2 ? 2 : leaf == LEAF_STAT_3 ? 3 : 4);
        emit(code, BPF_JMP | BPF_JSET | BPF_K, AT_EMPTY_PATH, 0, 1);
        give(code, SECCOMP_RET_ALLOW);
        notify(code);
        break;
    case LEAF_UNSHARE:
        load_argument(code, 0);
        emit(code, BPF_JMP | BPF_JSET | BPF_K, CLONE_FS | CLONE_NEWNS | CLONE_NEWUSER, 1, 0);
        give(code, SECCOMP_RET_ALLOW);
        give(code, code->action);
        break;
    case LEAF_LISTENER:
        load_argument(code, 1);
        emit(code, BPF_JMP | BPF_JSET | BPF_K, SECCOMP_FILTER_FLAG_NEW_LISTENER, 1, 0);
        give(code, SECCOMP_RET_ALLOW);
        give(code, code->action);
        break;
    case LEAF_TRACER:
        load_argument(code, 0);
        emit(code, BPF_JMP | BPF_JEQ | BPF_K, PTRACE_TRACEME, 3, 0);
        emit(code, BPF_JMP | BPF_JEQ | BPF_K, PTRACE_ATTACH, 2, 0);
        emit(code, BPF_JMP | BPF_JEQ | BPF_K, PTRACE_SEIZE, 1, 0);
        give(code, SECCOMP_RET_ALLOW);
        give(code, code->action);
        break;
    case LEAF_ALLOW:
        give(code, SECCOMP_RET_ALLOW);
        break;
    case LEAF_REFUSE:
        give(code, SECCOMP_RET_ERRNO | ENOSYS);
        break;
    default:
        notify(code);
        break;
    }
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

/* A binary search through stretches: Linux translates the program for each step that installs it, and
 * runs it for each number there is, so that a plain list would cost a step 0.2 ms. */
static void emit_search(struct code *code, const struct stretch *stretches, unsigned count)
{
    unsigned half = count / 2, fork = code->len;
    emit(code, BPF_JMP | BPF_JGE | BPF_K, stretches[half].from, 0, 0);
    if (half > 1)
        emit_search(code, stretches, half);
    else
        wait_for_leaf(code, fork, false, stretches[0].leaf);
    assert(code->len - fork - 1 <= UINT8_MAX);
    code->at[fork].jt = (uint8_t)(code->len - fork - 1);
    if (count - half > 1)
        emit_search(code, stretches + half, count - half);
    else
        wait_for_leaf(code, fork, true, stretches[half].leaf);
}

/* Sorted numbers as stretches, which begin at 0; returns how many. */
static unsigned stretches_of(const struct number *numbers, unsigned count, struct stretch *out)
{
    unsigned len = 0;
    uint32_t next = 0; /* the first number that no stretch has yet */
    out[len++] = (struct stretch){0, LEAF_ALLOW};
    for (unsigned i = 0; i < count; i++) {
        if (numbers[i].number > next && out[len - 1].leaf != LEAF_ALLOW)
            out[len++] = (struct stretch){next, LEAF_ALLOW};
        if (out[len - 1].leaf != numbers[i].leaf)
            out[len++] = (struct stretch){numbers[i].number, numbers[i].leaf};
        next = numbers[i].number + 1;
    }
    out[len++] = (struct stretch){next, LEAF_ALLOW};
    return len;
}

/* The calls of one architecture, entered with the accumulator undefined. */
static void emit_block(struct code *code, uint32_t arch)
{
    static struct number numbers[CODE_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < trace_calls_count; i++) {
        int number = trace_call_number(&trace_calls[i], arch);
        if (trace_calls[i].op == CALL_TRACER && code->action == SECCOMP_RET_USER_NOTIF)
            continue; /* a listener is in nobody's way */
        if (number >= 0)
            numbers[count++] = (struct number){(uint32_t)number, leaf_of(&trace_calls[i])};
    }
    /* io_uring opens files behind the filter's back: programs fall back to plain calls. */
    int io_uring = seccomp_syscall_resolve_name_arch(arch, "io_uring_setup");
    if (io_uring >= 0)
        numbers[count++] = (struct number){(uint32_t)io_uring, LEAF_REFUSE};
    qsort(numbers, count, sizeof *numbers, by_number);
    code->jumps_len = 0;
    load(code, offsetof(struct seccomp_data, nr));
    if (arch == SCMP_ARCH_X86_64) { /* x32 calls: refused, never missed */
        emit(code, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
        give(code, SECCOMP_RET_ERRNO | ENOSYS);
    }
    static struct stretch stretches[2 * CODE_MAX + 2];
    emit_search(code, stretches, stretches_of(numbers, count, stretches));
    for (enum leaf leaf = 0; leaf < LEAVES; leaf++) {
        for (unsigned i = 0; i < code->jumps_len; i++) {
            struct sock_filter *jump = &code->at[code->jumps[i].at];
            unsigned distance = code->len - code->jumps[i].at - 1;
            if (code->jumps[i].leaf != leaf)
                continue;
            assert(distance <= UINT8_MAX);
            *(code->jumps[i].yes ? &jump->jt : &jump->jf) = (uint8_t)distance;
        }
        emit_leaf(code, leaf);
    }
    assert(code->len <= CODE_MAX);
}

static struct sock_fprog make_program(struct code *code, uint32_t action)
{
    uint32_t native = seccomp_arch_native();
    bool other = native == SCMP_ARCH_X86_64;
    code->action = action;
    load(code, offsetof(struct seccomp_data, arch));
    emit(code, BPF_JMP | BPF_JEQ | BPF_K, native, 1, 0);
    unsigned skip = code->len;
    emit(code, BPF_JMP | BPF_JA, 0, 0, 0);
    emit_block(code, native);
    code->at[skip].k = code->len - skip - 1;
    if (other) {
        load(code, offsetof(struct seccomp_data, arch));
        emit(code, BPF_JMP | BPF_JEQ | BPF_K, SCMP_ARCH_X86, 1, 0);
        give(code, SECCOMP_RET_ERRNO | ENOSYS);
        emit_block(code, SCMP_ARCH_X86);
    } else { /* an architecture that is not ours: refused, never missed */
        give(code, SECCOMP_RET_ERRNO | ENOSYS);
    }
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
