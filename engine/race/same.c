/*
 * The file, in the machine's own byte order: header; a struct touched a step; hashes of the paths
 * outside of the tree that steps changed, ascending (whoever reads those is in the record, too); JSON
 * lines of events.
 */
#include "race/same.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "state/identity.h"
#include "trace/trace.h"

enum { SCHEMA = 1, ORDER = 0x01020304 };

struct header {
    char magic[8];
    uint32_t schema, order;
    uint64_t check; /* XXH3-64 of all that follows */
    uint64_t graph;
    struct identity record; /* of races.zst */
    uint64_t steps, outside;
};

static const char magic[8] = "gantry\0T";

/* What a step touched. */
struct touched {
    uint64_t digest;
    uint32_t creations; /* of what it left: not in the digest, since writing over it is no news */
    uint32_t flags; /* TRACED, FLAWED and FAILED */
};

static const uint32_t WRITES = ACCESS_WRITE | ACCESS_CREATE;
static const uint32_t CHANGES = WRITES | ACCESS_REMOVE | ACCESS_MKDIR | ACCESS_RMDIR;

static uint64_t check_of(const char *bytes, size_t length)
{
    size_t start = offsetof(struct header, graph);
    return XXH3_64bits(bytes + start, length - start);
}

/* A temporary file: its directory, how its name begins and ends, and how long it is. */
static uint64_t digest_temporary(const char *path)
{
    const char *name = path_base(path), *dot = strrchr(name, '.');
    size_t length = strlen(name), begin = length < 2 ? length : 2;
    const uint64_t what[3] = {XXH3_64bits(path, (size_t)(name - path) + begin), length,
                              dot ? XXH3_64bits(dot, strlen(dot)) : 0};
    return XXH3_64bits(what, sizeof what);
}

static bool is_temporary(const struct race_access *access)
{
    return !access->left && (access->kinds & ACCESS_CREATE) && !access->found;
}

static bool is_inside(const struct record *record, const char *path)
{
    const char *root = record_text(record, record->root);
    size_t length = strlen(root);
    return !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

static int by_hash(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;
    return one < two ? -1 : one > two;
}

static uint64_t digest_access(uint64_t path, const struct race_access *access)
{
    uint32_t kinds = access->kinds;
    bool found = access->found;
    if (kinds & WRITES) {
        kinds = (kinds & ACCESS_APPEND) | ACCESS_WRITE;
        found = true;
    }
    const uint64_t what[2] = {path, (uint64_t)kinds << 2 | (uint64_t)found << 1 | access->left};
    return XXH3_64bits(what, sizeof what);
}

/* Digests are added up: the order does not count. `outside` as in the file. */
static struct touched sum_up(const struct record *record, const struct record_step *step,
                             const uint64_t *outside, size_t outside_count)
{
    struct touched sum = {.flags = step->flags & (RECORD_TRACED | RECORD_FLAWED | RECORD_FAILED)};
    for (uint32_t i = step->accesses; i < step->accesses + step->accesses_count; i++) {
        const struct race_access *access = &record->accesses.at[i];
        const char *path = record_text(record, access->path);
        uint64_t hash = XXH3_64bits(path, record->texts.lengths_of.at[access->path]);
        if (is_temporary(access)) {
            sum.digest += digest_temporary(path);
            continue;
        }
        if (!(access->kinds & CHANGES) && !is_inside(record, path) &&
            !(outside_count && bsearch(&hash, outside, outside_count, sizeof hash, by_hash)))
            continue;
        sum.creations += (access->kinds & ACCESS_CREATE) && access->left;
        sum.digest += digest_access(hash, access);
    }
    return sum;
}

static struct identity identity_of_record(const char *state_dir)
{
    char *path = path_join(state_dir, "races.zst");
    struct identity id = identity_at(AT_FDCWD, path);
    free(path);
    return id;
}

static char *file_of(const char *state_dir)
{
    return path_join(state_dir, "races.same");
}

/* The file's bytes where they are whole and of this graph and record, else NULL. */
static char *read_same(const char *state_dir, uint64_t graph, size_t *length)
{
    char *path = file_of(state_dir), *bytes = graph ? file_read(path, length, NULL) : NULL;
    const struct header *header = (const void *)bytes;
    free(path);
    struct identity now = identity_of_record(state_dir);
    if (bytes && *length >= sizeof *header && !memcmp(header->magic, magic, sizeof magic) &&
        header->schema == SCHEMA && header->order == ORDER &&
        header->check == check_of(bytes, *length) && header->graph == graph &&
        identity_equal(&header->record, &now) &&
        header->steps <= *length / sizeof(struct touched) &&
        header->outside <= *length / sizeof(uint64_t) &&
        header->steps * sizeof(struct touched) + header->outside * sizeof(uint64_t) <=
            *length - sizeof *header)
        return bytes;
    free(bytes);
    return NULL;
}

bool same_as_before(struct record *record, const char *state_dir, uint64_t graph,
                    struct str *findings)
{
    size_t length;
    char *bytes = read_same(state_dir, graph, &length);
    if (!bytes)
        return false;
    const struct header *header = (const void *)bytes;
    const struct touched *before = (const void *)(header + 1);
    const uint64_t *outside = (const void *)(before + header->steps);
    const char *text = (const char *)(outside + header->outside);
    bool same = true;
    record_settle(record);
    for (size_t i = 0; same && i < record->steps.len; i++) {
        const struct record_step *step = &record->steps.at[i];
        if (!(step->flags & RECORD_RAN))
            continue;
        struct touched now = sum_up(record, step, outside, header->outside);
        same = i < header->steps && now.digest == before[i].digest &&
               now.flags == before[i].flags && now.creations <= before[i].creations;
    }
    if (same)
        str_add_n(findings, text, (size_t)(bytes + length - text));
    free(bytes);
    return same;
}

static uint64_t *changed_outside(const struct record *record, size_t *count)
{
    VEC(uint64_t) hashes = {0};
    for (size_t i = 0; i < record->accesses.len; i++) {
        const struct race_access *access = &record->accesses.at[i];
        const char *path = record_text(record, access->path);
        if ((access->kinds & CHANGES) && !is_temporary(access) && !is_inside(record, path))
            vec_push(&hashes, XXH3_64bits(path, record->texts.lengths_of.at[access->path]));
    }
    if (hashes.len)
        qsort(hashes.at, hashes.len, sizeof *hashes.at, by_hash);
    *count = hashes.len;
    return hashes.at;
}

void same_keep(const struct record *record, const char *state_dir, uint64_t graph,
               const struct str *findings)
{
    char *path = file_of(state_dir);
    if (!graph) {
        unlink(path);
        free(path);
        return;
    }
    struct header header = {.schema = SCHEMA,
                            .order = ORDER,
                            .graph = graph,
                            .record = identity_of_record(state_dir),
                            .steps = record->steps.len};
    size_t outside_count;
    uint64_t *outside = changed_outside(record, &outside_count);
    struct str bytes = {0};
    header.outside = outside_count;
    memcpy(header.magic, magic, sizeof magic);
    str_add_n(&bytes, (const char *)&header, sizeof header);
    for (size_t i = 0; i < record->steps.len; i++) {
        struct touched touched = sum_up(record, &record->steps.at[i], outside, outside_count);
        str_add_n(&bytes, (const char *)&touched, sizeof touched);
    }
    str_add_n(&bytes, (const char *)outside, outside_count * sizeof *outside);
    str_add_n(&bytes, str_text(findings), findings->len);
    header.check = check_of(bytes.at, bytes.len);
    memcpy(bytes.at, &header, sizeof header);
    if (!file_replace(path, bytes.at, bytes.len))
        unlink(path);
    free(outside);
    str_free(&bytes);
    free(path);
}
