/* Editing a manifest: only the edited lines change, and nobody else's work is overwritten. */
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

#include "manifest/manifest.h"
#include "tests/support/scratch.h"

static const char text[] =
    "# header\n[manifest]\n/b:  one   \n\n/a:\ttwo # not a comment\n/t/**: d/**\n";
static struct manifest_edit edit;
static struct err err;

static int make(void **state)
{
    scratch_make(state);
    const char *path = scratch_text("m", text);
    assert_int_equal(chmod(path, 0640), 0);
    return manifest_edit_open(&edit, path, &err);
}

static int clean(void **state)
{
    manifest_edit_close(&edit);
    return scratch_remove(state);
}

static void assert_disk(const char *expected)
{
    char *now = scratch_read("m", NULL);
    assert_string_equal(now, expected);
    free(now);
}

static void only_the_edited_line_changes(void **state)
{
    (void)state;
    assert_int_equal(edit.lines.len, 6);
    assert_null(edit.lines.at[0].guest);
    assert_string_equal(edit.lines.at[4].host, "two # not a comment");
    assert_int_equal(manifest_edit_set(&edit, "/a", "/c", NULL, &err), 0);
    assert_int_equal(manifest_edit_set(&edit, "/b", "/b", "three", &err), 0);
    assert_int_equal(manifest_edit_add(&edit, "/n", "->/c", &err), 0);
    assert_int_equal(manifest_edit_add(&edit, "/n", "->/d", &err), 0);
    assert_true(edit.lines.at[2].staged);
    assert_false(edit.lines.at[3].staged);
    assert_true(edit.lines.at[4].staged);
    assert_disk(text);
    assert_int_equal(manifest_edit_save(&edit, &err), 0);
    assert_disk("# header\n[manifest]\n/b:  three\n\n/c:\ttwo # not a comment\n/t/**: d/**\n"
                "/n: ->/d\n");
    assert_false(edit.lines.at[2].staged);
    struct stat st;
    assert_int_equal(stat(edit.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
}

static void undo_and_redo(void **state)
{
    (void)state;
    assert_false(manifest_edit_undo(&edit));
    assert_int_equal(manifest_edit_remove(&edit, "/a", &err), 0);
    assert_int_equal(manifest_edit_add(&edit, "/z", "z", &err), 0);
    assert_int_equal(edit.lines.len, 6);
    assert_true(manifest_edit_undo(&edit));
    assert_int_equal(edit.lines.len, 5);
    assert_true(manifest_edit_undo(&edit));
    assert_string_equal(edit.text, text);
    assert_false(manifest_edit_undo(&edit));
    assert_true(manifest_edit_redo(&edit));
    assert_true(manifest_edit_redo(&edit));
    assert_false(manifest_edit_redo(&edit));
    assert_non_null(strstr(edit.text, "/z: z"));
    assert_true(manifest_edit_undo(&edit));
    assert_int_equal(manifest_edit_add(&edit, "/y", "y", &err), 0);
    assert_false(manifest_edit_redo(&edit)); /* a new edit ends what could be redone */
}

static void entries_change_places(void **state)
{
    (void)state;
    assert_int_equal(manifest_edit_line(&edit, "/a"), 5);
    assert_int_equal(manifest_edit_line(&edit, "/none"), 0);
    assert_int_equal(manifest_edit_move(&edit, 5, false, &err), 0);
    assert_string_equal(edit.text, "# header\n[manifest]\n/a:\ttwo # not a comment\n\n"
                                   "/b:  one   \n/t/**: d/**\n");
    assert_int_equal(manifest_edit_move(&edit, 3, false, &err), -1); /* it is the first */
    assert_non_null(strstr(err.text, "no entry is before it"));
    assert_int_equal(manifest_edit_move(&edit, 6, true, &err), -1);
    assert_int_equal(manifest_edit_move(&edit, 1, true, &err), -1); /* a comment */
    assert_int_equal(manifest_edit_move(&edit, 99, true, &err), -1);
    assert_int_equal(manifest_edit_move(&edit, 3, true, &err), 0); /* and back */
    assert_string_equal(edit.text, text);
    assert_true(manifest_edit_undo(&edit));
    assert_true(manifest_edit_undo(&edit));
    assert_string_equal(edit.text, text);
}

static void the_diff_shows_what_changed(void **state)
{
    (void)state;
    char *diff = manifest_edit_diff(&edit);
    assert_string_equal(diff, "");
    free(diff);
    assert_int_equal(manifest_edit_set(&edit, "/a", "/a", "new", &err), 0);
    assert_int_equal(manifest_edit_add(&edit, "/z", "z", &err), 0);
    diff = manifest_edit_diff(&edit);
    const char *hunk = strstr(diff, "@@");
    assert_string_equal(hunk, "@@ -2,5 +2,6 @@\n [manifest]\n /b:  one   \n \n"
                              "-/a:\ttwo # not a comment\n+/a:\tnew\n /t/**: d/**\n+/z: z\n");
    free(diff);
}

static void far_changes_are_hunks_of_their_own(void **state)
{
    (void)state;
    char many[2000] = "", wanted[64];
    for (int i = 0; i < 40; i++) {
        snprintf(wanted, sizeof wanted, "/f%02d: host%02d\n", i, i);
        strcat(many, wanted);
    }
    manifest_edit_close(&edit);
    assert_int_equal(manifest_edit_open(&edit, scratch_text("m", many), &err), 0);
    assert_int_equal(manifest_edit_set(&edit, "/f02", "/f02", "x", &err), 0);
    assert_int_equal(manifest_edit_remove(&edit, "/f30", &err), 0);
    char *diff = manifest_edit_diff(&edit);
    assert_non_null(strstr(diff, "@@ -1,6 +1,6 @@\n /f00: host00\n"));
    assert_non_null(strstr(diff, "@@ -28,7 +28,6 @@\n /f27: host27\n"));
    free(diff);
}

static void a_file_that_someone_changed_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(manifest_edit_add(&edit, "/z", "z", &err), 0);
    scratch_text("m", "/mine: x\n");
    assert_int_equal(manifest_edit_save(&edit, &err), -1);
    assert_int_equal(err.kind, ERR_INPUT);
    assert_non_null(strstr(err.text, "changed by someone else"));
    assert_disk("/mine: x\n");
}

static void a_linked_manifest_stays_a_link(void **state)
{
    (void)state;
    manifest_edit_close(&edit);
    assert_int_equal(symlink("m", scratch("link")), 0);
    assert_int_equal(manifest_edit_open(&edit, scratch("link"), &err), 0);
    assert_int_equal(manifest_edit_add(&edit, "/z", "z", &err), 0);
    assert_int_equal(manifest_edit_save(&edit, &err), 0);
    struct stat st;
    assert_int_equal(lstat(scratch("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    char *now = scratch_read("m", NULL);
    assert_non_null(strstr(now, "/z: z\n"));
    free(now);
}

static void what_cannot_be_read_back_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *guest, *host;
    } bad[] = {{"relative", "x"}, {"/a/../b", "x"}, {"/a: b", "x"}, {"/a:", "x"},
               {"/a\n/b", "x"},   {"/ok", ""},      {"/ok", " x"},  {"/ok", "x "},
               {"/ok", "x\ny"},   {"/", "x"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(manifest_edit_add(&edit, bad[i].guest, bad[i].host, &err), -1);
        assert_int_equal(err.kind, ERR_INPUT);
    }
    assert_string_equal(edit.text, text);
    assert_int_equal(manifest_edit_remove(&edit, "/gone", &err), -1);
    assert_int_equal(manifest_edit_remove(&edit, "/t/x", &err), -1);
    assert_non_null(strstr(err.text, "line 6 brings all of /t/**"));
    assert_int_equal(manifest_edit_set(&edit, "/a", "/b", NULL, &err), -1);
    assert_non_null(strstr(err.text, "/b is there already"));
    assert_string_equal(edit.text, text);
}

static void a_last_line_without_an_end_gets_one(void **state)
{
    (void)state;
    manifest_edit_close(&edit);
    assert_int_equal(manifest_edit_open(&edit, scratch_text("m", "/a: x"), &err), 0);
    assert_int_equal(manifest_edit_add(&edit, "/b", "y", &err), 0);
    assert_string_equal(edit.text, "/a: x\n/b: y\n");
    assert_true(manifest_edit_undo(&edit));
    assert_int_equal(manifest_edit_set(&edit, "/a", "/c", NULL, &err), 0);
    assert_string_equal(edit.text, "/c: x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_the_edited_line_changes, make, clean),
        cmocka_unit_test_setup_teardown(undo_and_redo, make, clean),
        cmocka_unit_test_setup_teardown(entries_change_places, make, clean),
        cmocka_unit_test_setup_teardown(the_diff_shows_what_changed, make, clean),
        cmocka_unit_test_setup_teardown(far_changes_are_hunks_of_their_own, make, clean),
        cmocka_unit_test_setup_teardown(a_file_that_someone_changed_is_left_alone, make, clean),
        cmocka_unit_test_setup_teardown(a_linked_manifest_stays_a_link, make, clean),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_back_is_refused, make, clean),
        cmocka_unit_test_setup_teardown(a_last_line_without_an_end_gets_one, make, clean),
    };
    return cmocka_run_group_tests_name("edit", tests, NULL, NULL);
}
