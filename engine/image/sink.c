#include "image/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "image/bytes.h"
#include "image/qcow2.h"

int sink_open(struct sink *sink, const char *path, enum disk_format format,
              const struct image_io *io, struct err *err)
{
    *sink = (struct sink){.format = format, .io = io, .out = {.fd = -1}};
    if (file_out_open(&sink->out, path, 0666, err) < 0)
        return -1;
    sink->buffer = mem_alloc(SINK_BUFFER);
    sink->clusters = 1; /* the header's */
    return 0;
}

uint64_t sink_at(const struct sink *sink)
{
    return sink->base + sink->used;
}

static bool all_zero(const unsigned char *bytes, size_t length)
{
    return !bytes[0] && memcmp(bytes, bytes + 1, length - 1) == 0;
}

/* Writes `length` bytes of one cluster of the virtual disk; a qcow2 cluster gets its place here. */
static int write_cluster(struct sink *sink, uint64_t virtual, const unsigned char *bytes,
                         size_t length, struct err *err)
{
    uint64_t at = virtual;
    if (sink->format == DISK_QCOW2) {
        uint64_t *place = qcow2_place(sink, virtual);
        if (!*place)
            *place = sink->clusters++ * SINK_CLUSTER;
        at = *place;
    }
    return file_pwrite(sink->out.fd, sink->out.path, bytes, length, at, err);
}

/* Writes what the buffer holds, zeros left out as holes, and moves on to the next buffer. */
static int flush(struct sink *sink, struct err *err)
{
    if (sink->io && sink->io->stopped && sink->io->stopped(sink->io->data))
        return err_set(err, ERR_FAILED, "%s: stopped", sink->out.path);
    size_t from = 0;
    while (from < sink->used) {
        size_t end = from;
        while (end < sink->used) {
            size_t piece = sink->used - end < SINK_CLUSTER ? sink->used - end : SINK_CLUSTER;
            if (all_zero(sink->buffer + end, piece))
                break;
            end += piece;
            if (sink->format == DISK_QCOW2)
                break;
        }
        if (end > from &&
            write_cluster(sink, sink->base + from, sink->buffer + from, end - from, err) < 0)
            return -1;
        from = end > from ? end : from + SINK_CLUSTER;
    }
    sink->base += SINK_BUFFER;
    sink->used = 0;
    if (sink->io && sink->io->progress)
        sink->io->progress(sink->io->data, sink->base, sink->total_bytes);
    return 0;
}

int sink_write(struct sink *sink, const void *bytes, size_t length, struct err *err)
{
    const unsigned char *at = bytes;
    while (length) {
        size_t room = SINK_BUFFER - sink->used, piece = length < room ? length : room;
        memcpy(sink->buffer + sink->used, at, piece);
        sink->used += piece;
        at += piece;
        length -= piece;
        if (sink->used == SINK_BUFFER && flush(sink, err) < 0)
            return -1;
    }
    return 0;
}

int sink_zero_to(struct sink *sink, uint64_t to, struct err *err)
{
    while (sink_at(sink) < to) {
        uint64_t missing = to - sink_at(sink);
        if (!sink->used && missing >= SINK_BUFFER) {
            sink->base += missing / SINK_BUFFER * SINK_BUFFER;
            continue;
        }
        size_t room = SINK_BUFFER - sink->used, piece = missing < room ? (size_t)missing : room;
        memset(sink->buffer + sink->used, 0, piece);
        sink->used += piece;
        if (sink->used == SINK_BUFFER && flush(sink, err) < 0)
            return -1;
    }
    return 0;
}

/* Reads from the descriptor's position until `end` (an offset in the host file). */
static int read_until(struct sink *sink, int fd, const char *host, uint64_t from, uint64_t end,
                      struct err *err)
{
    while (from < end) {
        size_t room = SINK_BUFFER - sink->used;
        size_t piece = end - from < room ? (size_t)(end - from) : room;
        ssize_t got = pread(fd, sink->buffer + sink->used, piece, (off_t)from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, ERR_INPUT, "cannot read %s: %s", host, strerror(errno));
        if (got == 0)
            return err_set(err, ERR_INPUT, "%s became shorter while it was read; try again", host);
        from += (uint64_t)got;
        sink->used += (size_t)got;
        if (sink->used == SINK_BUFFER && flush(sink, err) < 0)
            return -1;
    }
    return 0;
}

/* A file with holes: only its data is read. */
static int read_sparse(struct sink *sink, int fd, const char *host, uint64_t size, struct err *err)
{
    uint64_t start = sink_at(sink), at = 0;
    while (at < size) {
        off_t data = lseek(fd, (off_t)at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break; /* nothing but a hole */
        off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
        uint64_t from = data < 0 ? at : (uint64_t)data;
        uint64_t end = hole < 0 || (uint64_t)hole > size ? size : (uint64_t)hole;
        if (from >= size)
            break;
        if (sink_zero_to(sink, start + from, err) < 0 ||
            read_until(sink, fd, host, from, end, err) < 0)
            return -1;
        at = end;
    }
    return sink_zero_to(sink, start + size, err);
}

static bool same_moment(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int sink_file(struct sink *sink, const char *host, uint64_t size_bytes, struct err *err)
{
    /* O_NONBLOCK: what was a file when the manifest was read may be a fifo by now. */
    int fd = open(host, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_set(err, ERR_INPUT, "cannot read %s: %s", host, strerror(errno));
    struct stat before, after;
    int status = -1;
    if (fstat(fd, &before) < 0) {
        err_set(err, ERR_INPUT, "cannot read %s: %s", host, strerror(errno));
    } else if (!S_ISREG(before.st_mode) || (uint64_t)before.st_size != size_bytes) {
        err_set(err, ERR_INPUT, "%s changed while the image was made; try again", host);
    } else {
        bool sparse = before.st_size > SINK_BUFFER && before.st_blocks * 512 < before.st_size;
        status = sparse ? read_sparse(sink, fd, host, size_bytes, err)
                        : read_until(sink, fd, host, 0, size_bytes, err);
        if (!status && (fstat(fd, &after) < 0 || !same_moment(&before, &after)))
            status = err_set(err, ERR_INPUT, "%s changed while it was read; try again", host);
    }
    close(fd);
    return status;
}

int sink_patch(struct sink *sink, uint64_t offset, const void *bytes, size_t length,
               struct err *err)
{
    const unsigned char *from = bytes;
    while (length) {
        if (offset >= sink->base) {
            memcpy(sink->buffer + (offset - sink->base), from, length);
            return 0;
        }
        size_t room = SINK_CLUSTER - (size_t)(offset % SINK_CLUSTER);
        size_t piece = length < room ? length : room;
        uint64_t at = offset;
        if (sink->format == DISK_QCOW2) {
            uint64_t *place = qcow2_place(sink, offset);
            if (!*place)
                *place = sink->clusters++ * SINK_CLUSTER;
            at = *place + offset % SINK_CLUSTER;
        }
        if (file_pwrite(sink->out.fd, sink->out.path, from, piece, at, err) < 0)
            return -1;
        from += piece;
        offset += piece;
        length -= piece;
    }
    return 0;
}

static void forget(struct sink *sink)
{
    for (size_t i = 0; i < sink->tables.len; i++)
        free(sink->tables.at[i]);
    vec_free(&sink->tables);
    free(sink->buffer);
    sink->buffer = NULL;
}

int sink_finish(struct sink *sink, uint64_t size_bytes, struct err *err)
{
    int status = sink_zero_to(sink, size_bytes, err);
    if (!status && sink->used)
        status = flush(sink, err);
    if (!status && sink->format == DISK_QCOW2)
        status = qcow2_end(sink, size_bytes, err);
    if (!status && sink->format == DISK_RAW && ftruncate(sink->out.fd, (off_t)size_bytes) < 0)
        status = err_errno(err, "cannot write %s", sink->out.path);
    if (status)
        file_out_abandon(&sink->out);
    else
        status = file_out_commit(&sink->out, err);
    forget(sink);
    return status;
}

void sink_abandon(struct sink *sink)
{
    file_out_abandon(&sink->out);
    forget(sink);
}
