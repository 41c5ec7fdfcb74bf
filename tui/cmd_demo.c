/* `gantry demo DIR`: writes the bundled tree, with the stock conf and manifests, so that it stands
 * by itself: nothing in it points back to this program. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "conf/stock.h"
#include "tui/cli.h"
#include "tui/commands.h"

/* Where a stock file goes in the new tree, or NULL where it stays out. */
static const char *place(const struct stock_file *file)
{
    static const char demo[] = "tests/demo/";
    if (strncmp(file->path, demo, sizeof demo - 1) == 0)
        return file->path + sizeof demo - 1;
    bool stock = strncmp(file->path, "conf/", 5) == 0 || strncmp(file->path, "manifests/", 10) == 0;
    return stock ? file->path : NULL;
}

/* 0 where the directory is empty or is not there yet. */
static int check_empty(const char *directory, struct err *err)
{
    DIR *dir = opendir(directory);
    if (!dir)
        return errno == ENOENT ? 0 : err_errno(err, "%s", directory);
    bool empty = true;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            empty = false;
    closedir(dir);
    return empty ? 0
                 : err_set(err, ERR_INPUT,
                           "%s is not empty: name a directory that is not there yet", directory);
}

static int write_file(const char *directory, const struct stock_file *file, struct err *err)
{
    char *path = path_join(directory, place(file));
    int status = file_make_parents(path, err);
    if (status == 0)
        status = file_write(path, file->bytes, file->length, (mode_t)file->mode, err);
    free(path);
    return status;
}

static int write_tree(const char *directory, struct err *err)
{
    static const char ignore[] = "build/\n";
    if (check_empty(directory, err) < 0 || file_make_dirs(directory, err) < 0)
        return -1;
    for (size_t i = 0; i < stock_files_count; i++)
        if (place(&stock_files[i]) && write_file(directory, &stock_files[i], err) < 0)
            return -1;
    char *path = path_join(directory, ".gitignore");
    int status = file_write(path, ignore, sizeof ignore - 1, 0666, err);
    free(path);
    return status;
}

int cmd_demo(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    if (argc != 2)
        return cli_usage("usage: gantry demo DIR");
    char *directory = path_join(cli->directory, argv[1]);
    int status = write_tree(directory, &err);
    if (status == 0 && cli->output != OUTPUT_RAW)
        printf("%s holds a small kernel, a shell and their images.\n"
               "next: cd %s && gantry\n",
               directory, directory);
    free(directory);
    return status == 0 ? 0 : cli_fail(&err);
}
