/* Time. Any thread. */
#ifndef GANTRY_BASE_CLOCK_H
#define GANTRY_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of the monotonic clock: for durations and order. */
uint64_t clock_ns(void);
/* Nanoseconds since 1970: for records that outlive the process. */
uint64_t clock_wall_ns(void);
/* The same by the coarse clock that file systems stamp files with: what changes from now on has no
 * earlier stamp. */
int64_t clock_files_ns(void);

#endif
