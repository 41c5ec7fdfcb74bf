/* Snapshots: what they notice, and that a damaged one is never believed. */
#include <fcntl.h>
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

#include "base/file.h"
#include "base/path.h"
#include "state/snapshot.h"
#include "tests/support/tree.h"

enum { KEY = 4711 };

struct scene {
    struct tree *tree;
    int root_fd;
    char *file;
};

static struct identity identity(struct scene *scene, const char *path)
{
    return identity_at(scene->root_fd, path);
}

static int set_up(void **state)
{
    static struct scene scene;
    scene.tree = tree_new();
    *state = &scene;
    tree_write(scene.tree, "file", "1\n");
    tree_write(scene.tree, "dir/a", "1\n");
    tree_write(scene.tree, "there", "1\n");
    scene.root_fd = open(scene.tree->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(symlinkat("file", scene.root_fd, "link"), 0);
    scene.file = path_join(scene.tree->root, "snapshot");
    usleep(80 * 1000); /* directories are calm then */
    struct snapshot snapshot = {0};
    struct identity file = identity(&scene, "file"), dir = identity(&scene, "dir");
    struct stat st;
    assert_int_equal(fstatat(scene.root_fd, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
    struct identity link = identity_of(&st);
    snapshot_add(&snapshot, SNAPSHOT_FILE, "file", &file);
    snapshot_add(&snapshot, SNAPSHOT_FILE, "dir", &dir);
    snapshot_add(&snapshot, SNAPSHOT_LINK, "link", &link);
    snapshot_add(&snapshot, SNAPSHOT_EXISTS, "there", NULL);
    snapshot_add(&snapshot, SNAPSHOT_ABSENT, "dir/b", NULL);
    snapshot_add(&snapshot, SNAPSHOT_ABSENT, "dir/c", NULL);
    snapshot_add(&snapshot, SNAPSHOT_ABSENT, "gone/x/y", NULL);
    snapshot_add(&snapshot, SNAPSHOT_ABSENT, "top", NULL);
    snapshot_mark(&snapshot, "dir", SNAPSHOT_LOADING);
    snapshot_mark(&snapshot, "file", SNAPSHOT_LOADING_FOR);
    snapshot_mark(&snapshot, "top", SNAPSHOT_LOADING_FOR);
    snapshot_add_variable(&snapshot, "GANTRY_TEST_VARIABLE");
    struct snapshot_answer answer = {12, (char *)(uintptr_t) "words"};
    assert_true(snapshot_write(&snapshot, scene.file, scene.root_fd, KEY, &answer));
    snapshot_free(&snapshot);
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    close(scene->root_fd);
    free(scene->file);
    tree_free(scene->tree);
    return 0;
}

static bool holds(struct scene *scene)
{
    struct snapshot_answer answer = {0};
    bool held = snapshot_check(scene->file, scene->root_fd, KEY, &answer);
    if (held) {
        assert_int_equal(answer.steps, 12);
        assert_string_equal(answer.text, "words");
    }
    free(answer.text);
    return held;
}

static void nothing_changed_holds(void **state)
{
    struct scene *scene = *state;
    struct snapshot_answer answer;
    assert_true(holds(scene));
    assert_true(holds(scene));
    assert_false(snapshot_check(scene->file, scene->root_fd, KEY + 1, &answer));
    tree_write(scene->tree, "there", "other\n");
    assert_true(holds(scene)); /* it only has to be there */
}

static void each_change_is_noticed(void **state)
{
    struct scene *scene = *state;
    tree_write(scene->tree, "file", "2\n");
    assert_false(holds(scene));
}

static void a_removed_file_is_noticed(void **state)
{
    struct scene *scene = *state;
    tree_remove(scene->tree, "there");
    assert_false(holds(scene));
}

static void another_link_is_noticed(void **state)
{
    struct scene *scene = *state;
    unlinkat(scene->root_fd, "link", 0);
    assert_int_equal(symlinkat("there", scene->root_fd, "link"), 0);
    assert_false(holds(scene));
}

static void a_new_name_where_one_was_looked_for_is_noticed(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(mkdirat(scene->root_fd, "gone", 0777), 0);
    assert_true(holds(scene));
    assert_int_equal(mkdirat(scene->root_fd, "gone/x", 0777), 0);
    assert_true(holds(scene));
    tree_write(scene->tree, "gone/x/z", "");
    assert_true(holds(scene));
    tree_write(scene->tree, "gone/x/y", "");
    assert_false(holds(scene));
    tree_remove(scene->tree, "gone/x/y");
    assert_true(holds(scene));
    tree_write(scene->tree, "top", "");
    assert_false(holds(scene));
}

static void a_variable_is_noticed(void **state)
{
    struct scene *scene = *state;
    setenv("GANTRY_TEST_OTHER", "1", 1);
    assert_true(holds(scene));
    setenv("GANTRY_TEST_VARIABLE", "", 1);
    assert_false(holds(scene));
    unsetenv("GANTRY_TEST_VARIABLE");
    assert_true(holds(scene));
}

static void what_changed_before_it_was_written_makes_none(void **state)
{
    struct scene *scene = *state;
    struct snapshot snapshot = {0};
    struct identity file = identity(scene, "file");
    tree_write(scene->tree, "file", "changed meanwhile\n");
    snapshot_add(&snapshot, SNAPSHOT_FILE, "file", &file);
    struct snapshot_answer answer = {1, NULL};
    if (snapshot_write(&snapshot, scene->file, scene->root_fd, KEY, &answer))
        assert_false(snapshot_check(scene->file, scene->root_fd, KEY, &answer));
    snapshot_free(&snapshot);
    snapshot_add(&snapshot, SNAPSHOT_ABSENT, "there", NULL);
    assert_false(snapshot_write(&snapshot, scene->file, scene->root_fd, KEY, &answer));
    assert_false(tree_has(scene->tree, "snapshot"));
    snapshot_free(&snapshot);
}

/* What a comparison says: all the same, and all that loading read; and how many entries differ. */
static size_t compare(struct scene *scene, bool *all, bool *loading)
{
    struct snapshot_seen seen;
    size_t differ = 0;
    snapshot_compare(&seen, scene->file, scene->root_fd, KEY);
    for (size_t i = 0; i < seen.count; i++)
        differ += (seen.entries[i].flags & SNAPSHOT_DIFFERS) != 0;
    *all = seen.holds;
    *loading = seen.loading_holds;
    snapshot_seen_free(&seen);
    return differ;
}

static void what_loading_read_is_told_apart(void **state)
{
    struct scene *scene = *state;
    bool all, loading;
    assert_int_equal(compare(scene, &all, &loading), 0);
    assert_true(all && loading);
    tree_write(scene->tree, "file", "2\n"); /* loading only looked whether it is there */
    unlinkat(scene->root_fd, "link", 0); /* no business of loading */
    assert_int_equal(compare(scene, &all, &loading), 2);
    assert_true(!all && loading);
    unlinkat(scene->root_fd, "file", 0);
    assert_int_equal(compare(scene, &all, &loading), 2);
    assert_true(!all && !loading);
    tree_write(scene->tree, "file", "1\n");
    compare(scene, &all, &loading);
    assert_true(loading);
    tree_write(scene->tree, "dir/new", "1\n"); /* a directory that it listed */
    compare(scene, &all, &loading);
    assert_true(!all && !loading);
}

static void a_name_that_loading_missed_is_noticed(void **state)
{
    struct scene *scene = *state;
    bool all, loading;
    tree_write(scene->tree, "top", "now there\n");
    assert_int_equal(compare(scene, &all, &loading), 1);
    assert_true(!all && !loading);
}

static void another_environment_or_key_compares_nothing(void **state)
{
    struct scene *scene = *state;
    struct snapshot_seen seen;
    snapshot_compare(&seen, scene->file, scene->root_fd, KEY + 1);
    assert_true(!seen.bytes && !seen.holds && !seen.loading_holds && !seen.count);
    setenv("GANTRY_TEST_VARIABLE", "another", 1);
    snapshot_compare(&seen, scene->file, scene->root_fd, KEY);
    assert_true(!seen.bytes && !seen.holds && !seen.loading_holds && !seen.count);
    unsetenv("GANTRY_TEST_VARIABLE");
}

/* Makes one of the last; `change` puts in what has changed. */
static bool make_again(struct scene *scene, void (*change)(struct scene *, struct snapshot *))
{
    struct snapshot_seen seen;
    struct snapshot changes = {0};
    snapshot_compare(&seen, scene->file, scene->root_fd, KEY);
    if (change)
        change(scene, &changes);
    struct snapshot_answer answer = {12, (char *)(uintptr_t) "words"};
    bool made = snapshot_write_again(&seen, &changes, scene->file, scene->root_fd, KEY, &answer);
    snapshot_free(&changes);
    snapshot_seen_free(&seen);
    return made;
}

static size_t count_entries(struct scene *scene)
{
    struct snapshot_seen seen;
    snapshot_compare(&seen, scene->file, scene->root_fd, KEY);
    size_t count = seen.count;
    snapshot_seen_free(&seen);
    return count;
}

static void put_file_anew(struct scene *scene, struct snapshot *changes)
{
    struct identity file = identity(scene, "file");
    snapshot_add(changes, SNAPSHOT_FILE, "file", &file);
}

static void one_of_the_last_has_what_changed(void **state)
{
    struct scene *scene = *state;
    bool all, loading;
    size_t count = count_entries(scene);
    tree_write(scene->tree, "file", "2\n");
    assert_true(make_again(scene, put_file_anew));
    assert_true(holds(scene));
    assert_int_equal(count_entries(scene), count);
    tree_remove(scene->tree, "file"); /* loading still wants it */
    assert_int_equal(compare(scene, &all, &loading), 1);
    assert_false(loading);
    tree_write(scene->tree, "file", "3\n");
    assert_true(make_again(scene, NULL)); /* nobody wants it any more */
    assert_int_equal(count_entries(scene), count - 1);
    tree_write(scene->tree, "file", "4\n");
    assert_true(holds(scene));
    tree_remove(scene->tree, "there"); /* what was not named is as it was */
    assert_false(holds(scene));
}

static void put_more(struct scene *scene, struct snapshot *changes)
{
    struct identity a = identity(scene, "dir/a"), file = identity(scene, "file"),
                    z = identity(scene, "zz"), dir = identity(scene, "dir");
    snapshot_add(changes, SNAPSHOT_FILE, "zz", &z);
    snapshot_add(changes, SNAPSHOT_FILE, "dir/a", &a);
    snapshot_add(changes, SNAPSHOT_EXISTS, "file", NULL);
    snapshot_add(changes, SNAPSHOT_FILE, "file", &file);
    snapshot_add(changes, SNAPSHOT_FILE, "dir", &dir);
    snapshot_add(changes, SNAPSHOT_ABSENT, "dir/b", NULL); /* is in */
    snapshot_add(changes, SNAPSHOT_ABSENT, "dir/d", NULL);
    snapshot_add(changes, SNAPSHOT_ABSENT, "new/dir/e", NULL);
}

static void one_of_the_last_has_what_is_more(void **state)
{
    struct scene *scene = *state;
    static const char *const names[] = {"dir/b", "dir/c", "dir/d", "new/dir/e", "gone/x/y", "top"};
    size_t count = count_entries(scene);
    tree_write(scene->tree, "zz", "1\n");
    assert_true(make_again(scene, put_more));
    assert_true(holds(scene));
    assert_true(make_again(scene, put_more)); /* the same again: nothing twice */
    assert_int_equal(count_entries(scene), count + 3 + 4);
    usleep(80 * 1000);
    assert_true(make_again(scene, put_more)); /* directories are calm now */
    assert_true(holds(scene));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tree_write(scene->tree, names[i], "");
        assert_false(holds(scene));
        tree_remove(scene->tree, names[i]);
        assert_true(make_again(scene, put_more));
        assert_true(holds(scene));
    }
    tree_write(scene->tree, "dir/a", "2\n");
    assert_false(holds(scene));
}

static void what_came_meanwhile_makes_none_of_the_last(void **state)
{
    struct scene *scene = *state;
    struct snapshot_seen seen;
    struct snapshot changes = {0};
    struct snapshot_answer answer = {12, NULL};
    snapshot_compare(&seen, scene->file, scene->root_fd, KEY);
    tree_write(scene->tree, "top", "came after it was looked for\n");
    assert_false(snapshot_write_again(&seen, &changes, scene->file, scene->root_fd, KEY, &answer));
    assert_false(tree_has(scene->tree, "snapshot"));
    snapshot_seen_free(&seen);
}

static void a_directory_that_comes_and_goes_is_noticed_for_its_names(void **state)
{
    struct scene *scene = *state;
    int root = scene->root_fd;
    tree_write(scene->tree, "old/x/y",
               "stamped long before it is moved to where it is looked for\n");
    assert_int_equal(renameat(root, "old", root, "gone"), 0);
    assert_false(holds(scene));
    assert_int_equal(renameat(root, "gone", root, "old"), 0);
    assert_true(holds(scene));
    assert_int_equal(mkdirat(root, "gone", 0777), 0);
    assert_int_equal(mkdirat(root, "gone/x", 0777), 0);
    usleep(80 * 1000);
    assert_true(make_again(scene, NULL)); /* of a directory that is there, */
    assert_true(holds(scene));
    assert_int_equal(unlinkat(root, "gone/x", AT_REMOVEDIR), 0);
    assert_true(holds(scene));
    assert_int_equal(renameat(root, "old/x", root, "gone/x"), 0);
    assert_false(holds(scene));
    assert_int_equal(renameat(root, "gone/x", root, "old/x"), 0);
    assert_true(make_again(scene, NULL)); /* and of one that is not */
    assert_true(holds(scene));
    assert_int_equal(renameat(root, "old/x", root, "gone/x"), 0);
    assert_false(holds(scene));
}

static void a_directory_that_came_meanwhile_makes_none_of_the_last(void **state)
{
    struct scene *scene = *state;
    struct snapshot_seen seen;
    struct snapshot changes = {0};
    struct snapshot_answer answer = {12, NULL};
    snapshot_compare(&seen, scene->file, scene->root_fd, KEY);
    tree_write(scene->tree, "gone/x/y", "came after it was looked for\n");
    assert_false(snapshot_write_again(&seen, &changes, scene->file, scene->root_fd, KEY, &answer));
    assert_false(tree_has(scene->tree, "snapshot"));
    snapshot_seen_free(&seen);
}

static void one_that_came_before_is_left_out(void **state)
{
    struct scene *scene = *state;
    size_t count = count_entries(scene);
    tree_write(scene->tree, "top", "\n");
    assert_true(make_again(scene, NULL));
    assert_true(holds(scene));
    assert_int_equal(count_entries(scene), count - 2); /* with its directory, that has no other */
}

static void put_all_anew(struct scene *scene, struct snapshot *changes)
{
    struct identity dir = identity(scene, "dir");
    put_file_anew(scene, changes);
    snapshot_add(changes, SNAPSHOT_FILE, "dir", &dir);
}

static void put_back(struct scene *scene)
{
    assert_true(make_again(scene, put_all_anew));
    assert_true(holds(scene));
}

static bool stands(struct scene *scene, const char *path, const char *link)
{
    struct snapshot_answer answer = {0};
    const struct snapshot_suspects suspects = {&path, path != NULL, &link, link != NULL};
    bool good = snapshot_check_suspects(scene->file, scene->root_fd, KEY, &suspects, &answer);
    if (good)
        assert_int_equal(answer.steps, 12);
    free(answer.text);
    return good;
}

static void only_suspects_are_looked_at(void **state)
{
    struct scene *scene = *state;
    assert_true(stands(scene, NULL, NULL));
    tree_write(scene->tree, "other", "nobody's\n");
    assert_true(stands(scene, "other", NULL));
    tree_write(scene->tree, "file", "2\n");
    assert_true(stands(scene, NULL, NULL)); /* nobody told of it */
    assert_true(stands(scene, "fil", NULL));
    assert_false(stands(scene, "file", NULL));
    assert_false(stands(scene, NULL, "file")); /* leads elsewhere */
    put_back(scene);
    tree_write(scene->tree, "dir/new", "\n"); /* dir is listed */
    assert_false(stands(scene, "dir/new", NULL));
    assert_false(stands(scene, NULL, "dir"));
    put_back(scene);
    tree_write(scene->tree, "top", "\n"); /* was looked for in vain */
    assert_false(stands(scene, "top", NULL));
}

static void damage_is_never_believed(void **state)
{
    struct scene *scene = *state;
    size_t length;
    char *good = file_read(scene->file, &length, NULL);
    for (size_t at = 0; at < length; at++) {
        struct err err;
        assert_int_equal(file_write(scene->file, good, at, 0666, &err), 0);
        assert_false(holds(scene));
        good[at] ^= (char)(1 << at % 8);
        assert_int_equal(file_write(scene->file, good, length, 0666, &err), 0);
        assert_false(holds(scene));
        good[at] ^= (char)(1 << at % 8);
    }
    free(good);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nothing_changed_holds),
        TEST(each_change_is_noticed),
        TEST(a_removed_file_is_noticed),
        TEST(another_link_is_noticed),
        TEST(a_new_name_where_one_was_looked_for_is_noticed),
        TEST(a_variable_is_noticed),
        TEST(what_changed_before_it_was_written_makes_none),
        TEST(what_loading_read_is_told_apart),
        TEST(a_name_that_loading_missed_is_noticed),
        TEST(another_environment_or_key_compares_nothing),
        TEST(one_of_the_last_has_what_changed),
        TEST(one_of_the_last_has_what_is_more),
        TEST(what_came_meanwhile_makes_none_of_the_last),
        TEST(a_directory_that_comes_and_goes_is_noticed_for_its_names),
        TEST(a_directory_that_came_meanwhile_makes_none_of_the_last),
        TEST(one_that_came_before_is_left_out),
        TEST(only_suspects_are_looked_at),
        TEST(damage_is_never_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
