/* The console on a terminal: the loop that joins app, terminal, builds and guests. */
#ifndef GANTRY_TUI_LOOP_H
#define GANTRY_TUI_LOOP_H

#include "tui/cli.h"

/* Opens the console on the tree at cli->directory and runs it until it is quit; with NAME= or -j on
 * the command line it builds at once. A summary of the last build stays on the normal screen.
 * Returns the exit status: of the last build, 2 where no console could be had (one line on standard
 * error says why), 128 + signal. */
int console_run(struct cli *cli);
/* The same on a recorded build: its journal is read to the end and can be played. With `follow` it is
 * read as it grows: a build that runs elsewhere. Nothing is built. Returns the recorded build's exit
 * status for one that was followed to its end, else 0. */
int console_replay(struct cli *cli, const char *journal, bool follow);
/* The same on the first of two recorded builds, with what differs between them in front. */
int console_compare(struct cli *cli, const char *first, const char *second);

#endif
