/* The console on a terminal: the loop that joins app, terminal, builds and guests. */
#ifndef GANTRY_TUI_LOOP_H
#define GANTRY_TUI_LOOP_H

#include "tui/cli.h"

/* Opens the console on the tree at cli->directory and runs it until it is quit; with NAME= or -j on
 * the command line it builds at once. A summary of the last build stays on the normal screen.
 * Returns the exit status: of the last build, 2 where no console could be had (one line on standard
 * error says why), 128 + signal. */
int console_run(struct cli *cli);

#endif
