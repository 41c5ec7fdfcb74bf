/*
 * Events to standard output and to where --json says, by the plain and JSON views: what every
 * command that starts a build, a boot or a replay uses when there is no console. Main thread.
 */
#ifndef GANTRY_TUI_STREAM_H
#define GANTRY_TUI_STREAM_H

#include "journal/event.h"
#include "run/build.h"
#include "tui/cli.h"
#include "vm/vm.h"

struct stream;

/* Opens what --plain, --json, --color, -v and -n ask for. NULL and err where --json's file cannot
 * be opened. */
struct stream *stream_open(const struct cli *cli, struct err *err);
/* Prints one event. A reader that went away (EPIPE) is no error: the work goes on unseen. */
void stream_put(struct stream *stream, const struct event *event);
/* Writes out what is kept; call it before waiting for more. */
void stream_flush(struct stream *stream);
/* The terminal is the guest's: its console text is printed as it is. */
void stream_interactive(struct stream *stream, bool interactive);
/* Whether events go out as JSON, too. */
bool stream_has_json(const struct stream *stream);
/* Flushes and frees. 0, or cli_fail's status where something could not be written. */
int stream_close(struct stream *stream);

/* Runs a build from start to end in lines: starts it, prints, hands on ^C (once: the steps are
 * ended; twice: killed). Returns the exit status: the build's, or 128 + signal. */
int stream_run_build(struct stream *stream, const struct build_options *options);
/* The same in a stream of its own. */
int stream_build(struct cli *cli, const struct build_options *options);

/* Runs a guest in lines. Where `see` is NULL, all is printed, and what is typed at a terminal is the
 * guest's (^] ends it); else `see` gets each event first and says whether it is printed.
 * Returns 0 where the verdict is good or ^] ended it, 1 where it is not, or 128 + signal. */
typedef bool stream_see(void *data, const struct event *event);
int stream_boot(struct stream *stream, const struct vm_options *options, stream_see *see,
                void *data);

#endif
