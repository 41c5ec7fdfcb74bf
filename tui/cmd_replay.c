/* `gantry replay` shows a recorded build, `gantry attach` one that runs elsewhere: both read its
 * journal; on a terminal in the console, else they print as if they were the build. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "journal/journal.h"
#include "load/load.h"
#include "run/build.h"
#include "tui/cli.h"
#include "tui/commands.h"
#include "tui/loop.h"
#include "tui/player.h"
#include "tui/stream.h"

enum {
    FOLLOW_NS = 50000000, /* between looks at a journal that grows */
    SILENCE_NS = 1000000000, /* after which the builder may have died */
};

/* The newest journal of the tree and selection; NULL and err where there is none. */
static char *newest_journal(const struct cli *cli, struct err *err)
{
    char *root = NULL, *path = NULL;
    if (load_find_tree(cli->directory, &root, err) == TREE_NONE)
        return NULL;
    char *state = build_state_dir(root, cli->assigns.at, cli->assigns.len, err);
    if (state) {
        char *directory = path_join(state, "journal");
        path = journal_newest(directory);
        if (!path)
            err_set(err, ERR_INPUT, "%s has no journal: nothing was built here yet (gantry build)",
                    state);
        free(directory);
    }
    free(state);
    free(root);
    return path;
}

/* Opens what the command names, or the newest. *path is new. */
static struct journal_reader *open_journal(const struct cli *cli, int argc, char **argv,
                                           char **path, struct err *err)
{
    *path = NULL;
    if (argc > 2) {
        err_set(err, ERR_INPUT, "usage: gantry %s [JOURNAL]", argv[0]);
        return NULL;
    }
    *path = argc == 2 ? path_join(cli->directory, argv[1]) : newest_journal(cli, err);
    return *path ? journal_read_open(*path, err) : NULL;
}

/* Prints what is there now; *status becomes the build's exit status, true is its end. */
static bool print_present(struct stream *stream, struct journal_reader *reader, int *status)
{
    bool end = false;
    for (struct event *event; !end && (event = journal_next(reader)) != NULL;) {
        stream_put(stream, event);
        end = event->kind == EVENT_BUILD_END;
        if (end)
            *status = event->exit;
        free(event);
    }
    stream_flush(stream);
    return end;
}

/* In the console; takes reader and path over. */
static int show(struct cli *cli, struct journal_reader *reader, char *path, bool follow)
{
    journal_read_close(reader);
    int status = console_replay(cli, path, follow);
    free(path);
    return status;
}

int cmd_replay(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    char *path;
    struct journal_reader *reader = open_journal(cli, argc, argv, &path, &err);
    if (reader && cli_console(cli))
        return show(cli, reader, path, false);
    struct stream *stream = reader ? stream_open(cli, &err) : NULL;
    int ignored = 0, status = 0;
    if (stream) {
        bool end = print_present(stream, reader, &ignored);
        if (!end)
            err_set(&err, ERR_FAILED,
                    "%s stops in the middle: that build runs still (gantry "
                    "attach), or was killed",
                    path);
        status = stream_close(stream);
        if (!end)
            status = cli_fail(&err);
    }
    if (reader)
        journal_read_close(reader);
    free(path);
    return stream ? status : cli_fail(&err);
}

int cmd_attach(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    char *path;
    struct journal_reader *reader = open_journal(cli, argc, argv, &path, &err);
    if (reader && cli_console(cli))
        return show(cli, reader, path, true);
    struct stream *stream = reader ? stream_open(cli, &err) : NULL;
    int build_status = 0, written = 0;
    bool end = false, gone = false;
    if (stream) {
        uint64_t asked_ns = clock_ns();
        while (!(end = print_present(stream, reader, &build_status)) && !gone) {
            usleep(FOLLOW_NS / 1000);
            if (clock_ns() - asked_ns > SILENCE_NS) {
                gone = player_builder_is_gone(path);
                asked_ns = clock_ns();
            }
        }
        if (!end)
            err_set(&err, ERR_FAILED, "%s stops in the middle: that build was killed", path);
        written = stream_close(stream);
    }
    if (reader)
        journal_read_close(reader);
    free(path);
    if (!end)
        return cli_fail(&err);
    return build_status ? build_status : written;
}
