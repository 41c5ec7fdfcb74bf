#include "views/shell_cost.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/plain.h"

enum { TOLD = 3, LEAST_NS = 500000000, COMMAND_BYTES = 48 };

struct shell_cost {
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
    struct shell_cost *cost = map_get(&costs->by_place, key);
    if (!cost) {
        cost = mem_zero(1, sizeof *cost);
        cost->place = strlen(place);
        map_put(&costs->by_place, key, cost);
    }
    cost->calls++;
    cost->repeated += event->repeated;
    cost->ns += event->wall_ns;
    free(place);
    free(key);
}

static void tell(const char *key, const struct shell_cost *cost, struct str *out)
{
    char took[24], known[64] = "";
    const char *command = key + cost->place + 1;
    size_t length = strcspn(command, "\n");
    bool cut = command[length] || length >= COMMAND_BYTES;
    /* Not in the middle of a character, and not of a word either where that can be helped. */
    for (size_t i = length; cut && i > COMMAND_BYTES / 2; i--)
        if (command[i] == ' ') {
            length = i;
            break;
        }
    plain_duration(took, cost->ns);
    if (cost->repeated)
        snprintf(known, sizeof known, ", %" PRIu64 " of them not run again,", cost->repeated);
    str_addf(out, "make spent %s in %" PRIu64 " call%s%s of %.*s%s (%.*s)\n", took, cost->calls,
             cost->calls == 1 ? "" : "s", known, (int)length, command, cut ? " ..." : "",
             (int)cost->place, key);
}

void shell_costs_tell(const struct shell_costs *costs, uint64_t build_ns, struct str *out)
{
    const struct map *map = &costs->by_place;
    uint64_t below = UINT64_MAX;
    for (int told = 0; told < TOLD; told++) {
        const struct shell_cost *dearest = NULL;
        uint32_t which = 0;
        for (uint32_t i = 0; i < map->values.len; i++) {
            const struct shell_cost *cost = map->values.at[i];
            if (cost->ns < below && (!dearest || cost->ns > dearest->ns)) {
                dearest = cost;
                which = i;
            }
        }
        if (!dearest || dearest->ns < LEAST_NS || dearest->ns < build_ns / 100)
            return;
        tell(intern_text(&map->keys, which), dearest, out);
        below = dearest->ns;
    }
}

void shell_costs_free(struct shell_costs *costs)
{
    for (size_t i = 0; i < costs->by_place.values.len; i++)
        free(costs->by_place.values.at[i]);
    map_free(&costs->by_place);
}
