/*
 * The record's bytes: "GANTRYR3" (GANTRYR2: without what steps declare), then XXH3-128 of the plain text and its length (24 bytes,
 * little-endian), then the plain text under zstd. The plain text is a row of varints (LEB128) and
 * texts (a varint of the length, then the bytes); ids are written + 1, so that none is 0.
 */
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "race/record.h"

static const char magic[8] = {'G', 'A', 'N', 'T', 'R', 'Y', 'R', '3'};
enum { HEAD = 8 + 16 + 8, LEVEL = 3 };

static void put(struct str *out, uint64_t number)
{
    while (number >= 128) {
        str_add_char(out, (char)(0x80 | (number & 0x7f)));
        number >>= 7;
    }
    str_add_char(out, (char)number);
}

static void put_id(struct str *out, uint32_t id)
{
    put(out, id == UINT32_MAX ? 0 : (uint64_t)id + 1);
}

static void put_texts(const struct record *record, struct str *out)
{
    put(out, intern_count(&record->texts));
    for (uint32_t i = 0; i < intern_count(&record->texts); i++) {
        put(out, record->texts.lengths_of.at[i]);
        str_add_n(out, intern_text(&record->texts, i), record->texts.lengths_of.at[i]);
    }
}

static void put_step(const struct record *record, const struct record_step *step, struct str *out)
{
    put_id(out, step->target);
    put_id(out, step->goal);
    put_id(out, step->command);
    put_id(out, step->file);
    put(out, step->line);
    put(out, step->make);
    put(out, step->flags);
    put_id(out, step->lane);
    put(out, step->begin_ns > record->start_ns ? step->begin_ns - record->start_ns : 0);
    put(out, step->wall_ns);
    put(out, step->needs_count);
    for (uint32_t i = 0; i < step->needs_count; i++)
        put(out, record->needs.at[step->needs + i]);
    put(out, step->declared_count);
    for (uint32_t i = 0; i < step->declared_count; i++)
        put(out, record->declared.at[step->declared + i]);
    put(out, step->accesses_count);
    uint32_t path = 0;
    for (uint32_t i = 0; i < step->accesses_count; i++) {
        const struct race_access *access = &record->accesses.at[step->accesses + i];
        put(out, access->path - path);
        put(out, (uint64_t)access->kinds << 2 | (uint64_t)access->found << 1 | access->left);
        put(out, access->when);
        put_id(out, record->programs.at[step->accesses + i]);
        path = access->path;
    }
}

void record_encode(const struct record *record, struct str *out)
{
    struct str plain = {0};
    put_texts(record, &plain);
    put_id(&plain, record->root);
    put_id(&plain, record->argv);
    put_id(&plain, record->directory);
    put(&plain, record->wall_ns);
    put(&plain, record->lanes);
    put(&plain, record->makes.len);
    for (size_t i = 0; i < record->makes.len; i++) {
        const struct record_make *make = &record->makes.at[i];
        put_id(&plain, make->parent);
        put(&plain, (uint32_t)make->pid);
        put_id(&plain, make->directory);
        put_id(&plain, make->command);
        put_id(&plain, make->variables);
        uint64_t shell = make->shell_of == ORDER_TOP ? 0 : (uint64_t)make->shell_of + 1;
        put(&plain, shell << 3 | (uint64_t)make->asked_one_job << 2 | (uint64_t)make->serial << 1 |
                        make->one_job);
        put(&plain, make->begin_ns > record->start_ns ? make->begin_ns - record->start_ns : 0);
        put(&plain, make->end_ns > record->start_ns ? make->end_ns - record->start_ns : 0);
    }
    put(&plain, record->steps.len);
    for (size_t i = 0; i < record->steps.len; i++)
        put_step(record, &record->steps.at[i], &plain);
    put(&plain, record->goals.len);
    for (size_t i = 0; i < record->goals.len; i++) {
        const struct record_goal *goal = &record->goals.at[i];
        put(&plain, goal->step);
        put(&plain, goal->path);
        put(&plain, goal->owner);
        put(&plain, goal->other);
        put(&plain, goal->variable);
    }

    struct hash hash = hash_bytes(plain.at, plain.len);
    uint64_t head[3] = {hash.low, hash.high, plain.len};
    size_t room = ZSTD_compressBound(plain.len);
    char *packed = mem_alloc(room);
    size_t length = ZSTD_compress(packed, room, plain.at, plain.len, LEVEL);
    if (ZSTD_isError(length))
        abort(); /* no room: compressBound says there is */
    str_add_n(out, magic, sizeof magic);
    str_add_n(out, (const char *)head, sizeof head);
    str_add_n(out, packed, length);
    free(packed);
    str_free(&plain);
}

/* ---- reading ---- */

struct source {
    const unsigned char *at, *end;
    bool bad;
    bool declares; /* from GANTRYR3 on */
};

static uint64_t get(struct source *in)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (in->at == in->end)
            break;
        unsigned char byte = *in->at++;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return number;
    }
    in->bad = true;
    return 0;
}

/* A number below `limit`. */
static uint32_t get_below(struct source *in, uint64_t limit)
{
    uint64_t number = get(in);
    if (number >= limit) {
        in->bad = true;
        return 0;
    }
    return (uint32_t)number;
}

static uint32_t get_id(struct source *in, uint64_t limit)
{
    uint64_t number = get(in);
    if (number > limit)
        in->bad = true;
    return number == 0 || number > limit ? UINT32_MAX : (uint32_t)(number - 1);
}

/* How many of something follow, each of them at least a byte. */
static uint32_t get_count(struct source *in)
{
    return get_below(in, (uint64_t)(in->end - in->at) + 1);
}

static void get_texts(struct source *in, struct record *record)
{
    uint32_t count = get_count(in);
    for (uint32_t i = 0; i < count && !in->bad; i++) {
        uint32_t length = get_count(in);
        if (length > in->end - in->at || in->bad) {
            in->bad = true;
            return;
        }
        in->bad |= intern_id_n(&record->texts, (const char *)in->at, length) != i;
        in->at += length;
    }
}

static void get_accesses(struct source *in, struct record *record, struct record_step *step,
                         uint32_t id)
{
    uint64_t texts = intern_count(&record->texts);
    uint64_t path = 0;
    step->accesses = (uint32_t)record->accesses.len;
    step->accesses_count = get_count(in);
    for (uint32_t i = 0; i < step->accesses_count && !in->bad; i++) {
        path += get_below(in, texts);
        uint32_t kinds = get_below(in, 1u << 18), when = get_below(in, UINT32_MAX);
        in->bad |= path >= texts;
        vec_push(&record->accesses, (struct race_access){.step = id,
                                                         .path = (uint32_t)path,
                                                         .when = when,
                                                         .kinds = (uint16_t)(kinds >> 2),
                                                         .found = kinds >> 1 & 1,
                                                         .left = kinds & 1});
        vec_push(&record->programs, get_id(in, texts));
    }
}

static void get_step(struct source *in, struct record *record, uint32_t id, uint32_t steps)
{
    uint64_t texts = intern_count(&record->texts);
    struct record_step step = {0};
    step.target = get_id(in, texts);
    step.goal = get_id(in, texts);
    step.command = get_id(in, texts);
    step.file = get_id(in, texts);
    step.line = get_below(in, UINT32_MAX);
    step.make = get_below(in, record->makes.len + 1);
    step.flags = get_below(in, UINT32_MAX);
    step.lane = get_id(in, UINT32_MAX);
    step.begin_ns = get(in);
    step.wall_ns = get(in);
    step.needs = (uint32_t)record->needs.len;
    step.needs_count = get_count(in);
    for (uint32_t i = 0; i < step.needs_count && !in->bad; i++)
        vec_push(&record->needs, get_below(in, steps));
    step.declared = (uint32_t)record->declared.len;
    step.declared_count = in->declares ? get_count(in) : 0;
    for (uint32_t i = 0; i < step.declared_count && !in->bad; i++)
        vec_push(&record->declared, get_below(in, texts));
    get_accesses(in, record, &step, id);
    vec_push(&record->steps, step);
}

static void get_record(struct source *in, struct record *record)
{
    record->declares = in->declares;
    get_texts(in, record);
    uint64_t texts = intern_count(&record->texts);
    record->root = get_id(in, texts);
    record->argv = get_id(in, texts);
    record->directory = get_id(in, texts);
    record->wall_ns = get(in);
    record->lanes = get_below(in, UINT32_MAX);
    uint32_t makes = get_count(in);
    for (uint32_t i = 0; i < makes && !in->bad; i++) {
        struct record_make make = {.parent = get_id(in, UINT32_MAX)};
        make.pid = (int32_t)get_below(in, UINT32_MAX);
        make.directory = get_id(in, texts);
        make.command = get_id(in, texts);
        make.variables = get_id(in, texts);
        uint32_t jobs = get_below(in, UINT32_MAX);
        make.shell_of = jobs >> 3 ? (uint32_t)((jobs >> 3) - 1) : ORDER_TOP;
        make.asked_one_job = jobs >> 2 & 1;
        make.serial = jobs >> 1 & 1;
        make.one_job = jobs & 1;
        make.begin_ns = get(in);
        make.end_ns = get(in);
        vec_push(&record->makes, make);
    }
    uint32_t steps = get_count(in);
    for (uint32_t i = 0; i < steps && !in->bad; i++)
        get_step(in, record, i, steps);
    uint32_t goals = get_count(in);
    for (uint32_t i = 0; i < goals && !in->bad; i++) {
        struct record_goal goal = {.step = get_below(in, steps)};
        goal.path = get_below(in, texts);
        goal.owner = get_below(in, texts);
        goal.other = get_below(in, texts);
        goal.variable = get_below(in, texts);
        vec_push(&record->goals, goal);
    }
    for (size_t i = 0; i < record->makes.len; i++)
        in->bad |= record->makes.at[i].parent != ORDER_TOP && record->makes.at[i].parent >= steps;
    in->bad |= in->at != in->end || record->root == INTERN_NONE;
}

struct record *record_decode(const char *bytes, size_t length)
{
    enum { PLAIN_MAX = 1 << 30 };
    uint64_t head[3];
    if (length < HEAD || memcmp(bytes, magic, sizeof magic - 1) != 0 ||
        (bytes[sizeof magic - 1] != '2' && bytes[sizeof magic - 1] != '3'))
        return NULL;
    memcpy(head, bytes + sizeof magic, sizeof head);
    if (head[2] > PLAIN_MAX)
        return NULL;
    char *plain = mem_alloc(head[2] + 1);
    size_t got = ZSTD_decompress(plain, head[2], bytes + HEAD, length - HEAD);
    struct record *record = NULL;
    if (!ZSTD_isError(got) && got == head[2] &&
        hash_equal(hash_bytes(plain, got), (struct hash){head[0], head[1]})) {
        struct source in = {(unsigned char *)plain, (unsigned char *)plain + got, false,
                            bytes[sizeof magic - 1] == '3'};
        record = mem_zero(1, sizeof *record);
        pthread_mutex_init(&record->lock, NULL);
        get_record(&in, record);
        if (in.bad) {
            record_free(record);
            record = NULL;
        }
    }
    free(plain);
    return record;
}
