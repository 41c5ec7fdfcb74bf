/*
 * What the target screen shows: which archs, modes and images there are, which of them exist, the
 * tools and the options. Read once and kept until something may have changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/text.h"
#include "osv/osv.h"
#include "toolchain/needs.h"
#include "toolchain/toolchain.h"
#include "tui/console.h"
#include "tui/file_time.h"
#include "tui/screen_data.h"
#include "tui/screen_target.h"

/* What `program --version` said, kept as long as the console runs. */
struct version {
    char *program, *text;
};

/* An arch of which nothing was missing: compilers are not asked again while the console runs. */
struct satisfied {
    char *arch, *needs;
};

struct target_screen {
    struct target_data data;
    struct arena arena; /* all of data */
    bool known;
    VEC(struct version) versions;
    VEC(struct satisfied) satisfied;
    struct target_probe probe;
};

/* A configuration with some names picked besides; NULL where it cannot be read. */
static struct conf *conf_of(struct console *console, const char *const (*picks)[2], size_t count,
                            struct err *err)
{
    VEC(struct assignment) assigns = {0};
    for (size_t i = 0; i < console->assigns.len; i++)
        vec_push(&assigns, console->assigns.at[i]);
    for (size_t i = 0; i < count; i++)
        vec_push(&assigns, (struct assignment){picks[i][0], picks[i][1], ORIGIN_SCREEN});
    struct conf *conf = conf_load(console->root, assigns.at, assigns.len, err);
    vec_free(&assigns);
    return conf;
}

static const char *const *choices(struct target_screen *screen, const char *root,
                                  enum choice_kind kind, size_t *count)
{
    str_list names = {0};
    conf_choices(root, kind, &names);
    const char **kept = arena_alloc(&screen->arena, (names.len + 1) * sizeof *kept);
    for (size_t i = 0; i < names.len; i++)
        kept[i] = arena_copy(&screen->arena, names.at[i]);
    *count = names.len;
    str_list_free(&names);
    return kept;
}

/* ---- the matrix ---- */

/* What decides whether something is missing, for an arch. */
static char *needs_key(struct conf *conf, const struct toolchain *tools)
{
    return mem_format("%s|%s|%s|%s|%s", conf_get(conf, "needs"), conf_get(conf, "host-needs"),
                      tools->cc, tools->cxx, tools->host_cc);
}

static void fill_needs(struct target_screen *screen, struct conf *conf,
                       const struct toolchain *tools, struct target_arch *arch)
{
    char *key = needs_key(conf, tools);
    need_list missing = {0};
    bool known = false;
    for (size_t i = 0; i < screen->satisfied.len && !known; i++)
        known = strcmp(screen->satisfied.at[i].arch, arch->name) == 0 &&
                strcmp(screen->satisfied.at[i].needs, key) == 0;
    if (!known)
        needs_missing(conf, tools, &missing);
    if (missing.len) {
        char *text = needs_text(&missing), *command = needs_command(&missing);
        arch->missing = arena_copy(&screen->arena, text);
        arch->install = *command ? arena_copy(&screen->arena, command) : NULL;
        free(text);
        free(command);
    } else if (!known) {
        vec_push(&screen->satisfied, (struct satisfied){mem_copy(arch->name), mem_copy(key)});
    }
    need_list_free(&missing);
    free(key);
}

static void fill_arch(struct target_screen *screen, struct console *console,
                      struct target_arch *arch)
{
    struct err err = {0};
    struct toolchain tools = {0};
    const char *const picks[][2] = {{"arch", arch->name}};
    struct conf *conf = conf_of(console, picks, 1, &err);
    if (!conf || toolchain_resolve(&tools, conf, &err) < 0)
        arch->problem = arena_copy(&screen->arena, err.text);
    if (conf)
        fill_needs(screen, conf, &tools, arch);
    toolchain_free(&tools);
    conf_free(conf);
}

static void fill_cell(struct console *console, struct target_cell *cell, const char *arch,
                      const char *mode, struct target_image *image, struct arena *arena)
{
    struct err err = {0};
    struct stat st;
    const char *const picks[][2] = {{"arch", arch}, {"mode", mode}, {"image", image->name}};
    struct conf *conf = conf_of(console, picks, 3, &err);
    if (!conf)
        return;
    if (!image->summary)
        image->summary = arena_copy(arena, conf_get(conf, "summary"));
    char *path = vm_image_path(console->root, conf);
    if (path && stat(path, &st) == 0) {
        cell->made = true;
        cell->size_bytes = (uint64_t)st.st_size;
        file_time_text(cell->when, st.st_mtime, time(NULL));
    }
    free(path);
    conf_free(conf);
}

/* A tree of OSv has one image of each arch and mode at a time, of any list of modules. */
static bool osv_record(struct console *console, const char *arch, const char *mode,
                       struct osv_record *record, struct target_cell *cell)
{
    struct stat st;
    const char *const picks[][2] = {{"arch", arch}, {"mode", mode}};
    struct conf *conf = conf_of(console, picks, 2, NULL);
    if (!conf)
        return false;
    osv_record_read(record, console->root, conf);
    char *path = vm_image_path(console->root, conf);
    if (record->image && path && stat(path, &st) == 0) {
        cell->made = true;
        cell->size_bytes = (uint64_t)st.st_size;
        file_time_text(cell->when, st.st_mtime, time(NULL));
    }
    free(path);
    conf_free(conf);
    return cell->made;
}

/* What is picked, and what was composed of any arch and mode. */
static const char *const *osv_images(struct target_screen *screen, struct console *console,
                                     size_t *count)
{
    const struct target_data *data = &screen->data;
    const struct app_state *state = &console->app.state;
    VEC(const char *) names = {0};
    if (state->image)
        vec_push(&names, arena_copy(&screen->arena, state->image));
    for (size_t i = 0; i < data->archs_count * data->modes_count; i++) {
        struct osv_record record = {0};
        struct target_cell cell = {0};
        bool known = !osv_record(console, data->archs[i / data->modes_count].name,
                                 data->modes[i % data->modes_count], &record, &cell);
        for (size_t k = 0; k < names.len && !known; k++)
            known = strcmp(names.at[k], record.image) == 0;
        if (!known)
            vec_push(&names, arena_copy(&screen->arena, record.image));
        osv_record_free(&record);
    }
    const char **kept = arena_alloc(&screen->arena, (names.len + 1) * sizeof *kept);
    if (names.len)
        memcpy(kept, names.at, names.len * sizeof *kept);
    *count = names.len;
    vec_free(&names);
    return kept;
}

static void fill_osv_cell(struct console *console, struct target_cell *cell, const char *arch,
                          const char *mode, const char *image, struct arena *arena)
{
    struct osv_record record = {0};
    if (osv_record(console, arch, mode, &record, cell) && strcmp(record.image, image) == 0)
        cell->what = arena_copy(arena, record.fs);
    else
        *cell = (struct target_cell){0};
    osv_record_free(&record);
}

static void fill_matrix(struct target_screen *screen, struct console *console)
{
    struct target_data *data = &screen->data;
    struct arena *arena = &screen->arena;
    const char *const *names = choices(screen, console->root, CHOICE_ARCH, &data->archs_count);
    struct target_arch *archs = arena_alloc(arena, (data->archs_count + 1) * sizeof *archs);
    for (size_t i = 0; i < data->archs_count; i++) {
        archs[i].name = names[i];
        fill_arch(screen, console, &archs[i]);
    }
    data->archs = archs;
    data->modes = choices(screen, console->root, CHOICE_MODE, &data->modes_count);
    names = data->free_image ? osv_images(screen, console, &data->images_count)
                             : choices(screen, console->root, CHOICE_IMAGE, &data->images_count);
    struct target_image *images = arena_alloc(arena, (data->images_count + 1) * sizeof *images);
    for (size_t i = 0; i < data->images_count; i++)
        images[i].name = names[i];
    data->images = images;
    size_t count = data->archs_count * data->modes_count * data->images_count;
    struct target_cell *cells = arena_alloc(arena, (count + 1) * sizeof *cells);
    for (size_t i = 0; i < count; i++) {
        size_t image = i % data->images_count, mode = i / data->images_count % data->modes_count;
        size_t arch = i / data->images_count / data->modes_count;
        if (data->free_image)
            fill_osv_cell(console, &cells[i], archs[arch].name, data->modes[mode],
                          images[image].name, arena);
        else if (!archs[arch].problem)
            fill_cell(console, &cells[i], archs[arch].name, data->modes[mode], &images[image],
                      arena);
    }
    data->cells = cells;
}

/* ---- facts ---- */

/* "12.2.0": the last word of the first line that `program --version` prints; "" where it says none. */
static const char *version_of(struct target_screen *screen, const char *program)
{
    for (size_t i = 0; i < screen->versions.len; i++)
        if (strcmp(screen->versions.at[i].program, program) == 0)
            return screen->versions.at[i].text;
    char *line = toolchain_version(program);
    const char *last = line ? strrchr(line, ' ') : NULL;
    struct version *version = vec_new(&screen->versions);
    version->program = mem_copy(program);
    version->text = mem_copy(last ? last + 1 : "");
    free(line);
    return version->text;
}

/* Where the value in force was written; NULL: by Gantry itself. */
static const char *origin_of(struct target_screen *screen, struct conf *conf, const char *name)
{
    size_t count;
    const struct conf_value *values = conf_values(conf, name, &count);
    if (!count || values[0].origin.kind == ORIGIN_BUILTIN)
        return NULL;
    struct str text = {0};
    origin_text(&values[0].origin, &text);
    const char *kept = arena_copy(&screen->arena, str_text(&text));
    str_free(&text);
    return kept;
}

typedef VEC(struct target_fact) fact_list;

static void add_fact(struct target_screen *screen, fact_list *facts, const char *name,
                     const char *value, const char *origin)
{
    vec_push(facts, (struct target_fact){arena_copy(&screen->arena, name),
                                         arena_copy(&screen->arena, value), origin});
}

static void add_program(struct target_screen *screen, fact_list *facts, struct conf *conf,
                        const char *name, const char *program, bool version)
{
    char *path = toolchain_find(program);
    const char *origin = *conf_get(conf, name) ? origin_of(screen, conf, name) : NULL;
    char *text = version ? mem_format("%s %s", program, path ? version_of(screen, program) : "")
                         : mem_copy(program);
    add_fact(screen, facts, name, text, path ? origin : "not on PATH");
    free(text);
    free(path);
}

static void fill_facts(struct target_screen *screen, struct console *console, struct conf *conf)
{
    struct err err = {0};
    struct toolchain tools = {0};
    struct utsname machine;
    fact_list facts = {0};
    bool found = toolchain_resolve(&tools, conf, &err) == 0;
    if (uname(&machine) == 0) {
        char *text = mem_format("%s %s, %ld processors", machine.machine, machine.sysname,
                                sysconf(_SC_NPROCESSORS_ONLN));
        add_fact(screen, &facts, "machine", text, NULL);
        free(text);
    }
    add_fact(screen, &facts, "arch", conf_get(conf, "arch"), origin_of(screen, conf, "arch"));
    bool given = *conf_get(conf, "CROSS_PREFIX") != '\0';
    add_fact(screen, &facts, "prefix", *tools.prefix ? tools.prefix : "none",
             *tools.prefix ? origin_of(screen, conf, given ? "CROSS_PREFIX" : "cross-prefix")
                           : NULL);
    add_program(screen, &facts, conf, "HOST_CC", tools.host_cc, true);
    add_program(screen, &facts, conf, "CC", tools.cc, true);
    add_program(screen, &facts, conf, "CXX", tools.cxx, true);
    add_program(screen, &facts, conf, "LD", tools.ld, false);
    add_program(screen, &facts, conf, "STRIP", tools.strip, false);
    add_program(screen, &facts, conf, "OBJCOPY", tools.objcopy, false);
    add_fact(screen, &facts, "qemu", conf_get(conf, "qemu"), origin_of(screen, conf, "qemu"));
    if (!found)
        screen->data.problem = arena_copy(&screen->arena, err.text);
    struct target_fact *kept = arena_alloc(&screen->arena, facts.len * sizeof *kept);
    memcpy(kept, facts.at, facts.len * sizeof *kept);
    screen->data.facts = kept;
    screen->data.facts_count = facts.len;
    vec_free(&facts);
    toolchain_free(&tools);
    (void)console;
}

/* ---- options ---- */

/* Which names are for picking: the kernel's options, and what decides tools, image and machine. */
static bool is_option(const char *name, bool osv)
{
    static const char *const names[] = {"CROSS_PREFIX", "HOST_CC",     "asflags",
                                        "cflags",       "fs",          "img_align",
                                        "img_format",   "host-cflags", "launcher"};
    static const char *const of_osv[] = {"image",  "modules", "fs_size_mb", "usrskel",
                                         "export", "cmdline", "qemu-nics"};
    for (size_t i = 0; osv && i < sizeof of_osv / sizeof *of_osv; i++)
        if (strcmp(name, of_osv[i]) == 0)
            return true;
    if (osv && str_starts(name, "conf_"))
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return (str_starts(name, "conf-") && strcmp(name, "conf-options") != 0 &&
            strcmp(name, "conf-defines") != 0) ||
           strcmp(name, "qemu-machine") == 0 || strcmp(name, "qemu-disk") == 0;
}

static void fill_options(struct target_screen *screen, struct conf *conf)
{
    VEC(struct target_option) options = {0};
    str_list names = {0};
    conf_names(conf, &names);
    for (size_t i = 0; i < names.len; i++) {
        size_t count;
        const struct conf_value *values = conf_values(conf, names.at[i], &count);
        if (!is_option(names.at[i], screen->data.free_image) || !count)
            continue;
        const char *value = arena_copy(&screen->arena, conf_get(conf, names.at[i]));
        bool picked = values[0].origin.kind == ORIGIN_SCREEN;
        const char *origin = origin_of(screen, conf, names.at[i]);
        vec_push(
            &options,
            (struct target_option){
                .name = arena_copy(&screen->arena, names.at[i]),
                .value = value,
                .origin = origin ? origin : "",
                .instead = picked && count > 1 ? arena_copy(&screen->arena, values[1].text) : NULL,
                .is_switch = strcmp(value, "0") == 0 || strcmp(value, "1") == 0,
                .picked = picked});
    }
    struct target_option *kept = arena_alloc(&screen->arena, (options.len + 1) * sizeof *kept);
    if (options.len)
        memcpy(kept, options.at, options.len * sizeof *kept);
    screen->data.options = kept;
    screen->data.options_count = options.len;
    vec_free(&options);
    str_list_free(&names);
}

/* ---- the console's ---- */

static const struct target_data *op_targets(void *app)
{
    struct console *console = app;
    if (!console->root)
        return NULL;
    if (!console->target)
        console->target = mem_zero(1, sizeof *console->target);
    struct target_screen *screen = console->target;
    if (screen->known)
        return &screen->data;
    struct err err = {0};
    arena_free(&screen->arena);
    screen->data = (struct target_data){0};
    screen->known = true;
    bool osv = console->app.state.tree == APP_TREE_OSV;
    if (console->app.state.tree != APP_TREE_NATIVE && !osv)
        return &screen->data;
    screen->data.free_image = osv;
    fill_matrix(screen, console);
    struct conf *conf = console->app.ops.conf(console, &err);
    target_profiles_fill(console, conf, &screen->arena, &screen->data);
    if (conf) {
        fill_facts(screen, console, conf);
        fill_options(screen, conf);
        target_probe_clear(&screen->probe);
        if (!screen->data.problem && !osv)
            target_probe_start(console, &screen->probe);
    } else {
        screen->data.problem = arena_copy(&screen->arena, err.text);
    }
    return &screen->data;
}

/* What is picked on the screen, and arch, mode and image however they were chosen. */
static void op_save_selection(void *app)
{
    struct console *console = app;
    const struct app_state *state = &console->app.state;
    const char *const chosen[][2] = {
        {"arch", state->arch}, {"mode", state->mode}, {"image", state->image}};
    struct err err = {0};
    bool has = state->tree == APP_TREE_NATIVE || state->tree == APP_TREE_OSV;
    int status = console->root && has ? 0 : -1;
    if (status)
        err_set(&err, ERR_INPUT,
                "this tree has no selection to save: i edits its command, which is kept by itself");
    for (size_t i = 0; i < 3 && !status; i++)
        if (chosen[i][1])
            status = conf_save(console->root, chosen[i][0], chosen[i][1], &err);
    for (size_t i = 0; i < console->assigns.len && !status; i++)
        if (console->assigns.at[i].kind == ORIGIN_SCREEN)
            status = conf_save(console->root, console->assigns.at[i].name,
                               console->assigns.at[i].value, &err);
    app_say(&console->app, status ? SEVERITY_ERROR : SEVERITY_NOTE,
            status ? err.text : "saved: from now on this is what gantry builds here");
    target_screen_forget(console);
}

int target_screen_fd(const struct console *console)
{
    return console->target && console->target->probe.events
               ? queue_fd(console->target->probe.events)
               : -1;
}

bool target_screen_take(struct console *console)
{
    struct target_screen *screen = console->target;
    if (!screen || !target_probe_take(&screen->probe))
        return false;
    screen->data.would = screen->probe.text;
    if (screen->probe.text) {
        screen->data.stale = screen->probe.steps.at;
        screen->data.stale_count = screen->probe.steps.len;
    }
    return true;
}

void target_screen_stop(struct console *console)
{
    if (console->target)
        target_probe_stop(&console->target->probe);
}

void target_screen_fill(struct app_ops *ops)
{
    ops->targets = op_targets;
    ops->save_selection = op_save_selection;
    target_profiles_ops(ops);
}

void target_screen_forget(struct console *console)
{
    if (!console->target)
        return;
    target_probe_stop(&console->target->probe);
    console->target->known = false;
}

void target_screen_free(struct console *console)
{
    struct target_screen *screen = console->target;
    if (!screen)
        return;
    for (size_t i = 0; i < screen->versions.len; i++) {
        free(screen->versions.at[i].program);
        free(screen->versions.at[i].text);
    }
    vec_free(&screen->versions);
    for (size_t i = 0; i < screen->satisfied.len; i++) {
        free(screen->satisfied.at[i].arch);
        free(screen->satisfied.at[i].needs);
    }
    vec_free(&screen->satisfied);
    target_probe_stop(&screen->probe);
    target_probe_clear(&screen->probe);
    arena_free(&screen->arena);
    free(screen);
    console->target = NULL;
}
