/* The shell's parts: a line editor, and the table of commands. */
#ifndef UUSH_H
#define UUSH_H

#include "program.h"

enum { LINE_MAX_BYTES = 512, SHELL_WORDS_MAX = 64 };

/*
 * Reads a line from the console with echo and a little editing (backspace, ^U, ^C, the line before
 * by the up arrow). False at ^D on an empty line.
 */
bool line_read(const char *prompt, char *line, size_t size);

struct command {
    const char *name, *usage, *summary;
    int (*run)(int argc, char **argv);
};

/* Ends with one whose name is NULL. */
extern const struct command commands[];

/* Runs all commands of a line; changes it. Returns the last one's exit status. */
int shell_run(char *line);

/* What the shell itself was started with. */
extern int shell_argc;
extern char **shell_argv;

/* Set by exit: no further command is run. */
extern bool shell_done;

#endif
