/* The build screen in its states. Goldens are renewed on purpose by UPDATE_GOLDENS=1 make test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/build_events.h"
#include "tests/support/samples.h"

static void a_first_run_says_what_to_do(void **state)
{
    (void)state;
    test_goldens("build-first", NULL, "");
    test_goldens("build-no-tree", sample_no_tree, "");
}

static void a_running_build(void **state)
{
    (void)state;
    test_goldens("build-middle", build_events_middle, "");
}

static void a_pane_alone_and_a_pinned_cone(void **state)
{
    (void)state;
    test_goldens("build-zoomed", build_events_middle, "Tab z");
    test_goldens("build-pinned", build_events_middle, "/ 'string.*sched' Enter");
    test_goldens("build-map", build_events_middle, "S-Tab Right Right");
}

static void a_failed_build(void **state)
{
    (void)state;
    test_goldens("build-failed", build_events_failed, "");
}

static void a_done_build(void **state)
{
    (void)state;
    test_goldens("build-done", build_events_done, "");
}

static void a_build_that_runs_elsewhere(void **state)
{
    (void)state;
    test_goldens("build-attached", sample_attached, "");
}

/* The keys that act ask the console for it, and for nothing else. */
static void keys_ask_for_what_they_say(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    test_screen_keys(screen, "b c r t x");
    assert_string_equal(test_screen_asked(screen), "build() compose() boot() tests() stop()");
    build_events_middle(screen);
    test_screen_text(screen);
    test_screen_keys(screen, "> e");
    assert_string_equal(test_screen_asked(screen), "edit(fs/rofs/timer.c:88)");
    test_screen_close(screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_run_says_what_to_do),
        cmocka_unit_test(a_running_build),
        cmocka_unit_test(a_pane_alone_and_a_pinned_cone),
        cmocka_unit_test(a_failed_build),
        cmocka_unit_test(a_done_build),
        cmocka_unit_test(a_build_that_runs_elsewhere),
        cmocka_unit_test(keys_ask_for_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
