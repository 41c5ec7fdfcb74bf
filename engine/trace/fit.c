#include "trace/fit.h"

#include <elf.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/map.h"
#include "base/path.h"
#include "base/str.h"
#include "trace/image.h"
#include "trace/inject.h"
#include "trace/interpreter.h"

enum verdict { UNKNOWN, UNFIT, FIT /* and upwards: by the number of its dynamic linker */ };

static struct {
    pthread_mutex_t lock;
    struct map verdicts; /* program -> enum verdict */
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

static bool is_assembler(const char *base)
{
    return !strcmp(base, "as") || str_ends(base, "-as");
}

/* Known beforehand, so that the first of them in a build need not be slow. */
static bool is_known_busy(const char *program)
{
    const char *base = path_base(program); /* x86_64-linux-gnu-gcc-12 */
    return has_compilers_name(base) || strstr(base, "-gcc-") || strstr(base, "-g++-") ||
           is_assembler(base);
}

bool fit_only_opens(const char *program)
{
    return is_assembler(path_base(program)) && strstr(program, "/bin/");
}

bool fit_only_looks(const char *program)
{
    return (has_compilers_name(path_base(program)) && strstr(program, "/gcc/")) ||
           fit_only_opens(program);
}

/* True where the program needs no sanitizer's runtime, which wants to be the first library. */
static bool needs_no_sanitizer(const struct image *image)
{
    const Elf64_Phdr *part;
    const Elf64_Dyn *table = NULL, *entry;
    for (unsigned i = 0; (part = image_segment(image, i)); i++)
        if (part->p_type == PT_DYNAMIC && part->p_offset % 8 == 0)
            table = image_at(image, part->p_offset, sizeof *table);
    if (!table)
        return false;
    uint64_t at = (uint64_t)((const char *)table - image->bytes), strings = UINT64_MAX;
    for (uint64_t i = at; (entry = image_at(image, i, sizeof *entry)) && entry->d_tag != DT_NULL;
         i += sizeof *entry)
        if (entry->d_tag == DT_STRTAB)
            strings = image_offset(image, entry->d_un.d_ptr);
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

/* Looks at a program for the first time: a dynamic one of this machine and glibc, that no sanitizer
 * watches over? Its verdict. */
static uintptr_t look_at(const char *program)
{
    uintptr_t verdict = UNFIT;
    struct str interpreter = {0};
    struct image image;
    if (interpreter_of(program, &interpreter) && strstr(interpreter.at, "/ld-linux") &&
        image_open(program, &image)) {
        if (needs_no_sanitizer(&image))
            verdict = FIT + inject_linker(interpreter.at);
        image_close(&image);
    }
    str_free(&interpreter);
    return verdict;
}

bool fit_for_guest(const char *program, unsigned *linker)
{
    pthread_mutex_lock(&programs.lock);
    bool worth = is_known_busy(program) || map_get(&programs.busy, program);
    if (worth) {
        uintptr_t verdict = (uintptr_t)map_get(&programs.verdicts, program);
        if (verdict == UNKNOWN) {
            verdict = look_at(program);
            map_put(&programs.verdicts, program, (void *)verdict);
        }
        worth = verdict >= FIT;
        *linker = worth ? (unsigned)(verdict - FIT) : 0;
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
