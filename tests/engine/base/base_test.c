/* The small things that everything stands on: strings, maps, paths, queue, json, text. */
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
#include "base/ids.h"
#include "base/json.h"
#include "base/map.h"
#include "base/path.h"
#include "base/queue.h"
#include "base/re.h"
#include "base/sort.h"
#include "base/text.h"
#include "journal/event.h"

static void expect_text(char *got, const char *want)
{
    assert_string_equal(got, want);
    free(got);
}

static void paths_are_cleaned_joined_and_made_relative(void **state)
{
    (void)state;
    expect_text(path_clean("a//b/./c/../d"), "a/b/d");
    expect_text(path_clean("../../x"), "../../x");
    expect_text(path_clean("a/.."), ".");
    expect_text(path_clean("/../a"), "/a");
    expect_text(path_join("build/x", "../y"), "build/y");
    expect_text(path_join("a", "/b"), "/b");
    expect_text(path_relative("/a/b/c", "/a/x/y"), "../../b/c");
    expect_text(path_relative("/a/bc", "/a/b"), "../bc");
    expect_text(path_relative("a", "a"), ".");
    expect_text(path_shorten("bsd/sys/netinet/tcp_input.c", 12), "bsd/…input.c");
}

static void interned_strings_keep_their_ids(void **state)
{
    (void)state;
    struct intern in = {0};
    char name[16];
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "n%u", i);
        assert_int_equal(intern_id(&in, name), i);
    }
    assert_int_equal(intern_find(&in, "n4321"), 4321);
    assert_int_equal(intern_find(&in, "n5000"), INTERN_NONE);
    assert_string_equal(intern_text(&in, 77), "n77");
    intern_free(&in);
}

static void ids_keep_the_order_in_which_they_came(void **state)
{
    (void)state;
    enum { COUNT = 3000, APART = 7919 }; /* some are neighbours, some far away */
    struct ids ids = {0};
    assert_int_equal(ids_find(&ids, 0), IDS_NONE);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(ids_add(&ids, i % 2 ? i : i * APART), i);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(ids_add(&ids, i % 2 ? i : i * APART), i);
        assert_int_equal(ids_find(&ids, i % 2 ? i : i * APART), i);
    }
    assert_int_equal(ids.at.len, COUNT);
    assert_int_equal(ids_find(&ids, 2), IDS_NONE);
    assert_int_equal(ids_find(&ids, UINT32_MAX - 1), IDS_NONE);
    ids_free(&ids);
    assert_int_equal(ids_add(&ids, 5), 0);
    ids_free(&ids);
}

static void json_is_valid_whatever_the_bytes(void **state)
{
    (void)state;
    struct str out = {0};
    json_put_object(&out, NULL);
    json_put_text(&out, "a\"b", "x\n\x01\xff\xc3\xa9");
    json_put_array(&out, "list");
    json_put_uint(&out, NULL, 1);
    json_put_uint(&out, NULL, 2);
    json_put_array_end(&out);
    json_put_object_end(&out);
    assert_string_equal(str_text(&out),
                        "{\"a\\\"b\":\"x\\n\\u0001\xEF\xBF\xBD\xc3\xa9\",\"list\":[1,2]}");
    str_free(&out);
}

static void nearest_spelling(void **state)
{
    (void)state;
    static const char *const names[] = {"aarch64", "x64", "riscv64"};
    assert_string_equal(text_nearest("arch64", names, 3), "aarch64");
    assert_string_equal(text_nearest("x46", names, 3), "x64");
    assert_null(text_nearest("sparc", names, 3));
}

static void queue_is_first_in_first_out_and_pollable(void **state)
{
    (void)state;
    struct queue *queue = queue_new();
    assert_null(queue_wait(queue, 0));
    for (uintptr_t i = 1; i <= 200; i++)
        queue_push(queue, (void *)i);
    for (uintptr_t i = 1; i <= 200; i++)
        assert_ptr_equal(queue_wait(queue, 0), (void *)i);
    assert_null(queue_pop(queue));
    queue_free(queue, NULL);
}

static void files_are_replaced_whole_or_not_at_all(void **state)
{
    (void)state;
    char dir[] = "/tmp/gantry-base-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char *path = path_join(dir, "sub/file");
    struct err err = {0};
    assert_int_equal(file_make_parents(path, &err), 0);
    assert_int_equal(file_write(path, "old", 3, 0644, &err), 0);
    struct file_out out;
    assert_int_equal(file_out_open(&out, path, 0644, &err), 0);
    assert_int_equal(file_out_write(&out, "half", 4, &err), 0);
    file_out_abandon(&out);
    expect_text(file_read(path, NULL, &err), "old");
    struct hash hash;
    assert_int_equal(file_hash(path, &hash, &err), 0);
    assert_true(hash_equal(hash, hash_bytes("old", 3)));
    free(path);
    assert_int_equal(file_remove_tree(dir, &err), 0);
    assert_int_equal(access(dir, F_OK), -1);
}

static void patterns_find_and_bad_ones_say_where(void **state)
{
    (void)state;
    struct err err = {0};
    struct re *re = re_compile("(\\w+)\\.o", RE_SMART_CASE, &err);
    struct re_match match;
    assert_true(re_find(re, "  Core.o", 8, 0, &match));
    assert_int_equal(match.start[1], 2);
    assert_int_equal(match.end[1], 6);
    re_free(re);
    assert_null(re_compile("(", RE_DEFAULT, &err));
    assert_non_null(strstr(err.text, "at 1"));
}

static void events_survive_json(void **state)
{
    (void)state;
    static const uint32_t needs[] = {3, 1, 4};
    struct event event = {.kind = EVENT_STEP,
                          .step = 7,
                          .target = "a.o",
                          .rule = "cc",
                          .needs = needs,
                          .needs_count = 3,
                          .t_ns = 12};
    struct str out = {0};
    event_to_json(&event, NULL, &out);
    struct event *back = event_from_json(str_text(&out), out.len, NULL);
    assert_non_null(back);
    assert_int_equal(back->step, 7);
    assert_string_equal(back->target, "a.o");
    assert_int_equal(back->needs_count, 3);
    assert_int_equal(back->needs[2], 4);
    free(back);
    str_cut(&out, 0);
    struct event ready = {.kind = EVENT_STEP_READY,
                          .step = 1,
                          .target = "b",
                          .reason = "input",
                          .path = "b.c",
                          .was = "1",
                          .now = "2"};
    event_to_json(&ready, NULL, &out);
    assert_non_null(strstr(str_text(&out), "\"why\":{\"reason\":\"input\",\"path\":\"b.c\""));
    back = event_from_json(str_text(&out), out.len, NULL);
    assert_string_equal(back->reason, "input");
    assert_string_equal(back->path, "b.c");
    free(back);
    struct err err = {0};
    assert_null(event_from_json("{\"event\":\"nonsense\"}", 20, &err));
    str_free(&out);
}

struct sorted {
    uint32_t key, check; /* of the key */
    char more[16];
};

static int by_key(const void *left, const void *right)
{
    const struct sorted *a = left, *b = right;
    return a->key < b->key ? -1 : a->key > b->key;
}

static void arrays_of_any_size_are_sorted(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 1000, 21845, 21846, 60000, 100001};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (uint32_t range = 1; range < 1000000; range *= 997) {
            struct sorted *array = calloc(counts[c] + 1, sizeof *array);
            uint64_t sum = 0, again = 0;
            uint32_t random = 1;
            for (size_t i = 0; i < counts[c]; i++) {
                random = random * 1664525u + 1013904223u;
                array[i].key = (random >> 4) % range;
                array[i].check = ~array[i].key;
                sum += array[i].key;
            }
            sort_array(array, counts[c], sizeof *array, by_key);
            for (size_t i = 0; i < counts[c]; i++) {
                assert_int_equal(array[i].check, ~array[i].key);
                assert_true(!i || array[i - 1].key <= array[i].key);
                again += array[i].key;
            }
            assert_int_equal(sum, again);
            free(array);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_cleaned_joined_and_made_relative),
        cmocka_unit_test(interned_strings_keep_their_ids),
        cmocka_unit_test(ids_keep_the_order_in_which_they_came),
        cmocka_unit_test(json_is_valid_whatever_the_bytes),
        cmocka_unit_test(nearest_spelling),
        cmocka_unit_test(queue_is_first_in_first_out_and_pollable),
        cmocka_unit_test(files_are_replaced_whole_or_not_at_all),
        cmocka_unit_test(patterns_find_and_bad_ones_say_where),
        cmocka_unit_test(events_survive_json),
        cmocka_unit_test(arrays_of_any_size_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
