/*
 * What steps touched, told to the journal alone: `gantry compare` needs it of builds that ran
 * elsewhere. Each path is told once, with a number; a step's accesses are threes of numbers, so that a
 * compile that reads 300 headers takes 4 KB of a journal before it is compressed.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "run/build_internal.h"
#include "trace/trace.h"

struct touched {
    pthread_mutex_t lock; /* a path stands in the journal before the first that names it */
    name_memo file_of; /* of a name: its number in the journal + 1 */
    uint32_t files;
    char *root; /* canonical, as the paths of traces are */
};

struct touched *touched_new(const char *root)
{
    struct touched *touched = mem_zero(1, sizeof *touched);
    touched->root = realpath(root, NULL);
    if (!touched->root)
        touched->root = mem_copy(root);
    pthread_mutex_init(&touched->lock, NULL);
    return touched;
}

void touched_free(struct touched *touched)
{
    if (!touched)
        return;
    vec_free(&touched->file_of);
    free(touched->root);
    pthread_mutex_destroy(&touched->lock);
    free(touched);
}

static uint32_t touch_of(const struct access *access)
{
    const uint32_t reads = ACCESS_READ | ACCESS_LIST | ACCESS_LINK | ACCESS_EXEC,
                   writes = ACCESS_WRITE | ACCESS_CREATE;
    if (access->kinds & (ACCESS_MKDIR | ACCESS_RMDIR | ACCESS_ENSURE))
        return 0; /* whoever comes first makes a directory */
    return (access->kinds & reads ? TOUCH_READ : 0) | (access->kinds & writes ? TOUCH_WRITE : 0) |
           (access->found ? 0 : TOUCH_ABSENT) | (access->kinds & ACCESS_REMOVE ? TOUCH_REMOVE : 0);
}

/* The machine's own, what is merely there, what a step made for itself and took away, and what is
 * looked for in vain outside of the tree (a compiler tries many places) say nothing. */
static bool counts(const char *path, uint32_t touch, const char *root)
{
    static const char *const system[] = {"/dev/", "/proc/", "/sys/"};
    const uint32_t private = TOUCH_WRITE | TOUCH_ABSENT | TOUCH_REMOVE;
    bool inside = str_starts(path, root) && path[strlen(root)] == '/';
    if (!touch || (touch & private) == private || (touch == TOUCH_ABSENT && !inside))
        return false;
    for (size_t i = 0; i < sizeof system / sizeof *system; i++)
        if (str_starts(path, system[i]))
            return false;
    return true;
}

/* The number of a path; told where it is new. */
static uint32_t file_of(struct build *build, uint32_t name, uint64_t t_ns)
{
    uint32_t *file = name_memo_at(&build->touched->file_of, name);
    if (!*file) {
        *file = ++build->touched->files;
        journal_add(build->journal, &(struct event){.kind = EVENT_PATH,
                                                    .t_ns = t_ns,
                                                    .file = *file - 1,
                                                    .path = name_text(name)});
    }
    return *file - 1;
}

void build_tell_touched(struct build *build, uint32_t step, const struct trace *trace)
{
    VEC(uint32_t) numbers = {0};
    uint64_t t_ns = clock_ns() - build->start_ns;
    pthread_mutex_lock(&build->touched->lock);
    for (size_t i = 0; i < trace->accesses.len; i++) {
        const struct access *access = &trace->accesses.at[i];
        const char *path = name_text(access->path);
        uint32_t touch = touch_of(access);
        if (!counts(path, touch, build->touched->root))
            continue;
        uint64_t since_ns =
            access->first_ns > build->start_ns ? access->first_ns - build->start_ns : 0;
        vec_push(&numbers, file_of(build, access->path, t_ns));
        vec_push(&numbers, touch);
        vec_push(&numbers, (uint32_t)(since_ns / 1000000));
    }
    if (numbers.len)
        journal_add(build->journal, &(struct event){.kind = EVENT_TOUCHED,
                                                    .t_ns = t_ns,
                                                    .step = step,
                                                    .needs = numbers.at,
                                                    .needs_count = (uint32_t)numbers.len});
    pthread_mutex_unlock(&build->touched->lock);
    vec_free(&numbers);
}
