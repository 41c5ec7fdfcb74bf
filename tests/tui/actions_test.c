/*
 * The table of actions, walked: each has a command that does the same, or belongs to the screen alone;
 * no key of a key line is dead on any screen in any state; whatever goes wrong says what to do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/support/build_events.h"
#include "tests/support/samples.h"
#include "tui/cli.h"
#include "tui/keymap.h"
#include "views/views.h"

/* What only moves about a screen, or changes how it is shown. A new action is listed here, or has its
 * command in request.h. */
static const enum request screen_alone[] = {
    REQ_UP,
    REQ_DOWN,
    REQ_PAGE_UP,
    REQ_PAGE_DOWN,
    REQ_HOME,
    REQ_END,
    REQ_LEFT,
    REQ_RIGHT,
    REQ_NEXT_PANE,
    REQ_PREVIOUS_PANE,
    REQ_ENTER,
    REQ_BACK,
    REQ_MARK,
    REQ_COPY,
    REQ_REDO,
    REQ_FILTER,
    REQ_SORT,
    REQ_ZOOM,
    REQ_WRAP,
    REQ_NEXT_FAILURE,
    REQ_PREVIOUS_FAILURE,
    REQ_SEARCH,
    REQ_SEARCH_NEXT,
    REQ_SEARCH_PREVIOUS,
    REQ_PREVIOUS_RUN,
    REQ_NEXT_RUN,
    REQ_EVENT_BACK,
    REQ_EVENT_NEXT,
    REQ_PALETTE,
    REQ_REDRAW,
    REQ_MOUSE,
    REQ_SUSPEND,
    REQ_QUIT,
    REQ_CLICK,
    REQ_WHEEL_UP,
    REQ_WHEEL_DOWN,
};

static bool is_of_the_screen(enum request request)
{
    for (size_t i = 0; i < sizeof screen_alone / sizeof *screen_alone; i++)
        if (screen_alone[i] == request)
            return true;
    return false;
}

/* "gantry races prove ID": the command is there, and its usage names the word that follows. */
static void is_a_command(const char *text)
{
    char name[32], word[32] = "";
    while ((text = strstr(text, "gantry "))) {
        text += strlen("gantry ");
        int words = sscanf(text, "%31[a-z] %31[a-z-]", name, word);
        const struct command *command = words ? command_find(name) : NULL;
        if (!command)
            fail_msg("there is no command 'gantry %s'", text);
        if (words > 1 && !strstr(command->usage, word) &&
            (!command->options || !strstr(command->options, word)) && word[0] != '-')
            fail_msg("'gantry %s' knows no '%s'", name, word);
    }
}

static void every_action_has_its_command_and_help_shows_it(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(120, 60, TEST_COLOR);
    struct str shown = {0};
    test_screen_keys(screen, "? Home");
    for (int i = 0; i < 3; i++) { /* all of it */
        str_add(&shown, test_screen_text(screen));
        test_screen_keys(screen, "PgDn");
    }
    for (unsigned i = REQ_NONE + 1; i < REQUESTS_COUNT; i++) {
        const struct request_info *info = &request_infos[i];
        if (is_of_the_screen((enum request)i))
            continue;
        if (!*info->command)
            fail_msg("'%s' has no command, and is not of the screen alone", info->word);
        is_a_command(info->command);
        if (*info->keys && !strstr(str_text(&shown), info->command))
            fail_msg("help does not show '%s' of '%s'", info->command, info->word);
    }
    test_screen_close(screen);
    for (unsigned i = REQ_NONE + 1; i < REQUESTS_COUNT; i++) { /* nor do those without a key hide */
        const struct request_info *info = &request_infos[i];
        if (!*info->command)
            continue;
        screen = test_screen_open(120, 40, TEST_COLOR);
        char *keys = mem_format(": '%s'", info->word);
        test_screen_keys(screen, keys);
        free(keys);
        if (!strstr(test_screen_text(screen), info->word))
            fail_msg("the palette does not find '%s'", info->word);
        test_screen_close(screen);
    }
    str_free(&shown);
}

/* ---- every key on every screen ---- */

static void prepare_nothing(struct test_screen *screen)
{
    (void)screen;
}

static void prepare_full(struct test_screen *screen)
{
    sample_everything(screen);
    sample_compared(screen);
    build_events_raced(screen);
}

static void prepare_guest(struct test_screen *screen)
{
    sample_everything(screen);
    sample_guest_failed(screen);
}

static const struct state {
    const char *name;
    void (*prepare)(struct test_screen *);
} states[] = {
    {"no tree", sample_no_tree},
    {"first run", prepare_nothing},
    {"a make tree", sample_make_tree},
    {"running", build_events_middle},
    {"done", build_events_done},
    {"failed, raced", prepare_full},
    {"attached", sample_attached},
    {"a guest that failed", prepare_guest},
    {"target, compose", sample_everything},
};

/* Presses one key on one screen in one state. What came of it: a sentence, "asked ...", "screen" where
 * the picture or a flag changed, NULL where nothing did. */
static char *press(const struct state *in, unsigned view, enum request request,
                   enum severity *severity)
{
    char digit[2] = {views[view]->key, '\0'}, *result = NULL;
    struct test_screen *screen = test_screen_open(120, 40, TEST_COLOR);
    struct app *app = test_screen_app(screen);
    in->prepare(screen);
    test_screen_text(screen);
    test_screen_keys(screen, digit);
    test_screen_text(screen);
    char *before = mem_copy(test_screen_marked(screen));
    test_screen_asked(screen);
    app_perform(app, request);
    const char *asked = test_screen_asked(screen);
    *severity = app->message_severity;
    if (app->message[0])
        result = mem_copy(app->message);
    else if (*asked)
        result = mem_format("asked %s", asked);
    else if (app->quit || app->redraw || app->suspend || app->plain || app->mouse_toggled ||
             strcmp(before, test_screen_marked(screen)) != 0)
        result = mem_copy("screen");
    free(before);
    test_screen_close(screen);
    return result;
}

/* A sentence that a person can act upon: it names a key, a command or a remedy behind its what. */
static bool says_what_to_do(const char *text)
{
    static const char *const signs[] = {"; ", ": ", "gantry ", " selects", "`", "select ", "set "};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strstr(text, signs[i]))
            return true;
    return false;
}

/* Where there is nothing further these stay where they are, and that is seen. */
static bool goes_somewhere(enum request request)
{
    return (request >= REQ_UP && request <= REQ_BACK) || request == REQ_EVENT_NEXT ||
           request == REQ_ZOOM;
}

static void no_key_of_a_key_line_is_dead(void **state)
{
    (void)state;
    struct str dead = {0};
    for (size_t s = 0; s < sizeof states / sizeof *states; s++)
        for (unsigned view = 0; view < views_count; view++)
            for (const struct view_key *key = views[view]->keys; key->request != REQ_NONE; key++) {
                enum severity severity;
                char *result = press(&states[s], view, key->request, &severity);
                if (!result && !goes_somewhere(key->request))
                    str_addf(&dead, "%s: %s: '%s' does nothing and says nothing\n", states[s].name,
                             views[view]->name, request_infos[key->request].word);
                free(result);
            }
    if (dead.len)
        fputs(str_text(&dead), stderr);
    assert_int_equal(dead.len, 0);
    str_free(&dead);
}

static void every_error_says_what_to_do(void **state)
{
    (void)state;
    struct str mute = {0};
    size_t sentences = 0;
    for (size_t s = 0; s < sizeof states / sizeof *states; s++)
        for (unsigned view = 0; view < views_count; view++)
            for (unsigned request = REQ_NONE + 1; request < REQUESTS_COUNT; request++) {
                enum severity severity;
                char *result = press(&states[s], view, (enum request)request, &severity);
                bool sentence =
                    result && strcmp(result, "screen") != 0 && strncmp(result, "asked ", 6) != 0;
                sentences += sentence;
                if (sentence && severity != SEVERITY_NOTE && !says_what_to_do(result))
                    str_addf(&mute, "%s: %s: '%s' says only: %s\n", states[s].name,
                             views[view]->name, request_infos[request].word, result);
                free(result);
            }
    assert_true(sentences > 20); /* they were really heard */
    if (mute.len)
        fputs(str_text(&mute), stderr);
    assert_int_equal(mute.len, 0);
    str_free(&mute);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_action_has_its_command_and_help_shows_it),
        cmocka_unit_test(no_key_of_a_key_line_is_dead),
        cmocka_unit_test(every_error_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
