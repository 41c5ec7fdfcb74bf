/* The guard, when Gantry is killed: a call that had been received and not answered goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/seccomp.h>

#include "run/guard.h"
#include "trace/trace.h"

enum { CALLS = 5, PATIENCE_MS = 10000 };

/* Children that each make a call at once, and say so by a byte when it has gone on. */
static void call_in_children(int said)
{
    for (int i = 0; i < CALLS; i++)
        if (fork() == 0) {
            int fd = open("/dev/null", O_RDONLY);
            char byte = fd >= 0 ? 'y' : errno == ENOSYS ? 'n' : '?';
            (void)!write(said, &byte, 1);
            _exit(0);
        }
}

/* Plays Gantry: receives all calls, answers none, and is killed. */
static _Noreturn void be_killed(int said)
{
    struct err err;
    int pair[2];
    struct guard *guard = guard_new(&err);
    if (!guard || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        _exit(1);
    const struct trace_filter *filter = trace_filter_get(TRACE_BY_ANY);
    pid_t child = fork();
    if (child == 0) {
        int socket = fcntl(pair[1], F_DUPFD, 100), out = fcntl(said, F_DUPFD, 100);
        close_range(3, 99, 0); /* what an exec would close: the guard hears of our end by it */
        setsid();
        if (trace_child(filter, socket) < 0)
            _exit(2);
        call_in_children(out);
        _exit(0);
    }
    int listener = trace_receive(pair[0]);
    _Atomic uint64_t *last = guard_add(guard, -child, listener);
    for (int i = 0; i < CALLS && last; i++) {
        struct seccomp_notif notice = {0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notice) < 0)
            _exit(3);
        atomic_store(last, notice.id);
    }
    raise(SIGKILL);
    _exit(4);
}

static void calls_that_were_received_go_on(void **state)
{
    (void)state;
    if (!trace_probe().notify)
        skip(); /* no listener whose calls could be received */
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    pid_t gantry = fork();
    if (gantry == 0)
        be_killed(ends[1]);
    close(ends[1]);
    assert_int_equal(waitpid(gantry, &status, 0), gantry);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    char said[CALLS + 1] = "";
    for (int i = 0; i < CALLS; i++) {
        struct pollfd fd = {.fd = ends[0], .events = POLLIN};
        assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
        assert_int_equal(read(ends[0], said + i, 1), 1);
    }
    assert_string_equal(said, "yyyyy");
    close(ends[0]);
    while (wait(&status) > 0) /* the guard as well, once all have ended */
        continue;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_that_were_received_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
