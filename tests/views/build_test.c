/* The build screen in its states. Goldens are renewed on purpose by UPDATE_GOLDENS=1 make test. */
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

static void a_first_run_says_what_to_do(void **state)
{
    (void)state;
    test_goldens("build-first", NULL, "");
    test_goldens("build-no-tree", sample_no_tree, "");
}

static void a_running_build(void **state)
{
    (void)state;
    test_goldens("build-middle", build_events_middle, "");
    test_goldens("build-racing", build_events_racing, "");
    test_goldens("build-of-make", build_events_of_make, "");
    test_goldens("build-forecast", build_events_forecast, "");
}

/* Of a make that was built before it is known what waits for what, what is on the critical path and how
 * much is left; a real step takes its forecast's place, and what make says goes over it. */
static void what_a_make_will_run_is_forecast(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(120, 40, TEST_COLOR);
    const struct model *model = &test_screen_app(screen)->model;
    build_events_forecast(screen);
    const char *text = test_screen_text(screen);
    assert_non_null(strstr(text, "8/~57"));
    assert_non_null(strstr(text, "left"));
    assert_non_null(strstr(text, "cone: loader-stripped.elf"));
    assert_non_null(strstr(text, "by the last build"));
    assert_int_equal(model->steps.len, 57);
    uint32_t came = model_find(model, 3);
    assert_string_equal(model_target(model, came), "tools/uush/queue.o");
    assert_false(model->steps.at[came].forecast);
    assert_int_equal(model_find(model, EVENT_NONE - 1 - 51), came); /* by both numbers */
    test_screen_keys(screen, "/ 'loader.elf' Enter");
    assert_non_null(strstr(test_screen_text(screen), "waits for 46"));
    build_events_forecast_done(screen);
    text = test_screen_text(screen);
    assert_null(strstr(text, "by the last build"));
    assert_non_null(strstr(text, "✓ 11 done"));
    uint32_t link = model_find(model, 100 + 55);
    assert_string_equal(model_target(model, link), "loader.elf");
    assert_int_equal(model->steps.at[link].needs_count, 11); /* as make has it, not as forecast */
    assert_int_equal(model->steps.at[link].state, STEP_STATE_FRESH);
    assert_int_equal(model_total(model), 11);
    for (size_t i = 0; i < model->steps.len; i++) /* what did not come had nothing to do */
        assert_false(model->steps.at[i].forecast);
    test_screen_close(screen);
}

static void a_pane_alone_and_a_pinned_cone(void **state)
{
    (void)state;
    test_goldens("build-zoomed", build_events_middle, "Tab z");
    test_goldens("build-pinned", build_events_middle, "/ 'string.*sched' Enter");
    test_goldens("build-map", build_events_middle, "S-Tab Right Right");
    test_goldens("build-over", build_events_racing, "Tab Tab Tab Home Down");
}

static void a_failed_build(void **state)
{
    (void)state;
    test_goldens("build-failed", build_events_failed, "");
}

static void other_ends_of_builds(void **state)
{
    (void)state;
    test_goldens("build-blocked", build_events_blocked, "");
    test_goldens("build-many-failures", build_events_many_failures, "");
    test_goldens("build-cancelled", build_events_cancelled, "");
}

static void a_done_build(void **state)
{
    (void)state;
    test_goldens("build-done", build_events_done, "");
}

static void a_build_that_runs_elsewhere(void **state)
{
    (void)state;
    test_goldens("build-attached", sample_attached, "");
}

/* The keys that act ask the console for it, and for nothing else. */
static void keys_ask_for_what_they_say(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    test_screen_keys(screen, "b c r t x");
    assert_string_equal(test_screen_asked(screen), "build() compose() boot() tests() stop()");
    build_events_middle(screen);
    test_screen_text(screen);
    test_screen_keys(screen, "> e");
    assert_string_equal(test_screen_asked(screen), "edit(fs/rofs/timer.c:88)");
    test_screen_close(screen);
}

/* Whatever a step came to has its word: where it is listed, and in the sum. */
static void outcomes_have_their_words(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(200, 60, TEST_COLOR);
    struct model *model = &test_screen_app(screen)->model;
    static const struct {
        const char *target;
        enum outcome outcome;
        bool traced;
    } steps[] = {{"a.o", OUTCOME_RAN, false},
                 {"b.o", OUTCOME_UNCHANGED, true},
                 {"c.o", OUTCOME_RESTORED, true},
                 {"d.o", OUTCOME_CANCELLED, true},
                 {"e.o", OUTCOME_FAILED, true}};
    build_events_begun(screen);
    for (uint32_t i = 0; i < 5; i++) {
        model_event(model,
                    &(struct event){.kind = EVENT_STEP_ADD, .step = i, .target = steps[i].target});
        model_event(model, &(struct event){.kind = EVENT_STEP_BEGIN, .step = i});
        model_event(model, &(struct event){.kind = EVENT_STEP_END,
                                           .step = i,
                                           .outcome = steps[i].outcome,
                                           .exit = i == 4,
                                           .traced = steps[i].traced,
                                           .wall_ns = 1000000000 * (5 - i)});
    }
    model_event(model, &(struct event){.kind = EVENT_BUILD_END, .status = BUILD_FAILED});
    const char *text = test_screen_text(screen);
    assert_non_null(strstr(text, "1 failed, 1 not built, 1 rewrote the same bytes, 1 restored"));
    assert_non_null(strstr(text, " unchanged "));
    assert_non_null(strstr(text, " restored "));
    assert_non_null(strstr(text, "⊘ "));
    test_screen_app(screen)->state.focus = 0;
    assert_non_null(strstr(test_screen_text(screen), ", untraced"));
    test_screen_close(screen);
}

/* A command of many words leaves room for the tree's name and for the times. */
static void a_long_command_is_cut_in_its_middle(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    struct app *app = test_screen_app(screen);
    app->state.arch = app->state.mode = app->state.image = NULL;
    app->state.tree = APP_TREE_MAKE;
    app->state.command = "make fs=rofs bootfs_manifest=bootfs_empty.manifest.skel";
    app_event(app, &(struct event){.kind = EVENT_BUILD_BEGIN, .tree = "/src/demo"});
    app_event(app, &(struct event){.kind = EVENT_STEP_ADD, .step = 1, .target = "a"});
    app_event(app, &(struct event){.kind = EVENT_STEP_BEGIN, .step = 1});
    app_event(app, &(struct event){.kind = EVENT_MESSAGE, .t_ns = 7000000000});
    const char *text = test_screen_text(screen);
    assert_ptr_equal(strstr(text, " demo "), text);
    assert_non_null(strstr(text, "   make fs="));
    assert_non_null(strstr(text, ".skel   0/≥1  "));
    assert_non_null(strstr(text, "7.0s"));
    test_screen_close(screen);
}

/* What was said of a build that runs is gone with it; other sentences stay. */
static void what_is_said_of_a_running_build_goes_with_it(void **state)
{
    (void)state;
    for (int of_build = 0; of_build < 2; of_build++) {
        struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
        struct app *app = test_screen_app(screen);
        build_events_middle(screen);
        if (of_build)
            app_say_of_build(app, "a build is running: x stops it");
        else
            app_say(app, SEVERITY_NOTE, "a build is running: x stops it");
        assert_non_null(strstr(test_screen_text(screen), "x stops it"));
        app_event(app, &(struct event){.kind = EVENT_BUILD_END, .status = BUILD_OK});
        assert_int_equal(strstr(test_screen_text(screen), "x stops it") == NULL, of_build);
        test_screen_close(screen);
    }
}

/* A step that we do ourselves is described in lines; none of it is a replacement character. */
static void a_description_keeps_its_lines(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(200, 60, TEST_COLOR);
    struct model *model = &test_screen_app(screen)->model;
    build_events_begun(screen);
    model_event(model, &(struct event){.kind = EVENT_STEP_ADD, .step = 1, .target = "usr.img"});
    model_event(model,
                &(struct event){.kind = EVENT_STEP_BEGIN,
                                .step = 1,
                                .text = "format 1 align 0x200\nboot.bin@0 p0\nusr.rofs@0x8 p2"});
    const char *text = test_screen_text(screen), *first = strstr(text, "format 1 align 0x200\n");
    assert_non_null(first);
    assert_true(strstr(text, "boot.bin@0 p0\n") > first);
    assert_null(strstr(text, "\uFFFD"));
    test_screen_close(screen);
}

/* A launcher may tell later on which machine it has the compile done. */
static void a_lane_tells_the_machine(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(120, 40, TEST_COLOR);
    struct model *model = &test_screen_app(screen)->model;
    build_events_begun(screen);
    model_event(model, &(struct event){.kind = EVENT_STEP_ADD, .step = 1, .target = "a.o"});
    model_event(model, &(struct event){.kind = EVENT_STEP_BEGIN, .step = 1, .host = "distcc"});
    assert_non_null(strstr(test_screen_text(screen), " distcc "));
    struct event told = {.kind = EVENT_LANE, .step = 2, .host = "distcc@farm-3", .rss_kib = 1};
    model_event(model, &told); /* of a step that is over */
    assert_null(strstr(test_screen_text(screen), "farm-3"));
    told.step = 1;
    model_event(model, &told);
    assert_non_null(strstr(test_screen_text(screen), " distcc@farm-3 "));
    told.host = NULL; /* between two phases */
    model_event(model, &told);
    assert_non_null(strstr(test_screen_text(screen), " distcc@farm-3 "));
    test_screen_close(screen);
}

/* A recipe begins with `mkdir -p`; when its compiler comes, it is told again, and is a compile. */
static void a_step_told_again_has_its_new_rule(void **state)
{
    (void)state;
    struct model model;
    model_init(&model);
    struct event add = {.kind = EVENT_STEP_ADD, .step = 7, .target = "gen/x.txt", .rule = "file"};
    model_event(&model, &add);
    uint32_t step = model_find(&model, 7);
    assert_int_equal(model.steps.at[step].stage, STAGE_GEN);
    add.rule = "cxx";
    add.text = "g++ -c x.cc";
    model_event(&model, &add);
    assert_string_equal(model_text(&model, model.steps.at[step].rule), "cxx");
    assert_int_equal(model.steps.at[step].stage, STAGE_CC);
    assert_string_equal(model_text(&model, model.steps.at[step].command), "g++ -c x.cc");
    model_event(&model, &(struct event){.kind = EVENT_STEP_READY, .step = 7, .rule = "file"});
    assert_string_equal(model_text(&model, model.steps.at[step].rule), "cxx");
    model_free(&model);
}

static void more_happens(struct test_screen *screen, bool look)
{
    struct model *model = &test_screen_app(screen)->model;
    uint64_t t_ns = model->now_ns;
    size_t steps = model->steps.len;
    for (size_t i = 0; i < steps; i++) {
        uint32_t id = model->steps.at[i].id;
        model_event(model, &(struct event){.kind = EVENT_STEP_ADD, .step = id, .forecast = i % 5});
        if (look)
            test_screen_text(screen);
        model_event(model, &(struct event){.kind = EVENT_STEP_READY, .step = id});
        model_event(model, &(struct event){.kind = EVENT_STEP_BEGIN, .step = id, .t_ns = t_ns});
        if (look)
            test_screen_text(screen);
        if (i % 3)
            model_event(model,
                        &(struct event){.kind = EVENT_STEP_END,
                                        .step = id,
                                        .t_ns = t_ns,
                                        .outcome = i % 7 == 1 ? OUTCOME_FAILED : OUTCOME_RAN});
    }
    model_event(model, &(struct event){.kind = EVENT_FINDING,
                                       .id = "R9",
                                       .first = model->steps.at[1].id,
                                       .second = model->steps.at[steps / 2].id,
                                       .severity = SEVERITY_WARNING});
    model_tick(model, t_ns + 1000000000);
}

/* A screen that was drawn before any step came shows all of them. */
static void steps_that_come_later_are_on_the_map(void **state)
{
    (void)state;
    char *pictures[2];
    for (int watched = 0; watched < 2; watched++) {
        struct test_screen *screen = test_screen_open(100, 32, TEST_COLOR);
        build_events_begun(screen);
        if (watched)
            test_screen_text(screen);
        for (uint32_t step = 0; step < 5; step++)
            model_event(&test_screen_app(screen)->model,
                        &(struct event){.kind = EVENT_STEP_ADD,
                                        .step = step,
                                        .target = step ? "kernel/a.o" : "gen.h",
                                        .rule = step ? "cc" : "header"});
        pictures[watched] = mem_copy(test_screen_marked(screen));
        test_screen_close(screen);
    }
    assert_string_equal(pictures[0], pictures[1]);
    free(pictures[0]);
    free(pictures[1]);
}

/* What is over is looked at step by step; what ends meanwhile moves nothing under the cursor. */
static void the_selected_step_stays(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(200, 60, TEST_COLOR);
    struct app *app = test_screen_app(screen);
    build_events_middle(screen);
    test_screen_text(screen);
    test_screen_keys(screen, "Tab Tab Tab Home Down Down");
    uint32_t focus = app->state.focus;
    assert_int_equal(focus, app->model.steps.at[app->model.ended.at[app->model.ended.len - 3]].id);
    char *before = mem_copy(test_screen_text(screen));
    model_event(&app->model, &(struct event){.kind = EVENT_STEP_END,
                                             .step = 32,
                                             .t_ns = app->model.now_ns,
                                             .wall_ns = 2000000000,
                                             .outcome = OUTCOME_RAN});
    assert_string_not_equal(test_screen_text(screen), before);
    test_screen_keys(screen, "w");
    assert_int_equal(app->state.focus, focus);
    free(before);
    test_screen_close(screen);
}

/* On the lanes a lane is selected: step and tail are of what runs there now. */
static void a_selected_lane_is_followed(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(200, 60, TEST_COLOR);
    struct model *model = &test_screen_app(screen)->model;
    build_events_middle(screen);
    test_screen_text(screen);
    test_screen_keys(screen, "Down Up"); /* lane 1 */
    assert_non_null(strstr(test_screen_text(screen), "step: kernel/string.o"));
    uint64_t t_ns = model->now_ns;
    model_event(model, &(struct event){.kind = EVENT_STEP_END, .step = 32, .t_ns = t_ns});
    assert_non_null(strstr(test_screen_text(screen), "step: kernel/string.o")); /* the last there */
    model_event(model, &(struct event){.kind = EVENT_STEP_BEGIN, .step = 34, .t_ns = t_ns});
    assert_non_null(strstr(test_screen_text(screen), "step: kernel/mount.o"));
    test_screen_keys(screen, "w");
    assert_non_null(strstr(test_screen_text(screen), "why kernel/mount.o"));
    test_screen_close(screen);
}

/* All panes, the cone alone, and then another build on the same screen. */
static void take_pictures(bool look, char *pictures[static 3])
{
    struct test_screen *screen = test_screen_open(200, 60, TEST_COLOR);
    build_events_middle(screen);
    more_happens(screen, look);
    test_screen_text(screen);
    test_screen_keys(screen, "S-Tab");
    pictures[0] = mem_copy(test_screen_marked(screen));
    test_screen_keys(screen, "Tab Tab z Home"); /* the cone's cursor kept its row */
    pictures[1] = mem_copy(test_screen_marked(screen));
    build_events_done(screen);
    pictures[2] = mem_copy(test_screen_marked(screen));
    test_screen_close(screen);
}

/* Counts kept from frame to frame are those of a screen that sees it all at once. */
static void looking_changes_nothing(void **state)
{
    (void)state;
    char *looking[3], *away[3];
    take_pictures(true, looking);
    take_pictures(false, away);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(looking[i], away[i]);
        free(looking[i]);
        free(away[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_run_says_what_to_do),
        cmocka_unit_test(a_running_build),
        cmocka_unit_test(what_a_make_will_run_is_forecast),
        cmocka_unit_test(a_pane_alone_and_a_pinned_cone),
        cmocka_unit_test(a_failed_build),
        cmocka_unit_test(other_ends_of_builds),
        cmocka_unit_test(a_done_build),
        cmocka_unit_test(a_build_that_runs_elsewhere),
        cmocka_unit_test(keys_ask_for_what_they_say),
        cmocka_unit_test(a_step_told_again_has_its_new_rule),
        cmocka_unit_test(outcomes_have_their_words),
        cmocka_unit_test(a_long_command_is_cut_in_its_middle),
        cmocka_unit_test(what_is_said_of_a_running_build_goes_with_it),
        cmocka_unit_test(a_description_keeps_its_lines),
        cmocka_unit_test(a_lane_tells_the_machine),
        cmocka_unit_test(the_selected_step_stays),
        cmocka_unit_test(a_selected_lane_is_followed),
        cmocka_unit_test(steps_that_come_later_are_on_the_map),
        cmocka_unit_test(looking_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
