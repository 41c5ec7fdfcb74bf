/*
 * The compose screen's data and what is staged: private to tui/screen_compose*.c. The data is read
 * anew after a change; the staged edits live beside it.
 */
#ifndef GANTRY_TUI_SCREEN_COMPOSE_H
#define GANTRY_TUI_SCREEN_COMPOSE_H

#include "base/arena.h"
#include "graph/graph.h"
#include "image/image.h"
#include "manifest/manifest.h"
#include "tui/console.h"
#include "tui/screen_data.h"

/* A manifest that was edited; stays open as long as the console runs. */
struct staged_manifest {
    char *path; /* relative to the tree, as the loader names it */
    struct manifest_edit edit;
};

/* One edit, for undo and redo in the order in which they were made. */
struct staged_step {
    size_t manifest; /* index of manifests; SIZE_MAX: the arguments */
    char *args, *args_before; /* of the arguments; NULL: none were staged */
};

/* One file system that is composed. */
struct compose_fs {
    const char *name; /* of its tab */
    const char *const *manifests; /* relative to the tree */
    size_t manifests_count;
    struct manifest_scope scope; /* without overlays and root */
    const char *output; /* relative to the tree */
    bool is_bootfs; /* its names are limited */
};

typedef VEC(struct staged_step) staged_steps;

struct compose_screen {
    struct compose_data data;
    struct arena arena; /* all of data and fs */
    bool known;
    VEC(struct compose_fs) fs; /* by tab */

    VEC(struct staged_manifest) manifests;
    char *args; /* staged boot arguments; NULL: none */
    staged_steps done, undone;
};

/* The staged text of a manifest (relative path), or NULL where it was not changed. */
const struct staged_manifest *compose_staged(const struct compose_screen *screen, const char *path);
/* Reads what the screen shows; what goes wrong becomes data->problem. */
void compose_screen_read(struct console *console, struct compose_screen *screen);
/* The rows of a tab, and what differs from what was composed last. */
void compose_read_tab(struct console *console, struct compose_screen *screen,
                      const struct graph *graph, size_t tab);
/* What the next compose changes in a file system that was composed already; `list` is what its
 * manifests say now. */
void compose_read_since(struct console *console, struct compose_screen *screen, size_t tab,
                        struct manifest_list *list);
/* The largest files, and what is measured against a limit; `info`: of the image, zeroed where there is
 * none. */
void compose_read_sizes(struct compose_screen *screen, const struct image_info *info);
/* The screen's, its data read. NULL where there is no native tree. */
struct compose_screen *compose_screen_of(struct console *console);
void compose_stage_fill(struct app_ops *ops);
void compose_preview_fill(struct app_ops *ops);
void compose_stage_free(struct compose_screen *screen);

/* Notes in the arena, growing; keep moves them into the arena for good. */
typedef VEC(struct compose_note) note_list;
void compose_note_add(struct compose_screen *screen, note_list *notes, char mark, const char *text);
const struct compose_note *compose_notes_keep(struct compose_screen *screen, note_list *notes,
                                              size_t *count);

#endif
