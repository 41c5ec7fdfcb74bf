/* The threads of a traced tree: whose they are, where they stand, what they execute. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "trace/accelerate.h"
#include "trace/common.h"
#include "trace/private.h"

enum {
    QUIET_NS = 250 * 1000 * 1000, /* no system gives a number out again within this */
    COMMAND_BYTES = 1024, /* kept of a command line */
    ARGUMENTS = 32, /* looked at */
    ARGUMENT_BYTES = 256,
    LOOK_NS = 1000 * 1000, /* a change that takes longer is looked at, as often, */
    CHANGE_NS = 1000 * 1000 * 1000, /* and is over after so long, whatever is to be seen of it */
};

static struct thread *find_slot(struct trace_server *server, pid_t tid)
{
    size_t mask = server->threads_cap - 1;
    size_t at = (size_t)tid * 0x9E3779B1u & mask;
    while (server->threads[at].tid && server->threads[at].tid != tid)
        at = (at + 1) & mask;
    return &server->threads[at];
}

static void grow_threads(struct trace_server *server)
{
    struct thread *old = server->threads;
    size_t old_cap = server->threads_cap;
    server->threads_cap = old_cap ? old_cap * 2 : 16;
    server->threads = mem_zero(server->threads_cap, sizeof *server->threads);
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].tid)
            *find_slot(server, old[i].tid) = old[i];
    free(old);
}

static void distrust(struct trace_server *server)
{
    server->generation++;
    resolve_forget(&server->resolver);
}

static void end_change(struct trace_server *server, struct thread *thread)
{
    thread->changing = false;
    for (size_t i = 0; i < server->changes.len; i++)
        if (server->changes.at[i].tid == thread->tid) {
            server->changes.at[i] = server->changes.at[--server->changes.len];
            break;
        }
    distrust(server);
    common_ways_changed(); /* what others found meanwhile may be of before */
    server->resolver.distrust = server->changes.len > 0;
}

struct thread *thread_of(struct trace_server *server, pid_t tid, uint64_t now_ns)
{
    if ((server->threads_len + 1) * 2 > server->threads_cap)
        grow_threads(server);
    struct thread *thread = find_slot(server, tid);
    bool known = thread->tid != 0;
    if (!known) {
        thread->tid = tid;
        thread->process = INTERN_NONE;
        server->threads_len++;
    }
    if (!known || now_ns - thread->seen_ns > QUIET_NS) {
        struct trace *before = thread->trace;
        thread->trace = server->only ? server->only : server->trace_of(server->data, tid);
        if (thread->trace != before)
            thread->process = INTERN_NONE;
        free(thread->directory);
        thread->directory = NULL;
    }
    thread->seen_ns = now_ns;
    if (thread->moving)
        server->generation++;
    thread->moving = false;
    if (thread->changing)
        end_change(server, thread);
    return thread;
}

const char *thread_directory(const struct trace_server *server, const struct thread *thread)
{
    if (thread->directory && thread->directory_of == server->generation)
        return thread->directory;
    return server->directory_of == server->generation ? server->directory : NULL;
}

void thread_stands(struct trace_server *server, struct thread *thread, const char *directory)
{
    free(thread->directory);
    thread->directory = mem_copy(directory);
    thread->directory_of = server->generation;
    if (!server->only || server->moved)
        return; /* steps of a make stand where they like */
    free(server->directory);
    server->directory = mem_copy(directory);
    server->directory_of = server->generation;
}

void thread_changes(struct trace_server *server, struct thread *thread, int number)
{
    if (!thread->changing)
        vec_push(&server->changes, (struct change){thread->tid, number, thread->seen_ns});
    thread->changing = true;
    distrust(server);
    server->resolver.distrust = true;
}

void thread_moves(struct trace_server *server, struct thread *thread)
{
    thread->moving = true;
    server->generation++;
    free(server->directory);
    server->directory = NULL;
    server->moved = true;
}

/* Whether a thread may still be in the call that it was let go with; proc_pid_syscall(5). */
static bool is_at_it(const struct change *change)
{
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%ld/syscall", (long)change->tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    bool hidden = length < 0 && (errno == EPERM || errno == EACCES);
    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return hidden;
    text[length] = '\0';
    return str_starts(text, "running") || atoi(text) == change->number;
}

void threads_look_at_changes(struct trace_server *server, uint64_t now_ns)
{
    if (!server->changes.len || now_ns - server->looked_ns < LOOK_NS)
        return;
    server->looked_ns = now_ns;
    for (size_t i = server->changes.len; i-- > 0;) {
        const struct change *change = &server->changes.at[i];
        uint64_t for_ns = now_ns - change->since_ns;
        if (for_ns > CHANGE_NS || (for_ns > LOOK_NS && !is_at_it(change)))
            end_change(server, find_slot(server, change->tid));
    }
}

/* NUL-ended words as a command line. */
static uint32_t add_command(struct trace *trace, char *words, size_t length)
{
    for (size_t i = 0; i + 1 < length; i++)
        if (!words[i])
            words[i] = ' ';
    return intern_id_n(&trace->commands, words, strnlen(words, length));
}

uint32_t thread_process(struct trace_server *server, struct thread *thread)
{
    (void)server;
    if (thread->process != INTERN_NONE)
        return thread->process;
    char path[64], words[COMMAND_BYTES];
    snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)thread->tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, words, sizeof words);
    if (fd >= 0)
        close(fd);
    thread->process = (uint32_t)thread->trace->processes.len;
    uint32_t command = length > 0 ? add_command(thread->trace, words, (size_t)length) : INTERN_NONE;
    vec_push(&thread->trace->processes, (struct trace_process){thread->tid, INTERN_NONE, command});
    return thread->process;
}

struct words {
    char text[COMMAND_BYTES]; /* each NUL-ended */
    size_t used;
    bool full;
};

static void add_word(void *data, const char *text, size_t length)
{
    struct words *words = data;
    words->full |= words->used + length + 1 > sizeof words->text;
    if (words->full)
        return;
    memcpy(words->text + words->used, text, length);
    words->used += length;
    words->text[words->used++] = '\0';
}

/* The arguments of an exec. */
static void read_arguments(pid_t tid, uint64_t argv, bool words_of_4, struct words *words)
{
    unsigned width = words_of_4 ? 4 : 8;
    union {
        uint32_t narrow[ARGUMENTS];
        uint64_t wide[ARGUMENTS];
    } pointers = {0};
    uint64_t at[ARGUMENTS];
    size_t room = 4096 - (size_t)(argv % 4096);
    size_t bytes = room < (size_t)width * ARGUMENTS ? room : (size_t)width * ARGUMENTS;
    if (read_bytes(tid, argv, &pointers, bytes) != READ_DONE)
        return;
    size_t count = 0;
    for (; count < bytes / width; count++) {
        at[count] = words_of_4 ? pointers.narrow[count] : pointers.wide[count];
        if (!at[count])
            break;
    }
    read_strings(tid, at, count, ARGUMENT_BYTES, add_word, words);
}

pid_t thread_leader(pid_t tid)
{
    if (tgkill(tid, tid, 0) == 0 || errno == EPERM)
        return tid;
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/status", (long)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = '\0';
    const char *line = strstr(text, "\nTgid:");
    long pid = tid;
    if (line)
        sscanf(line, "\nTgid: %ld", &pid);
    return (pid_t)pid;
}

void thread_executes(struct trace_server *server, struct thread *thread, uint32_t program,
                     uint64_t argv, bool words_of_4)
{
    struct words words = {.used = 0};
    read_arguments(thread->tid, argv, words_of_4, &words);
    uint32_t command =
        words.used ? add_command(thread->trace, words.text, words.used) : INTERN_NONE;
    thread->process = (uint32_t)thread->trace->processes.len;
    vec_push(&thread->trace->processes, (struct trace_process){thread->tid, program, command});
    free(thread->directory); /* the number may belong to a new process */
    thread->directory = NULL;
    pid_t leader = thread_leader(thread->tid); /* whose number the program will have */
    struct thread *known = leader != thread->tid ? find_slot(server, leader) : thread;
    if (known->tid && known->trace == thread->trace)
        known->process = thread->process;
}

void thread_forget(struct trace_server *server, pid_t tid)
{
    struct thread *thread = server->threads_cap ? find_slot(server, tid) : NULL;
    if (thread && thread->tid)
        thread->seen_ns = 0;
}

void threads_drop(struct trace_server *server, const struct trace *trace)
{
    for (size_t i = 0; i < server->threads_cap; i++) {
        struct thread *thread = &server->threads[i];
        if (!thread->tid || thread->trace != trace)
            continue;
        if (thread->changing)
            end_change(server, thread);
        thread->trace = NULL;
        thread->process = INTERN_NONE;
        thread->seen_ns = 0;
    }
}

void threads_free(struct trace_server *server)
{
    if (server->changes.len)
        common_ways_changed();
    for (size_t i = 0; i < server->threads_cap; i++)
        free(server->threads[i].directory);
    free(server->threads);
    vec_free(&server->changes);
}
