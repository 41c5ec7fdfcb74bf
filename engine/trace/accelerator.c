/*
 * The accelerator: code that the server puts into dynamic programs that make many calls. It stands
 * before the libc's functions that look for files, notes the call in memory that it shares with the
 * server (ring.h), and makes it by the one instruction that the filter lets pass. All that it cannot
 * note, it calls as anyone would: then the call is stopped and seen.
 *
 * It comes in as it stands, before the dynamic linker opens anything (accelerator_enter.c), or as a
 * library that the linker preloads (accelerator_preload.c).
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

#include "trace/accelerator.h"

enum { POPULATE_WRITE = 23 }; /* MADV_POPULATE_WRITE: Linux 5.14; before that nothing happens */

struct libc libc;
static struct ring_head *head; /* NULL: nothing is noted */
static struct ring_slot *_Atomic current; /* where the next record goes */
/* In a page of its own that a forked child finds empty: whose memory this is. */
static struct identity {
    _Atomic uint32_t number; /* 0: not known to the server yet */
    pid_t pid;
} * identity;
/* A child that shares this memory (vfork) has changed its directory: what it notes would be its
 * parent's. */
static _Atomic bool astray;
bool looks_only, opens_only;
static bool notes_changes, populates;

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
long call_seen(long number, long a, long b, long c, long d)
{
#define EXTRA "i"(0)
    CALL_WITH("syscall");
#undef EXTRA
}
long call_unseen(long number, long a, long b, long c, long d)
{
#define EXTRA "b"(RING_CODE)
    CALL_WITH("call *%%rbx");
#undef EXTRA
}
#elif defined(__aarch64__)
long call_seen(long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
long call_unseen(long number, long a, long b, long c, long d)
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

long answer(long result)
{
    if (result >= 0 || result < -4095)
        return result;
    if (libc.errno_location)
        *libc.errno_location() = (int)-result;
    return -1;
}

/* ---- noting ---- */

void take_number(uint32_t number)
{
    looks_only = number & RING_LOOKS_ONLY;
    opens_only = number & RING_OPENS_ONLY;
    notes_changes = number & RING_NOTES_CHANGES;
    populates = number & RING_POPULATES;
    number &= ~(RING_LOOKS_ONLY | RING_OPENS_ONLY | RING_NOTES_CHANGES | RING_POPULATES);
    if (number) {
        identity->pid = (pid_t)call_seen(SYS_getpid, 0, 0, 0, 0);
        atomic_store(&identity->number, number);
        atomic_store(&current, NULL);
    }
}

long introduce(void)
{
    uint32_t number = 0;
    long fd = call_seen(SYS_openat, AT_FDCWD, (long)RING_NAME, O_RDWR | O_CLOEXEC, (long)&number);
    take_number(number);
    return fd;
}

bool ready(void)
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
    return (char *)head - RING_CODE_BYTES + RING_HEAD + (slot - head->slots) * RING_CHUNK;
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

/* A fault costs more than the call that it is for: who has filled a page of a chunk will fill more, and
 * gets them at once. They are the server's, and mostly there. */
static void have_pages(char *chunk, uint32_t from, uint32_t to)
{
    enum { STRETCH = 28 * 1024 };
    if ((from - 1) / RING_PAGE % 8 == 0 && (to - 1) / RING_PAGE % 8 == 1) {
        uint32_t begin = (to - 1) / RING_PAGE * RING_PAGE;
        uint32_t bytes = RING_CHUNK - begin < STRETCH ? RING_CHUNK - begin : STRETCH;
        call_seen(SYS_madvise, (long)(chunk + begin), bytes, POPULATE_WRITE, 0);
    }
}

static struct ring_record *reserve(size_t size)
{
    struct ring_slot *slot = atomic_load(&current);
    for (int tries = 0; tries < 4; tries++) {
        if (slot) {
            uint32_t used = atomic_load(&slot->used);
            while (used + size <= RING_CHUNK)
                if (atomic_compare_exchange_weak(&slot->used, &used, used + (uint32_t)size)) {
                    have_pages(chunk_of(slot), used, used + (uint32_t)size);
                    return (struct ring_record *)(chunk_of(slot) + used);
                }
            atomic_fetch_or(&slot->used, 0x80000000u); /* full: the server may free it */
        }
        slot = take_chunk(slot);
        if (!slot)
            return NULL;
    }
    return NULL;
}

uint64_t now_ns(void)
{
    struct timespec now = {0};
    if (libc.clock_gettime)
        libc.clock_gettime(CLOCK_MONOTONIC, &now);
    else
        call_seen(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct ring_record *note(enum ring_op op, const char *path, uint32_t flags)
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

long done(struct ring_record *record, long result)
{
    record->result = (int32_t)result;
    atomic_store_explicit(&record->state, RECORD_DONE, memory_order_release);
    return result;
}

/* A call that names a path relative to the current directory, noted where it can be. */
static long noted(enum ring_op op, long number, const char *path, long b, long c)
{
    int before = libc.errno_location ? *libc.errno_location() : 0;
    struct ring_record *record = note(op, path, op == RING_OPEN ? (uint32_t)b : 0);
    if (libc.errno_location)
        *libc.errno_location() = before; /* the clock's, if anyone's */
    if (!record)
        return call_seen(number, AT_FDCWD, (long)path, b, c);
    if (op == RING_OPEN && was_just_absent(path, record->time_ns))
        return done(record, -ENOENT);
    return done(record, call_unseen(number, AT_FDCWD, (long)path, b, c));
}

static bool is_relative_to_descriptor(int dir, const char *path)
{
    return dir != AT_FDCWD && ((uintptr_t)path < RING_PAGE || path[0] != '/');
}

/*
 * What makes, writes or removes a plain file changes no way to any other, and need not be stopped. Whether
 * one was there is asked just before, as the server would. Only below the directory that we stand in, as
 * far as is to be seen, and in /tmp: what is the system's the server wants to know at once.
 */
enum standing { NOBODY_KNOWS, NOTHING_THERE, A_FILE_THERE };

static enum standing what_stands_at(const char *path)
{
    if (!notes_changes || (uintptr_t)path < RING_PAGE || !path[0] ||
        (path[0] == '/' && !after(path, "/tmp/")))
        return NOBODY_KNOWS;
    for (const char *at = path; at[1]; at++)
        if (at[0] == '.' && at[1] == '.')
            return NOBODY_KNOWS;
    struct stat there;
    long status =
        call_unseen(SYS_newfstatat, AT_FDCWD, (long)path, (long)&there, AT_SYMLINK_NOFOLLOW);
    return status == -ENOENT                       ? NOTHING_THERE
           : status == 0 && S_ISREG(there.st_mode) ? A_FILE_THERE
                                                   : NOBODY_KNOWS;
}

/* Notes an open for writing; NULL: it is to be seen. */
static struct ring_record *note_writing(const char *path, int flags)
{
    if ((flags & (O_DIRECTORY | O_PATH)) || !ready())
        return NULL;
    enum standing standing = what_stands_at(path);
    if (standing == NOBODY_KNOWS)
        return NULL;
    uint32_t was = standing == A_FILE_THERE ? RING_WAS_THERE : 0;
    return note(RING_OPEN, path, (uint32_t)flags | was);
}

/* ---- the functions of the libc ---- */

long open_at(int dir, const char *path, int flags, int mode)
{
    const int other =
        O_ACCMODE | O_CREAT | O_TRUNC | O_PATH | O_APPEND | (O_TMPFILE & ~O_DIRECTORY);
    bool relative = is_relative_to_descriptor(dir, path);
    if ((flags & other) == O_RDONLY && !relative)
        return noted(RING_OPEN, SYS_openat, path, flags, 0);
    forget_absent();
    struct ring_record *record = relative ? NULL : note_writing(path, flags);
    if (record)
        return done(record, call_unseen(SYS_openat, AT_FDCWD, (long)path, flags, mode));
    return call_seen(SYS_openat, dir, (long)path, flags, mode);
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
    return (int)answer(open_at(__VA_ARGS__, mode))

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

PUBLIC int unlink(const char *path)
{
    bool plain = ready() && what_stands_at(path) == A_FILE_THERE;
    struct ring_record *record = plain ? note(RING_UNLINK, path, 0) : NULL;
    return (int)answer(record ? done(record, call_unseen(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0))
                              : call_seen(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0));
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

/* ---- what the libc calls by itself ---- */

#if defined(__x86_64__)
int open_by_libc(const char *path, int flags, ...)
{
    OPEN(open_by_libc, AT_FDCWD, path, flags);
}

/* Who looks for a program executes it in each directory of PATH. A forked child that is not known yet is
 * stopped but once so. */
int execute_by_libc(const char *path, char *const *argv, char *const *envp)
{
    struct ring_record *record = atomic_load(&identity->number) ? note(RING_EXEC, path, 0) : NULL;
    if (record) {
        long there = call_unseen(SYS_faccessat, AT_FDCWD, (long)path, F_OK, 0);
        if (there == -ENOENT)
            return (int)answer(done(record, there));
        record->op = RING_NOTHING;
        done(record, 0);
    }
    return (int)answer(call_seen(SYS_execve, (long)path, (long)argv, (long)envp, 0));
}

void jump_from(uintptr_t function, uintptr_t ours)
{
    struct jump {
        uint16_t into_rax;
        uint64_t ours;
        uint16_t to_rax;
    } __attribute__((packed, may_alias)) *code = (struct jump *)function;
    *code = (struct jump){0xb848, ours, 0xe0ff}; /* movabs $ours, %rax; jmp *%rax */
}

int break_by_libc(void *end)
{
    enum { STRETCH = 256 * 1024 /* more is hardly malloc's, and may never be filled */ };
    uintptr_t was = (uintptr_t)*libc.heap_end;
    uintptr_t is = (uintptr_t)call_seen(SYS_brk, (long)end, 0, 0, 0);
    *libc.heap_end = (char *)is;
    if (is < (uintptr_t)end)
        return (int)answer(-ENOMEM);
    if (populates && was && is > was && is - was <= STRETCH) {
        uintptr_t from = was & ~(uintptr_t)(RING_PAGE - 1);
        call_seen(SYS_madvise, (long)from, (long)(is - from), POPULATE_WRITE, 0);
    }
    return 0;
}

void *map_by_libc(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    enum { QUIRE = 2 * 1024 * 1024 };
    if (populates && looks_only && length == QUIRE && !at &&
        flags == (MAP_PRIVATE | MAP_ANONYMOUS) && protection == (PROT_READ | PROT_WRITE))
        flags |= MAP_POPULATE;
    return (void *)answer(call6(SYS_mmap, (long)at, (long)length, protection, flags, fd, offset));
}

/* A program may have its own by that name. */
bool only_calls(const unsigned char *code, uint32_t number)
{
    static const unsigned char branch[] = {0xf3, 0x0f, 0x1e, 0xfa}; /* endbr64 */
    enum { MOV = 0xb8, SYSCALL = 0x050f };
    const struct {
        uint8_t mov; /* mov $number, %eax; syscall */
        uint32_t number;
        uint16_t syscall;
    } __attribute__((packed)) begins = {MOV, number, SYSCALL};
    if (same((const char *)code, (const char *)branch, sizeof branch))
        code += sizeof branch;
    return same((const char *)code, (const char *)&begins, sizeof begins);
}
#endif

/* ---- coming in ---- */

bool stand_at(long identity_page)
{
    enum { WIPE_ON_FORK = 18 }; /* MADV_WIPEONFORK */
    if (call6(SYS_madvise, identity_page, RING_PAGE, WIPE_ON_FORK, 0, 0, 0) < 0)
        return false;
    identity = (struct identity *)identity_page;
    return true;
}

bool map_ring(long fd)
{
    const long at = (long)(RING_ADDRESS + RING_CODE_BYTES);
    long memory = call6(SYS_mmap, at, RING_BYTES - RING_CODE_BYTES, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED_NOREPLACE, fd, RING_CODE_BYTES);
    if (memory == at)
        head = (struct ring_head *)at;
    return head;
}
