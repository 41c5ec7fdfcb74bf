/* The table that programs call the kernel by, and the facts it tells them. */
#include "arch.h"
#include "block.h"
#include "kernel.h"
#include "vfs.h"

enum { FACTS_MAX = 12 };

static struct fact {
    const char *name, *value;
} facts[FACTS_MAX];

void fact_set(const char *name, const char *value)
{
    for (int i = 0; i < FACTS_MAX; i++)
        if (!facts[i].name || strcmp(facts[i].name, name) == 0) {
            facts[i] = (struct fact){name, value};
            return;
        }
    panic("no room for the fact %s", name);
}

static const char *fact(const char *name)
{
    for (int i = 0; i < FACTS_MAX && facts[i].name; i++)
        if (strcmp(facts[i].name, name) == 0)
            return facts[i].value;
    return NULL;
}

#if !CONF_tracing
static int trace_line(unsigned index, char *line, size_t size)
{
    (void)index, (void)line, (void)size;
    return ERROR_RANGE;
}
#endif

const struct kernel_api kernel_api = {
    .version = KERNEL_API_VERSION,
    .console_write = console_write,
    .console_read = console_read,
    .uptime_ns = arch_time_ns,
    .power_off = arch_power_off,
    .fact = fact,
    .allocate = memory_allocate,
    .release = memory_release,
    .memory_free = memory_free,
    .look_up = vfs_look_up,
    .look_up_link = vfs_look_up_link,
    .read = vfs_read,
    .list = vfs_list,
    .block_info = block_info,
    .block_read = block_read,
    .run = program_run,
    .trace_line = trace_line,
};
