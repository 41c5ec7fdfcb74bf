/*
 * What of the environment counts for a make tree. A hash of it has two halves: the higher is of all that
 * counts but PATH, the lower of PATH. Where only PATH has changed, it is looked whether it leads
 * anywhere else: the programs that a step ran, or looked for, are searched along both.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "load/make_state.h"

extern char **environ;

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

/* ---- what makes add to it ---- */

/* What each make has of its own, and what each shell sets for itself. */
static bool is_of_makes(const char *entry)
{
    static const char *const names[] = {
        "GANTRY_",     "MAKEFLAGS=",    "MFLAGS=",      "MAKELEVEL=", "MAKE_TERM", "MAKE_RESTARTS",
        "LD_PRELOAD=", "PWD=",          "OLDPWD=",      "SHLVL=",     "_=",        "COLUMNS=",
        "LINES=",      "GNUMAKEFLAGS=", "MAKEOVERRIDES"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_starts(entry, names[i]))
            return true;
    return false;
}

/* Whether a variable of ours, by its entry, never counts. */
static bool fresh_ignores_entry(const char *entry, size_t name_length)
{
    char *name = mem_copy_n(entry, name_length);
    bool ignores = fresh_ignores(name);
    free(name);
    return ignores;
}

static bool has_entry(char *const env[], const char *entry, size_t length)
{
    for (; *env; env++)
        if (strncmp(*env, entry, length) == 0 && (entry[length - 1] == '=' || !(*env)[length]))
            return true;
    return false;
}

/* PATH without what was put in front of it for makes to be found. */
static char *without_ours(const struct make_build *make, const char *path)
{
    struct str out = {0};
    for (const char *at = path; *at;) {
        size_t length = strcspn(at, ":");
        bool ours = strncmp(at, make->payload, strlen(make->payload)) == 0 ||
                    strncmp(at, make->state_dir, strlen(make->state_dir)) == 0;
        if (!ours) {
            if (out.len)
                str_add_char(&out, ':');
            str_add_n(&out, at, length);
        }
        at += length + (at[length] == ':');
    }
    return str_take(&out);
}

static bool always_counts(const char *entry, size_t name_length)
{
    for (const char *const *name = fresh_variables; *name; name++)
        if (strlen(*name) == name_length && strncmp(*name, entry, name_length) == 0)
            return true;
    return false;
}

static void add_entry(struct make_added *added, const char *entry, uint64_t hash)
{
    added->any += hash;
    if (always_counts(entry, strcspn(entry, "=")))
        added->always += hash;
}

struct make_added make_environment_added(const struct make_build *make, int32_t pid)
{
    char file[64];
    size_t length = 0;
    struct make_added added = {0};
    VEC(char *) entries = {0};
    snprintf(file, sizeof file, "/proc/%ld/environ", (long)pid);
    char *text = file_read(file, &length, NULL);
    for (char *at = text; text && at < text + length; at += strlen(at) + 1)
        vec_push(&entries, at);
    vec_push(&entries, NULL);
    for (char **at = entries.at; text && *at; at++) {
        if (is_of_makes(*at) || has_entry(environ, *at, strlen(*at)))
            continue;
        if (str_starts(*at, "PATH=")) {
            char *path = without_ours(make, *at + 5);
            if (strcmp(path, present_path()) != 0)
                add_entry(&added, *at, XXH3_64bits(path, strlen(path)));
            free(path);
        } else {
            add_entry(&added, *at, XXH3_64bits(*at, strlen(*at)));
        }
    }
    for (char **at = environ; text && *at; at++) {
        size_t name = strcspn(*at, "=");
        if ((*at)[name] && !is_of_makes(*at) && !fresh_ignores_entry(*at, name) &&
            !has_entry(entries.at, *at, name + 1))
            add_entry(&added, *at, ~XXH3_64bits(*at, name));
    }
    vec_free(&entries);
    free(text);
    return added;
}
