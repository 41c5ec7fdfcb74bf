/*
 * What a record tells beside races: prerequisites that are missing or in vain, steps that change what
 * they are made from, files put where nothing else is made. Hints: no order of the recorded steps is
 * wrong by them. One thread.
 */
#ifndef GANTRY_RACE_HINT_H
#define GANTRY_RACE_HINT_H

#include "race/report.h"

enum hint_class {
    HINT_UNDECLARED_INPUT, /* a file of the tree that is read and declared nowhere */
    HINT_UNUSED_EDGE, /* a step waits for another and uses nothing that it makes */
    HINT_SELF_CHANGE, /* a step changes a file that it is made from */
    HINT_ESCAPE, /* all is made below one directory, but this */
    HINT_CLASSES
};
const char *hint_class_name(enum hint_class class);

struct race_hint {
    enum hint_class class;
    uint32_t step; /* of those that it was seen at the first by target */
    uint32_t other; /* of an unused edge: the step that is waited for; or ORDER_TOP */
    uint32_t path; /* what is read, changed or written; INTERN_NONE for an unused edge */
    uint32_t count; /* steps that it was seen at */
};

struct race_hints {
    VEC(struct race_hint) list; /* by class, path, target */
    uint32_t
        place; /* the directory below which all is made, as id of the record's texts; or NONE */
};

/* All hints of the report's record. A record of an older Gantry lacks what steps declare: then there
 * are neither undeclared inputs nor changes of a step's own ones. Freed by race_hints_free. */
void race_hints_find(const struct race_report *report, struct race_hints *hints);
void race_hints_free(struct race_hints *hints);
/* The same of one step, by its number, as often as one asks: what was prepared for it is kept. Opening
 * takes a look at all accesses; the report must outlive it. NULL where the order has a ring. */
struct race_asker;
struct race_asker *race_asker_new(const struct race_report *report);
void race_asker_free(struct race_asker *asker);
/* False where nothing is known of what the step touched; the list is new. */
bool race_hints_of(struct race_asker *asker, uint32_t step, struct race_hints *hints);
/* A hint as a sentence. */
void race_hint_sentence(const struct race_report *report, const struct race_hints *hints,
                        const struct race_hint *hint, struct str *out);

#endif
