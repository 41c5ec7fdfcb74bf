/* `gantry log [TARGET]`: what a step printed when it last ran; without a target, which steps did. */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "load/load.h"
#include "run/build.h"
#include "tui/cli.h"
#include "tui/commands.h"
#include "tui/shell_report.h"
#include "views/sanitize.h"

struct log_file {
    char *target; /* as the log's name says it */
    uint64_t size_bytes;
};

struct logs {
    char *dir; /* <state>/log */
    VEC(struct log_file) files; /* sorted by target */
    struct shell_report shell; /* read where the logs are listed */
};

static bool json(const struct cli *cli)
{
    return cli->output == OUTPUT_JSON || cli->json_to;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Lists the logs that there are; none where the directory is missing. */
static int list_logs(struct logs *logs, struct err *err)
{
    static const char suffix[] = ".log";
    char *const dirs[] = {logs->dir, NULL};
    if (access(logs->dir, F_OK) < 0)
        return 0;
    FTS *walk = fts_open(dirs, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    if (!walk)
        return err_errno(err, "%s", logs->dir);
    size_t prefix = strlen(logs->dir) + 1;
    for (const FTSENT *entry; (entry = fts_read(walk)) != NULL;) {
        if (entry->fts_info != FTS_F || !str_ends(entry->fts_path, suffix))
            continue;
        const char *name = entry->fts_path + prefix;
        vec_push(&logs->files,
                 (struct log_file){.target = mem_copy_n(name, strlen(name) - strlen(suffix)),
                                   .size_bytes = (uint64_t)entry->fts_statp->st_size});
    }
    fts_close(walk);
    return 0;
}

static void free_logs(struct logs *logs)
{
    for (size_t i = 0; i < logs->files.len; i++)
        free(logs->files.at[i].target);
    vec_free(&logs->files);
    free(logs->dir);
    shell_report_free(&logs->shell);
}

static int print_list(const struct cli *cli, const struct logs *logs)
{
    struct str doc = {0};
    if (json(cli)) {
        json_put_array(&doc, NULL);
        for (size_t i = 0; i < logs->files.len; i++) {
            json_put_object(&doc, NULL);
            json_put_text(&doc, "target", logs->files.at[i].target);
            json_put_uint(&doc, "bytes", logs->files.at[i].size_bytes);
            json_put_object_end(&doc);
        }
        json_put_array_end(&doc);
        int status = cli_print_json(cli, str_text(&doc));
        str_free(&doc);
        return status;
    }
    for (size_t i = 0; i < logs->files.len; i++) {
        char size[16];
        text_size(size, logs->files.at[i].size_bytes);
        printf("%8s  %s\n", size, logs->files.at[i].target);
    }
    if (!logs->files.len)
        printf("no step printed anything when it last ran\n");
    fputs(str_text(&logs->shell.text), stdout);
    return 0;
}

/* The log of a target: named as it is listed, by its path under the build directory's name, or by
 * the end of exactly one. NULL and err where there is none. */
static const struct log_file *find_log(const struct logs *logs, const char *name, struct err *err)
{
    const struct log_file *found = NULL;
    for (size_t i = 0; i < logs->files.len; i++) {
        const struct log_file *file = &logs->files.at[i];
        if (strcmp(file->target, name) == 0)
            return file;
        char *end = mem_format("/%s", name), *own = mem_format("/%s", file->target);
        bool fits = str_ends(file->target, end) || str_ends(name, own);
        free(end);
        free(own);
        if (fits && found) {
            err_set(err, ERR_INPUT, "'%s' may mean %s or %s; say which", name, found->target,
                    file->target);
            return NULL;
        }
        if (fits)
            found = file;
    }
    if (found)
        return found;
    VEC(const char *) names = {0};
    for (size_t i = 0; i < logs->files.len; i++)
        vec_push(&names, logs->files.at[i].target);
    const char *near = text_nearest(name, names.at, names.len);
    vec_free(&names);
    err_set(
        err, ERR_INPUT,
        "no log of %s: it printed nothing, or did not run (gantry log lists those that did)%s%s%s",
        name, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return NULL;
}

/* Prints a log in pieces, made safe for a terminal; raw: as it is. */
static int print_log(const struct cli *cli, const struct logs *logs, const struct log_file *file,
                     struct err *err)
{
    char *path = mem_format("%s/%s.log", logs->dir, file->target), piece[1 << 16];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct sanitize state = {.colors = cli_color(cli, stdout)};
    struct str out = {0};
    ssize_t got = -1;
    while (fd >= 0 && (got = read(fd, piece, sizeof piece)) > 0) {
        str_cut(&out, 0);
        if (cli->output == OUTPUT_RAW)
            str_add_n(&out, piece, (size_t)got);
        else
            sanitize_text(&state, piece, (size_t)got, &out);
        fwrite(str_text(&out), 1, out.len, stdout);
    }
    int status = got < 0 ? err_errno(err, "%s", path) : 0;
    if (state.colored)
        fputs("\033[0m", stdout);
    if (fd >= 0)
        close(fd);
    str_free(&out);
    free(path);
    return status;
}

static int print_log_json(const struct cli *cli, const struct logs *logs,
                          const struct log_file *file, struct err *err)
{
    char *path = mem_format("%s/%s.log", logs->dir, file->target);
    size_t length;
    char *text = file_read(path, &length, err);
    int status = text ? 0 : -1;
    if (text) {
        struct str doc = {0};
        json_put_object(&doc, NULL);
        json_put_text(&doc, "target", file->target);
        json_put_text_n(&doc, "text", text, length);
        json_put_object_end(&doc);
        status = cli_print_json(cli, str_text(&doc));
        str_free(&doc);
    }
    free(text);
    free(path);
    return status;
}

static int show(const struct cli *cli, struct logs *logs, const char *name, struct err *err)
{
    char *root = NULL;
    if (load_find_tree(cli->directory, &root, err) == TREE_NONE)
        return -1;
    char *state = build_state_dir(root, cli->assigns.at, cli->assigns.len, err);
    free(root);
    if (!state)
        return -1;
    logs->dir = path_join(state, "log");
    if (!name)
        shell_report_read(&logs->shell, state);
    free(state);
    if (list_logs(logs, err) < 0)
        return -1;
    if (!name)
        return print_list(cli, logs);
    const struct log_file *file = find_log(logs, name, err);
    if (!file)
        return -1;
    return json(cli) ? print_log_json(cli, logs, file, err) : print_log(cli, logs, file, err);
}

int cmd_log(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    struct logs logs = {0};
    if (argc > 2)
        return cli_usage("usage: gantry log [TARGET]");
    int status = show(cli, &logs, argv[1], &err);
    free_logs(&logs);
    return status < 0 ? cli_fail(&err) : status;
}
