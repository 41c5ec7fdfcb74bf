#include "trace/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vec.h"
#include "trace/stops.h"

enum {
    GUARD_BYTES = 64 * 1024, /* a multiple of any page */
    STACK_BYTES = GUARD_BYTES + 2048 * 1024, /* a sanitizer keeps 900 KiB of its own there */
    STACKS_KEPT = 64,
    GRACE_MS = 20, /* for processes that are ending beside the step's own */
    NUDGE_MS = 2,
    HELPERS_MAX = STOPS_SERVERS - 1,
};

/* A thread that waits for a call hears of nothing else: a signal gets it out. */
static pthread_once_t nudge_once = PTHREAD_ONCE_INIT;

static int nudge_signal(void)
{
    return SIGRTMIN + 6;
}

static void do_nothing(int number)
{
    (void)number;
}

static void prepare_nudge(void)
{
    struct sigaction action = {.sa_handler = do_nothing};
    sigaction(nudge_signal(), &action, NULL);
}

struct serving {
    pthread_t thread;
    char *stack; /* free once the thread is joined */
};

struct supervisor {
    enum trace_way way;
    const struct trace_filter *filter;
    struct serving first;
    int ours, childs; /* the two ends of the socket that the listener comes by */
    int stop_fd; /* written to end the serving */
    int done_fd; /* written by the thread when it has ended */
    int listener_fd; /* written by the thread when it knows whether there is a listener */
    struct trace *trace; /* the thread's until it has ended; NULL: no listener, or a shared one */
    struct trace_server *server; /* of a shared one */
    struct trace *(*trace_of)(void *data, pid_t tid); /* of a shared one; else NULL */
    void *data;
    char *directory; /* where the step begins, or NULL */
    str_list ignored;
    unsigned helpers_wanted, helpers_count; /* threads that serve beside the first */
    struct serving helpers[HELPERS_MAX];
    int listener;
};

static void raise_event(int fd)
{
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

/* Stacks of threads that have ended, for the next: the C library would have the system take their pages,
 * and give them again one by one. */
static struct {
    pthread_mutex_t lock;
    char *free[STACKS_KEPT];
    unsigned count;
} stacks = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* NULL where there is no memory. Its lowest pages are a guard. */
static char *take_stack(void)
{
    pthread_mutex_lock(&stacks.lock);
    char *stack = stacks.count ? stacks.free[--stacks.count] : NULL;
    pthread_mutex_unlock(&stacks.lock);
    if (stack)
        return stack;
    stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
                 -1, 0);
    if (stack != MAP_FAILED && mprotect(stack, GUARD_BYTES, PROT_NONE) == 0)
        return stack;
    if (stack != MAP_FAILED)
        munmap(stack, STACK_BYTES);
    return NULL;
}

static void give_stack(char *stack)
{
    pthread_mutex_lock(&stacks.lock);
    bool keep = stacks.count < STACKS_KEPT;
    if (keep)
        stacks.free[stacks.count++] = stack;
    pthread_mutex_unlock(&stacks.lock);
    if (!keep)
        munmap(stack, STACK_BYTES);
}

static int create_thread(struct serving *serving, void *(*run)(void *data), void *data)
{
    pthread_attr_t attributes;
    serving->stack = take_stack();
    if (!serving->stack)
        return ENOMEM;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, serving->stack + GUARD_BYTES, STACK_BYTES - GUARD_BYTES);
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, nudge_signal());
    pthread_once(&nudge_once, prepare_nudge);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int number = pthread_create(&serving->thread, &attributes, run, data);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    if (number)
        give_stack(serving->stack);
    return number;
}

static void *help(void *data)
{
    struct supervisor *supervisor = data;
    trace_server_serve(supervisor->server, supervisor->stop_fd, NULL);
    return NULL;
}

static void serve_shared(struct supervisor *supervisor)
{
    while (supervisor->helpers_count < supervisor->helpers_wanted &&
           !create_thread(&supervisor->helpers[supervisor->helpers_count], help, supervisor))
        supervisor->helpers_count++;
    struct err err = {0};
    trace_server_serve(supervisor->server, supervisor->stop_fd, &err);
    raise_event(supervisor->stop_fd);
    for (unsigned i = 0; i < supervisor->helpers_count; i++) {
        while (pthread_tryjoin_np(supervisor->helpers[i].thread, NULL) != 0) {
            pthread_kill(supervisor->helpers[i].thread, nudge_signal());
            poll(NULL, 0, NUDGE_MS);
        }
        give_stack(supervisor->helpers[i].stack);
    }
}

static void *supervise(void *data)
{
    struct supervisor *supervisor = data;
    supervisor->listener = trace_receive(supervisor->ours);
    if (supervisor->listener >= 0 && supervisor->trace_of) {
        supervisor->server =
            trace_server_open(supervisor->listener, supervisor->trace_of, supervisor->data);
        for (size_t i = 0; i < supervisor->ignored.len; i++)
            trace_server_ignore(supervisor->server, supervisor->ignored.at[i]);
    } else if (supervisor->listener >= 0)
        supervisor->trace = trace_open(supervisor->listener, supervisor->directory);
    raise_event(supervisor->listener_fd);
    struct err err = {0};
    if (supervisor->trace && trace_serve(supervisor->trace, supervisor->stop_fd, &err) < 0)
        supervisor->trace->flaws |= TRACE_UNREADABLE;
    if (supervisor->server)
        serve_shared(supervisor);
    raise_event(supervisor->done_fd);
    return NULL;
}

static void free_descriptors(struct supervisor *supervisor)
{
    const int fds[] = {supervisor->ours, supervisor->childs, supervisor->stop_fd,
                       supervisor->done_fd, supervisor->listener_fd};
    for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static struct supervisor *start(struct supervisor *supervisor, struct err *err)
{
    supervisor->filter = trace_filter_get(supervisor->way);
    supervisor->ours = supervisor->childs = supervisor->listener = -1;
    supervisor->stop_fd = eventfd(0, EFD_CLOEXEC);
    supervisor->done_fd = eventfd(0, EFD_CLOEXEC);
    supervisor->listener_fd = eventfd(0, EFD_CLOEXEC);
    int pair[2];
    int number = errno;
    if (supervisor->stop_fd >= 0 && supervisor->done_fd >= 0 && supervisor->listener_fd >= 0) {
        number = 0;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
            supervisor->ours = pair[0];
            supervisor->childs = pair[1];
            number = create_thread(&supervisor->first, supervise, supervisor);
        } else
            number = errno;
    }
    if (!number)
        return supervisor;
    free_descriptors(supervisor);
    str_list_free(&supervisor->ignored);
    free(supervisor->directory);
    free(supervisor);
    errno = number;
    err_errno(err, "cannot trace");
    return NULL;
}

struct supervisor *supervisor_start(enum trace_way way, const char *directory, struct err *err)
{
    struct supervisor *supervisor = mem_zero(1, sizeof *supervisor);
    supervisor->directory = directory ? mem_copy(directory) : NULL;
    supervisor->way = way;
    return start(supervisor, err);
}

struct supervisor *supervisor_start_shared(struct trace *(*trace_of)(void *data, pid_t tid),
                                           void *data, const char *const *ignored, unsigned threads,
                                           struct err *err)
{
    struct supervisor *supervisor = mem_zero(1, sizeof *supervisor);
    supervisor->trace_of = trace_of;
    supervisor->data = data;
    for (; *ignored; ignored++)
        vec_push(&supervisor->ignored, mem_copy(*ignored));
    supervisor->helpers_wanted = threads > HELPERS_MAX ? HELPERS_MAX : threads ? threads - 1 : 0;
    return start(supervisor, err);
}

struct trace_server *supervisor_server(struct supervisor *supervisor)
{
    return supervisor->server;
}

int supervisor_child(const struct supervisor *supervisor)
{
    /* What lies in a socket that nobody else holds any more would keep the listener open: where
     * Gantry is killed now, the child would wait for an answer for ever. */
    close(supervisor->ours);
    return trace_child(supervisor->filter, supervisor->childs);
}

void supervisor_note_last(struct supervisor *supervisor, _Atomic uint64_t *place)
{
    if (supervisor->server)
        trace_server_note_last(supervisor->server, place);
    else if (supervisor->trace)
        trace_note_last(supervisor->trace, place);
}

static bool wait_event(int fd, int timeout_ms)
{
    struct pollfd event = {.fd = fd, .events = POLLIN};
    int ready;
    do
        ready = poll(&event, 1, timeout_ms);
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}

int supervisor_listener(struct supervisor *supervisor)
{
    if (supervisor->childs >= 0) {
        close(supervisor->childs);
        supervisor->childs = -1;
        wait_event(supervisor->listener_fd, -1);
        eventfd_t raised; /* poll alone orders nothing between threads */
        eventfd_read(supervisor->listener_fd, &raised);
    }
    bool can_be_held = supervisor->listener >= 0 && trace_is_listener(supervisor->listener);
    return can_be_held ? supervisor->listener : -1;
}

const struct trace *supervisor_trace(const struct supervisor *supervisor)
{
    return supervisor->trace;
}

struct trace *supervisor_finish(struct supervisor *supervisor, bool *survivors)
{
    supervisor_listener(supervisor);
    bool outlived = !wait_event(supervisor->done_fd, GRACE_MS);
    if (outlived) {
        raise_event(supervisor->stop_fd);
        do
            pthread_kill(supervisor->first.thread, nudge_signal());
        while (!wait_event(supervisor->done_fd, NUDGE_MS));
    }
    pthread_join(supervisor->first.thread, NULL);
    give_stack(supervisor->first.stack);
    struct trace *trace = supervisor->trace;
    if (trace && outlived)
        trace->flaws |= TRACE_SURVIVORS;
    if (survivors)
        *survivors = outlived && (trace || supervisor->server);
    trace_server_close(supervisor->server);
    str_list_free(&supervisor->ignored);
    free(supervisor->directory);
    free_descriptors(supervisor);
    free(supervisor);
    return trace;
}
