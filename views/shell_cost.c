#include "views/shell_cost.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/plain.h"

enum { TOLD = 3, LEAST_NS = 500000000, COMMAND_BYTES = 48 };

/* What one place cost. */
struct sum {
    uint64_t calls, repeated, ns;
    size_t place; /* how much of its key tells where */
};

void shell_costs_add(struct shell_costs *costs, const struct event *event)
{
    const char *command = event->command ? event->command : "";
    char *place = event->path && event->line ? mem_format("%s:%u", event->path, event->line)
                                             : mem_copy(event->make ? event->make : "");
    /* The words that vary come late, and the place is what can be edited. */
    char *key = mem_format("%s %.*s", place, COMMAND_BYTES, command);
    struct sum *sum = map_get(&costs->by_place, key);
    if (!sum) {
        sum = mem_zero(1, sizeof *sum);
        sum->place = strlen(place);
        map_put(&costs->by_place, key, sum);
    }
    sum->calls++;
    sum->repeated += event->repeated;
    sum->ns += event->wall_ns;
    free(place);
    free(key);
}

/* The next of the places in order of what they cost, behind `last` (or the first); or -1. */
static int64_t next_dearest(const struct map *map, int64_t last)
{
    int64_t dearest = -1;
    for (uint32_t i = 0; i < map->values.len; i++) {
        const struct sum *sum = map->values.at[i];
        const struct sum *before = last < 0 ? NULL : map->values.at[last];
        bool behind = !before || sum->ns < before->ns || (sum->ns == before->ns && i > last);
        if (behind && (dearest < 0 || sum->ns > ((struct sum *)map->values.at[dearest])->ns))
            dearest = i;
    }
    return dearest;
}

void shell_costs_each(const struct shell_costs *costs, uint64_t build_ns, shell_cost_fn *each,
                      void *data)
{
    const struct map *map = &costs->by_place;
    int64_t at = -1;
    for (int told = 0; told < TOLD && (at = next_dearest(map, at)) >= 0; told++) {
        const struct sum *sum = map->values.at[at];
        if (sum->ns < LEAST_NS || sum->ns < build_ns / 100)
            return;
        char *from = mem_copy(intern_text(&map->keys, (uint32_t)at));
        from[sum->place] = '\0';
        each(data,
             &(struct shell_cost){from + sum->place + 1, from, sum->calls, sum->repeated, sum->ns});
        free(from);
    }
}

static void tell(void *data, const struct shell_cost *cost)
{
    char took[24], known[64] = "";
    const char *command = cost->command;
    size_t length = strcspn(command, "\n");
    bool cut = command[length] || length >= COMMAND_BYTES;
    /* Not in the middle of a character, and not of a word either where that can be helped. */
    for (size_t i = length; cut && i > COMMAND_BYTES / 2; i--)
        if (command[i] == ' ') {
            length = i;
            break;
        }
    plain_duration(took, cost->wall_ns);
    if (cost->repeated)
        snprintf(known, sizeof known, ", %" PRIu64 " of them not run again,", cost->repeated);
    str_addf(data, "make spent %s in %" PRIu64 " call%s%s of %.*s%s from %s\n", took, cost->calls,
             cost->calls == 1 ? "" : "s", known, (int)length, command, cut ? " ..." : "",
             cost->from);
}

void shell_costs_tell(const struct shell_costs *costs, uint64_t build_ns, struct str *out)
{
    shell_costs_each(costs, build_ns, tell, out);
}

void shell_costs_free(struct shell_costs *costs)
{
    for (size_t i = 0; i < costs->by_place.values.len; i++)
        free(costs->by_place.values.at[i]);
    map_free(&costs->by_place);
}
