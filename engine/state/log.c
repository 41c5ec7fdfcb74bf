/*
 * The log of a state on disk. In the machine's own byte order (a foreign one is not ours):
 *
 *   header   "gantry\0S", u32 schema, u32 0x01020304
 *   record   u32 payload bytes, u32 type, u64 XXH3-64 of the payload seeded with length and type;
 *            payload, filled up with zeros to a multiple of 8
 *
 *   text     bytes; texts are numbered in the order of their records, from 0
 *   version  u32 path, u32 0, identity, hash; numbered likewise
 *   refresh  u32 version, u32 0, identity: the version's file has a new identity
 *   step     struct step_record: replaces the target's one before
 *   forget   u32 target
 *   set      versions, as state.h says; numbered from 0
 *   begin    u32 target: until its next step or forget, a run of it is not known to have ended
 *   list     struct text_list: replaces the key's one before
 *
 * Every record refers only to what stands before it, so any prefix is a valid state. Later types
 * can be added under the same schema; a type that is not known is passed over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/mem.h"
#include "state/state.h"

enum { SCHEMA = 2, ORDER = 0x01020304 };

struct header {
    char magic[8];
    uint32_t schema, order;
};

struct record {
    uint32_t length, type;
    uint64_t check;
};

static const struct header our_header = {"gantry\0S", SCHEMA, ORDER};

static uint64_t check_of(const struct record *record, const void *payload)
{
    return XXH3_64bits_withSeed(payload, record->length,
                                (uint64_t)record->type << 32 | record->length);
}

static size_t padded(size_t length)
{
    return (length + 7) & ~(size_t)7;
}

void log_append(struct str *out, enum record_type type, const void *payload, size_t length)
{
    static const char zeros[8];
    struct record record = {(uint32_t)length, (uint32_t)type, 0};
    record.check = check_of(&record, payload);
    str_add_n(out, (const char *)&record, sizeof record);
    str_add_n(out, payload, length);
    str_add_n(out, zeros, padded(length) - length);
}

/* Payloads as in the comment above. */
struct version_payload {
    text_id path;
    uint32_t zero;
    struct identity id;
    struct hash hash;
};
struct refresh_payload {
    version_id version;
    uint32_t zero;
    struct identity id;
};

static bool load_step(struct state *state, const struct step_record *record, size_t length)
{
    uint32_t texts = intern_count(&state->texts);
    if (length < sizeof *record || length != step_record_size(record) || record->target >= texts ||
        record->command >= texts || (record->why != TEXT_NONE && record->why >= texts))
        return false;
    size_t count = (length - sizeof *record) / sizeof record->ids[0];
    for (size_t i = 0; i < count; i++) {
        bool set = i >= record->inputs && i - record->inputs < record->sets;
        if (record->ids[i] >= (set ? intern_count(&state->sets) : state->versions.len))
            return false;
    }
    state_place(state, record);
    return true;
}

static bool load_list(struct state *state, const struct text_list *list, size_t length)
{
    uint32_t texts = intern_count(&state->texts);
    if (length < sizeof *list || length - sizeof *list != list->count * sizeof list->texts[0] ||
        list->key >= texts)
        return false;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->texts[i] >= texts)
            return false;
    state_place_list(state, list);
    return true;
}

/* Takes one record in; false where it contradicts itself though its checksum holds. */
static bool load_record(struct state *state, const struct record *record)
{
    const void *payload = record + 1;
    const struct version_payload *version = payload;
    const struct refresh_payload *refresh = payload;
    switch (record->type) {
    case RECORD_TEXT:
        return !memchr(payload, '\0', record->length) &&
               state_add_text(state, payload, record->length);
    case RECORD_VERSION:
        if (record->length != sizeof *version || version->path >= intern_count(&state->texts))
            return false;
        state_add_version(state, version->path, &version->id, version->hash);
        return true;
    case RECORD_REFRESH:
        if (record->length != sizeof *refresh || refresh->version >= state->versions.len)
            return false;
        state->versions.at[refresh->version].id = refresh->id;
        state->dead_bytes += sizeof *refresh + RECORD_HEAD_BYTES;
        return true;
    case RECORD_STEP:
        return load_step(state, payload, record->length);
    case RECORD_FORGET: {
        text_id target;
        memcpy(&target, payload, sizeof target);
        if (record->length != sizeof target || target >= state->records.len)
            return false;
        if (state->records.at[target]) {
            state->dead_bytes += step_record_size(state->records.at[target]) + RECORD_HEAD_BYTES;
            state->records.at[target] = NULL;
            state->steps--;
        }
        state_mark(state, target, false);
        return true;
    }
    case RECORD_BEGIN: {
        text_id target;
        memcpy(&target, payload, sizeof target);
        if (record->length != sizeof target || target >= state->records.len)
            return false;
        state_mark(state, target, true);
        state->dead_bytes += sizeof(uint64_t) + RECORD_HEAD_BYTES;
        return true;
    }
    case RECORD_LIST:
        return load_list(state, payload, record->length);
    case RECORD_SET:
        return state_take_set(state, payload, record->length);
    default:
        return true;
    }
}

/* Reads the records of `loaded`; gives where the good ones end. */
static size_t load_records(struct state *state, size_t size)
{
    size_t at = sizeof(struct header);
    while (size - at >= sizeof(struct record)) {
        const struct record *record = (const void *)(state->loaded + at);
        size_t room = size - at - sizeof *record;
        if (record->length > room || padded(record->length) > room ||
            record->check != check_of(record, record + 1) || !load_record(state, record))
            break;
        at += sizeof *record + padded(record->length);
    }
    return at;
}

/* Moves a file that is not ours out of the way and starts a new one. */
static int set_aside(struct state *state, struct str *notes, struct err *err)
{
    char *aside = mem_format("%s.foreign", state->path);
    int status = 0;
    if (rename(state->path, aside) < 0)
        status = err_errno(err, "cannot move %s aside", state->path);
    else
        str_addf(notes,
                 "%s is not a state of this Gantry; it was moved to %s, and all is built anew",
                 state->path, aside);
    free(aside);
    if (status == 0) {
        close(state->fd);
        state->fd = open(state->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (state->fd < 0)
            status = err_errno(err, "cannot write %s", state->path);
    }
    return status;
}

static int start_log(struct state *state, struct err *err)
{
    if (file_pwrite(state->fd, state->path, &our_header, sizeof our_header, 0, err) < 0)
        return -1;
    state->length = sizeof our_header;
    return 0;
}

int log_load(struct state *state, enum state_mode mode, struct str *notes, struct err *err)
{
    size_t size = 0;
    if (mode == STATE_READ && access(state->path, F_OK) < 0)
        return 0;
    state->loaded = file_read(state->path, &size, err);
    if (!state->loaded)
        return -1;
    bool ours = size >= sizeof our_header && !memcmp(state->loaded, &our_header, sizeof our_header);
    if (!ours) {
        /* Shorter than a header and a beginning of one: killed while it was made, or cut. */
        bool begun = size < sizeof our_header && !memcmp(state->loaded, &our_header, size);
        if (mode == STATE_READ)
            return 0;
        if (!begun && set_aside(state, notes, err) < 0)
            return -1;
        if (begun && state->existed)
            str_addf(notes, "%s was cut to %zu bytes; all is built anew", state->path, size);
        return start_log(state, err);
    }
    enum { BYTES_A_TEXT = 200 }; /* of log, with the versions and records that go with it */
    intern_reserve(&state->texts, size / BYTES_A_TEXT);
    size_t good = load_records(state, size);
    state->length = good;
    if (good == size || mode == STATE_READ)
        return 0;
    str_addf(notes, "%s was damaged at byte %zu of %zu; what follows is dropped and built anew",
             state->path, good, size);
    if (ftruncate(state->fd, (off_t)good) < 0)
        return err_errno(err, "cannot write %s", state->path);
    return 0;
}

/* While compacting: new ids of what is written already. */
struct renumber {
    const struct state *state;
    struct str out;
    uint32_t *text, *version, *set;
    uint32_t texts, versions, sets;
};

static text_id new_text(struct renumber *to, text_id old)
{
    if (old == TEXT_NONE)
        return old;
    if (to->text[old] == TEXT_NONE) {
        to->text[old] = to->texts++;
        log_append(&to->out, RECORD_TEXT, intern_text(&to->state->texts, old),
                   to->state->texts.lengths_of.at[old]);
    }
    return to->text[old];
}

static version_id new_version(struct renumber *to, version_id old)
{
    if (to->version[old] == VERSION_NONE) {
        const struct version *version = &to->state->versions.at[old];
        struct version_payload payload = {new_text(to, version->path), 0, version->id,
                                          version->hash};
        log_append(&to->out, RECORD_VERSION, &payload, sizeof payload);
        to->version[old] = to->versions++;
    }
    return to->version[old];
}

static int by_number(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, two = *(const uint32_t *)b;
    return one < two ? -1 : one > two;
}

static set_id new_set(struct renumber *to, set_id old)
{
    if (to->set[old] != UINT32_MAX)
        return to->set[old];
    id_list versions = {0};
    struct set_walk walk = state_set(to->state, old);
    for (version_id version; set_next(&walk, &version);)
        vec_push(&versions, new_version(to, version));
    if (versions.len)
        qsort(versions.at, versions.len, sizeof *versions.at, by_number);
    struct str bytes = {0};
    set_encode(&bytes, versions.at, versions.len);
    log_append(&to->out, RECORD_SET, str_text(&bytes), bytes.len);
    str_free(&bytes);
    vec_free(&versions);
    return to->set[old] = to->sets++;
}

static void write_list(struct renumber *to, const struct text_list *list)
{
    size_t size = sizeof *list + list->count * sizeof list->texts[0];
    struct text_list *renewed = mem_alloc(size);
    *renewed = (struct text_list){new_text(to, list->key), list->count};
    for (uint32_t i = 0; i < list->count; i++)
        renewed->texts[i] = new_text(to, list->texts[i]);
    log_append(&to->out, RECORD_LIST, renewed, size);
    free(renewed);
}

/* All that the steps' records need, in a new numbering. */
static void write_alive(struct renumber *to)
{
    const struct state *state = to->state;
    VEC(char) copy = {0};
    str_add_n(&to->out, (const char *)&our_header, sizeof our_header);
    for (text_id target = 0; target < state->records.len; target++) {
        const struct step_record *record = state->records.at[target];
        if (!record)
            continue;
        size_t size = step_record_size(record);
        vec_reserve(&copy, size);
        struct step_record *renewed = (void *)copy.at;
        memcpy(renewed, record, size);
        renewed->target = new_text(to, record->target);
        renewed->command = new_text(to, record->command);
        renewed->why = new_text(to, record->why);
        size_t count = (size - sizeof *record) / sizeof record->ids[0];
        for (size_t i = 0; i < count; i++) {
            bool set = i >= record->inputs && i - record->inputs < record->sets;
            renewed->ids[i] = set ? new_set(to, record->ids[i]) : new_version(to, record->ids[i]);
        }
        log_append(&to->out, RECORD_STEP, renewed, size);
    }
    vec_free(&copy);
    for (text_id target = 0; target < state->running.len; target++)
        if (state->running.at[target]) {
            text_id renewed = new_text(to, target);
            log_append(&to->out, RECORD_BEGIN, &renewed, sizeof renewed);
        }
    for (text_id key = 0; key < state->lists.len; key++)
        if (state->lists.at[key])
            write_list(to, state->lists.at[key]);
}

int log_compact(struct state *state, struct err *err)
{
    struct renumber to = {.state = state};
    size_t texts = intern_count(&state->texts);
    to.text = mem_alloc(texts * sizeof *to.text);
    memset(to.text, 0xff, texts * sizeof *to.text);
    to.version = mem_alloc(state->versions.len * sizeof *to.version);
    memset(to.version, 0xff, state->versions.len * sizeof *to.version);
    to.set = mem_alloc(intern_count(&state->sets) * sizeof *to.set);
    memset(to.set, 0xff, intern_count(&state->sets) * sizeof *to.set);
    write_alive(&to);
    int status = file_write(state->path, to.out.at, to.out.len, 0666, err);
    str_free(&to.out);
    free(to.text);
    free(to.version);
    free(to.set);
    if (status < 0)
        return -1;
    char *path = mem_copy(state->path);
    state_close(state);
    pthread_mutex_init(&state->lock, NULL);
    state->path = path;
    state->fd = open(path, O_RDWR | O_CLOEXEC);
    if (state->fd < 0)
        return err_errno(err, "cannot write %s", path);
    struct str notes = {0};
    status = log_load(state, STATE_WRITE, &notes, err);
    str_free(&notes);
    state->dead_bytes = 0;
    return status;
}
