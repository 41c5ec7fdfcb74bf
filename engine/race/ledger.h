/*
 * What is known of findings beyond one build: those that people excused, in <root>/.gantry-races,
 * which belongs to the tree and its repository, and the verdicts of experiments, in the state
 * directory. One thread.
 */
#ifndef GANTRY_RACE_LEDGER_H
#define GANTRY_RACE_LEDGER_H

#include <stddef.h>

#include "base/err.h"
#include "base/map.h"
#include "race/hold.h"

struct str;
struct race_report;
struct report_finding;

enum race_verdict { VERDICT_SUSPECTED, VERDICT_PROVED, VERDICT_HARMLESS, VERDICT_UNDECIDED };
const char *race_verdict_name(enum race_verdict verdict);

struct ledger_entry {
    enum race_verdict verdict;
    char *evidence; /* one line: the failing output, or why it is undecided */
    char *script; /* path of the shell script that repeats it, or "" */
};

struct ledger {
    struct map reasons; /* id -> char *: why it is excused */
    struct map verdicts; /* id -> struct ledger_entry * */
    struct holds holds; /* orders that builds keep until they are mended */
};

#define LEDGER_EXCUSES ".gantry-races"

/* Missing files are empty ones; err where one is not as it should be (file:line). */
int ledger_read(struct ledger *ledger, const char *root, const char *state_dir, struct err *err);
void ledger_free(struct ledger *ledger);
/* The reason of an excused finding, or NULL. */
const char *ledger_reason(const struct ledger *ledger, const char *id);
/* Whether a finding's order is held. */
bool ledger_is_held(const struct ledger *ledger, const char *id);
/* What experiments said; never NULL. */
const struct ledger_entry *ledger_verdict(const struct ledger *ledger, const char *id);

/* Writes a verdict to the state directory; texts may have several lines. */
int ledger_set_verdict(const char *state_dir, const char *id, enum race_verdict verdict,
                       const char *evidence, const char *script, struct err *err);
/* A line of the file of excuses: the id, what it is, the reason. */
void ledger_excuse_line(const struct race_report *report, const struct report_finding *finding,
                        const char *reason, struct str *out);
/* Adds such a line to a file, made where it is absent. */
int ledger_excuse(const char *path, const char *line, struct err *err);
/* Adds all ids of a file of excuses (a baseline) to the reasons. */
int ledger_read_excuses(struct ledger *ledger, const char *path, struct err *err);

#endif
