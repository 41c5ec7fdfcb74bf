#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "trace/private.h"

static enum read_result failure(void)
{
    /* EPERM: a process that hides its memory (not dumpable); ESRCH: it was killed. */
    return errno == EPERM || errno == EACCES ? READ_REFUSED : READ_FAILED;
}

enum read_result read_bytes(pid_t tid, uint64_t address, void *bytes, size_t length)
{
    struct iovec local = {bytes, length}, remote = {(void *)(uintptr_t)address, length};
    ssize_t got = process_vm_readv(tid, &local, 1, &remote, 1, 0);
    if (got < 0)
        return failure();
    return got == (ssize_t)length ? READ_DONE : READ_FAILED;
}

/* A NUL-ended string, in pieces that cross no page, so that nothing past a mapping's end is asked
 * for. */
enum read_result read_path(pid_t tid, uint64_t address, struct str *out)
{
    enum { PIECE = 256, PAGE = 4096 };
    str_cut(out, 0);
    char piece[PIECE];
    while (out->len < PATH_MAX) {
        size_t length = PAGE - (size_t)(address % PAGE);
        if (length > PIECE)
            length = PIECE;
        struct iovec local = {piece, length}, remote = {(void *)(uintptr_t)address, length};
        ssize_t got = process_vm_readv(tid, &local, 1, &remote, 1, 0);
        if (got < 0)
            return failure();
        const char *end = memchr(piece, 0, (size_t)got);
        str_add_n(out, piece, end ? (size_t)(end - piece) : (size_t)got);
        if (end)
            return out->len < PATH_MAX ? READ_DONE : READ_FAILED;
        if (got == 0)
            break;
        address += (uint64_t)got;
    }
    return READ_FAILED; /* ENAMETOOLONG */
}

bool read_link(const char *path, struct str *out)
{
    char target[PATH_MAX + 1];
    ssize_t length = readlink(path, target, PATH_MAX);
    str_cut(out, 0);
    if (length <= 0)
        return false;
    str_add_n(out, target, (size_t)length);
    return true;
}
