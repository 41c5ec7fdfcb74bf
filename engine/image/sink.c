#include "image/sink.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"
#include "image/bytes.h"

static const struct sink_format format_raw;
static const struct sink_format *const formats[] = {
    [DISK_RAW] = &format_raw, [DISK_QCOW2] = &format_qcow2, [DISK_VMDK] = &format_vmdk,
    [DISK_VDI] = &format_vdi, [DISK_VHD] = &format_vhd,     [DISK_GCE] = &format_gce,
};

/* Whether a name is one that file_out_open makes for `base`, by a process that is gone. */
static bool left_behind(const char *name, const char *base)
{
    size_t length = strlen(base);
    char *end = NULL;
    if (strncmp(name, base, length) != 0 || name[length] != '.' || !isdigit(name[length + 1]))
        return false;
    errno = 0;
    long pid = strtol(name + length + 1, &end, 10);
    if (errno || pid <= 0 || pid != (pid_t)pid || *end != '-' || !isdigit(end[1]))
        return false;
    strtoul(end + 1, &end, 10);
    return strcmp(end, ".tmp") == 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/* Removes what killed writers of the same file left. Who still writes has its file locked: another
 * namespace's process looks gone, too. */
static void sweep(const char *path)
{
    char *directory = path_dir(path);
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    DIR *handle = opendir(directory);
    for (struct dirent *d; handle && (d = readdir(handle));) {
        if (!left_behind(d->d_name, base))
            continue;
        int fd = openat(dirfd(handle), d->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        struct stat st;
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
            flock(fd, LOCK_EX | LOCK_NB) == 0)
            unlinkat(dirfd(handle), d->d_name, 0);
        if (fd >= 0)
            close(fd);
    }
    if (handle)
        closedir(handle);
    free(directory);
}

int sink_open(struct sink *sink, const char *path, enum disk_format format, uint64_t most_bytes,
              const struct image_io *io, struct err *err)
{
    *sink = (struct sink){
        .format = format, .shape = formats[format], .io = io, .out = {.fd = -1}, .fd = -1};
    sweep(path);
    if (file_out_open(&sink->out, path, 0666, err) < 0)
        return -1;
    flock(sink->out.fd, LOCK_SH | LOCK_NB); /* see sweep; without locks nothing is lost */
    sink->fd = sink->out.fd;
    sink->buffer = mem_alloc(SINK_BUFFER);
    if (sink->shape->cluster_bytes) {
        sink->content = XXH3_createState();
        XXH3_128bits_reset(sink->content);
    }
    if (!sink->shape->begin || sink->shape->begin(sink, most_bytes, err) == 0)
        return 0;
    sink_abandon(sink);
    return -1;
}

uint64_t sink_at(const struct sink *sink)
{
    return sink->base + sink->used;
}

uint64_t *sink_place(struct sink *sink, uint64_t virtual)
{
    uint64_t cluster = virtual / sink->shape->cluster_bytes;
    size_t table = (size_t)(cluster / SINK_TABLE);
    while (sink->tables.len <= table)
        vec_push(&sink->tables, NULL);
    if (!sink->tables.at[table])
        sink->tables.at[table] = mem_zero(SINK_TABLE, sizeof(uint64_t));
    return &sink->tables.at[table][cluster % SINK_TABLE];
}

uint64_t sink_id(const struct sink *sink, uint64_t which)
{
    XXH128_hash_t digest = XXH3_128bits_digest(sink->content);
    const uint64_t words[3] = {digest.low64, digest.high64, which};
    return hash_bytes(words, sizeof words).low;
}

static bool all_zero(const unsigned char *bytes, size_t length)
{
    return !bytes[0] && memcmp(bytes, bytes + 1, length - 1) == 0;
}

/* Bytes from `virtual` on that lie together in the file, at most `length`; and where, 0: in a hole. */
static size_t find_place(struct sink *sink, uint64_t virtual, size_t length, uint64_t *at)
{
    *at = virtual;
    uint32_t cluster = sink->shape->cluster_bytes;
    if (!cluster)
        return length;
    uint64_t within = virtual % cluster, place = *sink_place(sink, virtual);
    *at = place ? place + within : 0;
    return cluster - within < length ? (size_t)(cluster - within) : length;
}

/* Writes to the file; clusters get their place here. */
static int write_through(struct sink *sink, uint64_t virtual, const unsigned char *bytes,
                         size_t length, struct err *err)
{
    const struct sink_format *shape = sink->shape;
    if (sink->content) {
        XXH3_128bits_update(sink->content, &virtual, sizeof virtual);
        XXH3_128bits_update(sink->content, bytes, length);
    }
    while (length) {
        uint64_t at;
        size_t piece = find_place(sink, virtual, length, &at);
        if (!at && shape->cluster_bytes) {
            *sink_place(sink, virtual) = sink->next + shape->lead_bytes;
            sink->next += shape->lead_bytes + shape->cluster_bytes;
            continue;
        }
        if (file_pwrite(sink->fd, sink->out.path, bytes, piece, at, err) < 0)
            return -1;
        bytes += piece;
        virtual += piece;
        length -= piece;
    }
    return 0;
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
            size_t piece = sink->used - end < SINK_PIECE ? sink->used - end : SINK_PIECE;
            if (all_zero(sink->buffer + end, piece))
                break;
            end += piece;
        }
        if (end > from &&
            write_through(sink, sink->base + from, sink->buffer + from, end - from, err) < 0)
            return -1;
        from = end > from ? end : from + SINK_PIECE;
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

/* Bytes of a source that has no hole there, straight into the buffer. */
static int read_data(struct sink *sink, struct source *source, uint64_t from, uint64_t end,
                     struct err *err)
{
    while (from < end) {
        size_t room = SINK_BUFFER - sink->used;
        size_t piece = end - from < room ? (size_t)(end - from) : room;
        if (source_read(source, from, sink->buffer + sink->used, piece, err) < 0)
            return -1;
        from += piece;
        sink->used += piece;
        if (sink->used == SINK_BUFFER && flush(sink, err) < 0)
            return -1;
    }
    return 0;
}

int sink_source(struct sink *sink, struct source *source, uint64_t from, uint64_t length,
                struct err *err)
{
    uint64_t start = sink_at(sink), end = from + length;
    for (uint64_t at = from; at < end;) {
        uint64_t data = source_data(source, at);
        if (data >= end)
            break;
        uint64_t hole = source_hole(source, data);
        if (hole > end)
            hole = end;
        if (hole <= data)
            return err_set(err, ERR_INPUT, "%s changed while it was read; try again", source->path);
        if (sink_zero_to(sink, start + (data - from), err) < 0 ||
            read_data(sink, source, data, hole, err) < 0)
            return -1;
        at = hole;
    }
    return sink_zero_to(sink, start + length, err);
}

int sink_file(struct sink *sink, const char *host, uint64_t size_bytes, struct err *err)
{
    struct source source;
    if (source_open(&source, host, size_bytes, err) < 0)
        return -1;
    int status = sink_source(sink, &source, 0, size_bytes, err);
    int closed = source_close(&source, status ? NULL : err);
    return status ? status : closed;
}

int sink_patch(struct sink *sink, uint64_t offset, const void *bytes, size_t length,
               struct err *err)
{
    const unsigned char *from = bytes;
    if (offset < sink->base) {
        uint64_t below = sink->base - offset;
        size_t piece = length < below ? length : (size_t)below;
        if (write_through(sink, offset, from, piece, err) < 0)
            return -1;
        from += piece;
        offset += piece;
        length -= piece;
    }
    if (length)
        memcpy(sink->buffer + (offset - sink->base), from, length);
    return 0;
}

int sink_put(struct sink *sink, uint64_t offset, const void *bytes, size_t length, struct err *err)
{
    uint64_t end = sink_at(sink);
    const unsigned char *from = bytes;
    if (offset < end) {
        size_t piece = length < end - offset ? length : (size_t)(end - offset);
        if (sink_patch(sink, offset, from, piece, err) < 0)
            return -1;
        from += piece;
        offset += piece;
        length -= piece;
    }
    if (!length)
        return 0;
    return sink_zero_to(sink, offset, err) < 0 ? -1 : sink_write(sink, from, length, err);
}

/* Bytes of the file; behind its end there are zeros. */
static int read_back(struct sink *sink, uint64_t at, unsigned char *bytes, size_t length,
                     struct err *err)
{
    while (length) {
        ssize_t got = pread(sink->fd, bytes, length, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, "cannot read %s", sink->out.path);
        if (got == 0) {
            memset(bytes, 0, length);
            break;
        }
        bytes += got;
        at += (uint64_t)got;
        length -= (size_t)got;
    }
    return 0;
}

int sink_get(struct sink *sink, uint64_t offset, void *bytes, size_t length, struct err *err)
{
    unsigned char *to = bytes;
    while (length) {
        uint64_t at;
        size_t piece;
        if (offset >= sink->base) {
            uint64_t end = sink_at(sink);
            size_t there = offset < end ? (size_t)(end - offset) : 0;
            piece = there < length ? there : length;
            if (piece)
                memcpy(to, sink->buffer + (offset - sink->base), piece);
            memset(to + piece, 0, length - piece);
            return 0;
        }
        piece = length < sink->base - offset ? length : (size_t)(sink->base - offset);
        piece = find_place(sink, offset, piece, &at);
        if (!at && sink->shape->cluster_bytes)
            memset(to, 0, piece);
        else if (read_back(sink, at, to, piece, err) < 0)
            return -1;
        to += piece;
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
    XXH3_freeState(sink->content);
    sink->content = NULL;
    if (sink->fd >= 0 && sink->fd != sink->out.fd)
        close(sink->fd);
    sink->fd = -1;
}

int sink_finish(struct sink *sink, uint64_t size_bytes, struct err *err)
{
    if (sink->shape->rounded)
        size_bytes = sink->shape->rounded(size_bytes);
    int status = sink_zero_to(sink, size_bytes, err);
    if (!status && sink->used)
        status = flush(sink, err);
    if (!status && !sink->shape->cluster_bytes && ftruncate(sink->fd, (off_t)size_bytes) < 0)
        status = err_errno(err, "cannot write %s", sink->out.path);
    if (!status && sink->shape->end)
        status = sink->shape->end(sink, size_bytes, err);
    int named = sink->out.fd;
    if (sink->fd == named)
        sink->fd = -1;
    if (status)
        file_out_abandon(&sink->out);
    else
        status = file_out_commit(&sink->out, err);
    forget(sink);
    return status;
}

void sink_abandon(struct sink *sink)
{
    if (sink->fd == sink->out.fd)
        sink->fd = -1;
    file_out_abandon(&sink->out);
    forget(sink);
}
