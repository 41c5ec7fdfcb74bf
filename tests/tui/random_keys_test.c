/*
 * Random keys at random sizes: nothing may break, whatever is pressed on whatever screen while
 * events come in. Sequences are fixed by their seeds, so a failure happens again. What the
 * terminal shows after many small frames must be what one whole frame shows.
 */
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
#include "tui/keymap.h"

enum { KEYS = 1500, DRAW_EVERY = 3, CHECK_EVERY = 100 };

static const uint64_t seeds[] = {1, 7, 42, 1234, 99991, 0xC0FFEE, 20261125};

/* xorshift64* (Vigna 2014): the same everywhere. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

static unsigned below(uint64_t *state, unsigned count)
{
    return (unsigned)(next_random(state) >> 33) % count;
}

/* A key of the keymap, a digit, a letter, a mouse event or a paste. */
static struct key random_key(uint64_t *state, int w, int h)
{
    static const uint32_t mouse[] = {KEY_MOUSE_PRESS, KEY_MOUSE_WHEEL_UP, KEY_MOUSE_WHEEL_DOWN,
                                     KEY_MOUSE_OTHER};
    struct key key = {0};
    unsigned kind = below(state, 100);
    if (kind < 60) {
        char word[16];
        enum request request = (enum request)(1 + below(state, REQUESTS_COUNT - 1));
        keymap_first(request, word);
        if (*word && key_parse(word, &key))
            return key;
    }
    if (kind < 75) {
        key.code = '1' + below(state, 9);
    } else if (kind < 85) {
        key.code = 32 + below(state, 95);
    } else if (kind < 95) {
        key.code = mouse[below(state, 4)];
        key.x = (int)below(state, (unsigned)w + 3);
        key.y = (int)below(state, (unsigned)h + 3);
    } else if (kind < 97) {
        key = (struct key){.code = KEY_PASTE, .text = "pasted [text](*", .length = 15};
    } else {
        key.code = kind == 97 ? KEY_ESC : kind == 98 ? 0x4E16 /* a wide character */ : KEY_ENTER;
    }
    return key;
}

static void random_event(struct test_screen *screen, uint64_t *state)
{
    switch (below(state, 9)) {
    case 0:
        build_events_middle(screen);
        break;
    case 1:
        build_events_failed(screen);
        break;
    case 2:
        build_events_done(screen);
        break;
    case 3:
        sample_guest_running(screen);
        break;
    case 4:
        build_events_raced(screen);
        break;
    case 5:
    case 6: /* the steps that the screens knew are gone */
        build_events_begun(screen);
        break;
    case 7:
        sample_guest_failed(screen);
        break;
    default:
        app_event(test_screen_app(screen), &(struct event){.kind = EVENT_MESSAGE,
                                                           .severity = SEVERITY_ERROR,
                                                           .text = "something went wrong"});
    }
}

static void press(struct test_screen *screen, uint64_t *state, int *w, int *h)
{
    struct app *app = test_screen_app(screen);
    if (below(state, 40) == 0) {
        *w = 1 + (int)below(state, 220);
        *h = 1 + (int)below(state, 70);
        test_screen_resize(screen, *w, *h);
    }
    if (below(state, 60) == 0)
        random_event(screen, state);
    struct key key = random_key(state, *w, *h);
    app_key(app, &key);
    app->quit = app->suspend = app->mouse_toggled = app->plain = false;
}

static void nothing_breaks_and_the_picture_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
        uint64_t random = seeds[i];
        int w = 80, h = 24;
        struct test_screen *screen =
            test_screen_open(w, h, (enum test_look)(seeds[i] % (TEST_ASCII + 1)));
        sample_everything(screen);
        if (i % 2) /* a manifest that folds, and a log that wraps */
            sample_everything_long(screen);
        for (int k = 1; k <= KEYS; k++) {
            press(screen, &random, &w, &h);
            if (k % DRAW_EVERY == 0)
                test_screen_text(screen);
            if (k % CHECK_EVERY == 0) {
                char *frames = mem_copy(test_screen_text(screen));
                assert_string_equal(frames, test_screen_afresh(screen));
                free(frames);
            }
        }
        assert_true(strlen(test_screen_asked(screen)) > 0); /* the keys did reach the actions */
        test_screen_close(screen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_breaks_and_the_picture_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
