/* The hook's recipes: a gate before each line, a recipe's end told. */
#include "load/hook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
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

void settle(void)
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
            shell_reaped(&job, status);
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

char *command_text(char *const argv[])
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

void note_job(const struct job *job)
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

char **child_env(char *const from[], char *step)
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
    copy_tell_at_last();
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
        copy_news();
        job.pid = *pid;
        job.target = strdup(target);
        if (job.target)
            note_job(&job);
    }
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
    copy_end();
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
    if (pid == -1 && !(options & WNOHANG))
        copy_before_wait();
    pid_t result = real.waitpid(pid, status, options);
    while (result > 0 && result == hook.copy) { /* no child that make knows of */
        hook.copy = 0;
        result = real.waitpid(pid, status, options);
    }
    if (result > 0)
        note_reaped(result, *status);
    return result;
}

pid_t wait(int *status)
{
    return waitpid(-1, status, 0);
}

static bool is_longer(const struct timespec *time, uint64_t ns)
{
    return !time || (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec > ns;
}

int pselect(int count, fd_set *reads, fd_set *writes, fd_set *errors,
            const struct timespec *timeout, const sigset_t *mask)
{
    if (!hook.on)
        return real.pselect(count, reads, writes, errors, timeout, mask);
    settle();
    uint64_t left_ns = copy_due_ns();
    if (left_ns != UINT64_MAX && is_longer(timeout, left_ns) && reads && !writes && !errors) {
        struct timespec until = {(time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000)};
        fd_set before = *reads;
        int result = left_ns ? real.pselect(count, reads, NULL, NULL, &until, mask) : 0;
        if (result != 0)
            return result;
        *reads = before;
        copy_make();
    }
    return real.pselect(count, reads, writes, errors, timeout, mask);
}

void exit(int status)
{
    if (hook.on) {
        settle();
        copy_end();
    }
    real.exit(status);
    __builtin_unreachable();
}
