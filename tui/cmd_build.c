/* `gantry build [TARGET...]` builds a tree that describes itself, or one of OSv; `gantry build --
 * COMMAND...` runs any command that calls make inside, each recipe on a lane. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "load/load.h"
#include "tui/cli.h"
#include "tui/commands.h"
#include "tui/stream.h"
#include "tui/watch.h"

enum { SETTLED_MS = 200 }; /* so long nothing more is saved before a build starts */

/* The tree, new; *osv: it is one of OSv, and driven whole. */
static int find_root(const struct cli *cli, char **root, bool *osv, struct err *err)
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
    *osv = kind == TREE_OSV && conf_is_osv(*root);
    if (kind == TREE_NATIVE || *osv)
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

/* Takes --watch out of the command's words; true where it was there. */
static bool take_watch(int *argc, char **argv)
{
    int kept = 0;
    for (int i = 0; i < *argc; i++)
        if (i == 0 || strcmp(argv[i], "--watch") != 0)
            argv[kept++] = argv[i];
    bool found = kept < *argc;
    argv[ *argc = kept] = NULL;
    return found;
}

/* Until a file was saved, and for a while no other. */
static void wait_for_save(struct watch *watch)
{
    struct pollfd fd = {.fd = watch_fd(watch), .events = POLLIN};
    for (bool changed = false; !changed; changed |= watch_take(watch))
        poll(&fd, 1, -1);
    while (poll(&fd, 1, SETTLED_MS) > 0)
        watch_take(watch);
}

/* Builds, and again whenever a file is saved, until a signal ends it. What make writes lies among its
 * sources, so what changed during its build is no edit. */
static int build_and_watch(struct cli *cli, const struct build_options *options)
{
    struct err err = {0};
    struct watch *watch = watch_open(options->root, &err);
    if (!watch)
        return cli_fail(&err);
    int status;
    struct build_options own = *options;
    struct build_changes changes;
    bool known = false;
    while ((status = stream_build(cli, &own)) < 128) {
        if (status == 0)
            watch_forget(watch);
        if (cli->after)
            watch_take(watch);
        if (cli->output != OUTPUT_JSON) {
            printf("watching %s: ^C ends\n", options->root);
            fflush(stdout);
        }
        known |= status == 0 && !options->dry_run; /* since a build that looked at all files */
        wait_for_save(watch);
        own.changes = known && watch_changes(watch, &changes) ? &changes : NULL;
    }
    watch_close(watch);
    return status;
}

int cmd_build(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    char *root = NULL;
    bool watched = take_watch(&argc, argv), osv = false;
    if (cli->after && !cli->after[0])
        return cli_usage("after `--` stands the command to run: gantry build -- make");
    if (cli->after && argc > 1)
        return cli_usage("either targets or `-- COMMAND`, not both");
    if (find_root(cli, &root, &osv, &err) < 0)
        return cli_fail(&err);
    char *directory = path_absolute(cli->directory);
    struct build_options options = {
        .root = root,
        .assigns = cli->assigns.at,
        .assigns_count = cli->assigns.len,
        .targets = (const char *const *)(argv + 1),
        .targets_count = (size_t)(argc - 1),
        .command = (const char *const *)cli->after,
        .osv = osv ? OSV_BUILD : OSV_NOT,
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
    int status = watched ? build_and_watch(cli, &options) : stream_build(cli, &options);
    free(directory);
    free(root);
    return status;
}
