#include "run/meter.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vec.h"
#include "run/build_internal.h"

enum {
    PERIOD_S = 1,
    PROCESSES_MAX = 512, /* of one lane; a fork bomb is not counted to its end */
};

struct metered {
    uint32_t step;
    pid_t pid; /* 0: none */
};

struct meter {
    struct build *build;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t ended;
    bool end;
    VEC(struct metered) lanes; /* by lane */
};

/* ---- /proc ---- */

/* A small file of /proc as text; false where there is none. */
static bool read_file(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, out, size - 1);
    if (fd >= 0)
        close(fd);
    out[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* proc_pid_stat(5): fields 14 to 17 are times in ticks, 24 is pages; the name may hold anything but
 * its last parenthesis ends it. */
static void add_process(pid_t pid, struct meter_reading *reading)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    if (!read_file(path, text, sizeof text))
        return;
    const char *at = strrchr(text, ')');
    unsigned long user = 0, system = 0;
    long children_user = 0, children_system = 0, pages = 0;
    if (!at || sscanf(at + 1,
                      " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld"
                      " %*d %*d %*d %*d %*u %*u %ld",
                      &user, &system, &children_user, &children_system, &pages) != 5)
        return;
    uint64_t ticks = user + system + (uint64_t)(children_user + children_system);
    reading->cpu_ns += ticks * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
    reading->rss_kib += (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

typedef VEC(pid_t) pid_list;

/* A process and all below it, each behind its parent. */
static void find_processes(pid_t pid, pid_list *found)
{
    char path[80], text[4096];
    vec_push(found, pid);
    for (size_t i = 0; i < found->len; i++) {
        long at = (long)found->at[i];
        snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", at, at);
        if (!read_file(path, text, sizeof text))
            continue;
        char *end = text;
        for (long child; (child = strtol(end, &end, 10)) > 0 && found->len < PROCESSES_MAX;)
            vec_push(found, (pid_t)child);
    }
}

struct meter_reading meter_read(pid_t pid)
{
    struct meter_reading reading = {0};
    pid_list found = {0};
    find_processes(pid, &found);
    for (size_t i = 0; i < found.len; i++)
        add_process(found.at[i], &reading);
    vec_free(&found);
    return reading;
}

/* "distcc@HOST", new; NULL where the launcher is none that tells, or is not at it. */
static char *host_of(const struct meter *meter, pid_t pid)
{
    const struct launcher *launcher = &meter->build->launcher;
    char host[LAUNCHER_HOST];
    char *text = NULL;
    pid_list found = {0};
    if (!launcher->name)
        return NULL;
    find_processes(pid, &found);
    for (size_t i = 0; i < found.len && !text; i++)
        if (launcher_host(launcher, found.at[i], host))
            text = mem_format("%s@%s", launcher->name, host);
    vec_free(&found);
    return text;
}

/* ---- the thread ---- */

static void tell(struct meter *meter, uint32_t lane, const struct metered *what)
{
    struct meter_reading reading = meter_read(what->pid);
    char *host = host_of(meter, what->pid);
    if (reading.rss_kib)
        build_send(meter->build, &(struct event){.kind = EVENT_LANE,
                                                 .lane = lane,
                                                 .step = what->step,
                                                 .state = "running",
                                                 .host = host,
                                                 .cpu_ns = reading.cpu_ns,
                                                 .rss_kib = reading.rss_kib});
    free(host);
}

static void *run(void *data)
{
    struct meter *meter = data;
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    pthread_mutex_lock(&meter->lock);
    while (!meter->end) {
        due.tv_sec += PERIOD_S;
        while (!meter->end &&
               pthread_cond_clockwait(&meter->ended, &meter->lock, CLOCK_MONOTONIC, &due) == 0)
            ;
        /* What ran a second ago and still does: the rest was too short to be worth it. */
        for (size_t i = 0; i < meter->lanes.len && !meter->end; i++)
            if (meter->lanes.at[i].pid)
                tell(meter, (uint32_t)i, &meter->lanes.at[i]);
    }
    pthread_mutex_unlock(&meter->lock);
    return NULL;
}

struct meter *meter_new(struct build *build)
{
    struct meter *meter = mem_zero(1, sizeof *meter);
    meter->build = build;
    pthread_mutex_init(&meter->lock, NULL);
    pthread_cond_init(&meter->ended, NULL);
    if (pthread_create(&meter->thread, NULL, run, meter) == 0)
        return meter;
    pthread_cond_destroy(&meter->ended);
    pthread_mutex_destroy(&meter->lock);
    free(meter);
    return NULL;
}

void meter_set(struct meter *meter, uint32_t lane, uint32_t step, pid_t pid)
{
    if (!meter || lane == EVENT_NONE)
        return;
    pthread_mutex_lock(&meter->lock);
    while (meter->lanes.len <= lane)
        vec_push(&meter->lanes, (struct metered){0});
    meter->lanes.at[lane] = (struct metered){step, pid};
    pthread_mutex_unlock(&meter->lock);
}

void meter_free(struct meter *meter)
{
    if (!meter)
        return;
    pthread_mutex_lock(&meter->lock);
    meter->end = true;
    pthread_cond_signal(&meter->ended);
    pthread_mutex_unlock(&meter->lock);
    pthread_join(meter->thread, NULL);
    pthread_cond_destroy(&meter->ended);
    pthread_mutex_destroy(&meter->lock);
    vec_free(&meter->lanes);
    free(meter);
}
