/* What kind of work a recipe's lines are taken for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load/make_internal.h"

static void one_line_is_what_its_programs_do(void **state)
{
    (void)state;
    assert_string_equal(make_rule_of("gcc -c a.c -o a.o"), "cc");
    assert_string_equal(make_rule_of("echo CC; aarch64-linux-gnu-gcc-12 -c a.c"), "cc");
    assert_string_equal(make_rule_of("g++ -c a.cc"), "cxx");
    assert_string_equal(make_rule_of("gcc -c start.S"), "as");
    assert_string_equal(make_rule_of("gcc -o prog a.o b.o"), "link");
    assert_string_equal(make_rule_of("mkdir -p out/"), "file");
    assert_string_equal(make_rule_of("echo '  DD x'; dd if=a of=x"), "copy");
    assert_string_equal(make_rule_of("./own-tool x"), "gen");
}

static void more_lines_tell_more(void **state)
{
    (void)state;
    /* As OSv's recipes are: a directory, a word, then the work. */
    const char *rule = make_rule_of("mkdir -p out/");
    rule = make_rule_with(rule, "echo '  CXX a.cc'; g++ -c a.cc");
    assert_string_equal(rule, "cxx");
    rule = make_rule_with(rule, "echo done");
    assert_string_equal(rule, "cxx");
    rule = make_rule_with(rule, "touch stamp");
    assert_string_equal(rule, "cxx");
    assert_string_equal(make_rule_with("gen", "strip x"), "strip");
    assert_string_equal(make_rule_with("link", "strip x"), "link");
    assert_string_equal(make_rule_with("file", "./own-tool"), "gen");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_is_what_its_programs_do),
        cmocka_unit_test(more_lines_tell_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
