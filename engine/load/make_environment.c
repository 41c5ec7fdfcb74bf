/*
 * What of the environment counts for a make tree. A hash of it has two halves: the higher is of all that
 * counts but PATH, the lower of PATH. Where only PATH has changed, it is looked whether it leads
 * anywhere else: the programs that a step ran, or looked for, are searched along both.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/mem.h"
#include "base/path.h"
#include "load/make_state.h"

enum { PATHS_KEPT = 32 };

static uint32_t hash_path(const char *path)
{
    return (uint32_t)XXH3_64bits(path, strlen(path));
}

static const char *present_path(void)
{
    const char *path = getenv("PATH");
    return path ? path : "";
}

static uint64_t with_path(uint64_t others)
{
    uint64_t hash = (others & ~(uint64_t)UINT32_MAX) | hash_path(present_path());
    return hash ? hash : 1;
}

uint64_t make_environment_always(bool locale)
{
    return with_path(fresh_environment_but("PATH", locale));
}

uint64_t make_environment_all(struct make_state *kept)
{
    const struct text_list *names = state_list(&kept->state, make_state_key(kept, KEY_VARIABLES));
    struct str all = {0};
    kept->path_named = false;
    for (uint32_t i = 0; names && i < names->count; i++) {
        const char *name = intern_text(&kept->state.texts, names->texts[i]);
        const char *value = fresh_ignores(name) ? NULL : getenv(name);
        kept->path_named |= strcmp(name, "PATH") == 0;
        if (value && strcmp(name, "PATH") != 0)
            str_addf(&all, "%s=%s\n", name, value);
    }
    uint64_t hash = XXH3_64bits(str_text(&all), all.len) ^ kept->environment;
    str_free(&all);
    return with_path(hash);
}

/* ---- PATH ---- */

void make_environment_open(struct make_state *kept)
{
    struct state *state = &kept->state;
    text_id key = make_state_key(kept, KEY_PATHS), path = state_text(state, present_path());
    const struct text_list *old = state_list(state, key);
    id_list paths = {0};
    for (uint32_t i = 0; old && i < old->count; i++)
        if (old->texts[i] != path)
            vec_push(&paths, old->texts[i]);
    vec_push(&paths, path);
    size_t skip = paths.len > PATHS_KEPT ? paths.len - PATHS_KEPT : 0;
    state_put_list(state, key, paths.at + skip, paths.len - skip);
    vec_free(&paths);
}

static const char *path_of_hash(struct make_state *kept, uint32_t hash)
{
    const struct text_list *list = state_list(&kept->state, make_state_key(kept, KEY_PATHS));
    for (uint32_t i = 0; list && i < list->count; i++) {
        const char *path = intern_text(&kept->state.texts, list->texts[i]);
        if (hash_path(path) == hash)
            return path;
    }
    return NULL;
}

/* The program of this name along a PATH, links followed; new, or NULL. */
static char *search(const char *path, const char *name)
{
    for (const char *at = path; *at;) {
        size_t length = strcspn(at, ":");
        char *file = mem_format("%.*s/%s", (int)length, at, name);
        char *real = length && access(file, X_OK) == 0 ? realpath(file, NULL) : NULL;
        free(file);
        if (real)
            return real;
        at += length + (at[length] == ':');
    }
    return NULL;
}

/* Takes the directories of a PATH, and what those that are links lead to. */
static void take_directories(struct path_change *change, const char *path)
{
    for (const char *at = path; *at;) {
        size_t length = strcspn(at, ":");
        char *entry = mem_copy_n(at, length), *real = length ? realpath(entry, NULL) : NULL;
        if (length)
            intern_id(&change->old_dirs, entry);
        if (real)
            intern_id(&change->old_dirs, real);
        free(real);
        free(entry);
        at += length + (at[length] == ':');
    }
}

/* Whether a file that was used or looked for says nothing about the change of PATH: it is in none of
 * the old one's directories, or the new one leads to the same. */
static bool is_same_along(struct make_state *kept, const char *old, const char *file)
{
    enum { UNKNOWN, SAME, OTHER };
    struct path_change *change = &kept->path_change;
    const char *name = path_base(file);
    size_t length = name > file ? (size_t)(name - file) - 1 : 0;
    if (file[0] != '/' || !length)
        return true;
    uint32_t dir = intern_id_n(&change->dirs, file, length);
    while (change->along.len <= dir)
        vec_push(&change->along, UNKNOWN);
    if (change->along.at[dir] == UNKNOWN)
        change->along.at[dir] =
            intern_find_n(&change->old_dirs, file, length) != INTERN_NONE ? OTHER : SAME;
    if (change->along.at[dir] == SAME)
        return true;
    uint32_t id = intern_id(&change->names, name);
    while (change->verdicts.len <= id)
        vec_push(&change->verdicts, UNKNOWN);
    if (change->verdicts.at[id] == UNKNOWN) {
        char *before = search(old, name), *after = search(present_path(), name);
        bool same = before && after ? strcmp(before, after) == 0 : before == after;
        change->verdicts.at[id] = same ? SAME : OTHER;
        free(before);
        free(after);
    }
    return change->verdicts.at[id] == SAME;
}

static void forget_change(struct path_change *change)
{
    intern_free(&change->old_dirs);
    intern_free(&change->dirs);
    intern_free(&change->names);
    vec_free(&change->along);
    vec_free(&change->verdicts);
    vec_free(&change->sets);
    *change = (struct path_change){0};
}

static bool set_is_same(struct make_state *kept, const char *old, set_id set)
{
    enum { UNKNOWN, SAME, OTHER };
    struct path_change *change = &kept->path_change;
    while (change->sets.len <= set)
        vec_push(&change->sets, UNKNOWN);
    if (change->sets.at[set] == UNKNOWN) {
        struct set_walk walk = state_set(&kept->state, set);
        bool same = true;
        for (version_id version; same && set_next(&walk, &version);) {
            text_id text = kept->state.versions.at[version].path;
            same = is_same_along(kept, old, now_plain(intern_text(&kept->state.texts, text)));
        }
        change->sets.at[set] = same ? SAME : OTHER;
    }
    return change->sets.at[set] == SAME;
}

bool make_environment_holds(struct make_state *kept, const struct step_record *record,
                            uint64_t present)
{
    if (record->environment_hash == present)
        return true;
    uint32_t old_hash = (uint32_t)record->environment_hash;
    bool goal = (unsigned char)intern_text(&kept->state.texts, record->target)[0] < 8;
    const char *old =
        record->environment_hash >> 32 == present >> 32 ? path_of_hash(kept, old_hash) : NULL;
    bool named = goal ? kept->path_named
                      : strstr(intern_text(&kept->state.texts, record->command), "PATH") != NULL;
    if (!old || named)
        return false;
    if (kept->path_change.old_hash != old_hash) {
        forget_change(&kept->path_change);
        take_directories(&kept->path_change, old);
    }
    kept->path_change.old_hash = old_hash;
    for (uint32_t i = 0; i < record->sets; i++)
        if (!set_is_same(kept, old, record->ids[i]))
            return false;
    return true;
}

void make_environment_close(struct make_state *kept)
{
    forget_change(&kept->path_change);
}
