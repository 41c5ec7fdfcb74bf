/*
 * The accelerator: a library that the server puts into dynamic programs that make many calls. It
 * stands before the libc's functions that look for files, notes the call in memory that it shares
 * with the server (ring.h), and makes it by the one instruction that the filter lets pass. All that
 * it cannot note, it calls as anyone would: then the call is stopped and seen.
 *
 * A guest: no constructor's work but its own, no environment, no allocation, no libc but errno's
 * place, the clock and, for realpath's result, malloc.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/bare.h"
#include "trace/ring.h"

#define PUBLIC __attribute__((visibility("default")))
#define WEAK __attribute__((weak))

extern int *__errno_location(void) __attribute__((const)) WEAK;
extern void *malloc(size_t size) WEAK;
extern int clock_gettime(clockid_t clock, struct timespec *now) WEAK;
extern int execve(const char *path, char *const *argv, char *const *envp) WEAK;
extern int __open64_nocancel(const char *path, int flags, ...) WEAK; /* glibc's own, from 2.26 on */

static struct ring_head *head; /* NULL: nothing is noted */
static struct ring_slot *_Atomic current; /* where the next record goes */
/* In a page of its own that a forked child finds empty: whose memory this is. */
static struct identity {
    _Atomic uint32_t number; /* 0: not known to the server yet */
    pid_t pid;
} * identity;
enum { IDENTITY_PAGES = 4 }; /* with what is behind it */
/* A child that shares this memory (vfork) has changed its directory: what it notes would be its
 * parent's. */
static _Atomic bool astray;
static bool looks_only; /* the program: what was a directory stays one */

/* ---- calls ---- */

#if defined(__x86_64__)
#define CALL_WITH(how)                                                                             \
    register long r10 __asm__("r10") = d;                                                          \
    register long r8 __asm__("r8") = 0;                                                            \
    register long r9 __asm__("r9") = 0;                                                            \
    long result;                                                                                   \
    __asm__ volatile(how                                                                           \
                     : "=a"(result)                                                                \
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9), EXTRA      \
                     : "rcx", "r11", "memory");                                                    \
    return result
static long call_seen(long number, long a, long b, long c, long d)
{
#define EXTRA "i"(0)
    CALL_WITH("syscall");
#undef EXTRA
}
static long call_unseen(long number, long a, long b, long c, long d)
{
#define EXTRA "b"(RING_CODE)
    CALL_WITH("call *%%rbx");
#undef EXTRA
}
#elif defined(__aarch64__)
static long call_seen(long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
static long call_unseen(long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x16 __asm__("x16") = (long)RING_CODE;
    __asm__ volatile("blr x16"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x16)
                     : "x30", "memory");
    return x0;
}
#else
#error "the accelerator needs the system call convention of this machine"
#endif

static long answer(long result)
{
    if (result >= 0 || result < -4095)
        return result;
    if (__errno_location)
        *__errno_location() = (int)-result;
    return -1;
}

/* ---- noting ---- */

/* Without the libc's memcpy; most are paths, of which a byte at a time would cost more than the call. */
static void copy(char *to, const char *from, size_t length)
{
    for (; length >= 8; to += 8, from += 8, length -= 8)
        ((struct bare_word *)to)->bytes = ((const struct bare_word *)from)->bytes;
    while (length--)
        *to++ = *from++;
}

/* Says to the server who we are (again); the number it gave is in identity. Its descriptor or a
 * negative errno. */
static long introduce(void)
{
    uint32_t number = 0;
    long fd = call_seen(SYS_openat, AT_FDCWD, (long)RING_NAME, O_RDWR | O_CLOEXEC, (long)&number);
    looks_only = number & RING_LOOKS_ONLY;
    number &= ~RING_LOOKS_ONLY;
    if (number) {
        identity->pid = (pid_t)call_seen(SYS_getpid, 0, 0, 0, 0);
        atomic_store(&identity->number, number);
        atomic_store(&current, NULL);
    }
    return fd;
}

/* True where calls may be noted: the memory is ours, or our parent's whose directory we share. */
static bool ready(void)
{
    if (!head || atomic_load_explicit(&head->off, memory_order_relaxed))
        return false;
    if (!atomic_load_explicit(&identity->number, memory_order_relaxed)) {
        long fd = introduce(); /* after a fork */
        if (fd >= 0)
            call_seen(SYS_close, fd, 0, 0, 0);
        if (!atomic_load(&identity->number))
            return false;
    }
    if (atomic_load_explicit(&astray, memory_order_relaxed)) {
        if (call_seen(SYS_getpid, 0, 0, 0, 0) != identity->pid)
            return false;
        atomic_store(&astray, false);
    }
    return true;
}

static char *chunk_of(const struct ring_slot *slot)
{
    return (char *)head - RING_PAGE + RING_HEAD + (slot - head->slots) * RING_CHUNK;
}

static struct ring_slot *take_chunk(struct ring_slot *full)
{
    uint32_t number = atomic_load(&identity->number);
    for (uint32_t i = 0; i < RING_CHUNKS; i++) {
        struct ring_slot *slot = &head->slots[i];
        uint32_t free = CHUNK_FREE;
        if (atomic_load_explicit(&slot->state, memory_order_relaxed) != CHUNK_FREE ||
            !atomic_compare_exchange_strong(&slot->state, &free, CHUNK_TAKEN))
            continue;
        atomic_store(&slot->owner, number);
        for (uint32_t top = atomic_load(&head->top);
             top < i + 1 && !atomic_compare_exchange_weak(&head->top, &top, i + 1);)
            continue;
        /* Of two threads that took one the second's stays empty: the server frees it. */
        atomic_compare_exchange_strong(&current, &full, slot);
        return atomic_load(&current);
    }
    return NULL;
}

static struct ring_record *reserve(size_t size)
{
    struct ring_slot *slot = atomic_load(&current);
    for (int tries = 0; tries < 4; tries++) {
        if (slot) {
            uint32_t used = atomic_load(&slot->used);
            while (used + size <= RING_CHUNK)
                if (atomic_compare_exchange_weak(&slot->used, &used, used + (uint32_t)size))
                    return (struct ring_record *)(chunk_of(slot) + used);
            atomic_fetch_or(&slot->used, 0x80000000u); /* full: the server may free it */
        }
        slot = take_chunk(slot);
        if (!slot)
            return NULL;
    }
    return NULL;
}

static uint64_t now_ns(void)
{
    struct timespec now = {0};
    if (clock_gettime)
        clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A record of a call that is about to be made; NULL: make it in the seen way. */
static struct ring_record *note(enum ring_op op, const char *path, uint32_t flags)
{
    if ((uintptr_t)path < RING_PAGE || !ready())
        return NULL;
    size_t length = text_length(path);
    if (length >= PATH_MAX)
        return NULL;
    size_t size = (sizeof(struct ring_record) + length + 1 + 7) & ~(size_t)7;
    struct ring_record *record = reserve(size);
    if (!record)
        return NULL;
    record->size = (uint16_t)size;
    record->op = (uint8_t)op;
    record->flags = flags;
    record->time_ns = now_ns();
    copy(record->path, path, length + 1);
    atomic_store_explicit(&record->state, RECORD_BEGUN, memory_order_release);
    return record;
}

static long done(struct ring_record *record, long result)
{
    record->result = (int32_t)result;
    atomic_store_explicit(&record->state, RECORD_DONE, memory_order_release);
    return result;
}

static bool was_just_absent(const char *path, uint64_t now);
static void forget_absent(void);

/* A call that names a path relative to the current directory, noted where it can be. */
static long noted(enum ring_op op, long number, const char *path, long b, long c)
{
    int before = __errno_location ? *__errno_location() : 0;
    struct ring_record *record = note(op, path, op == RING_OPEN ? (uint32_t)b : 0);
    if (__errno_location)
        *__errno_location() = before; /* the clock's, if anyone's */
    if (!record)
        return call_seen(number, AT_FDCWD, (long)path, b, c);
    if (op == RING_OPEN && looks_only && was_just_absent(path, record->time_ns))
        return done(record, -ENOENT);
    return done(record, call_unseen(number, AT_FDCWD, (long)path, b, c));
}

static bool is_relative_to_descriptor(int dir, const char *path)
{
    return dir != AT_FDCWD && ((uintptr_t)path < RING_PAGE || path[0] != '/');
}

/* ---- the functions of the libc ---- */

static long open_at(int dir, const char *path, int flags, int mode)
{
    const int other =
        O_ACCMODE | O_CREAT | O_TRUNC | O_PATH | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
    if ((flags & other) == O_RDONLY && !is_relative_to_descriptor(dir, path))
        return answer(noted(RING_OPEN, SYS_openat, path, flags, 0));
    forget_absent();
    return answer(call_seen(SYS_openat, dir, (long)path, flags, mode));
}

static int mode_of(int flags, va_list rest)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, int) : 0;
}

#define OPEN(name, ...)                                                                            \
    va_list rest;                                                                                  \
    va_start(rest, flags);                                                                         \
    int mode = mode_of(flags, rest);                                                               \
    va_end(rest);                                                                                  \
    return (int)open_at(__VA_ARGS__, mode)

PUBLIC int open(const char *path, int flags, ...)
{
    OPEN(open, AT_FDCWD, path, flags);
}
PUBLIC int open64(const char *path, int flags, ...)
{
    OPEN(open64, AT_FDCWD, path, flags);
}
PUBLIC int openat(int dir, const char *path, int flags, ...)
{
    OPEN(openat, dir, path, flags);
}
PUBLIC int openat64(int dir, const char *path, int flags, ...)
{
    OPEN(openat64, dir, path, flags);
}

static long stat_at(int dir, const char *path, void *out, int flags)
{
    if ((flags & ~AT_SYMLINK_NOFOLLOW) || is_relative_to_descriptor(dir, path))
        return answer(call_seen(SYS_newfstatat, dir, (long)path, (long)out, flags));
    enum ring_op op = flags & AT_SYMLINK_NOFOLLOW ? RING_LSTAT : RING_STAT;
    return answer(noted(op, SYS_newfstatat, path, (long)out, flags));
}

/* Headers of other makes of libc call these by other names. */
#define STAT_FUNCTION(name, type, flags)                                                           \
    PUBLIC int name(const char *restrict path, struct type *restrict out);                         \
    PUBLIC int name(const char *restrict path, struct type *restrict out)                          \
    {                                                                                              \
        return (int)stat_at(AT_FDCWD, path, out, flags);                                           \
    }
STAT_FUNCTION(stat, stat, 0)
STAT_FUNCTION(stat64, stat64, 0)
STAT_FUNCTION(lstat, stat, AT_SYMLINK_NOFOLLOW)
STAT_FUNCTION(lstat64, stat64, AT_SYMLINK_NOFOLLOW)

PUBLIC int fstatat(int dir, const char *restrict path, struct stat *restrict out, int flags)
{
    return (int)stat_at(dir, path, out, flags);
}
PUBLIC int fstatat64(int dir, const char *restrict path, struct stat64 *restrict out, int flags)
{
    return (int)stat_at(dir, path, out, flags);
}

/* Of programs built before glibc 2.33; `version` is 1, or on some machines 0, for this structure. */
#define OLD_STAT(name, type, flags)                                                                \
    PUBLIC int name(int version, const char *path, struct type *out);                              \
    PUBLIC int name(int version, const char *path, struct type *out)                               \
    {                                                                                              \
        (void)version;                                                                             \
        return (int)stat_at(AT_FDCWD, path, out, flags);                                           \
    }
OLD_STAT(__xstat, stat, 0)
OLD_STAT(__xstat64, stat64, 0)
OLD_STAT(__lxstat, stat, AT_SYMLINK_NOFOLLOW)
OLD_STAT(__lxstat64, stat64, AT_SYMLINK_NOFOLLOW)

PUBLIC int access(const char *path, int mode)
{
    return (int)answer(noted(RING_ACCESS, SYS_faccessat, path, mode, 0));
}

PUBLIC ssize_t readlink(const char *restrict path, char *restrict out, size_t size)
{
    return answer(noted(RING_READLINK, SYS_readlinkat, path, (long)out, (long)size));
}

PUBLIC ssize_t readlinkat(int dir, const char *restrict path, char *restrict out, size_t size)
{
    if (is_relative_to_descriptor(dir, path) || (uintptr_t)path < RING_PAGE || !path[0])
        return answer(call_seen(SYS_readlinkat, dir, (long)path, (long)out, (long)size));
    return readlink(path, out, size);
}

/* What is noted counts from the directory that the server knows: after a change it looks again. */
static long changed_directory(long result)
{
    if (!head)
        return answer(result);
    if (call_seen(SYS_getpid, 0, 0, 0, 0) != identity->pid && atomic_load(&identity->number))
        atomic_store(&astray, true); /* a vfork's child */
    else {
        long fd = introduce();
        if (fd >= 0)
            call_seen(SYS_close, fd, 0, 0, 0);
    }
    return answer(result);
}

PUBLIC int chdir(const char *path)
{
    return (int)changed_directory(call_seen(SYS_chdir, (long)path, 0, 0, 0));
}

PUBLIC int fchdir(int fd)
{
    return (int)changed_directory(call_seen(SYS_fchdir, fd, 0, 0, 0));
}

/* ---- realpath ---- */

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
    uint64_t absent_ns; /* when this path was found not to be there: */
    size_t absent_length;
    char absent[512];
} * ways; /* behind the page of identity */

_Static_assert(sizeof(struct ways) <= (IDENTITY_PAGES - 1) * RING_PAGE, "it has its place");
enum { WAYS_SLOTS = 256, WAYS_FOR_NS = 1000 * 1000 * 1000 };

static bool same(const char *one, const char *two, size_t length)
{
    for (; length >= 8; one += 8, two += 8, length -= 8)
        if (((const struct bare_word *)one)->bytes != ((const struct bare_word *)two)->bytes)
            return false;
    while (length && *one == *two)
        length--, one++, two++;
    return !length;
}

/* Empties the set where it is too old. */
static bool ways_take(void)
{
    if (!looks_only || !ready() || atomic_flag_test_and_set(&ways->taken))
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
    ways->absent_length = length < sizeof ways->absent ? length : 0;
    ways->absent_ns = ways->now_ns;
    copy(ways->absent, path, ways->absent_length);
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

/*
 * cc1 resolves each place where a header might be, and then opens it: where the one call has just found
 * nothing, the other is not made. The names of a program that only looks do not come by its own doing,
 * but with what it writes.
 */
static bool was_just_absent(const char *path, uint64_t now)
{
    enum { JUST_NS = 10 * 1000 * 1000 };
    if (now - ways->absent_ns > JUST_NS || atomic_flag_test_and_set(&ways->taken))
        return false;
    size_t length = text_length(path);
    bool absent = length && length == ways->absent_length && same(path, ways->absent, length);
    atomic_flag_clear(&ways->taken);
    return absent;
}

static void forget_absent(void)
{
    if (looks_only)
        ways->absent_ns = 0;
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
    if (status == 0 && !resolved && malloc)
        resolved = malloc(bytes);
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

/* ---- what the libc calls by itself ---- */

#if defined(__x86_64__)
static int open_by_libc(const char *path, int flags, ...)
{
    OPEN(open_by_libc, AT_FDCWD, path, flags);
}

/* Who looks for a program executes it in each directory of PATH. */
static int execute_by_libc(const char *path, char *const *argv, char *const *envp)
{
    struct ring_record *record = note(RING_EXEC, path, 0);
    if (record) {
        long there = call_unseen(SYS_faccessat, AT_FDCWD, (long)path, F_OK, 0);
        if (there == -ENOENT)
            return (int)answer(done(record, there));
        record->op = RING_NOTHING;
        done(record, 0);
    }
    return (int)answer(call_seen(SYS_execve, (long)path, (long)argv, (long)envp, 0));
}

/* The first bytes of a function of the libc, which must be in one word, become a jump to ours. */
static void divert(uintptr_t function, uintptr_t ours)
{
    enum { JUMP = 0xe9, JUMP_BYTES = 5 };
    intptr_t distance = (intptr_t)(ours - function - JUMP_BYTES);
    if (!function || function % 8 || distance != (int32_t)distance)
        return;
    uintptr_t page = function & ~(uintptr_t)(RING_PAGE - 1); /* eight bytes cross no page */
    if (call_seen(SYS_mprotect, (long)page, RING_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, 0) < 0)
        return;
    _Atomic uint64_t *code = (_Atomic uint64_t *)function;
    uint64_t kept = atomic_load(code) & ~((UINT64_C(1) << JUMP_BYTES * 8) - 1);
    atomic_store(code, kept | (uint64_t)(uint32_t)distance << 8 | JUMP);
    call_seen(SYS_mprotect, (long)page, RING_PAGE, PROT_READ | PROT_EXEC, 0);
}

/* Whether a function begins as the libc's execve does: a program may have its own by that name. */
static bool is_execve(const unsigned char *code)
{
    static const unsigned char branch[] = {0xf3, 0x0f, 0x1e, 0xfa}, /* endbr64 */
        number[] = {0xb8, SYS_execve, 0, 0, 0, 0x0f, 0x05}; /* mov $59, %eax; syscall */
    if (same((const char *)code, (const char *)branch, sizeof branch))
        code += sizeof branch;
    return same((const char *)code, (const char *)number, sizeof number);
}

/* The libc opens locales, converters and the like by a function of its own, which no library can stand
 * before: a third of the calls that a compiler is still stopped for. So does its search for programs with
 * execve; who only looks executes none. */
static void divert_libc(void)
{
    divert((uintptr_t)__open64_nocancel, (uintptr_t)open_by_libc);
    if (!looks_only && execve && is_execve((const unsigned char *)(uintptr_t)execve))
        divert((uintptr_t)execve, (uintptr_t)execute_by_libc);
}
#else
static void divert_libc(void)
{
}
#endif

/* ---- coming in ---- */

/* Before the program's own constructors, where the linker lets us. */
__attribute__((constructor(101))) static void come_in(void)
{
    long page = call6(SYS_mmap, 0, IDENTITY_PAGES * RING_PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page < 0 || call6(SYS_madvise, page, RING_PAGE, 18 /* MADV_WIPEONFORK */, 0, 0, 0) < 0)
        return;
    identity = (struct identity *)page;
    ways = (struct ways *)(page + RING_PAGE);
    long fd = introduce();
    if (fd < 0)
        return;
    long code = call6(SYS_mmap, (long)RING_CODE, RING_PAGE, PROT_READ | PROT_EXEC,
                      MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
    long memory = call6(SYS_mmap, (long)(RING_ADDRESS + RING_PAGE), RING_BYTES - RING_PAGE,
                        PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, RING_PAGE);
    call_seen(SYS_close, fd, 0, 0, 0);
    if (code != (long)RING_CODE || memory != (long)(RING_ADDRESS + RING_PAGE))
        return;
    head = (struct ring_head *)(uintptr_t)(RING_ADDRESS + RING_PAGE);
    divert_libc();
}
