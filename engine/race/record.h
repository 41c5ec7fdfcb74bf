/*
 * The record of a build as the race detector needs it: every step with its place and declared order,
 * every make, and what each step touched. Filled while the build runs, written into the state
 * directory at its end, read again by `gantry races`.
 *
 * Building: any thread may add (there is a lock). Read back: one thread, no lock.
 * Texts and paths are ids of `texts`; paths are canonical and absolute.
 */
#ifndef GANTRY_RACE_RECORD_H
#define GANTRY_RACE_RECORD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "base/vec.h"
#include "race/race.h"
#include "trace/names.h"

struct trace;

/* A make of the build; number 0 of a native tree stands for the engine itself. */
struct record_make {
    uint32_t parent; /* the step whose recipe ran it, or ORDER_TOP */
    int32_t pid; /* two makes of one pid: it executed itself again */
    uint32_t directory; /* text */
    uint32_t command; /* text for a shell: how it was started, but its goals; or INTERN_NONE */
    uint32_t variables; /* text for a shell: what else its environment had; or INTERN_NONE */
    uint32_t shell_of; /* the make whose $(shell) ran it, or ORDER_TOP */
    bool serial; /* .NOTPARALLEL: it runs its recipes one by one */
    bool one_job; /* it was given -j1, or inherits it */
    bool asked_one_job; /* its own words say -j1 */
    uint64_t begin_ns, end_ns; /* monotonic */
};

enum record_flags {
    RECORD_RAN = 1, /* in this build; else what it touched is from the build that ran it last */
    RECORD_TRACED = 2, /* its accesses are known */
    RECORD_FAILED = 4,
    RECORD_FLAWED = 8, /* known, but perhaps not all */
    RECORD_PHONY = 16, /* its target is no file */
    RECORD_MAKE = 32, /* no recipe: what its make did itself, before all of its steps */
    RECORD_ORDERED = 64, /* what it needs is known */
    RECORD_LOOSE = 128, /* nobody will ever know: its make was killed before it could tell */
};

struct record_step {
    uint32_t target; /* text: as the events name it */
    uint32_t goal; /* text: as its own make names it */
    uint32_t command; /* text: all lines; or INTERN_NONE */
    uint32_t file, line; /* text and number: where its recipe stands; INTERN_NONE, 0 */
    uint32_t make;
    uint32_t flags; /* enum record_flags */
    uint32_t lane;
    uint32_t needs, needs_count; /* slice of record->needs */
    uint32_t declared, declared_count; /* slice of record->declared */
    uint32_t accesses, accesses_count; /* slice of record->accesses */
    uint64_t begin_ns, wall_ns;
};

/* A step whose command depends on the goal that reached it first. */
struct record_goal {
    uint32_t step;
    uint32_t path; /* text: its target, absolute */
    uint32_t owner, other, variable; /* texts: who sets it, who needs the step too, what is set */
};

struct record {
    struct intern texts;
    uint32_t root; /* text */
    uint32_t argv; /* text: the command of a make build, shell-quoted; or INTERN_NONE */
    uint32_t directory; /* text: where that starts */
    uint64_t start_ns; /* monotonic; `when` of accesses counts from here in RECORD_TICK_NS */
    uint64_t wall_ns; /* when the build ended, since the epoch */
    uint32_t lanes;
    bool declares; /* `declared` is known: not in records that an older Gantry wrote */
    VEC(struct record_make) makes;
    VEC(struct record_step) steps; /* by the build's step ids */
    VEC(uint32_t) needs;
    VEC(uint32_t) declared; /* texts: prerequisites that no step makes, absolute */
    VEC(struct record_goal) goals;
    VEC(struct race_access) accesses;
    VEC(uint32_t) programs; /* beside accesses: text of the program that touched first, or NONE */
    struct {
        VEC(struct race_access) accesses; /* `step` is the make's number */
        VEC(uint32_t) programs;
    } of_makes; /* until record_write */
    name_memo text_of; /* of the names of traces: text + 1 */
    pthread_mutex_t lock;
};
#define RECORD_TICK_NS 16384u

/* An empty record; `root` is absolute. */
struct record *record_new(const char *root);
void record_free(struct record *record);

/* At the end of a make build: steps of makes that were killed before they told their rules are loose;
 * no race is told of them. */
void record_loosen(struct record *record);

/* How the whole build was started: NULL-ended words, and where; for starting it again. */
void record_command(struct record *record, const char *const *words, const char *directory);

/* A make came, or ended; while it waits for the answer, /proc tells how it was started. */
void record_make(struct record *record, uint32_t number, uint32_t parent, int32_t pid,
                 const char *directory);
/* It is known by now to be run by a $(shell) of another make. */
void record_make_shell(struct record *record, uint32_t number, uint32_t of);
void record_make_end(struct record *record, uint32_t number);
/* What its data base says of how it runs recipes. */
void record_make_jobs(struct record *record, uint32_t number, bool not_parallel, bool one_job);

/* The text of a trace's name. Under the record's lock. */
uint32_t record_text_of(struct record *record, uint32_t name);

/* A step came to be known; said again, only what is given (not NULL, not 0) is changed. */
struct record_spec {
    uint32_t step, make;
    const char *target, *goal;
    const char *line_of_command; /* one more line of its recipe */
    const char *file;
    uint32_t line;
    bool phony;
};
void record_step(struct record *record, const struct record_spec *spec);
void record_needs(struct record *record, uint32_t step, const uint32_t *needs, uint32_t count);
/* One more prerequisite that no step makes, as the step's own make names it. */
void record_declare(struct record *record, uint32_t step, const char *name);
struct record_goal_spec {
    uint32_t step;
    const char *owner, *other, *variable;
};
void record_goal(struct record *record, const struct record_goal_spec *spec);
void record_begin(struct record *record, uint32_t step, uint32_t lane);
void record_end(struct record *record, uint32_t step, bool failed);
/* What the step's process tree touched; a step may have several traces (lines of a recipe). Looks at
 * each changed path, whether it is there still: to be called as soon as the tree has ended. */
void record_trace(struct record *record, uint32_t step, const struct trace *trace);

/* The same of what a make itself touched, and its $(shell)s; said once, when it has ended. In the
 * record that is one more step of that make, which all its others need: "make -C DIRECTORY". */
void record_make_trace(struct record *record, uint32_t number, const struct trace *trace);

/* Adds what the record of <state_dir> knows of steps that did not run this time. */
void record_take_over(struct record *record, const char *state_dir);
/* Puts the accesses of each step together, one a path. */
void record_settle(struct record *record);
/* Writes the record to <state_dir>/races.zst. */
int record_write(struct record *record, const char *state_dir, struct err *err);
/* Reads it; NULL and err (with the remedy) where there is none, or none that is whole. */
struct record *record_read(const char *state_dir, struct err *err);

const char *record_text(const struct record *record, uint32_t id); /* "" for INTERN_NONE */

/* The record as input of race_detect. The order has more steps than the record: barriers stand
 * between makes that one recipe ran one after another. */
struct record_input {
    struct race_input input;
    VEC(struct race_step) steps;
    VEC(uint32_t) need_start, needs, parent, serial;
    VEC(struct race_witness) goals;
    VEC(struct race_access)
    accesses; /* where steps are forecast or loose: the record's, and the
                                         forecast's, but the loose ones' */
    bool filtered; /* `accesses` is to be used, though it may be empty */
};
void record_input(const struct record *record, struct record_input *out);
void record_input_free(struct record_input *input);

/* record_file.c. For record.c: the bytes of a record, and a record of bytes (NULL: damaged). */
struct str;
void record_encode(const struct record *record, struct str *out);
struct record *record_decode(const char *bytes, size_t length);

#endif
