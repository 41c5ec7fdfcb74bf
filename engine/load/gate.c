/*
 * The gate: the tiny program that stands before each recipe line of a make. It waits for its lane
 * and runs the real command in place, as its own child, so that descriptors, terminal, jobserver,
 * directory, limits and credentials are inherited and not copied; it ends as the command ended.
 *
 *   gate MAKE.STEP.LINE PATH ARGV0 [ARGV...]     one line of a recipe (0.0.0: the whole command)
 *   gate say TEXT                                prints it: a $(shell) whose output is known
 *   make [ARGS...]                               under this name: the next make on PATH, with hook
 *                                                (none where GANTRY_GATE speaks of another Gantry)
 *
 * Started once a recipe line, so it has no libc and no heap: it costs little more than its exec.
 * If the engine is gone, a gate that waits ends with status 1, and one that runs ends its command
 * and all that came from it: a build does not go on unseen.
 */
#include <asm/signal.h>
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/signalfd.h>
#include <linux/stat.h>
#include <linux/time_types.h>
#include <linux/wait.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bare.h"
#include "load/gate.h"
#include "load/gate_wire.h"

#define GRACE_MS 3000 /* between SIGTERM and SIGKILL */

typedef uint64_t signal_set; /* the kernel's sigset_t: bit SIG - 1 */
#define BIT(sig) ((signal_set)1 << ((sig)-1))
#define FORWARDED                                                                                  \
    (BIT(SIGTERM) | BIT(SIGINT) | BIT(SIGHUP) | BIT(SIGQUIT) | BIT(SIGUSR1) | BIT(SIGUSR2))

/* ---- system calls ---- */

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n  xor %ebp,%ebp\n  mov %rsp,%rdi\n  and $-16,%rsp\n  call "
        "gate_main\n  hlt\n");
#else
__asm__(".globl _start\n_start:\n  mov x29, #0\n  mov x30, #0\n  mov x0, sp\n  bl gate_main\n");
#endif

/* The compiler may call these for its own purposes. */
void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);

void *memcpy(void *to, const void *from, size_t length)
{
    for (size_t i = 0; i < length; i++)
        ((char *)to)[i] = ((const char *)from)[i];
    return to;
}

void *memset(void *to, int value, size_t length)
{
    for (size_t i = 0; i < length; i++)
        ((char *)to)[i] = (char)value;
    return to;
}

_Noreturn void leave(int status)
{
    for (;;)
        CALL(__NR_exit_group, status, 0, 0, 0);
}

/* As make says it when it cannot start a command. It looks at the file itself (its reap_children),
 * and says so where the reason is to be seen there. */
static bool make_complains(const char *path)
{
    struct stat status;
    return CALL(__NR_newfstatat, AT_FDCWD, path, &status, 0) != 0 ||
           (status.st_mode & S_IFMT) == S_IFDIR || !(status.st_mode & S_IXUSR) ||
           status.st_size == 0;
}

void complain(const char *path, long error)
{
    char line[5000] = "make: ";
    append(line, sizeof line, path, text_length(path));
    const char *why = error == -ENOENT    ? ": No such file or directory\n"
                      : error == -EACCES  ? ": Permission denied\n"
                      : error == -E2BIG   ? ": Argument list too long\n"
                      : error == -ENOEXEC ? ": Exec format error\n"
                      : error == -ENOMEM  ? ": Cannot allocate memory\n"
                                          : ": cannot be executed\n";
    append(line, sizeof line, why, text_length(why));
    CALL(__NR_write, 2, line, text_length(line), 0);
}

/* ---- what GANTRY_GATE says ---- */

bool read_place(struct place *place, char **env)
{
    const char *text = variable(env, "GANTRY_GATE=");
    if (!text)
        return false;
    place->socket = text;
    while (*text && *text != ':')
        text++;
    place->socket_length = (size_t)(text - place->socket);
    if (!*text++)
        return false;
    place->files = (char *)(uintptr_t)text;
    for (int i = 0; i < 2; i++) {
        place->dev[i] = number_of(&text, 16);
        if (*text++ != ':')
            return false;
        place->ino[i] = number_of(&text, 16);
        if (*text++ != ':')
            return false;
    }
    place->dir = text;
    return true;
}

char **with_hook(char **env, const char *dir, char *room, size_t size, char **list)
{
    const char *old = variable(env, "LD_PRELOAD=");
    room[0] = '\0';
    append(room, size, "LD_PRELOAD=", 11);
    append(room, size, dir, text_length(dir));
    append(room, size, "/hook.so", 8);
    if (old && after(old, room + 11))
        return env;
    if (old && *old) {
        append(room, size, ":", 1);
        append(room, size, old, text_length(old));
    }
    size_t count = 0;
    for (; *env && count < ENV_MAX; env++)
        if (!after(*env, "LD_PRELOAD="))
            list[count++] = *env;
    if (*env)
        return env; /* more variables than anyone has: go without the hook */
    list[count++] = room;
    list[count] = NULL;
    return list;
}

/* ---- one command ---- */

static long engine_connect(const struct place *place)
{
    struct {
        uint16_t family;
        char path[108];
    } address = {.family = 1 /* AF_UNIX */};
    if (place->socket_length + 1 > sizeof address.path)
        return -EINVAL;
    memcpy(address.path + 1, place->socket, place->socket_length);
    long fd = CALL(__NR_socket, 1, 5 /* SOCK_SEQPACKET */ | O_CLOEXEC, 0, 0);
    if (fd < 0)
        return fd;
    /* Out of the way of descriptors that a recipe may expect to be free. */
    long high = CALL(__NR_fcntl, fd, F_DUPFD_CLOEXEC, 200, 0);
    if (high >= 0) {
        CALL(__NR_close, fd, 0, 0, 0);
        fd = high;
    }
    long result;
    do
        result =
            CALL(__NR_connect, fd, &address, sizeof address.family + 1 + place->socket_length, 0);
    while (result == -EINTR);
    return result < 0 ? result : fd;
}

/* Which of the files that we know was given as this descriptor: 0, 1, or -1. */
static int given(int fd, const struct place *place)
{
    struct stat status;
    if (CALL(__NR_fstat, fd, &status, 0, 0) != 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (status.st_dev == place->dev[i] && status.st_ino == place->ino[i])
            return i;
    return -1;
}

static void put_hex(char *to, uint64_t value)
{
    for (int i = 15; i >= 0; i--, value >>= 4)
        to[i] = "0123456789abcdef"[value & 15];
}

/* Puts a log where the file `which` was given, as `at` says of both descriptors. For what runs
 * below, the log is the file to know. */
static void redirect(const struct place *place, int which, const int at[2], const char *log,
                     bool alone)
{
    if (!*log || (at[0] != which && at[1] != which))
        return;
    long fd = CALL(__NR_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    for (int i = 0; i < 2; i++)
        if (at[i] == which)
            CALL(__NR_dup3, fd, 1 + i, 0, 0);
    struct stat status;
    if (CALL(__NR_fstat, fd, &status, 0, 0) == 0)
        for (int i = alone ? 0 : which; i <= (alone ? 1 : which); i++) {
            put_hex(place->files + 34 * i, status.st_dev);
            put_hex(place->files + 34 * i + 17, status.st_ino);
        }
    CALL(__NR_close, fd, 0, 0, 0);
}

/* Puts the step's logs where the files that we know were given, and nowhere else. */
static void redirect_both(const struct place *place, const char *logs)
{
    int at[2] = {given(1, place), given(2, place)};
    const char *second = logs + text_length(logs) + 1;
    redirect(place, 0, at, logs, !*second);
    redirect(place, 1, at, second, false);
}

struct kernel_action {
    unsigned long handler, flags, restorer;
    signal_set mask;
};

struct command {
    const char *path;
    char **argv, **env;
    signal_set mask; /* as it was when the gate was started */
    bool child_ignored; /* SIGCHLD was ignored then */
};

/* Starts the command; its pid, or a negative errno. The child borrows this memory until it execs,
 * and its signal state is the one that the gate was started with. */
static long start(const struct command *command)
{
    volatile long failed = 0;
    long pid = CALL(__NR_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0);
    if (pid == 0) {
        if (command->child_ignored) {
            struct kernel_action ignore = {.handler = 1};
            CALL(__NR_rt_sigaction, SIGCHLD, &ignore, 0, sizeof ignore.mask);
        }
        CALL(__NR_rt_sigprocmask, SIG_SETMASK, &command->mask, 0, sizeof command->mask);
        failed = CALL(__NR_execve, command->path, command->argv, command->env, 0);
        if (failed == -ENOEXEC) { /* a script without #!, as execvp and make do it */
            char **argv = command->argv - 1; /* PATH stands before ARGV0: sh PATH ARGV1... */
            char *kept = argv[1], *before = argv[0];
            argv[0] = (char *)(uintptr_t) "/bin/sh";
            argv[1] = before;
            failed = 0; /* this memory is the parent's: it reads what stands here after the exec */
            failed = CALL(__NR_execve, argv[0], argv, command->env, 0);
            argv[0] = before;
            argv[1] = kept;
        }
        leave(127);
    }
    if (pid > 0 && failed) {
        CALL(__NR_wait4, pid, 0, 0, 0);
        return failed;
    }
    return pid;
}

/* Sends `sig` to every child that this process has now. */
static bool signal_children(int sig)
{
    static char list[65536];
    long fd = CALL(__NR_openat, AT_FDCWD, "/proc/thread-self/children", O_RDONLY | O_CLOEXEC, 0);
    long length = fd < 0 ? 0 : CALL(__NR_read, fd, list, sizeof list - 1, 0);
    if (fd >= 0)
        CALL(__NR_close, fd, 0, 0, 0);
    if (length <= 0)
        return false;
    list[length] = '\0';
    bool any = false;
    for (const char *at = list; *at;) {
        long pid = (long)number_of(&at, 10);
        if (pid > 0) {
            CALL(__NR_kill, pid, sig, 0, 0);
            CALL(__NR_kill, pid, SIGCONT, 0, 0);
            any = true;
        }
        while (*at && (*at < '0' || *at > '9'))
            at++;
    }
    return any;
}

struct watch {
    long engine, signals; /* descriptors; engine -1 once it is gone */
    long child; /* 0 once it has ended */
    long status;
    bool ending; /* told to end, or left alone by the engine: nothing may stay */
    bool interrupted; /* ^C was typed: the command has had it as well */
    bool whole; /* the whole command, not a line of a recipe */
    long waited_ms; /* since `ending` */
};

static void reap(struct watch *watch)
{
    for (;;) {
        int status;
        long pid = CALL(__NR_wait4, -1, &status, 1 /* WNOHANG */, 0);
        if (pid <= 0)
            return;
        if (pid == watch->child) {
            watch->child = 0;
            watch->status = status;
            if (!watch->ending)
                return;
        }
    }
}

static void hear_signals(struct watch *watch)
{
    struct signalfd_siginfo info;
    while (CALL(__NR_read, watch->signals, &info, sizeof info, 0) == (long)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        /* What the terminal sends (SI_KERNEL) goes to the whole group: the command has it. */
        if (info.ssi_code <= 0 && watch->child)
            CALL(__NR_kill, watch->child, info.ssi_signo, 0, 0);
        else
            watch->interrupted = true;
    }
}

static void hear_engine(struct watch *watch)
{
    struct wire wire;
    long length = CALL(__NR_read, watch->engine, &wire, sizeof wire, 0);
    if (length == -EAGAIN || length == -EINTR)
        return;
    if (length <= 0)
        watch->engine = -1;
    else if (wire.kind != WIRE_KILL)
        return;
    if (!watch->ending) {
        watch->ending = true;
        /* After ^C make is cleaning up already: give it a moment before it is told again. */
        watch->waited_ms = watch->interrupted ? -1000 : 0;
    } else if (length > 0) /* told again: at once */
        watch->waited_ms = GRACE_MS;
}

/* Waits until the command has ended (and, where it is to be ended, all that came from it). */
static void supervise(struct watch *watch)
{
    while (watch->child || watch->ending) {
        struct pollfd fds[2] = {{.fd = (int)watch->signals, .events = POLLIN},
                                {.fd = (int)watch->engine, .events = POLLIN}};
        struct __kernel_timespec step = {.tv_nsec = 50 * 1000000};
        CALL(__NR_ppoll, fds, 2, watch->ending ? &step : NULL, NULL);
        if (fds[0].revents)
            hear_signals(watch);
        if (watch->engine >= 0 && fds[1].revents)
            hear_engine(watch);
        reap(watch);
        /* After ^C the engine ends everything; the command may be faster than its word. */
        if (!watch->child && watch->whole && watch->interrupted)
            watch->ending = true;
        if (!watch->ending)
            continue;
        if (watch->waited_ms >= 0) {
            bool last = watch->waited_ms >= GRACE_MS;
            /* SIGTERM once a second: processes that lose their parent come up here meanwhile. */
            bool any = last || watch->waited_ms % 1000 == 0
                           ? signal_children(last ? SIGKILL : SIGTERM)
                           : signal_children(0);
            if (!any && !watch->child)
                return;
        }
        watch->waited_ms += 50;
    }
}

/* Ends this process as the command ended. */
static _Noreturn void end_alike(long status)
{
    long sig = status & 0x7f;
    if (sig) {
        struct kernel_action plain = {0};
        signal_set set = BIT(sig);
        CALL(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0); /* one core file is enough */
        CALL(__NR_rt_sigaction, sig, &plain, 0, sizeof plain.mask);
        CALL(__NR_rt_sigprocmask, SIG_UNBLOCK, &set, 0, sizeof set);
        CALL(__NR_kill, CALL(__NR_getpid, 0, 0, 0, 0), sig, 0, 0);
        leave(128 + (int)sig);
    }
    leave((int)(status >> 8 & 0xff));
}

/*
 * Lines of the recipe that were passed over and are to run after all, as a script: by the shell that
 * this line is for, with its flags, or by /bin/sh.
 */
static long start_script(const struct command *command, const char *script)
{
    static char text[8192 + 4];
    static char *list[64];
    struct command first = *command;
    long count = 0;
    while (command->argv[count])
        count++;
    const char *flags = count >= 3 && count < 62 ? command->argv[count - 2] : "";
    size_t length = text_length(flags);
    bool shell = length > 1 && flags[0] == '-' && flags[length - 1] == 'c';
    memcpy(text, ". ", 2);
    memcpy(text + 2, script, text_length(script) + 1);
    char **argv = list + 1; /* start() may use the place before it */
    for (long i = 0; shell && i < count - 1; i++)
        argv[i] = command->argv[i];
    if (!shell) {
        first.path = "/bin/sh";
        argv[0] = (char *)(uintptr_t)first.path;
        argv[1] = (char *)(uintptr_t) "-c";
    }
    argv[shell ? count - 1 : 2] = text;
    argv[shell ? count : 3] = NULL;
    first.argv = argv;
    return start(&first);
}

static void report(long engine, struct wire *wire, long status)
{
    struct rusage usage;
    memset(&usage, 0, sizeof usage);
    CALL(__NR_getrusage, RUSAGE_CHILDREN, &usage, 0, 0);
    wire->kind = WIRE_EXIT;
    wire->a = status;
    wire->b = ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
              ((int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
    wire->c = usage.ru_maxrss;
    call6(__NR_sendto, engine, (long)wire, sizeof *wire, 0x4000 /* MSG_NOSIGNAL */, 0, 0);
}

/* Asks for a lane and waits for it; the paths of the logs are put in `logs`. */
static long ask(const struct place *place, struct wire *wire, const char **logs)
{
    static char packet[sizeof(struct wire) + 8192 + 3]; /* its end stays NUL, thrice */
    long engine = engine_connect(place);
    if (engine < 0)
        leave(1);
    wire->kind = WIRE_GATE;
    wire->a = CALL(__NR_getpid, 0, 0, 0, 0);
    call6(__NR_sendto, engine, (long)wire, sizeof *wire, 0x4000, 0, 0);
    long length;
    do
        length = CALL(__NR_read, engine, packet, sizeof packet - 3, 0);
    while (length == -EINTR);
    struct wire answer;
    if (length < (long)sizeof answer)
        leave(1);
    memcpy(&answer, packet, sizeof answer);
    if (answer.kind != WIRE_GO)
        leave(answer.kind == WIRE_REFUSE ? (int)answer.a : 1);
    *logs = packet + sizeof answer;
    return engine;
}

static _Noreturn void run_step(char **argv, char **env)
{
    static char preload[8192];
    static char *list[ENV_MAX + 2];
    struct place place;
    struct wire wire = {0};
    const char *key = argv[1];
    struct command command = {.path = argv[2], .argv = argv + 3, .env = env};
    wire.make = (uint32_t)number_of(&key, 10);
    wire.step = *key == '.' ? key++, (uint32_t)number_of(&key, 10) : 0;
    wire.line = *key == '.' ? key++, (uint32_t)number_of(&key, 10) : 0;
    if (!read_place(&place, env))
        leave(1);
    if (!wire.make && !wire.step)
        CALL(__NR_fcntl, LOCK_FD, F_SETFD, FD_CLOEXEC, 0);
    const char *logs;
    long engine = ask(&place, &wire, &logs);
    redirect_both(&place, logs);
    const char *script = logs + text_length(logs) + 1;
    script += text_length(script) + 1;

    const char *name = base_name(command.path);
    if (equal(name, "make") || equal(name, "gmake")) /* started by its path, not through PATH */
        command.env = with_hook(env, place.dir, preload, sizeof preload, list);

    signal_set watched = FORWARDED | BIT(SIGCHLD);
    struct kernel_action plain = {0}, old = {0};
    CALL(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0);
    CALL(__NR_rt_sigprocmask, SIG_BLOCK, &watched, &command.mask, sizeof watched);
    CALL(__NR_rt_sigaction, SIGCHLD, &plain, &old, sizeof plain.mask);
    command.child_ignored = old.handler == 1;
    struct watch watch = {.engine = engine, .whole = wire.make == 0 && wire.step == 0};
    watch.signals = CALL(__NR_signalfd4, -1, &watched, sizeof watched, O_CLOEXEC | O_NONBLOCK);
    if (*script) {
        watch.child = start_script(&command, script);
        if (watch.child >= 0)
            supervise(&watch);
        else
            watch.status = 127 << 8;
    }
    if (!*script || (!watch.status && !watch.ending))
        watch.child = start(&command);
    if (watch.child < 0) {
        if (!wire.make || !make_complains(command.path))
            complain(command.path, watch.child);
        watch.status = 127 << 8;
    } else if (watch.child)
        supervise(&watch);
    if (watch.engine >= 0)
        report(watch.engine, &wire, watch.status);
    end_alike(watch.status);
}

/* What a $(shell) printed before (hook_shell.c). */
static _Noreturn void say(const char *text)
{
    size_t length = text_length(text);
    while (length) {
        long written = CALL(__NR_write, 1, text, length, 0);
        if (written == -EINTR)
            continue;
        if (written <= 0)
            leave(1);
        text += written;
        length -= (size_t)written;
    }
    leave(0);
}

_Noreturn void gate_main(long *stack);

_Noreturn void gate_main(long *stack)
{
    long argc = stack[0];
    char **argv = (char **)(stack + 1);
    char **env = argv + argc + 1;
    if (argc > 0) {
        const char *name = base_name(argv[0]);
        if (equal(name, "make") || equal(name, "gmake"))
            run_next_make(argv, env);
    }
    if (argc == 3 && equal(argv[1], "say"))
        say(argv[2]);
    if (argc < 4)
        leave(2);
    run_step(argv, env);
}
