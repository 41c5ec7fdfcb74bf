/*
 * The cache's format is glibc's own (struct cache_file_new in its dl-cache.h): a header with magic,
 * version and the number of entries; entries of flags and two offsets from the header on, of a name
 * like libz.so.1 and of the path that it leads to. Of those with one name and the same flags the first
 * is taken.
 */
#include "plan/libraries.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

static const char magic[20] = "glibc-ld.so.cache1.1";

struct cache_header {
    char magic[20];
    uint32_t entries, names_bytes;
    uint8_t flags, padding[3];
    uint32_t extension, unused[3];
};

struct cache_entry {
    int32_t flags;
    uint32_t name, path; /* offsets from the header on */
    uint32_t system;
    uint64_t hardware;
};

/* The text at an offset, or NULL where it is none. */
static const char *text_at(const char *base, size_t length, uint32_t offset)
{
    return offset < length && memchr(base + offset, '\0', length - offset) ? base + offset : NULL;
}

/* Marks each known library that comes behind another one of its name. True where there was one. */
static bool mark_hidden(struct now *now, struct state *state, const char *bytes, size_t length)
{
    struct cache_header header;
    const char *base = memmem(bytes, length, magic, sizeof magic);
    size_t rest = base ? length - (size_t)(base - bytes) : 0;
    bool hidden = false;
    if (rest < sizeof header)
        return false;
    memcpy(&header, base, sizeof header);
    struct map first = {0};
    for (uint32_t i = 0;
         i < header.entries && sizeof header + (i + 1) * sizeof(struct cache_entry) <= rest; i++) {
        struct cache_entry entry;
        memcpy(&entry, base + sizeof header + i * sizeof entry, sizeof entry);
        const char *name = text_at(base, rest, entry.name), *path = text_at(base, rest, entry.path);
        char *real = name && path ? realpath(path, NULL) : NULL;
        if (!real)
            continue;
        char *key = mem_format("%" PRId32 " %s", entry.flags, name);
        const char *before = map_get(&first, key);
        text_id text = intern_find(&state->texts, real);
        if (!before)
            map_put(&first, key, mem_copy(real));
        else if (strcmp(before, real) != 0 && text != INTERN_NONE) {
            now_set(now, text, NOW_OTHER);
            hidden = true;
        }
        free(key);
        free(real);
    }
    for (uint32_t i = 0; i < intern_count(&first.keys); i++)
        free(first.values.at[i]);
    map_free(&first);
    return hidden;
}

void libraries_check_file(struct now *now, struct state *state, const char *cache)
{
    size_t length = 0;
    char *bytes = file_read(cache, &length, NULL);
    struct hash hash = bytes ? hash_bytes(bytes, length) : hash_absent;
    char *text = mem_format("%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
    text_id key = state_text(state, "\022libraries"), present = state_text(state, text);
    const struct text_list *known = state_list(state, key);
    bool same = known && known->count == 1 && known->texts[0] == present;
    bool hidden = !same && bytes && mark_hidden(now, state, bytes, length);
    if (!same && !(known && hidden))
        state_put_list(state, key, &present, 1);
    free(text);
    free(bytes);
}

void libraries_check(struct now *now, struct state *state)
{
    libraries_check_file(now, state, LIBRARIES_CACHE);
}
