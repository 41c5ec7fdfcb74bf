#include "state/identity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xxhash.h>

#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"
#include "base/vec.h"

const struct hash hash_absent = {0, 1}, hash_unknown = {0, 0}, hash_exists = {0, 2};

struct identity identity_of(const struct stat *st)
{
    return (struct identity){
        .dev = st->st_dev,
        .ino = st->st_ino,
        .size = (uint64_t)st->st_size,
        .mtime_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
        .ctime_ns = st->st_ctim.tv_sec * INT64_C(1000000000) + st->st_ctim.tv_nsec,
    };
}

struct identity identity_at(int root_fd, const char *path)
{
    struct stat st;
    if (fstatat(root_fd, path, &st, 0) < 0)
        return (struct identity){0};
    return identity_of(&st);
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
    return a->ino == b->ino && a->mtime_ns == b->mtime_ns && a->size == b->size &&
           a->ctime_ns == b->ctime_ns && a->dev == b->dev;
}

bool identity_absent(const struct identity *id)
{
    return id->ino == 0 && id->dev == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A directory's content is the sorted names in it. Takes the descriptor. */
static struct hash hash_names(int fd, const char *path, name_filter *counts, const void *data)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return hash_unknown;
    }
    str_list names = {0};
    for (struct dirent *entry; (entry = readdir(dir));) {
        char *full = counts ? path_join(path, entry->d_name) : NULL;
        if (!counts || counts(data, str_starts(full, "./") ? full + 2 : full))
            vec_push(&names, mem_copy(entry->d_name));
        free(full);
    }
    closedir(dir);
    if (names.len)
        qsort(names.at, names.len, sizeof *names.at, by_name);
    struct str all = {0};
    for (size_t i = 0; i < names.len; i++)
        str_add_n(&all, names.at[i], strlen(names.at[i]) + 1);
    struct hash hash = hash_bytes(str_text(&all), all.len);
    str_free(&all);
    str_list_free(&names);
    return hash;
}

/* The hash of an open file's bytes, by a buffer on the stack for small ones. */
static struct hash hash_fd(int fd, uint64_t size)
{
    char small[16 * 1024];
    if (size < sizeof small) {
        size_t used = 0;
        for (;;) {
            ssize_t got = read(fd, small + used, sizeof small - used);
            if (got < 0 && errno == EINTR)
                continue;
            if (got < 0 || used + (size_t)got == sizeof small)
                return hash_unknown;
            if (got == 0)
                return hash_bytes(small, used);
            used += (size_t)got;
        }
    }
    enum { CHUNK = 256 * 1024 };
    char *chunk = mem_alloc(CHUNK);
    XXH3_state_t *hashing = XXH3_createState();
    XXH3_128bits_reset(hashing);
    struct hash hash = hash_unknown;
    for (;;) {
        ssize_t got = read(fd, chunk, CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        if (got == 0) {
            XXH128_hash_t digest = XXH3_128bits_digest(hashing);
            hash = (struct hash){digest.low64, digest.high64};
            break;
        }
        XXH3_128bits_update(hashing, chunk, (size_t)got);
    }
    XXH3_freeState(hashing);
    free(chunk);
    return hash;
}

struct hash identity_hash(int root_fd, const char *path, const struct identity *id)
{
    if (identity_absent(id))
        return hash_absent;
    int fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return hash_unknown;
    struct hash hash = hash_unknown;
    struct stat st;
    if (fstat(fd, &st) < 0) {
        close(fd);
        return hash_unknown;
    }
    if (S_ISDIR(st.st_mode))
        return hash_names(fd, path, NULL, NULL);
    if (S_ISREG(st.st_mode)) {
        struct identity opened = identity_of(&st);
        hash = hash_fd(fd, opened.size);
        struct identity after = fstat(fd, &st) == 0 ? identity_of(&st) : (struct identity){0};
        if (!identity_equal(id, &opened) || !identity_equal(id, &after))
            hash = hash_unknown;
    }
    close(fd);
    return hash;
}

struct hash identity_hash_names(int root_fd, const char *path, const struct identity *id,
                                name_filter *counts, const void *data)
{
    if (identity_absent(id))
        return hash_absent;
    int fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? hash_unknown : hash_names(fd, path, counts, data);
}

void identity_put_hash(struct str *out, struct hash hash)
{
    if (hash_equal(hash, hash_absent))
        str_add(out, "absent");
    else if (hash_equal(hash, hash_unknown))
        str_add(out, "changed while it was read");
    else if (hash_equal(hash, hash_exists))
        str_add(out, "present");
    else
        str_addf(out, "%08x", (unsigned)(hash.high >> 32));
}
