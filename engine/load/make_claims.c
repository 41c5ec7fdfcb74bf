/*
 * Who makes which file. Most files have one maker; where a second step writes to what another made (a
 * strip in place, a menu that edits a configuration), both claim it, and the records of those who came
 * before have it as it was left by whoever came last: so that it counts as changed for none.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "load/make_state.h"

static bool claims(const struct make_state *kept, text_id path, text_id target)
{
    if (path < kept->makers.len && kept->makers.at[path] == target)
        return true;
    for (size_t i = 0; i < kept->shared.len; i++)
        if (kept->shared.at[i].path == path && kept->shared.at[i].target == target)
            return true;
    return false;
}

static void note(struct make_state *kept, text_id path, text_id target)
{
    while (kept->makers.len <= path)
        vec_push(&kept->makers, TEXT_NONE);
    if (claims(kept, path, target))
        return;
    if (kept->makers.at[path] == TEXT_NONE)
        kept->makers.at[path] = target;
    else
        vec_push(&kept->shared, (struct claim){path, target});
}

void make_claims_open(struct make_state *kept)
{
    const struct state *state = &kept->state;
    for (text_id target = 0; target < state->records.len; target++) {
        const struct step_record *record = state->records.at[target];
        for (uint32_t i = 0; record && i < record->outputs; i++)
            note(kept, state->versions.at[record_outputs(record)[i]].path, target);
    }
}

bool make_claims_has(const struct make_state *kept, const char *path)
{
    text_id text = intern_find(&kept->state.texts, path);
    return text < kept->makers.len && kept->makers.at[text] != TEXT_NONE;
}

/* A copy of the record with this version of the path; a run that is going on records its own. */
static void renew(struct make_state *kept, text_id target, version_id version, uint32_t more_flags)
{
    struct state *state = &kept->state;
    const struct step_record *record = state_record(state, target);
    if (!record || state_is_running(state, target))
        return;
    text_id path = state->versions.at[version].path;
    uint32_t first = record->inputs + record->sets, i = 0;
    while (i < record->outputs && state->versions.at[record->ids[first + i]].path != path)
        i++;
    if (i == record->outputs || record->ids[first + i] == version)
        return;
    size_t bytes = step_record_size(record) - sizeof *record;
    uint32_t *ids = memcpy(mem_alloc(bytes), record->ids, bytes);
    struct step_record renewed = *record;
    ids[first + i] = version;
    renewed.flags |= more_flags;
    state_put(state, &renewed, ids);
    free(ids);
}

/* Whether a file is the very target of a step; DIRECTORY//TARGET is one below a directory. */
static bool is_target(const struct make_state *kept, text_id step, text_id path)
{
    if (step == path)
        return true;
    const char *name = intern_text(&kept->state.texts, step), *cut = strstr(name, "//");
    const char *file = intern_text(&kept->state.texts, path);
    size_t length = cut ? (size_t)(cut - name) : 0;
    return cut && strncmp(name, file, length) == 0 && strcmp(cut + 1, file + length) == 0;
}

/* The version of a path that a step's record has, or VERSION_NONE. */
static version_id recorded_version(const struct make_state *kept, text_id target, text_id path)
{
    const struct step_record *record = state_record(&kept->state, target);
    for (uint32_t i = 0; record && i < record->outputs; i++)
        if (kept->state.versions.at[record_outputs(record)[i]].path == path)
            return record_outputs(record)[i];
    return VERSION_NONE;
}

version_id make_claims_last(const struct make_state *kept, text_id path)
{
    version_id last = VERSION_NONE;
    uint64_t last_ns = 0;
    for (size_t i = 0; i <= kept->shared.len; i++) {
        bool first = i == kept->shared.len;
        if (first ? path >= kept->makers.len : kept->shared.at[i].path != path)
            continue;
        text_id target = first ? kept->makers.at[path] : kept->shared.at[i].target;
        version_id version = recorded_version(kept, target, path);
        if (version == VERSION_NONE || state_record(&kept->state, target)->ended_ns < last_ns)
            continue;
        last = version;
        last_ns = state_record(&kept->state, target)->ended_ns;
    }
    return last;
}

/* Whether another maker's record is to have what was left now: it ran before in this build, or was passed
 * over; or make did not come to it, but it came before when both made the file last; or the file is its
 * very target, to which something was added later. Else it has to run once more, behind this. */
static bool comes_before(const struct make_state *kept, text_id other, text_id path,
                         const struct claimed *before)
{
    const struct step_record *record = state_record(&kept->state, other);
    if (is_target(kept, other, path))
        return true;
    if (before->appended != VERSION_NONE) { /* to what it knows? */
        version_id version = recorded_version(kept, other, path);
        return version != VERSION_NONE &&
               hash_equal(kept->state.versions.at[version].hash,
                          kept->state.versions.at[before->appended].hash);
    }
    return (other < kept->recorded.len && kept->recorded.at[other]) ||
           (other < kept->wanted.len && kept->wanted.at[other]) ||
           (record && record->ended_ns < before->ended_ns);
}

void make_claims_add(struct make_state *kept, text_id target, version_id version,
                     const struct claimed *before)
{
    text_id path = kept->state.versions.at[version].path;
    note(kept, path, target);
    text_id first = kept->makers.at[path];
    if (first != target && comes_before(kept, first, path, before))
        renew(kept, first, version, 0);
    for (size_t i = 0; i < kept->shared.len; i++)
        if (kept->shared.at[i].path == path && kept->shared.at[i].target != target &&
            comes_before(kept, kept->shared.at[i].target, path, before))
            renew(kept, kept->shared.at[i].target, version, 0);
}

void make_claims_adopt(struct make_state *kept, text_id target, version_id version)
{
    renew(kept, target, version, RUN_EDITED);
}
