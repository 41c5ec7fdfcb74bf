/* Profiles: saved selections with a name, and what `profile=NAME` stands for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "tests/support/scratch.h"

static struct err err;

static const char *root(void)
{
    return scratch("");
}

static void save(const char *name, const char *value)
{
    if (conf_save(root(), name, value, &err) < 0)
        fail_msg("%s", err.text);
}

static void words_are_split_as_by_a_shell(void **state)
{
    (void)state;
    str_list words = {0};
    conf_profile_words("  a=b 'c=d e' f='g h'i j=\\' ''  ", &words);
    assert_int_equal(words.len, 4);
    assert_string_equal(words.at[0], "a=b");
    assert_string_equal(words.at[1], "c=d e");
    assert_string_equal(words.at[2], "f=g hi");
    assert_string_equal(words.at[3], "j='");
    str_list_free(&words);
}

static void a_profile_stands_for_its_words(void **state)
{
    (void)state;
    save("profile-small", "mode=debug 'conf-opt=-O0 -g' fs=ramfs");
    save("profile-other", "mode=release");
    str_list names = {0};
    conf_profiles(root(), &names);
    assert_int_equal(names.len, 2);
    assert_string_equal(names.at[0], "other");
    assert_string_equal(names.at[1], "small");
    str_list_free(&names);
    /* Given beside it, a value is stronger; in whatever order. */
    const struct assignment given[] = {{"fs", "rofs", ORIGIN_COMMAND_LINE},
                                       {"profile", "small", ORIGIN_COMMAND_LINE}};
    struct conf *conf = conf_load(root(), given, 2, &err);
    assert_non_null(conf);
    assert_string_equal(conf_get(conf, "mode"), "debug");
    assert_string_equal(conf_get(conf, "conf-opt"), "-O0 -g");
    assert_string_equal(conf_get(conf, "fs"), "rofs");
    conf_free(conf);
    save("profile-small", NULL);
    conf_profiles(root(), &names);
    assert_int_equal(names.len, 1);
    str_list_free(&names);
}

static void what_is_none_is_said(void **state)
{
    (void)state;
    str_list words = {0};
    save("profile-nightly", "mode=debug");
    save("profile-odd", "debug");
    assert_int_equal(conf_profile(root(), "nightli", &words, &err), -1);
    assert_non_null(strstr(err.text, "did you mean 'nightly'?"));
    assert_int_equal(conf_profile(root(), "odd", &words, &err), -1);
    assert_non_null(strstr(err.text, "'debug' is no NAME=VALUE"));
    str_list_free(&words);
    const struct assignment given = {"profile", "none", ORIGIN_COMMAND_LINE};
    assert_null(conf_load(root(), &given, 1, &err));
    assert_non_null(strstr(err.text, "no profile is called 'none'"));
    /* A profile does not name another. */
    save("profile-ring", "profile=ring");
    assert_int_equal(conf_profile(root(), "ring", &words, &err), -1);
    str_list_free(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_split_as_by_a_shell),
        cmocka_unit_test_setup_teardown(a_profile_stands_for_its_words, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(what_is_none_is_said, scratch_make, scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
