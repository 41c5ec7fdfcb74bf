/* What decided the steps of a cone, as a snapshot. */
#include <stdlib.h>

#include "base/mem.h"
#include "plan/plan.h"
#include "state/snapshot.h"

/* The kind of a version, and its path without the mark. */
static enum snapshot_kind kind_of(const struct version *version, const char **path)
{
    char mark = (*path)[0];
    *path = now_plain(*path);
    if (hash_equal(version->hash, hash_absent))
        return SNAPSHOT_ABSENT;
    return mark == PATH_EXISTS ? SNAPSHOT_EXISTS
           : mark == PATH_LINK ? SNAPSHOT_LINK
                               : SNAPSHOT_FILE;
}

void plan_snapshot_version(const struct state *state, struct snapshot *snapshot, version_id id)
{
    const struct version *version = &state->versions.at[id];
    const char *path = intern_text(&state->texts, version->path);
    enum snapshot_kind kind = kind_of(version, &path);
    snapshot_add(snapshot, kind, path, &version->id);
}

/* A snapshot in the making. */
struct taking {
    const struct state *state;
    struct snapshot *snapshot;
    uint8_t *set_done; /* by set id */
    uint8_t
        *version_done; /* by version, of those there were at its begin: sets have many in common */
    size_t versions;
};

static struct taking begin(const struct plan *plan, struct snapshot *snapshot)
{
    return (struct taking){plan->state, snapshot, mem_zero(intern_count(&plan->state->sets) + 1, 1),
                           mem_zero(plan->state->versions.len + 1, 1), plan->state->versions.len};
}

static void end(struct taking *taking)
{
    free(taking->set_done);
    free(taking->version_done);
}

static void take_version(struct taking *taking, version_id id)
{
    bool known = id < taking->versions;
    if (!known || !taking->version_done[id])
        plan_snapshot_version(taking->state, taking->snapshot, id);
    if (known)
        taking->version_done[id] = 1;
}

static void take_record(struct taking *taking, const struct step_record *record)
{
    for (uint32_t i = 0; i < record->inputs; i++)
        take_version(taking, record->ids[i]);
    for (uint32_t i = 0; i < record->outputs; i++)
        take_version(taking, record_outputs(record)[i]);
    for (uint32_t i = 0; i < record->sets; i++) {
        set_id set = record->ids[record->inputs + i];
        struct set_walk walk = state_set(taking->state, set);
        for (version_id id; !taking->set_done[set] && set_next(&walk, &id);)
            take_version(taking, id);
        taking->set_done[set] = 1;
    }
}

static bool counts(const struct plan *plan, step_id step)
{
    return plan->in_cone[step] && !(plan->graph->steps.at[step].flags & STEP_PHONY);
}

bool plan_take_snapshot(struct plan *plan, struct snapshot *snapshot)
{
    struct taking taking = begin(plan, snapshot);
    bool good = true;
    for (step_id step = 0; good && step < plan->graph->steps.len; step++) {
        if (!counts(plan, step))
            continue;
        good = plan_judge(plan, step, NULL) == VERDICT_FRESH;
        if (good)
            take_record(&taking, plan_record_of(plan, step));
    }
    end(&taking);
    return good;
}

/* What differs from the last snapshot is in the new one where it has a known version: of all that fresh
 * steps use each is the present one. What has none is used by nobody any more. */
static void take_known(struct plan *plan, const char *mark, const char *path,
                       struct snapshot *changes)
{
    char *marked = mem_format("%s%s", mark, path);
    text_id text = intern_find(&plan->state->texts, marked);
    version_id version = text == INTERN_NONE ? NOW_OTHER : now_of(&plan->now, text);
    if (version != NOW_OTHER)
        plan_snapshot_version(plan->state, changes, version);
    free(marked);
}

static void take_differing(struct plan *plan, const struct snapshot_seen *last,
                           struct snapshot *changes)
{
    static const char list[] = {PATH_LIST, '\0'}, link[] = {PATH_LINK, '\0'};
    for (size_t i = 0; i < last->there; i++) {
        const struct snapshot_entry *entry = &last->entries[i];
        const char *path = last->names + entry->name;
        if (!(entry->flags & SNAPSHOT_DIFFERS))
            continue;
        if (entry->kind == SNAPSHOT_LINK)
            take_known(plan, link, path, changes);
        if (entry->kind != SNAPSHOT_FILE)
            continue;
        take_known(plan, "", path, changes);
        take_known(plan, list, path, changes);
    }
}

bool plan_take_changes(struct plan *plan, const struct snapshot_seen *last,
                       struct snapshot *changes)
{
    struct taking taking = begin(plan, changes);
    bool good = true;
    for (step_id step = 0; good && step < plan->graph->steps.len; step++) {
        bool ran = plan->verdict[step] == VERDICT_STALE;
        if (!counts(plan, step))
            continue;
        good = plan_judge(plan, step, NULL) == VERDICT_FRESH;
        if (good && ran)
            take_record(&taking, plan_record_of(plan, step));
    }
    if (good)
        take_differing(plan, last, changes);
    end(&taking);
    return good;
}
