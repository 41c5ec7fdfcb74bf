/* One step in a pane: what it is, why it runs, what it took, its races and its command. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "views/build_view.h"
#include "views/plain.h"

enum { LABEL_W = 9 };

/* The canvas, and the row that is next. */
struct sheet {
    const struct canvas *canvas;
    int y;
};

static void put(struct sheet *sheet, const char *label, enum style style, const char *text)
{
    int rows = sheet->canvas->h - sheet->y;
    if (rows < 1 || !*text)
        return;
    canvas_put(sheet->canvas, 1, sheet->y, STYLE_FAINT, label);
    struct rect area = {LABEL_W, sheet->y, sheet->canvas->w - LABEL_W - 1, rows};
    int took = canvas_wrap(sheet->canvas, area, style, text);
    sheet->y += took < rows ? took : rows;
}

static void put_state(struct sheet *sheet, const struct model *model, const struct model_step *step)
{
    struct str text = {0};
    char now[16], whole[16], cpu[16];
    str_addf(&text, "%s %s", model_state_glyph(step), model_state_word(step));
    if (step->state == STEP_STATE_RUNNING) {
        text_duration(now, model->now_ns > step->begin_ns ? model->now_ns - step->begin_ns : 0);
        text_duration(whole, step->expect_ns);
        str_addf(&text, " on lane %u, %s%s%s", step->lane + 1, now, step->expect_ns ? " of " : "",
                 step->expect_ns ? whole : "");
    } else if (step->state == STEP_STATE_DONE || step->state == STEP_STATE_FAILED) {
        char size[16];
        text_duration(now, step->wall_ns);
        text_duration(cpu, step->cpu_ns);
        text_size(size, step->rss_kib * 1024);
        str_addf(&text, " in %s, processor %s", now, cpu);
        if (step->rss_kib)
            str_addf(&text, ", memory %s", size);
        if (step->accesses)
            str_addf(&text, ", touched %llu path%s", (unsigned long long)step->accesses,
                     step->accesses == 1 ? "" : "s");
        if (step->untraced)
            str_add(&text, ", untraced");
    } else if (step->expect_ns) {
        text_duration(whole, step->expect_ns);
        str_addf(&text, ", took %s before", whole);
    }
    const char *host = model_text(model, step->host);
    if (*host)
        str_addf(&text, ", by %s", host);
    put(sheet, model_text(model, step->rule), state_style(step), str_text(&text));
    str_free(&text);
}

static void put_reason(struct sheet *sheet, const struct model *model,
                       const struct model_step *step)
{
    const char *reason = model_text(model, step->reason), *path = model_text(model, step->path);
    struct str text = {0};
    if (*reason)
        str_add(&text, plain_reason(reason));
    if (*reason && *path)
        str_addf(&text, ": %s", model_short(path));
    put(sheet, "why", STYLE_TEXT, str_text(&text));
    str_free(&text);
}

/* How many steps it needs, and the first of those that it waits for. */
static void put_needs(struct sheet *sheet, const struct model *model, const struct model_step *step)
{
    enum { NAMED = 3 };
    uint32_t left = 0;
    struct str text = {0};
    for (uint32_t i = 0; i < step->needs_count; i++) {
        uint32_t need = model->links.at[step->needs + i];
        uint8_t state = model->steps.at[need].state;
        if (state == STEP_STATE_FRESH || state == STEP_STATE_DONE)
            continue;
        if (left++ < NAMED)
            str_addf(&text, "%s%s", text.len ? ", " : "", model_name(model, need));
    }
    if (left > NAMED)
        str_addf(&text, " and %u more", left - NAMED);
    if (left)
        put(sheet, "waits", STYLE_TEXT, str_text(&text));
    else if (step->needs_count) {
        str_addf(&text, "%u step%s, all over", step->needs_count,
                 step->needs_count == 1 ? "" : "s");
        put(sheet, "needs", STYLE_TEXT, str_text(&text));
    }
    str_free(&text);
}

static void put_races(struct sheet *sheet, const struct model *model, uint32_t index)
{
    enum { SHOWN = 3 };
    unsigned shown = 0;
    for (size_t i = 0; i < model->findings.len && shown < SHOWN; i++) {
        const struct model_finding *finding = &model->findings.at[i];
        if ((finding->first != index && finding->second != index) ||
            !model_finding_counts(model, finding))
            continue;
        struct str text = {0};
        str_addf(&text, "⚑ %s %s", model_text(model, finding->id),
                 model_text(model, finding->class));
        uint32_t other = finding->first == index ? finding->second : finding->first;
        if (other != MODEL_NONE)
            str_addf(&text, " with %s", model_name(model, other));
        if (*model_text(model, finding->path))
            str_addf(&text, ", %s", model_short(model_text(model, finding->path)));
        put(sheet, shown++ ? "" : "races", STYLE_RACE, str_text(&text));
        str_free(&text);
    }
}

void step_draw(const struct model *model, uint32_t index, const struct canvas *canvas)
{
    struct sheet sheet = {canvas, 0};
    if (index == MODEL_NONE) {
        canvas_put(canvas, 1, 0, STYLE_FAINT, "no step yet");
        return;
    }
    const struct model_step *step = &model->steps.at[index];
    put_state(&sheet, model, step);
    put_reason(&sheet, model, step);
    put_needs(&sheet, model, step);
    put_races(&sheet, model, index);
    if (step->diagnostic != MODEL_NONE)
        put(&sheet, "said", STYLE_FAILED,
            model_text(model, model->diagnostics.at[step->diagnostic].text));
    put(&sheet, "command", STYLE_TEXT, model_text(model, step->command));
}
