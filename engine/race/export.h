/* Findings as one JSON document, and as SARIF 2.1.0 (docs.oasis-open.org/sarif) for code hosts. */
#ifndef GANTRY_RACE_EXPORT_H
#define GANTRY_RACE_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct race_report;
struct report_finding;
struct ledger;
struct race_hints;

/* Which findings are told: those of `keep` by index, or all where it is NULL; and hints, if not NULL. */
void race_export_json(const struct race_report *report, const struct ledger *ledger,
                      const bool *keep, const struct race_hints *hints, struct str *out);
/* Hints as an array. */
void race_export_hints(const struct race_report *report, const struct race_hints *hints,
                       const char *key, struct str *out);
void race_export_sarif(const struct race_report *report, const struct ledger *ledger,
                       const bool *keep, struct str *out);
/* One finding with all of its evidence, as an object. */
void race_export_finding(const struct race_report *report, const struct ledger *ledger,
                         const struct report_finding *finding, const char *key, struct str *out);

/* Where a step's recipe stands, relative to the tree; new, or NULL where that is not known. */
struct record;
char *race_recipe_file(const struct record *record, uint32_t step, uint32_t *line);

#endif
