/* Events as lines of JSON, and back: what a string holds, wherever in it that stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "journal/event.h"

enum { LONGEST = 40 };

/* `before` plain bytes, the piece, `after` plain bytes. */
static void make_text(struct str *text, unsigned before, const char *piece, unsigned after)
{
    str_cut(text, 0);
    for (unsigned i = 0; i < before; i++)
        str_add_char(text, (char)(' ' + i % 2 * ('~' - ' ')));
    str_add(text, piece);
    for (unsigned i = 0; i < after; i++)
        str_add_char(text, (char)('#' + i % 20));
}

static void texts_come_back_as_they_were(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\"",   "\\", "\n", "\t",         "\x01", "\x1f",
                                         "\x7f", "ü",  "─",  "\U0001F600", "",     "\\\"\\"};
    struct str text = {0}, json = {0};
    for (unsigned at = 0; at < LONGEST; at++) {
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
            make_text(&text, at, pieces[i], LONGEST - at);
            str_cut(&json, 0);
            event_to_json(&(struct event){.kind = EVENT_STEP_BEGIN,
                                          .t_ns = at,
                                          .step = 7,
                                          .lane = 3,
                                          .target = "t.o",
                                          .text = str_text(&text),
                                          .expect_ns = 12345678901234},
                          NULL, &json);
            struct event *event = event_from_json(str_text(&json), json.len, NULL);
            assert_non_null(event);
            assert_string_equal(event->text, str_text(&text));
            assert_string_equal(event->target, "t.o");
            assert_int_equal(event->kind, EVENT_STEP_BEGIN);
            assert_int_equal(event->t_ns, at);
            assert_int_equal(event->lane, 3);
            assert_int_equal(event->expect_ns, 12345678901234);
            free(event);
        }
    }
    str_free(&text);
    str_free(&json);
}

/* No control character and no broken UTF-8 is taken, wherever it stands; nor a string without end. */
static void wrong_texts_are_refused(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\n",   "\x1f", "\x80",  "\xff",
                                         "\xc3", "\\x",  "\\u12", "\\"};
    struct str text = {0}, json = {0};
    for (unsigned at = 0; at < LONGEST; at++) {
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
            make_text(&text, at, pieces[i], i + 1 < sizeof pieces / sizeof *pieces ? 9 : 0);
            str_cut(&json, 0);
            str_addf(&json, "{\"event\":\"message\",\"text\":\"%s\"}", str_text(&text));
            struct err err = {0};
            assert_null(event_from_json(str_text(&json), json.len, &err));
            assert_int_equal(err.kind, ERR_INPUT);
        }
        make_text(&text, at, "", 0);
        str_cut(&json, 0);
        str_addf(&json, "{\"event\":\"message\",\"text\":\"%s", str_text(&text));
        assert_null(event_from_json(str_text(&json), json.len, NULL));
    }
    str_free(&text);
    str_free(&json);
}

/* Fields in any order, unknown ones and other kinds' passed over. */
static void fields_are_found_in_any_order(void **state)
{
    (void)state;
    static const char json[] = "{\"text\":\"gcc\",\"unheard\":{\"a\":[1,\"]\"]},\"lane\":4,\"wall_"
                               "ns\":9,\"target\":\"x.o\","
                               "\"event\":\"step-begin\",\"step\":2,\"t_ns\":5}";
    struct event *event = event_from_json(json, sizeof json - 1, NULL);
    assert_non_null(event);
    assert_int_equal(event->kind, EVENT_STEP_BEGIN);
    assert_int_equal(event->step, 2);
    assert_int_equal(event->lane, 4);
    assert_int_equal(event->t_ns, 5);
    assert_int_equal(event->wall_ns, 0); /* not one of its */
    assert_string_equal(event->text, "gcc");
    assert_string_equal(event->target, "x.o");
    free(event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_come_back_as_they_were),
        cmocka_unit_test(wrong_texts_are_refused),
        cmocka_unit_test(fields_are_found_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
