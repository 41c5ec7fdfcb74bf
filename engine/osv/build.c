/* The runner of OSv trees: the stages under the make runner, then the image, in one build. */
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "osv/private.h"
#include "run/build_internal.h"

static bool is_stopped(void *data)
{
    return build_stopping(data) != STOP_NO;
}

/* Tells what the image came to be made of. */
static void tell_image(struct build *build, const struct osv_made *made, struct conf *conf)
{
    struct image_info info = {0};
    struct err err = {0};
    char *path = path_join(build->options.root, made->path);
    if (image_info(path, &info, &err) == 0) {
        for (size_t i = 0; i < info.parts.len; i++)
            build_send(build, &(struct event){.kind = EVENT_COMPOSE,
                                              .part = info.parts.at[i].name,
                                              .bytes = info.parts.at[i].size_bytes});
        build_send(build, &(struct event){.kind = EVENT_COMPOSE,
                                          .part = made->path,
                                          .bytes = info.virtual_bytes});
        char size[16];
        text_size(size, info.virtual_bytes);
        build_say(build, SEVERITY_NOTE, "%s %s: %s, %zu names, a disk of %s",
                  made->fresh ? "up to date:" : "composed", made->path, conf_get(conf, "fs"),
                  made->files, size);
    }
    image_info_free(&info);
    free(path);
}

static int compose(struct build *build, struct conf *conf)
{
    struct err err = {0};
    struct osv_made made = {0};
    const struct image_io io = {.data = build, .stopped = is_stopped};
    int status = osv_compose(build->options.root, conf, build->lanes, &io, &made, &err);
    for (size_t i = 0; i < made.warnings.len; i++)
        build_say(build, SEVERITY_WARNING, "%s", made.warnings.at[i]);
    if (status == 0)
        tell_image(build, &made, conf);
    else if (build_stopping(build) == STOP_NO)
        build_say(build, SEVERITY_ERROR, "%s", err.text);
    osv_made_free(&made);
    return status == 0 ? 0 : build_stopping(build) != STOP_NO ? 1 : err_exit_status(&err);
}

/* The command of the stages, in the build's own arena. */
static int plan(struct build *build, struct conf *conf, struct err *err)
{
    struct toolchain tools = {0};
    struct str text = {0};
    struct build_options *options = &build->options;
    const struct osv_stages stages = {.image_only = options->osv == OSV_COMPOSE,
                                      .targets = options->targets_count ? options->targets : NULL};
    char *makefile = toolchain_resolve(&tools, conf, err) < 0 ||
                             launcher_find(&build->launcher, conf_get(conf, "launcher"), err) < 0
                         ? NULL
                         : osv_drive(options->root, conf, &tools, &stages, &text, err);
    toolchain_free(&tools);
    build->also_asked = arena_copy(&build->arena, str_text(&text));
    str_free(&text);
    if (!makefile)
        return -1;
    const char **command = arena_alloc(&build->arena, 5 * sizeof *command);
    command[0] = "make";
    command[1] = "--no-print-directory";
    command[2] = "-f";
    command[3] = arena_copy(&build->arena, makefile);
    command[4] = NULL;
    free(makefile);
    options->command = command;
    options->directory = options->root;
    options->lanes = build->lanes; /* as of a native tree: one a processor unless it was said */
    build->arch = arena_copy(&build->arena, conf_get(conf, "arch"));
    build->mode = arena_copy(&build->arena, conf_get(conf, "mode"));
    build->image = arena_copy(&build->arena, conf_get(conf, "image"));
    return 0;
}

int osv_build_run(struct build *build, void *data)
{
    (void)data;
    struct err err = {0};
    const struct build_options *options = &build->options;
    struct conf *conf = conf_load(options->root, options->assigns, options->assigns_count, &err);
    int status;
    if (!conf || plan(build, conf, &err) < 0) {
        build_send(build, &(struct event){.kind = EVENT_BUILD_BEGIN,
                                          .tree = options->root,
                                          .loader = "osv",
                                          .lanes = build->lanes});
        build_say(build, SEVERITY_ERROR, "%s", err.text);
        status = err_exit_status(&err);
    } else {
        status = make_build_run(build, NULL);
        if (status == 0 && !options->dry_run && !options->targets_count)
            status = compose(build, conf);
    }
    conf_free(conf);
    return status;
}
