/* What libgit2 tells of repositories that git itself made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "vcs/vcs.h"

static char directory[] = "/tmp/gantry-vcs-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    /* What the machine's git is configured to do must not show here. */
    setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    setenv("GIT_CEILING_DIRECTORIES", "/tmp", 1);
    return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(directory, NULL);
}

/* Runs a shell line in the directory. */
static void sh(const char *line)
{
    char command[1024];
    snprintf(command, sizeof command, "cd %s && { %s; } >sh.log 2>&1 || { cat sh.log; exit 1; }",
             directory, line);
    assert_int_equal(system(command), 0);
}

static struct vcs_state read_at(const char *below)
{
    struct vcs_state state;
    struct err err = {0};
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, below);
    if (vcs_read(path, &state, &err) < 0)
        fail_msg("%s", err.text);
    return state;
}

#define GIT "git -c user.name=t -c user.email=t@t -c init.defaultBranch=trunk "

static void no_repository_is_no_error(void **state)
{
    (void)state;
    sh("mkdir -p none");
    struct vcs_state got = read_at("none");
    assert_string_equal(got.branch, "");
    assert_string_equal(got.head, "");
    assert_int_equal(got.dirty, 0);
}

static void a_new_repository_has_a_branch_and_no_head(void **state)
{
    (void)state;
    sh(GIT "init -q new");
    struct vcs_state got = read_at("new");
    assert_string_equal(got.branch, "trunk");
    assert_string_equal(got.head, "");
}

static void branch_head_and_dirty_files(void **state)
{
    (void)state;
    sh(GIT "init -q r && cd r && mkdir sub && echo 1 >a && echo 1 >b && echo 1 >sub/c && " GIT
           "add -A && " GIT "commit -qm one && echo 2 >a && rm b && echo new >untracked && "
           "echo 2 >sub/c && " GIT "add sub/c && git rev-parse --short HEAD >../short");
    struct vcs_state got = read_at("r/sub");
    char path[256];
    snprintf(path, sizeof path, "%s/short", directory);
    char *text = file_read(path, NULL, NULL);
    assert_non_null(text);
    assert_int_equal(strncmp(text, got.head, strlen(got.head)), 0);
    assert_true(strlen(got.head) >= 7);
    free(text);
    assert_string_equal(got.branch, "trunk");
    assert_int_equal(got.dirty, 3); /* changed, removed, staged; not the untracked one */
}

static void worktrees_and_detached_heads(void **state)
{
    (void)state;
    sh("cd r && " GIT "worktree add -q ../tree -b side && cd ../tree && echo 9 >a");
    struct vcs_state got = read_at("tree");
    assert_string_equal(got.branch, "side");
    assert_int_equal(got.dirty, 1);
    sh("cd tree && " GIT "checkout -q --detach");
    got = read_at("tree");
    assert_string_equal(got.branch, "(detached)");
    assert_true(strlen(got.head) >= 7);
}

static void submodules_do_not_count(void **state)
{
    (void)state;
    sh(GIT "init -q outer && cd outer && " GIT
           "-c protocol.file.allow=always submodule add -q ../r mod && " GIT
           "commit -qm sub && echo dirty >mod/a");
    assert_int_equal(read_at("outer").dirty, 0);
}

static void a_tree_of_another_user_can_be_read(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    sh("cp -r r theirs && rm -f theirs/.git/worktrees -r && chown -R 65534 theirs");
    assert_string_equal(read_at("theirs").branch, "trunk");
}

static void a_broken_repository_says_so(void **state)
{
    (void)state;
    struct vcs_state got;
    struct err err = {0};
    char path[256];
    sh(GIT "init -q broken && cd broken && echo 1 >a && " GIT "add a && " GIT
           "commit -qm x && echo nonsense >.git/HEAD && rm -rf .git/refs/heads/*");
    snprintf(path, sizeof path, "%s/broken", directory);
    assert_int_equal(vcs_read(path, &got, &err), -1);
    assert_non_null(strstr(err.text, "broken"));
}

static struct vcs_blame blame_of(const char *file, unsigned line)
{
    struct vcs_blame blame;
    struct err err = {0};
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, file);
    if (vcs_blame(path, line, &blame, &err) < 0)
        fail_msg("%s", err.text);
    return blame;
}

static void a_line_has_the_commit_that_brought_it_in(void **state)
{
    (void)state;
    sh(GIT "init -q blame && cd blame && mkdir d && printf '1\\n2\\n3\\n4\\n' >d/f && " GIT
           "add -A && " GIT "commit -qm 'Add f' && printf '1\\nnew\\n2\\n3\\n4\\n' >d/f && " GIT
           "commit -qam 'Put new between'");
    struct vcs_blame got = blame_of("blame/d/f", 3);
    assert_true(got.known);
    assert_string_equal(got.summary, "Add f");
    assert_true(strlen(got.commit) >= 7 && strlen(got.date) == 10 && *got.author);
    assert_string_equal(blame_of("blame/d/f", 2).summary, "Put new between");
    assert_string_equal(blame_of("blame/d/f", 5).summary, "Add f");
}

static void lines_are_followed_through_edits_that_are_in_no_commit(void **state)
{
    (void)state;
    /* HEAD: 1 new 2 3 4. Two lines before all, "2" taken out, one after "3". */
    sh("cd blame && printf 'a\\nb\\n1\\nnew\\n3\\nc\\n4\\n' >d/f && echo x >d/untracked");
    assert_string_equal(blame_of("blame/d/f", 1).commit, "");
    assert_true(blame_of("blame/d/f", 1).known);
    assert_string_equal(blame_of("blame/d/f", 4).summary, "Put new between");
    assert_string_equal(blame_of("blame/d/f", 3).summary, "Add f");
    assert_string_equal(blame_of("blame/d/f", 5).summary, "Add f");
    assert_string_equal(blame_of("blame/d/f", 6).commit, "");
    assert_string_equal(blame_of("blame/d/f", 7).summary, "Add f");
    assert_string_equal(blame_of("blame/d/untracked", 1).commit, "");
    sh("mkdir -p plain && echo x >plain/f");
    assert_false(blame_of("plain/f", 1).known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_repository_is_no_error),
        cmocka_unit_test(a_new_repository_has_a_branch_and_no_head),
        cmocka_unit_test(branch_head_and_dirty_files),
        cmocka_unit_test(worktrees_and_detached_heads),
        cmocka_unit_test(submodules_do_not_count),
        cmocka_unit_test(a_tree_of_another_user_can_be_read),
        cmocka_unit_test(a_line_has_the_commit_that_brought_it_in),
        cmocka_unit_test(lines_are_followed_through_edits_that_are_in_no_commit),
        cmocka_unit_test(a_broken_repository_says_so),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
