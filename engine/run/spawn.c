#include "run/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "race/live.h"
#include "run/guard.h"
#include "run/meter.h"
#include "trace/supervisor.h"

enum { PATIENCE_MS = 2000, CHUNK = 64 * 1024 };

char **spawn_environment(const char *makeflags)
{
    static const char *const dropped[] = {"MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=", "MAKEOVERRIDES="};
    size_t count = 0;
    while (environ[count])
        count++;
    size_t flags = makeflags ? strlen("MAKEFLAGS=") + strlen(makeflags) + 1 : 0;
    char **copy = mem_alloc((count + 2) * sizeof *copy + flags);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool drop = false;
        for (size_t k = 0; k < sizeof dropped / sizeof *dropped; k++)
            drop |= !strncmp(environ[i], dropped[k], strlen(dropped[k]));
        if (!drop)
            copy[kept++] = environ[i];
    }
    if (makeflags) {
        char *text = (char *)(copy + count + 2);
        memcpy(text, "MAKEFLAGS=", 10);
        memcpy(text + 10, makeflags, strlen(makeflags) + 1);
        copy[kept++] = text;
    }
    copy[kept] = NULL;
    return copy;
}

/* In the child between vfork and exec, on the parent's memory: system calls only. */
static void reset_signals(void)
{
    struct sigaction action;
    for (int number = 1; number < NSIG; number++) {
        if (sigaction(number, NULL, &action) < 0)
            continue;
        if (action.sa_handler == SIG_DFL || (action.sa_handler == SIG_IGN && number != SIGPIPE))
            continue;
        memset(&action, 0, sizeof action);
        action.sa_handler = SIG_DFL;
        sigaction(number, &action, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void say(const char *text)
{
    size_t length = strlen(text);
    while (length && write(2, text, length) < 0 && errno == EINTR)
        ;
}

/* What the child gets besides its command. */
struct child_setup {
    int null, out; /* standard input; output and error */
    const struct supervisor *supervisor; /* NULL: not traced */
    pid_t parent;
};

static _Noreturn void become(const struct child_spec *spec, const char *const *argv,
                             const struct child_setup *setup)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != setup->parent)
        _exit(127);
    dup2(setup->null, 0);
    dup2(setup->out, 1);
    dup2(setup->out, 2);
    reset_signals();
    /* Before it is traced: it is not of the command's doing, and a stop costs. Where it fails, it is
     * tried again, and seen. */
    bool there = chdir(spec->dir) == 0;
    if (setup->supervisor)
        supervisor_child(setup->supervisor); /* where it fails, no listener comes: untraced */
    const char *what = spec->dir;
    if (there || chdir(spec->dir) == 0) {
        what = argv[0];
        execvpe(spec->program ? spec->program : argv[0], (char *const *)(uintptr_t)argv,
                spec->environment);
    }
    const char *reason = strerrordesc_np(errno);
    say("gantry: cannot run ");
    say(what);
    say(": ");
    say(reason ? reason : "unknown error");
    say("\n");
    _exit(127);
}

/* vfork keeps the cost of a step apart from the size of our memory. Its child borrows the stack, so
 * nothing but calls is done here. */
static pid_t start(const struct child_spec *spec, const struct child_setup *setup)
{
    const char *const shell[] = {"/bin/sh", "-c", spec->shell, NULL};
    const char *const *argv = spec->argv ? spec->argv : shell;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t pid = vfork();
    if (pid == 0)
        become(spec, argv, setup);
    int number = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = number;
    return pid;
}

/* What a lane waits on while its child runs. */
struct watch {
    struct build *build;
    struct steplog *log;
    pid_t pid;
    int pipe, pidfd;
    char *chunk; /* read into; NULL: nothing was read yet */
    bool asked; /* SIGTERM was sent */
    uint64_t asked_ns;
    bool killed;
};

/* Reads what is there; false at the end of output. */
static bool drain(struct watch *watch)
{
    /* Nothing of a thread's own: each thread there is would begin by clearing it. */
    if (!watch->chunk)
        watch->chunk = mem_alloc(CHUNK);
    for (;;) {
        ssize_t got = read(watch->pipe, watch->chunk, CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN;
        if (got == 0)
            return false;
        steplog_write(watch->log, watch->chunk, (size_t)got);
        if (got < CHUNK)
            return true;
    }
}

/* Sends what the wish to stop asks for now; returns the ms until more is due, or -1. */
static int press(struct watch *watch)
{
    enum stop_state stop = build_stopping(watch->build);
    if (stop < STOP_KILL || watch->killed)
        return -1;
    if (!watch->asked) {
        watch->asked = true;
        watch->asked_ns = clock_ns();
        kill(-watch->pid, SIGTERM);
        kill(-watch->pid, SIGCONT);
    }
    uint64_t waited_ms = (clock_ns() - watch->asked_ns) / 1000000;
    if (stop == STOP_NOW || waited_ms >= PATIENCE_MS) {
        watch->killed = true;
        kill(-watch->pid, SIGKILL);
        return -1;
    }
    return PATIENCE_MS - (int)waited_ms;
}

static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

/* Follows the child until it has ended and its output is read. */
static void follow(struct watch *watch)
{
    struct pollfd fds[4] = {
        {.fd = watch->pipe, .events = POLLIN},
        {.fd = watch->pidfd, .events = POLLIN},
        {.fd = watch->build->kill_fd, .events = POLLIN},
        {.fd = watch->build->now_fd, .events = POLLIN},
    };
    bool ended = false;
    while (!ended || fds[0].fd >= 0) {
        int timeout = sooner(press(watch), steplog_tell(watch->log));
        fds[2].fd = watch->asked ? -1 : watch->build->kill_fd;
        fds[3].fd = watch->killed || !watch->asked ? -1 : watch->build->now_fd;
        /* A child that left a process behind with our pipe does not hold the lane. */
        if (ended)
            timeout = 0;
        int ready = poll(fds, 4, timeout);
        if (ready < 0 && errno != EINTR)
            break;
        if (fds[0].fd >= 0 && fds[0].revents && !drain(watch))
            fds[0].fd = -1;
        else if (ended && (ready <= 0 || !fds[0].revents))
            break;
        if (fds[1].fd >= 0 && fds[1].revents) {
            ended = true;
            fds[1].fd = -1;
        }
        if (watch->pidfd < 0 && fds[0].fd < 0)
            ended = true; /* no pidfd here: the end of output is the end */
    }
}

/* After a kill: the leader is gone, others of its group may still be going. */
static void clear_group(struct watch *watch)
{
    while (watch->asked && kill(-watch->pid, 0) == 0) {
        if (press(watch) < 0)
            break;
        struct pollfd now = {.fd = watch->build->now_fd, .events = POLLIN};
        poll(&now, 1, 5);
    }
}

int spawn_run(const struct child_spec *spec, struct build *build, struct steplog *log,
              struct child_end *end, struct err *err)
{
    int ends[2];
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || pipe2(ends, O_CLOEXEC) < 0) {
        err_errno(err, "cannot make a pipe");
        if (null >= 0)
            close(null);
        return -1;
    }
    struct supervisor *supervisor =
        build->options.untraced || spec->untraced
            ? NULL
            : supervisor_start(spec->way, spec->real_dir, NULL); /* NULL: it runs untraced */
    uint64_t start_ns = clock_ns();
    struct child_setup setup = {null, ends[1], supervisor, getpid()};
    pid_t pid = start(spec, &setup);
    int number = errno;
    close(null);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        if (supervisor)
            supervisor_finish(supervisor, NULL);
        errno = number;
        return err_errno(err, "cannot start a process");
    }
    int listener = supervisor ? supervisor_listener(supervisor) : -1;
    _Atomic uint64_t *last = guard_add(build->guard, pid, listener);
    if (last)
        supervisor_note_last(supervisor, last);
    meter_set(build->meter, spec->lane, spec->step, pid);
    if (supervisor && supervisor_trace(supervisor))
        live_watch(build->live, spec->step, trace_own_server(supervisor_trace(supervisor)),
                   supervisor_trace(supervisor));
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    struct watch watch = {.build = build, .log = log, .pid = pid, .pipe = ends[0]};
    watch.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    follow(&watch);
    free(watch.chunk);
    int status = 0;
    struct rusage usage = {0};
    while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
        ;
    meter_set(build->meter, spec->lane, spec->step, 0);
    clear_group(&watch);
    live_unwatch(build->live, spec->step);
    bool survivors = false;
    struct trace *trace = supervisor ? supervisor_finish(supervisor, &survivors) : NULL;
    guard_remove(build->guard, pid, survivors);
    close(ends[0]);
    if (watch.pidfd >= 0)
        close(watch.pidfd);
    *end = (struct child_end){
        .exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .wall_ns = clock_ns() - start_ns,
        .cpu_ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
                  (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000,
        .rss_kib = (uint64_t)usage.ru_maxrss,
        .trace = trace,
    };
    return 0;
}
