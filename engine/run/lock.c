/* The lock of a configuration: an flock on a file that says who holds it. */
#include <errno.h>
#include <fcntl.h>
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
    return err_set(err, ERR_INPUT, "built already, held by %s: gantry attach shows that build (%s)",
                   *holder ? holder : "another Gantry", state_dir);
}

/* When a process was started, in clock ticks after the machine was (proc(5), field 22 of stat); 0: it
 * is gone, or has ended and waits for its parent to notice. */
static unsigned long long started(long pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = '\0';
    const char *after_name = strrchr(text, ')'); /* the name may have any character */
    char state = 'Z';
    unsigned long long ticks = 0;
    if (!after_name ||
        sscanf(after_name + 1,
               " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &state, &ticks) != 2 ||
        state == 'Z' || state == 'X')
        return 0;
    return ticks;
}

/* The lock is also held by a child that was just forked, and by the gate of a make. Where the holder
 * was killed these end soon: that is waited for. Its number may be another's by now. One that has just
 * taken the lock has not said yet who it is: that is waited for, too, but not long, since a lock whose
 * file says nothing may be held by anyone. */
static int lock_soon(int fd)
{
    enum { TRIES = 800, TRIES_NAMELESS = 300, PAUSE_NS = 10 * 1000 * 1000 };
    int nameless = 0;
    for (int i = 0;; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        char holder[512] = "";
        const char *second;
        long pid = 0;
        unsigned long long ticks = 0;
        if (errno != EWOULDBLOCK || pread(fd, holder, sizeof holder - 1, 0) < 0)
            return -1;
        bool named = sscanf(holder, "pid %ld", &pid) == 1 && (second = strchr(holder, '\n')) &&
                     sscanf(second, " started %llu", &ticks) == 1;
        nameless += !named;
        if (i == TRIES || nameless == TRIES_NAMELESS ||
            (named && started(pid) && started(pid) == ticks)) {
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
    /* The first line is for people; it is cut where the second would not be read. */
    char *holder = mem_format("pid %ld (%.400s) since %s\nstarted %llu\n", (long)getpid(), command,
                              since, started(getpid()));
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

/* A shared lock for a moment: who wants the lock just then finds a holder that has ended, and tries
 * again (lock_soon). */
bool build_is_locked(const char *state_dir)
{
    char *path = path_join(state_dir, "lock");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    if (fd < 0)
        return false;
    bool locked = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    close(fd);
    return locked;
}
