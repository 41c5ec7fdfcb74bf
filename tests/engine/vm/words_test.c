/* What OSv says where it runs nothing, by the stock conf's expressions, and what programs may say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "vm/words.h"

struct fixture {
    struct vm_texts texts;
};

static int set_up(void **state)
{
    struct err err = {0};
    struct fixture *f = mem_zero(1, sizeof *f);
    const struct assignment picks[] = {{"arch", "x64", ORIGIN_COMMAND_LINE},
                                       {"fs", "rofs", ORIGIN_COMMAND_LINE}};
    struct conf *conf = conf_load("tests/osv_tree", picks, 2, &err);
    if (!conf)
        fail_msg("%s", err.text);
    f->texts = (struct vm_texts){.failed = mem_copy(conf_get(conf, "guest-failed")),
                                 .refused = mem_copy(conf_get(conf, "guest-refused")),
                                 .begins = mem_copy(conf_get(conf, "guest-begins"))};
    conf_free(conf);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    free(f->texts.failed);
    free(f->texts.refused);
    free(f->texts.begins);
    free(f);
    return 0;
}

/* Feeds a console in pieces of every size; the line that is the kernel's complaint, or NULL. */
static void hears(const struct fixture *f, const char *console, const char *wanted)
{
    for (size_t piece = 1; piece <= 7; piece++) {
        struct err err = {0};
        struct words *words = words_new(&f->texts, &err);
        if (!words)
            fail_msg("%s", err.text);
        size_t length = strlen(console);
        for (size_t at = 0; at < length; at += piece)
            words_feed(words, console + at, piece < length - at ? piece : length - at);
        const char *heard = words_complaint(words);
        if ((heard != NULL) != (wanted != NULL) || (heard && strcmp(heard, wanted) != 0))
            fail_msg("heard %s of: %s", heard ? heard : "nothing", console);
        words_free(words);
    }
}

#define UP "OSv v0.57.0\r\neth0: 192.168.122.15\r\nBooted up in 211.45 ms\r\nCmdline: /hello\r\n"

static void a_program_that_does_not_start_is_heard(void **state)
{
    const struct fixture *f = *state;
    hears(f, UP "Failed to load object: /nope. Powering off.\r\n",
          "Failed to load object: /nope. Powering off.");
    hears(f, UP "machine type for /hello differs from the kernel. Powering off.\n",
          "machine type for /hello differs from the kernel. Powering off.");
    hears(f, UP "bad elf header. Powering off.\n\n\n", "bad elf header. Powering off.");
    hears(f, UP "Failed looking up main. Powering off.", "Failed looking up main. Powering off.");
    hears(f, UP "executable too short /x: file_size=4 need=64. Powering off.\n",
          "executable too short /x: file_size=4 need=64. Powering off.");
    hears(f,
          UP "bad executable type (only shared-object, PIE or non-PIE executable supported). "
             "Powering off.\n",
          "bad executable type (only shared-object, PIE or non-PIE executable supported). "
          "Powering off.");
    hears(f, UP "Failed to parse command line.\n", "Failed to parse command line.");
    hears(f, UP "This image has an empty command line. Nothing to run.\n",
          "This image has an empty command line. Nothing to run.");
    /* Of the second of two, whose first one did not end its line; in colour. */
    hears(f, UP "half a lineFailed to load object: /b. Powering off.\n",
          "half a lineFailed to load object: /b. Powering off.");
    hears(f, UP "\033[31mbad os abi. Powering off.\033[0m\r\n", "bad os abi. Powering off.");
}

static void options_that_the_kernel_does_not_take_are_heard(void **state)
{
    const struct fixture *f = *state;
    hears(f, "OSv v0.57.0\nunrecognized option: rotfs\nOSv options:\n  --help  show help\n",
          "unrecognized option: rotfs");
    hears(f, "the argument ('x') for option '--sampler' is invalid\nOSv options:\n",
          "the argument ('x') for option '--sampler' is invalid");
    hears(f, "OSv options:\n  --help  show help\n", NULL); /* it was asked for */
}

static void the_words_of_programs_are_their_own(void **state)
{
    const struct fixture *f = *state;
    hears(f, UP "Hello from C code\n", NULL);
    hears(f, UP "Failed to load object: /nope. Powering off.\nso something else\n", NULL);
    hears(f, UP "Goodbye. Powering off.\n", NULL);
    hears(f, UP "unrecognized option: -x\nusage: prog\n", NULL);
    hears(f, UP "bad elf header\n", NULL);
    hears(f, UP "I say: \"bad elf header. Powering off.\" and more\n", NULL);
    hears(f, "", NULL);
    hears(f, "\n\r\n \n", NULL);
}

static void without_expressions_nothing_is_heard(void **state)
{
    (void)state;
    const struct vm_texts none = {0}, bad = {.failed = (char *)(uintptr_t) "("};
    struct err err = {0};
    struct words *words = words_new(&none, &err);
    assert_non_null(words);
    words_feed(words, "Failed to load object: /x. Powering off.\n", 41);
    assert_null(words_complaint(words));
    words_free(words);
    assert_null(words_complaint(NULL));
    assert_null(words_new(&bad, &err));
    assert_int_equal(err_exit_status(&err), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_program_that_does_not_start_is_heard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(options_that_the_kernel_does_not_take_are_heard, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_words_of_programs_are_their_own, set_up, tear_down),
        cmocka_unit_test(without_expressions_nothing_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
