#include <stdlib.h>

#include "tui/stop.h"
#include "tui/stream.h"

static void stop_build(void *data, unsigned times)
{
    (void)times;
    build_command(data, BUILD_KILL);
}

/* Prints events until the last one. */
static void print_build(struct stream *stream, struct queue *events)
{
    bool end = false;
    while (!end) {
        struct event *event = queue_pop(events);
        if (!event) {
            stream_flush(stream);
            event = queue_wait(events, -1);
        }
        if (!event)
            continue;
        stream_put(stream, event);
        end = event->kind == EVENT_BUILD_END;
        free(event);
    }
}

int stream_run_build(struct stream *stream, const struct build_options *options)
{
    struct err err = {0};
    struct queue *events = queue_new();
    struct build_options own = *options;
    own.brief = !stream_has_json(stream);
    struct build *build = events ? build_start(&own, events, &err) : NULL;
    struct stop *stop = build ? stop_watch(stop_build, build, &err) : NULL;
    int status = 2, number = 0;
    if (build && !stop)
        build_command(build, BUILD_KILL);
    if (build)
        print_build(stream, events);
    if (stop)
        number = stop_end(stop);
    if (build)
        status = build_finish(build);
    if (events)
        queue_free(events, free);
    if (!build || !stop)
        return cli_fail(&err);
    return number ? 128 + number : status;
}

int stream_build(struct cli *cli, const struct build_options *options)
{
    struct err err = {0};
    struct stream *stream = stream_open(cli, &err);
    if (!stream)
        return cli_fail(&err);
    int status = stream_run_build(stream, options);
    int written = stream_close(stream);
    return status ? status : written;
}
