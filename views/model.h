/*
 * The model of the screens: a pure fold of events. A live build, a replayed journal and a test's
 * array of events are the same thing to a view. It reads no clock and no file: time is what the
 * events say, and model_tick moves it on between them.
 *
 * Steps are indexed densely from 0 in the order in which they were first heard of (not by their
 * event id); strings are interned, so 100,000 steps stay small. The loop's thread only.
 */
#ifndef GANTRY_VIEWS_MODEL_H
#define GANTRY_VIEWS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "journal/event.h"
#include "views/shell_cost.h"

#define MODEL_NONE UINT32_MAX

/* In the order in which a map cell's worst state wins, the strongest last. */
enum step_state {
    STEP_STATE_FRESH, /* nothing to do: not stale */
    STEP_STATE_DONE, /* ran, unchanged or restored */
    STEP_STATE_WAITING, /* for its prerequisites */
    STEP_STATE_CANCELLED,
    STEP_STATE_READY, /* for a lane */
    STEP_STATE_RUNNING,
    STEP_STATE_FAILED,
    STEP_STATES
};

/* The stages of the map, from left to right. */
enum stage { STAGE_GEN, STAGE_CC, STAGE_LINK, STAGE_IMAGE, STAGES };

struct model_step {
    uint32_t id; /* of the events */
    uint32_t target, rule, dir; /* interned; dir: the target's directory */
    uint32_t command, host; /* interned, or MODEL_NONE */
    uint32_t reason, path, was, now; /* why it was ready; interned, or MODEL_NONE */
    uint32_t log; /* interned path, or MODEL_NONE while it printed nothing */
    uint32_t lane; /* while running and after; MODEL_NONE before */
    uint32_t needs, needs_count; /* slice of model->links, dense indexes */
    uint32_t diagnostic; /* its first error (index), or MODEL_NONE */
    uint8_t state; /* enum step_state */
    uint8_t stage; /* enum stage */
    uint8_t outcome; /* enum outcome, once it ended */
    bool forecast; /* the real one has not been heard of yet */
    bool untraced;
    bool needs_forecast; /* `needs` are those of an earlier build */
    bool raced; /* a finding that counts names it */
    int exit, signal;
    uint64_t begin_ns, end_ns, expect_ns, wall_ns, cpu_ns, rss_kib;
    uint64_t log_length;
    uint64_t accesses; /* that it was seen to make, once it ended */
};

struct model_lane {
    uint32_t step; /* dense index, or MODEL_NONE while idle */
    uint32_t last; /* the step before, or MODEL_NONE */
    uint32_t idle_why; /* interned, or MODEL_NONE */
    uint64_t rss_kib;
    uint64_t done_bytes, total_bytes; /* of what its step writes; total 0: not told */
    uint64_t cpu_ns, cpu_at_ns; /* of its step, as told last, and when; 0: not told */
    unsigned cpu_percent; /* of one processor, between the last two times it was told */
};

struct model_diagnostic {
    uint32_t step; /* dense index, or MODEL_NONE */
    uint32_t path, text; /* interned; path may be MODEL_NONE */
    uint32_t line, column;
    uint8_t severity;
};

/* Failures with the same first diagnostic. */
struct model_cause {
    uint32_t step; /* the first that failed so */
    uint32_t diagnostic; /* or MODEL_NONE: no diagnostic, the exit status stands for it */
    uint32_t count; /* steps */
};

/* A race; the one told last of an id counts. */
struct model_finding {
    uint32_t id, class, path; /* interned */
    uint32_t first_target, second_target; /* interned */
    uint32_t first, second; /* dense step indexes, or MODEL_NONE */
    uint32_t verdict, text; /* interned; text may be MODEL_NONE */
    uint32_t place[2], access[2],
        evidence; /* of the first and the second; interned or MODEL_NONE */
    uint64_t at_ns[2]; /* when it did that */
    uint64_t witnesses;
    uint8_t severity;
};

/* An order that the makefiles lack and that builds keep. */
struct model_hold {
    uint32_t id, text; /* interned */
    bool let_go; /* this build goes on without */
};

struct model_message {
    uint32_t text; /* interned */
    uint8_t severity;
};

struct model_part {
    uint32_t name, hash; /* interned; hash may be MODEL_NONE */
    uint64_t bytes;
};

enum vm_state { VM_NEVER, VM_RUNNING, VM_ENDED };

struct model_vm {
    enum vm_state state;
    struct str console; /* all that the guest printed */
    uint64_t lines; /* newlines in it */
    char *argv, *args; /* QEMU's, the boot arguments; NULL: not told. Its own: it outlives builds */
    char *verdict, *why; /* how it ended, and the sentence for a bad end; NULL */
    int exit;
    uint64_t wall_ns;
};

enum { MODEL_RUNS_MAX = 20 }; /* earlier runs that are kept */

enum build_state { BUILD_NEVER, BUILD_RUNNING, BUILD_ENDED };

struct model {
    struct intern texts;
    VEC(struct model_step) steps;
    VEC(uint32_t) links; /* dense step indexes */
    VEC(struct model_lane) lanes;
    VEC(struct model_diagnostic) diagnostics;
    VEC(struct model_cause) causes;
    VEC(struct model_finding) findings;
    VEC(struct model_hold) holds;
    VEC(struct model_message) messages;
    VEC(struct model_part) parts; /* what was composed */
    VEC(uint32_t) ended; /* steps in the order in which they ended */
    struct shell_costs shell; /* what the $(shell)s of makes took */
    /* Steps whose state, forecast or raced changed, in order, from the beginning of the build: who
     * keeps counts of them remembers how many it has seen, and `builds`. New steps are not in it. */
    VEC(uint32_t) changed;
    /* By interned target: the dense index + 1 of a step that is forecast, or 0. Empty: there was no
     * forecast. */
    VEC(uint32_t) forecasts;
    struct model_vm vm; /* the last run of a guest */
    VEC(struct model_vm) vm_earlier; /* those before, the oldest first */
    /* id of an event -> dense index + 1, open addressing */
    struct {
        uint32_t *ids, *indexes;
        uint32_t slots, used;
    } by_id;

    uint32_t builds; /* how many began */
    enum build_state state;
    enum build_status status; /* once it ended */
    int exit;
    uint32_t tree, head, loader, arch, mode, image, argv; /* interned, or MODEL_NONE */
    uint32_t dirty;
    uint64_t now_ns; /* since build-begin */
    uint64_t end_ns; /* when it ended */

    bool complete; /* the whole graph is known; else totals are lower bounds */
    uint64_t graph_steps; /* as the graph event said; 0: not said */
    uint64_t counts[STEP_STATES];
    /* Of the steps that have yet to begin: what they took before, together, and how many of them that
     * is known of. */
    uint64_t expect_ns, expected;
    uint64_t outcomes[OUTCOMES];
    uint64_t races; /* findings that count: no hint, not found harmless, not suppressed */
    uint64_t warnings;
    uint64_t cpu_ns; /* of ended steps */
    struct event summary; /* of build-end: the numbers only */
    uint32_t goal; /* the step that the build is for, or MODEL_NONE; found by model_tick */
    bool goal_stale; /* steps came since */
    uint32_t generation; /* changes with every event */
    uint32_t shape; /* changes when steps or edges come */
};

/* A zeroed model is not ready; this one is. */
void model_init(struct model *model);
void model_free(struct model *model);
/* Takes in one event; build-begin forgets the build before (the guest's console stays). */
void model_event(struct model *model, const struct event *event);
/* Moves the clock on, never back (build time), and does what is worth doing once a frame. */
void model_tick(struct model *model, uint64_t now_ns);

/* Finds the goal anew; model_tick does where steps came. */
void model_find_goal(struct model *model);

/* The text of an interned id, "" for MODEL_NONE. */
const char *model_text(const struct model *model, uint32_t id);
/* The dense index of an event's step id, or MODEL_NONE. */
uint32_t model_find(const struct model *model, uint32_t step_id);
const char *model_target(const struct model *model, uint32_t step);
/* A path as screens show it: without "build/<mode>.<arch>/", which all of a build's have; "." for
 * that directory itself. */
const char *model_short(const char *path);
/* The same of a step's target. */
const char *model_name(const struct model *model, uint32_t step);
/* Whether a make runs, and nothing is known of what waits for what: its data base is printed at its
 * end, and no build before tells. */
bool model_edges_unknown(const struct model *model);
/* "8 of 12", as the header shows it: steps over with, and the total (a lower bound: complete). */
uint64_t model_done(const struct model *model);
uint64_t model_total(const struct model *model);
/* Nanoseconds that the rest will take: by what the steps took before, where that is known of most, else
 * by what has run so far; 0: nobody knows. */
uint64_t model_left_ns(const struct model *model);
/* The order that is held for a finding, by its id (interned); or NULL. */
const struct model_hold *model_hold_of(const struct model *model, uint32_t id);
/* Whether a finding counts as a race. */
bool model_finding_counts(const struct model *model, const struct model_finding *finding);
/* The word of a state: "running"; of a step that is over with its outcome's: "unchanged". */
const char *model_state_word(const struct model_step *step);
/* A step's glyph, UTF-8, one column. */
const char *model_state_glyph(const struct model_step *step);

#endif
