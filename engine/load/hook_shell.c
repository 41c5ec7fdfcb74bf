/*
 * The hook's $(shell). Each call is timed. A variable like `INCLUDES = $(shell cc -v ...)` has make run
 * one command for each recipe that it expands, a thousand times in a build: where a command gave the
 * same bytes twice in a row, and the engine, which sees what its processes look at, finds nothing that
 * could make the third another, make is given those bytes again by a program that only prints them.
 * The engine is asked before each time.
 */
#include "load/hook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum {
    CALLS = 32, /* commands that are remembered: those that came last */
    OUTPUT = 60 * 1024, /* bytes of output that are, at most: they travel as one word */
    REFUSALS = 16, /* after which a command is left alone */
};

/* A command, with all that it is given. */
struct call {
    char *key; /* program, words, environment; each NUL-ended */
    size_t key_length;
    char *output; /* of the last time */
    size_t output_length;
    bool printed; /* it did, and ended well */
    unsigned refusals;
    bool repeats; /* the engine knows what it depends on */
    uint64_t used; /* when: a count */
};

static struct call calls[CALLS];
static uint64_t uses;

/* The call whose output make reads now. */
static struct {
    struct call *call; /* NULL: none, or one that is not to be remembered */
    pid_t pid;
    char *text;
    size_t length;
    bool too_long;
    bool watched; /* by the engine */
    uint64_t start_files_ns;
    off_t error_size;
} reading;

static uint64_t files_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- whether a command may be remembered ---- */

/* What says that it may be another each time, though nothing that it looks at changed. */
static bool varies(const char *text)
{
    static const char *const words[] = {"$$", "rand", "second", "time", "epoch", "%(", "read "};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(text, words[i]))
            return true;
    return false;
}

/* What it says on standard error is lost where it does not run, and what it reads there is read by
 * nobody: only a file of ours, which did not grow, and an input that has nothing. */
static off_t size_of_error(void)
{
    struct stat status;
    if (!hook.owns_error || fstat(STDERR_FILENO, &status) != 0)
        return -1;
    return status.st_size;
}

static bool has_plain_input(void)
{
    struct stat status;
    if (fstat(STDIN_FILENO, &status) != 0)
        return true;
    return (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3)) || isatty(STDIN_FILENO);
}

/* ---- the commands that are remembered ---- */

static void put_word(char **at, const char *word)
{
    size_t length = strlen(word) + 1;
    memcpy(*at, word, length);
    *at += length;
}

static char *make_key(const char *path, char *const argv[], char *const env[], size_t *length)
{
    size_t bytes = strlen(path) + 2;
    for (char *const *at = argv; *at; at++)
        bytes += strlen(*at) + 1;
    for (char *const *at = env; *at; at++)
        bytes += strlen(*at) + 1;
    char *key = malloc(bytes), *to = key;
    if (!key)
        return NULL;
    put_word(&to, path);
    for (char *const *at = argv; *at; at++)
        put_word(&to, *at);
    put_word(&to, "");
    for (char *const *at = env; *at; at++)
        put_word(&to, *at);
    *length = bytes;
    return key;
}

/* The place of a command; that of the one not used for longest, where it is new. */
static struct call *call_of(const char *path, char *const argv[], char *const env[])
{
    size_t length;
    char *key = make_key(path, argv, env, &length);
    struct call *oldest = calls;
    if (!key)
        return NULL;
    for (struct call *call = calls; call < calls + CALLS; call++) {
        if (call->key && call->key_length == length && memcmp(call->key, key, length) == 0) {
            free(key);
            call->used = ++uses;
            return call;
        }
        if (call->used < oldest->used)
            oldest = call;
    }
    free(oldest->key);
    free(oldest->output);
    *oldest = (struct call){.key = key, .key_length = length, .used = ++uses};
    return oldest;
}

static bool ask(const struct call *call, enum wire_kind kind)
{
    struct wire wire = {
        .kind = kind, .step = (uint32_t)(call - calls), .a = (int64_t)reading.start_files_ns};
    send_packet(&wire, NULL, 0, -1);
    ssize_t got;
    do
        got = hook.engine < 0 ? -1 : recv(hook.engine, &wire, sizeof wire, 0);
    while (got < 0 && errno == EINTR);
    return got >= (ssize_t)sizeof wire && wire.kind == WIRE_SHELL_ANSWER && wire.a;
}

/* ---- what it prints ---- */

static void note_output(const void *bytes, size_t length)
{
    if (reading.length + length > OUTPUT || memchr(bytes, '\0', length)) {
        reading.too_long = true;
        return;
    }
    char *text = realloc(reading.text, reading.length + length + 1);
    if (!text) {
        reading.too_long = true;
        return;
    }
    memcpy(text + reading.length, bytes, length);
    reading.text = text;
    reading.length += length;
}

ssize_t read(int descriptor, void *bytes, size_t length)
{
    /* Another library's constructor may come before ours. */
    ssize_t got = real.read ? real.read(descriptor, bytes, length)
                            : syscall(SYS_read, descriptor, bytes, length);
    if (reading.call && got > 0)
        note_output(bytes, (size_t)got);
    return got;
}

ssize_t __read_chk(int descriptor, void *bytes, size_t length, size_t room);
ssize_t __read_chk(int descriptor, void *bytes, size_t length, size_t room)
{
    if (length > room)
        abort();
    return read(descriptor, bytes, length);
}

static void begin_reading(struct call *call)
{
    free(reading.text);
    memset(&reading, 0, sizeof reading);
    if (!call || call->refusals >= REFUSALS)
        return;
    reading.call = call;
    reading.error_size = size_of_error();
    reading.start_files_ns = files_ns();
    reading.watched = call->printed && ask(call, WIRE_SHELL_BEGIN);
}

/* make has read it all, and the command has ended. */
static void end_reading(int status)
{
    struct call *call = reading.call;
    bool plain = status == 0 && !reading.too_long && reading.error_size >= 0 &&
                 reading.error_size == size_of_error();
    bool same = plain && call->printed && call->output_length == reading.length &&
                memcmp(call->output ? call->output : "", reading.text ? reading.text : "",
                       reading.length) == 0;
    reading.call = NULL;
    call->printed = plain;
    free(call->output);
    call->output = reading.text;
    call->output_length = reading.length;
    reading.text = NULL;
    if (call->output)
        call->output[call->output_length] = '\0';
    if (!same || !reading.watched)
        return;
    call->repeats = ask(call, WIRE_SHELL_SEEN);
    call->refusals += !call->repeats;
}

void shell_reaped(const struct job *job, int status)
{
    struct wire wire = {.kind = WIRE_SHELL,
                        .a = (int64_t)(now_ns() - job->start_ns),
                        .line = job->line,
                        .b = status ? 1 + (int64_t)status : 0,
                        .c = job->repeated};
    send_packet(&wire, job->target, job->length, -1);
    if (reading.call && reading.pid == job->pid)
        end_reading(status);
}

/* ---- starting it ---- */

static void note_shell(pid_t pid, char *const argv[], bool repeated)
{
    const struct place *place = make_place && *make_place ? **make_place : NULL;
    const char *file = place && place->file ? place->file : "";
    struct job job = {.pid = pid,
                      .line = place ? (uint32_t)(place->line + place->offset) : 0,
                      .repeated = repeated};
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

/* The remembered command, where there is one for these words. */
static struct call *remembered(const char *path, char *const argv[], char *const env[])
{
    if (!hook.repeats || hook.engine < 0 || !has_plain_input())
        return NULL;
    for (char *const *word = argv; *word; word++)
        if (varies(*word))
            return NULL;
    return call_of(path, argv, env);
}

int spawn_shell(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const env[])
{
    settle();
    char **child = child_env(env, NULL);
    if (!child)
        return ENOMEM;
    struct call *call = remembered(path, argv, child);
    bool repeats = call && call->repeats && ask(call, WIRE_SHELL_AGAIN);
    int result;
    begin_reading(repeats ? NULL : call);
    if (repeats) {
        char *say[] = {hook.gate, (char *)(uintptr_t) "say", call->output, NULL};
        if (!call->output)
            say[2] = (char *)(uintptr_t) "";
        result = real.spawn(pid, hook.gate, actions, attributes, say, child);
    } else {
        if (call && call->repeats) { /* something has changed: from the beginning */
            call->repeats = false;
            call->printed = false;
        }
        result = real.spawn(pid, path, actions, attributes, argv, child);
    }
    free(child);
    reading.pid = *pid;
    if (result == 0)
        note_shell(*pid, argv, repeats);
    else
        reading.call = NULL;
    return result;
}
