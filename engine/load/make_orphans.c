/*
 * What builds of a make tree made and nothing wants any more. A step is alive where a goal's makes
 * considered it last, where they read what it makes, or where a step that is alive used it. (What a
 * list of headers says is no use: it may stand there for the orphan alone.) An orphan is what is not
 * alive, and was stale when a build ended well without wanting it: its source is gone, as a rule. What
 * is merely not considered may belong to a make that runs once, and would not be made again.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "load/load.h"
#include "load/make_state.h"

struct orphans {
    const struct state *state;
    uint8_t *alive; /* by target */
    uint8_t *used; /* by path's text id, without its mark */
};

static bool is_list_of_headers(const char *path)
{
    return str_ends(path, ".d") || str_ends(path, ".dep") || str_ends(path, ".Po") ||
           str_ends(path, ".Plo");
}

static void use_all(struct orphans *o, const struct step_record *record, bool is_goal)
{
    const struct state *state = o->state;
    for (uint32_t i = 0; i < record->sets; i++) {
        struct set_walk walk = state_set(state, record->ids[i]);
        for (version_id version; set_next(&walk, &version);) {
            const char *path =
                now_plain(intern_text(&state->texts, state->versions.at[version].path));
            text_id text = intern_find(&state->texts, path);
            if (text != INTERN_NONE && !(is_goal && is_list_of_headers(path)))
                o->used[text] = 1;
        }
    }
}

static text_id plain_output(const struct state *state, const struct step_record *record, uint32_t i)
{
    text_id text = state->versions.at[record_outputs(record)[i]].path;
    const char *path = intern_text(&state->texts, text);
    return path == now_plain(path) ? text : intern_find(&state->texts, now_plain(path));
}

static bool is_used(const struct orphans *o, const struct step_record *record)
{
    for (uint32_t i = 0; i < record->outputs; i++) {
        text_id text = plain_output(o->state, record, i);
        if (text != INTERN_NONE && o->used[text])
            return true;
    }
    return false;
}

static bool is_step(const struct state *state, text_id target)
{
    return state->records.at[target] && (unsigned char)intern_text(&state->texts, target)[0] >= ' ';
}

static void wake(struct orphans *o, text_id target)
{
    const struct step_record *record = o->state->records.at[target];
    o->alive[target] = 1;
    use_all(o, record, false);
    for (uint32_t i = 0; i < record->outputs; i++) { /* whoever makes the same is alive, too */
        text_id text = plain_output(o->state, record, i);
        if (text != INTERN_NONE)
            o->used[text] = 1;
    }
}

/* Where it begins: the goals. False where none is known. */
static bool wake_goals(struct orphans *o)
{
    const struct state *state = o->state;
    bool known = false;
    for (text_id key = 0; key < state->lists.len; key++) {
        const struct text_list *list = state->lists.at[key];
        if (!list || intern_text(&state->texts, key)[0] != KEY_STEPS)
            continue;
        known = true;
        for (uint32_t i = 0; i < list->count; i++)
            if (list->texts[i] < state->records.len && is_step(state, list->texts[i]))
                wake(o, list->texts[i]);
    }
    for (text_id target = 0; target < state->records.len; target++)
        if (state->records.at[target] && !is_step(state, target))
            use_all(o, state->records.at[target], true);
    return known;
}

void load_make_orphans(const struct state *state, int root_fd, load_orphan_fn *each, void *data)
{
    struct orphans o = {.state = state};
    size_t texts = intern_count(&state->texts) + 1;
    o.alive = mem_zero(texts, 1);
    o.used = mem_zero(texts, 1);
    bool known = wake_goals(&o);
    for (bool more = known; more;) {
        more = false;
        for (text_id target = 0; target < state->records.len; target++)
            if (is_step(state, target) && !o.alive[target] &&
                is_used(&o, state->records.at[target])) {
                wake(&o, target);
                more = true;
            }
    }
    for (text_id target = 0; known && target < state->records.len; target++) {
        const struct step_record *record = state->records.at[target];
        bool orphan = is_step(state, target) && !o.alive[target] && (record->flags & RUN_LEFT);
        for (uint32_t i = 0; orphan && i < record->outputs; i++) {
            const char *path = now_plain(
                intern_text(&state->texts, state->versions.at[record_outputs(record)[i]].path));
            struct stat st;
            if (path[0] != '/' && fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
                each(data, target, path);
        }
    }
    free(o.alive);
    free(o.used);
}
