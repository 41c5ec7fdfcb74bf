/* The filter: built once by libseccomp, then installed by each child with the raw system call,
 * since libseccomp itself may not be called between fork and exec. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include "base/mem.h"
#include "trace/calls.h"
#include "trace/trace.h"
#include "trace/wire.h"

struct trace_filter {
    struct sock_fprog program;
};

static struct trace_filter *the_filter;
static struct err filter_error;
static pthread_once_t filter_once = PTHREAD_ONCE_INIT;

/*
 * fstat(fd) comes from glibc as newfstatat(fd, "", ..., AT_EMPTY_PATH), which names no path: such
 * calls pass unseen. The same flag with a path is rare (and a stat is weak).
 */
static int add_stat_rules(scmp_filter_ctx ctx, int number, unsigned flags_arg)
{
    return seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, number, 1,
                            SCMP_CMP(flags_arg, SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, 0));
}

static int add_rules(scmp_filter_ctx ctx)
{
    for (unsigned i = 0; i < trace_calls_count; i++) {
        const struct call *call = &trace_calls[i];
        int number = seccomp_syscall_resolve_name(call->name);
        if (number == __NR_SCMP_ERROR)
            continue;
        int status = call->op == CALL_STAT && call->flags != NO_ARG
                         ? add_stat_rules(ctx, number, (unsigned)call->flags)
                         : seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, number, 0);
        if (status < 0 && status != -EDOM) /* EDOM: not on this architecture */
            return status;
    }
    /* A new mount namespace changes what paths mean; other uses of unshare pass. */
    int status = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(unshare), 1,
                                  SCMP_CMP(0, SCMP_CMP_MASKED_EQ, 0x00020000, 0x00020000));
    /* io_uring opens files behind the filter's back: programs fall back to plain calls. */
    if (!status)
        status = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
    return status;
}

static struct sock_filter *exported(scmp_filter_ctx ctx, unsigned short *count)
{
    int fd = memfd_create("filter", MFD_CLOEXEC);
    struct stat st;
    if (fd < 0)
        return NULL;
    struct sock_filter *code = NULL;
    if (seccomp_export_bpf(ctx, fd) == 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
        code = mem_alloc((size_t)st.st_size);
        if (pread(fd, code, (size_t)st.st_size, 0) != st.st_size) {
            free(code);
            code = NULL;
        }
        *count = (unsigned short)((size_t)st.st_size / sizeof *code);
    }
    close(fd);
    return code;
}

static void make_filter(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    if (!ctx) {
        err_set(&filter_error, ERR_SYSTEM, "libseccomp cannot start");
        return;
    }
    /* x32 calls on x86-64 and anything else that is neither: refused, never missed. */
    seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree, not a list */
    if (seccomp_arch_native() == SCMP_ARCH_X86_64)
        seccomp_arch_add(ctx, SCMP_ARCH_X86);
    int status = add_rules(ctx);
    unsigned short count = 0;
    struct sock_filter *code = status ? NULL : exported(ctx, &count);
    seccomp_release(ctx);
    if (!code) {
        err_set(&filter_error, ERR_SYSTEM, "the trace filter cannot be made: %s",
                strerror(status ? -status : errno));
        return;
    }
    the_filter = mem_zero(1, sizeof *the_filter);
    the_filter->program = (struct sock_fprog){.len = count, .filter = code};
}

const struct trace_filter *trace_filter_get(struct err *err)
{
    pthread_once(&filter_once, make_filter);
    if (!the_filter && err)
        *err = filter_error;
    return the_filter;
}

static int install(const struct trace_filter *filter)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter->program);
    if (fd < 0 && errno == EINVAL) /* before 5.19 */
        fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                     &filter->program);
    return (int)fd;
}

int trace_child(const struct trace_filter *filter, int socket)
{
    int listener = install(filter);
    if (listener < 0)
        return -1;
    int status = wire_send_fd(socket, listener);
    int kept = errno;
    close(listener);
    errno = kept;
    return status;
}

int trace_receive(int socket)
{
    return wire_receive_fd(socket);
}

struct trace_features trace_probe(void)
{
    struct trace_features features = {0};
    const struct trace_filter *filter = trace_filter_get(NULL);
    int pair[2];
    if (!filter || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return features;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                          SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
                          &filter->program);
        int killable = fd >= 0;
        if (fd < 0)
            fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                         &filter->program);
        if (fd >= 0)
            wire_send_fd(pair[1], (int)fd);
        _exit(killable);
    }
    close(pair[1]);
    int listener = child > 0 ? wire_receive_fd(pair[0]) : -1;
    close(pair[0]);
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    features.notify = listener >= 0;
    features.killable_wait = WIFEXITED(status) && WEXITSTATUS(status) == 1;
    if (listener >= 0) {
        features.sync_wake_up = wire_sync_wake_up(listener) == 0;
        close(listener);
    }
    return features;
}
