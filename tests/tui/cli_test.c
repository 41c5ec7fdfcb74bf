/* The command line: what stands where, and what near misses say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tui/cli.h"

enum { MOST_WORDS = 16 };

/* Parses "gantry" and the words of `line`, split at blanks; the words live until free_line. */
struct line {
    struct cli cli;
    struct err err;
    str_list words;
    char *argv[MOST_WORDS];
    int status;
};

static struct line *parse(const char *text)
{
    struct line *line = mem_zero(1, sizeof *line);
    int argc = 0;
    line->argv[argc++] = mem_copy("gantry");
    while (*text) {
        size_t length = strcspn(text, " ");
        line->argv[argc] = mem_copy_n(text, length);
        vec_push(&line->words, line->argv[argc]);
        argc++;
        text += length + (text[length] == ' ');
    }
    line->status = cli_parse(&line->cli, argc, line->argv, &line->err);
    return line;
}

static void free_line(struct line *line)
{
    cli_free(&line->cli);
    str_list_free(&line->words);
    free(line->argv[0]);
    free(line);
}

static void options_stand_anywhere_before_the_dashes(void **state)
{
    (void)state;
    struct line *line =
        parse("help -kj8 ARCH=aarch64 x --json=fd:3 image=uush -C . -- make -j4 A=B");
    assert_int_equal(line->status, 0);
    assert_int_equal(line->cli.lanes, 8);
    assert_true(line->cli.keep_going);
    assert_string_equal(line->cli.json_to, "fd:3");
    assert_string_equal(line->cli.directory, ".");
    assert_int_equal(line->cli.assigns.len, 2);
    assert_string_equal(line->cli.assigns.at[0].name, "ARCH");
    assert_string_equal(line->cli.assigns.at[1].value, "uush");
    assert_int_equal(line->cli.words_count, 2);
    assert_string_equal(line->cli.words[1], "x");
    assert_string_equal(line->cli.after[1], "-j4");
    assert_string_equal(line->cli.after[2], "A=B");
    free_line(line);
}

static void lanes_are_written_as_for_make(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned lanes; /* 0: refused */
    } cases[] = {{"-j3", 3}, {"-j 4", 4}, {"-j0", 0}, {"-j 99999", 0}, {"-j5x", 0}, {"-nj2", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct line *line = parse(cases[i].text);
        assert_int_equal(line->status, cases[i].lanes ? 0 : -1);
        if (cases[i].lanes)
            assert_int_equal(line->cli.lanes, cases[i].lanes);
        free_line(line);
    }
    struct line *line = parse("-j help");
    assert_true(line->cli.lanes >= 1);
    assert_string_equal(line->cli.words[0], "help");
    free_line(line);
}

static void near_misses_name_what_was_meant(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"hepl", "did you mean 'help'"},          {"frobnicate", "gantry help lists them"},
        {"--colr=never", "did you mean --color"}, {"iamge=uush", "did you mean image=uush"},
        {"ACRH=x64", "did you mean ARCH=x64"},    {"--color=blue", "auto, always or never"},
        {"--trace=maybe", "on or off"},           {"--trace", "--trace=..."},
        {"--plain=fancy", "--plain=raw"},         {"--journal", "--journal=..."},
        {"--ascii=1", "takes no value"},          {"-x", "unknown option -x"},
        {"-C /no/such/place", "No such file"},    {"-l none", "load limit"},
        {"help --page", "unknown option --page"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct line *line = parse(cases[i].text);
        assert_int_equal(line->status, -1);
        assert_non_null(strstr(line->err.text, cases[i].wanted));
        assert_int_equal(err_exit_status(&line->err), 2);
        free_line(line);
    }
}

static void words_that_only_look_like_assignments_are_words(void **state)
{
    (void)state;
    struct line *line = parse("help a/b=c =x CXXFLAGS=-O3");
    assert_int_equal(line->status, 0);
    assert_int_equal(line->cli.words_count, 3);
    assert_int_equal(line->cli.assigns.len, 1);
    assert_string_equal(line->cli.assigns.at[0].value, "-O3");
    free_line(line);
}

static void the_table_is_sorted_and_fits(void **state)
{
    (void)state;
    for (unsigned i = 0; i < commands_count; i++) {
        assert_true(strlen(commands[i].name) <= 10);
        assert_true(strlen(commands[i].summary) <= 80 - 13);
        if (i)
            assert_true(strcmp(commands[i - 1].name, commands[i].name) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere_before_the_dashes),
        cmocka_unit_test(lanes_are_written_as_for_make),
        cmocka_unit_test(near_misses_name_what_was_meant),
        cmocka_unit_test(words_that_only_look_like_assignments_are_words),
        cmocka_unit_test(the_table_is_sorted_and_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
