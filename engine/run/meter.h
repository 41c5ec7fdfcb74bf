/*
 * The meter: what the processes of each busy lane take of processor and memory, and where a launcher
 * has its compile done, told once a second by EVENT_LANE. A step that is over sooner is never looked
 * at. It reads /proc and slows nothing; a thread of its own, so that it costs nothing where nobody
 * asked for it.
 */
#ifndef GANTRY_RUN_METER_H
#define GANTRY_RUN_METER_H

#include <stdint.h>
#include <sys/types.h>

struct build;
struct meter;

/* Starts it; NULL where no thread can be made: then nothing is told. */
struct meter *meter_new(struct build *build);
/* A process is at work on a lane, or (pid 0) none any more. NULL for the meter: nothing is done. Any
 * thread. */
void meter_set(struct meter *meter, uint32_t lane, uint32_t step, pid_t pid);
/* Ends the thread; before the queue of events goes. May be NULL. */
void meter_free(struct meter *meter);

/* Processor time and resident memory of a process and all below it, of children that were waited for
 * the time, too. Zeros where it is gone. */
struct meter_reading {
    uint64_t cpu_ns, rss_kib;
};
struct meter_reading meter_read(pid_t pid);

#endif
