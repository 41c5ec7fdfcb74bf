#include "run/jobserver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

/* A second, non-blocking description of one end of a pipe. */
static int reopen(int fd, int flags)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, flags | O_NONBLOCK | O_CLOEXEC);
}

int jobserver_open(struct jobserver *server, unsigned tokens, struct err *err)
{
    int ends[2];
    *server = (struct jobserver){-1, -1, -1, -1, tokens};
    if (pipe(ends) < 0)
        return err_errno(err, "cannot make the jobserver's pipe");
    server->client_read = ends[0];
    server->client_write = ends[1];
    server->own_read = reopen(ends[0], O_RDONLY);
    server->own_write = reopen(ends[1], O_WRONLY);
    if (server->own_read < 0 || server->own_write < 0) {
        err_errno(err, "cannot open the jobserver's pipe by /proc/self/fd");
        jobserver_close(server);
        return -1;
    }
    for (unsigned i = 0; i < tokens; i++)
        jobserver_give(server);
    return 0;
}

void jobserver_close(struct jobserver *server)
{
    int *const fds[] = {&server->client_read, &server->client_write, &server->own_read,
                        &server->own_write};
    for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

bool jobserver_take(struct jobserver *server)
{
    char token;
    ssize_t got;
    do
        got = read(server->own_read, &token, 1);
    while (got < 0 && errno == EINTR);
    return got == 1;
}

void jobserver_give(struct jobserver *server)
{
    while (write(server->own_write, "+", 1) < 0 && errno == EINTR)
        ;
}

char *jobserver_makeflags(const struct jobserver *server)
{
    return mem_format(" -j%u --jobserver-auth=%d,%d", server->tokens, server->client_read,
                      server->client_write);
}
