/* The latest events, in a ring; only linked with conf-tracing=1. */
#include "arch.h"
#include "kernel.h"

enum { EVENTS = 256 };

static struct event {
    uint64_t time_ns, a, b;
    const char *what;
} ring[EVENTS];
static unsigned count; /* of all events so far; the next goes to count % EVENTS */

void trace_event(const char *what, uint64_t a, uint64_t b)
{
    ring[count++ % EVENTS] = (struct event){arch_time_ns(), a, b, what};
}

int trace_line(unsigned index, char *line, size_t size)
{
    unsigned oldest = count > EVENTS ? count - EVENTS : 0;

    if (index >= count - oldest)
        return ERROR_RANGE;

    const struct event *event = &ring[(oldest + index) % EVENTS];

    format_text(line, size, "%10lu us  %s %lu %lu", (unsigned long)(event->time_ns / 1000),
                event->what, (unsigned long)event->a, (unsigned long)event->b);
    return 0;
}
