#include "run/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "trace/trace.h"

enum { HELD = 4096, NO_SLOT = -1 };

struct guard {
    pid_t pid;
    int socket; /* its end tells the guard that we are gone */
    _Atomic uint64_t *last; /* shared with the guard: by slot, the call received last; NULL: none */
    pthread_mutex_t lock; /* of `groups` */
    int32_t groups[HELD]; /* by slot; 0: free */
};

/* One message (SOCK_SEQPACKET: messages of several threads do not mix). */
struct note {
    int32_t group;
    int32_t what; /* enum what */
    int32_t slot; /* of STEP_BEGINS; or NO_SLOT */
};

enum what { STEP_BEGINS, STEP_ENDS, STEP_LEAVES_SURVIVORS };

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

/* What the guard holds. What it serves has no group any more. */
struct held {
    unsigned count;
    int32_t groups[HELD]; /* 0: ended, and only its listener is served */
    int listeners[HELD]; /* or -1 */
    int32_t slots[HELD];
    _Atomic uint64_t *last;
    struct pollfd fds[HELD + 1]; /* [0]: the socket; then the listeners that we serve */
};

static void drop(struct held *held, unsigned at)
{
    if (held->listeners[at] >= 0)
        close(held->listeners[at]);
    held->count--;
    held->groups[at] = held->groups[held->count];
    held->listeners[at] = held->listeners[held->count];
    held->slots[at] = held->slots[held->count];
}

static void take_note(struct held *held, const struct note *note, int listener)
{
    if (note->what == STEP_BEGINS) {
        if (held->count == HELD) {
            if (listener >= 0)
                close(listener);
            return;
        }
        held->groups[held->count] = note->group;
        held->slots[held->count] = note->slot;
        held->listeners[held->count++] = listener;
        return;
    }
    for (unsigned at = 0; at < held->count; at++) {
        if (held->groups[at] != note->group)
            continue;
        held->groups[at] = 0;
        if (note->what == STEP_ENDS || held->listeners[at] < 0)
            drop(held, at);
        return;
    }
}

/* False once Gantry is gone. */
static bool hear(struct held *held)
{
    struct note note;
    struct iovec data = {&note, sizeof note};
    union control control = {0};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got;
    do
        got = recvmsg(0, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof note)
        return false;
    int listener = -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(&listener, CMSG_DATA(header), sizeof listener);
    take_note(held, &note, listener);
    return true;
}

/* Waits for something to happen; serves survivors. True where the socket has something. */
static bool serve(struct held *held, bool socket)
{
    static unsigned slot[HELD + 1];
    nfds_t count = 0;
    held->fds[count++] = (struct pollfd){.fd = socket ? 0 : -1, .events = POLLIN};
    for (unsigned at = 0; at < held->count; at++)
        if (!held->groups[at]) {
            slot[count] = at;
            held->fds[count++] = (struct pollfd){.fd = held->listeners[at], .events = POLLIN};
        }
    if (poll(held->fds, count, -1) < 0)
        return false;
    for (nfds_t i = count; i-- > 1;) { /* backwards: drop moves the last one down */
        if (held->fds[i].revents & POLLIN)
            trace_let_pass(held->fds[i].fd);
        else if (held->fds[i].revents)
            drop(held, slot[i]);
    }
    return held->fds[0].revents != 0;
}

/* Gantry is gone: its steps end, and what it was about to answer is answered. */
static void end_steps(struct held *held)
{
    for (unsigned i = 0; i < held->count; i++)
        if (held->groups[i] > 0)
            kill(-held->groups[i], SIGKILL);
    for (unsigned i = held->count; i-- > 0;) {
        bool running = held->groups[i] != 0, known = held->last && held->slots[i] != NO_SLOT;
        uint64_t last = known ? atomic_load(&held->last[held->slots[i]]) : 0;
        held->groups[i] = 0;
        if (held->listeners[i] >= 0 && running && last)
            trace_let_go_on(held->listeners[i], last);
        if (held->listeners[i] < 0)
            drop(held, i);
    }
}

/* The guard's whole life. Forked from a process with threads: only what is safe after fork. */
static _Noreturn void stand_guard(int from, _Atomic uint64_t *last)
{
    static struct held held;
    held.last = last;
    setsid();
    prctl(PR_SET_NAME, "gantry-guard");
    static const int deaf[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (unsigned i = 0; i < sizeof deaf / sizeof *deaf; i++)
        signal(deaf[i], SIG_IGN);
    dup2(from, 0);
    close_range(1, ~0U, 0);
    for (;;)
        if (serve(&held, true) && !hear(&held))
            break;
    end_steps(&held);
    /* Gantry waits for us where it still lives: what goes on is a process of its own. */
    if (held.count && fork() != 0)
        _exit(0);
    (void)!chdir("/");
    while (held.count)
        serve(&held, false);
    _exit(0);
}

struct guard *guard_new(struct err *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        err_errno(err, "cannot make a socket");
        return NULL;
    }
    size_t bytes = HELD * sizeof(_Atomic uint64_t);
    void *last = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (last == MAP_FAILED)
        last = NULL;
    pid_t pid = fork();
    if (pid == 0)
        stand_guard(ends[0], last);
    int number = errno;
    close(ends[0]);
    if (pid < 0) {
        errno = number;
        err_errno(err, "cannot start the guard process");
        close(ends[1]);
        if (last)
            munmap(last, bytes);
        return NULL;
    }
    struct guard *guard = mem_zero(1, sizeof *guard);
    guard->pid = pid;
    guard->socket = ends[1];
    guard->last = last;
    pthread_mutex_init(&guard->lock, NULL);
    return guard;
}

static void tell(struct guard *guard, pid_t group, enum what what, int listener, int32_t slot)
{
    struct note note = {.group = group, .what = (int32_t)what, .slot = slot};
    struct iovec data = {&note, sizeof note};
    union control control = {0};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    if (listener >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof listener);
        memcpy(CMSG_DATA(header), &listener, sizeof listener);
    }
    while (sendmsg(guard->socket, &message, MSG_NOSIGNAL) < 0 && errno == EINTR)
        continue;
}

/* The slot of a group; 0: one that is free. NO_SLOT where there is none. */
static int32_t slot_of(const struct guard *guard, int32_t group)
{
    for (int32_t slot = 0; slot < HELD; slot++)
        if (guard->groups[slot] == group)
            return slot;
    return NO_SLOT;
}

_Atomic uint64_t *guard_add(struct guard *guard, pid_t group, int listener)
{
    int32_t slot = NO_SLOT;
    pthread_mutex_lock(&guard->lock);
    if (listener >= 0 && guard->last && (slot = slot_of(guard, 0)) != NO_SLOT) {
        guard->groups[slot] = group;
        atomic_store(&guard->last[slot], 0);
    }
    pthread_mutex_unlock(&guard->lock);
    tell(guard, group, STEP_BEGINS, listener, slot);
    return slot == NO_SLOT ? NULL : &guard->last[slot];
}

void guard_remove(struct guard *guard, pid_t group, bool survivors)
{
    tell(guard, group, survivors ? STEP_LEAVES_SURVIVORS : STEP_ENDS, -1, NO_SLOT);
    pthread_mutex_lock(&guard->lock);
    int32_t slot = slot_of(guard, group);
    if (slot != NO_SLOT)
        guard->groups[slot] = 0;
    pthread_mutex_unlock(&guard->lock);
}

void guard_free(struct guard *guard)
{
    if (!guard)
        return;
    close(guard->socket);
    while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (guard->last)
        munmap((void *)guard->last, HELD * sizeof *guard->last);
    pthread_mutex_destroy(&guard->lock);
    free(guard);
}
