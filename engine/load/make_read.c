/*
 * Whether what makes read comes to other rules. Where something that they read, listed or looked for has
 * changed, any command may be another, and every one is compared: all that is recorded is made to look
 * old, so that make wants it. Most edits of makefiles, though, change no command, or a few. So where only
 * makefiles have changed that the goal's first make alone reads, that make tells what it has read before
 * it looks at the first file (hook_copy.c): where all its variables, rules and files are as they were
 * when the goal was built last, so are its commands. What else decides them is the environment and what
 * its $(shell)s and other functions look at, which is all as it was then.
 *
 * A make that executes itself again, since a makefile was remade, tells in any case.
 */
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "load/make_database.h"
#include "load/make_state.h"

/* ---- what a make has read ---- */

/* Lines that change without any rule: times, and how full make's tables are. */
static bool says_nothing(struct slice line)
{
    static const char *const lines[] = {"#  Last modified ", "#  Modification time ",
                                        "#  File has ", "# Load="};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (line_starts(line, lines[i]))
            return true;
    return line_starts(line, "# ") && memmem(line.at, line.length, " hash-table stats:", 18);
}

/* A comment without where it comes from: "# makefile (from 'Makefile', line 285)". */
static struct slice without_place(struct slice line)
{
    static const char from[] = " (from '";
    const char *at = line.at[0] == '#' ? memmem(line.at, line.length, from, strlen(from)) : NULL;
    return at ? (struct slice){line.at, (size_t)(at - line.at)} : line;
}

static bool is_define(struct slice line)
{
    return line_starts(line, "define ") || line_starts(line, "# define ");
}

/* make itself would read a file without that it is seen what for. */
static bool reads_files(struct slice text)
{
    return memmem(text.at, text.length, "(file ", 6) || memmem(text.at, text.length, "{file ", 6);
}

static void take_makefiles(struct reading *reading, struct slice line)
{
    static const char name[] = "MAKEFILE_LIST := ";
    if (!line_starts(line, name))
        return;
    str_list_free(&reading->makefiles);
    intern_free(&reading->names);
    for (size_t at = strlen(name), end; at < line.length; at = end + 1) {
        const char *blank = memchr(line.at + at, ' ', line.length - at);
        end = blank ? (size_t)(blank - line.at) : line.length;
        if (end > at)
            vec_push(&reading->makefiles, mem_copy_n(line.at + at, end - at));
    }
}

/* Which variables are exported is all that make does not print: where a makefile speaks of that, it counts
 * as it stands, but for its comments. */
static bool digest_exports(const struct make_build *make, const str_list *makefiles,
                           XXH3_state_t *state)
{
    bool known = true;
    for (size_t i = 0; i < makefiles->len; i++) {
        size_t length;
        char *dir = path_join(make->build->options.root, make->makes.at[0]->directory);
        char *path = path_join(dir, makefiles->at[i]), *text = file_read(path, &length, NULL);
        struct slice rest = {text, text ? length : 0}, line;
        known &= text != NULL;
        while (text && memmem(text, length, "export", 6) && next_line(&rest, &line))
            if (line.length && line.at[0] != '#')
                XXH3_64bits_update(state, line.at, line.length);
        free(text);
        free(path);
        free(dir);
    }
    return known;
}

/* A digest of what make prints of variables, rules and files. Of the environment's variables those that
 * count are compared elsewhere. NULL: such a text says not all. */
static char *digest_of(const struct make_build *make, struct reading *reading, struct slice rest)
{
    XXH3_state_t *state = XXH3_createState();
    struct slice line;
    bool defines = false, of_environment = false, whole = !reads_files(rest);
    XXH3_64bits_reset(state);
    while (whole && next_line(&rest, &line)) {
        bool of_define = defines;
        defines = defines ? !line_starts(line, "endef") : is_define(line);
        if (!of_define && !defines && line_starts(line, "# environment")) {
            of_environment = true; /* its value is the next line, or lines */
            continue;
        }
        if (of_environment) {
            of_environment = defines;
            continue;
        }
        if (!of_define && says_nothing(line))
            continue;
        if (!of_define && line.length)
            line = without_place(line);
        take_makefiles(reading, line);
        XXH3_64bits_update(state, line.at, line.length);
        XXH3_64bits_update(state, "\n", 1);
    }
    whole = whole && digest_exports(make, &reading->makefiles, state);
    uint64_t hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return whole ? mem_format("%016llx", (unsigned long long)hash) : NULL;
}

/* ---- before and while make runs ---- */

static const struct text_list *rules_of(struct make_state *kept)
{
    const struct text_list *list = state_list(&kept->state, make_state_key(kept, KEY_RULES));
    return list && list->count ? list : NULL;
}

static void say_all(struct make_state *kept)
{
    build_say(kept->make->build, SEVERITY_NOTE,
              "what make reads has changed (%s): every command is compared",
              kept->reading.path ? kept->reading.path : "the environment");
}

static bool is_listed(const struct text_list *list, text_id path)
{
    for (uint32_t i = 1; list && i < list->count; i++)
        if (list->texts[i] == path)
            return true;
    return false;
}

/* Finds what has changed, the first by name; whether all of it are makefiles of the list. */
static bool only_listed(struct make_state *kept, const struct step_record *read,
                        const struct text_list *list)
{
    bool only = true;
    for (uint32_t i = 0; i < read->sets; i++) {
        struct set_walk walk = state_set(&kept->state, read->ids[i]);
        for (version_id version; set_next(&walk, &version);) {
            text_id path = kept->state.versions.at[version].path;
            if (now_is(&kept->now, version))
                continue;
            if (!kept->reading.path)
                kept->reading.path = mem_copy(now_plain(intern_text(&kept->state.texts, path)));
            only &= is_listed(list, path);
        }
    }
    return only;
}

bool make_read_changed(struct make_state *kept)
{
    struct reading *reading = &kept->reading;
    const struct step_record *read = state_record(&kept->state, make_state_key(kept, KEY_READ));
    reading->first = !read;
    reading->changed = reading->all_old = true;
    if (!read)
        return true;
    if (!make_environment_holds(kept, read, kept->all_environment)) {
        say_all(kept);
        return true;
    }
    bool only = only_listed(kept, read, rules_of(kept));
    reading->changed = reading->path != NULL;
    reading->doubt = reading->changed && only;
    reading->all_old = reading->changed && !only;
    if (reading->all_old)
        say_all(kept);
    return reading->all_old;
}

/* The first make, also where it executed itself again. */
static bool is_first(const struct make_build *make, uint32_t number)
{
    return number == 0 || make->makes.at[number]->pid == make->makes.at[0]->pid;
}

bool make_read_wants(struct make_build *make, uint32_t number, bool able)
{
    struct make_state *kept = make->kept;
    if (!kept || !kept->open || !is_first(make, number) ||
        (number == 0 && !kept->reading.changed && rules_of(kept)))
        return false;
    if (!able)
        make_read_heard(make, NULL, 0);
    return able;
}

void make_read_heard(struct make_build *make, const char *text, size_t length)
{
    struct make_state *kept = make->kept;
    struct reading *reading = &kept->reading;
    const struct text_list *list = rules_of(kept);
    free(reading->digest);
    reading->digest = text ? digest_of(make, reading, (struct slice){text, length}) : NULL;
    bool same = reading->digest && list &&
                strcmp(intern_text(&kept->state.texts, list->texts[0]), reading->digest) == 0;
    if (reading->all_old || (!reading->doubt && !list))
        return;
    if (same) {
        if (reading->doubt)
            build_say(make->build, SEVERITY_NOTE, "%s has changed, but no rule and no variable",
                      reading->path);
        return;
    }
    if (!reading->path)
        reading->path = mem_copy("a makefile that was remade");
    say_all(kept);
    make_stale_age_all(kept);
}

/* A makefile as the state names it; new. */
static char *makefile_path(const struct make_state *kept, size_t i)
{
    const char *directory = kept->make->makes.at[0]->directory;
    char *path = path_join(directory, kept->reading.makefiles.at[i]), *clean = path_clean(path);
    free(path);
    return clean;
}

bool make_read_has(struct make_state *kept, const char *path)
{
    struct reading *reading = &kept->reading;
    if (reading->makefiles.len && !intern_count(&reading->names))
        for (size_t i = 0; i < reading->makefiles.len; i++) {
            char *name = makefile_path(kept, i);
            intern_id(&reading->names, name);
            free(name);
        }
    return intern_find(&reading->names, path) != INTERN_NONE;
}

/* ---- at the end ---- */

/* What others than the first make itself looked into. */
static void note_use(void *data, uint32_t name, const char *path, unsigned uses)
{
    (void)name;
    struct intern *others = data;
    if (uses & ~(unsigned)(USE_EXISTS | USE_ABSENT))
        intern_id(others, path);
}

static void find_others(const struct make_state *kept, struct intern *others)
{
    const struct make_build *make = kept->make;
    for (uint32_t i = 0; i < make->makes.len; i++) {
        const struct make_process *process = make->makes.at[i];
        const struct trace *trace = is_first(make, i) ? process->below : process->trace;
        if (trace)
            uses_of_trace(trace, &kept->place, note_use, others);
    }
}

void make_read_keep(struct make_state *kept)
{
    struct reading *reading = &kept->reading;
    const struct text_list *old = rules_of(kept);
    struct intern others = {0};
    id_list list = {0};
    find_others(kept, &others);
    /* Who looks into a makefile while a recipe is expanded shows only where recipes are. */
    bool anew = reading->first || reading->all_old;
    if (reading->digest)
        vec_push(&list, state_text(&kept->state, reading->digest));
    else if (old && !anew)
        vec_push(&list, old->texts[0]);
    for (uint32_t i = 1; list.len && !anew && old && i < old->count; i++)
        if (intern_find(&others, intern_text(&kept->state.texts, old->texts[i])) == INTERN_NONE)
            vec_push(&list, old->texts[i]);
    for (size_t i = 0; list.len && anew && i < reading->makefiles.len; i++) {
        char *path = makefile_path(kept, i);
        if (path[0] != '/' && intern_find(&others, path) == INTERN_NONE)
            vec_push(&list, state_text(&kept->state, path));
        free(path);
    }
    bool same =
        old ? old->count == list.len && memcmp(old->texts, list.at, list.len * sizeof *list.at) == 0
            : !list.len;
    if (!same)
        state_put_list(&kept->state, make_state_key(kept, KEY_RULES), list.at, list.len);
    vec_free(&list);
    intern_free(&others);
}

void make_read_free(struct make_state *kept)
{
    free(kept->reading.path);
    free(kept->reading.digest);
    str_list_free(&kept->reading.makefiles);
    intern_free(&kept->reading.names);
}
