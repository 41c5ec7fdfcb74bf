/* `gantry build [TARGET...]` builds a tree that describes itself; `gantry build -- COMMAND...` runs
 * any command that calls make inside, each recipe on a lane. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "load/load.h"
#include "tui/cli.h"
#include "tui/commands.h"
#include "tui/stream.h"

/* The tree and where the command starts; both new. */
static int find_root(const struct cli *cli, char **root, struct err *err)
{
    enum tree_kind kind = load_find_tree(cli->directory, root, err);
    if (cli->after) {
        /* A command needs no tree that we know: its own directory will do. */
        if (kind == TREE_NONE)
            *root = path_absolute(cli->directory);
        return 0;
    }
    if (kind == TREE_NONE)
        return -1;
    if (kind == TREE_NATIVE)
        return 0;
    err_set(err, ERR_INPUT, "%s is built by a command of its own; say it: gantry build -- %s",
            *root, kind == TREE_NINJA ? "ninja" : "make");
    free(*root);
    return -1;
}

/* `make` itself says how many jobs it has, in its own words. */
static bool asks_for_jobs(char **words)
{
    for (; words && *words; words++)
        if (str_starts(*words, "-j") || str_starts(*words, "--jobs"))
            return true;
    return false;
}

/* Raw output is make's own. Where one recipe runs at a time, or where the command itself says how
 * many do, it is left alone: order, terminal and all. Otherwise it is ordered by step, and still
 * comes out where it would have. */
static enum capture capture_of(const struct cli *cli)
{
    struct stat out, err;
    if (!cli->after || cli->output != OUTPUT_RAW)
        return CAPTURE_TOGETHER;
    if (cli->lanes <= 1 || asks_for_jobs(cli->after))
        return CAPTURE_NOTHING;
    bool same = fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
                out.st_dev == err.st_dev && out.st_ino == err.st_ino;
    return same ? CAPTURE_TOGETHER : CAPTURE_APART;
}

int cmd_build(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    char *root = NULL;
    if (cli->after && !cli->after[0])
        return cli_usage("after `--` stands the command to run: gantry build -- make");
    if (cli->after && argc > 1)
        return cli_usage("either targets or `-- COMMAND`, not both");
    if (find_root(cli, &root, &err) < 0)
        return cli_fail(&err);
    char *directory = path_absolute(cli->directory);
    struct build_options options = {
        .root = root,
        .assigns = cli->assigns.at,
        .assigns_count = cli->assigns.len,
        .targets = (const char *const *)(argv + 1),
        .targets_count = (size_t)(argc - 1),
        .command = (const char *const *)cli->after,
        .directory = directory,
        .lanes = cli->lanes,
        .load_limit = cli->load_limit,
        .keep_going = cli->keep_going,
        .dry_run = cli->dry_run,
        .untraced = cli->untraced,
        .shuffle = cli->shuffle,
        .fail_on_races = cli->fail_on_races,
        .journal = cli->journal,
        .capture = capture_of(cli),
        .verbatim = cli->output == OUTPUT_RAW,
    };
    int status = stream_build(cli, &options);
    free(directory);
    free(root);
    return status;
}
