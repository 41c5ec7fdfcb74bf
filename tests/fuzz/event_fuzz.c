/* Events from a journal or a pipe: what is read can be written, and then means the same. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "journal/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct event *event = event_from_json((const char *)data, size, &err);
    if (!event)
        return 0;
    struct str once = {0}, twice = {0};
    event_to_json(event, NULL, &once);
    struct event *again = event_from_json(str_text(&once), once.len, &err);
    if (!again)
        abort();
    event_to_json(again, NULL, &twice);
    if (strcmp(str_text(&once), str_text(&twice)) != 0)
        abort();
    str_free(&once);
    str_free(&twice);
    free(again);
    free(event);
    return 0;
}
