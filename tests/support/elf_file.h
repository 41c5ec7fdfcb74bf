/* ELF files of one section and two symbols, made byte by byte: for the tests of loaders and as a fuzzer's
 * first input. */
#ifndef GANTRY_TESTS_SUPPORT_ELF_FILE_H
#define GANTRY_TESTS_SUPPORT_ELF_FILE_H

#include <elf.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

enum { ELF_DATA_AT = 0x1000 };

/* An ELF file whose byte 0 is at `base`, and whose data is between the symbols `start` and `end` (NULL:
 * none). The caller frees. */
static inline char *elf_file_make(uint64_t base, const char *start, const char *end,
                                  const void *data, size_t length, size_t *total)
{
    size_t names = (ELF_DATA_AT + length + 7) / 8 * 8, symbols = names + 256;
    size_t sections = symbols + 3 * sizeof(Elf64_Sym);
    *total = sections + 4 * sizeof(Elf64_Shdr);
    char *bytes = mem_zero(1, *total + 8);
    *(Elf64_Ehdr *)(void *)bytes = (Elf64_Ehdr){.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, 1, 1},
                                                .e_type = ET_EXEC,
                                                .e_machine = EM_X86_64,
                                                .e_version = 1,
                                                .e_phoff = sizeof(Elf64_Ehdr),
                                                .e_shoff = sections,
                                                .e_ehsize = sizeof(Elf64_Ehdr),
                                                .e_phentsize = sizeof(Elf64_Phdr),
                                                .e_phnum = 1,
                                                .e_shentsize = sizeof(Elf64_Shdr),
                                                .e_shnum = 4};
    *(Elf64_Phdr *)(void *)(bytes + sizeof(Elf64_Ehdr)) =
        (Elf64_Phdr){.p_type = PT_LOAD,
                     .p_offset = ELF_DATA_AT,
                     .p_vaddr = base + ELF_DATA_AT,
                     .p_paddr = base + ELF_DATA_AT,
                     .p_filesz = length,
                     .p_memsz = length};
    if (length)
        memcpy(bytes + ELF_DATA_AT, data, length);
    char *text = bytes + names + 1;
    Elf64_Sym *symbol = (Elf64_Sym *)(void *)(bytes + symbols);
    if (start) {
        memcpy(text, start, strlen(start));
        symbol[1] = (Elf64_Sym){.st_name = 1, .st_shndx = 1, .st_value = base + ELF_DATA_AT};
    }
    if (end) {
        memcpy(text + 100, end, strlen(end));
        symbol[2] =
            (Elf64_Sym){.st_name = 101, .st_shndx = 1, .st_value = base + ELF_DATA_AT + length};
    }
    Elf64_Shdr *section = (Elf64_Shdr *)(void *)(bytes + sections);
    section[1] = (Elf64_Shdr){.sh_type = SHT_PROGBITS,
                              .sh_addr = base + ELF_DATA_AT,
                              .sh_offset = ELF_DATA_AT,
                              .sh_size = length};
    section[2] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                              .sh_offset = symbols,
                              .sh_size = 3 * sizeof(Elf64_Sym),
                              .sh_link = 3};
    section[3] = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = names, .sh_size = 256};
    return bytes;
}

#endif
