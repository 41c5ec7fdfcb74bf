/*
 * What is kept of a goal at the end of a build that went well: what its makes read, listed and looked
 * for, which steps they considered, and (run/fresh.h) all that must be as it is for the next build to
 * have nothing to do.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "load/make_taking.h"
#include "plan/libraries.h"
#include "plan/plan.h"

static void use_of_make(void *data, uint32_t name, const char *path, unsigned uses)
{
    (void)name;
    struct taking *taking = data;
    struct make_state *kept = taking->kept;
    struct stat st;
    if (uses & USE_APPENDED)
        return;
    bool there = fstatat(kept->now.root_fd, path, &st, 0) == 0;
    bool product = intern_find(&kept->products, path) != INTERN_NONE;
    if (uses & USE_LIST)
        vec_push(&taking->used, taking_marked(taking, PATH_LIST, path));
    if (uses & USE_LINK)
        vec_push(&taking->used, taking_marked(taking, PATH_LINK, path));
    if (!there) {
        if (uses & (USE_ABSENT | USE_EXISTS | USE_CONTENT))
            vec_push(&taking->used, taking_absent(taking, path));
        return;
    }
    if (S_ISDIR(st.st_mode)) {
        if (uses & (USE_EXISTS | USE_ABSENT))
            vec_push(&taking->looked, taking_marked(taking, PATH_EXISTS, path));
        return;
    }
    /* What it only looked at are prerequisites, whose times it compares: those it knows of. */
    bool read = uses & (USE_CONTENT | USE_MADE);
    if (read && !(product && (str_ends(path, ".d") || (uses & USE_MADE))))
        vec_push(&taking->used, taking_version(taking, path));
    else
        vec_push(&taking->looked, taking_version(taking, path));
}

/* What the makes wrote themselves, by $(shell) or $(file), they write anew each time: its change is
 * theirs, and no news to them. */
static void product_of_make(void *data, uint32_t name, const char *path, unsigned uses)
{
    (void)name;
    struct make_state *kept = data;
    if ((uses & USE_MADE) && path[0] != '/')
        make_state_add_product(kept, path);
}

static void put_goal(struct make_state *kept, enum make_key key, version_id *versions, size_t count)
{
    id_list ids = {0};
    state_add_sets(&kept->state, versions, count, &ids);
    struct step_record record = {.target = make_state_key(kept, key),
                                 .command = make_state_key(kept, KEY_STEPS),
                                 .why = TEXT_NONE,
                                 .sets = (uint32_t)ids.len,
                                 .flags = RUN_TRACED,
                                 .environment_hash = kept->all_environment,
                                 .ended_ns = (uint64_t)clock_files_ns()};
    const struct step_record *old = state_record(&kept->state, record.target);
    if (!old || old->sets != record.sets || old->environment_hash != record.environment_hash ||
        (ids.len && memcmp(old->ids, ids.at, ids.len * sizeof *ids.at) != 0))
        state_put(&kept->state, &record, ids.at);
    vec_free(&ids);
}

static int by_number(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, two = *(const uint32_t *)b;
    return one < two ? -1 : one > two;
}

/* Names that a makefile has are names of variables, perhaps. */
static void add_variables(struct make_state *kept, const char *path, id_list *names)
{
    enum { LONGEST = 64, LARGEST = 1 << 20 };
    size_t length;
    char *full = path_join(kept->place.root, path), *text = file_read(full, &length, NULL);
    free(full);
    bool line_begins = true;
    for (char *at = text; at && length <= LARGEST && *at;) {
        if (line_begins && *at == '#') {
            at += strcspn(at, "\n");
            continue;
        }
        line_begins = *at == '\n' || (line_begins && *at == ' ');
        if (!isalpha((unsigned char)*at) && *at != '_') {
            at++;
            continue;
        }
        size_t word = 1;
        while (isalnum((unsigned char)at[word]) || at[word] == '_')
            word++;
        char kept_byte = at[word];
        at[word] = '\0';
        if (word < LONGEST && !fresh_ignores(at))
            vec_push(names, state_text(&kept->state, at));
        at[word] = kept_byte;
        at += word;
    }
    free(text);
}

/* More names count than were known when this build's steps ended: they had today's values. */
static void renew_environment(struct make_state *kept, uint64_t before)
{
    for (text_id target = 0; target < kept->recorded.len; target++) {
        const struct step_record *record = state_record(&kept->state, target);
        if (!kept->recorded.at[target] || !record || record->environment_hash != before)
            continue;
        struct step_record renewed = *record;
        renewed.environment_hash = kept->all_environment;
        state_put(&kept->state, &renewed, record->ids);
    }
}

/* The variables' names of all makefiles that were read, with those known before. */
static void take_variables(struct make_state *kept)
{
    text_id key = make_state_key(kept, KEY_VARIABLES);
    const struct text_list *old = state_list(&kept->state, key);
    id_list names = {0};
    for (uint32_t i = 0; old && i < old->count; i++)
        vec_push(&names, old->texts[i]);
    for (size_t i = 0; i < kept->make->makes.len; i++) {
        const struct trace *trace = kept->make->makes.at[i]->trace;
        for (size_t k = 0; trace && k < trace->accesses.len; k++) {
            const struct access *access = &trace->accesses.at[k];
            const char *path = name_text(access->path);
            size_t root = strlen(kept->place.root);
            if ((access->kinds & ACCESS_READ) && access->found && !str_ends(path, ".d") &&
                strncmp(path, kept->place.root, root) == 0 && path[root] == '/')
                add_variables(kept, path + root + 1, &names);
        }
    }
    if (names.len)
        qsort(names.at, names.len, sizeof *names.at, by_number);
    size_t count = 0;
    for (size_t i = 0; i < names.len; i++)
        if (!count || names.at[i] != names.at[count - 1])
            names.at[count++] = names.at[i];
    state_put_list(&kept->state, key, names.at, count);
    vec_free(&names);
    uint64_t before = kept->all_environment;
    kept->all_environment = make_environment_all(kept);
    if (kept->all_environment != before)
        renew_environment(kept, before);
}

/* The steps that this goal's makes considered, and the commands that they left. */
static void take_steps(struct make_state *kept)
{
    id_list steps = {0};
    for (size_t i = 0; i < kept->make->steps.len; i++)
        vec_push(&steps, make_state_step(kept, kept->make->steps.at[i]));
    if (steps.len)
        qsort(steps.at, steps.len, sizeof *steps.at, by_number);
    size_t count = 0;
    for (size_t i = 0; i < steps.len; i++)
        if (!count || steps.at[i] != steps.at[count - 1])
            steps.at[count++] = steps.at[i];
    state_put_list(&kept->state, make_state_key(kept, KEY_STEPS), steps.at, count);
    for (size_t i = 0; i < count; i++) {
        const struct step_record *record = state_record(&kept->state, steps.at[i]);
        steps.at[i] = record ? record->command : state_text(&kept->state, "");
    }
    state_put_list(&kept->state, make_state_key(kept, KEY_COMMANDS), steps.at, count);
    vec_free(&steps);
}

void make_state_keep_steps(struct make_state *kept)
{
    id_list steps = {0};
    text_id key = make_state_key(kept, KEY_STEPS);
    const struct text_list *old = state_list(&kept->state, key);
    for (uint32_t i = 0; old && i < old->count; i++)
        vec_push(&steps, old->texts[i]);
    uint8_t *known = mem_zero(kept->recorded.len + 1, 1);
    for (size_t i = 0; i < steps.len; i++)
        if (steps.at[i] < kept->recorded.len)
            known[steps.at[i]] = 1;
    for (text_id target = 0; target < kept->recorded.len; target++)
        if (kept->recorded.at[target] && !known[target])
            vec_push(&steps, target);
    free(known);
    state_put_list(&kept->state, key, steps.at, steps.len);
    vec_free(&steps);
}

/* What nothing is declared for can only be made again where it is not there; what waits for what is
 * no file is made each time. */
static void take_sources(struct make_state *kept)
{
    for (size_t i = 0; i < kept->make->steps.len; i++) {
        const struct make_step *step = kept->make->steps.at[i];
        const struct step_record *record = state_record(&kept->state, make_state_step(kept, step));
        const uint32_t flags = RUN_SOURCE | RUN_FORCED;
        uint32_t flag = (step->depends ? 0u : RUN_SOURCE) | (step->forced ? RUN_FORCED : 0u);
        if (!record || (record->flags & flags) == flag)
            continue;
        struct step_record renewed = *record;
        renewed.flags = (record->flags & ~flags) | flag;
        state_put(&kept->state, &renewed, record->ids);
    }
}

/* Whether make may be left out next time: nothing in it does something each time. */
static bool is_quiet(struct make_state *kept)
{
    bool own = false, oracle = false;
    for (size_t i = 0; i < kept->make->makes.len; i++) {
        const struct trace *trace = kept->make->makes.at[i]->trace;
        if (!trace || trace->flaws)
            return false;
        taking_programs(trace, kept->place.root, &own, &oracle);
        oracle |= trace->network || uses_reach_outside(trace, &kept->place);
    }
    return !oracle && kept->make->makes.len;
}

static void add_record(struct make_state *kept, const struct step_record *record)
{
    for (uint32_t i = 0; i < record->sets && !(record->flags & RUN_EDITED); i++) {
        struct set_walk walk = state_set(&kept->state, record->ids[i]);
        for (version_id version; set_next(&walk, &version);)
            plan_snapshot_version(&kept->state, &kept->fresh.snapshot, version);
    }
    for (uint32_t i = 0; i < record->outputs; i++)
        plan_snapshot_version(&kept->state, &kept->fresh.snapshot, record_outputs(record)[i]);
}

/* Whether make's next run of a step may be left out, since all it used is as it was: what make would
 * not run anyhow; what it runs each time only if that shows nothing, and does nothing elsewhere. */
static bool may_be_left_out(const struct step_record *record)
{
    const uint32_t each_time = RUN_ALWAYS | RUN_FORCED;
    return !(record->flags & each_time) ||
           !(record->flags & (RUN_SPEAKS | RUN_OUTSIDE | RUN_EFFECTS));
}

/* Everything that decides the goal, if all of it is as recorded. */
static bool take_snapshot(struct make_state *kept)
{
    const struct text_list *steps = state_list(&kept->state, make_state_key(kept, KEY_STEPS));
    for (uint32_t i = 0; steps && i < steps->count; i++) {
        const struct step_record *record = state_record(&kept->state, steps->texts[i]);
        if (!record)
            continue; /* made before anybody watched: make knows what it depends on */
        if (!may_be_left_out(record) || !make_stale_holds(kept, record, NULL))
            return false;
        add_record(kept, record);
    }
    for (enum make_key key = KEY_READ; key <= KEY_LOOKED; key++) {
        const struct step_record *record = state_record(&kept->state, make_state_key(kept, key));
        if (!record || !make_stale_holds(kept, record, NULL))
            return false;
        add_record(kept, record);
    }
    const struct text_list *names = state_list(&kept->state, make_state_key(kept, KEY_VARIABLES));
    for (uint32_t i = 0; names && i < names->count; i++)
        if (!fresh_ignores(intern_text(&kept->state.texts, names->texts[i])))
            snapshot_add_variable(&kept->fresh.snapshot,
                                  intern_text(&kept->state.texts, names->texts[i]));
    return true;
}

void make_state_finish_goal(struct make_state *kept)
{
    struct taking taking = {.kept = kept, .since_ns = kept->start_coarse_ns};
    take_variables(kept);
    for (size_t i = 0; i < kept->make->makes.len; i++)
        if (kept->make->makes.at[i]->trace)
            uses_of_trace(kept->make->makes.at[i]->trace, &kept->place, product_of_make, kept);
    for (size_t i = 0; i < kept->make->makes.len; i++)
        if (kept->make->makes.at[i]->trace)
            uses_of_trace(kept->make->makes.at[i]->trace, &kept->place, use_of_make, &taking);
    put_goal(kept, KEY_READ, taking.used.at, taking.used.len);
    put_goal(kept, KEY_LOOKED, taking.looked.at, taking.looked.len);
    vec_free(&taking.used);
    vec_free(&taking.looked);
    take_steps(kept);
    take_sources(kept);
    make_read_keep(kept);
    bool whole = kept->answers && !kept->unseen && is_quiet(kept) && take_snapshot(kept);
    make_state_commit(kept);
    if (!whole || !kept->open)
        return;
    fresh_add_file(&kept->fresh, LIBRARIES_CACHE);
    /* What is known of other goals may change meanwhile. */
    snapshot_add(&kept->fresh.snapshot, SNAPSHOT_EXISTS, kept->state.path, NULL);
    uint64_t count = 0;
    for (size_t i = 0; i < kept->make->steps.len; i++)
        count++;
    const struct build *build = kept->make->build;
    kept->fresh.facts = (struct fresh_facts){.steps = count,
                                             .files = kept->make->files,
                                             .edges = kept->make->edges,
                                             .arch = build->arch,
                                             .mode = build->mode,
                                             .image = build->image};
    kept->fresh.complete = true;
}
