/* Which changes of a tree are seen: those of sources, in new directories too; not what builds write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/scratch.h"
#include "tui/watch.h"

static struct watch *open_watch(void)
{
    struct err err = {0};
    scratch_text("kernel/a.c", "int a;\n");
    scratch_text("build/release.x64/a.o", "object");
    struct watch *watch = watch_open(scratch_dir(), &err);
    if (!watch)
        fail_msg("%s", err.text);
    assert_false(watch_take(watch));
    return watch;
}

/* In place, as editors write their own files; scratch_text goes by another name. */
static void write_in_place(const char *name)
{
    FILE *file = fopen(scratch(name), "w");
    assert_non_null(file);
    fputs("x", file);
    assert_int_equal(fclose(file), 0);
}

static void saved_moved_and_removed_files_are_seen(void **state)
{
    (void)state;
    struct watch *watch = open_watch();
    scratch_text("kernel/a.c", "int b;\n");
    assert_true(watch_take(watch));
    assert_false(watch_take(watch));
    assert_int_equal(rename(scratch("kernel/a.c"), scratch("kernel/b.c")), 0);
    assert_true(watch_take(watch));
    assert_int_equal(unlink(scratch("kernel/b.c")), 0);
    assert_true(watch_take(watch));
    watch_close(watch);
}

static void outputs_and_an_editors_own_files_are_not(void **state)
{
    (void)state;
    struct watch *watch = open_watch();
    scratch_text("build/release.x64/b.o", "object");
    write_in_place("kernel/.a.c.swp");
    write_in_place("kernel/a.c~");
    scratch_text(".git/index", "x");
    assert_false(watch_take(watch));
    watch_close(watch);
}

static void new_directories_are_watched_too(void **state)
{
    (void)state;
    struct watch *watch = open_watch();
    assert_int_equal(mkdir(scratch("drivers"), 0777), 0);
    assert_true(watch_take(watch));
    scratch_text("drivers/c.c", "int c;\n");
    assert_true(watch_take(watch));
    watch_close(watch);
}

static bool is_told(const struct watch *watch, const char *name)
{
    struct build_changes changes;
    assert_true(watch_changes(watch, &changes));
    for (size_t i = 0; i < changes.paths_count; i++)
        if (strcmp(changes.paths[i], scratch(name)) == 0)
            return true;
    return false;
}

static void all_that_was_touched_is_told_until_it_is_forgotten(void **state)
{
    (void)state;
    struct watch *watch = open_watch();
    struct build_changes changes;
    assert_true(watch_changes(watch, &changes));
    assert_int_equal(changes.paths_count, 0);
    write_in_place("kernel/a.c");
    write_in_place("build/release.x64/a.o"); /* no edit, but touched */
    assert_true(watch_take(watch));
    write_in_place("build/release.x64/a.o");
    assert_int_equal(unlink(scratch("build/release.x64/a.o")), 0);
    assert_int_equal(rename(scratch("kernel/a.c"), scratch("kernel/b.c")), 0);
    assert_true(watch_take(watch));
    assert_true(is_told(watch, "kernel/a.c"));
    assert_true(is_told(watch, "kernel/b.c"));
    assert_true(is_told(watch, "build/release.x64/a.o"));
    watch_forget(watch);
    assert_false(is_told(watch, "kernel/a.c"));
    write_in_place("kernel/b.c");
    assert_true(watch_take(watch));
    assert_true(is_told(watch, "kernel/b.c"));
    watch_close(watch);
}

static void what_was_moved_with_its_directory_is_never_told(void **state)
{
    (void)state;
    struct watch *watch = open_watch();
    struct build_changes changes;
    assert_int_equal(rename(scratch("kernel"), scratch("core")), 0);
    assert_true(watch_take(watch));
    watch_forget(watch);
    write_in_place("core/a.c");
    assert_true(watch_take(watch));
    assert_false(watch_changes(watch, &changes));
    watch_close(watch);
}

static void where_not_all_is_known_nothing_is_told(void **state)
{
    (void)state;
    struct watch *watch = open_watch();
    struct build_changes changes;
    assert_int_equal(mkdir(scratch("build/other"), 0777), 0); /* files may be in it already */
    assert_false(watch_take(watch));
    assert_false(watch_changes(watch, &changes));
    watch_forget(watch);
    assert_true(watch_changes(watch, &changes));
    write_in_place("build/other/a.o");
    assert_false(watch_take(watch));
    assert_true(is_told(watch, "build/other/a.o"));
    assert_int_equal(changes.links_count, 0);
    assert_int_equal(symlink("kernel", scratch("link")), 0);
    watch_take(watch);
    assert_true(watch_changes(watch, &changes));
    assert_int_equal(changes.links_count, 1);
    assert_string_equal(changes.links[0], scratch("link"));
    watch_close(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_that_was_touched_is_told_until_it_is_forgotten,
                                        scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(what_was_moved_with_its_directory_is_never_told,
                                        scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(where_not_all_is_known_nothing_is_told, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(saved_moved_and_removed_files_are_seen, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(outputs_and_an_editors_own_files_are_not, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(new_directories_are_watched_too, scratch_make,
                                        scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
