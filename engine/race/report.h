/*
 * What a record shows: findings with their names, in an order that people can work through, and the
 * evidence behind each. One thread.
 */
#ifndef GANTRY_RACE_REPORT_H
#define GANTRY_RACE_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "journal/event.h"
#include "race/record.h"

/* One finding. Its id is the same for the same trouble in every build. */
struct report_finding {
    char id[9]; /* 8 hex digits */
    enum race_class class;
    enum severity severity;
    uint32_t first, second, path; /* of the witness that is told first */
    const struct race_witness *witnesses;
    uint32_t witnesses_count;
};

struct race_report {
    const struct record *record; /* the caller's */
    struct record_input input;
    struct race_result result;
    VEC(struct report_finding) findings; /* gravest first, then by target and path */
};

void race_report_make(struct race_report *report, const struct record *record);
/* The same of a result of one's own, which is the report's from now on; `input` stays empty. */
void race_report_of(struct race_report *report, const struct record *record,
                    const struct race_result *result);
void race_report_free(struct race_report *report);
/* The finding whose id begins so, if it is the only one; or NULL and err. */
const struct report_finding *race_report_find(const struct race_report *report, const char *id,
                                              struct err *err);

/* A step's target, and a path as people know it (relative to the tree where inside). */
const char *race_target(const struct record *record, uint32_t step);
const char *race_path(const struct record *record, uint32_t path);
/* A step's access to a path, or NULL; `program`, where not NULL, gets who did it first, or "". */
const struct race_access *race_access_of(const struct record *record, uint32_t step, uint32_t path,
                                         const char **program);
/* One sentence: what the finding says went on. */
void race_sentence(const struct race_report *report, const struct report_finding *finding,
                   struct str *out);
/* What an access was, in words: "created", "read", "looked up in vain". */
void race_access_words(const struct race_access *access, struct str *out);

#endif
