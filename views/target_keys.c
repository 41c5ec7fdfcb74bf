/* The keys of the target screen: picks, marks, profiles, options. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "views/target_view.h"
#include "views/views.h"

static struct view *open_target(const struct view_ctx *ctx)
{
    (void)ctx;
    struct target_view *v = mem_zero(1, sizeof *v);
    v->view.ops = &view_target;
    return &v->view;
}

static void close_target(struct view *view)
{
    struct target_view *v = (struct target_view *)view;
    field_free(&v->field);
    free(v->command);
    vec_free(&v->marked);
    re_free(v->search);
    free(v);
}

/* ---- requests ---- */

/* Picks the combination under the cursor, if it can be built here. */
static void pick(struct target_view *v, const struct view_ctx *ctx, const struct target_data *data)
{
    const struct target_arch *arch = &data->archs[v->arch];
    if (arch->problem) {
        ctx->ops->say(ctx->app, SEVERITY_ERROR, arch->problem);
        return;
    }
    /* Selecting makes new data. */
    char *mode = mem_copy(data->modes[v->row / data->images_count]);
    char *image = mem_copy(data->images[v->row % data->images_count].name);
    char *name = mem_copy(arch->name);
    ctx->ops->select(ctx->app, "arch", name);
    ctx->ops->select(ctx->app, "mode", mode);
    ctx->ops->select(ctx->app, "image", image);
    if (ctx->state->building)
        ctx->ops->say(ctx->app, SEVERITY_NOTE, "picked for the next build");
    free(mode);
    free(image);
    free(name);
}

static bool inside(struct rect rect, int x, int y)
{
    return x >= rect.x && x < rect.x + rect.w && y >= rect.y && y < rect.y + rect.h;
}

/* A click selects; a click on what is selected picks. */
static bool click(struct target_view *v, const struct view_ctx *ctx, const struct target_data *data,
                  const struct request_arg *arg)
{
    int x = arg->x + v->x, y = arg->y + v->y;
    if (inside(v->options_at, x, y)) {
        struct list_source source = target_options(data);
        v->pane = PANE_OPTIONS;
        return list_request(&v->list, &source, REQ_CLICK, y - v->options_at.y);
    }
    if (!inside(v->matrix, x, y) || y == v->matrix.y || x < v->matrix.x + TARGET_LABEL_W)
        return false;
    size_t arch = v->left + (size_t)((x - v->matrix.x - TARGET_LABEL_W) / v->cell_w);
    size_t row = v->top + (size_t)(y - v->matrix.y - 1);
    if (arch >= data->archs_count || row >= target_rows(data))
        return false;
    bool again = v->pane == PANE_MATRIX && arch == v->arch && row == v->row;
    v->pane = PANE_MATRIX;
    v->arch = arch;
    v->row = row;
    if (again)
        pick(v, ctx, data);
    return true;
}

/* Marks the combination under the cursor, or takes the mark away. */
static void mark(struct target_view *v, const struct view_ctx *ctx, const struct target_data *data)
{
    if (data->archs[v->arch].problem) {
        ctx->ops->say(ctx->app, SEVERITY_ERROR, data->archs[v->arch].problem);
        return;
    }
    uint64_t id = target_combination(data, v->arch, v->row);
    size_t at = target_mark(v, id);
    if (at < v->marked.len)
        v->marked.at[at] = v->marked.at[--v->marked.len];
    else
        vec_push(&v->marked, id);
}

/* Builds what is marked, in the order of the matrix; false where nothing is. */
static bool build_marked(struct target_view *v, const struct view_ctx *ctx,
                         const struct target_data *data)
{
    size_t count = 0, all = data->archs_count * target_rows(data);
    const char *(*picks)[3] = mem_zero(all + 1, sizeof *picks);
    for (size_t i = 0; i < all; i++) {
        size_t arch = i / target_rows(data), row = i % target_rows(data);
        if (target_mark(v, target_combination(data, arch, row)) < v->marked.len)
            target_names(data, arch, row, picks[count++]);
    }
    if (count)
        ctx->ops->build_each(ctx->app, (const char *const(*)[3])picks, count);
    free(picks);
    v->marked.len = 0;
    return count > 0;
}

static bool profiles_request(struct target_view *v, enum request request,
                             const struct view_ctx *ctx, const struct target_data *data)
{
    bool on_one = v->profile < data->profiles_count;
    switch (request) {
    case REQ_LEFT:
        v->profile -= v->profile > 0;
        return true;
    case REQ_RIGHT:
        v->profile += on_one;
        return true;
    case REQ_HOME:
        v->profile = 0;
        return true;
    case REQ_END:
        v->profile = data->profiles_count;
        return true;
    case REQ_UP:
        v->pane = PANE_MATRIX;
        return true;
    case REQ_DOWN:
        v->pane = PANE_OPTIONS;
        return true;
    case REQ_DELETE:
        if (on_one)
            ctx->ops->drop_profile(ctx->app, data->profiles[v->profile].name);
        return true;
    case REQ_ENTER:
    case REQ_MARK:
        if (on_one) {
            v->placed = false; /* the cursor goes to what is picked */
            ctx->ops->pick_profile(ctx->app, data->profiles[v->profile].name);
            return true;
        }
        /* fall through */
    case REQ_INSERT:
    case REQ_TYPE:
        field_begin(&v->field,
                    on_one && request == REQ_TYPE ? data->profiles[v->profile].name : "");
        v->naming = v->view.typing = true;
        v->view.typing_hint = "a name for what is picked; Enter saves, Esc reverts";
        return true;
    default:
        return false;
    }
}

static bool matches(struct re *re, const char *a, const char *b, const char *c)
{
    char *text = mem_format("%s %s %s", a, b, c);
    bool found = re_find(re, text, strlen(text), 0, NULL);
    free(text);
    return found;
}

/* The next combination or option that matches, by pane. */
static void find(struct target_view *v, const struct view_ctx *ctx, const struct target_data *data,
                 size_t step)
{
    bool options = v->pane == PANE_OPTIONS;
    size_t rows = target_rows(data);
    size_t count = options ? data->options_count : data->archs_count * rows;
    size_t at = options ? v->list.at : v->arch * rows + v->row;
    for (size_t i = 0; v->search && i < count; i++) {
        at = (at + count + step) % count;
        const char *names[3];
        if (options) {
            names[0] = data->options[at].name;
            names[1] = data->options[at].value;
            names[2] = data->options[at].origin;
        } else {
            target_names(data, at / rows, at % rows, names);
        }
        if (!matches(v->search, names[0], names[1], names[2]))
            continue;
        struct list_source source = target_options(data);
        if (options)
            list_select(&v->list, &source, at);
        else {
            v->arch = at / rows;
            v->row = at % rows;
            v->pane = PANE_MATRIX;
        }
        return;
    }
    ctx->ops->say(ctx->app, SEVERITY_NOTE, v->search ? "not found" : "search with / first");
}

static void search(struct target_view *v, const char *pattern, const struct view_ctx *ctx,
                   const struct target_data *data)
{
    struct err err = {0};
    struct re *re = pattern && *pattern ? re_compile(pattern, RE_SMART_CASE, &err) : NULL;
    if (pattern && *pattern && !re) {
        ctx->ops->say(ctx->app, SEVERITY_ERROR, err.text);
        return;
    }
    re_free(v->search);
    v->search = re;
    if (re)
        find(v, ctx, data, 1);
}

static bool matrix_request(struct target_view *v, enum request request, const struct view_ctx *ctx,
                           const struct target_data *data)
{
    size_t rows = target_rows(data);
    switch (request) {
    case REQ_UP:
        v->row -= v->row > 0;
        return true;
    case REQ_DOWN:
        v->row += v->row + 1 < rows;
        return true;
    case REQ_LEFT:
        v->arch -= v->arch > 0;
        return true;
    case REQ_RIGHT:
        v->arch += v->arch + 1 < data->archs_count;
        return true;
    case REQ_HOME:
    case REQ_PAGE_UP:
        v->row = 0;
        return true;
    case REQ_END:
    case REQ_PAGE_DOWN:
        v->row = rows - 1;
        return true;
    case REQ_ENTER:
        pick(v, ctx, data);
        return true;
    case REQ_MARK:
        mark(v, ctx, data);
        return true;
    default:
        return false;
    }
}

static bool options_request(struct target_view *v, enum request request, const struct view_ctx *ctx,
                            const struct target_data *data)
{
    struct list_source source = target_options(data);
    if (list_request(&v->list, &source, request, 0))
        return true;
    if (v->list.at >= data->options_count)
        return false;
    const struct target_option *option = &data->options[v->list.at];
    switch (request) {
    case REQ_MARK:
        if (option->is_switch) {
            ctx->ops->select(ctx->app, option->name, strcmp(option->value, "1") == 0 ? "0" : "1");
            return true;
        }
        /* fall through */
    case REQ_ENTER:
    case REQ_TYPE:
        field_begin(&v->field, option->value);
        v->view.typing = true;
        v->view.typing_hint = NULL;
        return true;
    case REQ_DELETE:
        ctx->ops->select(ctx->app, option->name, NULL);
        return true;
    default:
        return false;
    }
}

static void set_command(struct target_view *v, const char *text, const struct view_ctx *ctx)
{
    char *command = mem_copy(text);
    free(v->command);
    v->command = command;
    ctx->ops->set_command(ctx->app, command);
}

/* A make tree has its command and nothing else to pick. */
static enum view_result command_request(struct target_view *v, enum request request,
                                        const struct view_ctx *ctx)
{
    bool edits = request == REQ_TYPE || request == REQ_ENTER || request == REQ_INSERT;
    if (!edits || !ctx->state->command || ctx->state->held_by)
        return VIEW_IGNORED;
    if (v->command)
        field_remember(&v->field, v->command);
    field_begin(&v->field, ctx->state->command);
    v->commanding = v->view.typing = true;
    v->view.typing_hint = "what b runs; Enter accepts, Esc reverts";
    return VIEW_HANDLED;
}

/* The command that installs what is missing, for another terminal. */
static bool copy_install(const struct target_view *v, const struct view_ctx *ctx,
                         const struct target_data *data)
{
    const struct target_arch *arch = &data->archs[v->arch];
    if (arch->install)
        ctx->ops->copy(ctx->app, arch->install);
    ctx->ops->say(ctx->app, SEVERITY_NOTE,
                  arch->install   ? "the command is in the clipboard"
                  : arch->missing ? "nobody said what brings it: conf's package-NAME would"
                                  : "nothing is missing for this arch");
    return true;
}

static enum view_result request_target(struct view *view, enum request request,
                                       const struct request_arg *arg, const struct view_ctx *ctx)
{
    struct target_view *v = (struct target_view *)view;
    const struct target_data *data = target_data_of(ctx);
    if (request == REQ_BACK && v->pane == PANE_MATRIX)
        return VIEW_LEAVE;
    if (!data || !target_can_pick(data))
        return command_request(v, request, ctx);
    target_place_cursor(v, data, ctx->state);
    bool done;
    switch (request) {
    case REQ_NEXT_PANE:
    case REQ_PREVIOUS_PANE:
        v->pane = (v->pane + (request == REQ_NEXT_PANE ? 1 : PANES - 1)) % PANES;
        done = true;
        break;
    case REQ_BUILD:
        done = build_marked(v, ctx, data); /* nothing marked: what is picked */
        break;
    case REQ_INSERT:
        v->pane = PANE_PROFILES;
        done = profiles_request(v, request, ctx, data);
        break;
    case REQ_SEARCH:
        search(v, arg->text, ctx, data);
        done = true;
        break;
    case REQ_SEARCH_NEXT:
    case REQ_SEARCH_PREVIOUS:
        find(v, ctx, data, request == REQ_SEARCH_NEXT ? 1 : (size_t)-1);
        done = true;
        break;
    case REQ_BACK:
        v->pane = PANE_MATRIX;
        done = true;
        break;
    case REQ_COPY:
        done = copy_install(v, ctx, data);
        break;
    case REQ_WRITE:
        ctx->ops->save_selection(ctx->app);
        done = true;
        break;
    case REQ_CLICK:
        done = click(v, ctx, data, arg);
        break;
    default:
        done = v->pane == PANE_MATRIX     ? matrix_request(v, request, ctx, data)
               : v->pane == PANE_PROFILES ? profiles_request(v, request, ctx, data)
                                          : options_request(v, request, ctx, data);
    }
    return done ? VIEW_HANDLED : VIEW_IGNORED;
}

/* Typing an option's value, or a profile's name; accepting picks it, or saves under it. */
static void target_key(struct view *view, const struct key *key, const struct view_ctx *ctx)
{
    struct target_view *v = (struct target_view *)view;
    enum field_result result = field_key(&v->field, key);
    if (result == FIELD_EDITING)
        return;
    bool naming = v->naming, commanding = v->commanding;
    view->typing = v->naming = v->commanding = false;
    if (commanding) {
        if (result == FIELD_ACCEPTED && *field_text(&v->field))
            set_command(v, field_text(&v->field), ctx);
        return;
    }
    const struct target_data *data = target_data_of(ctx);
    if (naming) {
        if (result == FIELD_ACCEPTED && *field_text(&v->field))
            ctx->ops->save_profile(ctx->app, field_text(&v->field));
        return;
    }
    if (result == FIELD_ACCEPTED && data && v->list.at < data->options_count &&
        strcmp(field_text(&v->field), data->options[v->list.at].value) != 0)
        ctx->ops->select(ctx->app, data->options[v->list.at].name, field_text(&v->field));
}

static void target_save(const struct view *view, struct str *out)
{
    const struct target_view *v = (const struct target_view *)view;
    if (v->command)
        str_addf(out, "command %s\n", v->command);
}

/* What was said on the command line this time is stronger. */
static void target_restore(struct view *view, const char *line, const struct view_ctx *ctx)
{
    bool plain = ctx->state->command && strcmp(ctx->state->command, "make") == 0;
    if (str_starts(line, "command ") && plain)
        set_command((struct target_view *)view, line + 8, ctx);
}

static const struct view_key target_keys[] = {
    {REQ_ENTER, "pick"},     {REQ_MARK, NULL},       {REQ_BUILD, NULL},   {REQ_NEXT_PANE, NULL},
    {REQ_TYPE, NULL},        {REQ_DELETE, "unpick"}, {REQ_WRITE, "save"}, {REQ_SEARCH, NULL},
    {REQ_INSERT, "name it"}, {REQ_COPY, NULL},       {REQ_NONE, NULL},
};

const struct view_ops view_target = {
    .name = "target",
    .title = "Target",
    .key = '6',
    .keys = target_keys,
    .about = "What is built: arch, mode and image, the tools that do it, and the options of "
             "conf with the place each comes from. A pick counts for the next build; W makes "
             "it this tree's own. Space marks combinations, and b builds all that are "
             "marked. Profiles are picks with a name.",
    .open = open_target,
    .close = close_target,
    .draw = target_draw,
    .request = request_target,
    .key_typed = target_key,
    .save = target_save,
    .restore = target_restore,
};
