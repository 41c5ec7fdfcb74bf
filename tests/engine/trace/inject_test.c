/* Dynamic linkers: the machine's own is known, what is none or is another is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/auxv.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/support/scratch.h"
#include "trace/inject.h"

#define LINKER "/lib64/ld-linux-x86-64.so.2"

static char *linker; /* its bytes */
static size_t length;

/* As the machine's linker, with `patch` at an offset. */
static bool is_known(size_t offset, const void *patch, size_t bytes, struct inject_places *places)
{
    char *copy = malloc(length);
    assert_non_null(copy);
    memcpy(copy, linker, length);
    memcpy(copy + offset, patch, bytes);
    struct image image = {.bytes = copy, .length = length};
    bool known = image_is_ours(&image) && inject_look_at(&image, places);
    free(copy);
    return known;
}

static size_t find(const char *bytes, size_t count)
{
    const char *at = memmem(linker, length, bytes, count);
    assert_non_null(at);
    return (size_t)(at - linker);
}

static void the_machines_own_is_known(void **state)
{
    (void)state;
    struct inject_places places;
    assert_true(is_known(0, linker, 4, &places));
    assert_int_not_equal(places.accesses[0], 0);
    for (unsigned i = 0; i < INJECT_ACCESSES && places.accesses[i]; i++)
        assert_memory_equal(linker + places.accesses[i] - 2, "\x0f\x05", 2);
    for (unsigned i = 0; i < INJECT_OPENS && places.opens[i]; i++)
        assert_memory_equal(linker + places.opens[i], "\x0f\x05\x48\x3d", 4);
    assert_int_not_equal(places.debug, 0);
    assert_true(places.room <= places.room_end);
    assert_int_equal(places.room_end % RING_PAGE, 0);
    for (size_t at = places.room; at < places.room_end; at++)
        assert_int_equal(linker[at], 0); /* nothing is there */
    unsigned number = inject_linker(LINKER);
    assert_int_not_equal(number, 0);
    assert_int_equal(inject_linker(LINKER), number);
}

static void what_is_another_is_not(void **state)
{
    (void)state;
    struct inject_places places, good;
    assert_true(is_known(0, linker, 4, &good));
    assert_false(is_known(0,
                          "\x7f"
                          "ELG",
                          4, &places));
    assert_false(is_known(4, "\1", 1, &places)); /* 32 bits */
    assert_false(is_known(18, "\xb7", 1, &places)); /* another machine's */
    assert_false(
        is_known(32, "\xff\xff\xff\xff\xff\xff\xff\x7f", 8, &places)); /* segments nowhere */
    assert_false(
        is_known(40, "\xf8\xff\xff\xff\xff\xff\xff\x7f", 8, &places)); /* sections nowhere */
    assert_false(is_known(find("_r_debug", 9), "_q", 2, &places));
    assert_false(is_known(find("_dl_debug_state", 16), "_q", 2, &places));
    assert_false(is_known(good.debug_state, "\x90", 1, &places)); /* it does something */
    assert_false(is_known(good.debug_state + 1, "\xe8", 1, &places)); /* so does what follows */
    for (unsigned i = 0; i < INJECT_ACCESSES && good.accesses[i]; i++)
        memcpy(linker + good.accesses[i] - 2, "\x90\x90", 2);
    assert_false(is_known(0, linker, 4, &places)); /* no call that we wait for */
}

static void no_linker_has_no_number(void **state)
{
    (void)state;
    assert_int_equal(inject_linker("/nonexistent"), 0);
    assert_int_equal(inject_linker("/etc"), 0);
    assert_int_equal(inject_linker("/etc/passwd"), 0);
    assert_int_equal(inject_linker("/bin/sh"), 0);
    assert_int_equal(inject_linker(scratch_bytes("short", linker, 100)), 0);
    assert_int_equal(inject_linker(scratch_bytes("half", linker, length / 2)), 0);
}

/* A thread that stands elsewhere is not taken for one in the first call. */
static void only_its_first_call_is_taken(void **state)
{
    (void)state;
    struct inject_places places;
    assert_true(is_known(0, linker, 4, &places));
    unsigned number = inject_linker(LINKER);
    const uint64_t base = getauxval(AT_BASE); /* our own: nothing is written but what is there */
    struct seccomp_notif notice = {.pid = (uint32_t)getpid(),
                                   .data.instruction_pointer = base + places.accesses[0]};
    assert_true(inject_stands(number, &notice));
    assert_int_equal(inject_base(number, &notice), base);
    notice.data.instruction_pointer++;
    assert_false(inject_stands(number, &notice));
    assert_int_equal(inject_base(number, &notice), 0);
    /* a process that cannot be written to */
    notice.pid = 0;
    assert_false(inject(number, &notice, base, 3, 1));
}

static int read_linker(void **state)
{
    struct err err = {0};
    free(linker);
    linker = file_read(LINKER, &length, &err);
    return linker ? scratch_make(state) : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, read_linker, scratch_remove)

int main(void)
{
    if (access(LINKER, F_OK) < 0) {
        fprintf(stderr, "no dynamic linker here that is known: nothing to test\n");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        TEST(the_machines_own_is_known),
        TEST(no_linker_has_no_number),
        TEST(only_its_first_call_is_taken),
        TEST(what_is_another_is_not),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(linker);
    return failed;
}
