/* What the compose screen shows: arguments, image, and the file systems that go into it. */
#include "tui/screen_compose.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "image/actions.h"
#include "image/layout.h"
#include "load/load.h"
#include "osv/osv.h"
#include "tui/file_time.h"

/* ---- which file systems ---- */

/* "usr" of "manifests/usr.manifest.skel"; what the output is called where there is no manifest. */
static const char *tab_name(struct arena *arena, const char *path)
{
    const char *base = path_base(path);
    return arena_copy_n(arena, base, strcspn(base, "."));
}

static void add_fs(struct compose_screen *screen, const struct graph *graph, step_id id)
{
    const struct step *step = &graph->steps.at[id];
    const struct manifest_action *action = step->data;
    const char *output = graph_step_target(graph, id);
    struct arena *arena = &screen->arena;
    struct compose_fs *fs = vec_new(&screen->fs);
    const char **manifests = arena_alloc(arena, (action->manifests_count + 1) * sizeof *manifests);
    for (size_t i = 0; i < action->manifests_count; i++)
        manifests[i] = arena_copy(arena, action->manifests[i]);
    fs->name = tab_name(arena, action->manifests_count ? manifests[0] : output);
    fs->manifests = manifests;
    fs->manifests_count = action->manifests_count;
    fs->output = arena_copy(arena, output);
    fs->is_bootfs = step->action == action_bootfs;
    fs->scope = action->scope;
    const char **dirs = arena_alloc(arena, (fs->scope.dirs_count + 1) * sizeof *dirs);
    for (size_t i = 0; i < fs->scope.dirs_count; i++)
        dirs[i] = arena_copy(arena, action->scope.dirs[i]);
    fs->scope.dirs = dirs;
    struct manifest_variable *variables =
        arena_alloc(arena, (fs->scope.variables_count + 1) * sizeof *variables);
    for (size_t i = 0; i < fs->scope.variables_count; i++)
        variables[i] =
            (struct manifest_variable){arena_copy(arena, action->scope.variables[i].name),
                                       arena_copy(arena, action->scope.variables[i].value)};
    fs->scope.variables = variables;
}

/* The file systems of the goals, those that are composed first come first. */
static void find_fs(struct compose_screen *screen, const struct graph *graph)
{
    uint8_t *seen = mem_zero(graph->steps.len + 1, 1);
    VEC(step_id) pending = {0};
    for (size_t i = 0; i < graph->goals.len; i++)
        vec_push(&pending, graph->files.at[graph->goals.at[i]].producer);
    while (pending.len) {
        step_id id = pending.at[--pending.len];
        uint32_t count;
        if (id == STEP_NONE || seen[id])
            continue;
        seen[id] = 1;
        const file_id *inputs = graph_inputs(graph, id, &count);
        for (uint32_t i = 0; i < count; i++)
            vec_push(&pending, graph->files.at[inputs[i]].producer);
    }
    for (int disk = 0; disk <= 1; disk++) /* what is in RAM, then what is on the disk */
        for (step_id id = 0; id < graph->steps.len; id++)
            if (seen[id] && graph->steps.at[id].action == (disk ? action_rofs : action_bootfs))
                add_fs(screen, graph, id);
    vec_free(&pending);
    free(seen);
}

/* ---- arguments ---- */

void compose_note_add(struct compose_screen *screen, note_list *notes, char mark, const char *text)
{
    vec_push(notes, (struct compose_note){mark, arena_copy(&screen->arena, text)});
}

const struct compose_note *compose_notes_keep(struct compose_screen *screen, note_list *notes,
                                              size_t *count)
{
    struct compose_note *kept = arena_alloc(&screen->arena, (notes->len + 1) * sizeof *kept);
    if (notes->len)
        memcpy(kept, notes->at, notes->len * sizeof *kept);
    *count = notes->len;
    vec_free(notes);
    return kept;
}

static void read_args(struct console *console, struct compose_screen *screen, struct conf *conf)
{
    struct compose_data *data = &screen->data;
    data->args_max = IMAGE_CMDLINE_MAX;
    data->args_staged = screen->args != NULL;
    char *osv =
        console->app.state.tree == APP_TREE_OSV ? osv_cmdline(console->root, conf, NULL) : NULL;
    data->args_next = arena_copy(&screen->arena, screen->args ? screen->args
                                                 : osv        ? osv
                                                              : conf_cmdline(conf));
    if (osv && !*conf_cmdline(conf) && !screen->args) {
        data->args_origin = arena_format(&screen->arena, "%s/cmdline", conf_get(conf, "out"));
        free(osv);
        return;
    }
    free(osv);
    char *saved = mem_format("cmdline-%s", conf_get(conf, "image"));
    bool is_saved = strcmp(conf_get(conf, saved), conf_cmdline(conf)) == 0;
    struct origin origin = conf_origin(conf, NULL, is_saved ? saved : "cmdline", NULL);
    struct str text = {0};
    origin_text(&origin, &text);
    data->args_origin = screen->args ? NULL : arena_copy(&screen->arena, str_text(&text));
    str_free(&text);
    free(saved);
}

/* ---- image ---- */

/* The arguments that the image had before. */
static void read_past(struct compose_screen *screen, const char *path)
{
    struct image_history history = {0};
    struct err none = {0};
    if (image_args_history(path, &history, &none) == 0 && history.past.len) {
        const char **past = arena_alloc(&screen->arena, history.past.len * sizeof *past);
        for (size_t i = 0; i < history.past.len; i++)
            past[i] = arena_copy(&screen->arena, history.past.at[history.past.len - 1 - i].args);
        screen->data.args_past = past;
        screen->data.args_past_count = history.past.len;
    }
    image_history_free(&history);
}

/* `info` is filled where there is an image; the caller frees it. */
static void read_image(struct console *console, struct compose_screen *screen, struct conf *conf,
                       struct image_info *info)
{
    struct compose_data *data = &screen->data;
    struct arena *arena = &screen->arena;
    struct err err = {0};
    struct stat st;
    pid_t holder;
    char *path = vm_image_path(console->root, conf);
    if (!path)
        return;
    char *relative = path_relative(path, console->root);
    data->image_path = arena_copy(arena, relative);
    free(relative);
    if (stat(path, &st) == 0 && image_info(path, info, &err) == 0) {
        char *when = arena_alloc(arena, 8);
        file_time_text(when, st.st_mtime, time(NULL));
        data->image_when = when;
        data->image_format = image_format_name(info->format);
        data->image_bytes = info->file_bytes;
        data->args_image = info->cmdline ? arena_copy(arena, info->cmdline) : NULL;
        read_past(screen, path);
        struct compose_part *parts = arena_alloc(arena, (info->parts.len + 1) * sizeof *parts);
        for (size_t i = 0; i < info->parts.len; i++)
            parts[i] = (struct compose_part){arena_copy(arena, info->parts.at[i].name),
                                             info->parts.at[i].size_bytes};
        data->parts = parts;
        data->parts_count = info->parts.len;
    }
    if (console->vm)
        data->held = "the guest that runs here";
    else if (vm_image_held(path, &holder))
        data->held = holder ? arena_format(arena, "pid %ld", (long)holder) : "another run";
    free(path);
}

/* ---- what the next compose changes ---- */

/* Edits that are staged, of what was never composed. */
static void note_staged(struct compose_screen *screen, const struct compose_tab *tab,
                        note_list *notes)
{
    static const char marks[] = {[ROW_ADDED] = '+', [ROW_REMOVED] = '-', [ROW_CHANGED] = '~'};
    for (size_t i = 0; i < tab->rows_count; i++)
        if (tab->rows[i].stage != ROW_SAME)
            compose_note_add(screen, notes, marks[tab->rows[i].stage], tab->rows[i].guest);
}

static void note_tab(struct compose_screen *screen, const struct compose_tab *tab, note_list *notes)
{
    for (size_t i = 0; i < tab->since_count; i++)
        vec_push(notes, tab->since[i]);
    if (!tab->composed)
        note_staged(screen, tab, notes);
    if (tab->reordered) {
        char *order = mem_format("the order of %s", path_base(tab->reordered));
        compose_note_add(screen, notes, '~', order);
        free(order);
    }
    if (tab->missing_count) {
        char text[64];
        snprintf(text, sizeof text, "%zu missing in %s", tab->missing_count, tab->name);
        compose_note_add(screen, notes, 'n', text);
    }
}

/* What is staged makes of the image's size, before compression and rounding. */
static void note_size(struct compose_screen *screen, note_list *notes)
{
    int64_t change = 0;
    char size[16], text[48];
    for (size_t i = 0; i < screen->data.tabs_count; i++)
        change += screen->data.tabs[i].change_bytes;
    if (!change)
        return;
    text_size(size, (unsigned long long)(change < 0 ? -change : change));
    snprintf(text, sizeof text, "%s %s", size, change < 0 ? "less" : "more");
    compose_note_add(screen, notes, change < 0 ? '-' : '+', text);
}

static void note_next(struct compose_screen *screen)
{
    struct compose_data *data = &screen->data;
    note_list notes = {0};
    for (size_t i = 0; i < data->tabs_count; i++) {
        note_tab(screen, &data->tabs[i], &notes);
        data->staged_count += data->tabs[i].staged_count;
    }
    note_size(screen, &notes);
    data->staged_count += data->args_staged;
    if (data->args_image && strcmp(data->args_image, data->args_next) != 0)
        compose_note_add(screen, &notes, '~', "boot arguments");
    if (data->image_path && !data->image_when)
        compose_note_add(screen, &notes, '+', "the image itself: c composes it");
    data->next = compose_notes_keep(screen, &notes, &data->next_count);
}

/* ---- a tree of OSv ---- */

/* `file`: of the build directory, what the manifest goes into. */
static void add_osv_fs(struct compose_screen *screen, struct conf *conf, const char *manifest,
                       const char *file)
{
    struct arena *arena = &screen->arena;
    struct compose_fs *fs = vec_new(&screen->fs);
    const char **words = arena_alloc(arena, 2 * sizeof *words);
    words[0] = arena_copy(arena, manifest);
    words[1] = arena_copy(arena, conf_get(conf, "out"));
    fs->name = tab_name(arena, words[0]);
    fs->manifests = words;
    fs->manifests_count = 1;
    fs->scope = (struct manifest_scope){.dirs = words + 1, .dirs_count = 1};
    fs->output = arena_format(arena, "%s/%s", words[1], file);
}

/* What is linked into the kernel, and what module.py said last. */
static void find_osv_fs(struct console *console, struct compose_screen *screen, struct conf *conf)
{
    char *name = mem_format("osv-bootfs-%s", conf_get(conf, "fs"));
    const char *bootfs = conf_get(conf, name);
    char *usr = mem_format("%s/usr.manifest", conf_get(conf, "out"));
    const char *const manifests[] = {strcmp(bootfs, usr) == 0 ? "" : bootfs, usr};
    struct stat st;
    for (size_t i = 0; i < 2; i++) {
        char *path = path_join(console->root, manifests[i]);
        if (*manifests[i] && stat(path, &st) == 0)
            add_osv_fs(screen, conf, manifests[i],
                       i == 0 ? "bootfs.bin" : conf_get(conf, "boot-image"));
        free(path);
    }
    free(usr);
    free(name);
}

/* ---- the whole ---- */

static int read_graph(struct console *console, struct graph *graph, struct toolchain *tools,
                      struct conf **conf, struct err *err)
{
    *conf = console->app.ops.conf(console, err);
    if (*conf && console->app.state.tree == APP_TREE_OSV)
        return 0;
    if (!*conf || toolchain_resolve(tools, *conf, err) < 0)
        return -1;
    return load_native(graph, console->root, *conf, tools, err);
}

void compose_screen_read(struct console *console, struct compose_screen *screen)
{
    struct err err = {0};
    struct graph graph = {0};
    struct toolchain tools = {0};
    struct conf *conf;
    arena_free(&screen->arena);
    screen->data = (struct compose_data){0};
    screen->fs.len = 0;
    struct compose_data *data = &screen->data;
    if (read_graph(console, &graph, &tools, &conf, &err) < 0) {
        data->problem = arena_copy(&screen->arena, err.text);
    } else {
        if (console->app.state.tree == APP_TREE_OSV)
            find_osv_fs(console, screen, conf);
        else
            find_fs(screen, &graph);
        data->tabs = arena_alloc(&screen->arena, (screen->fs.len + 1) * sizeof *data->tabs);
        data->tabs_count = screen->fs.len;
        for (size_t i = 0; i < screen->fs.len; i++)
            compose_read_tab(console, screen, &graph, i);
        struct image_info info = {0};
        read_args(console, screen, conf);
        read_image(console, screen, conf, &info);
        compose_read_sizes(screen, &info);
        note_next(screen);
        image_info_free(&info);
    }
    data->can_undo = screen->done.len > 0;
    data->can_redo = screen->undone.len > 0;
    graph_free(&graph);
    toolchain_free(&tools);
}

struct compose_screen *compose_screen_of(struct console *console)
{
    enum app_tree tree = console->app.state.tree;
    if (!console->root || (tree != APP_TREE_NATIVE && tree != APP_TREE_OSV))
        return NULL;
    if (!console->compose)
        console->compose = mem_zero(1, sizeof *console->compose);
    struct compose_screen *screen = console->compose;
    if (!screen->known)
        compose_screen_read(console, screen);
    screen->known = true;
    return screen;
}

static const struct compose_data *op_composition(void *app)
{
    struct compose_screen *screen = compose_screen_of(app);
    return screen ? &screen->data : NULL;
}

void compose_screen_fill(struct app_ops *ops)
{
    ops->composition = op_composition;
    compose_stage_fill(ops);
    compose_preview_fill(ops);
}

void compose_screen_forget(struct console *console)
{
    if (console->compose)
        console->compose->known = false;
}

void compose_screen_free(struct console *console)
{
    struct compose_screen *screen = console->compose;
    if (!screen)
        return;
    compose_stage_free(screen);
    vec_free(&screen->fs);
    arena_free(&screen->arena);
    free(screen);
    console->compose = NULL;
}
