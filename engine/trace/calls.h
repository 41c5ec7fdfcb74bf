/* The traced system calls as a table: which arguments are paths, and what the call does to them. */
#ifndef GANTRY_TRACE_CALLS_H
#define GANTRY_TRACE_CALLS_H

#include <stdbool.h>
#include <stdint.h>

enum call_op {
    CALL_OPEN, /* flags argument decides */
    CALL_OPENAT2, /* flags stand in struct open_how, to which `flags` points */
    CALL_CREAT,
    CALL_HANDLE, /* opens what has no path here */
    CALL_STAT, /* follows a last link unless AT_SYMLINK_NOFOLLOW */
    CALL_LSTAT,
    CALL_READLINK,
    CALL_EXEC,
    CALL_RENAME,
    CALL_EXCHANGE, /* renameat2: RENAME_EXCHANGE touches both ends */
    CALL_LINK,
    CALL_SYMLINK,
    CALL_UNLINK, /* AT_REMOVEDIR makes it rmdir */
    CALL_RMDIR,
    CALL_MKDIR,
    CALL_MKNOD,
    CALL_TRUNCATE,
    CALL_META,
    CALL_LMETA,
    CALL_CHDIR,
    CALL_FCHDIR,
    CALL_LIST, /* getdents on a descriptor */
    CALL_BIND, /* a socket's name in the file system; `flags` is the address's length */
    CALL_CONNECT,
    CALL_SOCKETCALL, /* of i386: bind and connect with their arguments in memory */
    CALL_ROOT, /* chroot, pivot_root, mount, setns: paths may mean something else now */
    CALL_UNSHARE, /* of the directory, or of what it means */
    CALL_LISTENER, /* seccomp for a listener of its own */
    CALL_TRACER, /* ptrace: only who traces by it himself has to see that */
};

enum { NO_ARG = -1 };

struct call {
    const char *name;
    enum call_op op;
    int8_t dir, path; /* argument indexes of a directory descriptor and a path, or NO_ARG */
    int8_t flags; /* of flags, or NO_ARG */
    int8_t dir2, path2; /* of a second path */
    int8_t argv; /* of an exec */
    int16_t number; /* where libseccomp may be too old to know the name: on every machine; else 0 */
};

extern const struct call trace_calls[];
extern const unsigned trace_calls_count;

/* A call's number on an architecture; negative where it has none there. */
int trace_call_number(const struct call *call, uint32_t arch);
/* The call behind a number of an architecture (AUDIT_ARCH_*), or NULL. */
const struct call *trace_call_of(uint32_t arch, int number);
/* Whether a traced call is worth a stop, by its arguments. What the filter decides on its own is
 * decided here for those who have none. */
bool trace_call_matters(const struct call *call, const uint64_t *arguments);
/* Whether a call is answered with ENOSYS, since it would not be seen: of an architecture that is not
 * followed, or for io_uring. */
bool trace_call_is_refused(uint32_t arch, uint64_t number);

#endif
