#include "base/file.h"
#include "base/look.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/mem.h"

char *file_read(const char *path, size_t *length, struct err *err)
{
    look_at(path);
    return file_read_own(path, length, err);
}

/* Room for a file. A large one is in large pages where there are some: the faults of 4 KiB pages would cost
 * as much as reading it. */
static char *room_for(size_t bytes)
{
    enum { HUGE_BYTES = 2 * 1024 * 1024 };
    void *room = NULL;
    if (bytes < HUGE_BYTES || posix_memalign(&room, HUGE_BYTES, bytes) != 0)
        return mem_alloc(bytes);
    madvise(room, bytes, MADV_HUGEPAGE);
    return room;
}

char *file_read_own(const char *path, size_t *length, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        err_errno(err, "%s", path);
        return NULL;
    }
    struct stat st;
    size_t room = fstat(fd, &st) == 0 && st.st_size > 0 ? (size_t)st.st_size + 1 : 4096;
    char *text = room_for(room + 1);
    size_t used = 0;
    for (;;) {
        if (used == room)
            text = mem_grow(text, (room *= 2) + 1);
        ssize_t got = read(fd, text + used, room - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            err_errno(err, "%s", path);
            free(text);
            close(fd);
            return NULL;
        }
        if (got == 0)
            break;
        used += (size_t)got;
    }
    close(fd);
    text[used] = '\0';
    if (length)
        *length = used;
    return text;
}

int file_make_dirs(const char *path, struct err *err)
{
    char *copy = mem_copy(path);
    int status = 0;
    for (char *p = copy + 1; *copy && !status; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        struct stat st;
        if (mkdir(copy, 0777) < 0 &&
            !(errno == EEXIST && stat(copy, &st) == 0 && S_ISDIR(st.st_mode))) {
            if (errno == EEXIST)
                errno = ENOTDIR;
            status = err_errno(err, "cannot make the directory %s", copy);
        }
        *p = kept;
        if (!kept)
            break;
    }
    free(copy);
    return status;
}

int file_make_parents(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return 0;
    char *parent = mem_copy_n(path, (size_t)(slash - path));
    int status = file_make_dirs(parent, err);
    free(parent);
    return status;
}

int file_out_open(struct file_out *out, const char *path, mode_t mode, struct err *err)
{
    enum { TRIES = 100 };
    static atomic_uint serial;
    *out = (struct file_out){.fd = -1, .path = mem_copy(path)};
    /* One that was killed and had this process's number may have left a file of that name. */
    for (unsigned i = 0; i < TRIES && out->fd < 0 && (!i || errno == EEXIST); i++) {
        free(out->temporary);
        out->temporary =
            mem_format("%s.%ld-%u.tmp", path, (long)getpid(), atomic_fetch_add(&serial, 1));
        out->fd = open(out->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    }
    if (out->fd >= 0)
        return 0;
    err_errno(err, "cannot write %s", path);
    free(out->path);
    free(out->temporary);
    *out = (struct file_out){.fd = -1};
    return -1;
}

int file_out_write(struct file_out *out, const void *bytes, size_t length, struct err *err)
{
    const char *at = bytes;
    while (length) {
        ssize_t done = write(out->fd, at, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_errno(err, "cannot write %s", out->path);
        at += done;
        length -= (size_t)done;
    }
    return 0;
}

static void close_out(struct file_out *out)
{
    if (out->fd >= 0)
        close(out->fd);
    free(out->path);
    free(out->temporary);
    *out = (struct file_out){.fd = -1};
}

int file_out_commit(struct file_out *out, struct err *err)
{
    int status = 0;
    if (fsync(out->fd) < 0 || rename(out->temporary, out->path) < 0) {
        status = err_errno(err, "cannot write %s", out->path);
        unlink(out->temporary);
    }
    close_out(out);
    return status;
}

void file_out_abandon(struct file_out *out)
{
    if (!out->path)
        return;
    unlink(out->temporary);
    close_out(out);
}

int file_write(const char *path, const void *bytes, size_t length, mode_t mode, struct err *err)
{
    struct file_out out;
    if (file_out_open(&out, path, mode, err) < 0)
        return -1;
    if (file_out_write(&out, bytes, length, err) < 0) {
        file_out_abandon(&out);
        return -1;
    }
    return file_out_commit(&out, err);
}

bool file_replace(const char *path, const void *bytes, size_t length)
{
    char *temporary = mem_format("%s.%ld", path, (long)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool good = fd >= 0 && file_pwrite(fd, temporary, bytes, length, 0, NULL) == 0;
    if (fd >= 0)
        close(fd);
    good = good && rename(temporary, path) == 0;
    if (!good)
        unlink(temporary);
    free(temporary);
    return good;
}

int file_pwrite(int fd, const char *path, const void *bytes, size_t length, uint64_t offset,
                struct err *err)
{
    const char *at = bytes;
    while (length) {
        ssize_t done = pwrite(fd, at, length, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_errno(err, "cannot write %s", path);
        at += done;
        offset += (uint64_t)done;
        length -= (size_t)done;
    }
    return 0;
}

int file_hash(const char *path, struct hash *hash, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "%s", path);
    enum { CHUNK = 256 * 1024 };
    char *chunk = mem_alloc(CHUNK);
    XXH3_state_t *state = XXH3_createState();
    XXH3_128bits_reset(state);
    int status = 0;
    for (;;) {
        ssize_t got = read(fd, chunk, CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = err_errno(err, "%s", path);
        if (got <= 0)
            break;
        XXH3_128bits_update(state, chunk, (size_t)got);
    }
    XXH128_hash_t digest = XXH3_128bits_digest(state);
    *hash = (struct hash){digest.low64, digest.high64};
    XXH3_freeState(state);
    free(chunk);
    close(fd);
    return status;
}

struct hash hash_bytes(const void *bytes, size_t length)
{
    XXH128_hash_t digest = XXH3_128bits(bytes, length);
    return (struct hash){digest.low64, digest.high64};
}

bool hash_equal(struct hash a, struct hash b)
{
    return a.low == b.low && a.high == b.high;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

int file_remove_tree(const char *path, struct err *err)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT)
        return 0;
    return err_errno(err, "cannot remove %s", path);
}
