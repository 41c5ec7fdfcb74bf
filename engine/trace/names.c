#include "trace/names.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

enum { BLOCK = 1024, BLOCKS = 64 * 1024 };

struct name {
    const char *text;
    uint32_t length;
    _Atomic uint32_t parent; /* + 1; 0: nobody asked yet */
};

/* Names by number stand in blocks that do not move: whoever has a number may read without the lock. */
static struct {
    pthread_mutex_t lock;
    struct intern texts;
    _Atomic(struct name *) blocks[BLOCKS];
    unsigned held;
} names = {.lock = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP}; /* held for a moment */

static void keep_name(uint32_t name, size_t length)
{
    assert(name / BLOCK < BLOCKS);
    struct name *block = atomic_load_explicit(&names.blocks[name / BLOCK], memory_order_relaxed);
    if (!block)
        block = mem_zero(BLOCK, sizeof *block);
    block[name % BLOCK].text = intern_text(&names.texts, name);
    block[name % BLOCK].length = (uint32_t)length;
    atomic_store_explicit(&names.blocks[name / BLOCK], block, memory_order_release);
}

uint32_t name_id_n(const char *text, size_t length)
{
    pthread_mutex_lock(&names.lock);
    uint32_t before = intern_count(&names.texts), name = intern_id_n(&names.texts, text, length);
    if (name == before)
        keep_name(name, length);
    pthread_mutex_unlock(&names.lock);
    return name;
}

uint32_t name_id(const char *text)
{
    return name_id_n(text, strlen(text));
}

uint32_t name_find(const char *text)
{
    pthread_mutex_lock(&names.lock);
    uint32_t name = intern_find(&names.texts, text);
    pthread_mutex_unlock(&names.lock);
    return name;
}

static struct name *name_at(uint32_t name)
{
    struct name *block = atomic_load_explicit(&names.blocks[name / BLOCK], memory_order_acquire);
    return &block[name % BLOCK];
}

const char *name_text(uint32_t name)
{
    return name_at(name)->text;
}

uint32_t name_parent(uint32_t name)
{
    struct name *at = name_at(name);
    uint32_t parent = atomic_load_explicit(&at->parent, memory_order_relaxed);
    const char *slash = parent ? NULL : memrchr(at->text, '/', at->length);
    if (!parent && (!slash || slash == at->text))
        return INTERN_NONE;
    if (!parent) {
        parent = name_id_n(at->text, (size_t)(slash - at->text)) + 1;
        atomic_store_explicit(&at->parent, parent, memory_order_relaxed);
    }
    return parent - 1;
}

void names_hold(void)
{
    pthread_mutex_lock(&names.lock);
    names.held++;
    pthread_mutex_unlock(&names.lock);
}

void names_release(void)
{
    pthread_mutex_lock(&names.lock);
    names.held--;
    pthread_mutex_unlock(&names.lock);
}

void names_forget(void)
{
    pthread_mutex_lock(&names.lock);
    for (uint32_t i = 0; !names.held && i * BLOCK < intern_count(&names.texts); i++)
        free(atomic_exchange(&names.blocks[i], NULL));
    if (!names.held)
        intern_free(&names.texts);
    pthread_mutex_unlock(&names.lock);
}

uint32_t *name_memo_at(name_memo *memo, uint32_t name)
{
    if (name >= memo->len) {
        size_t before = memo->len, wanted = (size_t)name + 1;
        vec_reserve(memo, wanted);
        memset(memo->at + before, 0, (wanted - before) * sizeof *memo->at);
        memo->len = wanted;
    }
    return &memo->at[name];
}
