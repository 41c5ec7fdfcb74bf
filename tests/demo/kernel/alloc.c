/*
 * Memory: a list of blocks in address order that covers the whole heap without gaps. A block is a
 * header and what follows it, up to the next header. Allocation is first fit; a released block is
 * merged with free neighbours, so that two free blocks never touch. With conf-debug_memory=1
 * released memory is filled and the fill checked when it is given out again.
 */
#include "kernel.h"

enum { ALIGN = 16, FILL = 0xdb };

struct block {
    struct block *next; /* in address order; NULL after the last */
    uint32_t magic; /* BLOCK_MAGIC, so that a wild release or an overrun is noticed */
    bool used;
    bool filled; /* free, and every byte is FILL; never so of memory that was not used yet */
};

static const uint32_t BLOCK_MAGIC = 0x6b6c4221;

/* Data begins on a multiple of ALIGN if the header's size is one. */
_Static_assert(sizeof(struct block) % ALIGN == 0, "header keeps the alignment");

static struct block *first;
static uintptr_t heap_end;

static char *block_data(struct block *block)
{
    return (char *)(block + 1);
}

static size_t block_size(const struct block *block)
{
    uintptr_t end = block->next ? (uintptr_t)block->next : heap_end;

    return end - (uintptr_t)(block + 1);
}

static void check(const struct block *block)
{
    if (block->magic != BLOCK_MAGIC)
        panic("the heap is damaged at %p", (const void *)block);
}

static void fill_free(struct block *block)
{
    block->filled = CONF_debug_memory;
    if (CONF_debug_memory)
        memset(block_data(block), FILL, block_size(block));
}

static void check_filled(struct block *block, size_t size)
{
    const unsigned char *data = (unsigned char *)block_data(block);

    for (size_t i = 0; block->filled && i < size; i++)
        if (data[i] != FILL)
            panic("released memory was written at %p", (const void *)&data[i]);
}

void memory_start(uintptr_t start, uintptr_t end)
{
    start = (start + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1);
    heap_end = end & ~(uintptr_t)(ALIGN - 1);
    if (heap_end < start + 2 * sizeof(struct block))
        panic("no memory behind the kernel");
    first = (struct block *)start;
    *first = (struct block){.magic = BLOCK_MAGIC};
}

/* Makes a free block begin at data address at, inside block, if there is room for both. */
static struct block *cut(struct block *block, uintptr_t at)
{
    struct block *rest = (struct block *)at - 1;

    *rest = (struct block){.next = block->next, .magic = BLOCK_MAGIC, .filled = block->filled};
    block->next = rest;
    return rest;
}

void *memory_allocate_aligned(size_t size, size_t align)
{
    ASSERT(align >= ALIGN && (align & (align - 1)) == 0);
    if (size > heap_end)
        return NULL;
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (size == 0)
        size = ALIGN;
    for (struct block *block = first; block; block = block->next) {
        uintptr_t data = (uintptr_t)block_data(block);
        uintptr_t aligned = (data + align - 1) & ~(uintptr_t)(align - 1);

        check(block);
        /* What is left in front must hold a block of its own. */
        while (aligned != data && aligned - data < sizeof(struct block) + ALIGN)
            aligned += align;
        if (block->used || aligned - data + size > block_size(block))
            continue;
        if (aligned != data)
            block = cut(block, aligned);
        check_filled(block, size);
        if (block_size(block) >= size + sizeof(struct block) + ALIGN)
            cut(block, (uintptr_t)block_data(block) + size + sizeof(struct block));
        block->used = true;
        return block_data(block);
    }
    return NULL;
}

void *memory_allocate(size_t size)
{
    return memory_allocate_aligned(size, ALIGN);
}

/* Joins block with the one behind it if both are free; what was its header becomes free memory. */
static void merge(struct block *block)
{
    struct block *next = block->next;

    if (!next || block->used || next->used)
        return;
    block->next = next->next;
    block->filled &= next->filled;
    if (CONF_debug_memory)
        memset(next, FILL, sizeof *next);
}

void memory_release(void *memory)
{
    struct block *block = (struct block *)memory - 1, *before = NULL;

    if (!memory)
        return;
    check(block);
    if (!block->used)
        panic("memory was released twice at %p", memory);
    block->used = false;
    fill_free(block);
    merge(block);
    for (struct block *at = first; at != block; at = at->next) {
        if (!at)
            panic("%p was released, but never allocated", memory);
        check(at);
        before = at;
    }
    if (before)
        merge(before);
}

size_t memory_free(void)
{
    size_t sum = 0;

    for (struct block *block = first; block; block = block->next)
        sum += block->used ? 0 : block_size(block);
    return sum;
}
