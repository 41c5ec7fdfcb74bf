/* The command line, parsed once by main and handed to a command. */
#ifndef GANTRY_TUI_CLI_H
#define GANTRY_TUI_CLI_H

#include <stdbool.h>

#include "base/vec.h"
#include "conf/conf.h"

enum color_choice { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };
enum output_choice { OUTPUT_AUTO, OUTPUT_PLAIN, OUTPUT_RAW, OUTPUT_JSON };

struct cli {
    const char *directory; /* -C, or "." */
    VEC(struct assignment) assigns; /* NAME=VALUE words */
    unsigned lanes; /* -j; 0: not said */
    bool keep_going, dry_run, ascii; /* -k -n --ascii */
    unsigned verbose; /* -v */
    double load_limit; /* -l */
    enum output_choice output;
    const char *json_to; /* --json=FILE or fd:N; NULL: standard output */
    enum color_choice color;
    const char *journal;
    const char *launcher, *trace;
};

/* A command: argv[0] is its name; argv is NULL-ended. Options that any command takes were taken out
 * before. Returns the exit status; prints its own results and, by cli_fail, its errors. */
struct command {
    const char *name;
    const char *usage; /* after the name */
    const char *summary; /* one line */
    int (*run)(struct cli *cli, int argc, char **argv);
};
extern const struct command commands[];
extern const unsigned commands_count;

struct err;
/* Prints "gantry: <text>" to standard error and gives the exit status. */
int cli_fail(const struct err *err);

#endif
