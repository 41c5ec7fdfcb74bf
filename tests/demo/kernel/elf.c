/*
 * Programs: 64-bit ELF files of type ET_DYN (System V gABI, chapters 4 and 5), read into a block of
 * memory of their own. The only relocations are RELATIVE ones: a program asks nothing of anybody
 * but through the table that its entry point is handed.
 */
#include "arch.h"
#include "arch_defs.h"
#include "config.h"
#include "kernel.h"
#include "vfs.h"

enum {
    CLASS_64 = 2,
    DATA_LITTLE = 1,
    TYPE_DYN = 3,
    SEGMENT_LOAD = 1,
    SEGMENT_DYNAMIC = 2,
    DYNAMIC_END = 0,
    DYNAMIC_RELA = 7,
    DYNAMIC_RELA_SIZE = 8,
    PAGE = 4096,
    SEGMENTS_MAX = 16,
    PROGRAM_MAX = 64 * 1024 * 1024,
    NESTED_MAX = 8, /* they share one stack */
};

struct header {
    unsigned char ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, segments_at, sections_at;
    uint32_t flags;
    uint16_t size, segment_size, segments, section_size, sections, names;
};

struct segment {
    uint32_t type, flags;
    uint64_t offset, address, physical, file_size, memory_size, align;
};

struct dynamic {
    uint64_t tag, value;
};

struct relocation {
    uint64_t offset, info;
    int64_t addend;
};

struct program {
    struct file file;
    struct header header;
    struct segment segments[SEGMENTS_MAX];
    char *memory; /* where address 0 of the file is */
    uint64_t size;
};

typedef int entry_function(const struct kernel_api *, int, char **);

static int read_exactly(const struct file *file, uint64_t offset, void *to, uint64_t size)
{
    int64_t count = vfs_read(file, offset, to, (size_t)size);

    if (count < 0)
        return (int)count;
    return (uint64_t)count == size ? 0 : ERROR_FORMAT;
}

static int read_headers(struct program *program)
{
    static const unsigned char ident[6] = {0x7f, 'E', 'L', 'F', CLASS_64, DATA_LITTLE};
    struct header *header = &program->header;
    int error = read_exactly(&program->file, 0, header, sizeof *header);

    if (error)
        return error;
    if (memcmp(header->ident, ident, sizeof ident) != 0 || header->type != TYPE_DYN ||
        header->machine != CONFIG_ELF_MACHINE || header->segment_size != sizeof(struct segment) ||
        header->segments > SEGMENTS_MAX)
        return ERROR_FORMAT;
    error = read_exactly(&program->file, header->segments_at, program->segments,
                         header->segments * sizeof(struct segment));
    if (error)
        return error;
    for (int i = 0; i < header->segments; i++) {
        const struct segment *segment = &program->segments[i];

        if (segment->type != SEGMENT_LOAD)
            continue;
        if (segment->address > PROGRAM_MAX || segment->memory_size > PROGRAM_MAX ||
            segment->file_size > segment->memory_size)
            return ERROR_FORMAT;
        if (segment->address + segment->memory_size > program->size)
            program->size = segment->address + segment->memory_size;
    }
    return header->entry < program->size ? 0 : ERROR_FORMAT;
}

static int load_segments(struct program *program)
{
    program->memory = memory_allocate_aligned((size_t)program->size, PAGE);
    if (!program->memory)
        return ERROR_MEMORY;
    memset(program->memory, 0, (size_t)program->size);
    for (int i = 0; i < program->header.segments; i++) {
        const struct segment *segment = &program->segments[i];
        int error = segment->type != SEGMENT_LOAD
                        ? 0
                        : read_exactly(&program->file, segment->offset,
                                       program->memory + segment->address, segment->file_size);

        if (error)
            return error;
    }
    return 0;
}

static int relocate_all(const struct program *program, uint64_t at, uint64_t size)
{
    if (at % 8 || at > program->size || size > program->size - at)
        return ERROR_FORMAT;

    const struct relocation *relocation = (struct relocation *)(program->memory + at);

    for (uint64_t left = size / sizeof *relocation; left; left--, relocation++) {
        uint64_t value = (uint64_t)((uintptr_t)program->memory + (uint64_t)relocation->addend);

        if ((uint32_t)relocation->info != ARCH_RELOCATION_RELATIVE ||
            relocation->offset > program->size - sizeof value)
            return ERROR_FORMAT;
        memcpy(program->memory + relocation->offset, &value, sizeof value);
    }
    return 0;
}

static int relocate(const struct program *program)
{
    uint64_t at = 0, size = 0;

    for (int i = 0; i < program->header.segments; i++) {
        const struct segment *segment = &program->segments[i];

        if (segment->type != SEGMENT_DYNAMIC)
            continue;
        if (segment->address % 8 || segment->address > program->size ||
            segment->memory_size > program->size - segment->address)
            return ERROR_FORMAT;
        const struct dynamic *dynamic = (struct dynamic *)(program->memory + segment->address);

        for (uint64_t left = segment->memory_size / sizeof *dynamic;
             left && dynamic->tag != DYNAMIC_END; left--, dynamic++) {
            if (dynamic->tag == DYNAMIC_RELA)
                at = dynamic->value;
            if (dynamic->tag == DYNAMIC_RELA_SIZE)
                size = dynamic->value;
        }
    }
    return size ? relocate_all(program, at, size) : 0;
}

static int load(struct program *program, const char *path)
{
    int error = vfs_look_up(path, &program->file);

    if (!error)
        error = read_headers(program);
    if (!error)
        error = load_segments(program);
    if (!error)
        error = relocate(program);
    return error;
}

int program_run(int argc, char **argv, int *status)
{
    static int nested;
    struct program *program = memory_allocate(sizeof *program);

    if (!program || nested == NESTED_MAX) {
        memory_release(program);
        return program ? ERROR_TOO_MANY : ERROR_MEMORY;
    }
    memset(program, 0, sizeof *program);

    int error = load(program, argv[0]);

    if (!error) {
        entry_function *entry = (entry_function *)(program->memory + program->header.entry);

        log_line("%s is at %p", argv[0], (void *)program->memory);
        arch_sync_code(program->memory, program->memory + program->size);
        nested++;
        *status = entry(&kernel_api, argc, argv);
        nested--;
    }
    memory_release(program->memory);
    memory_release(program);
    return error;
}
