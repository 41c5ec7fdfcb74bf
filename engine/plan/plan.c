#include "plan/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "plan/command.h"
#include "plan/libraries.h"
#include "plan/why.h"

/* Products: what steps make comes and goes with the graph, so in a listing it does not count. */

static void note_product_dirs(struct products *products)
{
    const struct graph *graph = products->graph;
    for (file_id file = 0; file < graph->files.len; file++) {
        const char *path = graph_path(graph, file), *slash = path + strlen(path);
        if (graph->files.at[file].producer == STEP_NONE)
            continue;
        while ((slash = memrchr(path, '/', (size_t)(slash - path)))) {
            uint32_t before = intern_count(&products->dirs);
            if (intern_id_n(&products->dirs, path, (size_t)(slash - path)) < before)
                break; /* those above are known as well */
        }
    }
}

bool product_counts(const void *data, const char *path)
{
    const struct products *products = data;
    file_id file = graph_find_file(products->graph, path);
    if (file != FILE_NONE && products->graph->files.at[file].producer != STEP_NONE)
        return false;
    return intern_find(&products->dirs, path) == INTERN_NONE &&
           !str_starts(path_base(path), ".gantry");
}

int plan_open(struct plan *plan, const struct graph *graph, struct state *state, const char *root,
              struct err *err)
{
    *plan = (struct plan){.graph = graph, .state = state};
    plan->root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (plan->root_fd < 0)
        return err_errno(err, "%s", root);
    now_open(&plan->now, state, plan->root_fd);
    libraries_check(&plan->now, state);
    size_t files = graph->files.len, steps = graph->steps.len;
    plan->texts_known = intern_count(&state->texts);
    plan->text_of_file = mem_alloc(files * sizeof *plan->text_of_file);
    memset(plan->text_of_file, 0xff, files * sizeof *plan->text_of_file);
    plan->file_of_text = mem_alloc(plan->texts_known * sizeof *plan->file_of_text);
    memset(plan->file_of_text, 0xff, plan->texts_known * sizeof *plan->file_of_text);
    for (file_id file = 0; file < files; file++) {
        const char *path = graph_path(graph, file);
        text_id text = intern_find(&state->texts, path);
        if (text == INTERN_NONE)
            continue;
        plan->text_of_file[file] = text;
        plan->file_of_text[text] = file;
    }
    plan->products.graph = graph;
    note_product_dirs(&plan->products);
    plan->now.counts = product_counts;
    plan->now.counts_data = &plan->products;
    plan->in_cone = mem_zero(steps, 1);
    plan->verdict = mem_zero(steps, 1);
    plan->waiting = mem_zero(steps, sizeof *plan->waiting);
    return 0;
}

void plan_close(struct plan *plan)
{
    if (plan->root_fd >= 0)
        close(plan->root_fd);
    free(plan->text_of_file);
    vec_free(&plan->text_of_name);
    free(plan->file_of_text);
    now_close(&plan->now);
    intern_free(&plan->products.dirs);
    free(plan->in_cone);
    free(plan->verdict);
    free(plan->waiting);
    vec_free(&plan->extra);
    vec_free(&plan->held);
    vec_free(&plan->makers);
    free(plan->set_makers);
    vec_free(&plan->ready);
    free(plan->cost_ns);
    str_free(&plan->text);
    str_free(&plan->was);
    str_free(&plan->now_text);
    str_free(&plan->why_path);
    *plan = (struct plan){.root_fd = -1};
}

static text_id text_of(struct plan *plan, file_id file)
{
    if (plan->text_of_file[file] == TEXT_NONE)
        plan->text_of_file[file] = state_text(plan->state, graph_path(plan->graph, file));
    return plan->text_of_file[file];
}

const struct step_record *plan_record_of(const struct plan *plan, step_id step)
{
    file_id target = plan->graph->links.at[plan->graph->steps.at[step].outputs];
    text_id text = plan->text_of_file[target];
    return text == TEXT_NONE ? NULL : state_record(plan->state, text);
}

uint64_t plan_expect_ns(const struct plan *plan, step_id step)
{
    const struct step_record *record = plan_record_of(plan, step);
    return record ? record->wall_ns : 0;
}

/* The cone. */

static void add_to_cone(struct plan *plan, step_id step)
{
    if (step == STEP_NONE || plan->in_cone[step])
        return;
    plan->in_cone[step] = 1;
    plan->cone_count++;
    vec_push(&plan->ready, step); /* used as the stack here */
}

static bool is_prerequisite(const struct plan *plan, step_id step, step_id maker)
{
    const struct step *what = &plan->graph->steps.at[step];
    const uint32_t *links = plan->graph->links.at;
    for (uint32_t i = 0; i < what->inputs_count; i++)
        if (plan->graph->files.at[links[what->inputs + i]].producer == maker)
            return true;
    for (uint32_t i = 0; i < what->order_count; i++)
        if (plan->graph->files.at[links[what->order + i]].producer == maker)
            return true;
    return false;
}

static step_id maker_of(const struct plan *plan, version_id version)
{
    text_id path = plan->state->versions.at[version].path;
    file_id file = path < plan->texts_known ? plan->file_of_text[path] : FILE_NONE;
    return file == FILE_NONE ? STEP_NONE : plan->graph->files.at[file].producer;
}

/* The steps that make files of a set, found once a set. */
static const step_id *makers_of_set(struct plan *plan, set_id set, uint32_t *count)
{
    if (!plan->set_makers)
        plan->set_makers = mem_zero(intern_count(&plan->state->sets), sizeof *plan->set_makers);
    struct set_makers *makers = &plan->set_makers[set];
    if (!makers->known) {
        makers->known = true;
        makers->first = (uint32_t)plan->makers.len;
        struct set_walk walk = state_set(plan->state, set);
        for (version_id version; set_next(&walk, &version);) {
            step_id maker = maker_of(plan, version);
            if (maker != STEP_NONE)
                vec_push(&plan->makers, maker);
        }
        makers->count = (uint32_t)plan->makers.len - makers->first;
    }
    *count = makers->count;
    return plan->makers.at + makers->first;
}

/* Headers that the step read last time and that a step makes are prerequisites as well. */
static void add_header_edges(struct plan *plan, step_id step)
{
    const struct step_record *record = plan_record_of(plan, step);
    for (uint32_t i = 0; record && i < record->sets; i++) {
        set_id set = record->ids[record->inputs + i];
        uint32_t count;
        const step_id *makers = makers_of_set(plan, set, &count);
        for (uint32_t k = 0; k < count; k++) {
            if (makers[k] == step || is_prerequisite(plan, step, makers[k]))
                continue;
            vec_push(&plan->extra, (struct plan_edge){makers[k], step});
            add_to_cone(plan, makers[k]);
        }
    }
}

static int by_from(const void *a, const void *b)
{
    const struct plan_edge *one = a, *two = b;
    if (one->from != two->from)
        return one->from < two->from ? -1 : 1;
    return one->to < two->to ? -1 : one->to > two->to;
}

/* One edge each, in order of `from`. */
static void sort_extra(struct plan *plan)
{
    if (!plan->extra.len)
        return;
    qsort(plan->extra.at, plan->extra.len, sizeof *plan->extra.at, by_from);
    size_t kept = 1;
    for (size_t i = 1; i < plan->extra.len; i++)
        if (by_from(&plan->extra.at[i], &plan->extra.at[kept - 1]) != 0)
            plan->extra.at[kept++] = plan->extra.at[i];
    plan->extra.len = kept;
}

/* The first extra edge of a step, as an index. */
static size_t first_extra(const struct plan *plan, step_id from)
{
    size_t low = 0, high = plan->extra.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (plan->extra.at[middle].from < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void plan_hold(struct plan *plan, step_id first, step_id second)
{
    vec_push(&plan->held, (struct plan_edge){first, second});
}

bool plan_holds(const struct plan *plan, step_id first, step_id second)
{
    for (size_t i = 0; i < plan->held.len; i++)
        if (plan->held.at[i].from == first && plan->held.at[i].to == second)
            return true;
    return false;
}

struct way {
    uint8_t *seen; /* by step */
    VEC(step_id) stack;
};

static void go_to(struct way *way, step_id step)
{
    if (step == STEP_NONE || way->seen[step])
        return;
    way->seen[step] = 1;
    vec_push(&way->stack, step);
}

/* Whether a step must come before another. */
static bool leads_to(const struct plan *plan, step_id from, step_id to)
{
    struct way way = {.seen = mem_zero(plan->graph->steps.len + 1, 1)};
    go_to(&way, from);
    while (way.stack.len && !way.seen[to]) {
        step_id step = way.stack.at[--way.stack.len];
        uint32_t outputs_count, uses_count;
        const file_id *outputs = graph_outputs(plan->graph, step, &outputs_count);
        for (uint32_t i = 0; i < outputs_count; i++) {
            const step_id *uses = graph_uses(plan->graph, outputs[i], &uses_count);
            for (uint32_t u = 0; u < uses_count; u++)
                go_to(&way, uses[u]);
        }
        for (size_t i = first_extra(plan, step);
             i < plan->extra.len && plan->extra.at[i].from == step; i++)
            go_to(&way, plan->extra.at[i].to);
    }
    bool leads = way.seen[to];
    free(way.seen);
    vec_free(&way.stack);
    return leads;
}

/* Puts the held order beside that of headers, but what is in vain or would close a ring. */
static void add_held(struct plan *plan)
{
    size_t kept = 0;
    for (size_t i = 0; i < plan->held.len; i++) {
        struct plan_edge edge = plan->held.at[i];
        if (edge.from == edge.to || !plan->in_cone[edge.from] || !plan->in_cone[edge.to] ||
            leads_to(plan, edge.to, edge.from))
            continue;
        plan->held.at[kept++] = edge;
        vec_push(&plan->extra, edge);
        sort_extra(plan);
    }
    plan->held.len = kept;
}

void plan_select(struct plan *plan, const file_id *goals, size_t count)
{
    const struct graph *graph = plan->graph;
    for (size_t i = 0; i < count; i++)
        add_to_cone(plan, graph->files.at[goals[i]].producer);
    while (plan->ready.len) {
        step_id step = plan->ready.at[--plan->ready.len];
        const struct step *what = &graph->steps.at[step];
        for (uint32_t i = 0; i < what->inputs_count; i++)
            add_to_cone(plan, graph->files.at[graph->links.at[what->inputs + i]].producer);
        for (uint32_t i = 0; i < what->order_count; i++)
            add_to_cone(plan, graph->files.at[graph->links.at[what->order + i]].producer);
        add_header_edges(plan, step);
    }
    sort_extra(plan);
    add_held(plan);
    for (size_t i = 0; i < plan->extra.len; i++)
        plan->waiting[plan->extra.at[i].to]++;
    for (step_id step = 0; step < graph->steps.len; step++) {
        uint32_t outputs_count, uses_count;
        const file_id *outputs = graph_outputs(graph, step, &outputs_count);
        for (uint32_t i = 0; plan->in_cone[step] && i < outputs_count; i++) {
            const step_id *uses = graph_uses(graph, outputs[i], &uses_count);
            for (uint32_t u = 0; u < uses_count; u++)
                plan->waiting[uses[u]]++;
        }
    }
    /* The last to be pushed is the first to be judged; order does not matter for verdicts. */
    for (step_id step = (step_id)graph->steps.len; step-- > 0;)
        if (plan->in_cone[step] && !plan->waiting[step])
            vec_push(&plan->ready, step);
}

step_id plan_next(struct plan *plan)
{
    return plan->ready.len ? plan->ready.at[--plan->ready.len] : STEP_NONE;
}

static void settle_one(struct plan *plan, step_id user)
{
    if (--plan->waiting[user] == 0 && plan->in_cone[user])
        vec_push(&plan->ready, user);
}

void plan_settle(struct plan *plan, step_id step)
{
    uint32_t outputs_count, uses_count;
    const file_id *outputs = graph_outputs(plan->graph, step, &outputs_count);
    for (uint32_t i = 0; i < outputs_count; i++) {
        const step_id *uses = graph_uses(plan->graph, outputs[i], &uses_count);
        for (uint32_t u = 0; u < uses_count; u++)
            settle_one(plan, uses[u]);
    }
    for (size_t i = first_extra(plan, step); i < plan->extra.len && plan->extra.at[i].from == step;
         i++)
        if (plan->extra.at[i].to != STEP_NONE) {
            step_id user = plan->extra.at[i].to;
            plan->extra.at[i].to = STEP_NONE;
            settle_one(plan, user);
        }
}

bool plan_drop_extra(struct plan *plan)
{
    bool any = false;
    for (size_t i = 0; i < plan->extra.len; i++) {
        step_id user = plan->extra.at[i].to;
        if (user == STEP_NONE)
            continue;
        plan->extra.at[i].to = STEP_NONE;
        settle_one(plan, user);
        any = true;
    }
    plan->extra.len = 0;
    return any;
}

/* The verdict. */

static enum verdict stale(struct plan *plan, struct why *why, const char *reason, const char *path)
{
    if (why) {
        str_cut(&plan->why_path, 0);
        str_add(&plan->why_path, path ? path : "");
        *why = (struct why){.reason = reason, .path = path ? str_text(&plan->why_path) : NULL};
    }
    return VERDICT_STALE;
}

/* A file's version is not the recorded one: says the contents before and now. */
static enum verdict stale_file(struct plan *plan, struct why *why, const char *reason,
                               version_id recorded)
{
    const struct version *was = &plan->state->versions.at[recorded];
    const char *path = intern_text(&plan->state->texts, was->path);
    stale(plan, why, reason, now_plain(path));
    if (why)
        why_contents(plan, why, was);
    return VERDICT_STALE;
}

/* True where the declared inputs are those of the record, in the same order. */
static bool same_inputs(struct plan *plan, step_id step, const struct step_record *record)
{
    uint32_t count;
    const file_id *inputs = graph_inputs(plan->graph, step, &count);
    if (count != record->inputs)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (plan->state->versions.at[record->ids[i]].path != plan->text_of_file[inputs[i]])
            return false;
    return true;
}

static bool same_outputs(struct plan *plan, step_id step, const struct step_record *record)
{
    uint32_t count;
    const file_id *outputs = graph_outputs(plan->graph, step, &count);
    const version_id *made = record_outputs(record);
    if (count > record->outputs)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (plan->state->versions.at[made[i]].path != plan->text_of_file[outputs[i]])
            return false;
    return true;
}

/* What the step is: its command, and the names of what it is declared to read and make. */
static enum verdict judge_description(struct plan *plan, step_id step,
                                      const struct step_record *record, struct why *why)
{
    if (record->command_hash != command_hash(&plan->graph->steps.at[step], &plan->text) ||
        !same_outputs(plan, step, record)) {
        stale(plan, why, "command", NULL);
        if (why)
            why_command(plan, why, step, record);
        return VERDICT_STALE;
    }
    if (!same_inputs(plan, step, record)) {
        stale(plan, why, "input", NULL);
        if (why)
            why_inputs(plan, why, step, record);
        return VERDICT_STALE;
    }
    return VERDICT_FRESH;
}

static enum verdict judge_record(struct plan *plan, step_id step, const struct step_record *record,
                                 struct why *why)
{
    if (!plan->described && judge_description(plan, step, record, why) == VERDICT_STALE)
        return VERDICT_STALE;
    uint64_t environment =
        record->flags & RUN_ANY_LOCALE ? plan->any_locale : plan->environment_hash;
    if (record->environment_hash && environment && record->environment_hash != environment)
        return stale(plan, why, "environment", NULL);
    for (uint32_t i = 0; i < record->inputs; i++)
        if (!now_is(&plan->now, record->ids[i]))
            return stale_file(plan, why, "input", record->ids[i]);
    for (uint32_t i = 0; i < record->sets; i++) {
        version_id other;
        if (!now_holds(&plan->now, record->ids[record->inputs + i], &other))
            return stale_file(plan, why, "header", other);
    }
    const version_id *made = record_outputs(record);
    for (uint32_t i = 0; i < record->outputs; i++)
        if (!now_is(&plan->now, made[i]))
            return stale_file(plan, why, "output", made[i]);
    return VERDICT_FRESH;
}

static enum verdict judge(struct plan *plan, step_id step, struct why *why)
{
    const struct step *what = &plan->graph->steps.at[step];
    if (what->flags & STEP_PHONY)
        return VERDICT_FRESH;
    if (what->flags & STEP_ALWAYS)
        return stale(plan, why, "forced", NULL);
    const struct step_record *record = plan_record_of(plan, step);
    if (!record)
        return stale(plan, why, "new", NULL);
    return judge_record(plan, step, record, why);
}

enum verdict plan_judge(struct plan *plan, step_id step, struct why *why)
{
    if (why)
        *why = (struct why){0};
    enum verdict verdict = judge(plan, step, why);
    plan->verdict[step] = (uint8_t)verdict;
    return verdict;
}

void plan_assume_changed(struct plan *plan, step_id step)
{
    uint32_t count;
    const file_id *outputs = graph_outputs(plan->graph, step, &count);
    for (uint32_t i = 0; i < count; i++) {
        text_id path = text_of(plan, outputs[i]);
        now_of(&plan->now, path);
        now_set(&plan->now, path, NOW_OTHER);
    }
}

/* Recording. */

static text_id text_of_seen(struct plan *plan, const struct seen *seen)
{
    if (seen->name == INTERN_NONE)
        return state_text(plan->state, seen->path);
    uint32_t *text = name_memo_at(&plan->text_of_name, seen->name);
    if (!*text)
        *text = state_text(plan->state, seen->path) + 1;
    return *text - 1;
}

/* The version of what was seen, which is then the present one of its path. */
static version_id take_in(struct plan *plan, const struct seen *seen)
{
    text_id path = text_of_seen(plan, seen);
    /* Content that nobody knows has no identity and is never the present one: its reader stays
     * stale. */
    static const struct identity nobody;
    bool known = !hash_equal(seen->hash, hash_unknown);
    /* Looked for in vain: whether it is there by now is another question. */
    bool absent = hash_equal(seen->hash, hash_absent);
    if (absent)
        now_review(&plan->now, path);
    version_id version = state_version(plan->state, path, known ? &seen->id : &nobody, seen->hash);
    if (known && !absent)
        now_set(&plan->now, path, version);
    return version;
}

/* Whether the path is among what a recorded run made. */
static bool made_before(const struct plan *plan, const struct step_record *old, const char *path)
{
    text_id text = intern_find(&plan->state->texts, path);
    for (uint32_t i = 0; old && text != INTERN_NONE && i < old->outputs; i++)
        if (plan->state->versions.at[record_outputs(old)[i]].path == text)
            return true;
    return false;
}

void plan_record(struct plan *plan, step_id step, const struct ran *ran, const struct why *why,
                 bool *changed)
{
    const struct step *what = &plan->graph->steps.at[step];
    const struct step_record *old = plan_record_of(plan, step);
    id_list ids = {0};
    for (uint32_t i = 0; i < ran->inputs_count; i++)
        vec_push(&ids, take_in(plan, &ran->inputs[i]));
    version_id *used = mem_alloc((ran->headers_count + 1) * sizeof *used);
    for (uint32_t i = 0; i < ran->headers_count; i++)
        used[i] = take_in(plan, &ran->headers[i]);
    state_add_sets(plan->state, used, ran->headers_count, &ids);
    free(used);
    uint32_t sets = (uint32_t)ids.len - ran->inputs_count;
    size_t made = ids.len;
    for (uint32_t i = 0; i < ran->outputs_count; i++)
        if (!ran->outputs[i].was_there || made_before(plan, old, ran->outputs[i].path))
            vec_push(&ids, take_in(plan, &ran->outputs[i]));
    uint32_t outputs = (uint32_t)(ids.len - made);
    /* The graph's files are known texts from now on. */
    for (uint32_t i = 0; i < what->inputs_count; i++)
        text_of(plan, plan->graph->links.at[what->inputs + i]);
    for (uint32_t i = 0; i < what->outputs_count; i++)
        text_of(plan, plan->graph->links.at[what->outputs + i]);
    *changed = !old || old->outputs != outputs ||
               (outputs && memcmp(ids.at + made, record_outputs(old), outputs * sizeof *ids.at));
    struct step_record record = {
        .target = text_of(plan, plan->graph->links.at[what->outputs]),
        .command_hash = command_hash(what, &plan->text),
        .why = why_text(plan, why),
        .inputs = ran->inputs_count,
        .sets = sets,
        .outputs = outputs,
        .flags = (ran->traced ? RUN_TRACED : 0u) | (ran->any_locale ? RUN_ANY_LOCALE : 0u),
        .environment_hash = ran->any_locale ? plan->any_locale : plan->environment_hash,
        .rss_kib = (uint32_t)ran->rss_kib,
        .wall_ns = ran->wall_ns,
        .cpu_ns = ran->cpu_ns,
    };
    command_text(plan->graph, step, true, &plan->text);
    record.command = state_text(plan->state, str_text(&plan->text));
    record.ended_ns = clock_wall_ns();
    state_put(plan->state, &record, ids.at);
    vec_free(&ids);
}

/* Critical path. */

/* What a step that never ran is taken to need. */
#define GUESS_NS UINT64_C(200000000)

static void compute_costs(struct plan *plan)
{
    const struct graph *graph = plan->graph;
    size_t steps = graph->steps.len;
    plan->cost_ns = mem_zero(steps, sizeof *plan->cost_ns);
    /* From the ends backwards: a step is done when all its users are. */
    uint32_t *users = mem_zero(steps, sizeof *users);
    VEC(step_id) stack = {0};
    for (step_id step = 0; step < steps; step++) {
        uint32_t outputs_count, uses_count;
        const file_id *outputs = graph_outputs(graph, step, &outputs_count);
        for (uint32_t i = 0; i < outputs_count; i++) {
            const step_id *uses = graph_uses(graph, outputs[i], &uses_count);
            for (uint32_t u = 0; u < uses_count; u++)
                users[step] += plan->in_cone[uses[u]];
        }
        if (plan->in_cone[step] && !users[step])
            vec_push(&stack, step);
    }
    while (stack.len) {
        step_id step = stack.at[--stack.len];
        const struct step *what = &graph->steps.at[step];
        const struct step_record *record = plan_record_of(plan, step);
        if (!(what->flags & STEP_PHONY))
            plan->cost_ns[step] += record ? record->wall_ns : GUESS_NS;
        for (uint32_t i = 0; i < what->inputs_count + what->order_count; i++) {
            uint32_t link =
                i < what->inputs_count ? what->inputs + i : what->order + i - what->inputs_count;
            step_id maker = graph->files.at[graph->links.at[link]].producer;
            if (maker == STEP_NONE)
                continue;
            if (plan->cost_ns[maker] < plan->cost_ns[step])
                plan->cost_ns[maker] = plan->cost_ns[step];
            if (users[maker] && --users[maker] == 0)
                vec_push(&stack, maker);
        }
    }
    vec_free(&stack);
    free(users);
}

uint64_t plan_cost_ns(struct plan *plan, step_id step)
{
    if (!plan->cost_ns)
        compute_costs(plan);
    return plan->cost_ns[step];
}
