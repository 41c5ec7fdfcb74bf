#include "base/look.h"

#include <stdlib.h>

#include "base/path.h"

static _Thread_local look_fn *listening;
static _Thread_local void *listener_data;

void look_begin(look_fn *listener, void *data)
{
    listening = listener;
    listener_data = data;
}

void look_end(void)
{
    listening = NULL;
}

void look_at(const char *path)
{
    if (listening)
        listening(listener_data, path, LOOK_AT);
}

void look_at_link(const char *path)
{
    if (listening)
        listening(listener_data, path, LOOK_AT_LINK);
}

void look_for_below(const char *dir, const char *path)
{
    if (!listening)
        return;
    char *full = path_join(dir, path);
    listening(listener_data, full, LOOK_FOR);
    free(full);
}
