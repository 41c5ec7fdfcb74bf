/*
 * Making make see what is stale. The outputs of a step get a time before everything else; where
 * nothing is declared that they could be older than, they are put aside. What no make wants in the
 * end gets its time back, or its place, unless it is stale indeed.
 *
 * What users edit is theirs: a file called .config, and a text that is made once from nothing declared
 * (`config.h: ; cp config.def.h $@`), count as they are. Any other text that was changed since it was
 * made is kept as a copy before it is made again.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "load/make_state.h"

/* ---- what users edit ---- */

enum { TEXT_BYTES = 1 << 20 }; /* larger files are nobody's handwriting */

/* The bytes of a file that a person may have written, or NULL. */
static char *read_text(const struct make_state *kept, const char *path, size_t *length)
{
    struct stat st;
    if (fstatat(kept->now.root_fd, path, &st, 0) < 0 || !S_ISREG(st.st_mode) ||
        st.st_size > TEXT_BYTES)
        return NULL;
    char *full = path_join(kept->place.root, path), *bytes = file_read(full, length, NULL);
    free(full);
    if (bytes && memchr(bytes, '\0', *length)) {
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}

static bool is_users(const struct make_state *kept, const struct step_record *record,
                     const char *path)
{
    if (strcmp(path_base(path), ".config") == 0)
        return true;
    size_t length;
    char *text = record->flags & RUN_SOURCE ? read_text(kept, path, &length) : NULL;
    free(text);
    return text != NULL;
}

void make_age_adopt(struct make_state *kept)
{
    struct state *state = &kept->state;
    size_t records = state->records.len;
    for (text_id target = 0; target < records; target++) {
        const struct step_record *record = state_record(state, target);
        for (uint32_t i = 0; record && i < record->outputs; i++) {
            version_id made = record_outputs(record)[i];
            text_id text = state->versions.at[made].path;
            const char *path = intern_text(&state->texts, text);
            bool may_be = (record->flags & RUN_SOURCE) || str_ends(path, ".config");
            if (!may_be || path[0] == '/' || path != now_plain(path) || now_is(&kept->now, made) ||
                !is_users(kept, record, path))
                continue;
            struct identity id = now_identity(kept->now.root_fd, path);
            struct hash hash = identity_hash(kept->now.root_fd, path, &id);
            if (identity_absent(&id) || hash_equal(hash, hash_unknown))
                continue;
            version_id version = state_version(state, text, &id, hash);
            now_set(&kept->now, text, version);
            make_claims_adopt(kept, target, version);
            record = state_record(state, target);
        }
    }
}

/* Keeps what somebody wrote into an output before it is made again. */
static void keep_text(struct make_state *kept, const char *path)
{
    size_t length;
    char *text = read_text(kept, path, &length);
    if (!text)
        return;
    char *copy = mem_format("%s/changed/%s", kept->place.state_dir, path);
    struct err err = {0};
    bool done =
        file_make_parents(copy, &err) == 0 && file_write(copy, text, length, 0666, &err) == 0;
    if (done)
        build_say(kept->make->build, SEVERITY_NOTE,
                  "%s was changed since it was made; what it is now is kept in %s", path, copy);
    free(copy);
    free(text);
}

/* ---- getting old ---- */

static char *aside_path(const struct make_state *kept, text_id path)
{
    return mem_format("%s/aside/%u", kept->place.state_dir, path);
}

static const char *plain_text(const struct make_state *kept, text_id path)
{
    return now_plain(intern_text(&kept->state.texts, path));
}

static bool put_aside(const struct make_state *kept, text_id path)
{
    char *aside = aside_path(kept, path);
    bool done = file_make_parents(aside, NULL) == 0 &&
                renameat(kept->now.root_fd, plain_text(kept, path), AT_FDCWD, aside) == 0;
    free(aside);
    return done;
}

/* Back to its place, if that is free; else it goes. */
static void put_back(const struct make_state *kept, text_id path)
{
    char *aside = aside_path(kept, path);
    const char *name = plain_text(kept, path);
    if (faccessat(kept->now.root_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        renameat(AT_FDCWD, aside, kept->now.root_fd, name);
    else
        unlink(aside);
    free(aside);
}

static void make_output_old(struct make_state *kept, const struct step_record *record,
                            version_id made, bool stale)
{
    static const struct timespec old[2] = {{.tv_nsec = UTIME_OMIT}, {0}};
    struct state *state = &kept->state;
    text_id text = state->versions.at[made].path;
    const char *name = intern_text(&state->texts, text), *path = now_plain(name);
    bool link = name[0] == PATH_LINK;
    bool ours = now_is(&kept->now, made);
    struct stat st;
    if (path[0] == '/' || fstatat(kept->now.root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        ((!ours || (record->flags & RUN_EDITED)) && is_users(kept, record, path)))
        return;
    if (!ours && now_of(&kept->now, text) == NOW_OTHER && !link)
        keep_text(kept, path);
    struct aged aged = {record->target, text, st.st_mtim, false, stale};
    if ((link || (record->flags & RUN_SOURCE)) && !make_read_has(kept, path))
        aged.aside = put_aside(kept, text);
    else
        utimensat(kept->now.root_fd, path, old, 0);
    now_set(&kept->now, text, NOW_UNSEEN);
    vec_push(&kept->aged, aged);
    if (!ours || aged.aside)
        return;
    /* Its time is another, and nothing else. */
    struct identity id = identity_at(kept->now.root_fd, path);
    if (id.ino == st.st_ino && id.mtime_ns == 0)
        state_refresh(state, made, &id);
}

void make_age_outputs(struct make_state *kept, const struct step_record *record, bool stale)
{
    while (kept->aged_of.len <= record->target)
        vec_push(&kept->aged_of, 0);
    kept->aged_of.at[record->target] = (uint32_t)kept->aged.len + 1;
    for (uint32_t i = 0; i < record->outputs; i++)
        make_output_old(kept, record, record_outputs(record)[i], stale);
}

bool make_age_is_old(const struct make_state *kept, text_id target)
{
    return target < kept->aged_of.len && kept->aged_of.at[target];
}

/* ---- and young again ---- */

/* The first of a target's aged outputs; those that follow have the same target. */
static size_t first_of(const struct make_state *kept, text_id target)
{
    return target < kept->aged_of.len && kept->aged_of.at[target] ? kept->aged_of.at[target] - 1
                                                                  : kept->aged.len;
}

void make_age_bring_back(struct make_state *kept, text_id target)
{
    for (size_t i = first_of(kept, target); i < kept->aged.len && kept->aged.at[i].target == target;
         i++)
        if (kept->aged.at[i].aside) {
            put_back(kept, kept->aged.at[i].path);
            now_set(&kept->now, kept->aged.at[i].path, NOW_UNSEEN);
        }
}

void make_age_send_off(struct make_state *kept, text_id target)
{
    for (size_t i = first_of(kept, target); i < kept->aged.len && kept->aged.at[i].target == target;
         i++)
        if (kept->aged.at[i].aside) {
            put_aside(kept, kept->aged.at[i].path);
            now_set(&kept->now, kept->aged.at[i].path, NOW_UNSEEN);
        }
}

void make_age_wanted(struct make_state *kept, text_id target)
{
    while (kept->wanted.len <= target)
        vec_push(&kept->wanted, 0);
    kept->wanted.at[target] = 1;
}

static bool is_wanted(const struct make_state *kept, text_id target)
{
    return target < kept->wanted.len && kept->wanted.at[target];
}

bool make_age_stat(const struct make_state *kept, const char *path, struct stat *st)
{
    return fstatat(kept->now.root_fd, path, st, 0) == 0;
}

bool make_age_set(struct make_state *kept, const char *path, struct timespec mtime)
{
    struct state *state = &kept->state;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, mtime};
    text_id text = state_text(state, path);
    struct identity before = identity_at(kept->now.root_fd, path);
    version_id version = state_find_version(state, text, &before, NULL);
    if (identity_absent(&before) || utimensat(kept->now.root_fd, path, times, 0) < 0)
        return false;
    struct identity after = identity_at(kept->now.root_fd, path);
    if (version != VERSION_NONE && after.ino == before.ino && after.size == before.size)
        state_refresh(state, version, &after);
    else
        now_set(&kept->now, text, NOW_UNSEEN);
    return true;
}

/* As if nothing had been asked. */
static void give_time_back(struct make_state *kept, const struct aged *aged)
{
    const char *path = plain_text(kept, aged->path);
    struct identity id = identity_at(kept->now.root_fd, path);
    if (!identity_absent(&id) && id.mtime_ns == 0)
        make_age_set(kept, path, aged->mtime);
}

void make_age_restore(struct make_state *kept, text_id target)
{
    for (size_t i = first_of(kept, target); i < kept->aged.len && kept->aged.at[i].target == target;
         i++)
        if (!kept->aged.at[i].aside)
            give_time_back(kept, &kept->aged.at[i]);
}

static void leave(struct make_state *kept, text_id target)
{
    const struct step_record *record = state_record(&kept->state, target);
    if (!record || (record->flags & RUN_LEFT))
        return;
    struct step_record left = *record;
    left.flags |= RUN_LEFT;
    state_put(&kept->state, &left, record->ids);
}

void make_age_end(struct make_state *kept, bool good)
{
    for (size_t i = 0; i < kept->aged.len; i++) {
        const struct aged *aged = &kept->aged.at[i];
        bool wanted = is_wanted(kept, aged->target);
        if (aged->aside)
            put_back(kept, aged->path);
        else if (wanted || !aged->stale) /* made, but not written to; or fresh, and not asked for */
            give_time_back(kept, aged);
        if (good && !wanted && aged->stale)
            leave(kept, aged->target);
    }
    char *dir = mem_format("%s/aside", kept->place.state_dir);
    rmdir(dir);
    free(dir);
}
