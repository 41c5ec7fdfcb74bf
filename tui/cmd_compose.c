/* `gantry compose` builds what the image wants and tells what it is made of. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "image/image.h"
#include "tui/commands.h"
#include "tui/image_words.h"
#include "tui/native.h"
#include "tui/stream.h"

/* The parts as events, for --json (a build of an OSv tree told them itself); and for people. */
static int tell_image(const struct cli *cli, struct stream *stream, const char *path, bool osv,
                      struct err *err)
{
    bool events = !osv;
    struct image_info info = {0};
    struct stat st;
    int status = stat(path, &st) < 0 ? err_errno(err, "%s", path) : image_info(path, &info, err);
    if (status < 0 && err->kind == ERR_INPUT) { /* of a kind that only its arch knows: its size */
        info.virtual_bytes = info.file_bytes = (uint64_t)st.st_size;
        status = 0;
    }
    for (size_t i = 0; status == 0 && events && i < info.parts.len; i++)
        stream_put(stream, &(struct event){.kind = EVENT_COMPOSE,
                                           .part = info.parts.at[i].name,
                                           .bytes = info.parts.at[i].size_bytes});
    if (status == 0 && events)
        stream_put(stream, &(struct event){
                               .kind = EVENT_COMPOSE, .part = path, .bytes = info.virtual_bytes});
    stream_flush(stream);
    if (status == 0 && cli->output != OUTPUT_JSON && cli->output != OUTPUT_RAW)
        image_words_print(path, &info);
    image_info_free(&info);
    return status;
}

static int compose(struct cli *cli, struct native_tree *tree, struct stream *stream)
{
    struct err err = {0};
    struct build_options options = native_build_options(tree, cli);
    int status = stream_run_build(stream, &options);
    if (status || cli->dry_run)
        return status;
    char *path = vm_image_path(tree->root, tree->conf), *here = path_absolute(".");
    if (path) { /* as it is seen from here */
        char *seen = path_relative(path, here);
        free(path);
        path = seen;
    }
    free(here);
    if (!path)
        err_set(&err, ERR_INPUT, "image %s names no boot-image; add `boot-image = FILE` to it",
                conf_get(tree->conf, "image"));
    if (!path || tell_image(cli, stream, path, tree->osv, &err) < 0)
        status = cli_fail(&err);
    free(path);
    return status;
}

int cmd_compose(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    struct native_tree tree = {0};
    if (argc > 1)
        return cli_usage("%s: compose takes no targets; the image is picked by image=NAME",
                         argv[1]);
    struct stream *stream =
        native_open_driven(&tree, cli, &err) < 0 ? NULL : stream_open(cli, &err);
    int status = stream ? compose(cli, &tree, stream) : cli_fail(&err);
    int written = stream ? stream_close(stream) : 0;
    native_close(&tree);
    return status ? status : written;
}
