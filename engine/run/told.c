/* The file, in the machine's own byte order: header, frame. */
#include "run/told.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/mem.h"
#include "base/path.h"
#include "run/fresh.h"
#include "run/tell.h"

enum { SCHEMA = 1, ORDER = 0x01020304 };

struct header {
    char magic[8];
    uint32_t schema, order;
    uint64_t check; /* XXH3-64 of all that follows */
    uint64_t graph, cone; /* what it tells of: the graph's id, a hash of plan->in_cone */
};

static const char magic[8] = "gantry\0J";

static uint64_t check_of(const char *bytes, size_t length)
{
    size_t start = offsetof(struct header, graph);
    return XXH3_64bits(bytes + start, length - start);
}

static uint64_t cone_of(const struct plan *plan)
{
    return XXH3_64bits(plan->in_cone, plan->graph->steps.len);
}

/* The frame that was kept; NULL: there is none, or of something else. */
static char *read_kept(const char *file, uint64_t graph, uint64_t cone, size_t *length)
{
    size_t size;
    char *bytes = file_read_own(file, &size, NULL);
    const struct header *header = (const void *)bytes;
    if (!bytes || size < sizeof *header || memcmp(header->magic, magic, sizeof magic) != 0 ||
        header->schema != SCHEMA || header->order != ORDER || header->graph != graph ||
        header->cone != cone || header->check != check_of(bytes, size)) {
        free(bytes);
        return NULL;
    }
    *length = size - sizeof *header;
    memmove(bytes, bytes + sizeof *header, *length);
    return bytes;
}

static void keep(const char *file, uint64_t graph, uint64_t cone, const char *frame, size_t length)
{
    struct header header = {.schema = SCHEMA, .order = ORDER, .graph = graph, .cone = cone};
    struct str bytes = {0};
    memcpy(header.magic, magic, sizeof magic);
    str_add_n(&bytes, (const char *)&header, sizeof header);
    str_add_n(&bytes, frame, length);
    header.check = check_of(bytes.at, bytes.len);
    memcpy(bytes.at, &header, sizeof header);
    file_replace(file, bytes.at, bytes.len);
    str_free(&bytes);
}

static void add_line(void *data, const struct event *event)
{
    struct str *lines = data;
    event_to_json(event, NULL, lines);
    str_add_char(lines, '\n');
}

char *told_frame(const struct fresh *fresh, uint64_t graph, struct plan *plan, const char *out,
                 size_t *length)
{
    uint64_t cone = cone_of(plan);
    char *file = fresh_file(fresh, "told");
    char *frame = read_kept(file, graph, cone, length);
    if (!frame) {
        struct str lines = {0};
        for (step_id step = 0; step < plan->graph->steps.len; step++)
            if (plan->in_cone[step])
                tell_step_to(plan, out, step, true, add_line, &lines);
        frame = journal_frame(str_text(&lines), lines.len, length);
        str_free(&lines);
        keep(file, graph, cone, frame, *length);
    }
    free(file);
    return frame;
}
