/* What `gantry races` found out about the races on the screen: verdicts and excuses are read again when
 * the console comes back from it, and told to the model as the build told them. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "race/ledger.h"
#include "race/mend.h"
#include "race/report.h"
#include "tui/console.h"

/* Whether the last build still shows a finding; true where there is no record to ask. */
static bool is_there(const struct race_report *report, const char *id)
{
    for (size_t i = 0; report && i < report->findings.len; i++)
        if (strcmp(report->findings.at[i].id, id) == 0)
            return true;
    return !report;
}

/* Which orders are held now. */
static void tell_holds(struct model *model, const struct holds *holds)
{
    for (size_t i = model->holds.len; i-- > 0;) {
        const char *id = model_text(model, model->holds.at[i].id);
        if (!holds_find(holds, id))
            model_event(model, &(struct event){.kind = EVENT_HOLD, .id = id, .state = "released"});
    }
    for (size_t i = 0; i < holds->list.len; i++) {
        const struct hold *hold = &holds->list.at[i];
        bool known = false;
        for (size_t k = 0; k < model->holds.len; k++)
            known |= strcmp(model_text(model, model->holds.at[k].id), hold->id) == 0;
        if (known || !hold->edges.len)
            continue;
        char *text = mem_format("%s starts when %s has ended", hold->edges.at[0].second,
                                hold->edges.at[0].first);
        model_event(model, &(struct event){.kind = EVENT_HOLD,
                                           .id = hold->id,
                                           .first_target = hold->edges.at[0].first,
                                           .second_target = hold->edges.at[0].second,
                                           .witnesses = hold->edges.len,
                                           .state = "held",
                                           .text = text});
        free(text);
    }
}

static uint32_t step_id(const struct model *model, uint32_t index)
{
    return index == MODEL_NONE ? EVENT_NONE : model->steps.at[index].id;
}

static const char *text_or_null(const struct model *model, uint32_t text)
{
    return text == MODEL_NONE ? NULL : model_text(model, text);
}

static void tell(struct model *model, size_t at, const char *verdict, const char *evidence)
{
    const struct model_finding *finding = &model->findings.at[at];
    bool same = strcmp(model_text(model, finding->evidence), evidence ? evidence : "") == 0;
    if (same && strcmp(model_text(model, finding->verdict), verdict) == 0)
        return;
    model_event(model, &(struct event){.kind = EVENT_FINDING,
                                       .id = model_text(model, finding->id),
                                       .class = model_text(model, finding->class),
                                       .severity = (enum severity)finding->severity,
                                       .path = model_text(model, finding->path),
                                       .first = step_id(model, finding->first),
                                       .first_target = model_text(model, finding->first_target),
                                       .second = step_id(model, finding->second),
                                       .second_target = model_text(model, finding->second_target),
                                       .witnesses = finding->witnesses,
                                       .verdict = verdict,
                                       .first_place = text_or_null(model, finding->place[0]),
                                       .second_place = text_or_null(model, finding->place[1]),
                                       .first_access = text_or_null(model, finding->access[0]),
                                       .second_access = text_or_null(model, finding->access[1]),
                                       .first_at_ns = finding->at_ns[0],
                                       .second_at_ns = finding->at_ns[1],
                                       .evidence = evidence && *evidence ? evidence : NULL,
                                       .text = model_text(model, finding->text)});
}

void findings_refresh(struct console *console, bool built)
{
    struct model *model = &console->app.model;
    struct err none = {0}; /* the command has told the trouble */
    struct ledger ledger;
    struct race_report report;
    char *state_dir = model->findings.len ? build_state_dir(console->root, console->assigns.at,
                                                            console->assigns.len, &none)
                                          : NULL;
    if (!state_dir)
        return;
    struct record *record = built ? record_read(state_dir, &none) : NULL;
    if (record)
        race_report_make(&report, record);
    if (ledger_read(&ledger, console->root, state_dir, &none) == 0) {
        tell_holds(model, &ledger.holds);
        for (size_t i = 0; i < model->findings.len; i++) {
            const char *id = model_text(model, model->findings.at[i].id);
            const struct ledger_entry *entry = ledger_verdict(&ledger, id);
            tell(model, i,
                 !is_there(record ? &report : NULL, id) ? "gone"
                 : ledger_reason(&ledger, id)     ? "suppressed"
                 : mend_is_applied(state_dir, id) ? "mended"
                                                  : race_verdict_name(entry->verdict),
                 entry->evidence);
        }
    }
    ledger_free(&ledger);
    if (record)
        race_report_free(&report);
    record_free(record);
    free(state_dir);
}
