/*
 * What is staged on the compose screen: edits of manifests and of the boot arguments, in memory
 * until they are written. Undo and redo go through all of them in the order of their making.
 */
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "tui/screen_compose.h"

#define STOCK_COPIES "build/.gantry/stock/"

static void fail(struct console *console, const struct err *err)
{
    app_say(&console->app, SEVERITY_ERROR, err->text);
}

static bool is_changed(const struct staged_manifest *staged)
{
    return strcmp(staged->edit.text, staged->edit.on_disk) != 0;
}

const struct staged_manifest *compose_staged(const struct compose_screen *screen, const char *path)
{
    for (size_t i = 0; i < screen->manifests.len; i++)
        if (strcmp(screen->manifests.at[i].path, path) == 0)
            return is_changed(&screen->manifests.at[i]) ? &screen->manifests.at[i] : NULL;
    return NULL;
}

static void free_steps(staged_steps *steps)
{
    for (size_t i = 0; i < steps->len; i++) {
        free(steps->at[i].args);
        free(steps->at[i].args_before);
    }
    vec_free(steps);
}

void compose_stage_free(struct compose_screen *screen)
{
    for (size_t i = 0; i < screen->manifests.len; i++) {
        free(screen->manifests.at[i].path);
        manifest_edit_close(&screen->manifests.at[i].edit);
    }
    vec_free(&screen->manifests);
    free(screen->args);
    free_steps(&screen->done);
    free_steps(&screen->undone);
}

/* ---- manifests ---- */

/* The edit of a manifest, opened on first use, and again where it has nothing staged: somebody may
 * have written it meanwhile. SIZE_MAX and err where it cannot be edited. */
static size_t open_edit(struct console *console, struct compose_screen *screen, const char *path,
                        struct err *err)
{
    size_t at = 0;
    while (at < screen->manifests.len && strcmp(screen->manifests.at[at].path, path) != 0)
        at++;
    if (str_starts(path, STOCK_COPIES)) {
        const char *own = path + strlen(STOCK_COPIES);
        err_set(err, ERR_INPUT, "%s is gantry's own; copy it into the tree first: cp %s %s", own,
                path, own);
        return SIZE_MAX;
    }
    if (console->app.state.tree == APP_TREE_OSV && str_starts(path, "build/")) {
        err_set(err, ERR_INPUT,
                "%s is what module.py says; edit the module's usr.manifest or the skeleton", path);
        return SIZE_MAX;
    }
    if (at < screen->manifests.len &&
        (screen->manifests.at[at].edit.undo.len || screen->manifests.at[at].edit.redo.len))
        return at;
    struct manifest_edit edit = {0};
    char *absolute = path_join(console->root, path);
    int status = manifest_edit_open(&edit, absolute, err);
    free(absolute);
    if (status < 0) {
        manifest_edit_close(&edit);
        return SIZE_MAX;
    }
    if (at == screen->manifests.len) {
        struct staged_manifest *staged = vec_new(&screen->manifests);
        staged->path = mem_copy(path);
    } else {
        manifest_edit_close(&screen->manifests.at[at].edit);
    }
    screen->manifests.at[at].edit = edit;
    return at;
}

/* Notes that an edit was made. */
static void made(struct console *console, struct compose_screen *screen, struct staged_step step)
{
    vec_push(&screen->done, step);
    free_steps(&screen->undone);
    compose_screen_forget(console);
}

/* The manifest in which a guest stands, or NULL. */
static const char *manifest_of(const struct compose_screen *screen, size_t tab, const char *guest)
{
    const struct compose_tab *shown = &screen->data.tabs[tab];
    const char *file = NULL;
    for (size_t i = 0; guest && i < shown->rows_count; i++)
        if (strcmp(shown->rows[i].guest, guest) == 0)
            file = shown->rows[i].file;
    return file;
}

enum change { CHANGE_ADD, CHANGE_DROP, CHANGE_SET };

/* One change of a tab's manifests. `near` is the guest whose manifest it is, NULL: the tab's first. */
static void change(struct console *console, size_t tab, enum change kind, const char *near,
                   const char *guest, const char *wanted)
{
    struct compose_screen *screen = compose_screen_of(console);
    struct err err = {0};
    if (!screen || tab >= screen->data.tabs_count)
        return;
    const struct compose_fs *fs = &screen->fs.at[tab];
    const char *file = manifest_of(screen, tab, near);
    if (!file && fs->manifests_count)
        file = fs->manifests[0];
    if (!file) {
        err_set(&err, ERR_INPUT, "no manifest makes %s: name one in the image's conf", fs->name);
        fail(console, &err);
        return;
    }
    size_t at = open_edit(console, screen, file, &err);
    if (at == SIZE_MAX) {
        fail(console, &err);
        return;
    }
    struct manifest_edit *edit = &screen->manifests.at[at].edit;
    size_t before = edit->undo.len;
    int status = kind == CHANGE_ADD    ? manifest_edit_add(edit, guest, wanted, &err)
                 : kind == CHANGE_DROP ? manifest_edit_remove(edit, guest, &err)
                                       : manifest_edit_set(edit, near, guest, wanted, &err);
    if (status < 0)
        fail(console, &err);
    else if (edit->undo.len != before)
        made(console, screen, (struct staged_step){.manifest = at});
}

static void op_stage_add(void *app, size_t tab, const char *guest, const char *wanted,
                         const char *beside)
{
    change(app, tab, CHANGE_ADD, beside, guest, wanted);
}

static void op_stage_remove(void *app, size_t tab, const char *guest)
{
    change(app, tab, CHANGE_DROP, guest, guest, NULL);
}

static void op_stage_change(void *app, size_t tab, const char *guest, const char *to,
                            const char *wanted)
{
    change(app, tab, CHANGE_SET, guest, to, wanted);
}

static void op_stage_move(void *app, const char *file, unsigned line, bool later)
{
    struct console *console = app;
    struct compose_screen *screen = compose_screen_of(console);
    struct err err = {0};
    size_t at = screen ? open_edit(console, screen, file, &err) : SIZE_MAX;
    if (at == SIZE_MAX || manifest_edit_move(&screen->manifests.at[at].edit, line, later, &err) < 0)
        fail(console, &err);
    else
        made(console, screen, (struct staged_step){.manifest = at});
}

/* ---- arguments ---- */

static char *copy_or_null(const char *text)
{
    return text ? mem_copy(text) : NULL;
}

static void set_args(struct compose_screen *screen, const char *args)
{
    char *kept = copy_or_null(args);
    free(screen->args);
    screen->args = kept;
}

static void op_stage_args(void *app, const char *args)
{
    struct console *console = app;
    struct compose_screen *screen = compose_screen_of(console);
    if (!screen)
        return;
    struct staged_step step = {SIZE_MAX, mem_copy(args), copy_or_null(screen->args)};
    set_args(screen, args);
    made(console, screen, step);
}

/* ---- undo and redo ---- */

static void step_back(struct console *console, staged_steps *from, staged_steps *to, bool undo)
{
    struct compose_screen *screen = console->compose;
    if (!screen || !from->len) {
        app_say(&console->app, SEVERITY_NOTE, undo ? "nothing to undo" : "nothing to redo");
        return;
    }
    struct staged_step step = from->at[--from->len];
    if (step.manifest == SIZE_MAX)
        set_args(screen, undo ? step.args_before : step.args);
    else if (undo)
        manifest_edit_undo(&screen->manifests.at[step.manifest].edit);
    else
        manifest_edit_redo(&screen->manifests.at[step.manifest].edit);
    vec_push(to, step);
    compose_screen_forget(console);
}

static void op_stage_undo(void *app)
{
    struct console *console = app;
    struct compose_screen *screen = compose_screen_of(console);
    if (screen)
        step_back(console, &screen->done, &screen->undone, true);
}

static void op_stage_redo(void *app)
{
    struct console *console = app;
    struct compose_screen *screen = compose_screen_of(console);
    if (screen)
        step_back(console, &screen->undone, &screen->done, false);
}

/* ---- writing ---- */

/* Adds a diff with the tree's path cut off its two header lines. */
static void add_diff(struct str *out, const char *diff, const char *absolute, const char *relative)
{
    size_t length = strlen(absolute);
    for (const char *line = diff; *line;) {
        size_t end = strcspn(line, "\n") + 1;
        bool header = (str_starts(line, "--- ") || str_starts(line, "+++ ")) &&
                      strncmp(line + 4, absolute, length) == 0;
        if (header)
            str_addf(out, "%.4s%s\n", line, relative);
        else
            str_add_n(out, line, end);
        line += end;
    }
}

static char *op_staged_diff(void *app)
{
    struct compose_screen *screen = compose_screen_of(app);
    struct str out = {0};
    for (size_t i = 0; screen && i < screen->manifests.len; i++) {
        const struct staged_manifest *staged = &screen->manifests.at[i];
        char *diff = manifest_edit_diff(&staged->edit);
        add_diff(&out, diff, staged->edit.path, staged->path);
        free(diff);
    }
    if (screen && screen->args) {
        struct conf *conf = ((struct console *)app)->app.ops.conf(app, NULL);
        str_addf(&out, "boot arguments of %s\n- %s\n+ %s\n", conf ? conf_get(conf, "image") : "",
                 conf ? conf_cmdline(conf) : "", screen->args);
    }
    return str_take(&out);
}

/* Saves the arguments of the picked image, so that make's syntax gives them back as they are. Where
 * they came from the command line, which is stronger than what is saved, they are picked too. */
static int write_args(struct console *console, const char *args, struct err *err)
{
    struct conf *conf = console->app.ops.conf(console, err);
    if (!conf)
        return -1;
    struct str text = {0};
    for (const char *p = args; *p; p++)
        str_addf(&text, *p == '$' ? "$%c" : "%c", *p);
    char *name = mem_format("cmdline-%s", conf_get(conf, "image"));
    size_t count;
    const struct conf_value *values = conf_values(conf, "cmdline", &count);
    bool outside = count && (values[0].origin.kind == ORIGIN_COMMAND_LINE ||
                             values[0].origin.kind == ORIGIN_ENVIRONMENT ||
                             values[0].origin.kind == ORIGIN_SCREEN);
    /* An image of OSv is a list, and no name to save arguments by: they are picked. */
    bool osv = console->app.state.tree == APP_TREE_OSV;
    int status = osv ? 0 : conf_save(console->root, name, str_text(&text), err);
    if (!status && (outside || osv))
        console->app.ops.select(console, "cmdline", str_text(&text));
    free(name);
    str_free(&text);
    return status;
}

/* Edits of the arguments that were written cannot be undone here any more. */
static void forget_args_steps(staged_steps *steps)
{
    size_t kept = 0;
    for (size_t i = 0; i < steps->len; i++) {
        if (steps->at[i].manifest != SIZE_MAX) {
            steps->at[kept++] = steps->at[i];
            continue;
        }
        free(steps->at[i].args);
        free(steps->at[i].args_before);
    }
    steps->len = kept;
}

/* What `gantry image set-args` does; staged ones are kept for the next compose, too, or it would take
 * them away again. */
static void op_apply_args(void *app)
{
    struct console *console = app;
    struct compose_screen *screen = compose_screen_of(console);
    struct err err = {0};
    if (!screen || !screen->data.image_path)
        return;
    char *path = path_join(console->root, screen->data.image_path);
    int status = image_change_args(path, screen->data.args_next, &err);
    if (!status && screen->args)
        status = write_args(console, screen->args, &err);
    if (status < 0) {
        fail(console, &err);
    } else {
        set_args(screen, NULL);
        forget_args_steps(&screen->done);
        forget_args_steps(&screen->undone);
        app_say(&console->app, SEVERITY_NOTE, "written into the image, and kept for the next one");
    }
    free(path);
    actions_changed(console);
}

static bool op_write_staged(void *app)
{
    struct console *console = app;
    struct compose_screen *screen = compose_screen_of(console);
    struct err err = {0};
    struct str written = {0};
    int status = screen ? 0 : -1;
    for (size_t i = 0; !status && i < screen->manifests.len; i++) {
        if (!is_changed(&screen->manifests.at[i]))
            continue;
        status = manifest_edit_save(&screen->manifests.at[i].edit, &err);
        str_addf(&written, ", %s", screen->manifests.at[i].path);
    }
    if (!status && screen->args) {
        status = write_args(console, screen->args, &err);
        str_add(&written, ", the boot arguments");
    }
    if (!status) {
        set_args(screen, NULL);
        free_steps(&screen->done);
        free_steps(&screen->undone);
        for (size_t i = 0; i < screen->manifests.len; i++) {
            str_list_free(&screen->manifests.at[i].edit.undo);
            str_list_free(&screen->manifests.at[i].edit.redo);
        }
        char *text = mem_format("written: %s", str_text(&written) + (written.len ? 2 : 0));
        app_say(&console->app, SEVERITY_NOTE, text);
        free(text);
    } else if (screen) {
        fail(console, &err);
    }
    str_free(&written);
    actions_changed(console);
    return !status;
}

/* ---- completion ---- */

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void add_word(str_list *words, char *word)
{
    for (size_t i = 0; i < words->len; i++) {
        if (strcmp(words->at[i], word) == 0) {
            free(word);
            return;
        }
    }
    vec_push(words, word);
}

/* The names in `dir` that continue what was typed. */
static void complete_in(const char *dir, const char *typed, str_list *words)
{
    const char *base = path_base(typed);
    if (str_ends(typed, "/"))
        base = "";
    char *before = mem_copy_n(typed, strlen(typed) - strlen(base));
    char *listed = path_join(dir, *before ? before : ".");
    DIR *handle = opendir(listed);
    for (struct dirent *entry; handle && (entry = readdir(handle));) {
        const char *name = entry->d_name;
        if (!str_starts(name, base) || (name[0] == '.' && base[0] != '.') ||
            strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        char *path = path_join(listed, name);
        add_word(words, mem_format("%s%s%s", before, name, is_dir(path) ? "/" : ""));
        free(path);
    }
    if (handle)
        closedir(handle);
    free(listed);
    free(before);
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void op_complete_host(void *app, const char *typed, str_list *words)
{
    struct console *console = app;
    struct compose_screen *screen = compose_screen_of(console);
    size_t first = words->len;
    if (!screen)
        return;
    if (typed[0] == '/' || !screen->fs.len) {
        complete_in(console->root, typed, words);
    } else {
        const struct manifest_scope *scope = &screen->fs.at[0].scope;
        for (size_t i = 0; i < scope->dirs_count; i++) {
            char *dir = path_join(console->root, scope->dirs[i]);
            complete_in(dir, typed, words);
            free(dir);
        }
    }
    if (words->len > first)
        qsort(words->at + first, words->len - first, sizeof *words->at, by_text);
}

void compose_stage_fill(struct app_ops *ops)
{
    ops->stage_add = op_stage_add;
    ops->stage_remove = op_stage_remove;
    ops->stage_change = op_stage_change;
    ops->stage_move = op_stage_move;
    ops->stage_args = op_stage_args;
    ops->apply_args = op_apply_args;
    ops->stage_undo = op_stage_undo;
    ops->stage_redo = op_stage_redo;
    ops->staged_diff = op_staged_diff;
    ops->write_staged = op_write_staged;
    ops->complete_host = op_complete_host;
}
