#include "trace/calls.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>

/* A row: the name, what it does, the arguments of directory, path and flags. Names are Linux's own;
 * a name that an architecture lacks resolves to no number there. */
#define N NO_ARG
#define ONE(name, op, dir, path, flags)                                                            \
    {                                                                                              \
        name, CALL_##op, dir, path, flags, N, N, N, 0                                              \
    }
#define NEW(name, op, dir, path, flags, number)                                                    \
    {                                                                                              \
        name, CALL_##op, dir, path, flags, N, N, N, number                                         \
    }
#define TWO(name, op, dir, path, flags, dir2, path2)                                               \
    {                                                                                              \
        name, CALL_##op, dir, path, flags, dir2, path2, N, 0                                       \
    }
#define RUN(name, dir, path, flags, argv)                                                          \
    {                                                                                              \
        name, CALL_EXEC, dir, path, flags, N, N, argv, 0                                           \
    }

const struct call trace_calls[] = {
    ONE("open", OPEN, N, 0, 1),
    ONE("openat", OPEN, 0, 1, 2),
    ONE("openat2", OPENAT2, 0, 1, 2),
    ONE("creat", CREAT, N, 0, N),
    ONE("stat", STAT, N, 0, N),
    ONE("stat64", STAT, N, 0, N),
    ONE("lstat", LSTAT, N, 0, N),
    ONE("lstat64", LSTAT, N, 0, N),
    ONE("oldstat", STAT, N, 0, N),
    ONE("oldlstat", LSTAT, N, 0, N),
    ONE("newfstatat", STAT, 0, 1, 3),
    ONE("fstatat64", STAT, 0, 1, 3),
    ONE("statx", STAT, 0, 1, 2),
    ONE("access", STAT, N, 0, N),
    ONE("faccessat", STAT, 0, 1, N),
    NEW("faccessat2", STAT, 0, 1, 3, 439),
    ONE("statfs", STAT, N, 0, N),
    ONE("statfs64", STAT, N, 0, N),
    NEW("open_tree", STAT, 0, 1, N, 428),
    NEW("open_tree_attr", STAT, 0, 1, N, 467),
    ONE("inotify_add_watch", STAT, N, 1, N),
    ONE("getxattr", STAT, N, 0, N),
    ONE("lgetxattr", LSTAT, N, 0, N),
    ONE("listxattr", STAT, N, 0, N),
    ONE("llistxattr", LSTAT, N, 0, N),
    NEW("getxattrat", STAT, 0, 1, 2, 464),
    NEW("listxattrat", STAT, 0, 1, 2, 465),
    NEW("file_getattr", STAT, 0, 1, 4, 468),
    ONE("name_to_handle_at", STAT, 0, 1, N),
    ONE("open_by_handle_at", HANDLE, N, N, N),
    NEW("fspick", STAT, 0, 1, N, 433),
    ONE("readlink", READLINK, N, 0, N),
    ONE("readlinkat", READLINK, 0, 1, N),
    RUN("execve", N, 0, N, 1),
    RUN("execveat", 0, 1, 4, 2),
    ONE("uselib", STAT, N, 0, N),
    TWO("rename", RENAME, N, 0, N, N, 1),
    TWO("renameat", RENAME, 0, 1, N, 2, 3),
    TWO("renameat2", EXCHANGE, 0, 1, 4, 2, 3),
    TWO("link", LINK, N, 0, N, N, 1),
    TWO("linkat", LINK, 0, 1, 4, 2, 3),
    ONE("symlink", SYMLINK, N, 1, N),
    ONE("symlinkat", SYMLINK, 1, 2, N),
    ONE("unlink", UNLINK, N, 0, N),
    ONE("unlinkat", UNLINK, 0, 1, 2),
    ONE("rmdir", RMDIR, N, 0, N),
    ONE("mkdir", MKDIR, N, 0, N),
    ONE("mkdirat", MKDIR, 0, 1, N),
    ONE("mknod", MKNOD, N, 0, N),
    ONE("mknodat", MKNOD, 0, 1, N),
    ONE("truncate", TRUNCATE, N, 0, N),
    ONE("truncate64", TRUNCATE, N, 0, N),
    ONE("chmod", META, N, 0, N),
    ONE("fchmodat", META, 0, 1, N),
    NEW("fchmodat2", META, 0, 1, 3, 452),
    ONE("chown", META, N, 0, N),
    ONE("chown32", META, N, 0, N),
    ONE("lchown", LMETA, N, 0, N),
    ONE("lchown32", LMETA, N, 0, N),
    ONE("fchownat", META, 0, 1, 4),
    ONE("utime", META, N, 0, N),
    ONE("utimes", META, N, 0, N),
    ONE("futimesat", META, 0, 1, N),
    ONE("utimensat", META, 0, 1, 3),
    ONE("utimensat_time64", META, 0, 1, 3),
    ONE("setxattr", META, N, 0, N),
    ONE("lsetxattr", LMETA, N, 0, N),
    ONE("removexattr", META, N, 0, N),
    ONE("lremovexattr", LMETA, N, 0, N),
    NEW("setxattrat", META, 0, 1, 2, 463),
    NEW("removexattrat", META, 0, 1, 2, 466),
    NEW("file_setattr", META, 0, 1, 4, 469),
    ONE("chdir", CHDIR, N, 0, N),
    ONE("fchdir", FCHDIR, 0, N, N),
    ONE("getdents", LIST, 0, N, N),
    ONE("getdents64", LIST, 0, N, N),
    ONE("readdir", LIST, 0, N, N),
    ONE("bind", BIND, N, 1, 2),
    ONE("connect", CONNECT, N, 1, 2),
    ONE("socketcall", SOCKETCALL, N, N, N),
    ONE("chroot", ROOT, N, 0, N),
    ONE("pivot_root", ROOT, N, 0, N),
    ONE("mount", ROOT, N, 1, N),
    ONE("umount", ROOT, N, 0, N),
    ONE("umount2", ROOT, N, 0, N),
    NEW("move_mount", ROOT, N, N, N, 429),
    ONE("setns", ROOT, N, N, N),
    ONE("unshare", UNSHARE, N, N, N),
    ONE("seccomp", LISTENER, N, N, N),
    ONE("ptrace", TRACER, N, N, N),
};
const unsigned trace_calls_count = sizeof trace_calls / sizeof *trace_calls;

#undef N
#undef ONE
#undef NEW
#undef TWO
#undef RUN

/* By number, for this machine's own architecture and, on x86-64, for i386. */
enum { NUMBERS = 512, TABLES = 2 };
static struct {
    uint32_t arch; /* AUDIT_ARCH_* */
    uint8_t call[NUMBERS]; /* index of trace_calls + 1, or 0 */
} tables[TABLES];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

int trace_call_number(const struct call *call, uint32_t arch)
{
    if (call->number)
        return call->number;
    return seccomp_syscall_resolve_name_arch(arch, call->name);
}

static void fill_table(unsigned table, uint32_t arch)
{
    tables[table].arch = arch;
    for (unsigned i = 0; i < trace_calls_count; i++) {
        int number = trace_call_number(&trace_calls[i], arch);
        if (number >= 0 && number < NUMBERS)
            tables[table].call[number] = (uint8_t)(i + 1);
    }
}

static void fill_tables(void)
{
    uint32_t native = seccomp_arch_native();
    fill_table(0, native);
    if (native == SCMP_ARCH_X86_64)
        fill_table(1, SCMP_ARCH_X86);
}

const struct call *trace_call_of(uint32_t arch, int number)
{
    pthread_once(&tables_once, fill_tables);
    for (unsigned t = 0; t < TABLES; t++)
        if (tables[t].arch == arch && number >= 0 && number < NUMBERS && tables[t].call[number])
            return &trace_calls[tables[t].call[number] - 1];
    return NULL;
}

bool trace_call_matters(const struct call *call, const uint64_t *arguments)
{
    int request = (int)arguments[0];
    switch (call->op) {
    case CALL_STAT:
        return call->flags == NO_ARG || !(arguments[call->flags] & AT_EMPTY_PATH);
    case CALL_UNSHARE:
        return arguments[0] & (CLONE_FS | CLONE_NEWNS | CLONE_NEWUSER);
    case CALL_LISTENER:
        return arguments[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER;
    case CALL_TRACER:
        return request == PTRACE_TRACEME || request == PTRACE_ATTACH || request == PTRACE_SEIZE;
    default:
        return true;
    }
}

bool trace_call_is_refused(uint32_t arch, uint64_t number)
{
    enum { X32_BIT = 0x40000000, IO_URING_SETUP = 425 }; /* the same on all machines */
    pthread_once(&tables_once, fill_tables);
    if (arch == 0 || (arch != tables[0].arch && arch != tables[1].arch))
        return true;
    return number == IO_URING_SETUP || (arch == AUDIT_ARCH_X86_64 && (int64_t)number >= X32_BIT);
}
