/*
 * What the compose screen tells of an image: what the next compose changes in it, its largest files,
 * and what is measured against a limit. The image is a real one.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/support/image_tree.h"
#include "tests/support/scratch.h"
#include "tui/screen_compose.h"

/* A console on the scratch directory, and one file system that is composed there. */
struct screens {
    struct console console;
    struct compose_screen screen;
    struct compose_tab tab;
};

static void open_screen(struct screens *s, enum image_fs fs)
{
    memset(s, 0, sizeof *s);
    s->console.root = mem_copy(scratch_dir());
    s->tab.name = "usr";
    s->screen.data.tabs = &s->tab;
    s->screen.data.tabs_count = 1;
    vec_push(
        &s->screen.fs,
        (struct compose_fs){.name = "usr", .output = "out/image", .is_bootfs = fs == IMAGE_RAMFS});
}

static void close_screen(struct screens *s)
{
    vec_free(&s->screen.fs);
    arena_free(&s->screen.arena);
    free(s->console.root);
}

/* The notes as one text: "+ /a, - /b". */
static char *since(struct screens *s, const char *manifest)
{
    struct manifest_list list = {0};
    const struct manifest_scope scope = {.root = s->console.root};
    struct err err = {0};
    struct str text = {0};
    assert_int_equal(manifest_resolve(&list, &manifest, 1, &scope, MANIFEST_MARK, &err), 0);
    compose_read_since(&s->console, &s->screen, 0, &list);
    for (size_t i = 0; i < s->tab.since_count; i++)
        str_addf(&text, "%s%c %s", i ? ", " : "", s->tab.since[i].mark, s->tab.since[i].text);
    manifest_list_free(&list);
    return str_take(&text);
}

static void expect_since(struct screens *s, const char *text, const char *expected)
{
    char *notes = since(s, scratch_text("manifest", text));
    assert_true(s->tab.composed);
    assert_string_equal(notes ? notes : "", expected);
    free(notes);
}

/* Sources that are as old as can be, so that only what is touched later is newer than the image. */
static void make_sources(void)
{
    static const char *const names[] = {"h/one", "h/two", "h/three"};
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        scratch_text(names[i], "four");
        assert_int_equal(utimensat(AT_FDCWD, scratch(names[i]), old, 0), 0);
    }
    assert_int_equal(mkdir(scratch("h/void"), 0700), 0);
}

static const char lines[] = "/d/one: h/one\n/d/two: h/two\n/link: ->/d/one\n/void: h/void\n";

static void pack(enum image_fs fs)
{
    struct image_pack pack = {.volumes = {{.fs = fs}}, .volumes_count = 1};
    const struct timespec then[2] = {{.tv_sec = 2000}, {.tv_sec = 2000}};
    assert_int_equal(chdir(scratch_dir()), 0);
    mkdir(scratch("out"), 0700);
    image_tree_pack(scratch_text("manifest", lines), scratch("out/image"), &pack);
    assert_int_equal(utimensat(AT_FDCWD, scratch("out/image"), then, 0), 0);
}

static void changes_since_the_last_compose(void **state)
{
    (void)state;
    static const enum image_fs kinds[] = {IMAGE_ROFS, IMAGE_RAMFS};
    for (size_t i = 0; i < 2; i++) {
        struct screens s;
        open_screen(&s, kinds[i]);
        make_sources();
        pack(kinds[i]);
        expect_since(&s, lines, "");
        /* Lines that came, went, and mean something else. */
        expect_since(&s, "/d/one: h/one\n/d/three: h/three\n/link: ->/d/three\n",
                     "+ /d/three, - /d/two, ~ /link, - /void");
        expect_since(&s, "/d/one: h/void\n/d/two: h/two\n/link: h/one\n/void: h/void\n",
                     "~ /d/one, ~ /link");
        /* A file that is not there is no change: it is missing, and told so elsewhere. */
        expect_since(&s, "/d/one: h/none\n/d/two: h/two\n/link: ->/d/one\n/void: h/void\n", "");
        /* Saved again without a change; another content of the same size; another size. */
        scratch_text("h/one", "four");
        expect_since(&s, lines, "");
        scratch_text("h/one", "fore");
        expect_since(&s, lines, "~ /d/one");
        scratch_text("h/one", "fourteen");
        expect_since(&s, lines, "~ /d/one");
        assert_int_equal(rmdir(scratch("h/void")), 0);
        close_screen(&s);
    }
}

static void what_was_never_composed_has_no_changes(void **state)
{
    (void)state;
    struct screens s;
    open_screen(&s, IMAGE_ROFS);
    make_sources();
    assert_int_equal(chdir(scratch_dir()), 0);
    char *notes = since(&s, scratch_text("manifest", lines));
    assert_false(s.tab.composed);
    assert_int_equal(s.tab.since_count, 0);
    free(notes);
    /* Neither has what is there but cannot be read. */
    scratch_text("out/image", "no file system");
    free(since(&s, scratch_text("manifest", lines)));
    assert_false(s.tab.composed);
    close_screen(&s);
}

static void many_changes_are_counted(void **state)
{
    (void)state;
    enum { MANY = 500 };
    struct screens s;
    struct str text = {0};
    open_screen(&s, IMAGE_ROFS);
    make_sources();
    pack(IMAGE_ROFS);
    str_add(&text, lines);
    for (int i = 0; i < MANY; i++)
        str_addf(&text, "/e/%d: h/one\n", i);
    free(since(&s, scratch_text("manifest", str_text(&text))));
    str_free(&text);
    assert_in_range(s.tab.since_count, 2, 100);
    size_t shown = s.tab.since_count - 1;
    char *rest = mem_format("and %zu more in usr", MANY - shown);
    assert_string_equal(s.tab.since[shown].text, rest);
    free(rest);
    close_screen(&s);
}

static void sizes_and_limits(void **state)
{
    (void)state;
    struct screens s;
    static char long_name[132] = "/";
    memset(long_name + 1, 'n', 130);
    const struct compose_row rows[] = {
        {.guest = "/a", .size_bytes = 10},
        {.guest = "/b", .size_bytes = 70},
        {.guest = "/c", .size_bytes = 90, .duplicate = true},
        {.guest = "/d", .size_bytes = 95, .stage = ROW_REMOVED},
        {.guest = "/e", .size_bytes = 30},
        {.guest = "/f", .size_bytes = 20},
        {.guest = "/g", .size_bytes = 60},
        {.guest = "/h", .size_bytes = 0},
        {.guest = "/i", .size_bytes = 50},
        {.guest = long_name, .size_bytes = 40, .is_directory = true},
    };
    open_screen(&s, IMAGE_RAMFS);
    s.tab.rows = rows;
    s.tab.rows_count = sizeof rows / sizeof *rows;
    struct compose_data *data = &s.screen.data;
    data->args_next = "--verbose";
    data->args_max = IMAGE_CMDLINE_MAX;
    compose_read_sizes(&s.screen, &(struct image_info){.kernel_bytes = 5, .kernel_most = 23068672});
    static const uint64_t sizes[] = {70, 60, 50, 40, 30, 20};
    assert_int_equal(data->largest_count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(data->largest[i].size_bytes, sizes[i]);
    assert_string_equal(data->largest[0].guest, "/b");
    assert_int_equal(data->limits_count, 3);
    assert_string_equal(data->limits[0].name, "kernel");
    assert_int_equal(data->limits[0].most, 23068672);
    assert_string_equal(data->limits[1].name, "names in usr");
    assert_int_equal(data->limits[1].is, 132); /* with its slash */
    assert_int_equal(data->limits[1].most, 110);
    assert_int_equal(data->limits[2].is, 9);
    assert_int_equal(data->limits[2].most, 1023);
    close_screen(&s);
}

int main(void)
{
#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(changes_since_the_last_compose),
        IN_SCRATCH(what_was_never_composed_has_no_changes),
        IN_SCRATCH(many_changes_are_counted),
        IN_SCRATCH(sizes_and_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
