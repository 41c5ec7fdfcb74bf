#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "tui/cli.h"
#include "tui/commands.h"
#include "tui/loop.h"

/* Nothing was asked for: the console where there is a terminal, else a build told in lines. */
static int run_default(struct cli *cli)
{
    char name[] = "build";
    char *words[] = {name, NULL};
    return cli_console(cli) ? console_run(cli) : cmd_build(cli, 1, words);
}

static int run(struct cli *cli)
{
    if (cli->want_version) {
        puts("gantry " GANTRY_VERSION);
        return 0;
    }
    if (cli->want_help) {
        char name[] = "help";
        char *words[] = {name, cli->words_count ? cli->words[0] : NULL, NULL};
        return cmd_help(cli, cli->words_count ? 2 : 1, words);
    }
    if (cli->words_count == 0)
        return run_default(cli);
    return command_find(cli->words[0])->run(cli, cli->words_count, cli->words);
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    struct err err = {0};
    /* A thread that serves a step gives its memory back at its end, and the next would get it page by
     * page from the system again. */
    mallopt(M_TRIM_THRESHOLD, 16 << 20);
    mallopt(M_TOP_PAD, 256 << 10);
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
    setlocale(LC_CTYPE, ""); /* what we print is English; the rest is eleven files more to read */
    int status = cli_parse(&cli, argc, argv, &err) < 0 ? cli_fail(&err) : run(&cli);
    cli_free(&cli);
    return status;
}
