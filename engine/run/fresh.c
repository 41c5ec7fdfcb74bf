#include "run/fresh.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/file.h"
#include "base/look.h"
#include "base/mem.h"
#include "base/path.h"
#include "run/locale.h"

/* Locale decides what sort and glob give (run/locale.h), the rest where compilers and interpreters look.
 * What a terminal or a login brings along (TERM, TMUX_PANE, SSH_*, PWD, ...) never counts. */
const char *const fresh_variables[] = {
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_COLLATE",
    "LC_CTYPE",
    "TZ",
    "CPATH",
    "SOURCE_DATE_EPOCH",
    "LIBRARY_PATH",
    "C_INCLUDE_PATH",
    "COMPILER_PATH",
    "CPLUS_INCLUDE_PATH",
    "LD_PRELOAD",
    "GCC_EXEC_PREFIX",
    "LD_RUN_PATH",
    "LD_LIBRARY_PATH",
    "JAVA_HOME",
    "CLASSPATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "PERL5LIB",
    "PKG_CONFIG_PATH",
    "ANT_OPTS",
    "PKG_CONFIG_LIBDIR",
    NULL,
};

bool fresh_ignores(const char *name)
{
    static const char *const names[] = {
        "_",           "SHLVL",         "OLDPWD",        "TERM",      "TERMCAP",
        "COLUMNS",     "LINES",         "COLORTERM",     "COLORFGBG", "TMUX",
        "TMUX_PANE",   "STY",           "WINDOW",        "DISPLAY",   "WAYLAND_DISPLAY",
        "WINDOWID",    "XAUTHORITY",    "LS_COLORS",     "PS1",       "PROMPT_COMMAND",
        "VTE_VERSION", "INVOCATION_ID", "JOURNAL_STREAM"};
    static const char *const beginnings[] = {"SSH_", "XDG_SESSION", "TERM_PROGRAM", "DBUS_"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (str_starts(name, beginnings[i]))
            return true;
    return false;
}

uint64_t fresh_environment(void)
{
    return fresh_environment_but(NULL, true);
}

static bool is_of_locale(const char *name)
{
    return strcmp(name, "LANG") == 0 || str_starts(name, "LC_");
}

uint64_t fresh_environment_but(const char *left_out, bool locale)
{
    struct str all = {0};
    for (const char *const *name = fresh_variables; *name; name++) {
        const char *value = getenv(*name);
        if (locale && strcmp(*name, "LANG") == 0)
            locale_put(&all);
        if (value && !is_of_locale(*name) && !(left_out && strcmp(*name, left_out) == 0))
            str_addf(&all, "%s=%s\n", *name, value);
    }
    uint64_t hash = XXH3_64bits(str_text(&all), all.len);
    str_free(&all);
    return hash ? hash : 1;
}

void fresh_open(struct fresh *fresh, struct build *build, const char *dir, const char *asked)
{
    *fresh = (struct fresh){.build = build};
    struct str text = {0};
    str_addf(&text, "%s\n%s\n%s", GANTRY_VERSION, build->options.root, asked);
    fresh->key = XXH3_64bits(text.at, text.len);
    str_free(&text);
    fresh->root_fd = open(build->options.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fresh->file = mem_format("%s/fresh-%016" PRIx64, dir, fresh->key);
    for (const char *const *name = fresh_variables; *name; name++)
        snapshot_add_variable(&fresh->snapshot, *name);
}

void fresh_close(struct fresh *fresh)
{
    snapshot_free(&fresh->snapshot);
    snapshot_seen_free(&fresh->seen);
    if (fresh->root_fd >= 0 && fresh->file)
        close(fresh->root_fd);
    free(fresh->file);
    *fresh = (struct fresh){.root_fd = -1};
}

char *fresh_file(const struct fresh *fresh, const char *kind)
{
    char *dir = path_dir(fresh->file);
    char *file = mem_format("%s/%s-%016" PRIx64, dir, kind, fresh->key);
    free(dir);
    return file;
}

/* A word of the kept text: the next line; it is cut off. */
static char *take_line(char **text)
{
    char *line = *text, *end = strchrnul(line, '\n');
    *text = *end ? end + 1 : end;
    *end = '\0';
    return line;
}

/* The facts that were kept; they point into the answer's text, which is cut up. */
static struct fresh_facts facts_of(const struct snapshot_answer *answer)
{
    struct fresh_facts facts = {.steps = answer->steps};
    char *at = answer->text;
    facts.files = strtoull(take_line(&at), NULL, 10);
    facts.edges = strtoull(take_line(&at), NULL, 10);
    const char **const words[] = {&facts.arch, &facts.mode, &facts.image};
    for (size_t i = 0; i < 3; i++) {
        const char *word = take_line(&at);
        *words[i] = *word ? word : NULL;
    }
    facts.graph = strtoull(take_line(&at), NULL, 16);
    facts.again = strtoull(take_line(&at), NULL, 10);
    return facts;
}

void fresh_look(struct fresh *fresh)
{
    if (fresh->root_fd < 0)
        return;
    snapshot_compare(&fresh->seen, fresh->file, fresh->root_fd, fresh->key);
    if (fresh->seen.bytes)
        fresh->last = facts_of(&fresh->seen.answer);
}

static void tell_nothing_to_do(struct build *build, const struct event *begin,
                               const struct fresh_facts *facts)
{
    struct event first = *begin;
    first.arch = facts->arch;
    first.mode = facts->mode;
    first.image = facts->image;
    build_send(build, &first);
    build->totals.total = facts->steps;
    build_send(build, &(struct event){.kind = EVENT_GRAPH,
                                      .steps = facts->steps,
                                      .files = facts->files,
                                      .edges = facts->edges,
                                      .complete = true});
}

/* As the state names it: relative where it is below the root. */
static const char *relative(const struct fresh *fresh, const char *path)
{
    size_t length = strlen(fresh->build->options.root);
    bool below = strncmp(path, fresh->build->options.root, length) == 0 && path[length] == '/';
    return below ? path + length + 1 : path;
}

/* Paths as snapshots have them, new; the texts are the given ones'. */
static const char **relative_all(const struct fresh *fresh, const char *const *paths, size_t count)
{
    const char **all = mem_alloc((count + 1) * sizeof *all);
    for (size_t i = 0; i < count; i++)
        all[i] = relative(fresh, paths[i]);
    return all;
}

/* Whether the last snapshot holds, since nothing but these has changed. */
static bool stands(const struct fresh *fresh, const struct build_changes *changes,
                   struct snapshot_answer *answer)
{
    const char **paths = relative_all(fresh, changes->paths, changes->paths_count),
               **links = relative_all(fresh, changes->links, changes->links_count);
    const struct snapshot_suspects suspects = {paths, changes->paths_count, links,
                                               changes->links_count};
    bool good = snapshot_check_suspects(fresh->file, fresh->root_fd, fresh->key, &suspects, answer);
    free(paths);
    free(links);
    return good;
}

bool fresh_answers(struct fresh *fresh, const struct event *begin)
{
    struct build *build = fresh->build;
    struct snapshot_answer answer = {0};
    if (build->options.unabridged || build->options.fail_on_races || fresh->root_fd < 0)
        return false;
    /* Who may not write what a build keeps is told so, whether or not there is something to do. */
    if (faccessat(AT_FDCWD, fresh->file, W_OK, AT_EACCESS) < 0 && errno != ENOENT)
        return false;
    if (fresh->seen.bytes) {
        if (fresh->seen.holds)
            tell_nothing_to_do(build, begin, &fresh->last);
        return fresh->seen.holds;
    }
    if (build->options.changes ? !stands(fresh, build->options.changes, &answer)
                               : !snapshot_check(fresh->file, fresh->root_fd, fresh->key, &answer))
        return false;
    struct fresh_facts facts = facts_of(&answer);
    tell_nothing_to_do(build, begin, &facts);
    free(answer.text);
    return true;
}

static void take_loading(struct fresh *fresh, bool touched)
{
    const struct snapshot_seen *seen = &fresh->seen;
    for (size_t i = 0; i < seen->count; i++) {
        const struct snapshot_entry *entry = &seen->entries[i];
        const enum snapshot_flags loading =
            entry->flags & (SNAPSHOT_LOADING | SNAPSHOT_LOADING_FOR);
        const char *path = seen->names + entry->name;
        struct identity id = entry->id;
        if (!loading || ((entry->flags & SNAPSHOT_DIFFERS) != 0) != touched)
            continue;
        if (touched)
            id = identity_at(fresh->root_fd, path);
        snapshot_add(&fresh->snapshot, (enum snapshot_kind)entry->kind, path, &id);
        snapshot_mark(&fresh->snapshot, path, loading);
    }
}

void fresh_take_touched(struct fresh *fresh)
{
    take_loading(fresh, true);
}

void fresh_take_loading(struct fresh *fresh)
{
    take_loading(fresh, false);
}

/* ---- what is looked at ---- */

static const struct snapshot_entry *entry_of(const struct fresh *fresh, const char *path)
{
    const struct snapshot_seen *seen = &fresh->seen;
    return seen->bytes ? snapshot_find(seen, SNAPSHOT_FILE, relative(fresh, path)) : NULL;
}

bool fresh_is_same(const struct fresh *fresh, const char *path)
{
    const struct snapshot_entry *entry = entry_of(fresh, path);
    struct identity now = identity_at(fresh->root_fd, path);
    return entry && identity_equal(&entry->id, &now);
}

bool fresh_was_same(const struct fresh *fresh, const char *path)
{
    const struct snapshot_entry *entry = entry_of(fresh, path);
    return entry && !(entry->flags & SNAPSHOT_DIFFERS);
}

static void add(struct fresh *fresh, const char *path, bool link)
{
    struct stat st;
    const char *name = relative(fresh, path);
    if (str_starts(path, "/proc/") || str_starts(path, "/dev/"))
        return; /* of us, not of the tree */
    int flags = link ? AT_SYMLINK_NOFOLLOW : 0;
    if (fstatat(fresh->root_fd, name, &st, flags) < 0) {
        snapshot_add(&fresh->snapshot, SNAPSHOT_ABSENT, name, NULL);
        return;
    }
    struct identity id = identity_of(&st);
    snapshot_add(&fresh->snapshot, link ? SNAPSHOT_LINK : SNAPSHOT_FILE, name, &id);
}

static void see_now(void *data, const char *path, enum look look)
{
    struct fresh *fresh = data;
    add(fresh, path, look == LOOK_AT_LINK);
    snapshot_mark(&fresh->snapshot, relative(fresh, path),
                  look == LOOK_FOR ? SNAPSHOT_LOADING_FOR : SNAPSHOT_LOADING);
}

static void see_later(void *data, const char *path, enum look look)
{
    struct fresh *fresh = data;
    snapshot_add(&fresh->snapshot, look == LOOK_AT_LINK ? SNAPSHOT_LATER_LINK : SNAPSHOT_LATER_FILE,
                 relative(fresh, path), NULL);
}

void fresh_watch(struct fresh *fresh, bool later)
{
    if (fresh->root_fd >= 0)
        look_begin(later ? see_later : see_now, fresh);
}

void fresh_unwatch(void)
{
    look_end();
}

void fresh_add_file(struct fresh *fresh, const char *path)
{
    add(fresh, path, false);
}

/* ---- keeping ---- */

/* Snapshots of what nobody asks for any more go, the oldest first. */
static void prune(const char *file)
{
    enum { KEPT = 24 };
    char *dir_path = path_dir(file), *oldest = NULL;
    DIR *dir = opendir(dir_path);
    unsigned count = 0;
    int64_t oldest_s = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct stat st;
        if (!str_starts(entry->d_name, "fresh-") ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        count++;
        if (!oldest || st.st_mtim.tv_sec < oldest_s) {
            free(oldest);
            oldest = path_join(dir_path, entry->d_name);
            oldest_s = st.st_mtim.tv_sec;
        }
    }
    if (dir)
        closedir(dir);
    if (count > KEPT) {
        char *told = mem_format("%s/told-%s", dir_path, strrchr(oldest, '-') + 1);
        unlink(told);
        unlink(oldest);
        free(told);
    }
    free(oldest);
    free(dir_path);
}

void fresh_keep(struct fresh *fresh)
{
    const struct fresh_facts *facts = &fresh->facts;
    if (fresh->root_fd < 0 || file_make_parents(fresh->file, NULL) < 0)
        return;
    char *text = mem_format("%" PRIu64 "\n%" PRIu64 "\n%s\n%s\n%s\n%" PRIx64 "\n%" PRIu64 "\n",
                            facts->files, facts->edges, facts->arch ? facts->arch : "",
                            facts->mode ? facts->mode : "", facts->image ? facts->image : "",
                            facts->graph, fresh->again ? fresh->last.again + 1 : 0);
    struct snapshot_answer answer = {facts->steps, text};
    if (fresh->again)
        snapshot_write_again(&fresh->seen, &fresh->snapshot, fresh->file, fresh->root_fd,
                             fresh->key, &answer);
    else
        snapshot_write(&fresh->snapshot, fresh->file, fresh->root_fd, fresh->key, &answer);
    free(text);
    prune(fresh->file);
}

void fresh_drop(struct fresh *fresh)
{
    if (fresh->file)
        unlink(fresh->file);
}
