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

bool read_strings(pid_t tid, const uint64_t *at, size_t count, size_t each, read_string *take,
                  void *data)
{
    enum { ROOM = 16 * 1024, SPANS = 64, PAGE = 4096 };
    char bytes[ROOM];
    struct iovec local[SPANS], remote[SPANS]; /* stretches of one page each */
    for (size_t first = 0, next = 0; first < count; first = next) {
        size_t used = 0, spans = 0;
        for (uint64_t begin = 0, end = 0; next < count; next++) {
            uint64_t from = at[next], page_end = (from | (PAGE - 1)) + 1;
            uint64_t to = page_end - from > each ? from + each : page_end;
            bool goes_on = spans && from >= begin && page_end == (begin | (PAGE - 1)) + 1;
            size_t more = (size_t)(!goes_on ? to - from : to > end ? to - end : 0);
            if (used + more > ROOM || (!goes_on && spans == SPANS))
                break;
            if (!goes_on) {
                local[spans] = (struct iovec){bytes + used, 0};
                remote[spans++] = (struct iovec){(void *)(uintptr_t)from, 0};
                begin = end = from;
            }
            local[spans - 1].iov_len = remote[spans - 1].iov_len += more;
            used += more;
            end += more;
        }
        if (process_vm_readv(tid, local, spans, remote, spans, 0) != (ssize_t)used)
            return false;
        for (size_t span = 0; first < next; first++) {
            while (at[first] - (uintptr_t)remote[span].iov_base >= remote[span].iov_len)
                span++;
            size_t skip = (size_t)(at[first] - (uintptr_t)remote[span].iov_base);
            size_t left = remote[span].iov_len - skip;
            const char *text = (const char *)local[span].iov_base + skip;
            take(data, text, strnlen(text, left < each ? left : each));
        }
    }
    return true;
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
