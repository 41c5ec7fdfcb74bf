/* Time. Any thread. */
#ifndef GANTRY_BASE_CLOCK_H
#define GANTRY_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of the monotonic clock: for durations and order. */
uint64_t clock_ns(void);
/* Nanoseconds since 1970: for records that outlive the process. */
uint64_t clock_wall_ns(void);

#endif
