/* The plain and JSON views: a fixture of events in, lines out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "views/json.h"
#include "views/plain.h"
#include "views/sanitize.h"

/* What was printed, and the one log that can be read. */
struct printed {
    struct str out, err;
    const char *log;
};

static void write_printed(void *data, enum plain_to to, const char *bytes, size_t length)
{
    struct printed *printed = data;
    str_add_n(to == PLAIN_ERR ? &printed->err : &printed->out, bytes, length);
}

static void read_printed(void *data, const char *path, uint64_t offset, uint64_t length,
                         struct str *out)
{
    struct printed *printed = data;
    size_t size = strlen(printed->log);
    assert_string_equal(path, "log");
    if (offset < size)
        str_add_n(out, printed->log + offset, length < size - offset ? length : size - offset);
}

static const char log_text[] = "warning\n\033[2Jx.c:3: error: no\r\nlast";

static const struct event fixture[] = {
    {.kind = EVENT_BUILD_BEGIN},
    {.kind = EVENT_GRAPH, .steps = 5, .complete = true},
    {.kind = EVENT_STEP_ADD, .step = 0, .target = "a.o", .rule = "cc"},
    {.kind = EVENT_STEP_ADD, .step = 1, .target = "b.o", .rule = "cc"},
    {.kind = EVENT_STEP_ADD, .step = 2, .target = "c.o", .rule = "cc"},
    {.kind = EVENT_STEP_BEGIN, .step = 0, .target = "a.o", .text = "cc -c a.c"},
    {.kind = EVENT_STEP_OUTPUT, .step = 1, .path = "log", .stream = "err", .length = 8},
    {.kind = EVENT_STEP_OUTPUT,
     .step = 1,
     .path = "log",
     .stream = "err",
     .offset = 8,
     .length = sizeof log_text - 9},
    {.kind = EVENT_STEP_END,
     .step = 0,
     .target = "a.o",
     .outcome = OUTCOME_UNCHANGED,
     .wall_ns = 72300000000},
    {.kind = EVENT_DIAGNOSTIC,
     .step = 1,
     .path = "x.c",
     .line = 3,
     .text = "no",
     .severity = SEVERITY_ERROR},
    {.kind = EVENT_DIAGNOSTIC,
     .step = 2,
     .path = "x.c",
     .line = 3,
     .text = "no",
     .severity = SEVERITY_ERROR},
    {.kind = EVENT_STEP_END, .step = 1, .target = "b.o", .outcome = OUTCOME_FAILED, .exit = 1},
    {.kind = EVENT_STEP_END,
     .step = 2,
     .target = "c.o",
     .outcome = OUTCOME_FAILED,
     .signal = 9,
     .wall_ns = 250000000},
    {.kind = EVENT_MESSAGE, .severity = SEVERITY_WARNING, .text = "the disk is nearly full"},
    {.kind = EVENT_BUILD_END,
     .status = BUILD_FAILED,
     .exit = 1,
     .steps_total = 5,
     .steps_run = 3,
     .steps_unchanged = 1,
     .steps_failed = 2,
     .wall_ns = 192000000000},
};

static void fold(struct printed *printed, struct plain_options options)
{
    struct plain_io io = {.data = printed, .write = write_printed, .read = read_printed};
    printed->log = log_text;
    struct plain *plain = plain_new(&options, &io);
    for (size_t i = 0; i < sizeof fixture / sizeof *fixture; i++)
        plain_event(plain, &fixture[i]);
    plain_free(plain);
}

static void free_printed(struct printed *printed)
{
    str_free(&printed->out);
    str_free(&printed->err);
}

static void each_step_is_a_line_and_failures_come_again(void **state)
{
    (void)state;
    struct printed printed = {0};
    fold(&printed, (struct plain_options){.ascii = true});
    assert_string_equal(str_text(&printed.out),
                        "[1/3] CC a.o  1:12  same bytes\n"
                        "[2/3] x CC b.o  exit 1\n"
                        "warning\nx.c:3: error: no\nlast\n"
                        "[3/3] x CC c.o  killed by signal 9  0.2s\n"
                        "\n"
                        "x CC b.o and 1 more: x.c:3: no\n"
                        "    warning\n    x.c:3: error: no\n    last\n"
                        "failed: ran 3, 1 rewrote the same bytes, 2 failed, 3:12\n");
    assert_string_equal(str_text(&printed.err), "gantry: warning: the disk is nearly full\n");
    free_printed(&printed);
}

static void raw_is_the_output_and_nothing_else(void **state)
{
    (void)state;
    struct printed printed = {0};
    fold(&printed, (struct plain_options){.raw = true});
    assert_string_equal(str_text(&printed.out), "");
    assert_string_equal(str_text(&printed.err), log_text);
    free_printed(&printed);
}

static void verbose_and_color_add_to_it(void **state)
{
    (void)state;
    struct printed printed = {0};
    fold(&printed, (struct plain_options){.verbose = 1, .color = true});
    assert_non_null(strstr(str_text(&printed.out), "same bytes\n  $ cc -c a.c\n"));
    assert_non_null(strstr(str_text(&printed.out), "\033[1;31m✗ CC b.o  exit 1\033[0m\n"));
    assert_null(strstr(str_text(&printed.out), "\033[2J"));
    free_printed(&printed);
}

static void nothing_begun_prints_no_summary(void **state)
{
    (void)state;
    struct printed printed = {.log = ""};
    struct plain_io io = {.data = &printed, .write = write_printed, .read = read_printed};
    struct plain *plain = plain_new(&(struct plain_options){0}, &io);
    plain_event(
        plain,
        &(struct event){.kind = EVENT_MESSAGE, .severity = SEVERITY_ERROR, .text = "no such arch"});
    plain_event(plain, &(struct event){.kind = EVENT_BUILD_END, .status = BUILD_FAILED, .exit = 2});
    assert_string_equal(str_text(&printed.out), "");
    assert_string_equal(str_text(&printed.err), "gantry: no such arch\n");
    /* Nor after a begin, where the input was refused before there was any step. */
    plain_event(plain, &(struct event){.kind = EVENT_BUILD_BEGIN});
    plain_event(plain, &(struct event){.kind = EVENT_BUILD_END, .status = BUILD_FAILED, .exit = 2});
    assert_string_equal(str_text(&printed.out), "");
    plain_free(plain);
    free_printed(&printed);
}

static void put(struct plain *plain, enum event_kind kind, uint32_t step, const char *state)
{
    plain_event(plain, &(struct event){.kind = kind, .step = step, .target = "t", .state = state});
}

static void what_turns_out_fresh_does_not_count(void **state)
{
    (void)state;
    struct printed printed = {.log = ""};
    struct plain_io io = {.data = &printed, .write = write_printed, .read = read_printed};
    struct plain *plain = plain_new(&(struct plain_options){0}, &io);
    put(plain, EVENT_STEP, 0, "fresh");
    put(plain, EVENT_STEP, 1, "waiting");
    put(plain, EVENT_STEP, 2, "waiting");
    put(plain, EVENT_STEP, 3, "waiting");
    put(plain, EVENT_STEP_END, 1, NULL);
    put(plain, EVENT_STEP, 2, "fresh");
    put(plain, EVENT_STEP_END, 3, NULL);
    plain_free(plain);
    assert_string_equal(str_text(&printed.out), "[1/3] t\n[2/2] t\n");
    free_printed(&printed);
}

static void quiet_tells_failures_only(void **state)
{
    (void)state;
    struct printed printed = {0};
    fold(&printed, (struct plain_options){.quiet = true, .ascii = true});
    assert_int_equal(strncmp(str_text(&printed.out), "[2/3] x CC b.o", 14), 0);
    free_printed(&printed);
}

static void json_has_the_text_of_the_log(void **state)
{
    (void)state;
    struct printed printed = {.log = "a\nb"};
    struct plain_io io = {.data = &printed, .write = write_printed, .read = read_printed};
    struct str line = {0};
    json_event(&(struct event){.kind = EVENT_STEP_OUTPUT, .step = 4, .path = "log", .length = 3},
               &io, &line);
    assert_non_null(strstr(str_text(&line), "\"text\":\"a\\nb\"}\n"));
    str_free(&line);
}

static void terminal_tricks_are_dropped_whatever_the_chunks(void **state)
{
    (void)state;
    static const char in[] = "a\033]0;title\007b\033[31mred\033[0m\033[5Ac\xc2\x9b"
                             "d\xc2\xa9\r\ne\rf"
                             "\033[1;31mg\x01\x7f\n";
    for (size_t cut = 0; cut < sizeof in; cut++) {
        struct sanitize state_of = {.colors = true};
        struct str out = {0};
        sanitize_text(&state_of, in, cut, &out);
        sanitize_text(&state_of, in + cut,
                      sizeof in - 1 - (cut < sizeof in - 1 ? cut : sizeof in - 1), &out);
        assert_string_equal(str_text(&out), "ab\033[31mred\033[0mcd\xc2\xa9\ne\nf\033[1;31mg\n");
        assert_true(state_of.colored);
        str_free(&out);
    }
}

static void costly_shell_calls_are_summed_up(void **state)
{
    (void)state;
    struct printed printed = {.log = ""};
    struct plain_io io = {.data = &printed, .write = write_printed, .read = read_printed};
    struct plain_options options = {0};
    struct plain *plain = plain_new(&options, &io);
    plain_event(plain, &(struct event){.kind = EVENT_BUILD_BEGIN});
    for (int i = 0; i < 1192; i++)
        plain_event(plain, &(struct event){.kind = EVENT_SHELL_CALL,
                                           .make = ".",
                                           .path = "Makefile",
                                           .line = 285,
                                           .command = "g++ -E -xc++ - -v </dev/null 2>&1 | awk "
                                                      "'/^End/ {exit} /^ .*c\\+\\+/ {print}'",
                                           .wall_ns = 20000000});
    plain_event(plain, &(struct event){.kind = EVENT_SHELL_CALL,
                                       .make = "sub",
                                       .command = "nproc",
                                       .wall_ns = 1000000});
    plain_event(plain, &(struct event){.kind = EVENT_BUILD_END, .wall_ns = 90000000000});
    assert_non_null(strstr(str_text(&printed.out),
                           "make spent 23.8s in 1192 calls of g++ -E -xc++ - -v </dev/null 2>&1 "
                           "| awk '/^End/ ... from Makefile:285\n"));
    assert_null(strstr(str_text(&printed.out), "nproc"));
    plain_free(plain);
    str_free(&printed.out);
    str_free(&printed.err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costly_shell_calls_are_summed_up),
        cmocka_unit_test(each_step_is_a_line_and_failures_come_again),
        cmocka_unit_test(raw_is_the_output_and_nothing_else),
        cmocka_unit_test(verbose_and_color_add_to_it),
        cmocka_unit_test(nothing_begun_prints_no_summary),
        cmocka_unit_test(what_turns_out_fresh_does_not_count),
        cmocka_unit_test(quiet_tells_failures_only),
        cmocka_unit_test(json_has_the_text_of_the_log),
        cmocka_unit_test(terminal_tricks_are_dropped_whatever_the_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
