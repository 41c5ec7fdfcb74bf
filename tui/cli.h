/*
 * The command line: parsed once by main, handed to a command. Options stand anywhere before `--`,
 * NAME=VALUE words too. Main thread only; strings are those of main's argv.
 */
#ifndef GANTRY_TUI_CLI_H
#define GANTRY_TUI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "base/vec.h"
#include "conf/conf.h"

enum color_choice { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
enum output_choice { OUTPUT_AUTO, OUTPUT_PLAIN, OUTPUT_RAW, OUTPUT_JSON };

struct cli {
    const char *directory; /* -C, or "." */
    VEC(struct assignment) assigns; /* NAME=VALUE words */
    unsigned lanes; /* -j; 0: not said */
    bool keep_going, dry_run, ascii; /* -k -n --ascii */
    bool untraced; /* --trace=off */
    unsigned shuffle; /* --shuffle; 0: not said */
    bool fail_on_races; /* --fail-on=races */
    unsigned verbose; /* -v */
    double load_limit; /* -l; 0: none */
    enum output_choice output;
    const char *json_to; /* --json=FILE or fd:N; NULL: standard output, where output says JSON */
    enum color_choice color;
    const char *journal; /* --journal; NULL: the tree's own place */
    char **after; /* the words after `--`, NULL-ended; NULL where there was no `--` */
    bool quiet; /* set by commands that build on the way to something else: tell only failures */
    bool to_stderr; /* set by commands whose result is a document: lines go to standard error */
    bool want_help, want_version;
    char **words; /* the command and its words and own options, NULL-ended; cli_free frees it */
    int words_count;
};

/* Which heading of `gantry help` a command stands under. */
enum command_group { GROUP_BUILD, GROUP_IMAGE, GROUP_LOOK, GROUP_TREE, GROUPS };

/* A command: argv[0] is its name; argv is NULL-ended and holds its words and own options, in order;
 * what any command takes was taken out before. Returns the exit status; prints its own results and,
 * by cli_fail, its errors. */
struct command {
    const char *name;
    int (*run)(struct cli *cli, int argc, char **argv);
    enum command_group group;
    const char *usage; /* after the name */
    const char *summary; /* one line */
    /* Its own options, one a line: "--cone TARGET  what TARGET needs\n". An option that is neither
     * here nor common is refused by cli_parse. NULL: all words after the name but the common long
     * options stay as they are, NAME=VALUE and `-o` too, and the command checks them itself; its
     * `usage` then has as many lines as it needs. */
    const char *options;
};
extern const struct command commands[]; /* sorted by name */
extern const unsigned commands_count;

/* The command of a name, or NULL. */
const struct command *command_find(const char *name);

/* Parses main's arguments into a zeroed struct. -1 and err on an unknown option, a value that is
 * none, an unknown command (nearest spelling) or a misspelt NAME=. */
int cli_parse(struct cli *cli, int argc, char **argv, struct err *err);
void cli_free(struct cli *cli);

/* True where output may carry colours: --color, else NO_COLOR, TERM, CI and whether it is a terminal. */
bool cli_color(const struct cli *cli, FILE *to);
/* True where only ASCII may be printed: --ascii, or a locale without UTF-8. */
bool cli_ascii(const struct cli *cli);
/* True where the console can be opened: a terminal at both ends, and nothing that asks for lines. */
bool cli_console(const struct cli *cli);

/* Prints the one document of a --json command (a newline is added) to where --json says. Returns the
 * exit status: 0, or cli_fail's. */
int cli_print_json(const struct cli *cli, const char *document);

/* Prints "gantry: <text>" to standard error and gives the exit status. */
int cli_fail(const struct err *err);
/* The same for a sentence of the command's own: bad usage, exit 2. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
