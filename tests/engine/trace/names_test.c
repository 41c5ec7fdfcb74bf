/* The names of paths: one number each, the same for all threads, until nobody has them any more. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "trace/names.h"
#include "trace/trace.h"

static void a_path_has_one_name_and_its_directory_another(void **state)
{
    (void)state;
    uint32_t file = name_id("/one/two/file"), two = name_parent(file), one = name_parent(two);
    assert_string_equal(name_text(file), "/one/two/file");
    assert_int_equal(name_id_n("/one/two/file.c", strlen("/one/two/file")), file);
    assert_int_equal(name_find("/one/two/file"), file);
    assert_string_equal(name_text(two), "/one/two");
    assert_int_equal(name_id("/one/two"), two);
    assert_int_equal(name_parent(file), two);
    assert_string_equal(name_text(one), "/one");
    assert_int_equal(name_parent(one), INTERN_NONE);
    assert_int_equal(name_parent(name_id("relative")), INTERN_NONE);
    assert_int_equal(name_find("/one/two/other"), INTERN_NONE);
}

enum { PATHS = 5000, THREADS = 4 };

static void *name_all(void *data)
{
    uint32_t *numbers = data;
    char path[64];
    for (unsigned i = 0; i < PATHS; i++) {
        snprintf(path, sizeof path, "/many/%u/file", i);
        numbers[i] = name_id(path);
        if (strcmp(name_text(numbers[i]), path) != 0 || !name_parent(numbers[i]))
            return data;
    }
    return NULL;
}

static void threads_agree_on_names(void **state)
{
    (void)state;
    static uint32_t numbers[THREADS][PATHS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, name_all, numbers[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    for (int i = 1; i < THREADS; i++)
        assert_memory_equal(numbers[i], numbers[0], sizeof numbers[0]);
}

/* A console that builds all day does not keep the temporary files of the morning's builds. */
static void names_go_when_nobody_holds_them(void **state)
{
    (void)state;
    uint32_t name = name_id("/held/by/somebody");
    struct trace *trace = trace_new();
    trace_begin();
    assert_int_equal(name_find("/held/by/somebody"), name);
    assert_string_equal(name_text(name), "/held/by/somebody");
    trace_free(trace);
    assert_int_equal(name_find("/held/by/somebody"), name);
    trace_begin();
    assert_int_equal(name_find("/held/by/somebody"), INTERN_NONE);
    assert_int_equal(name_id("/another"), 0);
}

static void what_is_kept_of_a_name_begins_at_nothing(void **state)
{
    (void)state;
    name_memo memo = {0};
    assert_int_equal(*name_memo_at(&memo, 1000), 0);
    *name_memo_at(&memo, 3) = 7;
    *name_memo_at(&memo, 100000) = 9;
    assert_int_equal(*name_memo_at(&memo, 3), 7);
    assert_int_equal(*name_memo_at(&memo, 100000), 9);
    assert_int_equal(*name_memo_at(&memo, 99999), 0);
    vec_free(&memo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_has_one_name_and_its_directory_another),
        cmocka_unit_test(threads_agree_on_names),
        cmocka_unit_test(names_go_when_nobody_holds_them),
        cmocka_unit_test(what_is_kept_of_a_name_begins_at_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
