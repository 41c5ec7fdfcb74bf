/* The filter's programs, interpreted over all numbers: what they see, refuse, and let pass at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ptrace.h>

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include "trace/calls.h"
#include "trace/filter.h"
#include "trace/ring.h"
#include "trace/trace.h"

enum {
    NUMBERS = 600, /* more than there are */
    ASKED_FOR = 470, /* as many as Linux 6.18 asks a filter about when it is installed */
    REFUSED = SECCOMP_RET_ERRNO | ENOSYS,
};

/* What a program says to a call, and what that took. */
struct verdict {
    uint32_t action;
    unsigned steps; /* instructions that ran */
    unsigned
        plain; /* of these, before one that Linux does not look through (seccomp_is_const_allow) */
};

static bool is_plain(const struct sock_filter *at)
{
    switch (at->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        return at->k == offsetof(struct seccomp_data, nr) ||
               at->k == offsetof(struct seccomp_data, arch);
    case BPF_JMP | BPF_JA:
    case BPF_JMP | BPF_JEQ | BPF_K:
    case BPF_JMP | BPF_JGE | BPF_K:
    case BPF_JMP | BPF_JGT | BPF_K:
    case BPF_JMP | BPF_JSET | BPF_K:
    case BPF_ALU | BPF_AND | BPF_K:
    case BPF_RET | BPF_K:
        return true;
    default:
        return false;
    }
}

static struct verdict run(const struct sock_fprog *program, const struct seccomp_data *data)
{
    struct verdict verdict = {0};
    uint32_t accumulator = 0;
    bool plain = true;
    for (unsigned next = 0;;) {
        assert_true(next < program->len);
        const struct sock_filter *at = &program->filter[next++];
        plain = plain && is_plain(at);
        verdict.steps++;
        verdict.plain += plain;
        bool yes = false;
        switch (at->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(at->k % 4 == 0 && at->k < sizeof *data);
            memcpy(&accumulator, (const char *)data + at->k, sizeof accumulator);
            continue;
        case BPF_RET | BPF_K:
            verdict.action = at->k;
            return verdict;
        case BPF_JMP | BPF_JEQ | BPF_K:
            yes = accumulator == at->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            yes = accumulator >= at->k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            yes = accumulator & at->k;
            break;
        default:
            fail_msg("an instruction that is not known here: %#x", at->code);
        }
        next += yes ? at->jt : at->jf;
    }
}

static struct verdict run_call(const struct sock_fprog *program, uint32_t arch, int number)
{
    const struct seccomp_data data = {.nr = number, .arch = arch};
    return run(program, &data);
}

/* The architectures that are followed; returns how many. */
static unsigned followed(uint32_t archs[2])
{
    archs[0] = seccomp_arch_native();
    archs[1] = SCMP_ARCH_X86;
    return archs[0] == SCMP_ARCH_X86_64 ? 2 : 1;
}

static const struct sock_fprog *listener(void)
{
    return &trace_filter_get(TRACE_BY_ANY)->listener;
}

static const struct sock_fprog *stops(void)
{
    return &trace_filter_get(TRACE_BY_ANY)->stops;
}

/* Who listens is in no tracer's way. */
static bool is_seen(const struct sock_fprog *program, const struct call *call,
                    const struct seccomp_data *data)
{
    uint64_t arguments[6];
    memcpy(arguments, data->args, sizeof arguments);
    return trace_call_matters(call, arguments) && (call->op != CALL_TRACER || program == stops());
}

static void expect_call(const struct sock_fprog *program, const struct call *call,
                        const struct seccomp_data *data)
{
    uint32_t action = program == stops() ? SECCOMP_RET_TRACE : SECCOMP_RET_USER_NOTIF;
    bool seen = is_seen(program, call, data);
    if (run(program, data).action != (seen ? action : SECCOMP_RET_ALLOW))
        fail_msg("%s (%d of %#x) is%s seen", call->name, data->nr, data->arch, seen ? " not" : "");
}

/* Each argument by itself with each value that some call looks for, and as a high half. */
static void expect_arguments(const struct sock_fprog *program, const struct call *call,
                             struct seccomp_data *data)
{
    static const uint64_t values[] = {
        0,
        1,
        AT_EMPTY_PATH,
        AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW,
        CLONE_FS,
        CLONE_NEWNS,
        CLONE_NEWUSER,
        CLONE_NEWNET,
        SECCOMP_FILTER_FLAG_NEW_LISTENER,
        SECCOMP_FILTER_FLAG_LOG,
        PTRACE_TRACEME,
        PTRACE_ATTACH,
        PTRACE_SEIZE,
        PTRACE_CONT,
    };
    for (unsigned argument = 0; argument < 6; argument++)
        for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
            memset(data->args, 0, sizeof data->args);
            data->args[argument] = values[i];
            expect_call(program, call, data);
            data->args[argument] |= UINT64_C(0x5a5a) << 32;
            expect_call(program, call, data);
        }
}

static void every_call_that_matters_is_seen(void **state)
{
    (void)state;
    uint32_t archs[2];
    unsigned count = followed(archs), known = 0;
    for (unsigned a = 0; a < count; a++)
        for (int number = 0; number < NUMBERS; number++) {
            const struct call *call = trace_call_of(archs[a], number);
            if (!call)
                continue;
            known++;
            struct seccomp_data data = {.nr = number, .arch = archs[a]};
            expect_arguments(listener(), call, &data);
            expect_arguments(stops(), call, &data);
        }
    assert_true(known > 50 * count);
    for (unsigned i = 0; i < trace_calls_count; i++)
        assert_true(trace_call_number(&trace_calls[i], archs[0]) < NUMBERS);
}

/* The same, said outright. */
static void arguments_decide(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned argument;
        uint64_t passes, seen;
    } calls[] = {
        {"newfstatat", 3, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW},
        {"statx", 2, AT_EMPTY_PATH, 0},
        {"faccessat2", 3, AT_EMPTY_PATH, AT_EACCESS},
        {"unshare", 0, 0, CLONE_FS},
        {"unshare", 0, CLONE_FILES, CLONE_NEWUSER},
        {"seccomp", 1, SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_NEW_LISTENER},
    };
    uint32_t archs[2];
    unsigned count = followed(archs);
    for (unsigned a = 0; a < count; a++)
        for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
            struct seccomp_data data = {
                .nr = seccomp_syscall_resolve_name_arch(archs[a], calls[i].name), .arch = archs[a]};
            if (data.nr < 0)
                continue;
            data.args[calls[i].argument] = calls[i].passes;
            assert_int_equal(run(listener(), &data).action, SECCOMP_RET_ALLOW);
            assert_int_equal(run(stops(), &data).action, SECCOMP_RET_ALLOW);
            data.args[calls[i].argument] = calls[i].seen;
            assert_int_equal(run(listener(), &data).action, SECCOMP_RET_USER_NOTIF);
            assert_int_equal(run(stops(), &data).action, SECCOMP_RET_TRACE);
        }
}

static void what_is_not_followed_is_refused(void **state)
{
    (void)state;
    static const uint32_t foreign[] = {0,
                                       AUDIT_ARCH_X86_64,
                                       AUDIT_ARCH_I386,
                                       AUDIT_ARCH_AARCH64,
                                       AUDIT_ARCH_ARM,
                                       AUDIT_ARCH_RISCV64,
                                       AUDIT_ARCH_PPC64LE};
    uint32_t archs[2];
    unsigned count = followed(archs);
    for (unsigned i = 0; i < sizeof foreign / sizeof *foreign; i++)
        for (int number = 0; number < NUMBERS; number++)
            if (foreign[i] != archs[0] && (count == 1 || foreign[i] != archs[1])) {
                assert_int_equal(run_call(listener(), foreign[i], number).action, REFUSED);
                assert_int_equal(run_call(stops(), foreign[i], number).action, REFUSED);
            }
    for (unsigned a = 0; a < count; a++) {
        int number = seccomp_syscall_resolve_name_arch(archs[a], "io_uring_setup");
        assert_int_equal(run_call(listener(), archs[a], number).action, REFUSED);
        assert_int_equal(run_call(stops(), archs[a], number).action, REFUSED);
    }
    const int x32 = 0x40000000;
    for (int number = 0; archs[0] == SCMP_ARCH_X86_64 && number < NUMBERS; number++)
        assert_int_equal(run_call(listener(), archs[0], x32 | number).action, REFUSED);
}

/* What the accelerator notes is not seen again; only what it calls from its very instruction. */
static void what_was_noted_passes(void **state)
{
    (void)state;
    uint32_t archs[2];
    unsigned count = followed(archs);
    for (unsigned a = 0; a < count; a++)
        for (int number = 0; number < NUMBERS; number++) {
            struct seccomp_data data = {.nr = number, .arch = archs[a]};
            if (run(listener(), &data).action != SECCOMP_RET_USER_NOTIF)
                continue;
            data.instruction_pointer = RING_CODE_AFTER;
            assert_int_equal(run(listener(), &data).action, SECCOMP_RET_ALLOW);
            assert_int_not_equal(run(stops(), &data).action, SECCOMP_RET_ALLOW);
            data.instruction_pointer = RING_CODE_AFTER ^ 1;
            assert_int_equal(run(listener(), &data).action, SECCOMP_RET_USER_NOTIF);
            data.instruction_pointer = RING_CODE_AFTER ^ UINT64_C(1) << 32;
            assert_int_equal(run(listener(), &data).action, SECCOMP_RET_USER_NOTIF);
        }
}

/* What every process does all the time is let pass without a look at arguments: Linux remembers it. */
static void frequent_calls_never_run_it(void **state)
{
    (void)state;
    static const char *const names[] = {
        "read",
        "write",
        "pread64",
        "pwrite64",
        "readv",
        "writev",
        "close",
        "fstat",
        "fstat64",
        "lseek",
        "_llseek",
        "mmap",
        "mmap2",
        "mprotect",
        "munmap",
        "mremap",
        "madvise",
        "brk",
        "ioctl",
        "fcntl",
        "fcntl64",
        "dup",
        "dup2",
        "dup3",
        "pipe",
        "pipe2",
        "poll",
        "ppoll",
        "select",
        "_newselect",
        "pselect6",
        "epoll_wait",
        "epoll_pwait",
        "epoll_ctl",
        "futex",
        "sched_yield",
        "clone",
        "clone3",
        "fork",
        "vfork",
        "exit",
        "exit_group",
        "wait4",
        "waitpid",
        "waitid",
        "getpid",
        "getppid",
        "gettid",
        "getuid",
        "getuid32",
        "geteuid",
        "getegid",
        "getcwd",
        "umask",
        "uname",
        "getrlimit",
        "prlimit64",
        "getrusage",
        "sysinfo",
        "gettimeofday",
        "clock_gettime",
        "clock_gettime64",
        "nanosleep",
        "clock_nanosleep",
        "rt_sigaction",
        "rt_sigprocmask",
        "rt_sigreturn",
        "rt_sigsuspend",
        "sigaltstack",
        "sigreturn",
        "prctl",
        "arch_prctl",
        "set_tid_address",
        "set_robust_list",
        "rseq",
        "set_thread_area",
        "getrandom",
        "memfd_create",
        "copy_file_range",
        "sendfile",
        "socket",
        "socketpair",
        "sendmsg",
        "recvmsg",
        "sendto",
        "recvfrom",
        "close_range",
        "pidfd_open",
    };
    static const char *const names_of_ours[] = {"fchmod", "fchown", "fsetxattr", "fgetxattr",
                                                "kill",   "tgkill", "setitimer", "fstatfs"};
    const unsigned all = sizeof names / sizeof *names;
    uint32_t archs[2];
    unsigned count = followed(archs);
    for (unsigned a = 0; a < count; a++)
        for (unsigned i = 0; i < all + sizeof names_of_ours / sizeof *names_of_ours; i++) {
            const char *name = i < all ? names[i] : names_of_ours[i - all];
            int number = seccomp_syscall_resolve_name_arch(archs[a], name);
            if (number < 0 || (i >= all && a > 0))
                continue;
            struct verdict verdict = run_call(listener(), archs[a], number);
            if (verdict.action != SECCOMP_RET_ALLOW || verdict.plain != verdict.steps)
                fail_msg("%s (%d of %#x) runs the filter", name, number, archs[a]);
        }
}

/*
 * What the filter costs each step: its length, and how far Linux runs it for each number. The bounds
 * are what it takes (2026: 142 instructions for two architectures; 9.3 and 10.6 for a number) and room
 * for some calls more. Beyond 255 instructions, jumps would not reach their leaves.
 */
static void it_is_short(void **state)
{
    (void)state;
    enum { MOST = 150, MOST_FOR_A_NUMBER = 11 };
    assert_in_range(listener()->len, 1, MOST);
    assert_in_range(stops()->len, 1, MOST);
    uint32_t archs[2];
    unsigned count = followed(archs);
    for (unsigned a = 0; a < count; a++) {
        unsigned plain = 0;
        for (int number = 0; number < ASKED_FOR; number++)
            plain += run_call(listener(), archs[a], number).plain;
        assert_in_range(plain, 1, ASKED_FOR * MOST_FOR_A_NUMBER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_that_matters_is_seen), cmocka_unit_test(arguments_decide),
        cmocka_unit_test(what_is_not_followed_is_refused), cmocka_unit_test(what_was_noted_passes),
        cmocka_unit_test(frequent_calls_never_run_it),     cmocka_unit_test(it_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
