#include "views/summary.h"

#include <string.h>

#include "tui/canvas.h"

enum { CAUSES_MAX = 20 };

static void add_build(const struct model *model, struct str *out)
{
    char wall[16];
    text_duration(wall, model->state == BUILD_ENDED ? model->end_ns : model->now_ns);
    unsigned long long ran = model->ended.len - model->outcomes[OUTCOME_CANCELLED],
                       unchanged = model->outcomes[OUTCOME_UNCHANGED],
                       left = model_total(model) - model_done(model);
    const char *status =
        model->state == BUILD_ENDED ? build_status_name(model->status) : "interrupted";
    str_addf(out, "gantry: %s: %s %s %s, %llu steps in %s", status, model_text(model, model->arch),
             model_text(model, model->mode), model_text(model, model->image), ran, wall);
    if (unchanged)
        str_addf(out, ", %llu rewrote the same bytes", unchanged);
    if (left)
        str_addf(out, ", %llu not built", left);
    if (model->warnings)
        str_addf(out, ", %llu warning%s", (unsigned long long)model->warnings,
                 model->warnings == 1 ? "" : "s");
    str_add_char(out, '\n');
}

static void add_cause(const struct model *model, const struct model_cause *cause, struct str *out)
{
    const struct model_step *step = &model->steps.at[cause->step];
    str_addf(out, "gantry: failed: %s", model_text(model, step->target));
    if (cause->count > 1)
        str_addf(out, " and %u more", cause->count - 1);
    if (cause->diagnostic != MODEL_NONE) {
        const struct model_diagnostic *diagnostic = &model->diagnostics.at[cause->diagnostic];
        str_addf(out, ": %s:%u: %s", model_text(model, diagnostic->path), diagnostic->line,
                 model_text(model, diagnostic->text));
    } else if (step->signal) {
        str_addf(out, ": signal %d", step->signal);
    } else {
        str_addf(out, ": exit %d", step->exit);
    }
    str_add_char(out, '\n');
}

/* What makes spent in $(shell), where that was much. */
static void add_shell_costs(const struct model *model, struct str *out)
{
    struct str costs = {0};
    if (model->state == BUILD_ENDED)
        shell_costs_tell(&model->shell, model->end_ns, &costs);
    for (const char *at = str_text(&costs), *end; (end = strchr(at, '\n')); at = end + 1)
        str_addf(out, "gantry: %.*s\n", (int)(end - at), at);
    str_free(&costs);
}

void summary_text(const struct model *model, struct str *out)
{
    if (model->vm.state == VM_ENDED)
        str_addf(out, "gantry: booted: %s\n", model->vm.verdict ? model->vm.verdict : "ended");
    if (model->state == BUILD_NEVER)
        return;
    add_build(model, out);
    add_shell_costs(model, out);
    if (model->races)
        str_addf(out, "gantry: %llu race%s: gantry races\n", (unsigned long long)model->races,
                 model->races == 1 ? "" : "s");
    for (size_t i = 0; i < model->messages.len; i++)
        if (model->messages.at[i].severity == SEVERITY_ERROR)
            str_addf(out, "gantry: %s\n", model_text(model, model->messages.at[i].text));
    for (size_t i = 0; i < model->causes.len && i < CAUSES_MAX; i++)
        add_cause(model, &model->causes.at[i], out);
    if (model->causes.len > CAUSES_MAX)
        str_addf(out, "gantry: and %zu more causes\n", model->causes.len - CAUSES_MAX);
}
