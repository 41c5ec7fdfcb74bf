#include "image/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { SPARSE_MIN = 256 * 1024 };

int source_open(struct source *source, const char *path, uint64_t size_bytes, struct err *err)
{
    /* O_NONBLOCK: what was a file when the manifest was read may be a fifo by now. */
    *source = (struct source){.path = path};
    source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (source->fd < 0 || fstat(source->fd, &source->before) < 0) {
        err_set(err, ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
    } else if (!S_ISREG(source->before.st_mode) || (uint64_t)source->before.st_size != size_bytes) {
        err_set(err, ERR_INPUT, "%s changed while the image was made; try again", path);
    } else {
        source->sparse =
            size_bytes > SPARSE_MIN && (uint64_t)source->before.st_blocks * 512 < size_bytes;
        return 0;
    }
    if (source->fd >= 0)
        close(source->fd);
    return -1;
}

int source_read(struct source *source, uint64_t from, void *bytes, size_t length, struct err *err)
{
    char *to = bytes;
    while (length) {
        ssize_t got = pread(source->fd, to, length, (off_t)from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, ERR_INPUT, "cannot read %s: %s", source->path, strerror(errno));
        if (got == 0)
            return err_set(err, ERR_INPUT, "%s became shorter while it was read; try again",
                           source->path);
        to += got;
        from += (uint64_t)got;
        length -= (size_t)got;
    }
    return 0;
}

uint64_t source_data(const struct source *source, uint64_t from)
{
    if (!source->sparse)
        return from;
    off_t data = lseek(source->fd, (off_t)from, SEEK_DATA);
    if (data < 0)
        return errno == ENXIO ? (uint64_t)source->before.st_size : from;
    return (uint64_t)data;
}

uint64_t source_hole(const struct source *source, uint64_t from)
{
    uint64_t size = (uint64_t)source->before.st_size;
    if (!source->sparse)
        return size;
    off_t hole = lseek(source->fd, (off_t)from, SEEK_HOLE);
    return hole < 0 || (uint64_t)hole > size ? size : (uint64_t)hole;
}

int source_close(struct source *source, struct err *err)
{
    struct stat after;
    const struct stat *before = &source->before;
    int status = 0;
    if (err && (fstat(source->fd, &after) < 0 || after.st_size != before->st_size ||
                after.st_mtim.tv_sec != before->st_mtim.tv_sec ||
                after.st_mtim.tv_nsec != before->st_mtim.tv_nsec))
        status = err_set(err, ERR_INPUT, "%s changed while it was read; try again", source->path);
    close(source->fd);
    return status;
}
