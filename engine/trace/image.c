#include "trace/image.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64 };
#else
enum { MACHINE = EM_AARCH64 };
#endif

bool image_is_ours(const struct image *image)
{
    const Elf64_Ehdr *header = image_at(image, 0, sizeof *header);
    return header && !memcmp(header->e_ident, ELFMAG, SELFMAG) && header->e_machine == MACHINE &&
           header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_phentsize == sizeof(Elf64_Phdr) &&
           header->e_phoff % 8 == 0;
}

bool image_open(const char *path, struct image *image)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool sized =
        fd >= 0 && fstat(fd, &image->st) == 0 && image->st.st_size >= (off_t)sizeof(Elf64_Ehdr);
    image->length = sized ? (size_t)image->st.st_size : 0;
    void *bytes = sized ? mmap(NULL, image->length, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    if (bytes == MAP_FAILED)
        return false;
    image->bytes = bytes;
    if (image_is_ours(image))
        return true;
    image_close(image);
    return false;
}

void image_close(struct image *image)
{
    munmap((void *)(uintptr_t)image->bytes, image->length);
    image->bytes = NULL;
}

const void *image_at(const struct image *image, uint64_t offset, uint64_t size)
{
    return offset <= image->length && size <= image->length - offset ? image->bytes + offset : NULL;
}

const Elf64_Phdr *image_segment(const struct image *image, unsigned index)
{
    const Elf64_Ehdr *header = image_at(image, 0, sizeof *header);
    return index < header->e_phnum
               ? image_at(image, header->e_phoff + (uint64_t)index * sizeof(Elf64_Phdr),
                          sizeof(Elf64_Phdr))
               : NULL;
}

uint64_t image_offset(const struct image *image, uint64_t address)
{
    const Elf64_Phdr *part;
    for (unsigned i = 0; (part = image_segment(image, i)); i++)
        if (part->p_type == PT_LOAD && address >= part->p_vaddr &&
            address - part->p_vaddr < part->p_filesz)
            return part->p_offset + (address - part->p_vaddr);
    return UINT64_MAX;
}

static const Elf64_Shdr *section(const struct image *image, uint64_t index)
{
    const Elf64_Ehdr *header = image_at(image, 0, sizeof *header);
    return index < header->e_shnum && header->e_shentsize == sizeof(Elf64_Shdr) &&
                   header->e_shoff % 8 == 0
               ? image_at(image, header->e_shoff + index * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr))
               : NULL;
}

uint64_t image_symbol(const struct image *image, const char *name)
{
    const Elf64_Shdr *table = NULL, *names;
    for (uint64_t i = 0; (table = section(image, i)) && table->sh_type != SHT_DYNSYM; i++)
        continue;
    if (!table || table->sh_offset % 8 || !(names = section(image, table->sh_link)))
        return 0;
    const Elf64_Sym *symbol;
    size_t bytes = strlen(name) + 1;
    for (uint64_t at = 0; at + sizeof *symbol <= table->sh_size; at += sizeof *symbol) {
        if (!(symbol = image_at(image, table->sh_offset + at, sizeof *symbol)))
            return 0;
        const char *its = image_at(image, names->sh_offset + symbol->st_name, bytes);
        if (its && symbol->st_shndx != SHN_UNDEF && !memcmp(its, name, bytes))
            return symbol->st_value;
    }
    return 0;
}

bool image_is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}
