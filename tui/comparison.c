#include "tui/comparison.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

struct comparison {
    char *first, *second;
    int fd; /* an eventfd: written once, by the thread at its end */
    bool taken;
    pthread_t thread;
    /* The thread's until the loop has read the descriptor. */
    struct compare *result;
    struct err err;
};

static void *work(void *data)
{
    struct comparison *comparison = data;
    comparison->result = compare_journals(comparison->first, comparison->second, &comparison->err);
    const uint64_t one = 1;
    while (write(comparison->fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    return NULL;
}

struct comparison *comparison_start(const char *first, const char *second, struct err *err)
{
    struct comparison *comparison = mem_zero(1, sizeof *comparison);
    comparison->first = mem_copy(first);
    comparison->second = mem_copy(second);
    comparison->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    /* Signals are the loop's. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int number =
        comparison->fd < 0 ? errno : pthread_create(&comparison->thread, NULL, work, comparison);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!number)
        return comparison;
    errno = number;
    err_errno(err, "cannot compare");
    if (comparison->fd >= 0)
        close(comparison->fd);
    free(comparison->first);
    free(comparison->second);
    free(comparison);
    return NULL;
}

int comparison_fd(const struct comparison *comparison)
{
    return comparison->taken ? -1 : comparison->fd;
}

bool comparison_take(struct comparison *comparison)
{
    uint64_t count;
    if (comparison->taken || read(comparison->fd, &count, sizeof count) < 0)
        return false;
    return comparison->taken = true;
}

const struct compare *comparison_result(const struct comparison *comparison, const char **why)
{
    *why = !comparison->taken    ? "reading both journals"
           : !comparison->result ? comparison->err.text
                                 : "";
    return comparison->taken ? comparison->result : NULL;
}

void comparison_close(struct comparison *comparison)
{
    if (!comparison)
        return;
    pthread_join(comparison->thread, NULL);
    close(comparison->fd);
    compare_free(comparison->result);
    free(comparison->first);
    free(comparison->second);
    free(comparison);
}
