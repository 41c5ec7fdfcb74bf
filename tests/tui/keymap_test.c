/* The user's own keys: what they change, what they take away, what is told of a wrong line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tui/keymap.h"

static enum request find(const char *name)
{
    struct key key;
    assert_true(key_parse(name, &key));
    return keymap_find(&key);
}

static void own_keys_win_and_take_from_others(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(find("b"), REQ_BUILD);
    assert_int_equal(keymap_load("# mine\nbuild  m F5  # make\nboot b\n\nsuspend\n", "keys", &err),
                     0);
    assert_int_equal(find("m"), REQ_BUILD);
    assert_int_equal(find("F5"), REQ_BUILD);
    assert_int_equal(find("b"), REQ_BOOT); /* taken from build */
    assert_int_equal(find("r"), REQ_NONE); /* boot's own before */
    assert_int_equal(find("^Z"), REQ_NONE); /* a word alone has no keys */
    assert_int_equal(find("c"), REQ_COMPOSE);
    assert_string_equal(keymap_keys(REQ_BUILD), "m F5");
    keymap_reset();
    assert_int_equal(find("b"), REQ_BUILD);
    assert_int_equal(find("^Z"), REQ_SUSPEND);
}

static void a_wrong_line_is_told_and_changes_nothing(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(keymap_load("boot b\nbuildd m\n", "/home/a/keys", &err), -1);
    assert_non_null(strstr(err.text, "/home/a/keys:2"));
    assert_non_null(strstr(err.text, "did you mean 'build'?"));
    assert_int_equal(find("b"), REQ_BUILD);
    assert_int_equal(keymap_load("boot Ctrl+B\n", "keys", &err), -1);
    assert_non_null(strstr(err.text, "keys:1"));
    assert_non_null(strstr(err.text, "no key is called 'Ctrl+B'"));
}

static void what_is_dumped_is_read_back(void **state)
{
    (void)state;
    struct err err = {0};
    struct str before = {0}, after = {0};
    assert_int_equal(keymap_load("search # /\nbuild m\n", "keys", &err), 0);
    keymap_dump(&before);
    keymap_reset();
    assert_int_equal(keymap_load(str_text(&before), "keys", &err), 0);
    keymap_dump(&after);
    assert_string_equal(str_text(&before), str_text(&after));
    assert_int_equal(find("m"), REQ_BUILD);
    keymap_reset();
    str_free(&before);
    str_free(&after);
}

/* No key of the table means two things. */
static void no_key_is_there_twice(void **state)
{
    (void)state;
    for (unsigned i = REQ_NONE + 1; i < REQUESTS_COUNT; i++) {
        char name[16];
        struct key key;
        keymap_first((enum request)i, name);
        if (!*name)
            continue;
        assert_true(key_parse(name, &key));
        assert_int_equal(keymap_find(&key), i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_keys_win_and_take_from_others),
        cmocka_unit_test(a_wrong_line_is_told_and_changes_nothing),
        cmocka_unit_test(what_is_dumped_is_read_back),
        cmocka_unit_test(no_key_is_there_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
