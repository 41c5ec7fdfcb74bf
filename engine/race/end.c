#include "race/end.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "graph/graph.h"
#include "plan/command.h"
#include "race/export.h"
#include "race/ledger.h"
#include "race/record.h"
#include "race/report.h"
#include "race/same.h"
#include "run/build_internal.h"

static void add_producers(const struct graph *graph, const file_id *files, uint32_t count,
                          uint32_t *needs, uint32_t *used)
{
    for (uint32_t i = 0; i < count; i++)
        if (graph->files.at[files[i]].producer != STEP_NONE)
            needs[(*used)++] = graph->files.at[files[i]].producer;
}

static void add_graph(struct build *build, const struct graph *graph)
{
    struct str text = {0};
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

/* What is known of the two sides beside their names; the texts are freed with it. */
struct sides {
    char *place[2];
    struct str access[2];
    uint64_t at_ns[2];
};

static void take_sides(const struct race_report *report, const struct report_finding *finding,
                       struct sides *sides)
{
    const uint32_t steps[2] = {finding->first, finding->second};
    *sides = (struct sides){0};
    for (int i = 0; i < 2; i++) {
        uint32_t line = 0;
        char *file = race_recipe_file(report->record, steps[i], &line);
        const struct race_access *access =
            race_access_of(report->record, steps[i], finding->path, NULL);
        sides->place[i] = file && line ? mem_format("%s:%u", file, line) : NULL;
        free(file);
        if (!access)
            continue;
        race_access_words(access, &sides->access[i]);
        sides->at_ns[i] = (uint64_t)access->when * RECORD_TICK_NS;
    }
}

static void put_sides(struct event *event, const struct sides *sides)
{
    event->first_place = sides->place[0];
    event->second_place = sides->place[1];
    event->first_access = sides->access[0].len ? str_text(&sides->access[0]) : NULL;
    event->second_access = sides->access[1].len ? str_text(&sides->access[1]) : NULL;
    event->first_at_ns = sides->at_ns[0];
    event->second_at_ns = sides->at_ns[1];
}

static void free_sides(struct sides *sides)
{
    for (int i = 0; i < 2; i++) {
        free(sides->place[i]);
        str_free(&sides->access[i]);
    }
}

static struct event event_of(const struct race_report *report, const struct report_finding *finding,
                             const char *sentence)
{
    return (struct event){.kind = EVENT_FINDING,
                          .id = finding->id,
                          .class = race_class_name(finding->class),
                          .severity = finding->severity,
                          .path = race_path(report->record, finding->path),
                          .first = finding->first,
                          .first_target = race_target(report->record, finding->first),
                          .second = finding->second,
                          .second_target = race_target(report->record, finding->second),
                          .witnesses = finding->witnesses_count,
                          .verdict = race_verdict_name(VERDICT_SUSPECTED),
                          .text = sentence};
}

void race_tell(struct build *build, const struct race_report *report,
               const struct report_finding *finding, enum race_verdict verdict)
{
    struct str sentence = {0};
    race_sentence(report, finding, &sentence);
    struct event event = event_of(report, finding, str_text(&sentence));
    event.verdict = race_verdict_name(verdict);
    build_send(build, &event);
    str_free(&sentence);
}

void race_withdraw(struct build *build, const char *id)
{
    build_send(build, &(struct event){.kind = EVENT_FINDING,
                                      .id = id,
                                      .severity = SEVERITY_NOTE,
                                      .first = EVENT_NONE,
                                      .second = EVENT_NONE,
                                      .verdict = "withdrawn",
                                      .text = "the declared order is known now: it is no race"});
}

/* Tells a finding with the verdict that is known by now, unless it is excused. */
static void tell(struct build *build, const struct ledger *ledger, struct event *finding)
{
    if (ledger_reason(ledger, finding->id))
        return;
    const struct ledger_entry *entry = ledger_verdict(ledger, finding->id);
    finding->verdict = race_verdict_name(entry->verdict);
    finding->evidence = entry->evidence && *entry->evidence ? entry->evidence : NULL;
    build_send(build, finding);
    build->totals.findings += finding->severity != SEVERITY_NOTE;
}

static bool is_found(const struct race_report *report, const char *id)
{
    for (size_t i = 0; i < report->findings.len; i++)
        if (strcmp(report->findings.at[i].id, id) == 0)
            return true;
    return false;
}

/* The findings of the record; each is a line of `lines` then, too. What was told meanwhile and is none
 * is withdrawn. */
static void find(struct build *build, const struct ledger *ledger, const str_list *told,
                 struct str *lines)
{
    struct race_report report;
    race_report_make(&report, build->races);
    for (size_t i = 0; i < told->len; i++)
        if (!is_found(&report, told->at[i]))
            race_withdraw(build, told->at[i]);
    for (size_t i = 0; i < report.findings.len; i++) {
        struct str sentence = {0};
        race_sentence(&report, &report.findings.at[i], &sentence);
        struct event finding = event_of(&report, &report.findings.at[i], str_text(&sentence));
        struct sides sides;
        take_sides(&report, &report.findings.at[i], &sides);
        put_sides(&finding, &sides);
        event_to_json(&finding, NULL, lines);
        str_add_char(lines, '\n');
        tell(build, ledger, &finding);
        free_sides(&sides);
        str_free(&sentence);
    }
    race_report_free(&report);
}

/* Those that were found in the record when it was written. What was told meanwhile and is none of them
 * is withdrawn. */
static void tell_again(struct build *build, const struct ledger *ledger, const str_list *told,
                       const struct str *lines)
{
    struct map found = {0};
    for (const char *at = str_text(lines), *end; (end = strchr(at, '\n')); at = end + 1) {
        struct event *finding = event_from_json(at, (size_t)(end - at), NULL);
        if (finding) {
            map_put(&found, finding->id, build);
            tell(build, ledger, finding);
        }
        free(finding);
    }
    for (size_t i = 0; i < told->len; i++)
        if (!map_get(&found, told->at[i]))
            race_withdraw(build, told->at[i]);
    map_free(&found);
}

static bool is_kept(const struct build *build)
{
    return !build->options.untraced && !build->options.dry_run;
}

void race_begin(struct build *build, const char *state_dir, live_reader *reader)
{
    if (is_kept(build))
        build->live = live_start(build, state_dir, &(struct live_order){.reader = reader});
}

void race_begin_native(struct build *build, const struct graph *graph, const char *state_dir)
{
    record_make(build->races, 0, ORDER_TOP, 0, ".");
    if (is_kept(build))
        build->live = live_start(build, state_dir,
                                 &(struct live_order){.describe = add_graph, .graph = graph});
}

static void end_live(struct build *build, str_list *told)
{
    live_stop(build->live, told);
    build->live = NULL;
}

void race_give_up(struct build *build)
{
    end_live(build, NULL);
}

static void open_ledger(struct build *build, const char *state_dir, struct ledger *ledger)
{
    struct err err = {0};
    if (ledger_read(ledger, build->options.root, state_dir, &err) < 0)
        build_say(build, SEVERITY_WARNING, "%s", err.text);
}

/* Merges, writes and searches the record. */
static void end_anew(struct build *build, const char *state_dir, uint64_t graph_id,
                     const str_list *told)
{
    struct err err = {0};
    struct str lines = {0};
    struct ledger ledger;
    if (!build->races->steps.len)
        return;
    record_take_over(build->races, state_dir);
    if (!was_traced(build->races))
        return;
    bool written = record_write(build->races, state_dir, &err) == 0;
    if (!written)
        build_say(build, SEVERITY_WARNING, "what the steps touched is not kept: %s", err.text);
    open_ledger(build, state_dir, &ledger);
    find(build, &ledger, told, &lines);
    same_keep(build->races, state_dir, written ? graph_id : 0, &lines);
    ledger_free(&ledger);
    str_free(&lines);
}

/* Whether a thread that looked meanwhile has added the graph. */
static bool has_graph(const struct record *record)
{
    return record->steps.len && (record->steps.at[0].flags & RECORD_ORDERED);
}

void race_end_native(struct build *build, const struct graph *graph, uint64_t graph_id,
                     const char *state_dir)
{
    struct str lines = {0};
    str_list told = {0};
    end_live(build, &told);
    if (!is_kept(build))
        return;
    if (same_as_before(build->races, state_dir, graph_id, &lines)) {
        struct ledger ledger;
        open_ledger(build, state_dir, &ledger);
        tell_again(build, &ledger, &told, &lines);
        ledger_free(&ledger);
    } else {
        if (!has_graph(build->races))
            add_graph(build, graph);
        end_anew(build, state_dir, graph_id, &told);
    }
    str_list_free(&told);
    str_free(&lines);
}

void race_end_of_build(struct build *build, const char *state_dir)
{
    str_list told = {0};
    end_live(build, &told);
    if (is_kept(build)) {
        record_loosen(build->races);
        end_anew(build, state_dir, 0, &told);
    }
    str_list_free(&told);
}
