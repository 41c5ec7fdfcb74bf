/* What steps keep for each other of paths: believed only as long and as far as it may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "tests/support/scratch.h"
#include "trace/common.h"
#include "trace/trace.h"

struct seen {
    struct str canonical, links; /* links: each followed one, and a blank */
    enum resolve_kind kind;
};

static void link_followed(void *data, uint32_t name)
{
    struct seen *seen = data;
    str_addf(&seen->links, "%s ", name_text(name));
}

/* As a step looks that knows nothing itself. */
static void look(struct seen *seen, const char *path, enum resolve_told told, bool looks)
{
    str_cut(&seen->canonical, 0);
    str_cut(&seen->links, 0);
    struct resolver resolver = {.data = seen, .link = link_followed, .told = told, .looks = looks};
    seen->kind = resolve_path(&resolver, getpid(), path, true, &seen->canonical);
    resolve_free(&resolver);
}

static void forget(struct seen *seen)
{
    str_free(&seen->canonical);
    str_free(&seen->links);
    memset(seen, 0, sizeof *seen);
}

static void a_way_that_changes_is_gone_again(void **state)
{
    (void)state;
    struct seen seen = {0};
    scratch_text("one/file", "");
    scratch_text("two/file", "");
    trace_begin();
    char *path = strdup(scratch("way/file"));
    assert_int_equal(rename(scratch("one"), scratch("way")), 0);
    look(&seen, path, RESOLVE_NOT_TOLD, true);
    assert_int_equal(seen.kind, RESOLVE_FILE);
    assert_string_equal(seen.canonical.at, path);
    assert_int_equal(rename(scratch("way"), scratch("one")), 0);
    assert_int_equal(symlink("two", scratch("way")), 0);
    common_ways_changed();
    look(&seen, path, RESOLVE_NOT_TOLD, true);
    assert_int_equal(seen.kind, RESOLVE_FILE);
    assert_string_equal(seen.canonical.at, scratch("two/file"));
    assert_non_null(strstr(seen.links.at, scratch("way")));
    assert_int_equal(unlink(scratch("way")), 0); /* by nobody whom we see, but a build begins */
    assert_int_equal(rename(scratch("two"), scratch("way")), 0);
    trace_begin();
    look(&seen, path, RESOLVE_NOT_TOLD, true);
    assert_string_equal(seen.canonical.at, path);
    free(path);
    forget(&seen);
}

static void nothing_there_is_believed_of_the_kernel_alone(void **state)
{
    (void)state;
    struct seen seen = {0};
    trace_begin();
    char *path = strdup(scratch("absent"));
    look(&seen, path, RESOLVE_TOLD_ABSENT, false);
    assert_int_equal(seen.kind, RESOLVE_ABSENT);
    scratch_text("absent", "here now");
    look(&seen, path, RESOLVE_NOT_TOLD, true);
    assert_int_equal(seen.kind, RESOLVE_FILE);
    assert_int_equal(unlink(path), 0);
    look(&seen, path, RESOLVE_TOLD_ABSENT, false);
    assert_int_equal(symlink("nowhere", path), 0);
    common_ways_changed(); /* as where a step made the link */
    common_changed(path);
    look(&seen, path, RESOLVE_TOLD_ABSENT, false);
    assert_int_equal(seen.kind, RESOLVE_ABSENT);
    assert_string_equal(seen.canonical.at, scratch("nowhere"));
    assert_non_null(strstr(seen.links.at, path));
    free(path);
    forget(&seen);
}

/* What nobody tells us of is noticed a second later. */
static void where_a_path_led_is_believed_for_a_second(void **state)
{
    (void)state;
    struct seen seen = {0};
    scratch_text("other/file", "");
    scratch_text("thing", "a file");
    trace_begin();
    char *path = strdup(scratch("thing"));
    look(&seen, path, RESOLVE_TOLD_THERE, false);
    assert_int_equal(seen.kind, RESOLVE_FILE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("other/file", path), 0);
    look(&seen, path, RESOLVE_TOLD_THERE, false);
    assert_string_equal(seen.canonical.at, path);
    look(&seen, path, RESOLVE_TOLD_ABSENT, false); /* the kernel says otherwise */
    assert_string_equal(seen.canonical.at, scratch("other/file"));
    look(&seen, path, RESOLVE_NOT_TOLD, true); /* of the tree nothing is believed unsaid */
    assert_string_equal(seen.canonical.at, scratch("other/file"));
    common_ways_changed();
    for (int i = 0; i < 2; i++) {
        look(&seen, path, RESOLVE_TOLD_THERE, false);
        assert_string_equal(seen.canonical.at, scratch("other/file"));
        assert_non_null(strstr(seen.links.at, path));
    }
    assert_int_equal(unlink(path), 0);
    scratch_text("thing", "a file again");
    nanosleep(&(struct timespec){1, 100000000}, NULL);
    look(&seen, path, RESOLVE_TOLD_THERE, false);
    assert_string_equal(seen.canonical.at, path);
    assert_string_equal(seen.links.at, "");
    free(path);
    forget(&seen);
}

/* Links of the system are told each time, though they are read once. */
static void links_of_the_system_are_told(void **state)
{
    (void)state;
    struct seen seen = {0};
    char target[4096];
    if (readlink("/usr/bin/awk", target, sizeof target) < 0)
        skip(); /* no link of the system's that is known to be one: alternatives are Debian's */
    trace_begin();
    look(&seen, "/usr/bin/awk", RESOLVE_NOT_TOLD, true);
    struct str canonical = {0}, links = {0};
    str_add(&canonical, seen.canonical.at);
    str_add(&links, seen.links.at);
    assert_non_null(strstr(links.at, "/usr/bin/awk "));
    assert_int_equal(seen.kind, RESOLVE_FILE);
    for (int i = 0; i < 3; i++) {
        look(&seen, "/usr/bin/awk", RESOLVE_NOT_TOLD, i);
        assert_string_equal(seen.canonical.at, canonical.at);
        assert_string_equal(seen.links.at, links.at);
        assert_int_equal(seen.kind, RESOLVE_FILE);
    }
    look(&seen, "/usr/gantry-nothing/x", RESOLVE_NOT_TOLD, true);
    look(&seen, "/usr/gantry-nothing/x", RESOLVE_NOT_TOLD, true);
    assert_int_equal(seen.kind, RESOLVE_ABSENT);
    assert_string_equal(seen.canonical.at, "/usr/gantry-nothing/x");
    str_free(&canonical);
    str_free(&links);
    forget(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_way_that_changes_is_gone_again, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(nothing_there_is_believed_of_the_kernel_alone, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(where_a_path_led_is_believed_for_a_second, scratch_make,
                                        scratch_remove),
        cmocka_unit_test(links_of_the_system_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
