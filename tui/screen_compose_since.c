/*
 * What the compose screen tells of sizes, and of what changes: the entries of the manifests as they
 * are now against the files of the image that was composed last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "osv/osv.h"
#include "tui/screen_compose.h"

enum {
    NOTES_MAX = 60, /* of one file system */
    LARGEST_MAX = 6,
    BOOTFS_NAME_MAX = 110, /* of its records' 111 bytes one is the NUL */
};
/* Content is compared where a source is newer than the image, as long as it costs nobody time. */
enum { COMPARED_FILES = 16, COMPARED_BYTES = 1 << 20 };

struct since {
    struct compose_screen *screen;
    note_list notes;
    size_t more; /* notes that were left out */
    const char *image; /* the file system, absolute */
    struct timespec made;
    unsigned compared;
};

static void note(struct since *since, char mark, const char *guest)
{
    if (since->notes.len < NOTES_MAX)
        compose_note_add(since->screen, &since->notes, mark, guest);
    else
        since->more++;
}

static bool is_newer(const struct stat *st, const struct timespec *than)
{
    return st->st_mtim.tv_sec != than->tv_sec ? st->st_mtim.tv_sec > than->tv_sec
                                              : st->st_mtim.tv_nsec > than->tv_nsec;
}

/* Whether a file of the same size has other bytes; a guess (yes) where looking would take long. */
static bool other_content(struct since *since, const struct manifest_entry *entry)
{
    struct stat st;
    struct err err;
    struct str there = {0};
    size_t length = 0;
    if (stat(entry->host, &st) < 0 || !is_newer(&st, &since->made))
        return false;
    if (entry->size_bytes > COMPARED_BYTES || since->compared++ >= COMPARED_FILES)
        return true;
    char *here = file_read(entry->host, &length, &err);
    bool same = here && image_cat(since->image, entry->guest, &there, &err) == 0 &&
                there.len == length && memcmp(str_text(&there), here, length) == 0;
    str_free(&there);
    free(here);
    return !same;
}

static bool has_changed(struct since *since, const struct manifest_entry *entry,
                        const struct image_file *file)
{
    if (entry->kind != file->kind)
        return true;
    if (entry->kind == ENTRY_SYMLINK)
        return strcmp(entry->host, file->target) != 0;
    if (entry->kind == ENTRY_DIRECTORY)
        return false;
    return entry->size_bytes != file->size_bytes || other_content(since, entry);
}

/* A directory of the image that stands for itself: nothing is in it. Others come and go with their
 * files. */
static bool is_empty(const struct image_listing *listing, size_t at)
{
    const char *path = listing->files.at[at].path;
    size_t length = strlen(path);
    const char *next = at + 1 < listing->files.len ? listing->files.at[at + 1].path : "";
    return strcmp(path, "/") != 0 && !(strncmp(next, path, length) == 0 && next[length] == '/');
}

static void note_gone(struct since *since, const struct image_listing *listing, size_t at)
{
    const struct image_file *file = &listing->files.at[at];
    if (file->kind != ENTRY_DIRECTORY || is_empty(listing, at))
        note(since, '-', file->path);
}

/* Both are sorted by path. */
static void compare(struct since *since, const struct manifest_list *list,
                    const struct image_listing *listing)
{
    size_t at = 0;
    for (size_t i = 0; i < list->entries.len; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        if (entry->duplicate)
            continue;
        int order = -1;
        while (at < listing->files.len &&
               (order = strcmp(listing->files.at[at].path, entry->guest)) < 0)
            note_gone(since, listing, at++);
        bool there = at < listing->files.len && order == 0;
        if (!there)
            note(since, '+', entry->guest);
        else if (!entry->missing && !entry->problem &&
                 has_changed(since, entry, &listing->files.at[at]))
            note(since, '~', entry->guest);
        at += there;
    }
    while (at < listing->files.len)
        note_gone(since, listing, at++);
}

void compose_read_since(struct console *console, struct compose_screen *screen, size_t tab_index,
                        struct manifest_list *list)
{
    struct compose_tab *tab = (struct compose_tab *)(uintptr_t)&screen->data.tabs[tab_index];
    char *path = path_join(console->root, screen->fs.at[tab_index].output);
    struct since since = {.screen = screen, .image = path};
    struct image_listing listing = {0};
    struct err err;
    struct stat st;
    if (stat(path, &st) == 0 && image_list(path, &listing, &err) == 0) {
        since.made = st.st_mtim;
        struct conf *conf =
            console->app.state.tree == APP_TREE_OSV ? console->app.ops.conf(console, &err) : NULL;
        if (conf)
            osv_use_stripped(list, console->root, conf);
        tab->composed = true;
        compare(&since, list, &listing);
        if (since.more) {
            char text[64];
            snprintf(text, sizeof text, "and %zu more in %s", since.more, tab->name);
            compose_note_add(screen, &since.notes, ' ', text);
        }
        tab->since = compose_notes_keep(screen, &since.notes, &tab->since_count);
    }
    image_listing_free(&listing);
    free(path);
}

/* ---- sizes ---- */

static bool stays(const struct compose_row *row)
{
    return row->stage != ROW_REMOVED && !row->duplicate;
}

/* Keeps a row among the largest, which are few. */
static void keep_large(struct compose_big *largest, size_t *count, const struct compose_row *row)
{
    size_t at = *count;
    while (at > 0 && largest[at - 1].size_bytes < row->size_bytes)
        at--;
    if (at == LARGEST_MAX)
        return;
    size_t moved = (*count < LARGEST_MAX ? *count : LARGEST_MAX - 1) - at;
    memmove(largest + at + 1, largest + at, moved * sizeof *largest);
    largest[at] = (struct compose_big){row->guest, row->size_bytes};
    *count += *count < LARGEST_MAX;
}

/* The longest name of a bootfs, its slash counted where it is a directory's. */
static size_t longest_name(const struct compose_tab *tab)
{
    size_t longest = 0;
    for (size_t i = 0; i < tab->rows_count; i++) {
        size_t length = strlen(tab->rows[i].guest) + tab->rows[i].is_directory;
        if (stays(&tab->rows[i]) && length > longest)
            longest = length;
    }
    return longest;
}

void compose_read_sizes(struct compose_screen *screen, const struct image_info *info)
{
    struct compose_data *data = &screen->data;
    struct compose_big *largest = arena_alloc(&screen->arena, LARGEST_MAX * sizeof *largest);
    struct compose_limit *limits =
        arena_alloc(&screen->arena, (data->tabs_count + 2) * sizeof *limits);
    size_t count = 0;
    if (info->kernel_bytes)
        limits[count++] =
            (struct compose_limit){"kernel", info->kernel_bytes, info->kernel_most, true};
    for (size_t i = 0; i < data->tabs_count; i++) {
        const struct compose_tab *tab = &data->tabs[i];
        for (size_t k = 0; k < tab->rows_count; k++)
            if (stays(&tab->rows[k]) && tab->rows[k].size_bytes)
                keep_large(largest, &data->largest_count, &tab->rows[k]);
        if (screen->fs.at[i].is_bootfs)
            limits[count++] =
                (struct compose_limit){arena_format(&screen->arena, "names in %s", tab->name),
                                       longest_name(tab), BOOTFS_NAME_MAX, false};
    }
    limits[count++] =
        (struct compose_limit){"arguments", strlen(data->args_next), data->args_max, false};
    data->limits = limits;
    data->limits_count = count;
    data->largest = largest;
}
