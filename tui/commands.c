/* The table of commands: `gantry help`, the checks of options and the completions come from it.
 * Add a row here and a prototype in commands.h; both are sorted by name. */
#include "tui/commands.h"

#include <string.h>

#include "tui/cli.h"

const struct command commands[] = {
    {"demo", cmd_demo, GROUP_TREE, "DIR", "write the bundled tree to DIR, to try things on", ""},
    {"help", cmd_help, GROUP_TREE, "[COMMAND]", "this overview, or a command's own page",
     "--words  only the commands and options, one a line\n"},
};
const unsigned commands_count = sizeof commands / sizeof *commands;

const struct command *command_find(const char *name)
{
    for (unsigned i = 0; i < commands_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}
