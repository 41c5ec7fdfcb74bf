/* Manifests: what lines mean, what is refused, and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "manifest/manifest.h"
#include "tests/support/scratch.h"

static struct manifest_list list;
static struct err err;

static int make(void **state)
{
    return scratch_make(state);
}

static int clean(void **state)
{
    manifest_list_free(&list);
    memset(&list, 0, sizeof list);
    memset(&err, 0, sizeof err);
    return scratch_remove(state);
}

/* Resolves one manifest of this text; host names are looked up in the scratch directory. */
static int resolve(const char *text, enum manifest_mode mode)
{
    static const struct manifest_variable variables[] = {{"base", "lib"}, {"empty", ""}};
    const char *file = scratch_text("test.manifest", text), *dirs[] = {"out", "."};
    struct manifest_scope scope = {.variables = variables,
                                   .variables_count = 2,
                                   .dirs = dirs,
                                   .dirs_count = 2,
                                   .root = scratch_dir()};
    (void)file;
    manifest_list_free(&list);
    memset(&list, 0, sizeof list);
    const char *names[] = {"test.manifest"};
    return manifest_resolve(&list, names, 1, &scope, mode, &err);
}

/* The one entry of a guest name that counts. */
static const struct manifest_entry *entry(const char *guest)
{
    for (size_t i = 0; i < list.entries.len; i++)
        if (strcmp(list.entries.at[i].guest, guest) == 0 && !list.entries.at[i].duplicate)
            return &list.entries.at[i];
    fail_msg("%s is not in the list", guest);
    return NULL;
}

static void assert_host(const char *guest, const char *name)
{
    assert_string_equal(entry(guest)->host, scratch(name));
}

static void lines_mean_what_osv_means(void **state)
{
    (void)state;
    scratch_text("a.txt", "four");
    scratch_text("lib/libx.so", "x");
    scratch_text("static/etc/hosts", "hosts");
    scratch_text("out/a.txt", "from out");
    int status = resolve("# a comment\n"
                         "[manifest]\n"
                         "\n"
                         "   # an indented comment\r\n"
                         "/lib/libx.so:   %(base)s/libx.so  \r\n"
                         "  /&/etc/hosts: static/&\n"
                         "/usr/&/etc/hosts: static/&\n"
                         "/a: a.txt\n"
                         "relative//name/./x: %(empty)sa.txt\n"
                         "/percent: 100%%\n"
                         "/etc/mnttab: ->/proc/mounts\n"
                         "/dev: static\n",
                         MANIFEST_MARK);
    assert_int_equal(status, 0);
    assert_int_equal(list.entries.len, 8);
    assert_host("/lib/libx.so", "lib/libx.so");
    assert_host("/etc/hosts", "static/etc/hosts");
    assert_host("/usr/etc/hosts", "static/etc/hosts");
    assert_host("/a", "out/a.txt");
    assert_int_equal(entry("/a")->size_bytes, 8);
    assert_int_equal(entry("/a")->line, 8);
    assert_string_equal(entry("/a")->file, "test.manifest");
    assert_host("/relative/name/x", "out/a.txt");
    assert_string_equal(entry("/percent")->source, "100%");
    assert_true(entry("/percent")->missing);
    assert_int_equal(entry("/etc/mnttab")->kind, ENTRY_SYMLINK);
    assert_string_equal(entry("/etc/mnttab")->host, "/proc/mounts");
    assert_int_equal(entry("/dev")->kind, ENTRY_DIRECTORY);
}

static void a_tree_is_every_file_below_sorted(void **state)
{
    (void)state;
    scratch_text("t/b/two", "2");
    scratch_text("t/a", "1");
    scratch_text("t/b-c", "3");
    scratch_text("t/lib-stripped.so", "left behind by OSv's scripts");
    mkdir(scratch("t/nothing"), 0777);
    assert_int_equal(symlink("b", scratch("t/link-to-directory")), 0);
    assert_int_equal(symlink("b/two", scratch("t/link")), 0);
    assert_int_equal(resolve("/g/**: t/**\n/**: t/**\n", MANIFEST_STRICT), 0);
    static const char *const expected[] = {"/a",     "/b-c",     "/b/two",  "/g/a",
                                           "/g/b-c", "/g/b/two", "/g/link", "/link"};
    assert_int_equal(list.entries.len, 8);
    for (size_t i = 0; i < 8; i++)
        assert_string_equal(list.entries.at[i].guest, expected[i]);
    assert_host("/g/b/two", "t/b/two");
    assert_int_equal(entry("/link")->kind, ENTRY_FILE);
    assert_int_equal(entry("/link")->size_bytes, 1);
    /* What was listed and read is told, for state, once each. */
    size_t directories = 0;
    for (size_t i = 0; i < list.looked_at.len; i++)
        directories += strcmp(list.looked_at.at[i], "t/b") == 0;
    assert_int_equal(directories, 1);
}

static void links_are_followed_in_their_own_tree(void **state)
{
    (void)state;
    scratch_text("root/usr/lib/real", "real");
    mkdir(scratch("root/lib"), 0777);
    assert_int_equal(symlink("/usr/lib/real", scratch("root/lib/absolute")), 0);
    assert_int_equal(symlink("absolute", scratch("root/lib/chain")), 0);
    assert_int_equal(symlink("nowhere", scratch("root/lib/dangling")), 0);
    assert_int_equal(symlink("loop", scratch("root/lib/loop")), 0);
    assert_int_equal(resolve("/a: root/lib/absolute\n/c: root/lib/chain\n/k: !root/lib/chain\n"
                             "/d: root/lib/dangling\n/n: !root/lib/dangling\n/l: root/lib/loop\n"
                             "/plain: !root/usr/lib/real\n",
                             MANIFEST_MARK),
                     0);
    assert_int_equal(entry("/a")->size_bytes, 4);
    assert_int_equal(entry("/c")->size_bytes, 4);
    assert_null(entry("/c")->problem);
    assert_int_equal(entry("/k")->kind, ENTRY_SYMLINK);
    assert_string_equal(entry("/k")->host, "absolute");
    assert_string_equal(entry("/n")->host, "nowhere");
    assert_non_null(entry("/d")->problem);
    assert_true(entry("/d")->missing);
    assert_non_null(entry("/l")->problem);
    assert_int_equal(entry("/plain")->kind, ENTRY_FILE);
}

static void the_last_line_wins(void **state)
{
    (void)state;
    scratch_text("one", "1");
    scratch_text("two", "22");
    assert_int_equal(resolve("/x: one\n/x: two\n", MANIFEST_STRICT), 0);
    assert_int_equal(list.entries.len, 2);
    assert_true(list.entries.at[0].duplicate);
    assert_int_equal(list.entries.at[0].line, 1);
    assert_host("/x", "two");
}

/* Each of these is refused by a strict reading, at its line, with these words. */
static void bad_entries_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"/x: missing.txt", "missing.txt is not there; looked in out, ."},
        {"/x: /nonexistent/y", "/nonexistent/y is not there"},
        {"/x/../y: file", "must not have `..`"},
        {"..: file", "must not have `..`"},
        {"/: file", "the guest name is empty"},
        {"/x: fifo", "fifo is no file, directory or symbolic link"},
        {"/x: /dev/null", "/dev/null is no file, directory or symbolic link"},
        {"/x: %(nothing)s/y", "the variable nothing has no value; give one with -D nothing=VALUE"},
        {"/x: 100%", "a lone %"},
        {"/x: %(open", "a lone %"},
        {"/x: %(base)d", "a lone %"},
        {"/x/**: file", "** must stand on both sides"},
        {"/x: dir/**", "** must stand on both sides"},
        {"/x/**: file/**", "file is no directory"},
        {"/x/**: gone/**", "gone is not there"},
        {"/x: ->", "the link has no target"},
        {"/file/below: file", "/file is no directory: test.manifest:1 makes it a file"},
    };
    scratch_text("file", "f");
    scratch_text("dir/f", "f");
    assert_int_equal(mkfifo(scratch("fifo"), 0666), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = mem_format("/file: file\n%s\n", cases[i].line);
        assert_int_equal(resolve(text, MANIFEST_STRICT), -1);
        assert_int_equal(err.kind, ERR_INPUT);
        if (!str_starts(err.text, "test.manifest:2: ") || !strstr(err.text, cases[i].words))
            fail_msg("%s: %s", cases[i].line, err.text);
        /* Marking, the same is kept with the entry. */
        assert_int_equal(resolve(text, MANIFEST_MARK), 0);
        size_t problems = 0;
        for (size_t k = 0; k < list.entries.len; k++)
            problems +=
                list.entries.at[k].problem && strstr(list.entries.at[k].problem, cases[i].words);
        assert_int_equal(problems, 1);
        free(text);
    }
}

static void lines_that_cannot_be_read_are_errors_always(void **state)
{
    (void)state;
    static const char *const lines[] = {"nothing here", "/x:", "/x:y", ": y", "[files]", "/x : "};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char *text = mem_format("# first\n%s\n", lines[i]);
        assert_int_equal(resolve(text, MANIFEST_MARK), -1);
        assert_true(str_starts(err.text, "test.manifest:2: "));
        free(text);
    }
    scratch_bytes("nul.manifest", "/x: a\0b\n", 8);
    const char *nul[] = {scratch("nul.manifest")}, *none[] = {scratch("none.manifest")};
    const char *directory[] = {scratch_dir()};
    struct manifest_scope scope = {0};
    assert_int_equal(manifest_resolve(&list, nul, 1, &scope, MANIFEST_MARK, &err), -1);
    assert_non_null(strstr(err.text, "NUL"));
    assert_int_equal(manifest_resolve(&list, none, 1, &scope, MANIFEST_MARK, &err), -1);
    assert_non_null(strstr(err.text, "No such file"));
    assert_int_equal(manifest_resolve(&list, directory, 1, &scope, MANIFEST_MARK, &err), -1);
    assert_non_null(strstr(err.text, "must be a file"));
}

static void the_first_problem_is_the_first_line(void **state)
{
    (void)state;
    assert_int_equal(resolve("/z: gone-z\n/a: gone-a\n", MANIFEST_STRICT), -1);
    assert_true(str_starts(err.text, "test.manifest:1: /z: "));
    assert_non_null(strstr(err.text, "(and 1 more)"));
}

static void long_names_are_refused(void **state)
{
    (void)state;
    scratch_text("f", "f");
    char name[300], part[256];
    memset(part, 'n', 255);
    part[255] = '\0';
    snprintf(name, sizeof name, "/%s: f\n", part);
    assert_int_equal(resolve(name, MANIFEST_STRICT), 0);
    snprintf(name, sizeof name, "/%sn: f\n", part);
    assert_int_equal(resolve(name, MANIFEST_STRICT), -1);
    assert_non_null(strstr(err.text, "longer than 255 bytes"));
    struct str deep = {0};
    for (int i = 0; i < 3000; i++)
        str_add(&deep, "/a");
    str_add(&deep, ": f\n");
    assert_int_equal(resolve(str_text(&deep), MANIFEST_STRICT), -1);
    if (!strstr(err.text, "longer than 4095 bytes"))
        fail_msg("%s", err.text + strlen(err.text) - 200);
    str_free(&deep);
}

/* Our own miniature of OSv's skeletons, 2014 and HEAD, with what they use. */
static void skeletons_load(void **state)
{
    (void)state;
    scratch_text("gcc/lib64/libgcc_s.so.1", "gcc");
    scratch_text("misc/usr/lib64/libboost_regex.so.1.54.0", "boost");
    scratch_text("static/etc/fstab", "fstab");
    scratch_text("tools/mkfs/mkfs.so", "mkfs");
    char *gcc = mem_copy(scratch("gcc")), *misc = mem_copy(scratch("misc"));
    const struct manifest_variable variables[] = {{"gccbase", gcc}, {"miscbase", misc}};
    const char *dirs[] = {scratch("build/release.x64"), scratch_dir()};
    mkdir(scratch("build"), 0777);
    mkdir(scratch("build/release.x64"), 0777);
    struct manifest_scope scope = {
        .variables = variables, .variables_count = 2, .dirs = dirs, .dirs_count = 2};
    const char *files[] = {
        scratch_text("usr.skel", "[manifest]\n"
                                 "/usr/lib/libgcc_s.so.1: %(gccbase)s/lib64/libgcc_s.so.1\n"
                                 "/usr/lib/&/libboost_regex.so.1.54.0: %(miscbase)s/usr/lib64/&\n"
                                 "/etc/mnttab: ->/proc/mounts\n"
                                 "/&/etc/fstab: ../../static/&\n"
                                 "/dev: ../../static\n"),
        scratch_text("bootfs.skel", "[manifest]\n/tools/mkfs.so: tools/mkfs/mkfs.so\n"),
        scratch_text("empty.skel", "[manifest]\n")};
    if (manifest_resolve(&list, files, 3, &scope, MANIFEST_STRICT, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(list.entries.len, 6);
    assert_int_equal(entry("/usr/lib/libboost_regex.so.1.54.0")->size_bytes, 5);
    assert_int_equal(entry("/etc/fstab")->size_bytes, 5);
    free(gcc);
    free(misc);
}

static void an_edit_is_read_before_it_is_saved(void **state)
{
    (void)state;
    scratch_text("one", "1");
    const char *files[] = {"of-no-file.manifest"};
    const struct manifest_overlay overlay = {"of-no-file.manifest", "/x: one\n"};
    struct manifest_scope scope = {
        .overlays = &overlay, .overlays_count = 1, .root = scratch_dir()};
    assert_int_equal(manifest_resolve(&list, files, 1, &scope, MANIFEST_STRICT, &err), 0);
    assert_host("/x", "one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_mean_what_osv_means, make, clean),
        cmocka_unit_test_setup_teardown(a_tree_is_every_file_below_sorted, make, clean),
        cmocka_unit_test_setup_teardown(links_are_followed_in_their_own_tree, make, clean),
        cmocka_unit_test_setup_teardown(the_last_line_wins, make, clean),
        cmocka_unit_test_setup_teardown(bad_entries_are_named, make, clean),
        cmocka_unit_test_setup_teardown(lines_that_cannot_be_read_are_errors_always, make, clean),
        cmocka_unit_test_setup_teardown(the_first_problem_is_the_first_line, make, clean),
        cmocka_unit_test_setup_teardown(long_names_are_refused, make, clean),
        cmocka_unit_test_setup_teardown(skeletons_load, make, clean),
        cmocka_unit_test_setup_teardown(an_edit_is_read_before_it_is_saved, make, clean),
    };
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
