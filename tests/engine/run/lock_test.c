/* The lock of a configuration: who holds it is told; where the holder was killed, what it left behind
 * is waited for, whoever has its number by then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "run/build.h"

static char *dir;

static int make_dir(void **state)
{
    (void)state;
    char name[] = "/tmp/gantry-lock-XXXXXX";
    dir = mem_copy(mkdtemp(name));
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    file_remove_tree(dir, NULL);
    free(dir);
    return 0;
}

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

enum { LEFT_MS = 300 };

/* A process that lives on for a while with all our descriptors. */
static pid_t leave_behind(void)
{
    pid_t child = fork();
    if (child == 0) {
        sleep_ms(LEFT_MS);
        _exit(0);
    }
    return child;
}

static void who_builds_is_told(void **state)
{
    (void)state;
    struct err err = {0};
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        int lock = build_lock(dir, &err);
        if (write(ready[1], "x", 1) != 1 || lock < 0)
            _exit(1);
        for (;;)
            pause();
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(build_lock(dir, &err), -1);
    char *text = mem_format("held by pid %ld (", (long)child);
    assert_non_null(strstr(err.text, text));
    assert_null(strchr(err.text, '\n'));
    free(text);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    int lock = build_lock(dir, &err);
    assert_true(lock >= 0);
    close(lock);
    close(ready[0]);
    close(ready[1]);
}

static void the_number_of_one_that_was_killed_may_be_anothers(void **state)
{
    (void)state;
    struct err err = {0};
    int lock = build_lock(dir, &err);
    assert_true(lock >= 0);
    char *path = path_join(dir, "lock"),
         *left = mem_format("pid %ld (gantry build) since 01:00\nstarted 1\n", (long)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(left, file);
    fclose(file);
    free(left);
    free(path);
    pid_t child = leave_behind();
    close(lock);
    lock = build_lock(dir, &err);
    assert_true(lock >= 0);
    close(lock);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void one_that_nobody_has_buried_is_dead(void **state)
{
    (void)state;
    struct err err = {0};
    pid_t child = fork();
    if (child == 0) {
        if (build_lock(dir, &err) < 0)
            _exit(1);
        leave_behind();
        _exit(0);
    }
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    int lock = build_lock(dir, &err);
    assert_true(lock >= 0);
    close(lock);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_builds_is_told),
        cmocka_unit_test(the_number_of_one_that_was_killed_may_be_anothers),
        cmocka_unit_test(one_that_nobody_has_buried_is_dead),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
