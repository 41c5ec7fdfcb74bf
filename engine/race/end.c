#include "race/end.h"

#include <stdlib.h>

#include "base/mem.h"
#include "graph/graph.h"
#include "plan/command.h"
#include "race/ledger.h"
#include "race/record.h"
#include "race/report.h"
#include "run/build_internal.h"

static void add_producers(const struct graph *graph, const file_id *files, uint32_t count,
                          uint32_t *needs, uint32_t *used)
{
    for (uint32_t i = 0; i < count; i++)
        if (graph->files.at[files[i]].producer != STEP_NONE)
            needs[(*used)++] = graph->files.at[files[i]].producer;
}

void race_begin_native(struct build *build, const struct graph *graph)
{
    struct str text = {0};
    record_make(build->races, 0, ORDER_TOP, 0, ".");
    for (step_id id = 0; id < graph->steps.len; id++) {
        const struct step *step = &graph->steps.at[id];
        uint32_t inputs, order, used = 0;
        str_cut(&text, 0);
        command_text(graph, id, false, &text);
        const file_id *in = graph_inputs(graph, id, &inputs),
                      *only = graph_order(graph, id, &order);
        uint32_t *needs = mem_alloc((inputs + order + 1) * sizeof *needs);
        add_producers(graph, in, inputs, needs, &used);
        add_producers(graph, only, order, needs, &used);
        record_step(build->races,
                    &(struct record_spec){.step = id,
                                          .target = graph_step_target(graph, id),
                                          .line_of_command = text.len ? str_text(&text) : NULL,
                                          .file = step->origin,
                                          .line = step->origin_line,
                                          .phony = step->flags & STEP_PHONY});
        record_needs(build->races, id, needs, used);
        for (uint32_t i = 0; i < inputs; i++)
            if (graph->files.at[in[i]].producer == STEP_NONE)
                record_declare(build->races, id, graph_path(graph, in[i]));
        free(needs);
    }
    str_free(&text);
}

static bool was_traced(const struct record *record)
{
    for (size_t i = 0; i < record->steps.len; i++)
        if (record->steps.at[i].flags & RECORD_TRACED)
            return true;
    return false;
}

static void tell_finding(struct build *build, const struct race_report *report,
                         const struct report_finding *finding, enum race_verdict verdict)
{
    struct str text = {0};
    race_sentence(report, finding, &text);
    build_send(build, &(struct event){.kind = EVENT_FINDING,
                                      .id = finding->id,
                                      .class = race_class_name(finding->class),
                                      .severity = finding->severity,
                                      .path = race_path(report->record, finding->path),
                                      .first = finding->first,
                                      .first_target = race_target(report->record, finding->first),
                                      .second = finding->second,
                                      .second_target = race_target(report->record, finding->second),
                                      .witnesses = finding->witnesses_count,
                                      .verdict = race_verdict_name(verdict),
                                      .text = str_text(&text)});
    str_free(&text);
}

void race_end_of_build(struct build *build, const char *state_dir)
{
    struct err err = {0};
    if (build->options.untraced || build->options.dry_run || !build->races->steps.len)
        return;
    record_take_over(build->races, state_dir);
    if (!was_traced(build->races))
        return;
    if (record_write(build->races, state_dir, &err) < 0)
        build_say(build, SEVERITY_WARNING, "what the steps touched is not kept: %s", err.text);
    struct race_report report;
    struct ledger ledger;
    race_report_make(&report, build->races);
    if (ledger_read(&ledger, build->options.root, state_dir, &err) < 0)
        build_say(build, SEVERITY_WARNING, "%s", err.text);
    for (size_t i = 0; i < report.findings.len; i++) {
        const struct report_finding *finding = &report.findings.at[i];
        if (ledger_reason(&ledger, finding->id))
            continue;
        tell_finding(build, &report, finding, ledger_verdict(&ledger, finding->id)->verdict);
        build->totals.findings += finding->severity != SEVERITY_NOTE;
    }
    ledger_free(&ledger);
    race_report_free(&report);
}
