#include "tests/fuzz/ram_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { FIRST_FD = 1 << 24 }; /* none that the system gives */

static struct {
    char path[16];
    unsigned char *bytes;
    size_t length;
} files[RAM_FILES];

const char *ram_file(unsigned index, unsigned char *bytes, size_t length)
{
    snprintf(files[index].path, sizeof files[index].path, "/ram/%u", index);
    files[index].bytes = bytes;
    files[index].length = length;
    return files[index].path;
}

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    for (int i = 0; i < RAM_FILES; i++)
        if (files[i].bytes && strcmp(path, files[i].path) == 0)
            return FIRST_FD + i;
    return __real_open(path, flags, mode);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    return fd >= FIRST_FD ? 0 : __real_close(fd);
}

int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st)
{
    if (fd < FIRST_FD)
        return __real_fstat(fd, st);
    *st = (struct stat){.st_mode = S_IFREG | 0600, .st_size = (off_t)files[fd - FIRST_FD].length};
    return 0;
}

ssize_t __real_pread(int fd, void *bytes, size_t length, off_t at);
ssize_t __wrap_pread(int fd, void *bytes, size_t length, off_t at);
ssize_t __wrap_pread(int fd, void *bytes, size_t length, off_t at)
{
    if (fd < FIRST_FD)
        return __real_pread(fd, bytes, length, at);
    if (at < 0) {
        errno = EINVAL;
        return -1;
    }
    size_t size = files[fd - FIRST_FD].length;
    size_t there = (size_t)at < size ? size - (size_t)at : 0;
    there = there < length ? there : length;
    memcpy(bytes, files[fd - FIRST_FD].bytes + ((size_t)at < size ? at : 0), there);
    return (ssize_t)there;
}
