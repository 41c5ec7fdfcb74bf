/*
 * What is stale in a make tree, by what was recorded: before make starts and when it wants a step.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/mem.h"
#include "load/make_state.h"

/* A version that is not the present one, as the four words of a reason. */
static text_id why_of(struct make_state *kept, const char *reason, version_id other)
{
    const struct version *was = &kept->state.versions.at[other];
    const char *path = intern_text(&kept->state.texts, was->path);
    struct identity id = now_identity(kept->now.root_fd, path);
    struct str text = {0};
    str_addf(&text, "%s\t%s\t", reason, now_plain(path));
    identity_put_hash(&text, was->hash);
    str_add_char(&text, '\t');
    identity_put_hash(
        &text, now_hash(kept->now.root_fd, path, &id, kept->now.counts, kept->now.counts_data));
    text_id why = state_text(&kept->state, str_text(&text));
    str_free(&text);
    return why;
}

bool make_stale_holds(struct make_state *kept, const struct step_record *record, text_id *why)
{
    uint64_t environment = record->flags & RUN_ENV_ANY      ? kept->all_environment
                           : record->flags & RUN_ANY_LOCALE ? kept->any_locale
                                                            : kept->environment;
    bool edited = record->flags & RUN_EDITED;
    bool goal = (unsigned char)intern_text(&kept->state.texts, record->target)[0] < 8;
    if (!edited &&
        !make_environment_holds(kept, record, goal ? kept->all_environment : environment)) {
        if (why)
            *why = state_text(&kept->state, "environment\t\t\t");
        return false;
    }
    for (uint32_t i = 0; i < record->sets && !edited; i++) {
        version_id other;
        if (!now_holds(&kept->now, record->ids[i], &other)) {
            if (why)
                *why = why_of(kept, "input", other);
            return false;
        }
    }
    for (uint32_t i = 0; i < record->outputs; i++)
        if (!now_is(&kept->now, record_outputs(record)[i])) {
            if (why)
                *why = why_of(kept, "output", record_outputs(record)[i]);
            return false;
        }
    return true;
}

/* ---- before make starts ---- */

/* What was half-made when a build was killed goes: its time says that it is new. What make runs each
 * time anyway, it runs again. */
static void remove_half_made(struct make_state *kept)
{
    struct state *state = &kept->state;
    for (text_id target = 0; target < state->running.len; target++) {
        if (!state->running.at[target])
            continue;
        const char *path = intern_text(&state->texts, target);
        const struct step_record *record = state_record(state, target);
        if (!record || !(record->flags & RUN_ALWAYS))
            unlinkat(kept->now.root_fd, path, 0);
        for (uint32_t i = 0; record && !(record->flags & RUN_ALWAYS) && i < record->outputs; i++) {
            const char *made = now_plain(
                intern_text(&state->texts, state->versions.at[record_outputs(record)[i]].path));
            if (made[0] != '/')
                unlinkat(kept->now.root_fd, made, 0);
        }
        state_forget(state, target);
    }
}

/* Whether a step used something that steps which are stale will make anew. */
static bool uses_stale(const struct make_state *kept, const struct step_record *record,
                       const uint8_t *dirty)
{
    for (uint32_t i = 0; i < record->sets; i++) {
        struct set_walk walk = state_set(&kept->state, record->ids[i]);
        for (version_id version; set_next(&walk, &version);)
            if (dirty[kept->state.versions.at[version].path])
                return true;
    }
    for (uint32_t i = 0; i < record->outputs; i++) /* made by another, too */
        if (dirty[kept->state.versions.at[record_outputs(record)[i]].path])
            return true;
    return false;
}

static void mark_outputs(const struct make_state *kept, const struct step_record *record,
                         uint8_t *dirty)
{
    for (uint32_t i = 0; i < record->outputs; i++)
        dirty[kept->state.versions.at[record_outputs(record)[i]].path] = 1;
}

/* A record of a step that makes files: no goal, no deed. */
static const struct step_record *step_record_at(const struct make_state *kept, text_id target)
{
    const struct step_record *record = state_record(&kept->state, target);
    if (!record || (unsigned char)intern_text(&kept->state.texts, target)[0] < 8 ||
        (record->flags & (RUN_ALWAYS | RUN_NESTS)))
        return NULL;
    return record;
}

/* What this goal's makes considered last, by target: 1, or 2 where another goal has run the step with
 * another command since. */
enum { OF_GOAL = 1, OTHER_COMMAND };
static uint8_t *goal_steps(struct make_state *kept, size_t records)
{
    uint8_t *steps = mem_zero(records + 1, 1);
    const struct text_list *list = state_list(&kept->state, make_state_key(kept, KEY_STEPS));
    const struct text_list *commands = state_list(&kept->state, make_state_key(kept, KEY_COMMANDS));
    for (uint32_t i = 0; list && i < list->count; i++) {
        text_id target = list->texts[i];
        const struct step_record *record = state_record(&kept->state, target);
        bool other = record && commands && commands->count == list->count &&
                     commands->texts[i] != record->command;
        if (target < records)
            steps[target] = other ? OTHER_COMMAND : OF_GOAL;
    }
    return steps;
}

static void judge_records(struct make_state *kept, struct make_judgement *judging, bool all)
{
    uint8_t *of_goal = goal_steps(kept, judging->records);
    for (text_id target = 0; target < judging->records; target++) {
        const struct step_record *record = step_record_at(kept, target);
        text_id why = TEXT_NONE;
        bool left = record && (record->flags & RUN_LEFT) && !all && !of_goal[target];
        bool other = of_goal[target] == OTHER_COMMAND;
        if (!record || left || (make_stale_holds(kept, record, &why) && !other))
            continue;
        if (why == TEXT_NONE)
            why = state_text(&kept->state, "command\t\t\t");
        judging->stale[target] = 1;
        mark_outputs(kept, record, judging->dirty);
        while (kept->whys.len <= target)
            vec_push(&kept->whys, TEXT_NONE);
        kept->whys.at[target] = why;
    }
    free(of_goal);
}

/* Whoever used what stale steps make comes after them; make may not know. */
static void judge_users(struct make_state *kept, struct make_judgement *judging)
{
    for (bool more = true; more;) {
        more = false;
        for (text_id target = 0; target < judging->records; target++) {
            const struct step_record *record = step_record_at(kept, target);
            if (!record || judging->stale[target] || !uses_stale(kept, record, judging->dirty))
                continue;
            judging->stale[target] = 1;
            more = true;
            mark_outputs(kept, record, judging->dirty);
        }
    }
}

void make_stale_judge(struct make_state *kept, bool all, struct make_judgement *judgement)
{
    judgement->records = kept->state.records.len;
    judgement->stale = mem_zero(judgement->records + 1, 1);
    judgement->dirty = mem_zero(intern_count(&kept->state.texts) + 1, 1);
    judge_records(kept, judgement, all);
    judge_users(kept, judgement);
}

void make_judgement_free(struct make_judgement *judgement)
{
    free(judgement->dirty);
    free(judgement->stale);
}

void make_stale_prepare(struct make_state *kept)
{
    if (!kept || !kept->open)
        return;
    remove_half_made(kept);
    make_age_adopt(kept);
    bool all = make_read_changed(kept);
    struct make_judgement judging;
    make_stale_judge(kept, all, &judging);
    for (text_id target = 0; target < judging.records; target++) {
        const struct step_record *record = step_record_at(kept, target);
        if (record && (all || judging.stale[target]))
            make_age_outputs(kept, record, judging.stale[target]);
    }
    make_forecast_tell(kept, judging.stale, judging.records);
    kept->stale = judging.stale;
    kept->stale_count = judging.records;
    judging.stale = NULL;
    make_judgement_free(&judging);
}

void make_stale_age_all(struct make_state *kept)
{
    kept->reading.all_old = true;
    struct make_judgement judging;
    make_stale_judge(kept, true, &judging);
    for (text_id target = 0; target < judging.records; target++) {
        const struct step_record *record = step_record_at(kept, target);
        bool ran = target < kept->recorded.len && kept->recorded.at[target];
        if (record && !ran && !make_age_is_old(kept, target))
            make_age_outputs(kept, record, judging.stale[target]);
    }
    make_judgement_free(&judging);
}

/* Steps are kept as DIRECTORY//TARGET, by the directory of their make: any cut may be that. */
bool make_stale_may_run(const struct make_state *kept, const char *target)
{
    if (!kept || !kept->open || kept->reading.changed || kept->reading.all_old)
        return true;
    for (const char *cut = target; cut; cut = strchr(cut + 1, '/')) {
        char *name = cut == target ? mem_copy(target)
                                   : mem_format("%.*s/%s", (int)(cut - target), target, cut);
        text_id text = intern_find(&kept->state.texts, name);
        free(name);
        if (text < kept->stale_count && step_record_at(kept, text))
            return kept->stale[text];
    }
    return true;
}

text_id make_stale_why(const struct make_state *kept, text_id target)
{
    return target < kept->whys.len ? kept->whys.at[target] : TEXT_NONE;
}

void make_stale_explain(struct make_state *kept, const struct make_step *step, struct event *event,
                        char **copy)
{
    *copy = NULL;
    if (!kept || !kept->open)
        return;
    text_id target = make_state_step(kept, step), why = make_stale_why(kept, target);
    if (why == TEXT_NONE) {
        if (!state_record(&kept->state, target))
            event->reason = "new";
        return;
    }
    char *at = *copy = mem_copy(intern_text(&kept->state.texts, why));
    const char *words[4] = {at, "", "", ""};
    for (size_t i = 1; i < 4 && (at = strchr(at, '\t')); i++) {
        *at++ = '\0';
        words[i] = at;
    }
    event->reason = words[0];
    event->path = *words[1] ? words[1] : NULL;
    event->was = *words[2] ? words[2] : NULL;
    event->now = *words[3] ? words[3] : NULL;
}

/* ---- when make wants a step ---- */

/* What makes export to a recipe is no part of its text. */
static bool has_same_exports(const struct make_state *kept, const struct make_step *step,
                             const struct step_record *record)
{
    const char *lines = intern_text(&kept->state.texts, record->command);
    uint64_t added = record->flags & RUN_ENV_ANY ? step->added.any : step->added.always;
    return (record->command_hash ^ XXH3_64bits(lines, strlen(lines))) == added;
}

/* A recipe is passed over by its first line, before the others are known. Where one of those turns out
 * to be new, those before it run, and then it (make_state_line, write_script in make_steps.c). */
bool make_stale_skips(struct make_state *kept, struct make_step *step)
{
    if (!kept || !kept->open || step->begun)
        return false;
    text_id target = make_state_step(kept, step);
    const struct step_record *record = step_record_at(kept, target);
    const uint32_t never = RUN_ALWAYS | RUN_NESTS | RUN_OUTSIDE | RUN_TWICE;
    if (!record || !(record->flags & RUN_TRACED) || (record->flags & never) || !record->outputs)
        return false;
    if (target < kept->recorded.len && kept->recorded.at[target])
        return false; /* it ran already, and is wanted again: whoever knows why */
    if (!make_state_is_as_recorded(kept, step, record) || !has_same_exports(kept, step, record))
        return false;
    make_age_bring_back(kept, target);
    if (!make_stale_holds(kept, record, NULL)) {
        make_age_send_off(kept, target);
        return false;
    }
    make_age_restore(kept, target);
    make_age_wanted(kept, target);
    step->skipped = step->passed = true;
    return true;
}
