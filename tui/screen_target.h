/* The dry run behind the target screen: private to tui/screen_target*.c. */
#ifndef GANTRY_TUI_SCREEN_TARGET_H
#define GANTRY_TUI_SCREEN_TARGET_H

#include "base/arena.h"
#include "base/vec.h"
#include "tui/console.h"
#include "tui/screen_data.h"

/* Stale steps with one reason; for headers and inputs, of one path. */
struct stale_group {
    char *reason, *path;
    unsigned count;
};

struct target_probe {
    struct build *build; /* NULL: none runs */
    struct queue *events; /* its own */
    VEC(struct stale_group) groups;
    VEC(struct target_stale) steps; /* the first of those that are stale */
    unsigned stale, total;
    char *text; /* the sentence of the last that ended; NULL: none did */
};

/* Reads the tree's profiles into data; conf (may be NULL) says which is in force. */
void target_profiles_fill(struct console *console, struct conf *conf, struct arena *arena,
                          struct target_data *data);
void target_profiles_ops(struct app_ops *ops);

void target_probe_start(struct console *console, struct target_probe *probe);
/* Takes in what came; true where it has ended, and `text` is made where it went well. */
bool target_probe_take(struct target_probe *probe);
/* Ends one that runs; `text` and `steps` stay. */
void target_probe_stop(struct target_probe *probe);
/* Forgets what the last found. */
void target_probe_clear(struct target_probe *probe);

#endif
