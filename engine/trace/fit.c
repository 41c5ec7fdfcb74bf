#include "trace/fit.h"

#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/path.h"
#include "base/str.h"
#include "trace/interpreter.h"

enum verdict { UNKNOWN, FIT, UNFIT };

static struct {
    pthread_mutex_t lock;
    struct map fit; /* program -> enum verdict */
    struct map busy; /* program -> non-NULL: it made many calls once */
} programs = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool has_compilers_name(const char *base)
{
    static const char *const names[] = {"cc1", "cc1plus", "lto1"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(base, names[i]))
            return true;
    return false;
}

/* Known beforehand, so that the first of them in a build need not be slow. */
static bool is_known_busy(const char *program)
{
    const char *base = path_base(program); /* x86_64-linux-gnu-gcc-12 */
    return has_compilers_name(base) || strstr(base, "-gcc-") || strstr(base, "-g++-");
}

bool fit_is_compiler(const char *program)
{
    return has_compilers_name(path_base(program)) && strstr(program, "/gcc/");
}

/* A mapped program, elf(5); nothing in it is trusted. */
struct image {
    const char *bytes;
    size_t length;
};

static const void *image_at(const struct image *image, uint64_t offset, uint64_t size)
{
    return offset <= image->length && size <= image->length - offset ? image->bytes + offset : NULL;
}

static const Elf64_Phdr *segment(const struct image *image, unsigned index)
{
    const Elf64_Ehdr *header = image_at(image, 0, sizeof *header);
    return index < header->e_phnum
               ? image_at(image, header->e_phoff + (uint64_t)index * sizeof(Elf64_Phdr),
                          sizeof(Elf64_Phdr))
               : NULL;
}

/* Where in the file an address of the program's memory comes from; UINT64_MAX: nowhere. */
static uint64_t offset_of(const struct image *image, uint64_t address)
{
    const Elf64_Phdr *part;
    for (unsigned i = 0; (part = segment(image, i)); i++)
        if (part->p_type == PT_LOAD && address >= part->p_vaddr &&
            address - part->p_vaddr < part->p_filesz)
            return part->p_offset + (address - part->p_vaddr);
    return UINT64_MAX;
}

/* True where the program needs no sanitizer's runtime, which wants to be the first library. */
static bool needs_no_sanitizer(const struct image *image)
{
    const Elf64_Phdr *part;
    const Elf64_Dyn *table = NULL, *entry;
    for (unsigned i = 0; (part = segment(image, i)); i++)
        if (part->p_type == PT_DYNAMIC && part->p_offset % 8 == 0)
            table = image_at(image, part->p_offset, sizeof *table);
    if (!table)
        return false;
    uint64_t at = (uint64_t)((const char *)table - image->bytes), strings = UINT64_MAX;
    for (uint64_t i = at; (entry = image_at(image, i, sizeof *entry)) && entry->d_tag != DT_NULL;
         i += sizeof *entry)
        if (entry->d_tag == DT_STRTAB)
            strings = offset_of(image, entry->d_un.d_ptr);
    if (strings == UINT64_MAX)
        return false;
    for (uint64_t i = at; (entry = image_at(image, i, sizeof *entry)) && entry->d_tag != DT_NULL;
         i += sizeof *entry) {
        uint64_t name = strings + entry->d_un.d_val;
        if (entry->d_tag != DT_NEEDED)
            continue;
        const char *text = image_at(image, name, 1);
        if (!text || memmem(text, strnlen(text, image->length - name), "san.so", 6))
            return false;
    }
    return true;
}

/* A dynamic program of this machine and glibc, that no sanitizer watches over. */
static enum verdict look_at(const char *program)
{
    struct str interpreter = {0};
    bool glibc = interpreter_of(program, &interpreter) && strstr(interpreter.at, "/ld-linux");
    str_free(&interpreter);
    int fd = glibc ? open(program, O_RDONLY | O_CLOEXEC) : -1;
    struct stat st;
    bool sized = fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(Elf64_Ehdr);
    struct image image = {.length = sized ? (size_t)st.st_size : 0};
    void *bytes = sized ? mmap(NULL, image.length, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    if (bytes == MAP_FAILED)
        return UNFIT;
    image.bytes = bytes;
    const Elf64_Ehdr *header = bytes;
#if defined(__x86_64__)
    bool ours = header->e_machine == EM_X86_64;
#else
    bool ours = header->e_machine == EM_AARCH64;
#endif
    ours = ours && header->e_ident[EI_CLASS] == ELFCLASS64 &&
           header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phoff % 8 == 0 &&
           needs_no_sanitizer(&image);
    munmap(bytes, image.length);
    return ours ? FIT : UNFIT;
}

bool fit_for_guest(const char *program)
{
    pthread_mutex_lock(&programs.lock);
    bool worth = is_known_busy(program) || map_get(&programs.busy, program);
    if (worth) {
        enum verdict verdict = (enum verdict)(uintptr_t)map_get(&programs.fit, program);
        if (verdict == UNKNOWN) {
            verdict = look_at(program);
            map_put(&programs.fit, program, (void *)(uintptr_t)verdict);
        }
        worth = verdict == FIT;
    }
    pthread_mutex_unlock(&programs.lock);
    return worth;
}

void fit_is_busy(const char *program)
{
    pthread_mutex_lock(&programs.lock);
    map_put(&programs.busy, program, &programs);
    pthread_mutex_unlock(&programs.lock);
}
