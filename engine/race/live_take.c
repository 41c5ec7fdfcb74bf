/*
 * Taking over what is new. The record and the running steps' traces are other threads' meanwhile:
 * they are looked at under their locks, as short as can be.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "race/live_private.h"
#include "run/build_internal.h"
#include "trace/trace.h"

/* ---- from other threads ---- */

void live_rules(struct live *live, uint32_t make, int fd)
{
    int own = live ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (own < 0)
        return;
    pthread_mutex_lock(&live->lock);
    vec_push(&live->rules, (struct rules){make, own});
    pthread_mutex_unlock(&live->lock);
}

void live_watch(struct live *live, uint32_t step, struct trace_server *server,
                const struct trace *trace)
{
    if (!live || !server)
        return;
    struct watch *watch = mem_zero(1, sizeof *watch);
    watch->step = step;
    watch->server = server;
    watch->trace = trace;
    pthread_mutex_lock(&live->lock);
    vec_push(&live->watches, watch);
    pthread_mutex_unlock(&live->lock);
}

void live_unwatch(struct live *live, uint32_t step)
{
    if (!live)
        return;
    pthread_mutex_lock(&live->lock);
    for (size_t i = 0; i < live->watches.len; i++)
        if (live->watches.at[i]->step == step)
            live->watches.at[i]->server = NULL;
    pthread_mutex_unlock(&live->lock);
}

/* ---- accesses ---- */

static void grow(struct live *live)
{
    size_t paths = intern_count(&live->copy->texts);
    while (live->last_of.len < paths) {
        vec_push(&live->last_of, 0u);
        vec_push(&live->matters, (unsigned char)0);
        vec_push(&live->marked, (unsigned char)0);
        vec_push(&live->sibling_of, 0u);
    }
}

static void mark_dirty(struct live *live, uint32_t path)
{
    if (live->marked.at[path] & MARK_DIRTY)
        return;
    live->marked.at[path] |= MARK_DIRTY;
    vec_push(&live->dirty, path);
}

size_t live_directory_length(const char *text)
{
    const char *slash = strrchr(text, '/');
    return slash && slash != text ? (size_t)(slash - text) : 0;
}

/* A path that is changed for the first time is known to its directory from now on. */
static void join_directory(struct live *live, uint32_t path)
{
    const char *text = intern_text(&live->copy->texts, path);
    size_t length = live_directory_length(text);
    if (!length)
        return;
    uint32_t directory = intern_id_n(&live->directories, text, length);
    if (directory == live->child_of.len)
        vec_push(&live->child_of, 0u);
    live->sibling_of.at[path] = live->child_of.at[directory];
    live->child_of.at[directory] = path + 1;
}

/* What happens to a directory concerns what is made and taken away in it. */
static void mark_children(struct live *live, uint32_t path)
{
    uint32_t id = intern_find(&live->directories, intern_text(&live->copy->texts, path));
    if (id == INTERN_NONE)
        return;
    for (uint32_t at = live->child_of.at[id]; at; at = live->sibling_of.at[at - 1])
        mark_dirty(live, at - 1);
}

/* An access came, or has grown: what is to be looked at because of it. */
static void note_access(struct live *live, const struct race_access *access)
{
    const uint32_t of_directory = ACCESS_LIST | ACCESS_MKDIR | ACCESS_RMDIR | ACCESS_ENSURE;
    unsigned char *matters = &live->matters.at[access->path], before = *matters;
    *matters |= race_matters(access->kinds);
    if ((*matters & CHANGED) && !(before & CHANGED))
        join_directory(live, access->path);
    if (*matters & CHANGED)
        mark_dirty(live, access->path);
    if (access->kinds & of_directory)
        mark_children(live, access->path);
}

static void keep_access(struct live *live, const struct race_access *access)
{
    vec_push(&live->accesses, (struct live_access){*access, live->last_of.at[access->path]});
    live->last_of.at[access->path] = (uint32_t)live->accesses.len;
    note_access(live, access);
}

bool live_is_ordered(const struct live *live, uint32_t step)
{
    return step < live->ordered.len && live->ordered.at[step];
}

/* ---- taking over what is new ---- */

static bool is_in_tree(const struct live *live, const char *path)
{
    const char *root = record_text(live->copy, live->copy->root);
    size_t length = strlen(root);
    return strncmp(path, root, length) == 0 && (path[length] == '/' || !path[length]);
}

/* A trace that is looked at, and the paths that it touched for the first time. */
struct peek {
    struct live *live;
    struct watch *watch;
    VEC(uint32_t) fresh; /* names, of the last accesses of the watch */
};

/* What a running step was seen to do. It may still take away what it made: then what was told of it
 * is withdrawn. */
static void see_access(void *data, const char *path, const struct access *access)
{
    struct peek *peek = data;
    struct watch *watch = peek->watch;
    if (!is_in_tree(peek->live, path))
        return;
    uint32_t index = ids_add(&watch->names, access->path);
    if (index == watch->accesses.len) {
        uint64_t start_ns = peek->live->copy->start_ns,
                 when = access->first_ns > start_ns ? access->first_ns - start_ns : 0;
        vec_push(&watch->accesses, (struct race_access){.step = watch->step,
                                                        .when = (uint32_t)(when / RECORD_TICK_NS),
                                                        .found = access->found});
        vec_push(&peek->fresh, access->path);
    }
    watch->accesses.at[index].kinds = (uint16_t)(access->kinds & ~(uint32_t)ACCESS_LIST);
    vec_push(&watch->fresh, index);
}

/* Gives the fresh accesses their paths' numbers. */
static void number_paths(struct peek *peek)
{
    struct record *record = peek->live->build->races;
    struct race_access *first =
        peek->watch->accesses.at + (peek->watch->accesses.len - peek->fresh.len);
    pthread_mutex_lock(&record->lock);
    for (size_t i = 0; i < peek->fresh.len; i++)
        first[i].path = record_text_of(record, peek->fresh.at[i]);
    pthread_mutex_unlock(&record->lock);
}

/* What running steps have touched meanwhile. Under the lock, so that their traces stay. */
static void peek_at_running(struct live *live)
{
    struct peek peek = {.live = live};
    pthread_mutex_lock(&live->lock);
    for (size_t i = 0; i < live->watches.len; i++) {
        struct watch *watch = peek.watch = live->watches.at[i];
        uint64_t now_ns = clock_ns();
        if (!watch->server)
            continue;
        peek.fresh.len = 0;
        trace_server_peek(watch->server, watch->trace, watch->since_ns, see_access, &peek);
        watch->since_ns = now_ns;
        if (peek.fresh.len)
            number_paths(&peek);
    }
    pthread_mutex_unlock(&live->lock);
    vec_free(&peek.fresh);
}

/* memcpy may not be given the place of an empty list, which is none. */
static void copy_bytes(void *to, const void *from, size_t bytes)
{
    if (bytes)
        memcpy(to, from, bytes);
}

/* Copies what the record has that the copy has not. The record is the build's meanwhile: its lock is
 * held as short as can be. */
static void take_record(struct live *live)
{
    struct record *from = live->build->races, *to = live->copy;
    VEC(const char *) texts = {0};
    pthread_mutex_lock(&from->lock);
    uint32_t known = intern_count(&to->texts), all = intern_count(&from->texts);
    for (uint32_t i = known; i < all; i++)
        vec_push(&texts, intern_text(&from->texts, i)); /* they stay where they are */
    vec_reserve(&to->steps, from->steps.len + 1);
    vec_reserve(&to->makes, from->makes.len + 1);
    vec_reserve(&to->needs, from->needs.len + 1);
    size_t known_needs = to->needs.len, new_needs = from->needs.len - known_needs;
    copy_bytes(to->steps.at, from->steps.at, from->steps.len * sizeof *to->steps.at);
    copy_bytes(to->makes.at, from->makes.at, from->makes.len * sizeof *to->makes.at);
    if (new_needs)
        memcpy(to->needs.at + known_needs, from->needs.at + known_needs,
               new_needs * sizeof *to->needs.at);
    to->steps.len = from->steps.len;
    to->makes.len = from->makes.len;
    to->needs.len = from->needs.len;
    for (; live->taken < from->accesses.len; live->taken++)
        vec_push(&live->waiting, from->accesses.at[live->taken]);
    to->root = from->root;
    to->start_ns = from->start_ns;
    pthread_mutex_unlock(&from->lock);
    for (size_t i = 0; i < texts.len; i++)
        intern_id(&to->texts, texts.at[i]);
    vec_free(&texts);
    while (live->needs_of.len < to->steps.len)
        vec_new(&live->needs_of);
}

static void take_needs(void *data, uint32_t step, const uint32_t *needs, uint32_t count)
{
    struct live *live = data;
    if (step >= live->needs_of.len || live->needs_of.at[step].known)
        return;
    live->needs_of.at[step].start = (uint32_t)live->needs.len;
    live->needs_of.at[step].count = count;
    live->needs_of.at[step].known = true;
    for (uint32_t i = 0; i < count; i++)
        vec_push(&live->needs, needs[i]);
}

static void read_rules(struct live *live, const struct rules *rules)
{
    struct map steps = {0};
    struct stat status;
    for (uint32_t i = 0; i < live->copy->steps.len; i++) {
        const struct record_step *step = &live->copy->steps.at[i];
        if (step->make == rules->make && step->goal != INTERN_NONE)
            map_put(&steps, record_text(live->copy, step->goal), (void *)((uintptr_t)i + 1));
    }
    if (fstat(rules->fd, &status) == 0 && status.st_size > 0) {
        size_t length = (size_t)status.st_size;
        void *text = mmap(NULL, length, PROT_READ, MAP_PRIVATE, rules->fd, 0);
        if (text != MAP_FAILED) {
            live->order.reader(text, length, &steps, take_needs, live);
            munmap(text, length);
        }
    }
    map_free(&steps);
    close(rules->fd);
}

/* Gives the copied steps what was read of their needs, and says whose place is known: theirs, and
 * that of the steps that run their makes. */
static void order_steps(struct live *live)
{
    struct record *copy = live->copy;
    uint32_t base = (uint32_t)copy->needs.len;
    for (size_t i = 0; i < live->needs.len; i++)
        vec_push(&copy->needs, live->needs.at[i]);
    copy->needs.len = base; /* the record's own come here with the next look */
    for (uint32_t i = 0; i < copy->steps.len; i++) {
        struct record_step *step = &copy->steps.at[i];
        bool known = (step->flags & RECORD_ORDERED) || live->needs_of.at[i].known;
        if (!(step->flags & RECORD_ORDERED)) {
            step->needs = base + live->needs_of.at[i].start;
            step->needs_count = known ? live->needs_of.at[i].count : 0;
        }
        if (i == live->ordered.len)
            vec_push(&live->ordered, (unsigned char)0);
        uint32_t parent =
            step->make < copy->makes.len ? copy->makes.at[step->make].parent : ORDER_TOP;
        live->ordered.at[i] = known && (parent == ORDER_TOP || live_is_ordered(live, parent));
    }
}

/* Accesses whose steps have their place are kept, the others go on waiting. */
static void take_accesses(struct live *live)
{
    size_t kept = 0;
    for (size_t i = 0; i < live->waiting.len; i++) {
        const struct race_access *access = &live->waiting.at[i];
        if (!is_in_tree(live, intern_text(&live->copy->texts, access->path)))
            continue;
        if (live_is_ordered(live, access->step))
            keep_access(live, access);
        else
            live->waiting.at[kept++] = *access;
    }
    live->waiting.len = kept;
}

void live_free_watch(struct watch *watch)
{
    ids_free(&watch->names);
    vec_free(&watch->accesses);
    vec_free(&watch->fresh);
    free(watch);
}

/* Marks what running steps touched; those that have ended go when the record has their accesses. */
static void take_watches(struct live *live)
{
    size_t kept = 0;
    pthread_mutex_lock(&live->lock);
    for (size_t i = 0; i < live->watches.len; i++) {
        struct watch *watch = live->watches.at[i];
        bool traced = watch->step < live->copy->steps.len &&
                      (live->copy->steps.at[watch->step].flags & RECORD_TRACED);
        bool gone = !watch->server && (traced || watch->looks_since_end++ > 1);
        if (live_is_ordered(live, watch->step)) {
            for (size_t k = 0; k < watch->fresh.len; k++)
                note_access(live, &watch->accesses.at[watch->fresh.at[k]]);
            for (size_t k = 0; k < watch->accesses.len && gone; k++)
                note_access(live, &watch->accesses.at[k]);
            watch->fresh.len = 0;
        }
        if (gone)
            live_free_watch(watch);
        else
            live->watches.at[kept++] = watch;
    }
    live->watches.len = kept;
    pthread_mutex_unlock(&live->lock);
}

/* What makes have said of their rules since the last time. */
static void take_rules(struct live *live)
{
    VEC(struct rules) rules = {0};
    pthread_mutex_lock(&live->lock);
    for (size_t i = 0; i < live->rules.len; i++)
        vec_push(&rules, live->rules.at[i]);
    live->rules.len = 0;
    pthread_mutex_unlock(&live->lock);
    for (size_t i = 0; i < rules.len; i++)
        read_rules(live, &rules.at[i]);
    vec_free(&rules);
}

/* Whether a make ended without a word on what its steps need. */
static bool is_unordered(const struct record_step *step)
{
    return (step->flags & RECORD_RAN) && !(step->flags & (RECORD_ORDERED | RECORD_MAKE));
}

void live_give_needs(struct live *live)
{
    struct record *record = live->build->races;
    bool any = false;
    for (size_t i = 0; i < record->steps.len && !any; i++)
        any = is_unordered(&record->steps.at[i]);
    if (!any)
        return;
    take_record(live);
    take_rules(live);
    for (uint32_t i = 0; i < record->steps.len && i < live->needs_of.len; i++) {
        const struct told_needs *needs = &live->needs_of.at[i];
        if (needs->known && is_unordered(&record->steps.at[i]))
            record_needs(record, i, live->needs.at + needs->start, needs->count);
    }
}

void live_take(struct live *live)
{
    peek_at_running(live);
    take_record(live);
    grow(live);
    take_rules(live);
    order_steps(live);
    take_accesses(live);
    take_watches(live);
}
