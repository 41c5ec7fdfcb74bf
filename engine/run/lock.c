/* The lock of a configuration: an flock on a file that says who holds it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "run/build.h"

/* Our command line for people: the program's base name and its arguments. */
static char *command_line(void)
{
    size_t length;
    char *raw = file_read("/proc/self/cmdline", &length, NULL);
    if (!raw)
        return mem_copy("gantry");
    while (length && raw[length - 1] == '\0')
        length--;
    for (size_t i = 0; i < length; i++)
        if (raw[i] == '\0' || raw[i] == '\n')
            raw[i] = ' ';
    size_t name = strcspn(raw, " "), start = name;
    while (start && raw[start - 1] != '/')
        start--;
    char *text = mem_copy(raw + start);
    free(raw);
    return text;
}

static int tell_holder(int fd, const char *state_dir, struct err *err)
{
    char holder[512];
    ssize_t got = pread(fd, holder, sizeof holder - 1, 0);
    holder[got > 0 ? got : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    return err_set(err, ERR_INPUT, "%s is being built already: held by %s", state_dir,
                   *holder ? holder : "another Gantry");
}

/* The lock is also held by a child that was just forked. Where the holder was killed such a child
 * ends at once: that is waited for. */
static int lock_soon(int fd)
{
    enum { TRIES = 800, PAUSE_NS = 10 * 1000 * 1000 };
    for (int i = 0;; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        char holder[64] = "";
        long pid;
        if (errno != EWOULDBLOCK || i == TRIES || pread(fd, holder, sizeof holder - 1, 0) < 0 ||
            sscanf(holder, "pid %ld", &pid) != 1)
            return -1;
        if (kill((pid_t)pid, 0) == 0 || errno != ESRCH) {
            errno = EWOULDBLOCK;
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
}

int build_lock(const char *state_dir, struct err *err)
{
    if (file_make_dirs(state_dir, err) < 0)
        return -1;
    char *path = path_join(state_dir, "lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        err_errno(err, "cannot write %s", path);
    free(path);
    if (fd < 0)
        return -1;
    if (lock_soon(fd) < 0) {
        if (errno == EWOULDBLOCK)
            tell_holder(fd, state_dir, err);
        else
            err_errno(err, "cannot lock %s", state_dir);
        close(fd);
        return -1;
    }
    char since[16];
    time_t now = time(NULL);
    struct tm local;
    strftime(since, sizeof since, "%H:%M", localtime_r(&now, &local));
    char *command = command_line();
    char *holder = mem_format("pid %ld (%s) since %s\n", (long)getpid(), command, since);
    int status = ftruncate(fd, 0);
    if (status == 0)
        status = file_pwrite(fd, state_dir, holder, strlen(holder), 0, err);
    else
        err_errno(err, "cannot write %s", state_dir);
    free(holder);
    free(command);
    if (status < 0)
        close(fd);
    return status < 0 ? -1 : fd;
}
