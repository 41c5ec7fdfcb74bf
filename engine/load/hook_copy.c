/*
 * Copies of make that tell the engine which rules there are by then: forked before make waits, where
 * recipes were started since the last one. make goes on meanwhile and never learns of them.
 *
 * And one that tells all that was read, before make looks at the first file: by that the engine knows
 * whether an edit of a makefile changed any rule. For that one make waits.
 */
#include "load/hook.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* ---- all that was read ---- */

static struct {
    const int *snapped; /* make's own: set once the rules are complete */
    void (*print_variables)(void);
    void (*print_rules)(void);
    void (*print_vpath)(void);
    bool wanted;
    uint64_t *opened; /* hashes of names of files that were opened: makefiles, mostly */
    size_t opened_count, opened_room;
} read_once;

static uint64_t hash_name(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return hash;
}

void copy_opens(const char *path)
{
    if (!read_once.wanted)
        return;
    if (read_once.opened_count == read_once.opened_room) {
        size_t room = read_once.opened_room ? 2 * read_once.opened_room : 64;
        uint64_t *opened = realloc(read_once.opened, room * sizeof *opened);
        if (!opened)
            return;
        read_once.opened = opened;
        read_once.opened_room = room;
    }
    read_once.opened[read_once.opened_count++] = hash_name(path);
}

static bool was_opened(const char *path)
{
    uint64_t hash = hash_name(path);
    for (size_t i = 0; i < read_once.opened_count; i++)
        if (read_once.opened[i] == hash)
            return true;
    return false;
}

bool copy_can_tell(void)
{
    read_once.snapped = dlsym(RTLD_DEFAULT, "snapped_deps");
    *(void **)&read_once.print_variables = dlsym(RTLD_DEFAULT, "print_variable_data_base");
    *(void **)&read_once.print_rules = dlsym(RTLD_DEFAULT, "print_rule_data_base");
    *(void **)&read_once.print_vpath = dlsym(RTLD_DEFAULT, "print_vpath_data_base");
    return read_once.snapped && read_once.print_vpath && read_once.print_variables &&
           read_once.print_rules && make_print_files;
}

void copy_tell_when_read(void)
{
    read_once.wanted = true;
}

static _Noreturn void print_what_was_read(int descriptor)
{
    static char buffer[1 << 16];
    setenv("TZ", "UTC0", 1);
    hook.swallow = false;
    hook.base_fd = descriptor;
    if (dup2(descriptor, STDOUT_FILENO) < 0)
        _exit(1);
    __fpurge(stdout);
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    read_once.print_variables();
    read_once.print_rules();
    read_once.print_vpath();
    make_print_files();
    _exit(fflush(stdout) == 0 ? 0 : 1);
}

static void tell_and_wait(struct wire *wire, int descriptor)
{
    send_packet(wire, NULL, 0, descriptor);
    ssize_t got;
    do
        got = hook.engine < 0 ? 0 : recv(hook.engine, wire, sizeof *wire, 0);
    while (got < 0 && errno == EINTR);
}

static void tell_what_was_read(void)
{
    sigset_t all, before;
    int descriptor = memfd_create("make-read", MFD_CLOEXEC), status = 1;
    settle();
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = descriptor < 0 ? -1 : fork();
    if (pid == 0)
        print_what_was_read(descriptor);
    while (pid > 0 && real.waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    sigprocmask(SIG_SETMASK, &before, NULL);
    struct wire wire = {.kind = WIRE_READ};
    tell_and_wait(&wire, pid > 0 && status == 0 ? descriptor : -1);
    if (descriptor >= 0)
        close(descriptor);
}

/* Without a descriptor the engine knows that it cannot know. */
void copy_tell_at_last(void)
{
    if (!read_once.wanted || !hook.ready)
        return;
    read_once.wanted = false;
    struct wire wire = {.kind = WIRE_READ};
    tell_and_wait(&wire, -1);
}

/* make looks at a file. Once its rules are complete it looks at the times of its makefiles first, whether
 * they are to be remade. */
static void before_stat(const char *path)
{
    int error = errno;
    if (!read_once.wanted || !hook.ready || !*read_once.snapped || !was_opened(path))
        return;
    read_once.wanted = false;
    tell_what_was_read();
    errno = error;
}

int stat(const char *restrict path, struct stat *restrict status)
{
    before_stat(path);
    return fstatat(AT_FDCWD, path, status, 0);
}

/* The same of programs that were linked with a C library before 2.33. */
int __xstat(int version, const char *path, struct stat *status);
int __xstat(int version, const char *path, struct stat *status)
{
    (void)version;
    before_stat(path);
    return fstatat(AT_FDCWD, path, status, 0);
}
