/*
 * The hook: a library preloaded into GNU make and into nothing else (it takes itself out of the
 * environment that make hands on; the gate puts it back where a make starts a make). It
 *   - puts the gate before every recipe line that make starts, and names its target;
 *   - times the calls of $(shell), which are no steps;
 *   - keeps the line that make echoes apart from what else make prints, for the step's log;
 *   - tells when a recipe is over: its last line has ended and make has moved on;
 *   - has make print its data base (-p) and hands it to the engine in place of the user.
 * make is one thread, so all state here is plain. Without an engine, or in a make that is not GNU
 * make 4.0 or later (known by its exported gmk_eval), every function is the C library's own.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <locale.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "load/gate_wire.h"

extern char **environ;

/* What make 4 offers to its loaded objects (gnumake.h). */
static void (*make_eval)(const char *, const void *);
static char *(*make_expand)(const char *);
static void (*make_free)(char *);

/* Where make is reading, or where the variable stands that it expands (its floc, in gnumake.h). */
struct place {
    const char *file;
    unsigned long line, offset;
};
static const struct place *const *const *make_place; /* exported by most makes; else NULL */

struct job {
    pid_t pid;
    uint32_t step, line; /* step 0: a $(shell) */
    char *target; /* or, of a $(shell): the makefile, NUL, the command */
    size_t length; /* of that text; `line` is the makefile's then */
    uint64_t start_ns;
};

static struct {
    bool on; /* connected, and in a GNU make */
    bool ready; /* has greeted, and the export of GANTRY_T was evaluated */
    bool owns_output, owns_error; /* descriptors 1 and 2 are files that the engine gave, */
    bool apart; /* and 2 is the one for standard error */
    int *
        prints; /* make's own flag of -p, which we set; NULL where -p is the user's wish, or unknown */
    int engine;
    uint32_t make, steps;
    char gate[PATH_MAX];
    char preload[PATH_MAX]; /* "LD_PRELOAD=..." for a make that executes itself again */
    struct job *jobs;
    size_t jobs_count, jobs_room;
    struct job ended; /* the last recipe line that was reaped, until make moves on */
    bool ended_is_set, ended_failed;
    char *pending; /* printed by make, not yet written: an echo, if a recipe line follows */
    bool in_line; /* what make printed last had no newline at its end: no echo follows */
    const char *translated; /* the English of what make had translated last: a literal */
    int base_fd, saved_fd; /* while the data base is printed; else -1 */
    bool base_began; /* its first line was printed */
    bool swallow; /* the line after the data base is its own end mark */
} hook = {.engine = -1, .base_fd = -1, .saved_fd = -1};

/* The C library's own functions. */
static struct {
    int (*spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *,
                 const posix_spawnattr_t *, char *const[], char *const[]);
    int (*execvp)(const char *, char *const[]);
    pid_t (*waitpid)(pid_t, int *, int);
    int (*pselect)(int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *);
    void (*exit)(int);
    char *(*ctime)(const time_t *);
    char *(*dcgettext)(const char *, const char *, int);
    FILE *(*fopen)(const char *, const char *);
    DIR *(*opendir)(const char *);
    int (*fputs)(const char *, FILE *);
    ssize_t (*write)(int, const void *, size_t);
} real;

#define FIND(name, symbol) (*(void **)&real.name = dlsym(RTLD_NEXT, symbol))

__attribute__((constructor)) static void find_real(void)
{
    FIND(spawn, "posix_spawn");
    FIND(execvp, "execvp");
    FIND(waitpid, "waitpid");
    FIND(pselect, "pselect");
    FIND(exit, "exit");
    FIND(ctime, "ctime");
    FIND(dcgettext, "dcgettext");
    FIND(fopen, "fopen");
    FIND(opendir, "opendir");
    FIND(fputs, "fputs");
    FIND(write, "write");
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- to the engine ---- */

/* Sends a packet; text that does not fit is cut. An engine that is gone turns the hook off. */
static void send_packet(struct wire *wire, const char *text, size_t length, int descriptor)
{
    if (hook.engine < 0)
        return;
    if (length > WIRE_TEXT)
        length = WIRE_TEXT;
    struct iovec parts[2] = {{wire, sizeof *wire}, {(void *)(uintptr_t)text, length}};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (descriptor >= 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = sizeof control.room;
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &descriptor, sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(hook.engine, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        close(hook.engine);
        hook.engine = -1;
    }
}

/* ---- what make prints ---- */

static void write_pending(void)
{
    if (!hook.pending)
        return;
    char *text = hook.pending;
    hook.pending = NULL;
    real.fputs(text, stdout);
    fflush(stdout);
    free(text);
}

/* "make: ..." and "make[1]: ...": make's own words, never the echo of a recipe. */
static bool is_own_message(const char *text)
{
    const char *name = program_invocation_short_name;
    size_t length = strlen(name);
    if (strncmp(text, name, length) != 0)
        return false;
    text += length;
    if (*text == '[') {
        text += strcspn(text, "]");
        text += *text == ']';
    }
    return strncmp(text, ": ", 2) == 0;
}

/* Puts text in a step's log. */
static void send_echo(uint32_t step, bool error, const char *text)
{
    size_t length = strlen(text);
    for (size_t at = 0; at < length; at += WIRE_TEXT) {
        struct wire wire = {.kind = WIRE_ECHO, .step = step, .a = error};
        send_packet(&wire, text + at, length - at, -1);
    }
}

/* What is pending when a recipe line starts is its echo. */
static void send_pending(uint32_t step)
{
    if (hook.pending && is_own_message(hook.pending))
        write_pending();
    if (!hook.pending)
        return;
    send_echo(step, false, hook.pending);
    free(hook.pending);
    hook.pending = NULL;
}

/* ---- recipes ---- */

/* make has gone on to something else: the recipe whose line ended last is over. */
static void move_on(void)
{
    if (!hook.ended_is_set)
        return;
    hook.ended_is_set = false;
    struct wire wire = {.kind = WIRE_STEP_END, .step = hook.ended.step, .a = hook.ended_failed};
    send_packet(&wire, NULL, 0, -1);
    free(hook.ended.target);
}

/* Called wherever make may wait or end: nothing that was printed or ended may be kept back. */
static void settle(void)
{
    int error = errno;
    move_on();
    write_pending();
    errno = error;
}

static void note_reaped(pid_t pid, int status)
{
    for (size_t i = 0; i < hook.jobs_count; i++) {
        struct job job = hook.jobs[i];
        if (job.pid != pid)
            continue;
        hook.jobs[i] = hook.jobs[--hook.jobs_count];
        if (job.step) {
            hook.ended = job;
            hook.ended_is_set = true;
            hook.ended_failed = false;
        } else {
            struct wire wire = {.kind = WIRE_SHELL,
                                .a = (int64_t)(now_ns() - job.start_ns),
                                .line = job.line,
                                .b = status ? 1 + (int64_t)status : 0};
            send_packet(&wire, job.target, job.length, -1);
            free(job.target);
        }
        return;
    }
}

/* True for `sh -c TEXT`, with any shell or interpreter; `gcc -c file` is none. */
static bool gives_text(char *const argv[])
{
    size_t name = strlen(argv[0]), flags = strlen(argv[1]);
    if (argv[1][0] != '-' || argv[1][flags - 1] != 'c')
        return false;
    return (name >= 2 && strcmp(argv[0] + name - 2, "sh") == 0) || strpbrk(argv[2], " \t\n;(");
}

/* What a person would call the command: the text that a shell is given, or the words. New. */
static char *command_text(char *const argv[])
{
    size_t count = 0, length = 1;
    while (argv[count])
        length += strlen(argv[count++]) + 1;
    if (count == 3 && gives_text(argv))
        return strdup(argv[2]);
    if (length > WIRE_TEXT)
        length = WIRE_TEXT;
    char *text = malloc(length + 1);
    if (!text)
        return NULL;
    size_t at = 0;
    for (size_t i = 0; i < count && at < length; i++)
        at += (size_t)snprintf(text + at, length - at, i ? " %s" : "%s", argv[i]);
    text[at < length ? at : length] = '\0';
    return text;
}

static void note_job(const struct job *job)
{
    if (hook.jobs_count == hook.jobs_room) {
        size_t room = hook.jobs_room ? 2 * hook.jobs_room : 64;
        struct job *jobs = realloc(hook.jobs, room * sizeof *jobs);
        if (!jobs) {
            free(job->target);
            return;
        }
        hook.jobs = jobs;
        hook.jobs_room = room;
    }
    hook.jobs[hook.jobs_count] = *job;
    hook.jobs[hook.jobs_count++].start_ns = now_ns();
}

/* The environment that a child is to see, new: without GANTRY_T, and with `step`, where it is not
 * NULL, in the place of GANTRY_STEP. */
static char **child_env(char *const from[], char *step)
{
    size_t count = 0, out = 0;
    while (from[count])
        count++;
    char **env = malloc((count + 2) * sizeof *env);
    if (!env)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        char *variable = from[i];
        if (variable[0] == 'G' && strncmp(variable, "GANTRY_T=", 9) == 0)
            continue;
        if (step && variable[0] == 'G' && strncmp(variable, "GANTRY_STEP=", 12) == 0)
            continue;
        env[out++] = variable;
    }
    if (step)
        env[out++] = step;
    env[out] = NULL;
    return env;
}

static const char *target_of(char *const env[])
{
    for (; *env; env++)
        if ((*env)[0] == 'G' && strncmp(*env, "GANTRY_T=", 9) == 0)
            return (*env)[9] ? *env + 9 : NULL;
    return NULL;
}

/* The same target as the line that ended last, and make has done nothing in between: the recipe
 * goes on. Otherwise a new step begins. */
static struct job next_line(const char *target)
{
    struct job job = {.step = hook.ended.step, .line = hook.ended.line + 1};
    if (!hook.ended_is_set || strcmp(hook.ended.target, target) != 0) {
        move_on();
        return (struct job){.step = ++hook.steps};
    }
    hook.ended_is_set = false;
    free(hook.ended.target);
    return job;
}

static void tell_job(const struct job *job, const char *target, char *const argv[])
{
    char *command = command_text(argv);
    size_t target_length = strlen(target), command_length = command ? strlen(command) : 0;
    if (target_length + command_length > WIRE_TEXT)
        command_length = target_length < WIRE_TEXT ? WIRE_TEXT - target_length : 0;
    char *text = malloc(target_length + command_length + 1);
    if (text) {
        memcpy(text, target, target_length);
        if (command_length)
            memcpy(text + target_length, command, command_length);
        struct wire wire = {
            .kind = WIRE_JOB, .step = job->step, .line = job->line, .a = (int64_t)target_length};
        send_packet(&wire, text, target_length + command_length, -1);
    }
    free(text);
    free(command);
    send_pending(job->step);
}

static bool runs_make(const char *path)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    return strcmp(base, "make") == 0 || strcmp(base, "gmake") == 0;
}

typedef int spawn_fn(pid_t *, const char *, const posix_spawn_file_actions_t *,
                     const posix_spawnattr_t *, char *const[], char *const[]);

static int spawn_line(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const argv[], char *const env[],
                      const char *target)
{
    struct job job = next_line(target);
    tell_job(&job, target, argv);
    char key[48], step[48];
    snprintf(key, sizeof key, "%u.%u.%u", hook.make, job.step, job.line);
    snprintf(step, sizeof step, "GANTRY_STEP=%u.%u", hook.make, job.step);
    size_t count = 0;
    while (argv[count])
        count++;
    char **child = child_env(env, step), **gated = malloc((count + 4) * sizeof *gated);
    int result = ENOMEM;
    if (gated && child) {
        gated[0] = hook.gate;
        gated[1] = key;
        gated[2] = (char *)(uintptr_t)path;
        memcpy(gated + 3, argv, (count + 1) * sizeof *gated);
        result = real.spawn(pid, hook.gate, actions, attributes, gated, child);
    }
    free(gated);
    free(child);
    if (result == 0) {
        job.pid = *pid;
        job.target = strdup(target);
        if (job.target)
            note_job(&job);
    }
    return result;
}

static void note_shell(pid_t pid, char *const argv[])
{
    const struct place *place = make_place && *make_place ? **make_place : NULL;
    const char *file = place && place->file ? place->file : "";
    struct job job = {.pid = pid, .line = place ? (uint32_t)(place->line + place->offset) : 0};
    char *command = command_text(argv);
    size_t file_length = strlen(file), command_length = command ? strlen(command) : 0;
    job.length = file_length + 1 + command_length;
    job.target = malloc(job.length + 1);
    if (job.target) {
        memcpy(job.target, file, file_length + 1);
        if (command)
            memcpy(job.target + file_length + 1, command, command_length + 1);
        note_job(&job);
    }
    free(command);
}

static int spawn_shell(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const env[])
{
    settle();
    char **child = child_env(env, NULL);
    if (!child)
        return ENOMEM;
    int result = real.spawn(pid, path, actions, attributes, argv, child);
    free(child);
    if (result == 0)
        note_shell(*pid, argv);
    return result;
}

static bool is_program(const char *path)
{
    struct stat status;
    return access(path, X_OK) == 0 && stat(path, &status) == 0 && !S_ISDIR(status.st_mode);
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const env[])
{
    if (!hook.ready)
        return real.spawn(pid, path, actions, attributes, argv, env);
    pid_t own;
    if (!pid)
        pid = &own;
    if (!env)
        env = environ;
    const char *target = target_of(env);
    if (!target)
        return spawn_shell(pid, path, actions, attributes, argv, env);
    /* What cannot be executed fails here and now, with make's own words. */
    if (hook.engine < 0 || !is_program(path))
        return spawn_shell(pid, path, actions, attributes, argv, env);
    return spawn_line(pid, path, actions, attributes, argv, env, target);
}

/* make executes itself again after it remade a makefile: the hook goes along. */
int execvp(const char *path, char *const argv[])
{
    if (!hook.on || !runs_make(path))
        return real.execvp(path, argv);
    settle();
    char **child = child_env(environ, NULL);
    if (child) {
        size_t count = 0, out = 0;
        for (; child[count]; count++)
            if (strncmp(child[count], "LD_PRELOAD=", 11) != 0)
                child[out++] = child[count];
        child[out++] = hook.preload; /* there is room: child_env leaves one free */
        child[out] = NULL;
        environ = child;
    }
    return real.execvp(path, argv);
}

/* ---- where make waits ---- */

pid_t waitpid(pid_t pid, int *status, int options)
{
    if (!hook.on)
        return real.waitpid(pid, status, options);
    int own = 0;
    if (!status)
        status = &own;
    settle();
    pid_t result = real.waitpid(pid, status, options);
    if (result > 0)
        note_reaped(result, *status);
    return result;
}

pid_t wait(int *status)
{
    return waitpid(-1, status, 0);
}

int pselect(int count, fd_set *reads, fd_set *writes, fd_set *errors,
            const struct timespec *timeout, const sigset_t *mask)
{
    if (hook.on)
        settle();
    return real.pselect(count, reads, writes, errors, timeout, mask);
}

void exit(int status)
{
    if (hook.on)
        settle();
    real.exit(status);
    __builtin_unreachable();
}

/* ---- what make says ---- */

/* Whether make says this in English, or had it translated just before. */
static bool is_about(const char *text, const char *english)
{
    return strstr(text, english) || (hook.translated && strstr(hook.translated, english));
}

/* What make says of a line that failed belongs to its step: "make: *** [Makefile:3: x] Error 1"
 * (where the failure is ignored there are no stars), and that it deletes what was half made. True
 * where the step's log has it now. */
static bool note_failure(const char *text)
{
    if (!hook.ended_is_set || !is_own_message(text))
        return false;
    if (strstr(text, "*** ["))
        hook.ended_failed = true;
    else if (!strstr(text, ": [") && !is_about(text, "*** Deleting file") &&
             !is_about(text, "*** Waiting for unfinished"))
        return false;
    if (!hook.owns_error || hook.engine < 0)
        return false;
    send_echo(hook.ended.step, hook.apart, text);
    return true;
}

/* -p makes make say "# make[1]: Entering directory": not so to the user. */
static const char *without_mark(const char *text)
{
    bool marked = hook.prints && strncmp(text, "# ", 2) == 0 && is_own_message(text + 2);
    return marked ? text + 2 : text;
}

int fputs(const char *text, FILE *stream)
{
    if (!hook.on || hook.base_fd >= 0)
        return real.fputs(text, stream);
    text = without_mark(text);
    if (stream == stderr && note_failure(text))
        return 1;
    write_pending();
    bool whole = *text && text[strlen(text) - 1] == '\n';
    if (stream == stdout && hook.owns_output && whole && !hook.in_line)
        hook.pending = strdup(text);
    if (stream == stdout && *text)
        hook.in_line = !whole;
    return hook.pending ? 1 : real.fputs(text, stream);
}

/* With --output-sync make writes its words to the target's temporary file. */
ssize_t write(int descriptor, const void *bytes, size_t length)
{
    if (hook.on && hook.ended_is_set && descriptor > 2 && memmem(bytes, length, "*** [", 5))
        hook.ended_failed = true;
    return real.write(descriptor, bytes, length);
}

/* ---- the data base ---- */

static void begin_data_base(void)
{
    if (hook.base_fd >= 0)
        return;
    settle();
    fflush(stdout);
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer); /* make has it by lines: a call for each */
    hook.saved_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 200);
    hook.base_fd = memfd_create("make-data-base", MFD_CLOEXEC);
    if (hook.base_fd >= 0)
        dup2(hook.base_fd, STDOUT_FILENO);
}

/* print_data_base is the only caller of ctime in make: at its begin, and before its last line. */
char *ctime(const time_t *when)
{
    if (!hook.prints)
        return real.ctime(when);
    bool first = !hook.base_began;
    hook.base_began = true;
    begin_data_base();
    if (!first) {
        fflush(stdout);
        struct wire wire = {.kind = WIRE_DATABASE};
        send_packet(&wire, NULL, 0, hook.base_fd);
        hook.swallow = true;
    }
    return real.ctime(when);
}

static void end_data_base(void)
{
    hook.swallow = false;
    if (hook.saved_fd >= 0)
        dup2(hook.saved_fd, STDOUT_FILENO);
    else
        close(STDOUT_FILENO);
    close(hook.saved_fd);
    close(hook.base_fd);
    hook.base_fd = hook.saved_fd = -1;
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}

/* The data base is read by a program: it is to be in make's own words. */
char *dcgettext(const char *domain, const char *text, int category)
{
    if (hook.base_fd >= 0)
        return (char *)(uintptr_t)text;
    hook.translated = text;
    return real.dcgettext(domain, text, category);
}

static int print(const char *format, va_list arguments)
{
    if (hook.swallow) {
        end_data_base();
        return 0;
    }
    if (!hook.prints || hook.base_fd >= 0)
        return vprintf(format, arguments);
    /* The data base begins with the version (not translated). */
    if (strncmp(format, "%sGNU Make ", 11) == 0)
        begin_data_base();
    else
        write_pending();
    return vprintf(format, arguments);
}

int printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = print(format, arguments);
    va_end(arguments);
    return result;
}

int __printf_chk(int flag, const char *format, ...);
int __printf_chk(int flag, const char *format, ...)
{
    (void)flag;
    va_list arguments;
    va_start(arguments, format);
    int result = print(format, arguments);
    va_end(arguments);
    return result;
}

/* ---- the beginning ---- */

static bool greet(void);

/* The beginning of an entry of make's table of options (struct command_switch of its main.c). */
struct option_entry {
    int letter;
    unsigned type; /* 0: a flag */
    int *value;
    unsigned from_environment : 1;
    unsigned to_environment : 1; /* shown by MAKEFLAGS */
    unsigned others : 30;
    const void *without_argument, *unless_given;
    const char *long_name;
};

static bool lies_in(const struct dl_phdr_info *program, const void *address, size_t length)
{
    uintptr_t at = (uintptr_t)address;
    for (int i = 0; i < program->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &program->dlpi_phdr[i];
        uintptr_t start = program->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && at >= start && at - start < segment->p_memsz &&
            segment->p_memsz - (at - start) >= length)
            return true;
    }
    return false;
}

/* The entry of -p among the data of make: its table is not exported. NULL where it is not found. */
static struct option_entry *find_option(const struct dl_phdr_info *program)
{
    static const char name[] = "print-data-base";
    for (int i = 0; i < program->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &program->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_X)
            continue;
        uintptr_t at = program->dlpi_addr + segment->p_vaddr;
        uintptr_t end = at + segment->p_filesz;
        at = (at + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
        for (; at + sizeof(struct option_entry) <= end; at += sizeof(void *)) {
            struct option_entry *entry = (struct option_entry *)at;
            if (entry->letter == 'p' && entry->type == 0 &&
                lies_in(program, entry->value, sizeof *entry->value) &&
                lies_in(program, entry->long_name, sizeof name) &&
                memcmp(entry->long_name, name, sizeof name) == 0)
                return entry;
        }
    }
    return NULL;
}

/* Sets the flag of -p, as the user might have, but keeps it out of MAKEFLAGS, so that no makefile
 * and no other make can tell. */
static int set_print_option(struct dl_phdr_info *program, size_t size, void *data)
{
    (void)size;
    (void)data;
    struct option_entry *entry = find_option(program);
    if (!entry || *entry->value)
        return 1;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *start = (char *)((uintptr_t)entry & ~(page - 1));
    size_t length = (size_t)((char *)(entry + 1) - start);
    if (entry->to_environment && mprotect(start, length, PROT_READ | PROT_WRITE) != 0)
        return 1;
    entry->to_environment = 0;
    hook.prints = entry->value;
    *hook.prints = 1;
    return 1; /* make itself comes first: no library is looked at */
}

static void ask_for_data_base(void)
{
    dl_iterate_phdr(set_print_option, NULL);
}

/* Says hello, and has each recipe's target named in its environment. Done as make opens its first
 * makefile or directory: it is where -C led it to then, and its variables are set up. The export is
 * evaluated in make itself, so that neither MAKEFLAGS nor the command line shows it. */
static void begin(void)
{
    static bool busy; /* what is called below comes here again */
    if (!hook.on || hook.ready || busy)
        return;
    busy = true;
    char *version = make_expand("$(MAKE_VERSION)");
    if (version && *version) {
        hook.on = greet();
        if (hook.on) {
            make_eval("export GANTRY_T = $@", NULL);
            ask_for_data_base();
        }
        hook.ready = hook.on;
    }
    if (version)
        make_free(version);
    busy = false;
}

FILE *fopen(const char *path, const char *mode)
{
    begin();
    return real.fopen(path, mode);
}

DIR *opendir(const char *path)
{
    begin();
    return real.opendir(path);
}

/* Which of two files, told by device and inode, is given as this descriptor: 0, 1, or -1. */
static int given(int descriptor, const unsigned long long files[4])
{
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (status.st_dev == files[2 * i] && status.st_ino == files[2 * i + 1])
            return i;
    return -1;
}

/* Reads GANTRY_GATE (gate_wire.h) and connects; -1 where there is no engine. */
static int connect_engine(void)
{
    const char *text = getenv("GANTRY_GATE");
    if (!text)
        return -1;
    const char *end = strchr(text, ':');
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!end || (size_t)(end - text) + 1 > sizeof address.sun_path)
        return -1;
    size_t length = (size_t)(end - text);
    memcpy(address.sun_path + 1, text, length);
    char *rest = (char *)(uintptr_t)end;
    unsigned long long files[4];
    for (int i = 0; i < 4; i++) {
        if (*rest != ':')
            return -1;
        files[i] = strtoull(rest + 1, &rest, 16);
    }
    if (*rest != ':')
        return -1;
    snprintf(hook.gate, sizeof hook.gate, "%s/gate", rest + 1);
    snprintf(hook.preload, sizeof hook.preload, "LD_PRELOAD=%s/hook.so", rest + 1);
    int output = given(STDOUT_FILENO, files), error = given(STDERR_FILENO, files);
    hook.owns_output = output == 0;
    hook.owns_error = error >= 0;
    hook.apart = error == 1;
    int low = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int high = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 200);
    if (high >= 0)
        close(low);
    int descriptor = high >= 0 ? high : low;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    if (descriptor >= 0 && connect(descriptor, (struct sockaddr *)&address, size) != 0) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

/* Says which make this is, and learns its number. */
static bool greet(void)
{
    static char text[PATH_MAX + 64];
    char directory[PATH_MAX];
    const char *step = getenv("GANTRY_STEP");
    if (!getcwd(directory, sizeof directory))
        directory[0] = '\0';
    int length = snprintf(text, sizeof text, "%.40s%c%s", step ? step : "", 0, directory);
    struct wire wire = {.kind = WIRE_MAKE, .a = getpid()};
    send_packet(&wire, text, (size_t)length + 1, -1);
    ssize_t got;
    do
        got = hook.engine < 0 ? -1 : recv(hook.engine, &wire, sizeof wire, 0);
    while (got < 0 && errno == EINTR);
    hook.make = wire.make;
    return got >= (ssize_t)sizeof wire && wire.kind == WIRE_WELCOME;
}

/* Takes the hook out of what make hands on. */
static void leave_environment(void)
{
    const char *list = getenv("LD_PRELOAD");
    const char *rest = list ? strchr(list, ':') : NULL;
    if (rest)
        setenv("LD_PRELOAD", rest + 1, 1);
    else
        unsetenv("LD_PRELOAD");
}

static int (*real_main)(int, char **, char **);

static int hooked_main(int argc, char **argv, char **env)
{
    leave_environment();
    *(void **)&make_eval = dlsym(RTLD_DEFAULT, "gmk_eval");
    *(void **)&make_expand = dlsym(RTLD_DEFAULT, "gmk_expand");
    *(void **)&make_free = dlsym(RTLD_DEFAULT, "gmk_free");
    *(void **)&make_place = dlsym(RTLD_DEFAULT, "expanding_var");
    if (!make_eval || !make_expand || !make_free || argc < 1)
        return real_main(argc, argv, environ);
    hook.engine = connect_engine();
    hook.on = hook.engine >= 0;
    if (!hook.on)
        return real_main(argc, argv, environ);
    (void)env;
    return real_main(argc, argv, environ);
}

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    int (*next)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
                void (*)(void), void *);
    *(void **)&next = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = main;
    return next(hooked_main, argc, argv, init, fini, rtld_fini, stack_end);
}
