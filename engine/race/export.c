#include "race/export.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/path.h"
#include "race/hint.h"
#include "race/ledger.h"
#include "race/report.h"

char *race_recipe_file(const struct record *record, uint32_t step, uint32_t *line)
{
    if (step >= record->steps.len || record->steps.at[step].file == INTERN_NONE)
        return NULL;
    const struct record_step *of = &record->steps.at[step];
    const char *directory = of->make < record->makes.len
                                ? record_text(record, record->makes.at[of->make].directory)
                                : ".";
    *line = of->line;
    char *joined = path_join(*directory ? directory : ".", record_text(record, of->file));
    char *clean = path_clean(joined);
    const char *root = record_text(record, record->root);
    size_t length = strlen(root);
    free(joined);
    if (strncmp(clean, root, length) != 0 || clean[length] != '/')
        return clean;
    char *inside = mem_copy(clean + length + 1);
    free(clean);
    return inside;
}

static void put_step(const struct race_report *report, uint32_t step, uint32_t path,
                     const char *key, struct str *out)
{
    const struct record *record = report->record;
    const struct record_step *of = &record->steps.at[step];
    uint32_t line = 0;
    char *file = race_recipe_file(record, step, &line);
    const char *program = "";
    const struct race_access *access = race_access_of(record, step, path, &program);
    struct str words = {0};
    json_put_object(out, key);
    json_put_uint(out, "step", step);
    json_put_text(out, "target", race_target(record, step));
    json_put_text(out, "file", file);
    json_put_uint(out, "line", line);
    if (of->flags & RECORD_RAN)
        json_put_uint(out, "lane", of->lane);
    if (access) {
        race_access_words(access, &words);
        json_put_text(out, "access", str_text(&words));
        json_put_text(out, "program", program);
        json_put_uint(out, "t_ns", (uint64_t)access->when * RECORD_TICK_NS);
    }
    json_put_object_end(out);
    str_free(&words);
    free(file);
}

void race_export_finding(const struct race_report *report, const struct ledger *ledger,
                         const struct report_finding *finding, const char *key, struct str *out)
{
    const struct ledger_entry *entry = ledger_verdict(ledger, finding->id);
    struct str sentence = {0};
    race_sentence(report, finding, &sentence);
    json_put_object(out, key);
    json_put_text(out, "id", finding->id);
    json_put_text(out, "class", race_class_name(finding->class));
    json_put_text(out, "severity", severity_name(finding->severity));
    json_put_text(out, "path", race_path(report->record, finding->path));
    json_put_text(out, "text", str_text(&sentence));
    json_put_text(out, "verdict", race_verdict_name(entry->verdict));
    json_put_text(out, "evidence", entry->evidence);
    json_put_text(out, "script", entry->script);
    json_put_text(out, "suppressed", ledger_reason(ledger, finding->id));
    json_put_bool(out, "held", ledger_is_held(ledger, finding->id));
    put_step(report, finding->first, finding->path, "first", out);
    put_step(report, finding->second, finding->path, "second", out);
    json_put_array(out, "witnesses");
    for (uint32_t i = 0; i < finding->witnesses_count; i++) {
        const struct race_witness *witness = &finding->witnesses[i];
        json_put_object(out, NULL);
        json_put_text(out, "class", race_class_name(witness->class));
        json_put_text(out, "path", race_path(report->record, witness->path));
        put_step(report, witness->first, witness->path, "first", out);
        put_step(report, witness->second, witness->path, "second", out);
        json_put_object_end(out);
    }
    json_put_array_end(out);
    json_put_object_end(out);
    str_free(&sentence);
}

static void put_rules(const struct race_report *report, struct str *out)
{
    json_put_array(out, "rules");
    for (size_t i = 0; i < report->result.suppressed.len; i++) {
        const struct race_suppressed *one = &report->result.suppressed.at[i];
        json_put_object(out, NULL);
        json_put_text(out, "rule", race_rule_name(one->rule));
        json_put_text(out, "path", race_path(report->record, one->witness.path));
        json_put_text(out, "first", race_target(report->record, one->witness.first));
        json_put_text(out, "second", race_target(report->record, one->witness.second));
        json_put_object_end(out);
    }
    json_put_array_end(out);
}

void race_export_hints(const struct race_report *report, const struct race_hints *hints,
                       const char *key, struct str *out)
{
    struct str sentence = {0};
    json_put_array(out, key);
    for (size_t i = 0; i < hints->list.len; i++) {
        const struct race_hint *hint = &hints->list.at[i];
        str_cut(&sentence, 0);
        race_hint_sentence(report, hints, hint, &sentence);
        json_put_object(out, NULL);
        json_put_text(out, "class", hint_class_name(hint->class));
        json_put_text(out, "severity", severity_name(SEVERITY_NOTE));
        json_put_text(out, "target", race_target(report->record, hint->step));
        if (hint->other != ORDER_TOP)
            json_put_text(out, "needs", race_target(report->record, hint->other));
        if (hint->path != INTERN_NONE)
            json_put_text(out, "path", race_path(report->record, hint->path));
        json_put_uint(out, "steps", hint->count);
        json_put_text(out, "text", str_text(&sentence));
        json_put_object_end(out);
    }
    json_put_array_end(out);
    str_free(&sentence);
}

void race_export_json(const struct race_report *report, const struct ledger *ledger,
                      const bool *keep, const struct race_hints *hints, struct str *out)
{
    const struct record *record = report->record;
    uint64_t traced = 0, partly = 0, steps = 0;
    for (size_t i = 0; i < record->steps.len; i++) {
        traced += (record->steps.at[i].flags & RECORD_TRACED) != 0;
        partly += (record->steps.at[i].flags & RECORD_FLAWED) != 0;
        steps += !(record->steps.at[i].flags & RECORD_MAKE);
    }
    json_put_object(out, NULL);
    json_put_text(out, "root", record_text(record, record->root));
    json_put_uint(out, "built_ns", record->wall_ns);
    json_put_uint(out, "steps", steps);
    json_put_uint(out, "traced", traced);
    json_put_uint(out, "partly_traced", partly);
    json_put_uint(out, "accesses", record->accesses.len);
    json_put_array(out, "findings");
    for (size_t i = 0; i < report->findings.len; i++)
        if (!keep || keep[i])
            race_export_finding(report, ledger, &report->findings.at[i], NULL, out);
    json_put_array_end(out);
    if (hints)
        race_export_hints(report, hints, "hints", out);
    put_rules(report, out);
    json_put_object_end(out);
}

/* ---- SARIF ---- */

static void put_message(struct str *out, const char *key, const char *text)
{
    json_put_object(out, key);
    json_put_text(out, "text", text);
    json_put_object_end(out);
}

/* A result needs a place in a file: the recipe of the step that has to come later. */
static void put_location(const struct race_report *report, const struct report_finding *finding,
                         struct str *out)
{
    uint32_t line = 1;
    char *file = race_recipe_file(report->record, finding->second, &line);
    json_put_array(out, "locations");
    json_put_object(out, NULL);
    json_put_object(out, "physicalLocation");
    json_put_object(out, "artifactLocation");
    json_put_text(out, "uri", file ? file : race_path(report->record, finding->path));
    json_put_text(out, "uriBaseId", "ROOT");
    json_put_object_end(out);
    json_put_object(out, "region");
    json_put_uint(out, "startLine", file && line ? line : 1);
    json_put_object_end(out);
    json_put_object_end(out);
    json_put_object_end(out);
    json_put_array_end(out);
    free(file);
}

static void put_result(const struct race_report *report, const struct ledger *ledger,
                       const struct report_finding *finding, struct str *out)
{
    static const char *const levels[] = {"note", "warning", "error"};
    const char *reason = ledger_reason(ledger, finding->id);
    struct str sentence = {0};
    race_sentence(report, finding, &sentence);
    json_put_object(out, NULL);
    json_put_text(out, "ruleId", race_class_name(finding->class));
    json_put_text(out, "level", levels[finding->severity]);
    put_message(out, "message", str_text(&sentence));
    put_location(report, finding, out);
    json_put_object(out, "partialFingerprints");
    json_put_text(out, "gantryRace/v1", finding->id);
    json_put_object_end(out);
    if (reason) {
        json_put_array(out, "suppressions");
        json_put_object(out, NULL);
        json_put_text(out, "kind", "external");
        json_put_text(out, "justification", reason);
        json_put_object_end(out);
        json_put_array_end(out);
    }
    json_put_object_end(out);
    str_free(&sentence);
}

void race_export_sarif(const struct race_report *report, const struct ledger *ledger,
                       const bool *keep, struct str *out)
{
    json_put_object(out, NULL);
    json_put_text(out, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    json_put_text(out, "version", "2.1.0");
    json_put_array(out, "runs");
    json_put_object(out, NULL);
    json_put_object(out, "tool");
    json_put_object(out, "driver");
    json_put_text(out, "name", "gantry");
    json_put_text(out, "version", GANTRY_VERSION);
    json_put_array(out, "rules");
    for (int class = 0; class < RACE_CLASSES; class ++) {
        json_put_object(out, NULL);
        json_put_text(out, "id", race_class_name((enum race_class) class));
        put_message(out, "shortDescription", race_class_meaning((enum race_class) class));
        json_put_object_end(out);
    }
    json_put_array_end(out);
    json_put_object_end(out);
    json_put_object_end(out);
    json_put_array(out, "results");
    for (size_t i = 0; i < report->findings.len; i++)
        if (!keep || keep[i])
            put_result(report, ledger, &report->findings.at[i], out);
    json_put_array_end(out);
    json_put_object_end(out);
    json_put_array_end(out);
    json_put_object_end(out);
}
