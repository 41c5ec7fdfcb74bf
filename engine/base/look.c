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
        listening(listener_data, path, false);
}

void look_at_link(const char *path)
{
    if (listening)
        listening(listener_data, path, true);
}

void look_below(const char *dir, const char *path)
{
    if (!listening)
        return;
    char *full = path_join(dir, path);
    look_at(full);
    free(full);
}
