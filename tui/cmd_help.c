/* `gantry help`: everything here is read from the table of commands. 80 columns. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "tui/cli.h"
#include "tui/commands.h"
#include "tui/keymap.h"

static const char *const headings[GROUPS] = {
    [GROUP_BUILD] = "Build",
    [GROUP_IMAGE] = "Image",
    [GROUP_LOOK] = "Look",
    [GROUP_TREE] = "Tree and machine",
};

static const char common_text[] =
    "Options of every command, anywhere before --:\n"
    "  NAME=VALUE         ARCH mode image CROSS_PREFIX HOST_CC fs cmdline, conf names\n"
    "  -C DIR             as if started in DIR\n"
    "  -j N               N lanes; without N or -j: one a processor\n"
    "  -k                 keep going after a failure\n"
    "  -n                 only tell what would be done\n"
    "  -l LOAD            start nothing while the load is above LOAD\n"
    "  -v                 print the commands too\n"
    "  --plain[=raw]      lines, no console; raw: only what the steps print\n"
    "  --json[=FILE|fd:N] JSON: a document, or one event a line\n"
    "  --journal=FILE     where the journal is written\n"
    "  --trace=on|off     see what the steps touch (on unless said)\n"
    "  --fail-on=races    exit 1 where steps race\n"
    "  --shuffle[=SEED]   start steps in a random order that the makefiles allow\n"
    "  --launcher=COMMAND what stands before compile commands: ccache, distcc, icecc\n"
    "  --color=WHEN       auto, always or never;  --ascii  no other characters\n"
    "  --help  --version\n";

static void print_overview(void)
{
    puts("gantry: the build console for OSv-like trees\n\n"
         "  gantry [-C DIR] [NAME=VALUE...] [COMMAND] [ARGS]\n\n"
         "Without a command: the console on a terminal, else `build --plain`. With NAME=\n"
         "or -j it opens and builds at once: gantry -j8 ARCH=aarch64 image=uush");
    for (unsigned group = 0; group < GROUPS; group++) {
        printf("\n%s\n", headings[group]);
        for (unsigned i = 0; i < commands_count; i++)
            if (commands[i].group == group)
                printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    printf("\n%s\nExit status: 0 done; 1 a build or check failed; 2 usage or bad input;\n"
           "128+N ended by signal N.  gantry help COMMAND says more; so does gantry(1).\n",
           common_text);
}

static void print_command(const struct command *command)
{
    printf("gantry %s%s%s\n\n  %s\n", command->name, *command->usage ? " " : "", command->usage,
           command->summary);
    if (command->options && *command->options) {
        printf("\n");
        for (const char *line = command->options; *line;) {
            int length = (int)strcspn(line, "\n");
            printf("  %.*s\n", length, line);
            line += length + (line[length] == '\n');
        }
    }
    printf("\n%s", common_text);
}

/* Every command and every option, one a line, a tab before what it is for: for completions and the
 * check of the manual. */
static void print_words(void)
{
    for (unsigned i = 0; i < commands_count; i++) {
        printf("%s\t%s\n", commands[i].name, commands[i].summary);
        for (const char *line = commands[i].options; line && *line;) {
            int word = (int)strcspn(line, " =[\n"), length = (int)strcspn(line, "\n");
            const char *text = memmem(line, (size_t)length, "  ", 2);
            if (*line == '-')
                printf("%.*s\t%s: %.*s\n", word, line, commands[i].name,
                       text ? length - (int)(text - line) - 2 : 0, text ? text + 2 : "");
            line += length + (line[length] == '\n');
        }
    }
    puts("-C\tas if started in DIR\n-j\tlanes\n-k\tkeep going after a failure\n"
         "-n\tonly tell what would be done\n-l\tload limit\n-v\tprint the commands too\n"
         "--plain\tlines, no console\n--json\tJSON\n--journal\tfile of the journal\n"
         "--launcher\tccache, distcc or icecc, before compile commands\n"
         "--shuffle\trandom order of steps, by a seed\n--trace\ton or off\n--fail-on\traces: exit "
         "1 where steps race\n"
         "--color\tauto, always or never\n--ascii\tno other characters\n--help\tthis text\n"
         "--version\tthe version");
}

int cmd_help(struct cli *cli, int argc, char **argv)
{
    (void)cli;
    if (argc < 2) {
        print_overview();
        return 0;
    }
    if (strcmp(argv[1], "--words") == 0) {
        print_words();
        return 0;
    }
    if (strcmp(argv[1], "keys") == 0) {
        struct str keys = {0};
        keymap_dump(&keys);
        fputs(str_text(&keys), stdout);
        str_free(&keys);
        return 0;
    }
    const struct command *command = command_find(argv[1]);
    if (!command)
        return cli_usage("unknown command '%s' (gantry help lists them)", argv[1]);
    print_command(command);
    return 0;
}
