/*
 * How the accelerator comes into a program as it stands (x86-64). The server has a new program, whose
 * dynamic linker makes its first call, map the code of the region and call RING_ENTER: inject.c. From
 * then on what the linker opens is noted: most of what a program is stopped for otherwise. When all
 * libraries are there, the linker calls _dl_debug_state, where debuggers wait for the same; then the
 * libc's functions begin with jumps to ours.
 *
 * Linked to stand at RING_ADDRESS (accelerator.ld); nothing is relocated, and no library is loaded.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "trace/accelerator.h"

/* Pages of our own: who we are, and variables (accelerator.ld). */
enum { IDENTITY_PAGE, VARIABLES_PAGE, PAGES_OF_OUR_OWN };

static const struct r_debug *debug;
static bool came_in; /* to the libc, or it cannot be */

/* The linker's registers are kept by what calls these, or are what a call may change. */
__asm__(".section .enter, \"ax\"\n"
        "syscall\n"
        "ret\n"
        ".balign 16\n"
        "push %rbp\n"
        "mov %rsp, %rbp\n"
        "and $-16, %rsp\n"
        "call enter\n"
        "mov %rbp, %rsp\n"
        "pop %rbp\n"
        "ret\n"
        /* In the place of a system call, which keeps all registers but rax, rcx and r11. */
        "linker_opens:\n"
        "push %rdi\n"
        "push %rsi\n"
        "push %rdx\n"
        "push %r8\n"
        "push %r9\n"
        "push %r10\n"
        "push %rbp\n"
        "mov %rsp, %rbp\n"
        "and $-16, %rsp\n"
        "mov %r10, %rcx\n"
        "call open_at\n"
        "mov %rbp, %rsp\n"
        "pop %rbp\n"
        "pop %r10\n"
        "pop %r9\n"
        "pop %r8\n"
        "pop %rdx\n"
        "pop %rsi\n"
        "pop %rdi\n"
        "ret\n"
        ".text\n");
extern const char linker_opens[];

/* ---- what libraries have: elf(5), and the hash table that the linker itself uses ---- */

struct library {
    uintptr_t base;
    const Elf64_Sym *symbols;
    const char *names;
    const uint16_t *versions; /* or NULL */
    const uint32_t *hashed;
};

static bool read_library(const struct link_map *map, struct library *library)
{
    *library = (struct library){.base = map->l_addr};
    for (const Elf64_Dyn *entry = map->l_ld; entry && entry->d_tag != DT_NULL; entry++) {
        /* The linker has put addresses there, but where that is read-only. */
        uintptr_t at =
            entry->d_un.d_ptr < map->l_addr ? entry->d_un.d_ptr + map->l_addr : entry->d_un.d_ptr;
        if (entry->d_tag == DT_SYMTAB)
            library->symbols = (const Elf64_Sym *)at;
        else if (entry->d_tag == DT_STRTAB)
            library->names = (const char *)at;
        else if (entry->d_tag == DT_VERSYM)
            library->versions = (const uint16_t *)at;
        else if (entry->d_tag == DT_GNU_HASH)
            library->hashed = (const uint32_t *)at;
    }
    return library->symbols && library->names && library->hashed;
}

/* The address of a function that a library has for others, or 0. */
static uintptr_t function_of(const struct library *library, const char *name)
{
    enum { HIDDEN = 0x8000 /* of a version that is not the default */ };
    uint32_t hash = 5381;
    for (const char *at = name; *at; at++)
        hash = hash * 33 + (unsigned char)*at;
    const uint32_t *table = library->hashed;
    uint32_t buckets = table[0], first = table[1], words = table[2], shift = table[3];
    const uint64_t *bloom = (const uint64_t *)(const void *)(table + 4);
    const uint32_t *bucket = (const uint32_t *)(const void *)(bloom + words);
    const uint32_t *chain = bucket + buckets;
    uint64_t bits = UINT64_C(1) << hash % 64 | UINT64_C(1) << (hash >> shift) % 64;
    if (!buckets || (bloom[hash / 64 % words] & bits) != bits || bucket[hash % buckets] < first)
        return 0;
    for (uint32_t i = bucket[hash % buckets];; i++) {
        uint32_t at = chain[i - first];
        const Elf64_Sym *symbol = &library->symbols[i];
        if ((at | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF &&
            ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
            !(library->versions && library->versions[i] & HIDDEN) &&
            equal(library->names + symbol->st_name, name))
            return library->base + symbol->st_value;
        if (at & 1) /* the chain's end */
            return 0;
    }
}

/* What a library's call of the function would find: the first one that has it. */
static uintptr_t function_of_any(const char *name)
{
    struct library library;
    for (const struct link_map *map = debug->r_map; map; map = map->l_next) {
        if (!read_library(map, &library))
            return 0;
        uintptr_t function = function_of(&library, name);
        if (function)
            return function;
    }
    return 0;
}

/* ---- the libc ---- */

static const struct link_map *find_libc(void)
{
    for (const struct link_map *map = debug->r_map; map; map = map->l_next)
        if (map->l_name && equal(base_name(map->l_name), "libc.so.6"))
            return map;
    return NULL;
}

/* Makes a library's code writable, or not any more. */
static bool protect_code(uintptr_t base, int how)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)base; /* the first thing of the first segment */
    const Elf64_Phdr *part = (const Elf64_Phdr *)(base + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; i++, part++)
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X)) {
            uintptr_t from = (base + part->p_vaddr) & ~(uintptr_t)(RING_PAGE - 1);
            uintptr_t to = base + part->p_vaddr + part->p_filesz;
            return call_seen(SYS_mprotect, (long)from, (long)(to - from), how, 0) == 0;
        }
    return false;
}

static void divert_libc(const struct link_map *map)
{
    /* Each page of code that is written to is copied: who needs few functions has few of them changed. */
    enum { ASSEMBLERS = 1, COMPILERS = 2, OTHERS = 4, LOOKING = COMPILERS | OTHERS, ALL = 7 };
    static const struct {
        const char *name;
        uintptr_t ours;
        unsigned whose;
    } functions[] = {
        {"open64", (uintptr_t)open64, ALL},
        {"__open64_nocancel", (uintptr_t)open_by_libc, ALL},
        {"stat64", (uintptr_t)stat64, ALL},
        {"lstat64", (uintptr_t)lstat64, ALL},
        {"fstatat64", (uintptr_t)fstatat64, ALL},
        {"realpath", (uintptr_t)realpath, LOOKING},
        {"access", (uintptr_t)access, LOOKING},
        {"openat64", (uintptr_t)openat64, OTHERS},
        {"readlink", (uintptr_t)readlink, OTHERS},
        {"readlinkat", (uintptr_t)readlinkat, OTHERS},
        {"unlink", (uintptr_t)unlink, OTHERS},
        {"chdir", (uintptr_t)chdir, OTHERS},
        {"fchdir", (uintptr_t)fchdir, OTHERS},
        {"execve", (uintptr_t)execute_by_libc, OTHERS},
    };
    const unsigned we = opens_only ? ASSEMBLERS : looks_only ? COMPILERS : OTHERS;
    struct library library;
    if (!read_library(map, &library))
        return;
    libc.errno_location = (int *(*)(void))function_of(&library, "__errno_location");
    libc.clock_gettime =
        (int (*)(clockid_t, struct timespec *))function_of(&library, "clock_gettime");
    if (!libc.errno_location || !protect_code(map->l_addr, PROT_READ | PROT_WRITE | PROT_EXEC))
        return;
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
        uintptr_t ours = functions[i].ours;
        uintptr_t function = functions[i].whose & we ? function_of(&library, functions[i].name) : 0;
        if (function && ours == (uintptr_t)realpath)
            libc.malloc = (void *(*)(size_t))function_of_any("malloc");
        if (!function || function % 16 || /* what begins at 16 has as many bytes of its own */
            (ours == (uintptr_t)realpath && !libc.malloc) ||
            (ours == (uintptr_t)execute_by_libc && !is_execve((const unsigned char *)function)))
            continue;
        jump_from(function, ours);
    }
    protect_code(map->l_addr, PROT_READ | PROT_EXEC);
}

/* In the place of the linker's _dl_debug_state, which it calls before and after it loads libraries. */
static void linker_tells(void)
{
    const struct link_map *map = came_in || debug->r_state ? NULL : find_libc();
    if (!map)
        return;
    came_in = true;
    divert_libc(map);
}

/* ---- the linker ---- */

/* What a place in the linker's code jumps to, instead of a system call and the comparison after it:
 * a call of linker_opens, past the 128 bytes that a function may use below its stack. */
struct opening {
    uint8_t down[5]; /* lea -128(%rsp), %rsp */
    uint16_t into_rax; /* movabs */
    uint64_t ours;
    uint16_t call; /* *%rax */
    uint8_t up[8]; /* lea 128(%rsp), %rsp */
    uint8_t compare[6]; /* cmp $-4096, %rax */
    uint8_t jump; /* back */
    int32_t back;
} __attribute__((packed, may_alias));

static void divert_open(uintptr_t place, uintptr_t room)
{
    enum { PLACE_BYTES = 2 + 6 };
    struct opening *opening = (struct opening *)room;
    *opening = (struct opening){
        .down = {0x48, 0x8d, 0x64, 0x24, 0x80},
        .into_rax = 0xb848,
        .ours = (uintptr_t)linker_opens,
        .call = 0xd0ff,
        .up = {0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0},
        .compare = {0x48, 0x3d, 0x00, 0xf0, 0xff, 0xff},
        .jump = 0xe9,
        .back = (int32_t)(place + PLACE_BYTES - (room + sizeof *opening)),
    };
    struct there {
        uint8_t jump;
        int32_t distance;
    } __attribute__((packed, may_alias)) *there = (struct there *)place;
    *there = (struct there){0xe9, (int32_t)(room - (place + sizeof *there))};
}

static void divert_linker(uintptr_t base, const struct ring_linker *linker)
{
    if (!protect_code(base, PROT_READ | PROT_WRITE | PROT_EXEC))
        return;
    debug = (const struct r_debug *)(base + linker->debug);
    jump_from(base + linker->debug_state, (uintptr_t)linker_tells);
    uint32_t room = linker->room;
    for (unsigned i = 0; i < RING_OPENS && linker->opens[i]; i++) {
        if (room + sizeof(struct opening) > linker->room_end)
            break;
        divert_open(base + linker->opens[i], base + room);
        room += (uint32_t)sizeof(struct opening);
    }
    protect_code(base, PROT_READ | PROT_EXEC);
}

/* The region is at `fd`, the process has a number with the server, and the linker it knows by `linker`
 * is loaded at `base`. */
__attribute__((used)) static void enter(int fd, uint32_t number, uintptr_t base, unsigned linker)
{
    const long own = (long)RING_OWN;
    if ((uintptr_t)&came_in / RING_PAGE != RING_OWN / RING_PAGE + VARIABLES_PAGE)
        return; /* accelerator.ld says something else than ring.h */
    const int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE;
    long there =
        call6(SYS_mmap, own, PAGES_OF_OUR_OWN * RING_PAGE, PROT_READ | PROT_WRITE, how, -1, 0);
    if (there != own || !stand_at(own + IDENTITY_PAGE * RING_PAGE))
        return;
    take_number(number);
    const struct ring_head *head = (const struct ring_head *)(RING_ADDRESS + RING_CODE_BYTES);
    if (map_ring(fd))
        divert_linker(base, &head->linkers[linker]);
}
