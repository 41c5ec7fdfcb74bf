/* The allocator and the clock. */
#include "noise.h"
#include "selftest.h"

static const char *test_allocate(void)
{
    size_t before = kernel->memory_free();
    char *a = kernel->allocate(1), *b = kernel->allocate(100000), *c = kernel->allocate(33);

    EXPECT(a && b && c);
    EXPECT((uintptr_t)a % 16 == 0 && (uintptr_t)b % 16 == 0 && (uintptr_t)c % 16 == 0);
    memset(b, 0xaa, 100000);
    memset(a, 1, 1);
    memset(c, 2, 33);
    EXPECT((unsigned char)b[0] == 0xaa && (unsigned char)b[99999] == 0xaa);
    kernel->release(b);
    kernel->release(a);
    kernel->release(NULL);
    kernel->release(c);
    EXPECT_NUMBER(kernel->memory_free(), before);
    return NULL;
}

static const char *test_allocate_too_much(void)
{
    size_t before = kernel->memory_free();

    EXPECT(kernel->allocate(before + 1) == NULL);
    EXPECT(kernel->allocate(SIZE_MAX) == NULL && kernel->allocate(SIZE_MAX - 40) == NULL);
    EXPECT_NUMBER(kernel->memory_free(), before);
    return NULL;
}

/* Many blocks of odd sizes in an odd order: none overlaps, and all of the memory comes back. */
static const char *test_allocate_many(void)
{
    enum { BLOCKS = 64, ROUNDS = 2000 };
    static unsigned char *blocks[BLOCKS];
    static size_t sizes[BLOCKS];
    struct noise noise = {NOISE_SEED};
    size_t before = kernel->memory_free();

    for (int round = 0; round < ROUNDS; round++) {
        unsigned at = noise_byte(&noise) % BLOCKS;

        for (size_t i = 0; i < sizes[at]; i++)
            EXPECT(blocks[at][i] == (unsigned char)at);
        kernel->release(blocks[at]);
        sizes[at] = noise_byte(&noise) * (size_t)8 + noise_byte(&noise) % 8;
        blocks[at] = kernel->allocate(sizes[at]);
        EXPECT(blocks[at]);
        memset(blocks[at], (int)at, sizes[at]);
    }
    for (int i = 0; i < BLOCKS; i++)
        kernel->release(blocks[i]);
    EXPECT_NUMBER(kernel->memory_free(), before);
    return NULL;
}

static const char *test_clock(void)
{
    uint64_t start = kernel->uptime_ns(), last = start;

    for (int i = 0; i < 10000; i++) {
        uint64_t now = kernel->uptime_ns();

        EXPECT(now >= last);
        last = now;
    }
    EXPECT(last > start);
    /* A clock that counts in the wrong unit would show an age of hours, or none. */
    EXPECT(last < UINT64_C(3600) * 1000000000);
    return NULL;
}

const struct test memory_tests[] = {
    {"allocate", test_allocate},
    {"allocate-too-much", test_allocate_too_much},
    {"allocate-many", test_allocate_many},
    {"clock", test_clock},
    {NULL, NULL},
};
