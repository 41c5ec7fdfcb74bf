/*
 * A program that runs beside QEMU and must listen before QEMU starts: the server of a shared directory.
 * Like QEMU it is killed by the kernel when the thread that started it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vm/spec.h"

enum {
    LOOK_MS = 10,
    LISTEN_MS = 5000, /* so long it may take until it listens */
    END_MS = 2000, /* between SIGTERM and SIGKILL */
};

/* In the child: only what is safe after fork in a process with threads. */
static _Noreturn void become_helper(char *const *argv, pid_t parent)
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < 3 && null >= 0; i++)
        dup2(null, i);
    if (getppid() == parent)
        execvp(argv[0], argv);
    _exit(127);
}

int vm_helper_start(struct vm_spec *spec, pid_t *helper, struct err *err)
{
    *helper = 0;
    if (!spec->helper.len)
        return 0;
    vec_push(&spec->helper, NULL);
    spec->helper.len--;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become_helper(spec->helper.at, parent);
    if (pid < 0)
        return err_errno(err, "cannot start %s", spec->helper.at[0]);
    *helper = pid;
    for (int waited_ms = 0; access(spec->helper_socket, F_OK) < 0; waited_ms += LOOK_MS) {
        bool ended = waitpid(pid, NULL, WNOHANG) == pid;
        if (ended)
            *helper = 0;
        if (ended || waited_ms >= LISTEN_MS)
            return err_set(err, ERR_FAILED, "%s does not %s (it wants root, or qemu-system-common)",
                           spec->helper.at[0], ended ? "run" : "listen");
        poll(NULL, 0, LOOK_MS);
    }
    return 0;
}

void vm_helper_end(pid_t *helper)
{
    if (!*helper)
        return;
    kill(*helper, SIGTERM);
    for (int waited_ms = 0; waitpid(*helper, NULL, WNOHANG) == 0; waited_ms += LOOK_MS) {
        if (waited_ms == END_MS)
            kill(*helper, SIGKILL);
        poll(NULL, 0, LOOK_MS);
    }
    *helper = 0;
}
