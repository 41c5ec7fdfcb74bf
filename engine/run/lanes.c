#include "run/lanes.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void lanes_open(struct lanes *lanes, struct build *build, unsigned count)
{
    *lanes = (struct lanes){.build = build, .count = count};
    lanes->lane = mem_zero(count, sizeof *lanes->lane);
    for (unsigned i = 0; i < count; i++)
        lanes->lane[i].step = EVENT_NONE;
}

void lanes_close(struct lanes *lanes)
{
    for (unsigned i = 0; i < lanes->count; i++)
        free(lanes->lane[i].idle_why);
    free(lanes->lane);
    *lanes = (struct lanes){0};
}

uint32_t lanes_acquire(struct lanes *lanes, uint32_t step)
{
    for (unsigned i = 0; i < lanes->count; i++) {
        if (lanes->lane[i].step != EVENT_NONE)
            continue;
        lanes->lane[i].step = step;
        free(lanes->lane[i].idle_why);
        lanes->lane[i].idle_why = NULL;
        lanes->busy++;
        return i;
    }
    return EVENT_NONE;
}

void lanes_add(struct lanes *lanes)
{
    lanes->lane = mem_grow(lanes->lane, (lanes->count + 1) * sizeof *lanes->lane);
    lanes->lane[lanes->count++] = (struct lane){.step = EVENT_NONE};
}

void lanes_release(struct lanes *lanes, uint32_t lane)
{
    lanes->lane[lane].step = EVENT_NONE;
    lanes->busy--;
}

void lanes_idle(struct lanes *lanes, const char *why)
{
    for (unsigned i = 0; i < lanes->count; i++) {
        struct lane *lane = &lanes->lane[i];
        if (lane->step != EVENT_NONE || (lane->idle_why && !strcmp(lane->idle_why, why)))
            continue;
        free(lane->idle_why);
        lane->idle_why = mem_copy(why);
        struct event event = {
            .kind = EVENT_LANE, .lane = i, .step = EVENT_NONE, .state = "idle", .idle_why = why};
        build_send(lanes->build, &event);
    }
}

bool lanes_load_allows(const struct lanes *lanes)
{
    double load;
    double limit = lanes->build->options.load_limit;
    return limit <= 0 || !lanes->busy || getloadavg(&load, 1) != 1 || load < limit;
}
