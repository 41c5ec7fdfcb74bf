/* Boot arguments: read as a kernel reads them, judged, completed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/boot_args.h"

static void options_come_before_the_program(void **state)
{
    (void)state;
    struct boot_args args = {0};
    const char *text = " --rootfs=zfs  --env=\"A=b c\" --odd /tools/x --rootfs=y \"z z\"";
    boot_args_read(text, &args);
    assert_int_equal(args.words.len, 6);
    static const enum boot_word_kind kinds[] = {BOOT_OPTION,  BOOT_OPTION,   BOOT_OPTION,
                                                BOOT_PROGRAM, BOOT_ARGUMENT, BOOT_ARGUMENT};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(args.words.at[i].kind, kinds[i]);
    assert_string_equal(args.words.at[0].option->name, "rootfs");
    assert_string_equal(args.words.at[1].option->name, "env");
    assert_int_equal(args.words.at[1].length, strlen("--env=\"A=b c\""));
    assert_null(args.words.at[2].option);
    assert_null(args.words.at[4].option); /* the program's own */
    boot_args_free(&args);
}

/* The sentence for the last word, "" where nothing is wrong. */
static void expect(const char *text, const char *problem)
{
    struct boot_args args = {0};
    struct str out = {0};
    boot_args_read(text, &args);
    bool wrong = boot_args_problem(text, &args, args.words.len - 1, &out);
    assert_string_equal(str_text(&out), problem);
    assert_int_equal(wrong, *problem != '\0');
    str_free(&out);
    boot_args_free(&args);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    expect("--verbose", "");
    expect("--rootfs=rofs", "");
    expect("--delay=0.5", "");
    expect("--env=A=b --env=C=", "");
    expect("--rotfs=rofs", "--rotfs is no option that the kernel knows: did you mean --rootfs?");
    expect("--xyzzy", "--xyzzy is no option that the kernel knows");
    expect("--rootfs", "--rootfs needs a value: --rootfs=FS");
    expect("--rootfs=", "--rootfs= needs FS");
    expect("--rootfs=fat", "--rootfs=fat: there are ext ramfs rofs virtiofs zfs");
    expect("--verbose=1", "--verbose takes no value");
    expect("--delay=soon", "--delay=soon is no number");
    expect("--delay=1.2.3", "--delay=1.2.3 is no number");
    expect("--env=A", "--env=A: NAME=VALUE is wanted");
    expect("--mount-fs=a,b", "--mount-fs=a,b: TYPE,URL,PATH is wanted");
    expect("--cwd=/a --cwd=/b", "--cwd stands twice: one of them is ignored");
    expect("--env=\"A=b", "a quote is not closed: put a \" at its end");
    expect("/tools/x --rootfs=nonsense", "");
}

static void expect_words(const char *text, size_t from_wanted, const char *wanted)
{
    str_list words = {0};
    struct str got = {0};
    size_t from = SIZE_MAX;
    boot_args_complete(text, strlen(text), &from, &words);
    for (size_t i = 0; i < words.len; i++)
        str_addf(&got, "%s%s", i ? " " : "", words.at[i]);
    assert_string_equal(str_text(&got), wanted);
    if (words.len)
        assert_int_equal(from, from_wanted);
    str_free(&got);
    str_list_free(&words);
}

static void options_and_values_are_completed(void **state)
{
    (void)state;
    expect_words("--noi", 0, "--noinit");
    expect_words("--verbose --tr", 10, "--trace= --trace-backtrace --trace-list");
    expect_words("--rootfs=", 9, "ext ramfs rofs virtiofs zfs");
    expect_words("--rootfs=r", 9, "ramfs rofs");
    expect_words("--cwd=/", 0, ""); /* any */
    expect_words("--verbose ", 0, "");
    expect_words("/tools/x --ver", 0, ""); /* the program's own */
}

static void the_options_are_sorted(void **state)
{
    (void)state;
    size_t count;
    const struct boot_option *options = boot_options(&count);
    assert_true(count > 20);
    for (size_t i = 1; i < count; i++)
        assert_true(strcmp(options[i - 1].name, options[i].name) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_come_before_the_program),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(options_and_values_are_completed),
        cmocka_unit_test(the_options_are_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
