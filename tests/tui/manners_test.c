/* Manners that hold for all screens: what is selected keeps its row, / searches everywhere, the summary
 * ends with what failed, the theme suits any background. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/support/build_events.h"
#include "tests/support/samples.h"
#include "tui/list.h"
#include "views/summary.h"
#include "views/views.h"

/* ---- lists ---- */

struct numbers {
    uint64_t at[64];
    size_t count;
};

static size_t count_of(void *data)
{
    return ((struct numbers *)data)->count;
}

static uint64_t id_of(void *data, size_t index)
{
    return ((struct numbers *)data)->at[index];
}

static void draw_none(void *data, const struct canvas *canvas, int y, size_t index)
{
    (void)data;
    (void)canvas;
    (void)y;
    (void)index;
}

static void insert(struct numbers *numbers, size_t at, uint64_t id)
{
    memmove(numbers->at + at + 1, numbers->at + at, (numbers->count - at) * sizeof *numbers->at);
    numbers->at[at] = id;
    numbers->count++;
}

static void take_out(struct numbers *numbers, size_t at)
{
    numbers->count--;
    memmove(numbers->at + at, numbers->at + at + 1, (numbers->count - at) * sizeof *numbers->at);
}

static void the_selected_keeps_its_identity_and_its_row(void **state)
{
    (void)state;
    struct numbers numbers = {.count = 0};
    struct list_source source = {&numbers, count_of, id_of, draw_none};
    struct list list = {0};
    for (uint64_t i = 0; i < 40; i++)
        insert(&numbers, (size_t)i, 100 + i);
    list_sync(&list, &source, 10);
    list_select(&list, &source, 22);
    list_sync(&list, &source, 10);
    size_t row = list.at - list.top;
    for (uint64_t i = 0; i < 5; i++) { /* things come above and below */
        insert(&numbers, 3, 200 + i);
        insert(&numbers, 40, 300 + i);
        list_sync(&list, &source, 10);
        assert_int_equal(numbers.at[list.at], 122);
        assert_int_equal(list.at - list.top, row);
    }
    for (int i = 0; i < 12; i++) { /* and go */
        take_out(&numbers, 0);
        list_sync(&list, &source, 10);
        assert_int_equal(numbers.at[list.at], 122);
        assert_int_equal(list.at - list.top, row);
    }
    size_t place = list.at;
    take_out(&numbers, list.at); /* itself: what is at its place now */
    list_sync(&list, &source, 10);
    assert_int_equal(list.at, place);
    assert_int_equal(numbers.at[list.at], 123);
    while (numbers.count)
        take_out(&numbers, 0);
    list_sync(&list, &source, 10);
    assert_int_equal(list.at, 0);
}

/* ---- search ---- */

static void search_is_everywhere(void **state)
{
    (void)state;
    for (unsigned view = 0; view < views_count; view++) {
        char digit[2] = {views[view]->key, '\0'};
        struct test_screen *screen = test_screen_open(120, 40, TEST_COLOR);
        sample_everything(screen);
        sample_guest_ended(screen);
        build_events_raced(screen);
        test_screen_keys(screen, digit);
        test_screen_text(screen);
        test_screen_keys(screen, "/ 'no such thing' Enter");
        const char *message = test_screen_app(screen)->message;
        if (!*message || strstr(message, "nothing to search"))
            fail_msg("/ on %s says '%s'", views[view]->name, message);
        test_screen_keys(screen, "/ '(' Enter"); /* no pattern: it says where */
        message = test_screen_app(screen)->message;
        if (test_screen_app(screen)->message_severity != SEVERITY_ERROR || !strstr(message, "("))
            fail_msg("/ ( on %s says '%s'", views[view]->name, message);
        test_screen_close(screen);
    }
}

/* ---- what is left behind ---- */

static void the_summary_ends_with_what_failed(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    struct str text = {0};
    build_events_raced(screen);
    summary_text(&test_screen_app(screen)->model, &text);
    const char *first = strstr(str_text(&text), "gantry: failed: x64 release default"),
               *races = strstr(str_text(&text), "2 races: gantry races"),
               *cause = strstr(str_text(&text), "gantry: failed: fs/rofs/timer.o: "
                                                "fs/rofs/timer.c:88: 'now' undeclared");
    assert_ptr_equal(first, str_text(&text));
    assert_true(first < races && races < cause);
    assert_string_equal(strchr(cause, '\n'), "\n"); /* nothing behind it */
    str_free(&text);
    test_screen_close(screen);
}

/* ---- colours ---- */

/* Neither black nor white, which are the background of some; and every state is told by more than its
 * colour (the goldens without colour are the same text). */
static void the_theme_is_of_six_colours(void **state)
{
    (void)state;
    static const int colors[] = {
#define COLOR_OF(name, color, look) color,
        STYLES(COLOR_OF)
#undef COLOR_OF
    };
    for (size_t i = 0; i < sizeof colors / sizeof *colors; i++)
        assert_true(colors[i] == -1 || (colors[i] >= 1 && colors[i] <= 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_selected_keeps_its_identity_and_its_row),
        cmocka_unit_test(search_is_everywhere),
        cmocka_unit_test(the_summary_ends_with_what_failed),
        cmocka_unit_test(the_theme_is_of_six_colours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
