/*
 * Races: which steps of a build touch one path with no declared order between them, told from one
 * successful build in any order. DESIGN: gantry-race(7). Pure: reads what it is given, owns its
 * findings, touches no file. One thread.
 */
#ifndef GANTRY_RACE_RACE_H
#define GANTRY_RACE_RACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/vec.h"
#include "race/order.h"

enum race_class {
    RACE_MISSING_EDGE, /* one writes, the other reads */
    RACE_WRITE_WRITE, /* both write */
    RACE_OVERWRITE, /* one reads what the other changes in place */
    RACE_SHADOW, /* one looks up in vain what the other creates */
    RACE_LISTING, /* one lists a directory in which the other makes or removes names */
    RACE_DIRECTORY, /* one creates below a directory that only the other makes */
    RACE_SCRATCH, /* both use one temporary name */
    RACE_CHECK_THEN_CREATE, /* both look whether it is there, and create it where it is not */
    RACE_REMOVAL, /* one removes what the other uses */
    RACE_DOUBLE_WORK, /* one recipe, run more than once for its several targets */
    RACE_GOAL_DEPENDENT, /* a command differs with the goal that reached it first */
    RACE_CLASSES
};
const char *race_class_name(enum race_class class);
/* The same as a sentence. */
const char *race_class_meaning(enum race_class class);

/* How bad it is where it goes wrong: a wrong or failed build, a build that may differ, a hint. */
enum race_grade { RACE_GRAVE, RACE_DOUBTFUL, RACE_SLIGHT };
enum race_grade race_class_grade(enum race_class class);

/* Why accesses that look like a race are none; `races show` prints it. */
enum race_rule {
    RULE_APPEND, /* all writing is by O_APPEND: a log */
    RULE_LOCK, /* a lock file: made, held, removed by each */
    RULE_SYSTEM, /* /dev, /proc, /sys */
    RULE_CACHE, /* a cache that keeps order itself (ccache, Python's byte code) */
    RULE_PRIVATE, /* made and taken away by one step; others only looked whether it is there */
    RULE_MKDIR, /* both see to it that a directory is there */
    RULE_WEAK, /* only looked at by stat, and the command does not speak of it */
    RULE_DEPFILE, /* a compiler's list of headers, read by makes that start again where it is new */
    RULE_GLOB, /* listed for names of another pattern */
    RULE_TWIN, /* the reader needs another step that makes the same file: told as write-write */
    RACE_RULES
};
const char *race_rule_name(enum race_rule rule);

/* One step's accesses to one path, as trace.h has them (kinds: enum access_kind). */
struct race_access {
    uint32_t step, path;
    uint32_t when; /* first touch, any unit that grows */
    uint16_t kinds;
    bool found; /* there when the step first touched it */
    bool left; /* there when the step had ended; looked at for what it changed only */
};

struct race_step {
    uint64_t recipe; /* equal for runs of one recipe (hash of its place and its text); 0: none */
    const char *command; /* may be NULL */
    uint32_t target; /* path id of what it is declared to make, or INTERN_NONE */
    bool forecast; /* it did not run: its accesses are those of the same recipe's other run */
};

struct race_input {
    struct order_input order;
    const struct race_step *steps;
    const struct intern *paths; /* canonical */
    const struct race_access *accesses; /* any order; one a (step, path) */
    uint64_t accesses_count;
    const struct race_witness
        *goals; /* steps whose command depends on the goal: told as they are */
    uint32_t goals_count;
};

/* A pair of steps and the path that shows it; `first` is the one that changes. */
struct race_witness {
    uint32_t first, second, path;
    enum race_class class;
};

/* What one edit would mend: one changing step and all that is not ordered after it; or the steps
 * that share names. Its class is the gravest of its witnesses'. */
struct race_finding {
    enum race_class class;
    uint32_t first;
    uint32_t witnesses, witnesses_count; /* slice of result->witnesses */
};

struct race_suppressed {
    enum race_rule rule;
    struct race_witness witness;
};

struct race_result {
    VEC(struct race_finding) findings; /* by class, then by step */
    VEC(struct race_witness) witnesses;
    VEC(struct race_suppressed) suppressed; /* one a (rule, path) */
};

/* -1 where the declared order has a cycle. The result is freed by race_result_free. */
int race_detect(const struct race_input *input, struct race_result *result);
void race_result_free(struct race_result *result);

#endif
