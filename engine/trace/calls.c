#include "trace/calls.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include <linux/audit.h>
#include <seccomp.h>

#define N NO_ARG

/* Names are Linux's own; a name that an architecture lacks resolves to no number there. */
const struct call trace_calls[] = {
    {"open", CALL_OPEN, N, 0, 1, N, N},           {"openat", CALL_OPEN, 0, 1, 2, N, N},
    {"openat2", CALL_OPENAT2, 0, 1, 2, N, N},     {"creat", CALL_CREAT, N, 0, N, N, N},
    {"stat", CALL_STAT, N, 0, N, N, N},           {"stat64", CALL_STAT, N, 0, N, N, N},
    {"lstat", CALL_LSTAT, N, 0, N, N, N},         {"lstat64", CALL_LSTAT, N, 0, N, N, N},
    {"oldstat", CALL_STAT, N, 0, N, N, N},        {"oldlstat", CALL_LSTAT, N, 0, N, N, N},
    {"newfstatat", CALL_STAT, 0, 1, 3, N, N},     {"fstatat64", CALL_STAT, 0, 1, 3, N, N},
    {"statx", CALL_STAT, 0, 1, 2, N, N},          {"access", CALL_STAT, N, 0, N, N, N},
    {"faccessat", CALL_STAT, 0, 1, N, N, N},      {"faccessat2", CALL_STAT, 0, 1, 3, N, N},
    {"statfs", CALL_STAT, N, 0, N, N, N},         {"statfs64", CALL_STAT, N, 0, N, N, N},
    {"readlink", CALL_READLINK, N, 0, N, N, N},   {"readlinkat", CALL_READLINK, 0, 1, N, N, N},
    {"execve", CALL_EXEC, N, 0, N, N, N},         {"execveat", CALL_EXEC, 0, 1, 4, N, N},
    {"uselib", CALL_EXEC, N, 0, N, N, N},         {"rename", CALL_RENAME, N, 0, N, N, 1},
    {"renameat", CALL_RENAME, 0, 1, N, 2, 3},     {"renameat2", CALL_EXCHANGE, 0, 1, 4, 2, 3},
    {"link", CALL_LINK, N, 0, N, N, 1},           {"linkat", CALL_LINK, 0, 1, 4, 2, 3},
    {"symlink", CALL_SYMLINK, N, 1, N, N, N},     {"symlinkat", CALL_SYMLINK, 1, 2, N, N, N},
    {"unlink", CALL_UNLINK, N, 0, N, N, N},       {"unlinkat", CALL_UNLINK, 0, 1, 2, N, N},
    {"rmdir", CALL_RMDIR, N, 0, N, N, N},         {"mkdir", CALL_MKDIR, N, 0, N, N, N},
    {"mkdirat", CALL_MKDIR, 0, 1, N, N, N},       {"mknod", CALL_MKNOD, N, 0, N, N, N},
    {"mknodat", CALL_MKNOD, 0, 1, N, N, N},       {"truncate", CALL_TRUNCATE, N, 0, N, N, N},
    {"truncate64", CALL_TRUNCATE, N, 0, N, N, N}, {"chmod", CALL_META, N, 0, N, N, N},
    {"fchmodat", CALL_META, 0, 1, N, N, N},       {"fchmodat2", CALL_META, 0, 1, 3, N, N},
    {"chown", CALL_META, N, 0, N, N, N},          {"chown32", CALL_META, N, 0, N, N, N},
    {"lchown", CALL_LMETA, N, 0, N, N, N},        {"lchown32", CALL_LMETA, N, 0, N, N, N},
    {"fchownat", CALL_META, 0, 1, 4, N, N},       {"utime", CALL_META, N, 0, N, N, N},
    {"utimes", CALL_META, N, 0, N, N, N},         {"futimesat", CALL_META, 0, 1, N, N, N},
    {"utimensat", CALL_META, 0, 1, 3, N, N},      {"utimensat_time64", CALL_META, 0, 1, 3, N, N},
    {"setxattr", CALL_META, N, 0, N, N, N},       {"lsetxattr", CALL_LMETA, N, 0, N, N, N},
    {"removexattr", CALL_META, N, 0, N, N, N},    {"lremovexattr", CALL_LMETA, N, 0, N, N, N},
    {"chdir", CALL_CHDIR, N, 0, N, N, N},         {"fchdir", CALL_FCHDIR, 0, N, N, N, N},
    {"getdents", CALL_LIST, 0, N, N, N, N},       {"getdents64", CALL_LIST, 0, N, N, N, N},
    {"bind", CALL_BIND, N, 1, 2, N, N},           {"chroot", CALL_ROOT, N, 0, N, N, N},
    {"pivot_root", CALL_ROOT, N, 0, N, N, N},     {"mount", CALL_ROOT, N, 1, N, N, N},
    {"umount2", CALL_ROOT, N, 0, N, N, N},        {"move_mount", CALL_ROOT, N, N, N, N, N},
    {"setns", CALL_ROOT, N, N, N, N, N},
};
const unsigned trace_calls_count = sizeof trace_calls / sizeof *trace_calls;

#undef N

/* By number, for this machine's own architecture and, on x86-64, for i386. */
enum { NUMBERS = 512, TABLES = 2 };
static struct {
    uint32_t arch; /* AUDIT_ARCH_* */
    uint8_t call[NUMBERS]; /* index of trace_calls + 1, or 0 */
} tables[TABLES];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void fill_table(unsigned table, uint32_t arch)
{
    tables[table].arch = arch;
    for (unsigned i = 0; i < trace_calls_count; i++) {
        int number = seccomp_syscall_resolve_name_arch(arch, trace_calls[i].name);
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
