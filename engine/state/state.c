#include "state/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path.h"

int state_open(struct state *state, const char *dir, enum state_mode mode, struct str *notes,
               struct err *err)
{
    *state = (struct state){.fd = -1};
    pthread_mutex_init(&state->lock, NULL);
    if (mode == STATE_WRITE && file_make_dirs(dir, err) < 0)
        return -1;
    state->path = path_join(dir, "state");
    state->existed = access(state->path, F_OK) == 0;
    if (mode == STATE_WRITE) {
        state->fd = open(state->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (state->fd < 0)
            return err_errno(err, "cannot write %s", state->path);
    }
    if (log_load(state, mode, notes, err) < 0)
        return -1;
    enum { DEAD_BYTES = 512 * 1024 };
    if (mode == STATE_WRITE && state->dead_bytes > DEAD_BYTES &&
        state->dead_bytes > state->length / 2)
        return log_compact(state, err);
    return 0;
}

void state_close(struct state *state)
{
    if (state->fd >= 0)
        close(state->fd);
    free(state->path);
    free(state->loaded);
    arena_free(&state->arena);
    intern_free(&state->texts);
    intern_free(&state->sets);
    vec_free(&state->versions);
    vec_free(&state->latest);
    vec_free(&state->records);
    vec_free(&state->running);
    vec_free(&state->lists);
    str_free(&state->pending);
    pthread_mutex_destroy(&state->lock);
    *state = (struct state){.fd = -1};
}

size_t step_record_size(const struct step_record *record)
{
    return sizeof *record +
           sizeof(uint32_t) * ((size_t)record->inputs + record->sets + record->outputs);
}

bool state_add_text(struct state *state, const char *text, size_t length)
{
    pthread_mutex_lock(&state->lock);
    uint32_t before = intern_count(&state->texts), id = intern_id_n(&state->texts, text, length);
    while (state->latest.len < intern_count(&state->texts)) {
        vec_push(&state->latest, VERSION_NONE);
        vec_push(&state->records, NULL);
    }
    pthread_mutex_unlock(&state->lock);
    return id == before;
}

text_id state_text(struct state *state, const char *text)
{
    text_id id = intern_find(&state->texts, text);
    if (id != INTERN_NONE)
        return id;
    size_t length = strlen(text);
    state_add_text(state, text, length);
    log_append(&state->pending, RECORD_TEXT, text, length);
    return intern_count(&state->texts) - 1;
}

const struct step_record *state_record(const struct state *state, text_id target)
{
    return target < state->records.len ? state->records.at[target] : NULL;
}

void state_place(struct state *state, const struct step_record *record)
{
    const struct step_record *old = state->records.at[record->target];
    if (old)
        state->dead_bytes += step_record_size(old) + RECORD_HEAD_BYTES;
    else
        state->steps++;
    state->records.at[record->target] = record;
    state_mark(state, record->target, false);
}

void state_mark(struct state *state, text_id target, bool running)
{
    while (state->running.len <= target)
        vec_push(&state->running, 0);
    state->running.at[target] = running;
}

bool state_is_running(const struct state *state, text_id target)
{
    return target < state->running.len && state->running.at[target];
}

void state_begin(struct state *state, text_id target)
{
    if (state_is_running(state, target))
        return;
    state_mark(state, target, true);
    log_append(&state->pending, RECORD_BEGIN, &target, sizeof target);
    state->dead_bytes += sizeof(uint64_t) + RECORD_HEAD_BYTES;
}

const struct text_list *state_list(const struct state *state, text_id key)
{
    return key < state->lists.len ? state->lists.at[key] : NULL;
}

void state_place_list(struct state *state, const struct text_list *list)
{
    while (state->lists.len <= list->key)
        vec_push(&state->lists, NULL);
    if (state->lists.at[list->key])
        state->dead_bytes += sizeof *list + list->count * sizeof list->texts[0];
    state->lists.at[list->key] = list;
}

void state_put_list(struct state *state, text_id key, const text_id *texts, size_t count)
{
    const struct text_list *old = state_list(state, key);
    if (old && old->count == count && memcmp(old->texts, texts, count * sizeof *texts) == 0)
        return;
    size_t size = sizeof *old + count * sizeof *texts;
    struct text_list *list = arena_alloc(&state->arena, size);
    *list = (struct text_list){key, (uint32_t)count};
    if (count)
        memcpy(list->texts, texts, count * sizeof *texts);
    log_append(&state->pending, RECORD_LIST, list, size);
    state_place_list(state, list);
}

void state_add_version(struct state *state, text_id path, const struct identity *id,
                       struct hash hash)
{
    /* Most often nobody names an older version any more; compaction looks, this only guesses. */
    if (state->latest.at[path] != VERSION_NONE)
        state->dead_bytes += sizeof(struct version) + RECORD_HEAD_BYTES;
    pthread_mutex_lock(&state->lock);
    vec_push(&state->versions, (struct version){path, state->latest.at[path], *id, hash});
    state->latest.at[path] = (version_id)state->versions.len - 1;
    pthread_mutex_unlock(&state->lock);
}

/* A version as on disk. */
struct version_payload {
    text_id path;
    uint32_t zero;
    struct identity id;
    struct hash hash;
};

version_id state_find_version(const struct state *state, text_id path, const struct identity *id,
                              const struct hash *hash)
{
    version_id at = state->latest.at[path];
    while (at != VERSION_NONE) {
        const struct version *version = &state->versions.at[at];
        if (hash ? hash_equal(version->hash, *hash) : identity_equal(&version->id, id))
            return at;
        at = version->before;
    }
    return VERSION_NONE;
}

version_id state_version(struct state *state, text_id path, const struct identity *id,
                         struct hash hash)
{
    version_id known = state_find_version(state, path, NULL, &hash);
    if (known != VERSION_NONE) {
        state_refresh(state, known, id);
        return known;
    }
    struct version_payload payload = {path, 0, *id, hash};
    log_append(&state->pending, RECORD_VERSION, &payload, sizeof payload);
    state_add_version(state, path, id, hash);
    return state->latest.at[path];
}

void state_refresh(struct state *state, version_id version, const struct identity *id)
{
    struct version *known = &state->versions.at[version];
    if (identity_equal(&known->id, id))
        return;
    pthread_mutex_lock(&state->lock);
    known->id = *id;
    pthread_mutex_unlock(&state->lock);
    struct {
        version_id version;
        uint32_t zero;
        struct identity id;
    } payload = {version, 0, *id};
    log_append(&state->pending, RECORD_REFRESH, &payload, sizeof payload);
    state->dead_bytes += sizeof payload + RECORD_HEAD_BYTES;
}

void state_put(struct state *state, const struct step_record *record, const uint32_t *ids)
{
    size_t size = step_record_size(record);
    struct step_record *copy = arena_alloc(&state->arena, size);
    *copy = *record;
    memcpy(copy->ids, ids, size - sizeof *record);
    log_append(&state->pending, RECORD_STEP, copy, size);
    state_place(state, copy);
}

void state_forget(struct state *state, text_id target)
{
    if (!state_record(state, target) && !state_is_running(state, target))
        return;
    if (state_record(state, target)) {
        state->dead_bytes += step_record_size(state->records.at[target]) + RECORD_HEAD_BYTES;
        state->records.at[target] = NULL;
        state->steps--;
    }
    state_mark(state, target, false);
    log_append(&state->pending, RECORD_FORGET, &target, sizeof target);
}

int state_commit(struct state *state, struct err *err)
{
    size_t done = 0;
    while (state->fd >= 0 && done < state->pending.len) {
        ssize_t wrote = pwrite(state->fd, state->pending.at + done, state->pending.len - done,
                               (off_t)(state->length + done));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            err_errno(err, "cannot write %s", state->path);
            /* Half a record is cut by the next reader too; this only tidies. */
            if (ftruncate(state->fd, (off_t)state->length) < 0)
                return -1;
            return -1;
        }
        done += (size_t)wrote;
    }
    state->length += done;
    str_cut(&state->pending, 0);
    return 0;
}

bool state_known_hash(struct state *state, const char *path, const struct identity *id,
                      struct hash *hash)
{
    bool known = false;
    pthread_mutex_lock(&state->lock);
    text_id text = intern_find(&state->texts, path);
    if (text != INTERN_NONE && text < state->latest.len) {
        version_id version = state_find_version(state, text, id, NULL);
        known =
            version != VERSION_NONE && !hash_equal(state->versions.at[version].hash, hash_unknown);
        if (known)
            *hash = state->versions.at[version].hash;
    }
    pthread_mutex_unlock(&state->lock);
    return known;
}
