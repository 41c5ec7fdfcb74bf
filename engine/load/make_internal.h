/*
 * Inside of the make loader: what its files share. All of it belongs to the build's coordinator
 * thread.  make.c starts the command and ends it; make_server.c hears gates and hooks;
 * make_steps.c turns what they say into steps, lanes and events; make_database.c reads what make
 * prints with -p; make_rule.c guesses what kind of work a command is.
 */
#ifndef GANTRY_LOAD_MAKE_INTERNAL_H
#define GANTRY_LOAD_MAKE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "load/gate_wire.h"
#include "race/live.h"
#include "run/build_internal.h"
#include "run/lanes.h"
#include "trace/trace.h"

struct connection; /* make_server.c */
struct shell_call; /* make_shell.c */
struct make_state; /* make_state.h */

/* A file of output, and how much of it events spoke of. */
struct step_log {
    char *path; /* absolute; NULL: none */
    uint64_t told;
    uint64_t stands_at,
        stands_since_ns; /* its size while its last line has no end, and since when */
};

/* Hashes of what makes export to a recipe, 0: nothing. */
struct make_added {
    uint64_t any; /* of all */
    uint64_t always; /* of the variables that count for every program (run/fresh.h) */
};

/* One recipe of one make (or, after its data base was read, one that had nothing to do). */
struct make_step {
    uint32_t id; /* of events */
    uint32_t make; /* index of makes */
    char *target; /* as events name it: relative to the root */
    const char *rule;
    char *command; /* of its first line; NULL before one came */
    struct step_log log, error_log; /* error_log: where standard error is kept apart */
    uint32_t lane; /* EVENT_NONE: holds none */
    struct connection *gate; /* of the line that runs or waits, or NULL */
    unsigned nested; /* makes that run inside of it */
    bool lent; /* it had the terminal: what it said there is not known */
    bool recursive; /* a make ran, or runs, inside of it */
    bool begun, ended, failed;
    struct str lines; /* all commands of its recipe so far, by '\1' */
    struct str echoed; /* what make printed of them */
    struct make_added added;
    bool depends; /* its target has prerequisites: known once a data base was read */
    bool forced; /* one of them is no file, so that make runs it each time; known then, too */
    bool passed; /* lines of it were turned away so, and have to run if it runs after all */
    bool skipped; /* nothing calls for it: its gates are turned away with status 0 */
    int64_t begin_coarse_ns; /* wall clock, as files are stamped */
    int status; /* wait status of its last line */
    uint64_t begin_ns, cpu_ns, nested_cpu_ns, rss_kib;
    uint64_t due_ns; /* in a shuffled build: not before */
    int32_t gate_pid; /* of `gate`, where it runs */
    struct trace
        *trace; /* what its processes touch, without the makes among them; NULL: untraced */
};

/* A make that was heard of. */
struct make_process {
    uint32_t parent; /* the step it runs in, or EVENT_NONE */
    char *directory; /* relative to the root ("." at the root); absolute outside of it */
    VEC(uint32_t) steps; /* by its own numbers from 1 up: ids; 0 is EVENT_NONE */
    struct map by_name; /* target as this make names it -> id + 1, of the last recipe so named */
    bool alive;
    int32_t pid;
    struct trace
        *trace; /* what it touches itself and, once it ended, also: kept to the build's end. NULL:
                   untraced */
    struct trace *below; /* what its $(shell)s do; there where `trace` is */
    VEC(struct shell_call *) shells; /* $(shell)s that can be told when they are the same again */
};

struct make_holds; /* make_hold.c */

struct make_build {
    struct build *build;
    char *state_dir;
    char *payload; /* directory of gate and hook */
    int lock; /* of the configuration */
    struct lanes lanes;
    VEC(struct make_step *) steps; /* by id */
    VEC(struct make_process *) makes; /* by number */
    VEC(struct connection *) waiting; /* gates without a lane, in make's order */
    struct map logs; /* log path -> non-NULL: names that are taken */
    bool terminal; /* what we were started on is one, and steps that need it may have it */
    bool unlimited; /* nobody asked for a number of lanes: as many as make has jobs */
    /* What the command prints by itself; error_output only where standard error is kept apart. */
    struct step_log output, error_output;
    uint64_t files, edges; /* of the data bases merged so far */
    int command_status; /* wait status of the whole command */
    bool command_ended;
    uint64_t cpu_ns;
    struct make_trace *trace; /* NULL: nothing is traced */
    bool anew; /* what was known was lost: make is to make everything (-B) */
    struct make_state *kept; /* what is known from earlier builds; NULL: nothing is kept */
    struct make_holds *holds; /* orders that the makefiles lack; NULL before they are read */
    uint64_t heard; /* words of gates and makes so far */
};

/* ---- make_trace.c: the accesses of the whole command. NULL for the trace: nothing is done ---- */

/* NULL where the build or this machine does not trace. */
struct make_trace *make_trace_new(struct make_build *make);
/* In the child that will be the command, between vfork and exec. Async-signal-safe. */
void make_trace_child(const struct make_trace *trace);
/* The command runs. */
void make_trace_started(struct make_trace *trace, pid_t command);
/* Whether anything is seen; known once the command runs. */
bool make_trace_works(const struct make_trace *trace);
/* Whether nothing can have gone by unseen. */
bool make_trace_sees_all(const struct make_trace *trace);
/* Who serves it, or NULL. */
struct trace_server *make_trace_server(const struct make_trace *trace);
/* From now on what the descendants of a process do is `below`, and what it does itself `own`, or, where
 * that is NULL, nobody's. */
void make_trace_mark(struct make_trace *trace, pid_t pid, struct trace *own, struct trace *below);
void make_trace_unmark(struct make_trace *trace, pid_t pid);
/* Nothing more is added to a trace: it is the caller's alone. */
void make_trace_drop(struct make_trace *trace, const struct trace *whose);
/* The parent of a process, or 0. */
pid_t make_trace_parent(pid_t pid);
/* After the command's end; frees it. */
void make_trace_end(struct make_trace *trace);

/* ---- make_read.c: whether what makes read comes to other rules ---- */

/* Whether a make that has greeted is to tell what it has read before it goes on; `able`: it
 * can. */
bool make_read_wants(struct make_build *make, uint32_t number, bool able);
/* What it tells; NULL: it could not. What has to be made to look old is, when this returns. */
void make_read_heard(struct make_build *make, const char *text, size_t length);

/* ---- make_shell.c: $(shell)s that need not run again ---- */

/* Whether makes may ask. */
bool make_shell_repeats(const struct make_build *make);
/* A make that waits for the answer is about to start one: it is watched. False where it cannot be. */
bool make_shell_begins(struct make_build *make, uint32_t number);
/* It has ended, and the make waits: true where it can be told from now on when it is the same again. It
 * began at `since_files_ns` by the clock of files. `slot`: its place among the make's. */
bool make_shell_ended(struct make_build *make, uint32_t number, uint32_t slot,
                      int64_t since_files_ns);
/* Whether it is. */
bool make_shell_is_same(struct make_build *make, uint32_t number, uint32_t slot);
void make_shell_free(struct make_process *owner);

/* ---- make_hold.c: orders that are held; NULL for them: none ---- */

/* Reads and tells them. */
struct make_holds *make_holds_open(struct make_build *make);
void make_holds_close(struct make_holds *held);
/* How many steps may stand at their gates though make counts them as jobs. */
unsigned make_holds_count(const struct make_holds *held);
/* What is known from earlier builds is judged: which first steps may come. */
void make_holds_prepare(struct make_holds *held);
/* A recipe came; it begins. */
void make_holds_came(struct make_holds *held, const struct make_step *step);
void make_holds_begun(struct make_holds *held, const struct make_step *step);
/* Whether a step that has not begun is to wait for another. */
bool make_holds_back(const struct make_holds *held, const struct make_step *step);
/* Now and then; whether anything was heard since. Lets a step go where nothing else can come. */
void make_holds_tick(struct make_holds *held, bool heard);

/* ---- make_steps.c ---- */

/* A make says hello: its number. `step` is its GANTRY_STEP, "MAKE.STEP", or "". */
uint32_t steps_add_make(struct make_build *make, const char *step, const char *directory,
                        int32_t pid);
void steps_end_make(struct make_build *make, uint32_t number);
/* A line of a recipe is about to be started. */
void steps_add_line(struct make_build *make, uint32_t number, uint32_t step, const char *target,
                    size_t target_length, const char *command, size_t command_length);
/* `error`: on standard error. */
void steps_echo(struct make_build *make, uint32_t number, uint32_t step, bool error,
                const char *text, size_t length);
/* The step of a make, or NULL. */
struct make_step *steps_find(struct make_build *make, uint32_t number, uint32_t step);
/* A gate asks: it gets its lane now, or is put in the queue. `pid` is its own. */
void steps_gate_arrives(struct make_build *make, struct make_step *step, struct connection *gate,
                        int32_t pid);
void steps_gate_exits(struct make_build *make, struct make_step *step, const struct wire *wire);
/* The gate is gone, whether or not it said how its command ended. */
void steps_gate_leaves(struct make_build *make, struct make_step *step, struct connection *gate);
void steps_end(struct make_build *make, uint32_t number, uint32_t step, bool failed);
/* Gives free lanes to those that wait; turns them away where the build is to stop. */
void steps_give_lanes(struct make_build *make);
/* Tells what was printed since the last call. */
void steps_tell_output(struct make_build *make);
/* At the end of all: ends what is still open, and tells the whole graph. */
void steps_finish(struct make_build *make);
void steps_free(struct make_build *make);
/* A step that did not run, known from a data base. */
struct make_step *steps_add_idle(struct make_build *make, uint32_t number, const char *target);

/* ---- make_server.c ---- */

struct make_server;

struct make_server *server_open(struct make_build *make, struct err *err);
/* The abstract name of its socket; lives as long as the server. */
const char *server_name(const struct make_server *server);
/* Hears what there is to hear; waits at most timeout_ms. */
void server_hear(struct make_server *server, int timeout_ms);
/* Tells the whole command to end. */
void server_end_command(struct make_server *server);
void server_close(struct make_server *server);
/* To a gate: the logs of its step, and a script to run before its command; each or NULL (WIRE_GO). */
void gate_send_go(struct connection *gate, const char *log, const char *error_log,
                  const char *script);
void gate_send_refuse(struct connection *gate, int status);

/* ---- make_database.c ---- */

/* Merges what a make printed with -p: sends EVENT_STEP for each recipe that make considered, with
 * what it needs, and EVENT_GRAPH (not complete yet). */
void database_merge(struct make_build *make, uint32_t number, const char *text, size_t length);

/* Reads only what steps need, of a text that may be the section of files alone: a live_reader. Any
 * thread. */
void database_read_rules(const char *text, size_t length, const struct map *steps, live_needs *tell,
                         void *data);

/* ---- make_rule.c ---- */

/* cc, cxx, as, link, ar, strip, make, gen, ...: a constant string. */
const char *make_rule_of(const char *command);
/* The rule of a recipe whose lines so far are `rule`, with one more line. */
const char *make_rule_with(const char *rule, const char *command);

#endif
