/*
 * Two recorded builds side by side: where they differ first, and why. "Failed in CI, passed here."
 *
 * Steps are the same where their targets are called the same; paths, where they are called the same
 * from the root of the tree. Of a step that ran in both, what it touched is compared, when it did so
 * with respect to the step that makes the path, its command, and how it ended. Reads two journals and
 * owns all that it says; one thread.
 */
#ifndef GANTRY_JOURNAL_COMPARE_H
#define GANTRY_JOURNAL_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "journal/event.h"

#define COMPARE_NONE UINT32_MAX

struct compare_touch {
    uint32_t path; /* text */
    uint32_t touch; /* enum touch_kind */
    uint32_t when_ms; /* since the build began */
};

struct compare_step {
    uint32_t target; /* text */
    bool ended, touched; /* how it ended, and what it touched, is in the journal */
    enum outcome outcome;
    int exit, signal;
    uint32_t lane; /* EVENT_NONE before it began */
    uint32_t command, diagnostic; /* texts or COMPARE_NONE; the latter its first error */
    uint64_t begin_ns, end_ns; /* since the build began */
    uint32_t touches, touches_count; /* slice of build->touches, by path */
    uint32_t needs, needs_count; /* slice of build->needs */
};

struct compare_build {
    char *journal; /* its file */
    uint32_t tree, head, arch, mode, image, argv; /* texts or COMPARE_NONE */
    uint32_t dirty, lanes;
    bool complete; /* its end is in the journal */
    enum build_status status;
    uint64_t wall_ns;
    uint64_t steps_run, steps_failed;
    VEC(struct compare_step) steps;
    VEC(struct compare_touch) touches;
    VEC(uint32_t) needs; /* indexes of steps */
    VEC(uint32_t) step_of; /* by text: the step of that target + 1, 0: none */
    VEC(uint32_t) maker_of; /* by text: the step that wrote that path first + 1, 0: none */
};

/* What differs of a step. */
enum compare_what {
    COMPARE_OUTCOME = 1, /* how it ended */
    COMPARE_TOUCH = 2, /* what it touched, or found there */
    COMPARE_ORDER = 4, /* whether that was before or after another step made it */
    COMPARE_COMMAND = 8,
};

/* When something was touched, seen from the step that makes it. */
enum compare_order { COMPARE_UNMADE, COMPARE_BEFORE, COMPARE_WHILE, COMPARE_AFTER };

/* A step that ran in both and differs; or that failed in one and did not run in the other. */
struct compare_difference {
    uint32_t step[2]; /* indexes of the builds' steps, or COMPARE_NONE: did not run */
    uint32_t what; /* enum compare_what */
    uint32_t path; /* text: what was touched otherwise, or in another order; or COMPARE_NONE */
    uint32_t paths; /* how many were */
    struct compare_touch touch[2]; /* of that path; touch 0: it was not touched */
    uint32_t maker[2]; /* the step that makes it, or COMPARE_NONE */
    enum compare_order order[2];
    bool ordered; /* the step declares that it comes after the maker, in one build at least */
};

struct compare {
    struct intern texts;
    struct compare_build build[2];
    /* What tells most comes first: what failed in one alone, then by what was made at another time,
     * then the rest; each as the first build came to it. */
    VEC(struct compare_difference) differences;
    uint64_t same; /* steps that ran in both and do not differ */
    uint64_t alone[2]; /* steps that ran in one build alone */
};

/* Reads both journals and compares. NULL and err where one cannot be read. */
struct compare *compare_journals(const char *first, const char *second, struct err *err);
void compare_free(struct compare *compare);

/* "" for COMPARE_NONE. */
const char *compare_text(const struct compare *compare, uint32_t text);
/* The name of a difference's step. */
const char *compare_target(const struct compare *compare,
                           const struct compare_difference *difference);
/* "ran", "failed, exit 1", "not run": how a difference's step ended in build 0 or 1. */
void compare_outcome_text(const struct compare *compare,
                          const struct compare_difference *difference, unsigned side,
                          struct str *out);
/* "looked for gen/a.h in vain at 12.310 s, before gen/a.h was made (12.644 s)"; "" where no path
 * differs. */
void compare_touch_text(const struct compare *compare, const struct compare_difference *difference,
                        unsigned side, struct str *out);
/* The words of its command that the other build's has not, "" where that does not differ. */
void compare_command_text(const struct compare *compare,
                          const struct compare_difference *difference, unsigned side,
                          struct str *out);
/* What follows from it, and what to do: one sentence. */
void compare_conclusion(const struct compare *compare, const struct compare_difference *difference,
                        struct str *out);
/* "outcome, access, order, command": what differs. */
void compare_what_text(const struct compare_difference *difference, struct str *out);

/* A line of what both builds were: "lanes", "8", "2". */
struct compare_fact {
    const char *name;
    char value[2][160];
    bool differs;
};
enum { COMPARE_FACTS = 6 };
/* Result, tree, head, target, lanes, command; in this order. Returns how many there are. */
size_t compare_facts(const struct compare *compare, struct compare_fact facts[COMPARE_FACTS]);

#endif
