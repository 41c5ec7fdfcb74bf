/*
 * A jobserver as GNU make understands it (make manual, "POSIX Jobserver"): a pipe with a byte for
 * each job that may run beside the first of each client. Any thread.
 */
#ifndef GANTRY_RUN_JOBSERVER_H
#define GANTRY_RUN_JOBSERVER_H

#include <stdbool.h>

#include "base/err.h"

struct jobserver {
    int client_read, client_write; /* for children, without FD_CLOEXEC */
    int own_read, own_write; /* the same pipe, non-blocking */
    unsigned tokens;
};

/* A server of `tokens` jobs in all. */
int jobserver_open(struct jobserver *server, unsigned tokens, struct err *err);
void jobserver_close(struct jobserver *server);
/* Takes a token for a lane of our own, without waiting; false where clients hold them all. */
bool jobserver_take(struct jobserver *server);
void jobserver_give(struct jobserver *server);
/* The value of MAKEFLAGS for a client: " -jN --jobserver-auth=R,W"; the caller frees. */
char *jobserver_makeflags(const struct jobserver *server);

#endif
