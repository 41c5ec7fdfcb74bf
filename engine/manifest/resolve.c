/*
 * From manifest files to a flat, sorted list. Each line goes through the same stations: split,
 * variables, `&` and `**`, search in the scope's directories, host symlinks (FORMATS.md, and
 * scripts/manifest_common.py of OSv, whose meaning this has). A `resolver` lives for one call.
 */
#include "manifest/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/look.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "manifest/line.h"

enum { LINKS_MAX = 40, GUEST_SHOWN = 200 };

struct resolver {
    struct manifest_list *list;
    const struct manifest_scope *scope;
    struct intern looked; /* what list->looked_at has */
    const char *file; /* in the arena */
    unsigned line;
    uint32_t serial; /* of the line, over all manifests */
    struct err *err;
};

/* The path that the machine is asked for: relative ones are the root's. */
static const char *open_path(struct resolver *r, const char *path)
{
    const char *root = r->scope->root;
    if (path[0] == '/' || !root || strcmp(root, ".") == 0)
        return path;
    return arena_format(&r->list->arena, "%s/%s", root, path);
}

static void looked_at(struct resolver *r, const char *path)
{
    char *clean = path_clean(path);
    uint32_t before = intern_count(&r->looked);
    intern_id(&r->looked, clean);
    if (intern_count(&r->looked) != before)
        vec_push(&r->list->looked_at, arena_copy(&r->list->arena, clean));
    free(clean);
}

static const char *variable(const struct resolver *r, const char *name, size_t length)
{
    for (size_t i = 0; i < r->scope->variables_count; i++) {
        const struct manifest_variable *v = &r->scope->variables[i];
        if (strlen(v->name) == length && memcmp(v->name, name, length) == 0)
            return v->value;
    }
    return NULL;
}

/* `%(name)s` and `%%`, as Python's % operator, which OSv hands the right side to. Appends to out;
 * NULL, or what is wrong (in the arena). */
static const char *substitute(struct resolver *r, const char *text, size_t length, struct str *out)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '%') {
            str_add_char(out, text[i]);
            continue;
        }
        if (i + 1 < length && text[i + 1] == '%') {
            str_add_char(out, text[++i]);
            continue;
        }
        const char *close = memchr(text + i, ')', length - i);
        size_t end = close ? (size_t)(close - text) : 0;
        if (i + 1 >= length || text[i + 1] != '(' || !close || end + 1 >= length ||
            text[end + 1] != 's')
            return "a lone %; write %% for the character, %(name)s for a variable";
        const char *value = variable(r, text + i + 2, end - i - 2);
        if (!value)
            return arena_format(&r->list->arena,
                                "the variable %.*s has no value; give one with -D "
                                "%.*s=VALUE",
                                (int)(end - i - 2), text + i + 2, (int)(end - i - 2), text + i + 2);
        str_add(out, value);
        i = end + 1;
    }
    return NULL;
}

/* Follows a host symlink as OSv's unsymlink: an absolute target is looked for in the link's own
 * tree first, going up. Returns a path in the arena; the same one where nothing is to be followed. */
static const char *follow(struct resolver *r, const char *path)
{
    struct arena *arena = &r->list->arena;
    for (int depth = 0; depth < LINKS_MAX; depth++) {
        char target[PATH_MAX];
        look_at_link(path);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length <= 0)
            return path;
        target[length] = '\0';
        char *dir = path_dir(path);
        const char *next = NULL;
        if (target[0] != '/') {
            next = arena_format(arena, "%s/%s", dir, target);
        } else {
            for (;;) {
                bool top = strcmp(dir, "/") == 0 || strcmp(dir, ".") == 0;
                char *tried = mem_format("%s%s", strcmp(dir, "/") == 0 ? "" : dir, target);
                look_at(tried);
                if (access(tried, F_OK) == 0)
                    next = arena_copy(arena, tried);
                free(tried);
                if (next || top)
                    break;
                char *up = path_dir(dir);
                free(dir);
                dir = up;
            }
            if (!next && access(target, F_OK) == 0)
                next = arena_copy(arena, target);
        }
        free(dir);
        if (!next)
            return path;
        path = next;
    }
    return path;
}

static struct manifest_entry *new_entry(struct resolver *r, const char *guest, const char *wanted,
                                        const char *source)
{
    struct manifest_entry *entry = vec_new(&r->list->entries);
    *entry = (struct manifest_entry){.guest = guest,
                                     .wanted = wanted,
                                     .source = source,
                                     .file = r->file,
                                     .line = r->line,
                                     .order = r->serial};
    return entry;
}

/* Kind and size of the host file `path`, as the machine is asked. */
static void take_host(struct resolver *r, struct manifest_entry *entry, const char *path)
{
    struct stat st;
    look_at(path);
    if (stat(path, &st) < 0) {
        entry->missing = true;
        entry->problem =
            errno == ENOENT
                ? arena_format(&r->list->arena,
                               "%s is a link to a file that is not there; `!` before "
                               "it keeps the link",
                               entry->source)
                : arena_format(&r->list->arena, "%s: %s", entry->source, strerror(errno));
        return;
    }
    entry->host = path;
    entry->kind = S_ISDIR(st.st_mode) ? ENTRY_DIRECTORY : ENTRY_FILE;
    if (S_ISREG(st.st_mode))
        entry->size_bytes = (uint64_t)st.st_size;
    else if (!S_ISDIR(st.st_mode))
        entry->problem = arena_format(&r->list->arena, "%s is no file, directory or symbolic link",
                                      entry->source);
}

/* Finds `source` (in the arena) in the scope's directories: the machine's path in the arena, or NULL;
 * and in *name what the tree calls it. Either may be `source` itself: there are many. */
static const char *search(struct resolver *r, const char *source, const char **name)
{
    static const char *const here = ".";
    bool fixed = source[0] == '/' || !r->scope->dirs_count;
    const char *const *dirs = fixed ? &here : r->scope->dirs;
    size_t count = fixed ? 1 : r->scope->dirs_count;
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        struct arena *arena = &r->list->arena;
        *name = strcmp(dirs[i], ".") == 0 ? source : arena_format(arena, "%s/%s", dirs[i], source);
        looked_at(r, *name);
        const char *path = open_path(r, *name);
        look_at_link(path);
        if (lstat(path, &st) == 0)
            return path;
    }
    return NULL;
}

static const char *not_found(struct resolver *r, const char *source)
{
    struct str text = {0};
    str_addf(&text, "%s is not there", source);
    for (size_t i = 0; source[0] != '/' && i < r->scope->dirs_count; i++)
        str_addf(&text, "%s %s", i ? "," : "; looked in", r->scope->dirs[i]);
    const char *kept = arena_copy(&r->list->arena, str_text(&text));
    str_free(&text);
    return kept;
}

/* A plain line: a file, a directory, `->target` or `!link`. */
static void add_plain(struct resolver *r, struct manifest_entry *entry)
{
    const char *source = entry->source;
    if (str_starts(source, "->")) {
        entry->kind = ENTRY_SYMLINK;
        entry->host = source + 2;
        entry->size_bytes = strlen(entry->host);
        if (!*entry->host)
            entry->problem = "the link has no target";
        return;
    }
    bool keep_link = source[0] == '!';
    const char *name, *path = search(r, source + keep_link, &name);
    if (!path) {
        entry->missing = true;
        entry->problem = not_found(r, source + keep_link);
        return;
    }
    char target[PATH_MAX];
    ssize_t length = keep_link ? readlink(path, target, sizeof target) : -1;
    if (length <= 0) {
        take_host(r, entry, follow(r, path));
        return;
    }
    entry->kind = ENTRY_SYMLINK;
    entry->host = arena_copy_n(&r->list->arena, target, (size_t)length);
    entry->size_bytes = (uint64_t)length;
}

/* One name that a walk met. Links to directories are left out, and so is what OSv's strip left
 * behind: both as os.walk and mkbootfs.py of OSv have it. */
static void add_walked(struct resolver *r, const char *guest, const char *path, const char *wanted,
                       str_list *pending, unsigned char type)
{
    struct stat st;
    if ((type == DT_UNKNOWN || type == DT_LNK) && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
            return;
        type = DT_DIR;
    }
    if (type == DT_DIR) {
        vec_push(pending, mem_copy(path));
        return;
    }
    if (str_ends(path, "-stripped.so"))
        return;
    const char *kept = arena_copy(&r->list->arena, path), *why = NULL;
    char *clean = manifest_guest_clean(guest, strlen(guest), &why);
    struct manifest_entry *entry =
        new_entry(r, arena_copy(&r->list->arena, clean ? clean : guest), wanted, kept);
    free(clean);
    entry->problem = why;
    if (!why)
        take_host(r, entry, type == DT_REG ? kept : follow(r, kept));
}

/* `/g/ **: /h/ **`: every file below the host directory. */
static int add_tree(struct resolver *r, const char *guest, const char *wanted, const char *source)
{
    const char *name, *top = search(r, source, &name);
    struct stat st;
    if (!top || stat(top, &st) < 0 || !S_ISDIR(st.st_mode)) {
        struct manifest_entry *entry = new_entry(r, guest, wanted, source);
        entry->missing = !top;
        entry->problem = top ? arena_format(&r->list->arena, "%s is no directory", source)
                             : not_found(r, source);
        return 0;
    }
    size_t top_length = strlen(top);
    str_list pending = {0};
    vec_push(&pending, mem_copy(top));
    int status = 0;
    while (pending.len && !status) {
        char *dir = pending.at[--pending.len];
        char *dir_name = mem_format("%s%s", name, dir + top_length);
        looked_at(r, dir_name);
        free(dir_name);
        look_at(dir);
        DIR *handle = opendir(dir);
        if (!handle)
            status = err_errno(r->err, "%s:%u: cannot list %s", r->file, r->line, dir);
        for (struct dirent *d; handle && !status && (d = readdir(handle));) {
            if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
                continue;
            char *path = mem_format("%s/%s", dir, d->d_name);
            char *below = mem_format("%s/%s", guest, path + top_length + 1);
            add_walked(r, below, path, wanted, &pending, d->d_type);
            free(below);
            free(path);
        }
        if (handle)
            closedir(handle);
        free(dir);
    }
    str_list_free(&pending);
    return status;
}

static int add_entry(struct resolver *r, const char *guest, const char *wanted)
{
    struct arena *arena = &r->list->arena;
    struct str text = {0};
    const char *wrong = substitute(r, wanted, strlen(wanted), &text);
    bool plain = strcmp(str_text(&text), wanted) == 0 && !str_ends(wanted, "*");
    char *source = plain ? (char *)(uintptr_t)wanted : arena_copy(arena, str_text(&text));
    str_free(&text);
    if (wrong) {
        new_entry(r, guest, wanted, wanted)->problem = wrong;
        return 0;
    }
    bool guest_tree = str_ends(guest, "/**"), host_tree = str_ends(source, "/**");
    char *and = strstr(guest, "/&/");
    if (guest_tree != host_tree) {
        new_entry(r, guest, wanted, source)->problem = "** must stand on both sides";
        return 0;
    }
    char *name = mem_copy(guest);
    if (guest_tree) {
        name[strlen(name) - 3] = '\0';
        source[strlen(source) - 3] = '\0';
        if (!*source)
            source = arena_copy(arena, "/");
    } else if (and&&str_ends(source, "/&")) {
        const char *suffix = and+3;
        free(name);
        name = mem_format("%.*s/%s", (int)(and-guest), guest, suffix);
        source = arena_format(arena, "%.*s%s", (int)(strlen(source) - 1), source, suffix);
    }
    const char *why = NULL;
    char *clean =
        guest_tree && !*name ? mem_copy("") : manifest_guest_clean(name, strlen(name), &why);
    free(name);
    const char *kept = clean && strcmp(clean, guest) != 0 ? arena_copy(arena, clean) : guest;
    free(clean);
    if (guest_tree && !why)
        return add_tree(r, kept, wanted, source);
    struct manifest_entry *entry = new_entry(r, kept, wanted, source);
    entry->problem = why;
    if (!why)
        add_plain(r, entry);
    return 0;
}

/* The text of a manifest, new; from an overlay where there is one. */
static char *manifest_text(struct resolver *r, const char *path, size_t *length)
{
    for (size_t i = 0; i < r->scope->overlays_count; i++)
        if (strcmp(r->scope->overlays[i].path, path) == 0) {
            *length = strlen(r->scope->overlays[i].text);
            return mem_copy(r->scope->overlays[i].text);
        }
    struct stat st;
    const char *real = open_path(r, r->file);
    if (stat(real, &st) == 0 && !S_ISREG(st.st_mode)) {
        err_set(r->err, ERR_INPUT, "%s: a manifest must be a file", path);
        return NULL;
    }
    char *text = file_read(real, length, r->err);
    if (!text)
        err_set(r->err, ERR_INPUT, "%s: cannot read this manifest: %s", path, strerror(errno));
    return text;
}

static int read_manifest(struct resolver *r, const char *path)
{
    struct arena *arena = &r->list->arena;
    r->file = arena_copy(arena, path);
    r->line = 0;
    looked_at(r, path);
    size_t length;
    char *text = manifest_text(r, path, &length);
    if (!text)
        return -1;
    int status = 0;
    for (size_t at = 0; at < length && !status;) {
        const char *newline = memchr(text + at, '\n', length - at);
        size_t end = newline ? (size_t)(newline - text) : length;
        struct line_sides sides;
        r->line++, r->serial++;
        enum line_kind kind = manifest_line_split(text + at, end - at, &sides);
        if (kind == LINE_BAD)
            status = err_at(r->err, r->file, r->line, 0, "%s", sides.problem);
        else if (kind == LINE_ENTRY)
            status = add_entry(r, arena_copy_n(arena, text + at + sides.guest, sides.guest_length),
                               arena_copy_n(arena, text + at + sides.host, sides.host_length));
        at = end + 1;
    }
    free(text);
    return status;
}

static int by_guest(const void *a, const void *b)
{
    const struct manifest_entry *x = a, *y = b;
    int order = strcmp(x->guest, y->guest);
    if (order)
        return order;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* The entry that stays of a guest name, `length` bytes; NULL where there is none. */
static const struct manifest_entry *find_entry(const struct manifest_list *list, const char *guest,
                                               size_t length)
{
    size_t low = 0, high = list->entries.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct manifest_entry *entry = &list->entries.at[middle];
        int order = strncmp(entry->guest, guest, length);
        if (!order)
            order = entry->guest[length] ? 1 : entry->duplicate ? -1 : 0;
        if (!order)
            return entry;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* A file or link among the directories above a guest name; NULL where there is none. */
static const struct manifest_entry *file_above(const struct manifest_list *list, const char *guest)
{
    for (size_t length = strlen(guest); length > 1; length--) {
        if (guest[length - 1] != '/')
            continue;
        const struct manifest_entry *entry = find_entry(list, guest, length - 1);
        if (entry && entry->kind != ENTRY_DIRECTORY)
            return entry;
    }
    return NULL;
}

/* The bytes of a guest name up to its last slash. */
static size_t directory_length(const char *guest)
{
    const char *slash = strrchr(guest, '/');
    return slash ? (size_t)(slash - guest) : 0;
}

/* Marks what a later line replaces, and finds files that stand where a directory must be. */
static void compare_entries(struct manifest_list *list)
{
    struct manifest_entry *all = list->entries.at;
    const struct manifest_entry *file = NULL, *before = NULL;
    for (size_t i = 0; i + 1 < list->entries.len; i++)
        all[i].duplicate = strcmp(all[i].guest, all[i + 1].guest) == 0;
    for (size_t i = 0; i < list->entries.len; i++) {
        struct manifest_entry *entry = &all[i];
        if (entry->duplicate || entry->problem)
            continue;
        /* Neighbours are in one directory, mostly. */
        size_t length = directory_length(entry->guest);
        if (!before || directory_length(before->guest) != length ||
            memcmp(before->guest, entry->guest, length) != 0)
            file = file_above(list, entry->guest);
        before = entry;
        if (file)
            entry->problem =
                arena_format(&list->arena, "%s is no directory: %s:%u makes it a %s", file->guest,
                             file->file, file->line, file->kind == ENTRY_SYMLINK ? "link" : "file");
    }
}

/* What a strict reading stops at: the first problem in the order of the lines. */
static int first_problem(const struct manifest_list *list, struct err *err)
{
    const struct manifest_entry *first = NULL;
    size_t count = 0;
    for (size_t i = 0; i < list->entries.len; i++) {
        const struct manifest_entry *entry = &list->entries.at[i];
        if (!entry->problem)
            continue;
        count++;
        if (!first || entry->order < first->order)
            first = entry;
    }
    if (!first)
        return 0;
    char more[48] = "", *guest = path_shorten(first->guest, GUEST_SHOWN);
    if (count > 1)
        snprintf(more, sizeof more, " (and %zu more)", count - 1);
    err_at(err, first->file, first->line, 0, "%s: %s%s", guest, first->problem, more);
    free(guest);
    return -1;
}

int manifest_resolve(struct manifest_list *list, const char *const *files, size_t files_count,
                     const struct manifest_scope *scope, enum manifest_mode mode, struct err *err)
{
    struct resolver r = {.list = list, .scope = scope, .err = err};
    int status = 0;
    for (size_t i = 0; i < files_count && !status; i++)
        status = read_manifest(&r, files[i]);
    if (list->entries.len)
        qsort(list->entries.at, list->entries.len, sizeof *list->entries.at, by_guest);
    compare_entries(list);
    intern_free(&r.looked);
    if (!status && mode == MANIFEST_STRICT)
        status = first_problem(list, err);
    return status;
}

void manifest_list_free(struct manifest_list *list)
{
    vec_free(&list->entries);
    vec_free(&list->looked_at);
    arena_free(&list->arena);
}
