#include "run/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

struct guard {
    pid_t pid;
    int pipe; /* write end; its end tells the guard that we are gone */
};

/* One message; smaller than PIPE_BUF, so writes of several threads do not mix. */
struct note {
    int32_t group;
    int32_t add; /* 1 or 0 */
};

enum { GROUPS = 4096 };

/* The guard's whole life. Forked from a process with threads: only what is safe after fork. */
static _Noreturn void stand_guard(int from)
{
    static int32_t groups[GROUPS];
    unsigned count = 0;
    setsid();
    prctl(PR_SET_NAME, "gantry-guard");
    static const int deaf[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (unsigned i = 0; i < sizeof deaf / sizeof *deaf; i++)
        signal(deaf[i], SIG_IGN);
    dup2(from, 0);
    close_range(1, ~0U, 0);
    for (;;) {
        struct note note;
        ssize_t got = read(0, &note, sizeof note);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != (ssize_t)sizeof note)
            break;
        unsigned at = 0;
        while (at < count && groups[at] != note.group)
            at++;
        if (note.add && at == count && count < GROUPS)
            groups[count++] = note.group;
        else if (!note.add && at < count)
            groups[at] = groups[--count];
    }
    for (unsigned i = 0; i < count; i++)
        kill(-groups[i], SIGKILL);
    _exit(0);
}

struct guard *guard_new(struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        err_errno(err, "cannot make a pipe");
        return NULL;
    }
    pid_t pid = fork();
    if (pid == 0)
        stand_guard(ends[0]);
    close(ends[0]);
    if (pid < 0) {
        err_errno(err, "cannot start the guard process");
        close(ends[1]);
        return NULL;
    }
    struct guard *guard = mem_alloc(sizeof *guard);
    *guard = (struct guard){.pid = pid, .pipe = ends[1]};
    return guard;
}

static void tell(struct guard *guard, pid_t group, int32_t add)
{
    struct note note = {.group = group, .add = add};
    while (write(guard->pipe, &note, sizeof note) < 0 && errno == EINTR)
        ;
}

void guard_add(struct guard *guard, pid_t group)
{
    tell(guard, group, 1);
}

void guard_remove(struct guard *guard, pid_t group)
{
    tell(guard, group, 0);
}

void guard_free(struct guard *guard)
{
    if (!guard)
        return;
    close(guard->pipe);
    while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    free(guard);
}
