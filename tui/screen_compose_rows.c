/* One tab of the compose screen: the entries of its manifests, staged edits put in. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "tui/screen_compose.h"

typedef VEC(struct compose_row) row_list;

struct reading {
    struct compose_screen *screen;
    const struct compose_fs *fs;
    const struct graph *graph;
    row_list rows;
};

/* FNV-1a, of the guest's name and what tells two lines of one name apart. */
static uint64_t row_id(const char *guest, unsigned salt)
{
    uint64_t id = 14695981039346656037u;
    for (const char *p = guest; *p; p++)
        id = (id ^ (unsigned char)*p) * 1099511628211u;
    return id + salt;
}

/* Whether a step makes what an entry names: then it is not missing, only not built yet. */
static bool is_made(const struct reading *reading, const struct manifest_entry *entry)
{
    for (size_t i = 0; i < reading->fs->scope.dirs_count; i++) {
        char *path = path_join(reading->fs->scope.dirs[i], entry->source);
        file_id file = graph_find_file(reading->graph, path);
        free(path);
        if (file != FILE_NONE && reading->graph->files.at[file].producer != STEP_NONE)
            return true;
    }
    return false;
}

/* In a tree of OSv, whatever belongs into the build directory is asked of its make. */
static bool is_made_by_make(const struct reading *reading, const struct manifest_entry *entry)
{
    return !reading->graph->steps.len && entry->source[0] != '/' && entry->source[0] != '.';
}

/* "usr.manifest.skel:4", "data/usr.manifest:1": what is in manifests/ goes without saying. */
static const char *place_of(struct arena *arena, const char *path, unsigned line)
{
    static const char *const known[] = {"build/.gantry/stock/", "manifests/"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_starts(path, known[i]))
            path += strlen(known[i]);
    return arena_format(arena, "%s:%u", path, line);
}

static const struct manifest_line *line_of(const struct manifest_edit *edit, const char *guest)
{
    for (size_t i = 0; i < edit->lines.len; i++)
        if (edit->lines.at[i].guest && strcmp(edit->lines.at[i].guest, guest) == 0)
            return &edit->lines.at[i];
    return NULL;
}

/* The manifest as it is on disk. */
static bool open_disk(const struct staged_manifest *staged, struct manifest_edit *disk)
{
    return manifest_edit_open(disk, staged->edit.path, NULL) == 0;
}

static enum row_stage stage_of(const struct staged_manifest *staged, unsigned line,
                               const struct manifest_edit *disk)
{
    if (!line || line > staged->edit.lines.len || !staged->edit.lines.at[line - 1].staged)
        return ROW_SAME;
    const char *guest = staged->edit.lines.at[line - 1].guest;
    return guest && line_of(disk, guest) ? ROW_CHANGED : ROW_ADDED;
}

static void add_row(struct reading *reading, const struct manifest_entry *entry)
{
    struct arena *arena = &reading->screen->arena;
    struct compose_row row = {
        .id = row_id(entry->guest, entry->duplicate ? entry->order + 1 : 0),
        .guest = arena_copy(arena, entry->guest),
        .wanted = arena_copy(arena, entry->wanted),
        .from = place_of(arena, entry->file, entry->line),
        .file = arena_copy(arena, entry->file),
        .line = entry->line,
        .size_bytes = entry->size_bytes,
        .duplicate = entry->duplicate,
        .is_link = entry->kind == ENTRY_SYMLINK,
        .is_directory = entry->kind == ENTRY_DIRECTORY,
    };
    row.unbuilt = entry->missing && (is_made(reading, entry) || is_made_by_make(reading, entry));
    row.missing = (entry->missing || entry->problem) && !row.unbuilt;
    const struct staged_manifest *staged = compose_staged(reading->screen, entry->file);
    struct manifest_edit disk = {0};
    if (staged && open_disk(staged, &disk))
        row.stage = stage_of(staged, entry->line, &disk);
    manifest_edit_close(&disk);
    vec_push(&reading->rows, row);
}

/* What the staged text does not have any more. */
static void add_removed(struct reading *reading, const char *path)
{
    const struct staged_manifest *staged = compose_staged(reading->screen, path);
    struct arena *arena = &reading->screen->arena;
    struct manifest_edit disk = {0};
    bool open = staged && open_disk(staged, &disk);
    for (size_t i = 0; open && i < disk.lines.len; i++) {
        const struct manifest_line *line = &disk.lines.at[i];
        if (!line->guest || line_of(&staged->edit, line->guest))
            continue;
        struct compose_row row = {
            .id = row_id(line->guest, 0),
            .guest = arena_copy(arena, line->guest),
            .wanted = arena_copy(arena, line->host),
            .from = place_of(arena, path, (unsigned)i + 1),
            .file = arena_copy(arena, path),
            .line = (unsigned)i + 1,
            .stage = ROW_REMOVED,
        };
        vec_push(&reading->rows, row);
    }
    manifest_edit_close(&disk);
}

static int by_guest(const void *left, const void *right)
{
    const struct compose_row *a = left, *b = right;
    int order = strcmp(a->guest, b->guest);
    if (order)
        return order;
    return a->duplicate != b->duplicate ? (a->duplicate ? -1 : 1)
           : a->line < b->line          ? -1
                                        : a->line > b->line;
}

/* Resolves a tab's manifests, with what is staged in them where `staged`. */
static int resolve(struct console *console, struct reading *reading, bool with_staged,
                   struct manifest_list *list, struct err *err)
{
    VEC(struct manifest_overlay) overlays = {0};
    struct compose_screen *screen = reading->screen;
    for (size_t i = 0; with_staged && i < screen->manifests.len; i++) {
        struct staged_manifest *staged = &screen->manifests.at[i];
        if (compose_staged(screen, staged->path))
            vec_push(&overlays, (struct manifest_overlay){staged->path, staged->edit.text});
    }
    struct manifest_scope scope = reading->fs->scope;
    scope.overlays = overlays.at;
    scope.overlays_count = overlays.len;
    scope.root = console->root;
    int status = manifest_resolve(list, reading->fs->manifests, reading->fs->manifests_count,
                                  &scope, MANIFEST_MARK, err);
    vec_free(&overlays);
    return status;
}

/* Bytes that the tab's manifests put in as they are on disk. */
static uint64_t bytes_on_disk(struct console *console, struct reading *reading)
{
    struct manifest_list list = {0};
    struct err none = {0};
    uint64_t bytes = 0;
    if (resolve(console, reading, false, &list, &none) == 0)
        for (size_t i = 0; i < list.entries.len; i++)
            if (!list.entries.at[i].duplicate)
                bytes += list.entries.at[i].size_bytes;
    manifest_list_free(&list);
    return bytes;
}

/* A manifest that is staged though no entry of it is: its lines have another order. */
static void note_order(struct reading *reading, struct compose_tab *tab)
{
    for (size_t i = 0; i < reading->fs->manifests_count; i++) {
        const char *path = reading->fs->manifests[i];
        bool only_order = compose_staged(reading->screen, path) != NULL;
        for (size_t k = 0; k < reading->rows.len; k++)
            if (strcmp(reading->rows.at[k].file, path) == 0)
                only_order &= reading->rows.at[k].stage == ROW_SAME;
        if (!only_order)
            continue;
        tab->reordered = path;
        tab->staged_count++;
    }
}

void compose_read_tab(struct console *console, struct compose_screen *screen,
                      const struct graph *graph, size_t tab_index)
{
    struct reading reading = {screen, &screen->fs.at[tab_index], graph, {0}};
    struct compose_tab *tab = (struct compose_tab *)(uintptr_t)&screen->data.tabs[tab_index];
    struct manifest_list list = {0};
    struct err err = {0};
    tab->name = reading.fs->name;
    if (resolve(console, &reading, true, &list, &err) < 0)
        tab->problem = arena_copy(&screen->arena, err.text);
    for (size_t i = 0; i < list.entries.len; i++)
        add_row(&reading, &list.entries.at[i]);
    for (size_t i = 0; i < reading.fs->manifests_count; i++)
        add_removed(&reading, reading.fs->manifests[i]);
    if (reading.rows.len)
        qsort(reading.rows.at, reading.rows.len, sizeof *reading.rows.at, by_guest);
    struct compose_row *rows =
        arena_alloc(&screen->arena, (reading.rows.len + 1) * sizeof *reading.rows.at);
    for (size_t i = 0; i < reading.rows.len; i++) {
        rows[i] = reading.rows.at[i];
        bool stays = rows[i].stage != ROW_REMOVED && !rows[i].duplicate;
        tab->missing_count += rows[i].missing && rows[i].stage != ROW_REMOVED;
        tab->staged_count += rows[i].stage != ROW_SAME;
        tab->size_bytes += stays ? rows[i].size_bytes : 0;
    }
    note_order(&reading, tab);
    if (tab->staged_count)
        tab->change_bytes = (int64_t)tab->size_bytes - (int64_t)bytes_on_disk(console, &reading);
    tab->rows = rows;
    tab->rows_count = reading.rows.len;
    if (!tab->problem)
        compose_read_since(console, screen, tab_index, &list);
    vec_free(&reading.rows);
    manifest_list_free(&list);
}
