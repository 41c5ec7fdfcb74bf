/*
 * Copies of make that tell the engine which rules there are by then: forked before make waits, where
 * recipes were started since the last one. make goes on meanwhile and never learns of them.
 */
#include "load/hook.h"

#include <poll.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    COPY_NS = 300 * 1000 * 1000, /* between two copies at least, and before the first */
    COPY_SHARE = 50, /* and this many times what the last one cost */
    COPY_SECONDS = 5, /* of processor time, after which it is killed */
    WATCHED = 64, /* jobs whose end is waited for beside the next copy */
};

void (*make_print_files)(void);

void copy_prepare(void)
{
    if (!make_print_files)
        return;
    void *shared =
        mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    hook.copy_cost_ns = shared == MAP_FAILED ? NULL : shared;
}

void copy_news(void)
{
    hook.news = true;
    if (!hook.copied_ns)
        hook.copied_ns = now_ns();
}

/* In the copy: what make knows of its files goes to the engine. All signals are blocked, for they
 * would have make delete targets. */
static void be_copy(void)
{
    static char buffer[1 << 16];
    const struct rlimit limit = {COPY_SECONDS, COPY_SECONDS};
    struct timespec used;
    setrlimit(RLIMIT_CPU, &limit);
    setpriority(PRIO_PROCESS, 0, 10);
    setenv("TZ", "UTC0", 1); /* times are printed: not to look for the zone's file each time */
    hook.swallow = false;
    hook.base_fd = memfd_create("make-rules", MFD_CLOEXEC);
    if (hook.base_fd < 0 || dup2(hook.base_fd, STDOUT_FILENO) < 0)
        _exit(1);
    __fpurge(stdout); /* what make has not written yet is its own to write */
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    make_print_files();
    fflush(stdout);
    struct wire wire = {.kind = WIRE_RULES};
    send_packet(&wire, NULL, 0, hook.base_fd);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    *hook.copy_cost_ns = (uint64_t)used.tv_sec * 1000000000 + (uint64_t)used.tv_nsec;
    _exit(0);
}

void copy_make(void)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        be_copy();
    sigprocmask(SIG_SETMASK, &before, NULL);
    hook.copy = pid > 0 ? pid : 0;
    hook.copied_ns = now_ns();
    hook.news = false;
}

uint64_t copy_due_ns(void)
{
    if (!hook.news || hook.copy || !hook.copy_cost_ns || hook.engine < 0)
        return UINT64_MAX;
    uint64_t pause = *hook.copy_cost_ns * COPY_SHARE, now = now_ns();
    uint64_t due = hook.copied_ns + (pause > COPY_NS ? pause : COPY_NS);
    return due > now ? due - now : 0;
}

void copy_end(void)
{
    if (!hook.copy)
        return;
    kill(hook.copy, SIGKILL);
    real.waitpid(hook.copy, NULL, 0);
    hook.copy = 0;
}

void copy_before_wait(void)
{
    uint64_t left_ns = copy_due_ns();
    if (left_ns == UINT64_MAX)
        return;
    struct pollfd jobs[WATCHED];
    nfds_t count = 0;
    for (; left_ns && count < hook.jobs_count && count < WATCHED; count++)
        jobs[count] = (struct pollfd){.fd = (int)syscall(SYS_pidfd_open, hook.jobs[count].pid, 0),
                                      .events = POLLIN};
    struct timespec timeout = {(time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000)};
    if (!left_ns || (count && ppoll(jobs, count, &timeout, NULL) == 0))
        copy_make();
    while (count)
        if (jobs[--count].fd >= 0)
            close(jobs[count].fd);
}
