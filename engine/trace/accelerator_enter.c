/*
 * How the accelerator comes into a program as it stands (x86-64). The server has a new program, whose
 * dynamic linker makes its first call, map the code of the region and call RING_ENTER: inject.c. From
 * then on what the linker opens comes by RING_OPENS, and is noted: most of what a program is stopped for
 * otherwise. When all libraries are there, the linker calls _dl_debug_state, where debuggers wait for the
 * same, and comes by RING_LOADED; then the libc's functions begin with jumps to ours.
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
_Static_assert(PAGES_OF_OUR_OWN == (int)RING_OWN_PAGES, "they have their place");

static const struct r_debug *debug;
static bool came_in; /* to the libc, or it cannot be */
static int region; /* a descriptor of it, until then */

/* The linker's registers are kept by what calls these, or are what a call may change. */
__asm__(".section .enter, \"ax\"\n"
        "syscall\n"
        "ret\n"
        ".balign 8\n"
        "jmp comes_in\n"
        ".balign 8\n"
        "jmp linker_opens\n"
        ".balign 8\n"
        "jmp linker_tells\n"
        "comes_in:\n"
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

/* The address of a function or variable (STT_...) that a library has for others, or 0. */
static uintptr_t symbol_of(const struct library *library, const char *name, unsigned type)
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
            ELF64_ST_TYPE(symbol->st_info) == type &&
            !(library->versions && library->versions[i] & HIDDEN) &&
            equal(library->names + symbol->st_name, name))
            return library->base + symbol->st_value;
        if (at & 1) /* the chain's end */
            return 0;
    }
}

static uintptr_t function_of(const struct library *library, const char *name)
{
    return symbol_of(library, name, STT_FUNC);
}

/* What a library's own use of the name would find: the first one that has it. */
static uintptr_t symbol_of_any(const char *name, unsigned type)
{
    struct library library;
    for (const struct link_map *map = debug->r_map; map; map = map->l_next) {
        if (!read_library(map, &library))
            return 0;
        uintptr_t found = symbol_of(&library, name, type);
        if (found)
            return found;
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

/* Who has use of a function of ours. Each page of code that is written to is copied: who needs few has few
 * of them changed. */
enum { ASSEMBLERS = 1, COMPILERS = 2, OTHERS = 4, LOOKING = COMPILERS | OTHERS, ALL = 7 };

static unsigned who_we_are(void)
{
    return opens_only ? ASSEMBLERS : looks_only ? COMPILERS : OTHERS;
}

/* Whether the libc's function is as we know it, and what ours needs was found. */
static bool is_realpath(const unsigned char *code)
{
    (void)code;
    return libc.malloc;
}

static bool is_execve(const unsigned char *code)
{
    return only_calls(code, SYS_execve);
}

static bool is_brk(const unsigned char *code)
{
    return libc.heap_end && only_calls(code, SYS_brk);
}

static const struct function {
    const char *name;
    uintptr_t ours;
    unsigned whose;
    bool (*is)(const unsigned char *code); /* NULL: it is */
} functions[] = {
    {"open64", (uintptr_t)open64, ALL, NULL},
    {"__open64_nocancel", (uintptr_t)open_by_libc, ALL, NULL},
    {"stat64", (uintptr_t)stat64, ALL, NULL},
    {"lstat64", (uintptr_t)lstat64, ALL, NULL},
    {"fstatat64", (uintptr_t)fstatat64, ALL, NULL},
    {"brk", (uintptr_t)break_by_libc, ALL, is_brk},
    {"realpath", (uintptr_t)realpath, LOOKING, is_realpath},
    {"access", (uintptr_t)access, LOOKING, NULL},
    {"mmap", (uintptr_t)map_by_libc, COMPILERS, NULL},
    {"openat64", (uintptr_t)openat64, OTHERS, NULL},
    {"readlink", (uintptr_t)readlink, OTHERS, NULL},
    {"readlinkat", (uintptr_t)readlinkat, OTHERS, NULL},
    {"unlink", (uintptr_t)unlink, OTHERS, NULL},
    {"chdir", (uintptr_t)chdir, OTHERS, NULL},
    {"fchdir", (uintptr_t)fchdir, OTHERS, NULL},
    {"execve", (uintptr_t)execute_by_libc, OTHERS, is_execve},
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* Where a function is that is to begin with our jump; 0: it is not. */
static uintptr_t diverted(const struct library *library, const struct function *function)
{
    uintptr_t at = function_of(library, function->name);
    bool can = at && at % 16 == 0 && /* what begins at 16 has as many bytes of its own */
               (!function->is || function->is((const unsigned char *)at));
    return can ? at : 0;
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

/* ---- a libc's pages, kept for those who come after us ---- */

/* Whether the first bytes of a library tell it from any other: its linker's note is among them. */
static bool is_named_by_its_beginning(uintptr_t base)
{
    enum { GNU_NAME_BYTES = 4 };
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)base;
    const Elf64_Phdr *part = (const Elf64_Phdr *)(base + header->e_phoff);
    if (header->e_phoff + header->e_phnum * sizeof *part > RING_LIBC_BEGINS)
        return false;
    for (unsigned i = 0; i < header->e_phnum; i++, part++) {
        if (part->p_type != PT_NOTE || part->p_vaddr + part->p_memsz > RING_LIBC_BEGINS)
            continue;
        const Elf64_Nhdr *note = (const Elf64_Nhdr *)(base + part->p_vaddr);
        if (part->p_memsz > sizeof *note && note->n_type == NT_GNU_BUILD_ID &&
            note->n_namesz == GNU_NAME_BYTES && note->n_descsz >= 16 &&
            equal((const char *)(note + 1), "GNU"))
            return true;
    }
    return false;
}

/* The lowest page of a function, from one on. */
static uint32_t page_from(const uintptr_t *at, uintptr_t base, uint32_t from)
{
    uint32_t lowest = UINT32_MAX;
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        uint32_t page = (uint32_t)((at[i] - base) / RING_PAGE);
        if (at[i] && page >= from && page < lowest)
            lowest = page;
    }
    return lowest;
}

/* Says which pages functions are in; false where there is no room for so many. */
static bool find_parts(const uintptr_t *at, uintptr_t base, struct ring_libc_part *parts)
{
    enum { NEAR = 6 }; /* a mapping of some pages more costs less than two mappings */
    unsigned count = 0;
    uint32_t end = 0, pages = 0;
    for (uint32_t page; (page = page_from(at, base, end)) != UINT32_MAX; end = page + 1) {
        if (!count || page >= end + NEAR) {
            if (count == RING_LIBC_PARTS)
                return false;
            parts[count++] = (struct ring_libc_part){.page = page};
        }
        parts[count - 1].count = page + 1 - parts[count - 1].page;
    }
    for (unsigned i = 0; i < count; i++)
        pages += parts[i].count;
    for (unsigned i = 0; i < FUNCTIONS; i++)
        for (unsigned part = 0; part < count && at[i]; part++)
            if ((at[i] - base) / RING_PAGE - parts[part].page < parts[part].count)
                parts[part].whose |= functions[i].whose;
    return pages <= RING_LIBC_PAGES;
}

/* Keeps the pages of a libc, whose functions at `at` are diverted. */
static void keep_libc(struct ring_libc *kept, const uintptr_t *at, uintptr_t base)
{
    struct ring_libc_part parts[RING_LIBC_PARTS] = {{.page = 0}};
    if (!is_named_by_its_beginning(base) || !find_parts(at, base, parts))
        return; /* nobody keeps this one: it stays begun */
    char *to = (char *)(RING_ADDRESS + RING_LIBC);
    for (unsigned i = 0; i < RING_LIBC_PARTS; i++) {
        size_t bytes = (size_t)parts[i].count * RING_PAGE;
        copy(to, (const char *)base + (size_t)parts[i].page * RING_PAGE, bytes);
        to += bytes;
        kept->parts[i] = parts[i];
    }
    copy((char *)kept->begins, (const char *)base, RING_LIBC_BEGINS);
    kept->errno_location = (uint32_t)((uintptr_t)libc.errno_location - base);
    kept->clock_gettime = (uint32_t)((uintptr_t)libc.clock_gettime - base);
    atomic_store(&kept->state, LIBC_THERE);
}

/* Puts what was kept in the place of a libc's pages; false where nothing was, or of another libc, or we
 * lack what some of it needs. */
static bool take_kept(const struct ring_libc *kept, uintptr_t base)
{
    if (atomic_load(&kept->state) != LIBC_THERE || !libc.malloc || !libc.heap_end ||
        !same((const char *)base, (const char *)kept->begins, RING_LIBC_BEGINS))
        return false;
    libc.errno_location = (int *(*)(void))(base + kept->errno_location);
    libc.clock_gettime = (int (*)(clockid_t, struct timespec *))(base + kept->clock_gettime);
    long from = RING_LIBC;
    for (unsigned i = 0; i < RING_LIBC_PARTS; i++) {
        const struct ring_libc_part *part = &kept->parts[i];
        long bytes = (long)part->count * RING_PAGE;
        if (part->count && part->whose & who_we_are())
            call6(SYS_mmap, (long)base + (long)part->page * RING_PAGE, bytes, PROT_READ | PROT_EXEC,
                  MAP_PRIVATE | MAP_FIXED | MAP_POPULATE, region, from);
        from += bytes;
    }
    return true;
}

/* ---- coming into the libc ---- */

static void divert_libc(struct ring_libc *kept, const struct library *library)
{
    uint32_t none = LIBC_NONE;
    uintptr_t at[FUNCTIONS];
    libc.errno_location = (int *(*)(void))function_of(library, "__errno_location");
    libc.clock_gettime =
        (int (*)(clockid_t, struct timespec *))function_of(library, "clock_gettime");
    if (!libc.errno_location || !libc.clock_gettime ||
        !protect_code(library->base, PROT_READ | PROT_WRITE | PROT_EXEC))
        return;
    bool keeps = libc.malloc && libc.heap_end &&
                 atomic_compare_exchange_strong(&kept->state, &none, LIBC_BEGUN);
    for (unsigned i = 0; i < FUNCTIONS; i++) {
        bool wanted = keeps || functions[i].whose & who_we_are();
        at[i] = wanted ? diverted(library, &functions[i]) : 0;
        if (at[i])
            jump_from(at[i], functions[i].ours);
    }
    protect_code(library->base, PROT_READ | PROT_EXEC);
    if (keeps)
        keep_libc(kept, at, library->base);
}

/* In the place of the linker's _dl_debug_state, which it calls before and after it loads libraries. */
__attribute__((used)) static void linker_tells(void)
{
    if (came_in || debug->r_state)
        return;
    came_in = true;
    struct ring_libc *kept = &((struct ring_head *)(RING_ADDRESS + RING_CODE_BYTES))->libc;
    const struct link_map *map = find_libc();
    struct library library;
    if (map && read_library(map, &library)) {
        libc.malloc = (void *(*)(size_t))symbol_of_any("malloc", STT_FUNC);
        libc.heap_end = (char **)symbol_of_any("__curbrk", STT_OBJECT);
        if (!take_kept(kept, library.base))
            divert_libc(kept, &library);
    }
    call_seen(SYS_close, region, 0, 0, 0);
}

/* The region is at `fd`, the process has a number with the server, and its linker has an r_debug. False
 * where it cannot be: nothing of ours is called then. */
__attribute__((used)) static bool enter(int fd, uint32_t number, const struct r_debug *linkers)
{
    const long own = (long)RING_OWN;
    if ((uintptr_t)&came_in / RING_PAGE != RING_OWN / RING_PAGE + VARIABLES_PAGE)
        return false; /* accelerator.ld says something else than ring.h */
    const int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE;
    long there =
        call6(SYS_mmap, own, PAGES_OF_OUR_OWN * RING_PAGE, PROT_READ | PROT_WRITE, how, -1, 0);
    if (there != own || !stand_at(own + IDENTITY_PAGE * RING_PAGE))
        return false;
    take_number(number);
    debug = linkers;
    region = fd;
    return map_ring(fd);
}
