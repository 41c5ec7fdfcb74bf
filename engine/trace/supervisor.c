#include "trace/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    STACK_BYTES = 256 * 1024,
    GRACE_MS = 20, /* for processes that are ending beside the step's own */
    NUDGE_MS = 2,
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

struct supervisor {
    const struct trace_filter *filter;
    pthread_t thread;
    int ours, childs; /* the two ends of the socket that the listener comes by */
    int stop_fd; /* written to end the serving */
    int done_fd; /* written by the thread when it has ended */
    int listener_fd; /* written by the thread when it knows whether there is a listener */
    struct trace *trace; /* the thread's until it has ended; NULL: no listener */
    int listener;
};

static void raise_event(int fd)
{
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

static void *supervise(void *data)
{
    struct supervisor *supervisor = data;
    supervisor->listener = trace_receive(supervisor->ours);
    if (supervisor->listener >= 0)
        supervisor->trace = trace_open(supervisor->listener);
    raise_event(supervisor->listener_fd);
    if (supervisor->trace) {
        struct err err = {0};
        if (trace_serve(supervisor->trace, supervisor->stop_fd, &err) < 0)
            supervisor->trace->flaws |= TRACE_UNREADABLE;
    }
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

static int start_thread(struct supervisor *supervisor)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, nudge_signal());
    pthread_once(&nudge_once, prepare_nudge);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int number = pthread_create(&supervisor->thread, &attributes, supervise, supervisor);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attributes);
    return number;
}

struct supervisor *supervisor_start(struct err *err)
{
    const struct trace_filter *filter = trace_filter_get();
    struct supervisor *supervisor = mem_zero(1, sizeof *supervisor);
    *supervisor = (struct supervisor){.filter = filter,
                                      .ours = -1,
                                      .childs = -1,
                                      .stop_fd = eventfd(0, EFD_CLOEXEC),
                                      .done_fd = eventfd(0, EFD_CLOEXEC),
                                      .listener_fd = eventfd(0, EFD_CLOEXEC),
                                      .listener = -1};
    int pair[2];
    int number = errno;
    if (supervisor->stop_fd >= 0 && supervisor->done_fd >= 0 && supervisor->listener_fd >= 0) {
        number = 0;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
            supervisor->ours = pair[0];
            supervisor->childs = pair[1];
            number = start_thread(supervisor);
        } else
            number = errno;
    }
    if (!number)
        return supervisor;
    free_descriptors(supervisor);
    free(supervisor);
    errno = number;
    err_errno(err, "cannot trace");
    return NULL;
}

int supervisor_child(const struct supervisor *supervisor)
{
    return trace_child(supervisor->filter, supervisor->childs);
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
    }
    return supervisor->listener;
}

struct trace *supervisor_finish(struct supervisor *supervisor)
{
    supervisor_listener(supervisor);
    bool outlived = !wait_event(supervisor->done_fd, GRACE_MS);
    if (outlived) {
        raise_event(supervisor->stop_fd);
        do
            pthread_kill(supervisor->thread, nudge_signal());
        while (!wait_event(supervisor->done_fd, NUDGE_MS));
    }
    pthread_join(supervisor->thread, NULL);
    struct trace *trace = supervisor->trace;
    if (trace && outlived)
        trace->flaws |= TRACE_SURVIVORS;
    free_descriptors(supervisor);
    free(supervisor);
    return trace;
}
