/*
 * realpath, which asks of each directory on the way: noted as one call, and in programs that only look
 * remembered from one to the next.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "trace/accelerator.h"

struct walk {
    char path[PATH_MAX]; /* real so far; "" is the root */
    size_t length;
    uint32_t hash; /* of path */
    char rest[2 * PATH_MAX]; /* still to go */
    unsigned links;
    bool looked; /* at a directory on the way */
    bool inside; /* it ended at one */
};

/* Of a path that goes on by one name, with its slash. */
static uint32_t hash_on(uint32_t before, const char *name, size_t length)
{
    const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t hash = before ^ (uint64_t)length << 32, rest = 0;
    for (; length >= 8; name += 8, length -= 8) {
        hash = (hash ^ ((const struct bare_word *)name)->bytes) * odd;
        hash ^= hash >> 32;
    }
    while (length--)
        rest = rest << 8 | (unsigned char)*name++;
    hash = (hash ^ rest) * odd;
    return (uint32_t)(hash >> 32);
}

/* The length of the name that begins at a slash, with it. */
static size_t name_length(const char *path)
{
    size_t length = 1;
    while (path[length] && path[length] != '/')
        length++;
    return length;
}

static void cut(struct walk *walk, size_t length)
{
    walk->path[length] = '\0';
    walk->length = length;
    walk->hash = 0;
    for (size_t at = 0, more; at < length; at += more) {
        more = name_length(walk->path + at);
        walk->hash = hash_on(walk->hash, walk->path + at, more);
    }
}

/* Puts a link's target before the rest at `at`. */
static int follow_link(struct walk *walk, const char *target, size_t length, size_t at)
{
    size_t left = text_length(walk->rest + at);
    if (length + left >= PATH_MAX)
        return -ENAMETOOLONG;
    if (++walk->links > 40)
        return -ELOOP;
    for (size_t i = left + 1; i-- > 0;) /* may overlap */
        walk->rest[PATH_MAX + i] = walk->rest[at + i];
    copy(walk->rest, target, length);
    for (size_t i = 0; i <= left; i++)
        walk->rest[length + i] = walk->rest[PATH_MAX + i];
    while (walk->length && walk->path[walk->length - 1] != '/')
        walk->length--;
    cut(walk, target[0] == '/' || !walk->length ? 0 : walk->length - 1);
    return 0;
}

/* Whether what follows wants a directory here: a last slash or dot, or two dots anywhere. */
static bool wants_directory(const char *rest)
{
    while (*rest == '/') {
        while (*rest == '/')
            rest++;
        if (!*rest)
            return true;
        if (*rest++ != '.')
            return false;
        if (!*rest || (*rest == '.' && (!rest[1] || rest[1] == '/')))
            return true;
    }
    return false;
}

/*
 * Directories that were found to be no links, or not there, of a program that only looks. cc1 resolves
 * each place where a header might be from the root on: of its thousand calls nine hundred would ask
 * again what was answered a few milliseconds before. Kept for a second.
 */
enum known { NOT_KNOWN, A_DIRECTORY, NOT_THERE };
static struct ways {
    atomic_flag taken; /* who finds it so does without */
    uint32_t used; /* bytes of `names` */
    uint64_t since_ns;
    struct {
        uint32_t hash;
        uint16_t at, length; /* in `names` */
        uint8_t known; /* enum known */
    } slots[256];
    char names[8 * 1024];
    uint64_t now_ns; /* when it was taken last */
} * _Atomic ways;

/* What was found not to be there last. Apart from the ways, of which an assembler has no use. */
static struct absent {
    _Atomic uint64_t since_ns; /* 0: nothing */
    size_t length; /* this and the path are for who has taken the ways */
    char path[512];
} absent;

enum { WAYS_SLOTS = 256, WAYS_FOR_NS = 1000 * 1000 * 1000 };

/* Made with the first call. Of two threads that do so one's is left over. */
static bool have_ways(void)
{
    if (atomic_load_explicit(&ways, memory_order_acquire))
        return true;
    const int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    long made = call6(SYS_mmap, 0, sizeof(struct ways), PROT_READ | PROT_WRITE, how, -1, 0);
    if (made < 0 && made > -4096)
        return false;
    atomic_store_explicit(&ways, (struct ways *)made, memory_order_release);
    return true;
}

/* Empties the set where it is too old. */
static bool ways_take(void)
{
    if (!looks_only || !ready() || !have_ways() || atomic_flag_test_and_set(&ways->taken))
        return false;
    uint64_t now = ways->now_ns = now_ns();
    if (now - ways->since_ns > WAYS_FOR_NS) {
        for (size_t i = 0; i < WAYS_SLOTS; i++)
            ways->slots[i].known = NOT_KNOWN;
        ways->used = 0;
        ways->since_ns = now;
    }
    return true;
}

/* While it is taken. */
static void remember_absent(const char *path)
{
    size_t length = text_length(path);
    absent.length = length < sizeof absent.path ? length : 0;
    copy(absent.path, path, absent.length);
    atomic_store_explicit(&absent.since_ns, ways->now_ns, memory_order_relaxed);
}

/* What is known of a path; where nothing is, it becomes `news`. */
static enum known known_as(const char *path, size_t length, uint32_t hash, enum known news)
{
    for (size_t i = hash % WAYS_SLOTS, tries = 0; tries < 8; i = (i + 1) % WAYS_SLOTS, tries++) {
        if (!ways->slots[i].known) {
            if (news && length <= sizeof ways->names - ways->used) {
                copy(ways->names + ways->used, path, length);
                ways->slots[i].hash = hash;
                ways->slots[i].at = (uint16_t)ways->used;
                ways->slots[i].length = (uint16_t)length;
                ways->slots[i].known = (uint8_t)news;
                ways->used += (uint32_t)length;
            }
            return NOT_KNOWN;
        }
        if (ways->slots[i].hash == hash && ways->slots[i].length == length &&
            same(ways->names + ways->slots[i].at, path, length))
            return (enum known)ways->slots[i].known;
    }
    return NOT_KNOWN;
}

/* Begins a walk of an absolute name where it is not known any more; what is said is known of there. */
static enum known set_out(struct walk *walk, const char *name)
{
    enum known known = A_DIRECTORY;
    size_t length = 0, end;
    uint32_t hash = 0;
    for (size_t at = 0; name[at] == '/' && known == A_DIRECTORY; at = end) {
        end = at + name_length(name + at);
        uint32_t next = hash_on(hash, name + at, end - at);
        known = name[end] ? known_as(name, end, next, NOT_KNOWN) : NOT_KNOWN;
        length = known ? end : at;
        hash = known ? next : hash;
    }
    if (wants_directory(name + length)) { /* what is no link may be a file */
        length = 0;
        hash = 0;
        known = NOT_KNOWN;
    }
    copy(walk->path, name, length);
    walk->path[length] = '\0';
    walk->length = length;
    walk->hash = hash;
    return known;
}

bool was_just_absent(const char *path, uint64_t now)
{
    enum { JUST_NS = 10 * 1000 * 1000 };
    uint64_t since = atomic_load_explicit(&absent.since_ns, memory_order_relaxed);
    if (!since || now - since > JUST_NS || atomic_flag_test_and_set(&ways->taken))
        return false;
    size_t length = text_length(path);
    bool was = length && length == absent.length && same(path, absent.path, length);
    atomic_flag_clear(&ways->taken);
    return was;
}

void forget_absent(void)
{
    atomic_store_explicit(&absent.since_ns, 0, memory_order_relaxed);
}

static bool is_directory(const struct walk *walk)
{
    return known_as(walk->path, walk->length, walk->hash, NOT_KNOWN) == A_DIRECTORY;
}

static long resolve(struct walk *walk, long (*make)(long, long, long, long, long), bool remember)
{
    size_t at = 0;
    for (;;) {
        while (walk->rest[at] == '/')
            at++;
        size_t end = at;
        while (walk->rest[end] && walk->rest[end] != '/')
            end++;
        size_t length = end - at;
        if (!length)
            return 0;
        if (length == 1 && walk->rest[at] == '.') {
            at = end;
            continue;
        }
        if (length == 2 && walk->rest[at] == '.' && walk->rest[at + 1] == '.') {
            while (walk->length && walk->path[--walk->length] != '/')
                continue;
            cut(walk, walk->length);
            at = end;
            continue;
        }
        if (walk->length + length + 2 >= PATH_MAX)
            return -ENAMETOOLONG;
        walk->path[walk->length] = '/';
        copy(walk->path + walk->length + 1, walk->rest + at, length);
        walk->path[walk->length + length + 1] = '\0';
        walk->hash = hash_on(walk->hash, walk->path + walk->length, length + 1);
        walk->length += length + 1;
        bool inside = walk->inside = walk->rest[end] == '/';
        char target[PATH_MAX];
        long got = -EINVAL;
        if (!inside || !remember || !is_directory(walk)) {
            got = make(SYS_readlinkat, AT_FDCWD, (long)walk->path, (long)target, sizeof target - 1);
            walk->looked |= inside;
            if (inside && remember && got == -EINVAL)
                known_as(walk->path, walk->length, walk->hash, A_DIRECTORY);
        }
        if (got >= 0) {
            int status = follow_link(walk, target, (size_t)got, end);
            if (status < 0)
                return status;
            at = 0;
            continue;
        }
        if (wants_directory(walk->rest + end)) {
            struct stat out;
            walk->path[walk->length] = '/';
            walk->path[walk->length + 1] = '\0';
            got = make(SYS_newfstatat, AT_FDCWD, (long)walk->path, (long)&out, 0);
            walk->path[walk->length] = '\0';
            if (got < 0)
                return got;
        } else if (got != -EINVAL) {
            return got;
        }
        at = end;
    }
}

/* Notes where a walk that failed has ended: mostly on the way that was noted already. False where that
 * could not be noted. */
static bool note_end(struct ring_record *record, const struct walk *walk, uint32_t how, long status)
{
    if (!walk->length)
        return done(record, status) < 0;
    if (same(record->path, walk->path, walk->length) &&
        (!record->path[walk->length] || record->path[walk->length] == '/')) {
        record->path[walk->length] = '\0';
        record->op = RING_REALPATH_END;
        return done(record, status) < 0;
    }
    done(record, status);
    record = note(RING_REALPATH_END, walk->path, how);
    return record && done(record, status) < 0;
}

/* The answer of a realpath that got as far as walk->path. */
static char *tell(struct walk *walk, long status, char *resolved)
{
    if (!walk->length)
        copy(walk->path, "/", 2);
    size_t bytes = text_length(walk->path) + 1;
    if (status == 0 && !resolved && libc.malloc)
        resolved = libc.malloc(bytes);
    /* Where it fails for what is not there, or not ours to see: as far as it got. */
    if (resolved && (status == 0 || status == -ENOENT || status == -EACCES))
        copy(resolved, walk->path, bytes);
    if (status < 0)
        return (void)answer(status), NULL;
    return resolved;
}

static char *real_path(const char *name, char *resolved)
{
    struct walk walk;
    long status = 0;
    if (!name)
        status = -EINVAL;
    else if (!*name)
        status = -ENOENT;
    else if (text_length(name) >= PATH_MAX)
        status = -ENAMETOOLONG;
    if (status < 0)
        return (void)answer(status), NULL;
    bool remember = ways_take();
    cut(&walk, 0);
    if (remember && name[0] == '/' && set_out(&walk, name) == NOT_THERE) {
        remember_absent(name);
        atomic_flag_clear(&ways->taken);
        return tell(&walk, -ENOENT, resolved); /* noted when it was found out */
    }
    walk.links = 0;
    walk.looked = walk.inside = false;
    size_t known = walk.length; /* bytes of the name that need no look */
    if (name[0] != '/') {
        long got = call_seen(SYS_getcwd, (long)walk.path, sizeof walk.path, 0, 0);
        if (got < 0 && remember)
            atomic_flag_clear(&ways->taken);
        if (got < 0)
            return (void)answer(got), NULL;
        cut(&walk, got == 2 ? 0 : (size_t)got - 1); /* not of "/" */
    }
    copy(walk.rest, name + known, text_length(name + known) + 1);
    uint32_t how = name[0] != '/' ? RING_RELATIVE : 0;
    struct ring_record *record = note(RING_REALPATH, name, how);
    status = resolve(&walk, record ? call_unseen : call_seen, record && remember);
    if (record && !walk.looked)
        record->flags = how |= RING_PARENTS_KNOWN;
    if (record && status == 0)
        done(record, status);
    else if (record && note_end(record, &walk, how, status) && remember && walk.inside &&
             status == -ENOENT)
        known_as(walk.path, walk.length, walk.hash, NOT_THERE);
    if (remember && status == -ENOENT && name[0] == '/' && !walk.links)
        remember_absent(name);
    else
        forget_absent();
    if (remember)
        atomic_flag_clear(&ways->taken);
    return tell(&walk, status, resolved);
}

PUBLIC char *realpath(const char *restrict name, char *restrict resolved)
{
    return real_path(name, resolved);
}

PUBLIC char *canonicalize_file_name(const char *name)
{
    return real_path(name, NULL);
}
