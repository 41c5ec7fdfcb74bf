/* Why a step of a make tree would run, by the records alone: make is not asked. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/text.h"
#include "load/load.h"
#include "load/make_state.h"

struct load_explaining {
    struct make_state *kept;
    struct make_judgement judgement;
    bool judged;
    str_list texts; /* that explanations point into */
};

/* DIRECTORY//TARGET as a person says it. */
static char *plain_name(const char *target)
{
    const char *cut = strstr(target, "//");
    return cut ? mem_format("%.*s%s", (int)(cut - target), target, cut + 1) : mem_copy(target);
}

static bool is_step(const struct state *state, text_id target)
{
    return state_record(state, target) &&
           (unsigned char)intern_text(&state->texts, target)[0] >= ' ';
}

/* Of two steps of one name, one runs the make that has the other: the latter makes the file. */
static bool is_nearer(const struct state *state, text_id target, text_id other)
{
    return !(state_record(state, target)->flags & RUN_NESTS) &&
           (state_record(state, other)->flags & RUN_NESTS);
}

/* The step that a name means: its target, a file that it makes, or the end of exactly one of these. */
static text_id find_step(const struct make_state *kept, const char *name, bool *several)
{
    const struct state *state = &kept->state;
    text_id found = TEXT_NONE, text = intern_find(&state->texts, name);
    char *end = mem_format("/%s", name), *of_found = NULL;
    bool exact = false;
    *several = false;
    for (text_id target = 0; target < state->records.len; target++) {
        if (!is_step(state, target))
            continue;
        char *plain = plain_name(intern_text(&state->texts, target));
        bool same = strcmp(plain, name) == 0;
        bool fits = same || (!exact && str_ends(plain, end));
        bool again = fits && of_found && strcmp(plain, of_found) == 0;
        if (fits && (again ? is_nearer(state, target, found) : same || !of_found)) {
            found = target;
            exact = same;
            *several = false;
        } else if (fits && !again) {
            *several = true;
        }
        if (fits && found == target) {
            free(of_found);
            of_found = plain;
        } else {
            free(plain);
        }
    }
    free(of_found);
    free(end);
    if (!exact && text < kept->makers.len && kept->makers.at[text] != TEXT_NONE) {
        *several = false;
        return kept->makers.at[text];
    }
    return found;
}

static bool is_used(const struct make_state *kept, const char *name)
{
    text_id text = intern_find(&kept->state.texts, name);
    return text != INTERN_NONE && text < kept->state.latest.len &&
           kept->state.latest.at[text] != VERSION_NONE;
}

static int refuse(const struct make_state *kept, const char *name, bool several, struct err *err)
{
    const struct state *state = &kept->state;
    str_list names = {0};
    if (several)
        return err_set(err, ERR_INPUT, "'%s' may mean several targets; say its path from %s on",
                       name, kept->place.root);
    for (text_id target = 0; target < state->records.len; target++)
        if (is_step(state, target))
            vec_push(&names, plain_name(intern_text(&state->texts, target)));
    const char *near = text_nearest(name, (const char *const *)names.at, names.len);
    err_set(err, ERR_INPUT, "no build of %s made or used %s%s%s%s", kept->place.root, name,
            near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    str_list_free(&names);
    return -1;
}

/* What a step used, or makes as well, that a stale step will make anew: that step, and the path. */
static text_id cause_of(const struct load_explaining *explaining, const struct step_record *record,
                        const char **path)
{
    const struct make_state *kept = explaining->kept;
    const struct state *state = &kept->state;
    for (uint32_t i = 0; i < record->sets; i++) {
        struct set_walk walk = state_set(state, record->ids[i]);
        for (version_id version; set_next(&walk, &version);) {
            text_id text = state->versions.at[version].path;
            text_id maker = text < kept->makers.len ? kept->makers.at[text] : TEXT_NONE;
            if (!explaining->judgement.dirty[text] || maker == TEXT_NONE || maker == record->target)
                continue;
            *path = now_plain(intern_text(&state->texts, text));
            return maker;
        }
    }
    return TEXT_NONE;
}

static const char *keep(struct load_explaining *explaining, char *text)
{
    vec_push(&explaining->texts, text);
    return text;
}

/* The four words of a recorded reason. */
static void split(struct load_explaining *explaining, text_id why, struct load_cause *cause)
{
    char *at = mem_copy(intern_text(&explaining->kept->state.texts, why));
    const char **const words[] = {&cause->reason, &cause->path, &cause->was, &cause->now};
    keep(explaining, at);
    for (size_t i = 0; i < 4 && at; i++) {
        char *end = strchr(at, '\t');
        if (end)
            *end = '\0';
        *words[i] = *at ? at : NULL;
        at = end ? end + 1 : NULL;
    }
}

/* From the step down to what started it all. */
static void find_chain(struct load_explaining *explaining, text_id target,
                       struct load_explained *out)
{
    enum { LONGEST = 64 };
    const struct make_state *kept = explaining->kept;
    while (out->chain.len < LONGEST && target < explaining->judgement.records &&
           explaining->judgement.stale[target]) {
        text_id why = make_stale_why(kept, target), next = TEXT_NONE;
        struct load_cause cause = {0};
        if (why != TEXT_NONE) {
            split(explaining, why, &cause);
        } else {
            cause.reason = "input";
            next = cause_of(explaining, state_record(&kept->state, target), &cause.path);
        }
        cause.target = keep(explaining, plain_name(intern_text(&kept->state.texts, target)));
        vec_push(&out->chain, cause);
        target = next;
    }
}

/* Whether the makes of the goal whose key this is considered the step. */
static bool goal_considers(const struct make_state *kept, text_id goal, text_id step)
{
    char *key = mem_format("%c%s", KEY_STEPS, intern_text(&kept->state.texts, goal) + 1);
    text_id text = intern_find(&kept->state.texts, key);
    const struct text_list *steps = text == INTERN_NONE ? NULL : state_list(&kept->state, text);
    free(key);
    for (uint32_t i = 0; steps && i < steps->count; i++)
        if (steps->texts[i] == step)
            return true;
    return false;
}

/* What the makes of each goal with the step read, listed or looked for in vain and what is another now; NULL
 * where one of them would find all as it was. */
static const char *find_changed(struct load_explaining *explaining, text_id step)
{
    struct make_state *kept = explaining->kept;
    const char *changed = NULL;
    for (text_id goal = 0; goal < kept->state.records.len; goal++) {
        const struct step_record *record = state_record(&kept->state, goal);
        text_id why = TEXT_NONE;
        if (!record || intern_text(&kept->state.texts, goal)[0] != KEY_READ ||
            !goal_considers(kept, goal, step))
            continue;
        if (make_stale_holds(kept, record, &why))
            return NULL;
        struct load_cause cause = {0};
        split(explaining, why, &cause);
        changed = cause.path ? cause.path : "the environment";
    }
    return changed;
}

struct load_explaining *load_explain_open(const char *root, const char *state_dir, struct err *err)
{
    struct make_state *kept = make_state_read(root, state_dir, err);
    if (!kept)
        return NULL;
    struct load_explaining *explaining = mem_zero(1, sizeof *explaining);
    explaining->kept = kept;
    return explaining;
}

int load_explain(struct load_explaining *explaining, const char *name, struct load_explained *out,
                 struct err *err)
{
    struct make_state *kept = explaining->kept;
    bool several;
    *out = (struct load_explained){0};
    text_id target = find_step(kept, name, &several);
    if (target == TEXT_NONE || several) {
        if (several || !is_used(kept, name))
            return refuse(kept, name, several, err);
        out->target = keep(explaining, mem_copy(name));
        return 0;
    }
    const struct step_record *record = out->record = state_record(&kept->state, target);
    if (explaining->judged)
        make_judgement_free(&explaining->judgement);
    /* What is stale and no goal wants any more makes nothing stale, but is so itself. */
    make_stale_judge(kept, record->flags & RUN_LEFT, &explaining->judgement);
    explaining->judged = true;
    const uint32_t each_time = RUN_ALWAYS | RUN_FORCED;
    char *command = mem_copy(intern_text(&kept->state.texts, record->command));
    out->command = keep(explaining, command);
    for (char *end; (end = strchr(command, '\1')); command = end + 1)
        *end = '\n';
    out->rule = make_rule_of(out->command);
    out->target = keep(explaining, plain_name(intern_text(&kept->state.texts, target)));
    out->each_time = record->flags & each_time;
    out->changed = find_changed(explaining, target);
    if (record->why != TEXT_NONE)
        split(explaining, record->why, &out->last);
    find_chain(explaining, target, out);
    return 0;
}

void load_explain_close(struct load_explaining *explaining)
{
    if (!explaining)
        return;
    if (explaining->judged)
        make_judgement_free(&explaining->judgement);
    make_state_unread(explaining->kept);
    str_list_free(&explaining->texts);
    free(explaining);
}
