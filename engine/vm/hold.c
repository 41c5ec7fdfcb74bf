/*
 * Who holds an image. A run takes flock(2) on the image file; the kernel forgets it when the run
 * ends, however it ends. /proc/locks tells the pid.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "vm/spec.h"

/* The pid behind a flock on an open file, by /proc/locks ("1: FLOCK ADVISORY WRITE pid
 * major:minor:inode ..."), 0 where it is not listed. */
static pid_t flock_pid(int fd)
{
    struct stat st;
    FILE *locks = fopen("/proc/locks", "re");
    if (!locks)
        return 0;
    pid_t found = 0;
    char line[256];
    while (fstat(fd, &st) == 0 && !found && fgets(line, sizeof line, locks)) {
        int pid;
        unsigned major_of, minor_of;
        unsigned long inode;
        if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%lu", &pid, &major_of, &minor_of, &inode) ==
                4 &&
            major_of == major(st.st_dev) && minor_of == minor(st.st_dev) && inode == st.st_ino)
            found = pid;
    }
    fclose(locks);
    return found;
}

int vm_hold(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "%s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (errno != EWOULDBLOCK) {
        err_errno(err, "cannot hold %s", path);
    } else {
        pid_t pid = flock_pid(fd);
        if (pid > 0)
            err_set(err, ERR_INPUT, "%s is running already, held by pid %ld; stop that run first",
                    path, (long)pid);
        else
            err_set(err, ERR_INPUT, "%s is running already; stop that run first", path);
    }
    close(fd);
    return -1;
}

bool vm_image_held(const char *path, pid_t *holder)
{
    *holder = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    if (held)
        *holder = flock_pid(fd);
    close(fd);
    return held;
}
