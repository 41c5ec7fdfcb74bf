#include "views/json.h"

#include <string.h>

void json_event(const struct event *event, const struct plain_io *io, struct str *out)
{
    struct str text = {0};
    if (event->kind == EVENT_STEP_OUTPUT && event->path) {
        io->read(io->data, event->path, event->offset, event->length, &text);
        /* JSON's writer takes C strings; a NUL becomes what any byte that is no text becomes. */
        for (size_t i = 0; i < text.len; i++)
            if (!text.at[i])
                text.at[i] = '\xff';
    }
    event_to_json(event, event->kind == EVENT_STEP_OUTPUT ? str_text(&text) : NULL, out);
    str_add_char(out, '\n');
    str_free(&text);
}
