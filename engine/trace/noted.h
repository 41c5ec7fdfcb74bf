/*
 * What the accelerator noted (ring.h), as accesses. Private to the room; for the thread that holds the
 * server's lock.
 */
#ifndef GANTRY_TRACE_NOTED_H
#define GANTRY_TRACE_NOTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "trace/private.h"
#include "trace/ring.h"

/* A process that notes. */
struct guest {
    pid_t pid;
    bool gone; /* it ended, or executed something else */
    struct trace *trace; /* NULL: dropped */
    uint32_t process; /* index of its processes */
    char *directory; /* where it stands, or NULL */
};

enum { NOTED_BATCH = 16 };
/* Keeps what a guest noted: `count` records (at most NOTED_BATCH) that are complete, in their order. */
void noted_keep(struct trace_server *server, struct guest *guest,
                const struct ring_record *const *records, size_t count);

#endif
