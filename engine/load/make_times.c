/*
 * The times of files after a make in which steps were passed over. Their targets keep the times that
 * they had, so that nobody is wanted on their account. Now, at the make's end, each gets the time of the newest file that it is
 * made of, where that is newer; and so does whatever is made of it and is up to date.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/path.h"
#include "load/make_database.h"
#include "load/make_state.h"

enum look { NOT_LOOKED, LOOKING, SAME, NEWER };

/* The path from the root on, or an absolute one. */
static char *path_of(const struct database *base, uint32_t id)
{
    const struct make_process *owner = base->make->makes.at[base->number];
    char *joined = path_join(owner->directory, intern_text(&base->names, id));
    char *clean = path_clean(joined);
    free(joined);
    return clean;
}

static bool later(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* A header is needed by a thousand: each file is looked at once. */
static struct entry *look_at(struct database *base, uint32_t id)
{
    struct entry *entry = &base->entries.at[id];
    if (entry->looked)
        return entry;
    char *path = path_of(base, id);
    struct stat st;
    entry->looked = true;
    entry->there = make_age_stat(base->make->kept, path, &st);
    if (entry->there) {
        entry->regular = S_ISREG(st.st_mode);
        entry->mtime = st.st_mtim;
    }
    free(path);
    return entry;
}

/* Makes the file as new as the newest that it needs. True where that was a change. */
static bool catch_up(struct database *base, uint32_t id)
{
    struct entry *entry = look_at(base, id);
    struct timespec newest = {0};
    for (uint32_t k = 0; k < entry->needs_count; k++) {
        if (base->soft.at[entry->needs + k])
            continue;
        const struct entry *need = look_at(base, base->links.at[entry->needs + k]);
        if (need->there && later(need->mtime, newest))
            newest = need->mtime;
    }
    if (!entry->there || !entry->regular || !later(newest, entry->mtime))
        return false;
    char *path = path_of(base, id);
    bool newer = make_age_set(base->make->kept, path, newest);
    free(path);
    if (newer)
        entry->mtime = newest;
    return newer;
}

/* Whether a target's time has changed here, its prerequisites' first. */
static bool is_newer(struct database *base, uint32_t id)
{
    struct entry *entry = &base->entries.at[id];
    if (entry->aged != NOT_LOOKED)
        return entry->aged == NEWER;
    entry->aged = LOOKING;
    bool touched = false;
    for (uint32_t k = 0; k < entry->needs_count; k++) {
        bool newer = is_newer(base, base->links.at[entry->needs + k]);
        touched |= newer && !base->soft.at[entry->needs + k];
    }
    uint32_t maker = entry->makes_it != NO_ENTRY ? entry->makes_it : id;
    uint32_t step = base->entries.at[maker].step;
    touched |= step != EVENT_NONE && base->make->steps.at[step]->skipped;
    bool made = entry->has_recipe || entry->makes_it != NO_ENTRY;
    entry->aged =
        touched && made && entry->succeeded && !entry->phony && catch_up(base, id) ? NEWER : SAME;
    return entry->aged == NEWER;
}

void database_times(struct database *base)
{
    if (!base->make->kept || !base->make->kept->open)
        return;
    for (uint32_t i = 0; i < base->entries.len; i++)
        is_newer(base, i);
}
