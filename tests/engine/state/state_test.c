/* The state: what is written is read back; what is damaged or foreign is never trusted and never
 * fatal; whatever instant Gantry dies at, the next build gives what a clean one gives. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "state/state.h"
#include "tests/support/tree.h"

enum { OBJECTS = 12 };

static void declare(struct tree *tree)
{
    struct str all = {0};
    for (unsigned i = 0; i < OBJECTS; i++) {
        char source[32], object[32], command[200];
        snprintf(source, sizeof source, "f%u.c", i);
        snprintf(object, sizeof object, "out/f%u.o", i);
        snprintf(command, sizeof command, "cat %s > %s; sleep 0.00%u; cat %s >> %s", source, object,
                 i % 10, source, object);
        tree_write(tree, source, object);
        tree_rule(tree, object, source, command);
        str_addf(&all, " %s", object);
    }
    tree_rule(tree, "out/app", str_text(&all), "cat out/f*.o > out/app");
    str_free(&all);
    tree_settle();
}

static int set_up(void **state)
{
    *state = tree_new();
    declare(*state);
    return 0;
}

static int tear_down(void **state)
{
    tree_free(*state);
    return 0;
}

static char *state_path(struct tree *tree)
{
    return path_join(tree->root, "out/.gantry/state");
}

static char *clean_bytes(void)
{
    struct tree *tree = tree_new();
    declare(tree);
    assert_int_equal(tree_build(tree), 0);
    char *app = tree_read(tree, "out/app");
    tree_free(tree);
    return app;
}

static void records_are_read_back(void **unused)
{
    (void)unused;
    char dir[] = "/tmp/gantry-state-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct str notes = {0};
    struct err err = {0};
    struct state state;
    assert_int_equal(state_open(&state, dir, STATE_WRITE, &notes, &err), 0);
    text_id path = state_text(&state, "a.c"), target = state_text(&state, "a.o");
    struct identity id = {.dev = 1, .ino = 2, .size = 3, .mtime_ns = 4, .ctime_ns = 5};
    struct hash hash = {6, 7};
    version_id versions[2] = {state_version(&state, path, &id, hash),
                              state_version(&state, target, &id, hash)};
    struct step_record record = {.target = target,
                                 .command = state_text(&state, "cc \1.o \2"),
                                 .why = TEXT_NONE,
                                 .inputs = 1,
                                 .outputs = 1,
                                 .command_hash = 8,
                                 .wall_ns = 9};
    state_put(&state, &record, versions);
    struct identity touched = id;
    touched.mtime_ns = 40;
    state_refresh(&state, versions[0], &touched);
    assert_int_equal(state_commit(&state, &err), 0);
    state_close(&state);

    assert_int_equal(state_open(&state, dir, STATE_READ, &notes, &err), 0);
    const struct step_record *back = state_record(&state, intern_find(&state.texts, "a.o"));
    assert_non_null(back);
    assert_int_equal(back->wall_ns, 9);
    const struct version *input = &state.versions.at[back->ids[0]];
    assert_string_equal(intern_text(&state.texts, input->path), "a.c");
    assert_int_equal(input->id.mtime_ns, 40);
    assert_true(hash_equal(input->hash, hash));
    assert_true(state_known_hash(&state, "a.c", &touched, &hash));
    assert_false(state_known_hash(&state, "a.c", &id, &hash));
    state_close(&state);
    assert_int_equal(notes.len, 0);

    assert_int_equal(state_open(&state, dir, STATE_WRITE, &notes, &err), 0);
    state_forget(&state, target);
    assert_int_equal(state_commit(&state, &err), 0);
    state_close(&state);
    assert_int_equal(state_open(&state, dir, STATE_READ, &notes, &err), 0);
    assert_null(state_record(&state, target));
    state_close(&state);
    str_free(&notes);
    file_remove_tree(dir, NULL);
}

static void compaction_keeps_what_is_alive(void **unused)
{
    (void)unused;
    char dir[] = "/tmp/gantry-state-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct str notes = {0};
    struct err err = {0};
    struct state state;
    assert_int_equal(state_open(&state, dir, STATE_WRITE, &notes, &err), 0);
    text_id dead = state_text(&state, "nobody needs this");
    (void)dead;
    for (unsigned run = 0; run < 200; run++)
        for (unsigned i = 0; i < 50; i++) {
            char name[32];
            snprintf(name, sizeof name, "t%u", i);
            text_id target = state_text(&state, name);
            struct identity id = {.dev = 1, .ino = i + 1, .size = run};
            version_id version = state_version(&state, target, &id, (struct hash){run + 5, i});
            struct step_record record = {.target = target,
                                         .command = state_text(&state, "same"),
                                         .why = TEXT_NONE,
                                         .outputs = 1,
                                         .wall_ns = run};
            state_put(&state, &record, &version);
        }
    assert_int_equal(state_commit(&state, &err), 0);
    uint64_t grown = state.length;
    state_close(&state);
    assert_int_equal(state_open(&state, dir, STATE_WRITE, &notes, &err), 0);
    assert_true(state.length < grown / 20);
    assert_int_equal(state.steps, 50);
    const struct step_record *back = state_record(&state, intern_find(&state.texts, "t49"));
    assert_int_equal(back->wall_ns, 199);
    assert_true(hash_equal(state.versions.at[back->ids[0]].hash, ((struct hash){204, 49})));
    assert_int_equal(intern_find(&state.texts, "nobody needs this"), INTERN_NONE);
    assert_int_equal(notes.len, 0);
    state_close(&state);
    str_free(&notes);
    file_remove_tree(dir, NULL);
}

/* The state with its tail cut at each of many places, or with a bit turned over. */
static void damage_is_cut_away_and_built_anew(void **unused)
{
    struct tree *tree = *unused;
    assert_int_equal(tree_build(tree), 0);
    char *want = tree_read(tree, "out/app");
    char *path = state_path(tree);
    size_t length;
    char *good = file_read(path, &length, NULL);
    unsigned seed = 1;
    for (unsigned i = 0; i < 40; i++) {
        size_t at = (size_t)rand_r(&seed) % length;
        char *bad = mem_alloc(length);
        memcpy(bad, good, length);
        bad[at] = (char)(bad[at] ^ 1 << rand_r(&seed) % 8);
        struct err err;
        assert_int_equal(file_write(path, bad, i % 2 ? at : length, 0666, &err), 0);
        free(bad);
        tree_settle(); /* what was made an instant ago has no certain identity yet */
        assert_int_equal(tree_build(tree), 0);
        char *got = tree_read(tree, "out/app");
        assert_string_equal(got, want);
        free(got);
        assert_int_equal(tree_build(tree), 0);
        assert_string_equal(tree->ran, "");
        assert_null(tree_find_event(tree, EVENT_MESSAGE, NULL));
    }
    free(good);
    free(path);
    free(want);
}

static void a_foreign_file_is_moved_aside_with_a_word(void **unused)
{
    struct tree *tree = *unused;
    tree_write(tree, "out/.gantry/state", "# ninja log v5\nthis is not ours at all\n");
    assert_int_equal(tree_build(tree), 0);
    const struct event *message = tree_find_event(tree, EVENT_MESSAGE, NULL);
    assert_non_null(message);
    assert_int_equal(message->severity, SEVERITY_WARNING);
    assert_non_null(strstr(message->text, "moved to"));
    assert_true(tree_has(tree, "out/.gantry/state.foreign"));
    assert_int_equal(tree_build(tree), 0);
    assert_string_equal(tree->ran, "");
}

/* kill -9 at some instant of a build; the next one ends as a clean one and leaves nothing stale. */
static void killed_at_any_instant_the_next_build_is_right(void **unused)
{
    struct tree *tree = *unused;
    char *want = clean_bytes();
    unsigned seed = 7;
    for (unsigned i = 0; i < 25; i++) {
        char *out = path_join(tree->root, "out");
        if (i % 5 == 0)
            assert_int_equal(file_remove_tree(out, NULL), 0);
        free(out);
        pid_t pid = fork();
        if (pid == 0) {
            tree_build(tree);
            _exit(0);
        }
        struct timespec wait = {.tv_nsec = rand_r(&seed) % 60 * 1000 * 1000};
        nanosleep(&wait, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        int status = tree_build(tree);
        const struct event *message = tree_find_event(tree, EVENT_MESSAGE, NULL);
        if (status)
            print_error("%s\n", message ? message->text : "no message");
        assert_int_equal(status, 0);
        char *got = tree_read(tree, "out/app");
        assert_string_equal(got, want);
        free(got);
        assert_int_equal(tree_build(tree), 0);
        assert_string_equal(tree->ran, "");
    }
    free(want);
}

static void a_build_directory_that_cannot_be_written_is_one_clear_line(void **unused)
{
    struct tree *tree = *unused;
    tree_write(tree, "out", "a file where the directory should be");
    assert_int_equal(tree_build(tree), 2);
    assert_int_equal(tree_count_events(tree, EVENT_MESSAGE), 1);
    assert_non_null(strstr(tree_find_event(tree, EVENT_MESSAGE, NULL)->text, "/out"));
    assert_int_equal(tree->end.exit, 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read_back),
        cmocka_unit_test(compaction_keeps_what_is_alive),
        TEST(damage_is_cut_away_and_built_anew),
        TEST(a_foreign_file_is_moved_aside_with_a_word),
        TEST(killed_at_any_instant_the_next_build_is_right),
        TEST(a_build_directory_that_cannot_be_written_is_one_clear_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
