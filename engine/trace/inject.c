#include "trace/inject.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "trace/image.h"

#if defined(__x86_64__)

/* Machine code: `syscall; cmp $-4096, %rax`, and the same of 32 bits. */
static const unsigned char call_and_compare[] = {0x0f, 0x05, 0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff};
static const unsigned char call_and_compare_short[] = {0x0f, 0x05, 0x3d, 0x00, 0xf0, 0xff, 0xff};
enum { LINKERS = 4, CALL_BYTES = 2, COMPARE_BYTES = 6 };

/* `jmp distance` */
struct jump {
    uint8_t code;
    int32_t distance;
} __attribute__((packed));

/* What the linker goes through: calls mmap(RING_CODE, RING_CODE_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED |
 * MAP_FIXED_NOREPLACE, fd, 0) and the code that is there then. Where that fails, it says so in `off`, and
 * calls close(fd). */
struct trampoline {
    unsigned char save[15];
    unsigned char number_of_mmap[5];
    uint16_t into_rdi;
    uint64_t at;
    uint8_t into_esi;
    uint32_t bytes;
    uint8_t into_edx;
    uint32_t protection;
    uint16_t into_r10d;
    uint32_t flags;
    uint16_t into_r8d;
    uint32_t fd;
    unsigned char offset_and_call[5];
    unsigned char is_it_there[3 + 2];
    uint8_t fd_into_edi;
    uint32_t its_fd;
    uint8_t number_into_esi;
    uint32_t its_number;
    uint16_t debug_into_rdx;
    uint64_t debug;
    uint16_t enter_into_rax;
    uint64_t enter;
    unsigned char call_enter[2];
    unsigned char is_it_in[2 + 2];
    unsigned char number_of_mprotect[5];
    uint16_t page_into_rdi;
    uint64_t page;
    unsigned char page_bytes_into_esi[5];
    unsigned char writable[5 + 2];
    uint16_t set;
    int32_t off;
    uint8_t to_1;
    unsigned char number_of_mprotect_again[5];
    unsigned char not_writable[5 + 2];
    unsigned char number_of_close[5];
    uint8_t closed_into_edi;
    uint32_t closed;
    unsigned char call_close[2];
    unsigned char restore[18];
    unsigned char compare[COMPARE_BYTES]; /* what stood where the jump is */
    struct jump back;
} __attribute__((packed));

/* `cmpb $0, off`, and a jump where it is not 0. */
struct check {
    uint16_t compare;
    int32_t off;
    uint8_t with_0;
    uint8_t jump;
    int8_t distance;
} __attribute__((packed));

/* What stands for a place in the linker's code, which had a system call and the comparison after it: a
 * call of RING_OPENS, past the 128 bytes that a function may use below its stack. */
struct opening {
    struct check check;
    unsigned char down[5]; /* lea -128(%rsp), %rsp */
    uint16_t into_rax;
    uint64_t ours;
    unsigned char call[2]; /* *%rax */
    unsigned char up[8]; /* lea 128(%rsp), %rsp */
    unsigned char compare[COMPARE_BYTES]; /* cmp $-4096, %rax */
    struct jump back;
    unsigned char plain[CALL_BYTES + 2]; /* syscall, and a jump to the comparison */
} __attribute__((packed));

/* What stands for _dl_debug_state: a jump to RING_LOADED. */
struct loaded {
    struct check check;
    uint16_t into_rax;
    uint64_t ours;
    unsigned char jump[2]; /* *%rax */
    uint8_t back; /* ret */
} __attribute__((packed));

/* All that is written into the end of a linker's code. */
struct room {
    struct trampoline trampoline;
    struct loaded loaded;
    struct opening opens[INJECT_OPENS];
    uint8_t off; /* not 0: all is as if we were not there */
} __attribute__((packed));

/* A piece of the linker's code with our jumps. */
struct piece {
    uint32_t at, length;
    unsigned char *bytes;
};

struct linker {
    char *path;
    struct stat was;
    _Atomic uint64_t looked_ns; /* when it was still the same */
    struct inject_places places; /* addresses in it, whose first is 0 */
    struct room room; /* but for what is the process's own */
    struct piece pieces[INJECT_OPENS + 1];
    unsigned count; /* of those */
};

static struct {
    pthread_mutex_t lock;
    struct linker at[LINKERS];
    unsigned count;
} linkers = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- what a linker is like ---- */

/* The segment with its code. */
static const Elf64_Phdr *code_of(const struct image *image)
{
    const Elf64_Phdr *part;
    for (unsigned i = 0; (part = image_segment(image, i)); i++)
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X))
            return part->p_filesz == part->p_memsz ? part : NULL;
    return NULL;
}

static bool begins(const unsigned char *code, size_t left, const unsigned char *with, size_t length)
{
    return left >= length && !memcmp(code, with, length);
}

/* Finds calls of one number: where `mov $number, %eax` stands, and a few bytes behind it the call. */
static void find_calls(const struct image *image, const Elf64_Phdr *part,
                       struct inject_places *places)
{
    enum { NEAR = 16, MOV = 0xb8, MOV_BYTES = 5 };
    const unsigned char *code =
        part->p_filesz > MOV_BYTES + NEAR ? image_at(image, part->p_offset, part->p_filesz) : NULL;
    unsigned accesses = 0, opens = 0;
    size_t end = code ? part->p_filesz - MOV_BYTES - NEAR : 0;
    const unsigned char *mov = code;
    while (end && (mov = memchr(mov, MOV, (size_t)(code + end - mov)))) {
        size_t at = (size_t)(mov++ - code);
        uint32_t number;
        memcpy(&number, mov, sizeof number);
        if (number != SYS_openat && number != SYS_access)
            continue;
        for (size_t i = at + MOV_BYTES; i <= at + NEAR; i++) {
            const unsigned char *call = code + i;
            size_t left = part->p_filesz - i;
            bool wide = begins(call, left, call_and_compare, sizeof call_and_compare);
            uint32_t place = (uint32_t)(part->p_vaddr + i);
            if (number == SYS_openat && wide && opens < INJECT_OPENS)
                places->opens[opens++] = place;
            else if (number == SYS_access && accesses < INJECT_ACCESSES &&
                     (wide ||
                      begins(call, left, call_and_compare_short, sizeof call_and_compare_short)))
                places->accesses[accesses++] = place + CALL_BYTES;
            if (begins(call, left, call_and_compare, CALL_BYTES))
                break;
        }
    }
}

/* Whether a function is nothing but a return, and what follows up to the next one is padding. */
static bool does_nothing(const struct image *image, uint64_t function)
{
    enum { RETURN = 0xc3 };
    static const unsigned char branch[] = {0xf3, 0x0f, 0x1e, 0xfa}; /* endbr64 */
    const unsigned char *code = image_at(image, image_offset(image, function), 16);
    if (!code || function % 16)
        return false;
    if (begins(code, 16, branch, sizeof branch))
        code += sizeof branch;
    return code[0] == RETURN && memchr("\x66\x0f\x90\xcc\x2e", code[1], 5);
}

bool inject_look_at(const struct image *image, struct inject_places *places)
{
    memset(places, 0, sizeof *places);
    const Elf64_Phdr *first = image_segment(image, 0), *code = code_of(image);
    uint64_t debug = image_symbol(image, "_r_debug");
    uint64_t state = image_symbol(image, "_dl_debug_state");
    /* What is loaded first is the file's beginning: so places in it are places in memory, too. */
    if (!first || first->p_type != PT_LOAD || first->p_vaddr || first->p_offset || !code ||
        code->p_vaddr > INT32_MAX || code->p_filesz > INT32_MAX || !debug || debug > INT32_MAX ||
        !state || state > INT32_MAX || !does_nothing(image, state))
        return false;
    find_calls(image, code, places);
    uint64_t end = code->p_vaddr + code->p_filesz;
    places->debug = (uint32_t)debug;
    places->debug_state = (uint32_t)state;
    places->room = (uint32_t)(end + 15) & ~15u;
    places->room_end = (uint32_t)(end + RING_PAGE - 1) & ~(uint32_t)(RING_PAGE - 1);
    return places->accesses[0] && places->opens[0];
}

/* ---- what is written ---- */

static const struct trampoline trampoline = {
    .save = {0x48, 0x8d, 0x64, 0x24, 0x80, /* lea -128(%rsp), %rsp */
             0x50, 0x57, 0x56, 0x52, /* push %rax, %rdi, %rsi, %rdx */
             0x41, 0x50, 0x41, 0x52, 0x41, 0x51}, /* push %r8, %r10, %r9 */
    .number_of_mmap = {0xb8, SYS_mmap, 0, 0, 0}, /* mov $SYS_mmap, %eax */
    .into_rdi = 0xbf48,
    .at = RING_CODE,
    .into_esi = 0xbe,
    .bytes = RING_CODE_BYTES,
    .into_edx = 0xba,
    .protection = PROT_READ | PROT_EXEC,
    .into_r10d = 0xba41,
    .flags = MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE,
    .into_r8d = 0xb841,
    .offset_and_call = {0x45, 0x31, 0xc9, 0x0f, 0x05}, /* xor %r9d, %r9d; syscall */
    /* cmp %rdi, %rax; jne to number_of_mprotect */
    .is_it_there = {0x48, 0x39, 0xf8, 0x75,
                    offsetof(struct trampoline, number_of_mprotect) -
                        offsetof(struct trampoline, fd_into_edi)},
    .fd_into_edi = 0xbf,
    .number_into_esi = 0xbe,
    .debug_into_rdx = 0xba48,
    .enter_into_rax = 0xb848,
    .enter = RING_ENTER,
    .call_enter = {0xff, 0xd0},
    /* test %al, %al; jne to restore */
    .is_it_in = {0x84, 0xc0, 0x75,
                 offsetof(struct trampoline, restore) -
                     offsetof(struct trampoline, number_of_mprotect)},
    .number_of_mprotect = {0xb8, SYS_mprotect, 0, 0, 0},
    .page_into_rdi = 0xbf48,
    .page_bytes_into_esi = {0xbe, 0, RING_PAGE >> 8, 0, 0},
    .writable = {0xba, PROT_READ | PROT_WRITE | PROT_EXEC, 0, 0, 0, 0x0f, 0x05},
    .set = 0x05c6, /* movb $1, off */
    .off = offsetof(struct room, off) - offsetof(struct trampoline, number_of_mprotect_again),
    .to_1 = 1,
    .number_of_mprotect_again = {0xb8, SYS_mprotect, 0, 0, 0},
    .not_writable = {0xba, PROT_READ | PROT_EXEC, 0, 0, 0, 0x0f, 0x05},
    .number_of_close = {0xb8, SYS_close, 0, 0, 0},
    .closed_into_edi = 0xbf,
    .call_close = {0x0f, 0x05},
    .restore = {0x41, 0x59, 0x41, 0x5a, 0x41, 0x58, /* pop %r9, %r10, %r8 */
                0x5a, 0x5e, 0x5f, 0x58, /* pop %rdx, %rsi, %rdi, %rax */
                0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0}, /* lea 128(%rsp), %rsp */
    .back.code = 0xe9,
};

static struct check check_of(size_t place, int8_t distance)
{
    return (struct check){
        .compare = 0x3d80,
        .off = (int32_t)(offsetof(struct room, off) - place - offsetof(struct check, jump)),
        .jump = 0x75,
        .distance = distance,
    };
}

static struct loaded loaded_of(void)
{
    return (struct loaded){
        .check = check_of(offsetof(struct room, loaded),
                          offsetof(struct loaded, back) - sizeof(struct check)),
        .into_rax = 0xb848,
        .ours = RING_LOADED,
        .jump = {0xff, 0xe0},
        .back = 0xc3,
    };
}

static struct opening opening_of(const struct inject_places *places, unsigned index)
{
    size_t place = offsetof(struct room, opens) + index * sizeof(struct opening);
    uint32_t after = places->opens[index] + CALL_BYTES + COMPARE_BYTES;
    return (struct opening){
        .check = check_of(place, offsetof(struct opening, plain) - sizeof(struct check)),
        .down = {0x48, 0x8d, 0x64, 0x24, 0x80},
        .into_rax = 0xb848,
        .ours = RING_OPENS,
        .call = {0xff, 0xd0},
        .up = {0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0},
        .compare = {0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff},
        .back = {0xe9, (int32_t)(after - (places->room + place + offsetof(struct opening, plain)))},
        .plain = {0x0f, 0x05, 0xeb,
                  (unsigned char)(offsetof(struct opening, compare) - sizeof(struct opening))},
    };
}

static void make_room(const struct inject_places *places, struct room *room)
{
    *room = (struct room){.trampoline = trampoline, .loaded = loaded_of()};
    for (unsigned i = 0; i < INJECT_OPENS && places->opens[i]; i++)
        room->opens[i] = opening_of(places, i);
}

/* A jump at `place` to what is at `offset` of the room, in a piece of code. Those in one page are written
 * together. */
static bool add_jump(struct linker *linker, const struct image *image, uint32_t place,
                     size_t offset)
{
    struct jump jump = {0xe9,
                        (int32_t)(linker->places.room + offset - (place + sizeof(struct jump)))};
    struct piece *piece = &linker->pieces[linker->count];
    if (linker->count && piece[-1].at < place && piece[-1].at / RING_PAGE == place / RING_PAGE)
        piece--;
    else {
        *piece = (struct piece){.at = place};
        linker->count++;
    }
    uint32_t had = piece->length, length = place + (uint32_t)sizeof jump - piece->at;
    const char *code = image_at(image, image_offset(image, piece->at), length);
    if (!code || length < had)
        return false;
    piece->bytes = mem_grow(piece->bytes, length);
    piece->length = length;
    memcpy(piece->bytes + had, code + had, length - had);
    memcpy(piece->bytes + (place - piece->at), &jump, sizeof jump);
    return true;
}

static bool make_pieces(struct linker *linker, const struct image *image)
{
    const struct inject_places *places = &linker->places;
    bool good = add_jump(linker, image, places->debug_state, offsetof(struct room, loaded));
    for (unsigned i = 0; i < INJECT_OPENS && places->opens[i] && good; i++)
        good = add_jump(linker, image, places->opens[i],
                        offsetof(struct room, opens) + i * sizeof(struct opening));
    return good;
}

/* Looks at a linker for the first time. What it is not known by goes with it. */
static bool look_at(struct linker *linker, const char *path, const struct image *image)
{
    *linker = (struct linker){.was = image->st};
    bool good = inject_look_at(image, &linker->places) &&
                linker->places.room + sizeof linker->room <= linker->places.room_end;
    if (good)
        make_room(&linker->places, &linker->room);
    good = good && make_pieces(linker, image);
    if (good)
        linker->path = mem_copy(path);
    for (unsigned i = 0; i < linker->count && !good; i++)
        free(linker->pieces[i].bytes);
    return good;
}

unsigned inject_linker(const char *path)
{
    pthread_mutex_lock(&linkers.lock);
    unsigned number = 0;
    for (unsigned i = 0; i < linkers.count && !number; i++)
        if (!strcmp(linkers.at[i].path, path))
            number = i + 1;
    struct image image;
    if (!number && linkers.count < LINKERS && image_open(path, &image)) {
        if (look_at(&linkers.at[linkers.count], path, &image))
            number = ++linkers.count;
        image_close(&image);
    }
    pthread_mutex_unlock(&linkers.lock);
    return number;
}

/* ---- into a program ---- */

static uint64_t place_of(const struct linker *linker, const struct seccomp_notif *notice)
{
    const uint32_t *places = linker->places.accesses;
    for (unsigned i = 0; i < INJECT_ACCESSES && places[i]; i++)
        if ((notice->data.instruction_pointer - places[i]) % RING_PAGE == 0)
            return places[i];
    return 0;
}

bool inject_stands(unsigned number, const struct seccomp_notif *notice)
{
    return place_of(&linkers.at[number - 1], notice);
}

/* Whether a linker is the one that was looked at: asked ten times a second. */
static bool is_as_it_was(struct linker *linker)
{
    enum { ASKED_NS = 100 * 1000 * 1000 };
    uint64_t now_ns = clock_ns();
    if (now_ns - atomic_load(&linker->looked_ns) < ASKED_NS)
        return true;
    struct stat is;
    bool same = stat(linker->path, &is) == 0 && image_is_same_file(&is, &linker->was);
    if (same)
        atomic_store(&linker->looked_ns, now_ns);
    return same;
}

static int open_memory(const struct seccomp_notif *notice)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/mem", (long)notice->pid);
    return open(path, O_RDWR | O_CLOEXEC);
}

/* Whether the system lets code be written to (proc_mem.force_override, Linux 6.12): tried with the byte that
 * is there, with the first program and, where that is none of ours to write to, again. */
static bool may_write(const struct seccomp_notif *notice)
{
    enum { UNKNOWN, MAY, MAY_NOT };
    static _Atomic int known = UNKNOWN;
    if (atomic_load(&known) != UNKNOWN)
        return atomic_load(&known) == MAY;
    off_t place = (off_t)notice->data.instruction_pointer;
    int memory = open_memory(notice);
    if (memory < 0)
        return false;
    char byte;
    bool reads = pread(memory, &byte, 1, place) == 1;
    bool may = reads && pwrite(memory, &byte, 1, place) == 1;
    close(memory);
    if (reads)
        atomic_store(&known, may ? MAY : MAY_NOT);
    return may;
}

uint64_t inject_base(unsigned number, const struct seccomp_notif *notice)
{
    struct linker *linker = &linkers.at[number - 1];
    uint64_t place = place_of(linker, notice);
    return place && is_as_it_was(linker) && may_write(notice)
               ? notice->data.instruction_pointer - place
               : 0;
}

/* Bytes of the comparison that stands at a place, as far as it is one; 0: it is not. */
static size_t comparison(const unsigned char *code)
{
    enum { WIDE = 6, SHORT = 5 };
    return !memcmp(code, call_and_compare + CALL_BYTES, WIDE)          ? WIDE
           : !memcmp(code, call_and_compare_short + CALL_BYTES, SHORT) ? SHORT
                                                                       : 0;
}

static bool write_at(int memory, const void *bytes, size_t length, uint64_t at)
{
    return pwrite(memory, bytes, length, (off_t)at) == (ssize_t)length;
}

bool inject(unsigned number, const struct seccomp_notif *notice, uint64_t base, int fd,
            uint32_t number_of_guest)
{
    const struct linker *linker = &linkers.at[number - 1];
    const struct inject_places *places = &linker->places;
    uint64_t place = notice->data.instruction_pointer, room_at = base + places->room;
    struct room room = linker->room;
    struct trampoline *code = &room.trampoline;
    int memory = open_memory(notice);
    size_t compared = memory >= 0 && pread(memory, code->compare, sizeof code->compare,
                                           (off_t)place) == sizeof code->compare
                          ? comparison(code->compare)
                          : 0;
    bool can = compared;
    if (can) {
        if (compared < sizeof code->compare)
            code->compare[compared] = 0x90; /* nop */
        code->fd = code->its_fd = code->closed = (uint32_t)fd;
        code->its_number = number_of_guest;
        code->debug = base + places->debug;
        code->page = room_at & ~(uint64_t)(RING_PAGE - 1);
        code->back.distance =
            (int32_t)((int64_t)(place + compared) - (int64_t)(room_at + sizeof(struct trampoline)));
        struct jump there = {0xe9,
                             (int32_t)((int64_t)room_at - (int64_t)(place + sizeof(struct jump)))};
        can = write_at(memory, &room, sizeof room, room_at);
        for (unsigned i = 0; i < linker->count && can; i++)
            can = write_at(memory, linker->pieces[i].bytes, linker->pieces[i].length,
                           base + linker->pieces[i].at);
        can = can && write_at(memory, &there, sizeof there, place);
        const uint8_t off = 1;
        if (!can) /* what was written does what stood there */
            write_at(memory, &off, sizeof off, room_at + offsetof(struct room, off));
    }
    if (memory >= 0)
        close(memory);
    return can;
}

#else

bool inject_look_at(const struct image *image, struct inject_places *places)
{
    (void)image;
    memset(places, 0, sizeof *places);
    return false;
}

unsigned inject_linker(const char *path)
{
    (void)path;
    return 0;
}

bool inject_stands(unsigned linker, const struct seccomp_notif *notice)
{
    (void)linker;
    (void)notice;
    return false;
}

uint64_t inject_base(unsigned linker, const struct seccomp_notif *notice)
{
    (void)linker;
    (void)notice;
    return 0;
}

bool inject(unsigned linker, const struct seccomp_notif *notice, uint64_t base, int fd,
            uint32_t number)
{
    (void)linker;
    (void)notice;
    (void)base;
    (void)fd;
    (void)number;
    return false;
}

#endif
