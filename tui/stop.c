#include "tui/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { STOP_SIGNALS = sizeof stop_signals / sizeof *stop_signals };

struct stop {
    void (*call)(void *data, unsigned times);
    void *data;
    int pipe[2]; /* signal numbers, one a byte; 0 ends the thread */
    pthread_t thread;
    int first;
    struct sigaction old[STOP_SIGNALS];
};

/* The handler's only way out: the write end of the watch in force. */
static volatile sig_atomic_t signal_fd = -1;

static void on_signal(int number)
{
    int saved = errno;
    char byte = (char)number;
    if (write(signal_fd, &byte, 1) < 0) {
        /* The pipe is full: thousands of signals are waiting already. */
    }
    errno = saved;
}

static void *pass_on(void *data)
{
    struct stop *stop = data;
    unsigned times = 0;
    char byte;
    while (read(stop->pipe[0], &byte, 1) == 1 && byte) {
        if (!times)
            stop->first = byte;
        stop->call(stop->data, ++times);
    }
    return NULL;
}

struct stop *stop_watch(void (*call)(void *, unsigned), void *data, struct err *err)
{
    struct stop *stop = mem_zero(1, sizeof *stop);
    stop->call = call;
    stop->data = data;
    if (pipe2(stop->pipe, O_CLOEXEC) < 0) {
        err_errno(err, "no pipe for signals");
        free(stop);
        return NULL;
    }
    fcntl(stop->pipe[1], F_SETFL, O_NONBLOCK);
    errno = pthread_create(&stop->thread, NULL, pass_on, stop);
    if (errno) {
        err_errno(err, "no thread for signals");
        close(stop->pipe[0]);
        close(stop->pipe[1]);
        free(stop);
        return NULL;
    }
    signal_fd = stop->pipe[1];
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    for (unsigned i = 0; i < STOP_SIGNALS; i++) {
        sigaction(stop_signals[i], NULL, &stop->old[i]);
        if (stop->old[i].sa_handler != SIG_IGN) /* nohup stays nohup */
            sigaction(stop_signals[i], &action, NULL);
    }
    return stop;
}

int stop_end(struct stop *stop)
{
    for (unsigned i = 0; i < STOP_SIGNALS; i++)
        sigaction(stop_signals[i], &stop->old[i], NULL);
    char end = 0;
    while (write(stop->pipe[1], &end, 1) < 0 && (errno == EAGAIN || errno == EINTR))
        usleep(1000);
    pthread_join(stop->thread, NULL);
    signal_fd = -1;
    close(stop->pipe[0]);
    close(stop->pipe[1]);
    int first = stop->first;
    free(stop);
    return first;
}
