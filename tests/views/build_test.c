#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/build_events.h"

static const struct {
    int w, h;
} sizes[] = {{20, 5}, {40, 10}, {80, 24}, {120, 40}, {200, 60}};

static void golden_at_sizes(const char *name, void (*events)(struct test_screen *),
                            const char *keys, enum test_look look)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char file[64];
        struct test_screen *screen = test_screen_open(sizes[i].w, sizes[i].h, look);
        if (events)
            events(screen);
        test_screen_text(screen);
        test_screen_keys(screen, keys);
        snprintf(file, sizeof file, "%s-%dx%d", name, sizes[i].w, sizes[i].h);
        test_golden(file, test_screen_text(screen));
        test_screen_close(screen);
    }
}

static void a_first_run_says_what_to_do(void **state)
{
    (void)state;
    golden_at_sizes("build-first", NULL, "", TEST_COLOR);
}

static void a_running_build_at_every_size(void **state)
{
    (void)state;
    golden_at_sizes("build-middle", build_events_middle, "", TEST_COLOR);
    golden_at_sizes("build-ascii", build_events_middle, "", TEST_ASCII);
}

static void a_failed_build_at_every_size(void **state)
{
    (void)state;
    golden_at_sizes("build-failed", build_events_failed, "", TEST_COLOR);
}

static void a_done_build_at_every_size(void **state)
{
    (void)state;
    golden_at_sizes("build-done", build_events_done, "", TEST_COLOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_run_says_what_to_do),
        cmocka_unit_test(a_running_build_at_every_size),
        cmocka_unit_test(a_failed_build_at_every_size),
        cmocka_unit_test(a_done_build_at_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
