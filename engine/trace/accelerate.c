#include "trace/accelerate.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "trace/common.h"
#include "trace/fit.h"
#include "trace/inject.h"
#include "trace/noted.h"
#include "trace/ring.h"

/* The library, which travels inside of the program (gen/payload.S). */
extern const unsigned char payload_accelerator[], payload_accelerator_end[];
/* The same as code that stands by itself; nothing where it cannot come in so. */
extern const unsigned char payload_entering[], payload_entering_end[];

enum {
    MANY_CALLS = 80, /* that a program makes for the accelerator to be worth its start (~60 us) */
    VARIABLES = 1000, /* of an environment that are looked at */
    CROWDED = RING_CHUNKS / 2, /* chunks in use from which on the dead are looked for */
};

void accelerate_count(struct trace_server *server, struct thread *thread)
{
    (void)server;
    if (++thread->calls != MANY_CALLS || thread->process == INTERN_NONE)
        return;
    uint32_t program = thread->trace->processes.at[thread->process].program;
    if (program != INTERN_NONE)
        fit_is_busy(name_text(program));
}

/* ---- the region ---- */

struct accelerator {
    int ring; /* memfd */
    int preload; /* memfd of all steps */
    char *region; /* mapped */
    uint32_t drained[RING_CHUNKS]; /* bytes of each chunk */
    VEC(struct guest) guests; /* by number - 1 */
};

static struct ring_head *head_of(const struct accelerator *own)
{
    return (struct ring_head *)(void *)(own->region + RING_CODE_BYTES);
}

static char *chunk_of(const struct accelerator *own, uint32_t index)
{
    return own->region + RING_HEAD + (size_t)index * RING_CHUNK;
}

/* Bytes that processes gave out, of a chunk: no more than there are. */
static uint32_t used_of(const struct ring_slot *slot)
{
    uint32_t used = atomic_load(&slot->used) & 0x7fffffffu;
    return used < RING_CHUNK ? used : RING_CHUNK;
}

static void clear_chunk(const struct accelerator *own, uint32_t index)
{
    struct ring_slot *slot = &head_of(own)->slots[index];
    memset(chunk_of(own, index), 0, used_of(slot));
    atomic_store(&slot->used, 0);
    atomic_store(&slot->owner, 0);
}

/* What all guests are given. */
static struct {
    pthread_mutex_t lock;
    int library; /* memfd, or -1 */
    bool tried;
} files = {.lock = PTHREAD_MUTEX_INITIALIZER, .library = -1};

static int memory_file(const char *name, const void *bytes, size_t length)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd >= 0 && write(fd, bytes, length) != (ssize_t)length) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* What the machine's own /etc/ld.so.preload says goes first. */
static int new_preload_file(void)
{
    struct str text = {0};
    int fd = open(RING_PRELOAD, O_RDONLY | O_CLOEXEC);
    char piece[4096];
    for (ssize_t got; fd >= 0 && (got = read(fd, piece, sizeof piece)) > 0;)
        str_add_n(&text, piece, (size_t)got);
    if (fd >= 0)
        close(fd);
    str_add(&text, "\n" RING_LIBRARY "\n");
    int file = memory_file("ld.so.preload", text.at, text.len);
    str_free(&text);
    return file;
}

/* One for all steps, until the machine's own is another; a step may still hold the one before. */
static int preload_file(void)
{
    static struct stat was;
    static int file = -1;
    struct stat is = {0};
    if (stat(RING_PRELOAD, &is) < 0)
        memset(&is, 0, sizeof is);
    pthread_mutex_lock(&files.lock);
    if (file < 0 || !image_is_same_file(&is, &was)) {
        file = new_preload_file();
        was = is;
    }
    int now = file;
    pthread_mutex_unlock(&files.lock);
    return now;
}

static bool open_library(void)
{
    pthread_mutex_lock(&files.lock);
    if (!files.tried)
        files.library = memory_file("accelerator.so", payload_accelerator,
                                    (size_t)(payload_accelerator_end - payload_accelerator));
    files.tried = true;
    pthread_mutex_unlock(&files.lock);
    return files.library >= 0;
}

/* The region's code: how a call is made that is not seen, and what else stands by itself. */
static bool write_code(int fd)
{
#if defined(__x86_64__)
    const unsigned char *code = payload_entering; /* it begins with syscall; ret */
    size_t length = (size_t)(payload_entering_end - payload_entering);
#else
    static const unsigned char code[] = {0x01, 0x00, 0x00, 0xd4,
                                         0xc0, 0x03, 0x5f, 0xd6}; /* svc 0; ret */
    size_t length = sizeof code;
#endif
    return length <= RING_CODE_BYTES && ftruncate(fd, RING_BYTES) == 0 &&
           pwrite(fd, code, length, 0) == (ssize_t)length;
}

/* Regions of steps that have ended: the next ones take them with the pages that they have. */
static struct {
    pthread_mutex_t lock;
    struct region {
        int ring; /* memfd */
        char *at; /* mapped */
    } at[16];
    unsigned count;
} spare = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool take_spare(struct accelerator *own)
{
    pthread_mutex_lock(&spare.lock);
    bool have = spare.count > 0;
    if (have) {
        own->ring = spare.at[--spare.count].ring;
        own->region = spare.at[spare.count].at;
    }
    pthread_mutex_unlock(&spare.lock);
    return have;
}

/* Keeps a region that no process has any more; false where it is too large to be kept, or there are
 * enough. */
static bool keep_spare(struct accelerator *own)
{
    enum { SPARE_CHUNKS = 8 };
    uint32_t top = atomic_load(&head_of(own)->top);
    if (top > SPARE_CHUNKS)
        return false;
    for (uint32_t i = 0; i < top; i++) {
        clear_chunk(own, i);
        atomic_store(&head_of(own)->slots[i].state, CHUNK_FREE);
    }
    atomic_store(&head_of(own)->top, 0);
    atomic_store(&head_of(own)->off, 0);
    uint32_t begun = LIBC_BEGUN; /* by one that was killed, or could not */
    atomic_compare_exchange_strong(&head_of(own)->libc.state, &begun, LIBC_NONE);
    pthread_mutex_lock(&spare.lock);
    bool room = spare.count < sizeof spare.at / sizeof *spare.at;
    if (room)
        spare.at[spare.count++] = (struct region){own->ring, own->region};
    pthread_mutex_unlock(&spare.lock);
    return room;
}

/* Made with the first program that is worth it; NULL where this machine does not let us. */
static struct accelerator *accelerator_of(struct trace_server *server)
{
    if (server->accelerator || server->accelerator_tried)
        return server->accelerator;
    server->accelerator_tried = true;
    struct accelerator *own = mem_zero(1, sizeof *own);
    own->ring = -1;
    own->region = MAP_FAILED;
    own->preload = preload_file();
    if (own->preload >= 0 && open_library() && !take_spare(own)) {
        own->ring = memfd_create("gantry-ring", MFD_CLOEXEC);
        if (own->ring >= 0 && write_code(own->ring))
            own->region = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, own->ring, 0);
    }
    server->accelerator = own;
    if (own->region != MAP_FAILED)
        return own;
    own->region = NULL;
    accelerate_free(server);
    return NULL;
}

void accelerate_free(struct trace_server *server)
{
    struct accelerator *own = server->accelerator;
    if (!own)
        return;
    bool kept = own->region && server->traced_ended && keep_spare(own);
    if (own->region && !kept) {
        atomic_store(&head_of(own)->off, 1); /* what lives on notes no more */
        munmap(own->region, RING_BYTES);
    }
    if (own->ring >= 0 && !kept)
        close(own->ring);
    for (size_t i = 0; i < own->guests.len; i++)
        free(own->guests.at[i].directory);
    vec_free(&own->guests);
    free(own);
    server->accelerator = NULL;
}

void accelerate_stop(struct trace_server *server)
{
    server->accelerator_tried = true;
    if (server->accelerator)
        atomic_store(&head_of(server->accelerator)->off, 1);
}

/* ---- getting in ---- */

static void find_asking(void *asks, const char *text, size_t length)
{
    static const char *const names[] = {
        "LD_TRACE_LOADED_OBJECTS=", "LD_AUDIT=", "LD_DEBUG=", "LD_VERBOSE="};
    for (unsigned i = 0; text[0] == 'L' && i < sizeof names / sizeof *names; i++)
        if (!strncmp(text, names[i], length < strlen(names[i]) ? length : strlen(names[i])))
            *(bool *)asks = true;
}

/* Whether an environment asks the dynamic linker for something that we would show in. */
static bool asks_the_linker(pid_t tid, uint64_t environment)
{
    enum { AT_ONCE = 128, ENOUGH = 24 };
    uint64_t pointers[AT_ONCE];
    bool asks = environment % 8 != 0;
    for (size_t have = 0, count = AT_ONCE; !asks && have < VARIABLES; have += count) {
        uint64_t at = environment + have * 8;
        size_t room = (4096 - (size_t)(at % 4096)) / 8, wanted = room < AT_ONCE ? room : AT_ONCE;
        if (read_bytes(tid, at, pointers, wanted * 8) != READ_DONE)
            return true;
        for (count = 0; count < wanted && pointers[count];)
            count++;
        if (!read_strings(tid, pointers, count, ENOUGH, find_asking, &asks))
            return true;
        if (count < wanted)
            return asks;
    }
    return true;
}

void accelerate_exec(struct trace_server *server, struct thread *thread, const char *program,
                     uint64_t environment)
{
    thread->inject = INJECT_NOT;
    thread->calls = 0;
    struct accelerator *own = server->accelerator;
    for (size_t i = 0; own && i < own->guests.len; i++)
        if (own->guests.at[i].pid == thread->tid)
            own->guests.at[i].gone = true; /* what it noted is drained: an exec is a change */
    unsigned linker;
    if (server->unaccelerated || !fit_for_guest(program, &linker) || !accelerator_of(server) ||
        atomic_load(&head_of(server->accelerator)->off))
        return;
    thread->linker = server->preloads ? 0 : (uint8_t)linker;
    if (thread->linker || !asks_the_linker(thread->tid, environment))
        thread->inject = INJECT_ASKED;
}

/* Its number there; -1: it cannot be given. */
static int add_descriptor(struct trace_server *server, const struct seccomp_notif *notice, int fd,
                          bool as_answer)
{
    struct seccomp_notif_addfd give = {.id = notice->id,
                                       .flags = as_answer ? SECCOMP_ADDFD_FLAG_SEND : 0,
                                       .srcfd = (uint32_t)fd,
                                       .newfd_flags = O_CLOEXEC};
    return ioctl(server->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &give);
}

static bool give_descriptor(struct trace_server *server, const struct seccomp_notif *notice, int fd)
{
    return add_descriptor(server, notice, fd, true) >= 0;
}

static bool say_result(struct trace_server *server, const struct seccomp_notif *notice, int error)
{
    struct seccomp_notif_resp answer = {.id = notice->id, .error = error};
    return ioctl(server->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0;
}

/* A process is a guest from now on, or stands elsewhere now. Its number, with what else it is told so; 0:
 * nobody knows where it stands. */
static uint32_t enroll(struct trace_server *server, struct thread *thread, pid_t pid)
{
    struct accelerator *own = server->accelerator;
    for (size_t i = 0; i < own->guests.len; i++)
        if (own->guests.at[i].pid == pid)
            own->guests.at[i].gone = true;
    char link[64];
    struct str directory = {0};
    const char *known = thread_directory(server, thread);
    snprintf(link, sizeof link, "/proc/%ld/cwd", (long)thread->tid);
    bool stands = known || (read_link(link, &directory) && !str_ends(directory.at, " (deleted)"));
    if (stands && !known)
        thread_stands(server, thread, directory.at);
    struct guest guest = {.pid = pid, .trace = thread->trace};
    guest.process = thread_process(server, thread);
    guest.directory = known ? mem_copy(known) : stands ? str_take(&directory) : NULL;
    str_free(&directory);
    vec_push(&own->guests, guest);
    uint32_t number = (uint32_t)own->guests.len;
    uint32_t program = thread->trace->processes.at[guest.process].program;
    if (program != INTERN_NONE && fit_only_looks(name_text(program)))
        number |= RING_LOOKS_ONLY;
    if (program != INTERN_NONE && fit_only_opens(name_text(program)))
        number |= RING_OPENS_ONLY;
    if (stands && !common_is_systems(own->guests.at[own->guests.len - 1].directory))
        number |= RING_NOTES_CHANGES;
    if (server->populates)
        number |= RING_POPULATES;
    return stands ? number : 0;
}

/* A process introduces itself: its number goes where it wants it. */
static bool welcome(struct trace_server *server, struct thread *thread,
                    const struct seccomp_notif *notice)
{
    uint32_t number = enroll(server, thread, thread_leader(thread->tid));
    struct iovec local = {&number, sizeof number},
                 remote = {(void *)(uintptr_t)notice->data.args[3], sizeof number};
    return number && process_vm_writev(thread->tid, &local, 1, &remote, 1, 0) == sizeof number;
}

static bool give_library(struct trace_server *server, const struct seccomp_notif *notice)
{
    /* The linker reads it: each needs a place in the file of its own. */
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", files.library);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool given = fd >= 0 && give_descriptor(server, notice, fd);
    if (fd >= 0)
        close(fd);
    return given;
}

bool accelerate_knows_path(const struct thread *thread, const struct seccomp_notif *notice,
                           struct str *path)
{
    bool knows =
        thread->inject == INJECT_ASKED && thread->linker && inject_stands(thread->linker, notice);
    if (knows)
        str_add(path, RING_PRELOAD);
    return knows;
}

/* Has a program enter before its dynamic linker goes on with the call that it stands in. */
static bool let_in(struct trace_server *server, struct thread *thread,
                   const struct seccomp_notif *notice)
{
    struct accelerator *own = server->accelerator;
    uint64_t base = inject_base(thread->linker, notice);
    uint32_t number = base ? enroll(server, thread, thread->tid) : 0;
    int fd = number ? add_descriptor(server, notice, own->ring, false) : -1;
    return fd >= 0 && inject(thread->linker, notice, base, fd, number);
}

bool accelerate_answer(struct trace_server *server, struct thread *thread,
                       const struct seccomp_notif *notice, const struct call *call)
{
    struct accelerator *own = server->accelerator;
    if (!own || call->op == CALL_EXEC || (call->op != CALL_OPEN && thread->inject != INJECT_ASKED))
        return false;
    const char *path = str_text(&server->raw);
    enum inject was = thread->inject;
    if (call->op == CALL_OPEN && !strcmp(path, RING_NAME)) {
        thread->inject = INJECT_NOT;
        server->pending.len = 0;
        if (atomic_load(&head_of(own)->off) || !welcome(server, thread, notice))
            return say_result(server, notice, -ENOENT);
        return was == INJECT_RING ? give_descriptor(server, notice, own->ring)
                                  : say_result(server, notice, -EALREADY);
    }
    if (was == INJECT_NOT || was == INJECT_RING)
        return false;
    thread->inject = INJECT_NOT;
    if (was == INJECT_ASKED && call->op == CALL_STAT && !strcmp(path, RING_PRELOAD)) {
        if (thread->linker && let_in(server, thread, notice))
            return false;
        thread->inject = INJECT_PRELOAD;
        return say_result(server, notice, 0);
    }
    if (was == INJECT_PRELOAD && !strcmp(path, RING_PRELOAD)) {
        thread->inject = INJECT_LIBRARY;
        server->pending.len = 0;
        return give_descriptor(server, notice, own->preload);
    }
    if (was == INJECT_LIBRARY && strcmp(path, RING_LIBRARY) != 0) {
        thread->inject = INJECT_LIBRARY; /* what the machine itself preloads */
        return false;
    }
    if (was == INJECT_LIBRARY) {
        thread->inject = INJECT_RING;
        server->pending.len = 0;
        return give_library(server, notice);
    }
    return false;
}

/* ---- what was noted ---- */

static bool is_dead(struct guest *guest)
{
    if (!guest->gone && kill(guest->pid, 0) < 0 && errno == ESRCH)
        guest->gone = true;
    return guest->gone;
}

static void drain_chunk(struct trace_server *server, uint32_t index, bool last)
{
    struct accelerator *own = server->accelerator;
    struct ring_slot *slot = &head_of(own)->slots[index];
    uint32_t number = atomic_load(&slot->owner);
    if (atomic_load(&slot->state) != CHUNK_TAKEN || !number || number > own->guests.len)
        return;
    struct guest *guest = &own->guests.at[number - 1];
    bool dead =
        last || guest->gone || (atomic_load(&head_of(own)->top) > CROWDED && is_dead(guest));
    uint32_t used = used_of(slot);
    uint32_t at = own->drained[index];
    const struct ring_record *records[NOTED_BATCH];
    size_t count = 0;
    while (at < used) {
        struct ring_record *record = (struct ring_record *)(void *)(chunk_of(own, index) + at);
        uint32_t state = atomic_load_explicit(&record->state, memory_order_acquire);
        if (state != RECORD_DONE && !dead)
            break;
        if (state == RECORD_NOT_YET || record->size <= sizeof *record || record->size > used - at) {
            if (guest->trace) /* killed between reserving and noting: others may stand behind */
                guest->trace->flaws |= TRACE_UNREADABLE;
            at = used;
            break;
        }
        records[count++] = record;
        at += record->size;
        if (count == NOTED_BATCH) {
            noted_keep(server, guest, records, count);
            count = 0;
        }
    }
    noted_keep(server, guest, records, count);
    own->drained[index] = at;
    if (dead && at == used && !last) {
        clear_chunk(own, index);
        own->drained[index] = 0;
        atomic_store(&slot->state, CHUNK_FREE);
    }
}

/* Whether what is in a chunk was noted for a trace, or for one that was dropped: then the chunk is only
 * to be freed. */
static bool is_of(const struct accelerator *own, uint32_t chunk, const struct trace *trace)
{
    uint32_t number = atomic_load(&head_of(own)->slots[chunk].owner);
    if (!number || number > own->guests.len)
        return false;
    const struct trace *its = own->guests.at[number - 1].trace;
    return !its || its == trace;
}

void accelerate_drain(struct trace_server *server, const struct trace *trace, bool last)
{
    struct accelerator *own = server->accelerator;
    if (!own)
        return;
    struct trace *before = server->trace;
    uint32_t top = atomic_load(&head_of(own)->top);
    for (uint32_t i = 0; i < top && i < RING_CHUNKS; i++)
        if (is_of(own, i, trace))
            drain_chunk(server, i, last);
    server->trace = before;
    server->pending.len = 0;
}

void accelerate_before_change(struct trace_server *server, struct thread *thread,
                              const char *directory)
{
    struct accelerator *own = server->accelerator;
    if (!own || !directory)
        return;
    for (size_t i = 0; i < own->guests.len; i++) {
        struct guest *guest = &own->guests.at[i];
        if (guest->pid == thread->tid && !guest->gone) {
            free(guest->directory);
            guest->directory = mem_copy(directory);
        }
    }
}

void accelerate_drop(struct trace_server *server, const struct trace *trace)
{
    struct accelerator *own = server->accelerator;
    if (!own)
        return;
    uint32_t top = atomic_load(&head_of(own)->top);
    for (uint32_t i = 0; i < top && i < RING_CHUNKS; i++)
        if (is_of(own, i, trace))
            drain_chunk(server, i, true);
    for (size_t i = 0; i < own->guests.len; i++)
        if (own->guests.at[i].trace == trace) {
            own->guests.at[i].trace = NULL;
            is_dead(&own->guests.at[i]);
        }
    server->pending.len = 0;
}
