#include "views/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- ids ---- */

static uint32_t slot_of(const struct model *model, uint32_t id)
{
    uint32_t mask = model->by_id.slots - 1;
    uint32_t at = id * 2654435761u & mask; /* Knuth's multiplicative hash */
    while (model->by_id.indexes[at] && model->by_id.ids[at] != id)
        at = (at + 1) & mask;
    return at;
}

static void grow_ids(struct model *model)
{
    uint32_t old_slots = model->by_id.slots;
    uint32_t *ids = model->by_id.ids, *indexes = model->by_id.indexes;
    model->by_id.slots = old_slots ? old_slots * 2 : 1024;
    model->by_id.ids = mem_zero(model->by_id.slots, sizeof *ids);
    model->by_id.indexes = mem_zero(model->by_id.slots, sizeof *indexes);
    for (uint32_t i = 0; i < old_slots; i++) {
        if (indexes[i]) {
            uint32_t at = slot_of(model, ids[i]);
            model->by_id.ids[at] = ids[i];
            model->by_id.indexes[at] = indexes[i];
        }
    }
    free(ids);
    free(indexes);
}

uint32_t model_find(const struct model *model, uint32_t step_id)
{
    if (!model->by_id.slots || step_id == EVENT_NONE)
        return MODEL_NONE;
    /* Most builds tell their steps in the order of their ids. */
    if (step_id < model->steps.len && model->steps.at[step_id].id == step_id)
        return step_id;
    uint32_t index = model->by_id.indexes[slot_of(model, step_id)];
    return index ? index - 1 : MODEL_NONE;
}

static uint32_t text_id(struct model *model, const char *text)
{
    return text ? intern_id(&model->texts, text) : MODEL_NONE;
}

const char *model_text(const struct model *model, uint32_t id)
{
    return id == MODEL_NONE ? "" : intern_text(&model->texts, id);
}

const char *model_target(const struct model *model, uint32_t step)
{
    return step < model->steps.len ? model_text(model, model->steps.at[step].target) : "";
}

const char *model_short(const char *path)
{
    static const char top[] = "build/";
    size_t length = strlen(top);
    if (strncmp(path, top, length) != 0)
        return path;
    const char *slash = strchrnul(path + length, '/');
    if (!memchr(path + length, '.', (size_t)(slash - path) - length))
        return path;
    return *slash && slash[1] ? slash + 1 : ".";
}

const char *model_name(const struct model *model, uint32_t step)
{
    return model_short(model_target(model, step));
}

/* ---- begin, end ---- */

void model_init(struct model *model)
{
    *model = (struct model){.tree = MODEL_NONE,
                            .head = MODEL_NONE,
                            .loader = MODEL_NONE,
                            .arch = MODEL_NONE,
                            .mode = MODEL_NONE,
                            .image = MODEL_NONE,
                            .argv = MODEL_NONE,
                            .goal = MODEL_NONE};
}

/* Frees what belongs to one build. */
static void free_build(struct model *model)
{
    vec_free(&model->steps);
    vec_free(&model->links);
    vec_free(&model->lanes);
    vec_free(&model->diagnostics);
    vec_free(&model->causes);
    vec_free(&model->findings);
    vec_free(&model->holds);
    vec_free(&model->messages);
    vec_free(&model->parts);
    vec_free(&model->ended);
    vec_free(&model->changed);
    shell_costs_free(&model->shell);
    vec_free(&model->forecasts);
    free(model->by_id.ids);
    free(model->by_id.indexes);
}

static void free_run(struct model_vm *vm)
{
    str_free(&vm->console);
    free(vm->argv);
    free(vm->args);
    free(vm->verdict);
    free(vm->why);
    *vm = (struct model_vm){0};
}

void model_free(struct model *model)
{
    free_build(model);
    intern_free(&model->texts);
    free_run(&model->vm);
    for (size_t i = 0; i < model->vm_earlier.len; i++)
        free_run(&model->vm_earlier.at[i]);
    vec_free(&model->vm_earlier);
    model_init(model);
}

/* Forgets the build before; the guests stay, and the texts, which are mostly the same again. */
static void forget_build(struct model *model)
{
    struct model old = *model;
    model_init(model);
    model->texts = old.texts;
    model->generation = old.generation;
    model->shape = old.shape + 1;
    model->builds = old.builds + 1;
    model->vm = old.vm;
    model->vm_earlier.at = old.vm_earlier.at;
    model->vm_earlier.len = old.vm_earlier.len;
    model->vm_earlier.cap = old.vm_earlier.cap;
    free_build(&old);
}

/* ---- steps ---- */

static bool ends_in_one_of(const char *text, const char *const *endings)
{
    size_t length = strlen(text);
    for (; *endings; endings++) {
        size_t ending = strlen(*endings);
        if (length > ending && strcmp(text + length - ending, *endings) == 0)
            return true;
    }
    return false;
}

/* By the rule; where that says nothing, by the target's name. */
static enum stage stage_of(const char *rule, const char *target)
{
    static const char *const objects[] = {".o", ".lo", ".os", NULL};
    static const char *const linked[] = {".elf", ".so", ".a", ".ko", NULL};
    static const char *const images[] = {".img", ".rofs", ".raw", ".qcow2", NULL};
    static const struct {
        const char *rule;
        enum stage stage;
    } known[] = {
        {"cc", STAGE_CC},        {"cxx", STAGE_CC},         {"as", STAGE_CC},
        {"link", STAGE_LINK},    {"shared", STAGE_LINK},    {"archive", STAGE_LINK},
        {"ar", STAGE_LINK},      {"ld", STAGE_LINK},        {"strip", STAGE_LINK},
        {"binary", STAGE_LINK},  {"objcopy", STAGE_LINK},   {"compress", STAGE_IMAGE},
        {"bootfs", STAGE_IMAGE}, {"rofs", STAGE_IMAGE},     {"disk", STAGE_IMAGE},
        {"image", STAGE_IMAGE},  {"qemu-img", STAGE_IMAGE}, {"embed", STAGE_IMAGE},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].rule, rule) == 0)
            return known[i].stage;
    return ends_in_one_of(target, objects)  ? STAGE_CC
           : ends_in_one_of(target, linked) ? STAGE_LINK
           : ends_in_one_of(target, images) ? STAGE_IMAGE
                                            : STAGE_GEN;
}

static void note_change(struct model *model, const struct model_step *step)
{
    vec_push(&model->changed, (uint32_t)(step - model->steps.at));
}

static void set_forecast(struct model *model, struct model_step *step, bool forecast)
{
    if (step->forecast != forecast)
        note_change(model, step);
    step->forecast = forecast;
}

static bool is_ahead(const struct model_step *step)
{
    return step->state == STEP_STATE_WAITING || step->state == STEP_STATE_READY;
}

/* Takes a step out of what is expected yet, before it changes; and puts it in again. */
static void expect(struct model *model, const struct model_step *step, bool in)
{
    if (!is_ahead(step) || !step->expect_ns)
        return;
    model->expect_ns += in ? step->expect_ns : -step->expect_ns;
    model->expected += in ? 1 : UINT64_MAX;
}

static void set_expected(struct model *model, struct model_step *step, uint64_t expect_ns)
{
    if (!expect_ns)
        return;
    expect(model, step, false);
    step->expect_ns = expect_ns;
    expect(model, step, true);
}

static void set_state(struct model *model, struct model_step *step, enum step_state state)
{
    expect(model, step, false);
    model->counts[step->state]--;
    model->counts[state]++;
    step->state = (uint8_t)state;
    expect(model, step, true);
    note_change(model, step);
}

static void add_id(struct model *model, uint32_t id, uint32_t index)
{
    if ((model->by_id.used + 1) * 4 >= model->by_id.slots * 3)
        grow_ids(model);
    uint32_t at = slot_of(model, id);
    model->by_id.ids[at] = id;
    model->by_id.indexes[at] = index + 1;
    model->by_id.used++;
}

/* The forecast whose place a step that is heard of for the first time takes, or MODEL_NONE. */
static uint32_t forecast_of(struct model *model, const struct event *event)
{
    if (!model->forecasts.len || event->forecast || !event->target || !*event->target)
        return MODEL_NONE;
    uint32_t target = intern_find(&model->texts, event->target);
    uint32_t slot = target < model->forecasts.len ? model->forecasts.at[target] : 0;
    if (!slot)
        return MODEL_NONE;
    model->forecasts.at[target] = 0;
    add_id(model, event->step, slot - 1);
    model->steps.at[slot - 1].id = event->step;
    return slot - 1;
}

static void note_forecast(struct model *model, const struct model_step *step)
{
    while (model->forecasts.len <= step->target)
        vec_push(&model->forecasts, 0);
    model->forecasts.at[step->target] = (uint32_t)(step - model->steps.at) + 1;
}

/* The step of an event, added where it is new. */
static struct model_step *step_of(struct model *model, const struct event *event)
{
    if (event->step == EVENT_NONE)
        return NULL;
    uint32_t index = model_find(model, event->step);
    if (index == MODEL_NONE)
        index = forecast_of(model, event);
    if (index == MODEL_NONE) {
        index = (uint32_t)model->steps.len;
        add_id(model, event->step, index);
        struct model_step *fresh = vec_new(&model->steps);
        fresh->id = event->step;
        fresh->target = text_id(model, "");
        fresh->dir = fresh->target;
        fresh->rule = fresh->target;
        fresh->command = fresh->host = fresh->log = fresh->lane = MODEL_NONE;
        fresh->reason = fresh->path = fresh->was = fresh->now = MODEL_NONE;
        fresh->diagnostic = MODEL_NONE;
        model->counts[STEP_STATE_FRESH]++;
        model->shape++;
    }
    struct model_step *step = &model->steps.at[index];
    if (event->target && *event->target && !*model_text(model, step->target)) {
        const char *slash = strrchr(event->target, '/');
        size_t dir = slash ? (size_t)(slash - event->target) : 0;
        step->target = text_id(model, event->target);
        step->dir = dir ? intern_id_n(&model->texts, event->target, dir) : text_id(model, ".");
        model->shape++;
    }
    /* A step that is told again may have another rule: `mkdir -p` came first, now the compiler. */
    bool settled = *model_text(model, step->rule) && event->kind != EVENT_STEP_ADD;
    if (event->rule && *event->rule && !settled &&
        strcmp(event->rule, model_text(model, step->rule)) != 0) {
        step->rule = text_id(model, event->rule);
        step->stage = (uint8_t)stage_of(event->rule, model_text(model, step->target));
        model->shape++;
    }
    return step;
}

static void take_graph_step(struct model *model, const struct event *event)
{
    struct model_step *step = step_of(model, event);
    if (!step)
        return;
    set_forecast(model, step, event->forecast);
    bool fresh = event->state && strcmp(event->state, "fresh") == 0;
    bool waits = step->state == STEP_STATE_WAITING || step->state == STEP_STATE_READY;
    if (fresh && waits) /* judged so after all */
        set_state(model, step, STEP_STATE_FRESH);
    if (fresh && !event->path && !event->needs_count) /* and no more is told than that */
        return;
    if (step->needs_forecast && !event->forecast) { /* now it is known */
        step->needs_forecast = false;
        step->needs_count = 0;
        model->shape++;
    }
    if (step->needs_count || !event->needs_count) /* told again: it is known what it needs */
        return;
    uint32_t first = (uint32_t)model->links.len, index = model_find(model, event->step);
    for (uint32_t i = 0; i < event->needs_count; i++) {
        struct event named = {.step = event->needs[i]};
        if (step_of(model, &named))
            vec_push(&model->links, model_find(model, event->needs[i]));
    }
    step = &model->steps.at[index]; /* the array may have moved */
    step->needs = first;
    step->needs_count = (uint32_t)model->links.len - first;
    step->needs_forecast = event->forecast;
    model->shape++;
}

static void take_add(struct model *model, const struct event *event)
{
    struct model_step *step = step_of(model, event);
    if (!step)
        return;
    set_forecast(model, step, event->forecast);
    if (event->forecast)
        note_forecast(model, step);
    if (event->text)
        step->command = text_id(model, event->text);
    set_expected(model, step, event->expect_ns);
    if (step->state == STEP_STATE_FRESH)
        set_state(model, step, STEP_STATE_WAITING);
}

static void take_ready(struct model *model, const struct event *event)
{
    struct model_step *step = step_of(model, event);
    if (!step)
        return;
    step->reason = text_id(model, event->reason);
    step->path = text_id(model, event->path);
    step->was = text_id(model, event->was);
    step->now = text_id(model, event->now);
    if (step->state == STEP_STATE_FRESH || step->state == STEP_STATE_WAITING)
        set_state(model, step, STEP_STATE_READY);
}

static struct model_lane *lane_of(struct model *model, uint32_t lane)
{
    if (lane >= 4096) /* no machine has so many: a damaged journal */
        return NULL;
    while (model->lanes.len <= lane)
        vec_push(
            &model->lanes,
            (struct model_lane){.step = MODEL_NONE, .last = MODEL_NONE, .idle_why = MODEL_NONE});
    return &model->lanes.at[lane];
}

static void take_begin(struct model *model, const struct event *event)
{
    struct model_step *step = step_of(model, event);
    struct model_lane *lane = lane_of(model, event->lane);
    if (!step)
        return;
    set_state(model, step, STEP_STATE_RUNNING);
    set_forecast(model, step, false);
    step->begin_ns = event->t_ns;
    set_expected(model, step, event->expect_ns);
    step->lane = event->lane;
    step->host = text_id(model, event->host);
    step->command = text_id(model, event->text);
    if (lane) {
        lane->step = model_find(model, event->step);
        lane->idle_why = MODEL_NONE;
        lane->rss_kib = lane->cpu_ns = 0;
        lane->cpu_at_ns = event->t_ns;
        lane->cpu_percent = 0;
        lane->done_bytes = lane->total_bytes = 0;
    }
}

static void take_progress(struct model *model, const struct event *event)
{
    uint32_t index = model_find(model, event->step);
    for (size_t i = 0; index != MODEL_NONE && i < model->lanes.len; i++) {
        struct model_lane *lane = &model->lanes.at[i];
        if (lane->step != index)
            continue;
        lane->done_bytes = event->bytes;
        lane->total_bytes = event->total;
    }
}

static void take_lane(struct model *model, const struct event *event)
{
    struct model_lane *lane = lane_of(model, event->lane);
    if (!lane)
        return;
    if (event->host && *event->host && lane->step != MODEL_NONE &&
        model->steps.at[lane->step].id == event->step)
        model->steps.at[lane->step].host = text_id(model, event->host);
    lane->idle_why = text_id(model, event->idle_why);
    lane->rss_kib = event->rss_kib;
    if (event->t_ns > lane->cpu_at_ns && event->cpu_ns > lane->cpu_ns)
        lane->cpu_percent =
            (unsigned)((event->cpu_ns - lane->cpu_ns) * 100 / (event->t_ns - lane->cpu_at_ns));
    else
        lane->cpu_percent = 0;
    lane->cpu_ns = event->cpu_ns;
    lane->cpu_at_ns = event->t_ns;
}

static bool same_diagnostic(const struct model *model, uint32_t a, uint32_t b)
{
    if (a == MODEL_NONE || b == MODEL_NONE)
        return false;
    const struct model_diagnostic *x = &model->diagnostics.at[a], *y = &model->diagnostics.at[b];
    return x->path == y->path && x->line == y->line && x->text == y->text;
}

static void add_failure(struct model *model, uint32_t index)
{
    uint32_t diagnostic = model->steps.at[index].diagnostic;
    for (size_t i = 0; i < model->causes.len; i++) {
        if (same_diagnostic(model, model->causes.at[i].diagnostic, diagnostic)) {
            model->causes.at[i].count++;
            return;
        }
    }
    vec_push(&model->causes, (struct model_cause){index, diagnostic, 1});
}

static void take_end(struct model *model, const struct event *event)
{
    struct model_step *step = step_of(model, event);
    if (!step)
        return;
    uint32_t index = model_find(model, event->step);
    bool over = step->state == STEP_STATE_DONE || step->state == STEP_STATE_FAILED ||
                step->state == STEP_STATE_CANCELLED;
    if (over) /* a journal that tells it twice */
        return;
    static const enum step_state states[OUTCOMES] = {
        STEP_STATE_DONE, STEP_STATE_DONE, STEP_STATE_DONE, STEP_STATE_FAILED, STEP_STATE_CANCELLED};
    set_state(model, step, states[event->outcome]);
    set_forecast(model, step, false);
    step->outcome = (uint8_t)event->outcome;
    step->exit = event->exit;
    step->signal = event->signal;
    step->end_ns = event->t_ns;
    step->wall_ns = event->wall_ns;
    step->cpu_ns = event->cpu_ns;
    step->rss_kib = event->rss_kib;
    step->untraced = !event->traced;
    step->accesses = event->accesses;
    model->outcomes[event->outcome]++;
    model->cpu_ns += event->cpu_ns;
    vec_push(&model->ended, index);
    for (size_t i = 0; i < model->lanes.len; i++) {
        if (model->lanes.at[i].step == index) {
            model->lanes.at[i].step = MODEL_NONE;
            model->lanes.at[i].last = index;
        }
    }
    if (event->outcome == OUTCOME_FAILED)
        add_failure(model, index);
}

static void take_diagnostic(struct model *model, const struct event *event)
{
    uint32_t step = model_find(model, event->step);
    uint32_t index = (uint32_t)model->diagnostics.len;
    vec_push(&model->diagnostics,
             (struct model_diagnostic){.step = step,
                                       .path = text_id(model, event->path),
                                       .text = text_id(model, event->text ? event->text : ""),
                                       .line = event->line,
                                       .column = event->column,
                                       .severity = (uint8_t)event->severity});
    model->warnings += event->severity == SEVERITY_WARNING;
    if (step == MODEL_NONE || event->severity != SEVERITY_ERROR ||
        model->steps.at[step].diagnostic != MODEL_NONE)
        return;
    model->steps.at[step].diagnostic = index;
    for (size_t i = 0; i < model->causes.len; i++) /* told after the step's end */
        if (model->causes.at[i].step == step && model->causes.at[i].diagnostic == MODEL_NONE)
            model->causes.at[i].diagnostic = index;
}

/* ---- races ---- */

bool model_finding_counts(const struct model *model, const struct model_finding *finding)
{
    static const char *const excused[] = {"harmless", "suppressed", "gone", "withdrawn"};
    const char *verdict = model_text(model, finding->verdict);
    bool counts = finding->severity != SEVERITY_NOTE;
    for (size_t i = 0; i < sizeof excused / sizeof *excused; i++)
        counts &= strcmp(verdict, excused[i]) != 0;
    return counts;
}

static void set_raced(struct model *model, uint32_t index)
{
    if (index == MODEL_NONE || model->steps.at[index].raced)
        return;
    model->steps.at[index].raced = true;
    note_change(model, &model->steps.at[index]);
}

static struct model_finding finding_of(struct model *model, const struct event *event)
{
    return (struct model_finding){
        .id = text_id(model, event->id ? event->id : ""),
        .class = text_id(model, event->class ? event->class : ""),
        .path = text_id(model, event->path ? event->path : ""),
        .first_target = text_id(model, event->first_target ? event->first_target : ""),
        .second_target = text_id(model, event->second_target ? event->second_target : ""),
        .first = model_find(model, event->first),
        .second = model_find(model, event->second),
        .verdict = text_id(model, event->verdict ? event->verdict : "suspected"),
        .text = text_id(model, event->text),
        .place = {text_id(model, event->first_place), text_id(model, event->second_place)},
        .access = {text_id(model, event->first_access), text_id(model, event->second_access)},
        .at_ns = {event->first_at_ns, event->second_at_ns},
        .evidence = text_id(model, event->evidence),
        .witnesses = event->witnesses,
        .severity = (uint8_t)event->severity};
}

static void take_finding(struct model *model, const struct event *event)
{
    struct model_finding now = finding_of(model, event);
    size_t at = 0;
    while (at < model->findings.len && model->findings.at[at].id != now.id)
        at++;
    if (at == model->findings.len)
        vec_push(&model->findings,
                 (struct model_finding){.first = MODEL_NONE, .second = MODEL_NONE});
    struct model_finding *finding = &model->findings.at[at];
    const uint32_t before[] = {finding->first, finding->second};
    for (int i = 0; i < 2; i++)
        if (before[i] != MODEL_NONE) /* it may count no more */
            model->steps.at[before[i]].raced = false;
    if (!event->class && finding->id == now.id) { /* withdrawn: the rest is known */
        finding->verdict = now.verdict;
        finding->text = now.text;
    } else {
        *finding = now;
    }
    model->races = 0;
    for (size_t i = 0; i < model->findings.len; i++) {
        finding = &model->findings.at[i];
        bool counts = model_finding_counts(model, finding);
        model->races += counts;
        if (counts)
            set_raced(model, finding->first);
        if (counts)
            set_raced(model, finding->second);
    }
}

const struct model_hold *model_hold_of(const struct model *model, uint32_t id)
{
    for (size_t i = 0; i < model->holds.len; i++)
        if (model->holds.at[i].id == id)
            return &model->holds.at[i];
    return NULL;
}

static void take_hold(struct model *model, const struct event *event)
{
    const char *state = event->state ? event->state : "";
    uint32_t id = text_id(model, event->id ? event->id : "");
    size_t at = 0;
    while (at < model->holds.len && model->holds.at[at].id != id)
        at++;
    if (strcmp(state, "released") == 0) {
        if (at < model->holds.len)
            model->holds.at[at] = model->holds.at[--model->holds.len];
        return;
    }
    if (at == model->holds.len)
        vec_push(&model->holds, (struct model_hold){.id = id});
    model->holds.at[at].text = text_id(model, event->text);
    model->holds.at[at].let_go |= strcmp(state, "let-go") == 0;
}

/* ---- the build ---- */

static void take_build_begin(struct model *model, const struct event *event)
{
    forget_build(model);
    model->state = BUILD_RUNNING;
    model->tree = text_id(model, event->tree);
    model->head = text_id(model, event->head);
    model->loader = text_id(model, event->loader);
    model->arch = text_id(model, event->arch);
    model->mode = text_id(model, event->mode);
    model->image = text_id(model, event->image);
    model->argv = text_id(model, event->argv);
    model->dirty = event->dirty;
    if (event->lanes && event->lanes <= 4096)
        lane_of(model, event->lanes - 1);
}

static void take_build_end(struct model *model, const struct event *event)
{
    model->state = BUILD_ENDED;
    model->shape += !model->complete;
    model->status = event->status;
    model->exit = event->exit;
    model->end_ns = event->t_ns;
    model->summary = (struct event){.kind = EVENT_BUILD_END,
                                    .wall_ns = event->wall_ns,
                                    .cpu_ns = event->cpu_ns,
                                    .steps_total = event->steps_total,
                                    .steps_run = event->steps_run,
                                    .steps_unchanged = event->steps_unchanged,
                                    .steps_failed = event->steps_failed,
                                    .findings = event->findings};
    for (size_t i = 0; i < model->lanes.len; i++)
        model->lanes.at[i].step = MODEL_NONE;
    for (size_t i = 0; i < model->steps.len; i++) {
        struct model_step *step = &model->steps.at[i];
        if (step->state == STEP_STATE_RUNNING) /* its end was not told: the engine was killed */
            set_state(model, step, STEP_STATE_CANCELLED);
        else if ((step->state == STEP_STATE_WAITING || step->state == STEP_STATE_READY) &&
                 event->status == BUILD_OK) { /* spared: what it needs did not change */
            set_state(model, step, STEP_STATE_FRESH);
            set_forecast(model, step, false);
        }
    }
}

static void take_graph(struct model *model, const struct event *event)
{
    model->graph_steps = event->steps;
    if (model->complete != event->complete) /* what is not in the cone is known by now */
        model->shape++;
    model->complete = event->complete;
}

static char *copy_or_null(const char *text)
{
    return text ? mem_copy(text) : NULL;
}

/* A new run; the one before is kept, and the oldest dropped where there are many. */
static void begin_run(struct model *model, const struct event *event)
{
    if (model->vm.state != VM_NEVER) {
        if (model->vm_earlier.len == MODEL_RUNS_MAX) {
            free_run(&model->vm_earlier.at[0]);
            model->vm_earlier.len--;
            memmove(model->vm_earlier.at, model->vm_earlier.at + 1,
                    model->vm_earlier.len * sizeof *model->vm_earlier.at);
        }
        vec_push(&model->vm_earlier, model->vm);
    }
    model->vm = (struct model_vm){
        .state = VM_RUNNING, .argv = copy_or_null(event->argv), .args = copy_or_null(event->text)};
}

static void take_vm(struct model *model, const struct event *event)
{
    struct model_vm *vm = &model->vm;
    if (event->kind == EVENT_VM_BEGIN) {
        begin_run(model, event);
    } else if (event->kind == EVENT_VM_OUTPUT) {
        const char *text = event->text ? event->text : "";
        str_add(&vm->console, text);
        for (; *text; text++)
            vm->lines += *text == '\n';
    } else {
        vm->state = VM_ENDED;
        free(vm->verdict);
        vm->verdict = copy_or_null(event->verdict);
        vm->exit = event->exit;
        vm->wall_ns = event->wall_ns;
    }
}

static void take_message(struct model *model, const struct event *event)
{
    vec_push(&model->messages,
             (struct model_message){text_id(model, event->text), (uint8_t)event->severity});
    if (model->vm.state == VM_RUNNING && event->severity == SEVERITY_ERROR) {
        free(model->vm.why);
        model->vm.why = copy_or_null(event->text);
    }
}

void model_event(struct model *model, const struct event *event)
{
    bool vm = event->kind == EVENT_VM_BEGIN || event->kind == EVENT_VM_OUTPUT ||
              event->kind == EVENT_VM_END;
    uint32_t shape = model->shape;
    model->generation++;
    switch (event->kind) {
    case EVENT_BUILD_BEGIN:
        take_build_begin(model, event);
        break;
    case EVENT_GRAPH:
        take_graph(model, event);
        break;
    case EVENT_STEP:
        take_graph_step(model, event);
        break;
    case EVENT_STEP_ADD:
        take_add(model, event);
        break;
    case EVENT_STEP_READY:
        take_ready(model, event);
        break;
    case EVENT_STEP_BEGIN:
        take_begin(model, event);
        break;
    case EVENT_STEP_OUTPUT: {
        struct model_step *step = step_of(model, event);
        if (step) {
            step->log = text_id(model, event->path);
            step->log_length = event->offset + event->length;
        }
        break;
    }
    case EVENT_STEP_PROGRESS:
        take_progress(model, event);
        break;
    case EVENT_STEP_END:
        take_end(model, event);
        break;
    case EVENT_FINDING:
        take_finding(model, event);
        break;
    case EVENT_HOLD:
        take_hold(model, event);
        break;
    case EVENT_LANE:
        take_lane(model, event);
        break;
    case EVENT_COMPOSE:
        vec_push(&model->parts, (struct model_part){text_id(model, event->part ? event->part : ""),
                                                    text_id(model, event->hash), event->bytes});
        break;
    case EVENT_VM_BEGIN:
    case EVENT_VM_OUTPUT:
    case EVENT_VM_END:
        take_vm(model, event);
        break;
    case EVENT_DIAGNOSTIC:
        take_diagnostic(model, event);
        break;
    case EVENT_MESSAGE:
        take_message(model, event);
        break;
    case EVENT_BUILD_END:
        take_build_end(model, event);
        break;
    case EVENT_SHELL_CALL:
        shell_costs_add(&model->shell, event);
        break;
    case EVENT_PATH:
    case EVENT_TOUCHED:
    case EVENT_KINDS:
        break;
    }
    if (shape != model->shape)
        model->goal_stale = true;
    if (!vm && event->t_ns > model->now_ns)
        model->now_ns = event->t_ns;
}

void model_tick(struct model *model, uint64_t now_ns)
{
    if (now_ns > model->now_ns)
        model->now_ns = now_ns;
    if (model->goal_stale) {
        model_find_goal(model);
        model->goal_stale = false;
    }
}

/* ---- questions ---- */

uint64_t model_done(const struct model *model)
{
    return model->counts[STEP_STATE_DONE] + model->counts[STEP_STATE_FAILED];
}

uint64_t model_total(const struct model *model)
{
    return model->steps.len - model->counts[STEP_STATE_FRESH];
}

/* What runs and what is ahead, shared out among the lanes; steps that nothing is known of take what the
 * others do. */
static uint64_t left_by_history(const struct model *model, uint64_t ahead)
{
    uint64_t work = model->expect_ns;
    if (model->expected)
        work += (ahead - model->expected) * (model->expect_ns / model->expected);
    uint64_t longest = 0;
    for (size_t i = 0; i < model->lanes.len; i++) {
        uint32_t at = model->lanes.at[i].step;
        uint64_t gone = at == MODEL_NONE ? 0 : model->now_ns - model->steps.at[at].begin_ns;
        if (at == MODEL_NONE || model->steps.at[at].expect_ns <= gone)
            continue;
        uint64_t rest = model->steps.at[at].expect_ns - gone;
        work += rest;
        longest = rest > longest ? rest : longest;
    }
    uint64_t shared = work / (model->lanes.len ? model->lanes.len : 1);
    return shared > longest ? shared : longest;
}

bool model_edges_unknown(const struct model *model)
{
    return model->state == BUILD_RUNNING && !model->complete && !model->forecasts.len;
}

uint64_t model_left_ns(const struct model *model)
{
    uint64_t done = model->ended.len;
    uint64_t ahead = model->counts[STEP_STATE_WAITING] + model->counts[STEP_STATE_READY];
    bool known = model->complete || model->forecasts.len;
    if (model->state == BUILD_RUNNING && known && ahead && model->expected * 2 >= ahead)
        return left_by_history(model, ahead);
    if (model->state != BUILD_RUNNING || done < 8 || !model->complete)
        return 0;
    uint64_t over = model_done(model) + model->counts[STEP_STATE_CANCELLED];
    uint64_t left = model_total(model) - over;
    return model->now_ns / done * left;
}

const char *model_state_word(const struct model_step *step)
{
    static const char *const words[STEP_STATES] = {"fresh", "done",    "waiting", "cancelled",
                                                   "ready", "running", "failed"};
    if (step->state == STEP_STATE_DONE)
        return outcome_name(step->outcome);
    return words[step->state];
}

const char *model_state_glyph(const struct model_step *step)
{
    static const char *const glyphs[STEP_STATES] = {"✓", "✓", "○", "⊘", "◐", "●", "✗"};
    return step->forecast ? "┄" : glyphs[step->state];
}
