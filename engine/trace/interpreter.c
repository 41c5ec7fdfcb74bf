#include "trace/interpreter.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "trace/common.h"

enum { SCRIPT_LINE_MAX = 256 }; /* BINPRM_BUF_SIZE of Linux */

static bool from_script(const char *line, size_t length, struct str *out)
{
    const char *end = memchr(line, '\n', length);
    size_t at = 2, stop = end ? (size_t)(end - line) : length;
    while (at < stop && (line[at] == ' ' || line[at] == '\t'))
        at++;
    size_t start = at;
    while (at < stop && line[at] != ' ' && line[at] != '\t' && line[at])
        at++;
    str_cut(out, 0);
    str_add_n(out, line + start, at - start);
    return at > start;
}

/* One program header of either class, as far as it matters. */
static bool interpreter_at(int fd, const unsigned char *ident, const void *entry, struct str *out)
{
    uint64_t offset, size;
    uint32_t type;
    if (ident[EI_CLASS] == ELFCLASS64) {
        Elf64_Phdr header;
        memcpy(&header, entry, sizeof header);
        type = header.p_type, offset = header.p_offset, size = header.p_filesz;
    } else {
        Elf32_Phdr header;
        memcpy(&header, entry, sizeof header);
        type = header.p_type, offset = header.p_offset, size = header.p_filesz;
    }
    char path[PATH_MAX];
    if (type != PT_INTERP || size < 2 || size > sizeof path ||
        pread(fd, path, size, (off_t)offset) != (ssize_t)size)
        return false;
    str_cut(out, 0);
    str_add_n(out, path, strnlen(path, size));
    return true;
}

static bool from_elf(int fd, const void *head, struct str *out)
{
    const unsigned char *ident = head;
    uint64_t table;
    unsigned count, entry_bytes;
    if (ident[EI_CLASS] == ELFCLASS64) {
        Elf64_Ehdr header;
        memcpy(&header, head, sizeof header);
        table = header.e_phoff, count = header.e_phnum, entry_bytes = header.e_phentsize;
        if (entry_bytes < sizeof(Elf64_Phdr))
            return false;
    } else {
        Elf32_Ehdr header;
        memcpy(&header, head, sizeof header);
        table = header.e_phoff, count = header.e_phnum, entry_bytes = header.e_phentsize;
        if (entry_bytes < sizeof(Elf32_Phdr))
            return false;
    }
    for (unsigned i = 0; i < count; i++) {
        char entry[sizeof(Elf64_Phdr)];
        ssize_t got = pread(fd, entry, sizeof entry, (off_t)(table + (uint64_t)i * entry_bytes));
        if (got < (ssize_t)sizeof(Elf32_Phdr))
            return false;
        if (interpreter_at(fd, ident, entry, out))
            return true;
    }
    return false;
}

bool interpreter_of(const char *program, struct str *out)
{
    int fd = open(program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    char head[SCRIPT_LINE_MAX] = {0};
    ssize_t length = read(fd, head, sizeof head);
    bool has = false;
    if (length > 2 && head[0] == '#' && head[1] == '!')
        has = from_script(head, (size_t)length, out);
    else if (length >= (ssize_t)sizeof(Elf64_Ehdr) && memcmp(head, ELFMAG, SELFMAG) == 0)
        has = from_elf(fd, head, out);
    close(fd);
    return has;
}

static struct {
    pthread_mutex_t lock;
    uint64_t since; /* when all this was found */
    struct intern programs, interpreters;
    VEC(uint32_t) interpreter; /* by program: id, or INTERN_NONE: it has none */
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool interpreter_of_common(const char *program, struct str *out)
{
    uint64_t since = common_since(program);
    if (!since)
        return interpreter_of(program, out);
    pthread_mutex_lock(&known.lock);
    if (known.since != since) {
        intern_free(&known.programs);
        intern_free(&known.interpreters);
        known.interpreter.len = 0;
        known.since = since;
    }
    uint32_t id = intern_id(&known.programs, program);
    if (id == known.interpreter.len) {
        bool has = interpreter_of(program, out);
        vec_push(&known.interpreter, has ? intern_id(&known.interpreters, out->at) : INTERN_NONE);
    }
    id = known.interpreter.at[id];
    str_cut(out, 0);
    if (id != INTERN_NONE)
        str_add(out, intern_text(&known.interpreters, id));
    pthread_mutex_unlock(&known.lock);
    return id != INTERN_NONE;
}
