/* The other screens and the pop-ups, each in its states. Goldens are renewed on purpose by
 * UPDATE_GOLDENS=1 make test; read `git diff tests/goldens` before you commit them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "tests/support/build_events.h"
#include "tests/support/samples.h"
#include "views/summary.h"

static void log_of_a_step_and_of_the_build(void **state)
{
    (void)state;
    test_goldens("log-empty", NULL, "5");
    test_goldens("log-step", build_events_middle, "> l");
    test_goldens("log-found", build_events_middle, "5 / 'now' Enter");
}

/* > goes from diagnostic to diagnostic, whatever program wrote it, and e opens its place. */
static void log_keys_open_places(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    test_screen_log(screen, EVENT_NONE,
                    "nothing to see\n"
                    "kernel/a.c:12:3: warning: unused variable 'x' [-Wunused-variable]\n"
                    "include/b.h:7:1: fatal error: c.h: No such file or directory\n"
                    "/usr/bin/ld: kernel/main.c:88: undefined reference to `sched_start'\n"
                    "make[1]: *** [build.mk:412: tools/lsroute.so] Error 1\n"
                    "    [javac] src/Hello.java:3: error: ';' expected\n"
                    "arch/boot.S:9: Error: no such instruction: `mvo %eax'\n"
                    "main.c:(.text+0x5): undefined reference to `missing'\n"
                    "build.mk:7: *** missing separator.  Stop.\n"
                    "/src/demo/build.xml:23: Compile failed; see the compiler error output\n"
                    "12:34:56: not a place\n"
                    "/usr/bin/ld: cannot find -ltools: No such file or directory\n"
                    "make: *** No rule to make target 'x', needed by 'all'.  Stop.\n"
                    "collect2: error: ld returned 1 exit status\n");
    test_screen_keys(screen, "5");
    test_screen_text(screen);
    test_screen_keys(screen, "Home > e > e > e > e > e > e > e > e > e");
    assert_string_equal(test_screen_asked(screen),
                        "edit(kernel/a.c:12) edit(include/b.h:7) edit(kernel/main.c:88) "
                        "edit(build.mk:412) edit(src/Hello.java:3) edit(arch/boot.S:9) "
                        "edit(main.c:0) edit(build.mk:7) edit(/src/demo/build.xml:23)");
    test_screen_keys(screen, "> y > y > y"); /* troubles without a place are stopped at, too */
    assert_string_equal(test_screen_asked(screen),
                        "copy(/usr/bin/ld: cannot find -ltools: No such file or directory) "
                        "copy(make: *** No rule to make target 'x', needed by 'all'.  Stop.) "
                        "copy(collect2: error: ld returned 1 exit status)");
    test_screen_keys(screen, "e"); /* names no place */
    assert_string_equal(test_screen_asked(screen), "");
    test_screen_keys(screen, "< < <");
    test_screen_keys(screen, "e");
    assert_string_equal(test_screen_asked(screen), "edit(/src/demo/build.xml:23)");
    test_screen_close(screen);
}

enum { MANY_LINES = 100000 };

static void a_log_of_many_lines(struct test_screen *screen)
{
    struct str text = {0};
    build_events_middle(screen);
    for (unsigned i = 0; i < MANY_LINES; i++)
        str_addf(&text, "%06u %s\n", i, i == MANY_LINES - 9 ? "here it is" : "nothing to see");
    test_screen_log(screen, EVENT_NONE, str_text(&text));
    str_free(&text);
    test_screen_keys(screen, "5");
    test_screen_text(screen);
    test_screen_keys(screen, "Home");
}

/* Pieces of work until there is none left. */
static unsigned work_on(struct app *app)
{
    unsigned pieces = 0;
    for (; app_works(app) && pieces < MANY_LINES; pieces++)
        app_work(app);
    return pieces;
}

/* A long log is searched piece by piece; keys are answered between them, and end the search. */
static void a_long_search_lets_keys_through(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    struct app *app = test_screen_app(screen);
    a_log_of_many_lines(screen);
    test_screen_keys(screen, "/ 'here it is' Enter");
    assert_true(app_works(app));
    assert_non_null(strstr(test_screen_text(screen), "searching, "));
    assert_null(strstr(test_screen_text(screen), "here it is\n"));
    test_screen_keys(screen, "Down"); /* that is done, and the search is not */
    assert_false(app_works(app));
    const char *title = strstr(test_screen_text(screen), "log: whole build");
    assert_non_null(title);
    assert_non_null(strstr(title, " 2 of 1000"));
    test_screen_keys(screen, "n");
    assert_true(app_works(app));
    assert_in_range(work_on(app), 10, MANY_LINES / 100);
    assert_non_null(strstr(test_screen_text(screen), "099991 here it is\n"));
    test_screen_keys(screen, "n"); /* around the end: it is the only one */
    assert_in_range(work_on(app), 10, MANY_LINES / 100);
    assert_non_null(strstr(test_screen_text(screen), "099991 here it is\n"));
    test_screen_keys(screen, "N Esc");
    assert_false(app_works(app));
    assert_non_null(strstr(test_screen_text(screen), "the search was stopped"));
    test_screen_keys(screen, "/ 'no such line' Enter");
    test_screen_keys(screen, "1"); /* another screen: it waits */
    assert_false(app_works(app));
    test_screen_keys(screen, "5");
    assert_true(app_works(app));
    work_on(app);
    assert_non_null(strstr(test_screen_text(screen), "no line matches 'no such line'"));
    test_screen_close(screen);
}

static void a_log_of_long_lines(struct test_screen *screen)
{
    struct str text = {0};
    for (unsigned i = 1; i <= 30; i++) {
        str_addf(&text, "line %u", i);
        for (unsigned k = 0; i % 3 == 0 && k < 40; k++)
            str_addf(&text, " wörd%u", k);
        str_add_char(&text, '\n');
    }
    test_screen_log(screen, EVENT_NONE, str_text(&text));
    str_free(&text);
}

/* Wrapped, a long line takes as many rows as it needs, and the cursor stays in sight. */
static void log_wraps_and_copies(void **state)
{
    (void)state;
    test_goldens("log-wrapped", a_log_of_long_lines, "5 Z");
    test_goldens("log-wrapped-found", a_log_of_long_lines, "5 Z Home / 'wörd1' Enter");
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    a_log_of_long_lines(screen);
    test_screen_keys(screen, "5 Z Home");
    const char *text = test_screen_text(screen);
    assert_non_null(strstr(text, "wörd39")); /* cut, it could not be seen */
    test_screen_keys(screen, "Z");
    assert_null(strstr(test_screen_text(screen), "wörd39"));
    test_screen_keys(screen, "Z End Home Down Down Down");
    assert_non_null(strstr(test_screen_text(screen), "4 of 30"));
    test_screen_keys(screen, "Home Down Space End Home y"); /* from line 2 to line 1 */
    assert_string_equal(test_screen_asked(screen), "copy(line 1\nline 2\n)");
    test_screen_close(screen);
}

static void target_and_a_pick(void **state)
{
    (void)state;
    test_goldens("target", sample_targets, "6");
    test_goldens("target-missing", sample_targets, "6 Left");
    test_goldens("target-typing", sample_targets, "6 Tab Tab Down Down i '9'");
    test_goldens("target-marked", sample_targets, "6 Space Up Space Left Left Space");
    test_goldens("target-profiles", sample_targets, "6 Tab Right");
    test_goldens("target-naming", sample_targets, "6 Ins 'nightly'");
    test_goldens("target-found", sample_targets, "6 Tab Tab / 'img' Enter");
    test_goldens("target-make", sample_make_tree, "6");
    test_goldens("target-osv", sample_osv_tree, "6");
}

static void target_keys_pick(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    sample_targets(screen);
    test_screen_keys(screen, "6");
    test_screen_text(screen);
    test_screen_keys(screen, "Left Left Home Enter");
    assert_string_equal(test_screen_asked(screen),
                        "select(arch=aarch64) select(mode=debug) select(image=default)");
    test_screen_keys(screen, "Right Enter"); /* no compiler: it says so and picks nothing */
    assert_string_equal(test_screen_asked(screen), "");
    test_screen_keys(screen, "y"); /* but the command that mends that is given */
    assert_string_equal(test_screen_asked(screen),
                        "copy(apt-get install gcc-riscv64-linux-gnu qemu-system-misc)");
    test_screen_keys(screen, "Right y Left"); /* nothing is missing there */
    assert_string_equal(test_screen_asked(screen), "");
    test_screen_keys(screen, "Tab Tab Down Space W");
    assert_string_equal(test_screen_asked(screen), "select(conf-DEBUG_BUILD=1) save()");
    test_screen_keys(screen, "/ 'fs' Enter i 'x' Enter"); /* an option is found, and typed */
    assert_string_equal(test_screen_asked(screen), "select(fs=rofsx)");
    test_screen_close(screen);
}

/* Space marks combinations wherever they stand, and b builds all of them; a mark that cannot be built
 * is refused with the reason. */
static void target_builds_what_is_marked(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    sample_targets(screen);
    test_screen_keys(screen, "6");
    test_screen_text(screen);
    test_screen_keys(screen, "b"); /* nothing is marked: what is picked */
    assert_string_equal(test_screen_asked(screen), "build()");
    test_screen_keys(screen, "Space Up Space / 'aarch64 debug uush' Enter Space Left Space b");
    assert_string_equal(test_screen_asked(screen),
                        "each(x64 debug uush) each(x64 release default)");
    test_screen_keys(screen, "/ 'riscv64' Enter Space");
    assert_non_null(strstr(test_screen_text(screen), "riscv64-linux-gnu-gcc is not on PATH"));
    test_screen_keys(screen, "b"); /* marks are gone once they are built */
    assert_string_equal(test_screen_asked(screen), "build()");
    test_screen_close(screen);
}

/* A make tree's command is typed on the screen, and comes back after a restart. */
static void target_keeps_the_command_of_make(void **state)
{
    (void)state;
    test_goldens("target-make-typing", sample_make_tree, "6 i ' fs=rofs'");
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    struct str saved = {0};
    sample_make_tree(screen);
    test_screen_keys(screen, "6 i Esc i ' fs=rofs' Enter");
    assert_string_equal(test_screen_asked(screen), "command-line(make all fs=rofs)");
    assert_non_null(strstr(test_screen_text(screen), "make all fs=rofs"));
    app_save(test_screen_app(screen), &saved);
    assert_non_null(strstr(str_text(&saved), "target command make all fs=rofs\n"));
    test_screen_close(screen);
    screen = test_screen_open(80, 24, TEST_COLOR);
    sample_make_tree(screen);
    app_restore(test_screen_app(screen), str_text(&saved)); /* the command line said something */
    assert_string_equal(test_screen_asked(screen), "");
    test_screen_app(screen)->state.command = "make";
    app_restore(test_screen_app(screen), str_text(&saved));
    assert_string_equal(test_screen_asked(screen), "command-line(make all fs=rofs)");
    test_screen_close(screen);
    str_free(&saved);
}

static void target_keeps_profiles(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    sample_targets(screen);
    test_screen_keys(screen, "6 Tab");
    test_screen_text(screen);
    test_screen_keys(screen, "Enter Right Del End Enter 'ci' Enter Ins 'x' Esc");
    assert_string_equal(test_screen_asked(screen), "pick(arm) drop(daily) name(ci)");
    test_screen_close(screen);
}

static void compose_and_its_edits(void **state)
{
    (void)state;
    test_goldens("compose", sample_composition, "7");
    test_goldens("compose-adding", sample_composition, "7 Ins 'data/x' Enter 'dir'");
    test_goldens("compose-diff", sample_composition, "7 W");
    test_goldens("compose-args", sample_composition, "7 Tab i");
    test_goldens("compose-uncomposed", sample_uncomposed, "7");
}

static void the_image_that_is_composed(void **state)
{
    (void)state;
    test_goldens("compose-image", sample_composition, "7 Tab Tab");
    test_goldens("compose-overrun", sample_overrun, "7 Tab Tab z");
    test_goldens("compose-scrolled", sample_overrun, "7 Tab Tab End");
    test_goldens("compose-begun", sample_composing_begun, "7 Tab Tab");
    test_goldens("compose-running", sample_composing, "7 Tab Tab");
}

static void compose_keys_stage(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    sample_composition(screen);
    test_screen_keys(screen, "7");
    test_screen_text(screen);
    test_screen_keys(screen, "Ins 'a' Enter 'b' Enter Home Del u U");
    assert_string_equal(test_screen_asked(screen),
                        "add(1, /a: b, /bin/sh) remove(/bin/sh) undo() redo()");
    test_screen_keys(screen, "Ins 'a' Enter 'data/m' Tab '/b' Enter"); /* paths are completed */
    assert_string_equal(test_screen_asked(screen), "add(1, /a: data/m-one/b, /bin/sh)");
    test_screen_keys(screen, "W Esc");
    assert_string_equal(test_screen_asked(screen), ""); /* looking writes nothing */
    test_screen_keys(screen, "c Enter");
    assert_string_equal(test_screen_asked(screen), "write() compose()");
    test_screen_keys(screen, "/ 'app.conf' Enter e y"); /* $EDITOR at its line, and back */
    assert_string_equal(test_screen_asked(screen),
                        "edit(manifests/usr.manifest.skel:7) copy(/etc/app.conf)");
    test_screen_keys(screen, "i ^U '/etc/a.conf' Enter Enter"); /* a new name, the same file */
    assert_string_equal(test_screen_asked(screen),
                        "change(1, /etc/app.conf, /etc/a.conf: ../conf/app.conf)");
    test_screen_keys(screen, "Tab i ' x' Enter");
    assert_string_equal(test_screen_asked(screen),
                        "args(--rootfs=zfs --verbose /tools/uush.so hello world x)");
    test_screen_close(screen);
}

/* A long manifest folds by directory; what is missing stays in sight. */
static void compose_folds_and_orders(void **state)
{
    (void)state;
    test_goldens("compose-folded", sample_long_manifest, "7");
    test_goldens("compose-unfolded", sample_long_manifest, "7 Down Down Down Right");
    test_goldens("compose-file-order", sample_long_manifest, "7 s s Home");
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    sample_long_manifest(screen);
    test_screen_keys(screen, "7");
    assert_null(strstr(test_screen_text(screen), "file35"));
    assert_non_null(strstr(test_screen_text(screen), "file40"));
    test_screen_keys(screen, "/ 'file35' Enter"); /* found in a fold, which opens */
    assert_non_null(strstr(test_screen_text(screen), "file35"));
    test_screen_keys(screen, "Left"); /* and closes */
    assert_null(strstr(test_screen_text(screen), "file35"));
    test_screen_keys(screen, "Del"); /* a directory is no entry */
    assert_string_equal(test_screen_asked(screen), "");
    test_screen_keys(screen, "End Up J"); /* another order first, then the entry moves */
    assert_string_equal(test_screen_asked(screen), "");
    test_screen_keys(screen, "J K");
    assert_string_equal(test_screen_asked(screen), "move(manifests/usr.manifest.skel:60 down) "
                                                   "move(manifests/usr.manifest.skel:60 up)");
    test_screen_close(screen);
}

/* Options are known, completed and judged while they are typed; A asks before it writes. */
static void compose_args_are_read(void **state)
{
    (void)state;
    test_goldens("compose-args-typed", sample_composition,
                 "7 Tab i ^U '--rootsf=zfs --delay=x --env= \"/a b' Tab");
    test_goldens("compose-args-apply", sample_free_image, "7 Tab A");
    struct test_screen *screen = test_screen_open(120, 40, TEST_COLOR);
    sample_composition(screen);
    test_screen_keys(screen, "7 Tab i ^U '--rootf' Tab");
    test_screen_text(screen);
    test_screen_keys(screen, "'z' Tab ' /etc/m' Tab Enter");
    assert_string_equal(test_screen_asked(screen), "args(--rootfs=zfs /etc/motd)");
    test_screen_keys(screen, "i Up Up Up Down Enter"); /* history: what the image had */
    assert_string_equal(test_screen_asked(screen), "args(--rootfs=rofs /tools/uush.so)");
    test_screen_keys(screen, "A");
    assert_non_null(strstr(test_screen_text(screen), "the image is held by pid 4711"));
    sample_free_image(screen);
    test_screen_keys(screen, "A Esc");
    assert_string_equal(test_screen_asked(screen), ""); /* looking writes nothing */
    test_screen_keys(screen, "A Enter");
    assert_string_equal(test_screen_asked(screen), "apply()");
    test_screen_close(screen);
}

static void boot_and_its_verdicts(void **state)
{
    (void)state;
    test_goldens("boot-never", NULL, "8");
    test_goldens("boot-running", sample_guest_running, "8 i");
    test_goldens("boot-ended", sample_guest_ended, "8");
    test_goldens("boot-failed", sample_guest_failed, "8");
}

/* Attached, every key is the guest's; ^] comes back. */
static void boot_hands_keys_on(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    sample_guest_running(screen);
    test_screen_keys(screen, "8 i 'q7' ^C Enter ^] q");
    assert_string_equal(test_screen_asked(screen), "type(q) type(7) type(\x03) type(\r)");
    assert_true(test_screen_app(screen)->asking_quit);
    test_screen_app(screen)->state.booting = false; /* it ends meanwhile: nothing to ask */
    test_screen_text(screen);
    assert_false(test_screen_app(screen)->asking_quit);
    test_screen_close(screen);
}

static void graph_of_what_needs_what(void **state)
{
    (void)state;
    test_goldens("graph-never", NULL, "2");
    test_goldens("graph", build_events_middle, "2");
    test_goldens("graph-object", build_events_failed, "> g");
    test_goldens("graph-racing", build_events_racing, "2 f 'queue' Enter");
    test_goldens("graph-of-make", build_events_of_make, "2");
    test_goldens("graph-filter", build_events_middle, "2 f 'queue' Enter Space Home");
}

/* Each thing stands once; Right unfolds, Enter goes to it, Esc comes back, b builds it alone. */
static void graph_keys_go_through_it(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(120, 60, TEST_COLOR);
    build_events_middle(screen);
    test_screen_text(screen);
    test_screen_keys(screen, "2");
    assert_non_null(strstr(test_screen_text(screen), "graph: usr.img"));
    assert_null(strstr(test_screen_text(screen), "main.o")); /* folded */
    test_screen_keys(screen, "/ 'loader-stripped' Enter");
    assert_non_null(strstr(test_screen_text(screen), "graph: loader-stripped.elf"));
    test_screen_keys(screen, "b");
    assert_string_equal(test_screen_asked(screen), "build(loader-stripped.elf)");
    test_screen_keys(screen, "Down Right Down Enter");
    const char *text = test_screen_text(screen);
    assert_null(strstr(text, "graph: loader-stripped.elf"));
    test_screen_keys(screen, "Esc");
    assert_non_null(strstr(test_screen_text(screen), "graph: loader-stripped.elf"));
    test_screen_close(screen);
}

/* d: what a step declares against what it used; it stays on while one goes through the tree. */
static void graph_edges_are_told(void **state)
{
    (void)state;
    test_goldens("graph-edges", build_events_middle, "2 / 'kernel/string' Enter d");
    struct test_screen *screen = test_screen_open(120, 40, TEST_COLOR);
    build_events_middle(screen);
    test_screen_text(screen);
    test_screen_keys(screen, "2 d");
    assert_non_null(strstr(test_screen_text(screen), "declared and used: usr.img"));
    test_screen_keys(screen, "/ 'kernel/queue' Enter");
    assert_non_null(strstr(test_screen_text(screen), "the record is being read"));

    test_screen_keys(screen, "/ 'kernel/mount' Enter");
    assert_non_null(strstr(test_screen_text(screen), "all that it uses is declared"));
    test_screen_keys(screen, "d");
    assert_null(strstr(test_screen_text(screen), "declared and used: "));
    test_screen_close(screen);
}

/* From a target to another: the way between them, whichever needs the other. */
static void graph_shows_the_way_between_two(void **state)
{
    (void)state;
    test_goldens("graph-way", build_events_middle, "2 Space / 'sched' Enter");
}

/* A race across five lanes, which the links go over. */
static void many_lanes_raced(struct test_screen *screen)
{
    build_events_lanes(&test_screen_app(screen)->model, 6);
}

static void a_replayed_build(struct test_screen *screen)
{
    build_events_raced(screen);
    test_screen_app(screen)->state.replaying = test_screen_app(screen)->state.playing = true;
    test_screen_app(screen)->state.speed = 16;
    test_screen_app(screen)->state.held_by = "recorded";
}

/* The window follows the cursor by pages, and keeps it where one zooms. */
static void time_zooms_and_pans(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    build_events_failed(screen);
    test_screen_keys(screen, "3 ] ] ] Home");
    assert_non_null(strstr(test_screen_text(screen), "│0:00.0"));
    test_screen_keys(screen, "PgDn PgDn");
    assert_null(strstr(test_screen_text(screen), "│0:00.0"));
    test_screen_keys(screen, "Home ] ] ] ] ] ] ]"); /* to the millisecond */
    assert_non_null(strstr(test_screen_text(screen), "│0:00.010"));
    test_screen_keys(screen, "z");
    assert_non_null(strstr(test_screen_text(screen), "│0:00.0"));
    test_screen_close(screen);
}

static void time_of_the_lanes(void **state)
{
    (void)state;
    test_goldens("time-never", NULL, "3");
    test_goldens("time-live", build_events_middle, "3");
    test_goldens("time-ended", build_events_raced, "3 Home . . .");
    test_goldens("time-raced", many_lanes_raced, "3");
    test_goldens("time-playing", a_replayed_build, "3 [ Home Space s");
    test_goldens("time-zoomed", build_events_failed, "3 ] ] ] <");
}

static void time_tells_what_shell_costs(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(120, 40, TEST_COLOR);
    struct str text = {0};
    build_events_failed(screen);
    for (int i = 0; i < 40; i++)
        model_event(&test_screen_app(screen)->model, &(struct event){.kind = EVENT_SHELL_CALL,
                                                                     .make = ".",
                                                                     .path = "Makefile",
                                                                     .line = 285,
                                                                     .command = "g++ -E -xc++ - -v",
                                                                     .wall_ns = 100000000});
    test_screen_keys(screen, "3");
    assert_non_null(strstr(test_screen_text(screen), "$(shell)"));
    assert_non_null(strstr(test_screen_text(screen),
                           "make spent 4.0s in 40 calls of g++ -E -xc++ - -v from Makefile:285"));
    summary_text(&test_screen_app(screen)->model, &text);
    assert_non_null(strstr(str_text(&text), "gantry: make spent 4.0s in 40 calls of g++"));
    str_free(&text);
    test_screen_close(screen);
}

static void time_keys_play(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    build_events_failed(screen);
    test_screen_keys(screen, "3");
    test_screen_text(screen);
    test_screen_keys(screen, "> Space s"); /* the failed step began at 10 s */
    assert_string_equal(test_screen_asked(screen), "play(10000000000) speed()");
    test_screen_close(screen);
}

static void sample_held(struct test_screen *screen)
{
    build_events_raced(screen);
    model_event(&test_screen_app(screen)->model,
                &(struct event){.kind = EVENT_HOLD,
                                .id = "R1",
                                .first_target = "one",
                                .second_target = "two",
                                .witnesses = 1,
                                .state = "held",
                                .text = "two starts when one has ended"});
}

static void races_and_what_is_known_of_them(void **state)
{
    (void)state;
    test_goldens("races-never", NULL, "4");
    test_goldens("races", build_events_raced, "4");
    test_goldens("races-proved", build_events_raced, "4 Down");
    test_goldens("races-held", sample_held, "4");
    test_goldens("build-held", sample_held, "1");
    test_goldens("races-live", build_events_racing, "4");
    test_goldens("races-hidden", build_events_raced, "4 H End");
    test_goldens("races-reason", build_events_raced, "4 S 'it is a log'");
}

static void races_keys_ask_for_commands(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    build_events_raced(screen);
    test_screen_keys(screen, "4");
    test_screen_text(screen);
    test_screen_keys(screen, "Enter P Down M W V u");
    assert_string_equal(test_screen_asked(screen),
                        "command(races show R1) command(races prove R1) command(races mend R2) "
                        "command(races mend R2 --apply) command(races verify R2) "
                        "command(races undo R2)");
    test_screen_keys(screen, "S Enter"); /* no reason, no suppression */
    assert_string_equal(test_screen_asked(screen), "");
    test_screen_keys(screen, "'a log' Enter");
    assert_string_equal(test_screen_asked(screen), "command(races suppress R2 --reason a log)");
    test_screen_close(screen);
}

static void held_orders_come_and_go(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    sample_held(screen);
    struct model *model = &test_screen_app(screen)->model;
    assert_int_equal(model->holds.len, 1);
    assert_non_null(model_hold_of(model, model->findings.at[0].id));
    assert_null(model_hold_of(model, model->findings.at[1].id));
    struct event event = {.kind = EVENT_HOLD, .id = "R1", .state = "let-go", .text = "no"};
    model_event(model, &event);
    assert_int_equal(model->holds.len, 1);
    assert_true(model->holds.at[0].let_go);
    assert_non_null(strstr(test_screen_text(screen), "held 1"));
    event.state = "released";
    model_event(model, &event);
    assert_int_equal(model->holds.len, 0);
    model_event(model, &event);
    assert_null(strstr(test_screen_text(screen), "held 1"));
    test_screen_close(screen);
}

static void what_is_told_again_of_a_race_counts(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    build_events_raced(screen);
    struct model *model = &test_screen_app(screen)->model;
    assert_int_equal(model->races, 2);
    const struct model_finding *finding = &model->findings.at[0];
    uint32_t first = finding->first, second = finding->second;
    struct event event = {.kind = EVENT_FINDING,
                          .id = "R1",
                          .severity = SEVERITY_ERROR,
                          .verdict = "harmless",
                          .first = model->steps.at[first].id,
                          .second = model->steps.at[second].id};
    assert_true(model->steps.at[first].raced && model->steps.at[second].raced);
    model_event(model, &event);
    assert_int_equal(model->races, 1);
    assert_false(model->steps.at[first].raced || model->steps.at[second].raced);
    event.verdict = "proved";
    model_event(model, &event);
    assert_int_equal(model->races, 2);
    assert_int_equal(model->findings.len, 3);
    assert_true(model->steps.at[first].raced && model->steps.at[second].raced);
    model_event(model, &(struct event){.kind = EVENT_FINDING,
                                       .id = "R1",
                                       .first = EVENT_NONE,
                                       .second = EVENT_NONE,
                                       .verdict = "withdrawn"});
    assert_int_equal(model->races, 1);
    assert_false(model->steps.at[first].raced || model->steps.at[second].raced);
    finding = &model->findings.at[0];
    assert_string_equal(model_text(model, finding->class), "missing-edge");
    assert_int_equal(finding->first, first);
    test_screen_close(screen);
}

static void two_builds_side_by_side(void **state)
{
    (void)state;
    test_goldens("compare", sample_compared, "=");
    test_goldens("compare-command", sample_compared, "= / 'printf' Enter");
    test_goldens("compare-filter", sample_compared, "= f 'sched' Enter");
    test_goldens("compare-none", sample_incomparable, "=");
}

/* What is selected is what l, g and w speak of where the build behind has it; y copies the why. */
static void compare_keys_go_to_its_steps(void **state)
{
    (void)state;
    struct test_screen *screen = test_screen_open(120, 40, TEST_COLOR);
    build_events_middle(screen);
    sample_compared(screen);
    test_screen_text(screen);
    test_screen_keys(screen, "=");
    assert_non_null(strstr(test_screen_text(screen), "compare ─"));
    test_screen_keys(screen, "Enter"); /* the demo has no such step */
    assert_non_null(strstr(test_screen_text(screen), "the build behind this has no such step"));
    test_screen_keys(screen, "y");
    assert_non_null(strstr(test_screen_asked(screen),
                           "copy(tools/route/lsroute.so\nA: looked for tools/libtools.so in vain"));
    test_screen_keys(screen, "> n");
    assert_non_null(strstr(test_screen_text(screen), "/ begins a search"));
    test_screen_keys(screen, "Esc");
    assert_null(strstr(test_screen_text(screen), "compare ─"));
    test_screen_close(screen);
}

/* Enter goes through all pages and out, Esc leaves from any; another key does what it means. */
static void the_tour(void **state)
{
    (void)state;
    test_goldens("tour", NULL, ": 'tour' Enter");
    test_goldens("tour-asking", build_events_middle, ": 'tour' Enter Enter Enter");
    struct test_screen *screen = test_screen_open(80, 24, TEST_COLOR);
    test_screen_keys(screen, ": 'tour' Enter Left");
    assert_non_null(strstr(test_screen_text(screen), "tour: welcome, 1 of 6"));
    test_screen_keys(screen, "Enter Space Right Down PgDn");
    assert_non_null(strstr(test_screen_text(screen), "6 of 6"));
    test_screen_keys(screen, "Up");
    assert_non_null(strstr(test_screen_text(screen), "5 of 6"));
    test_screen_keys(screen, "Enter Enter");
    assert_null(strstr(test_screen_text(screen), "tour:"));
    test_screen_keys(screen, ": 'tour' Enter Esc");
    assert_null(strstr(test_screen_text(screen), "tour:"));
    assert_string_equal(test_screen_asked(screen), "");
    test_screen_keys(screen, ": 'tour' Enter b");
    assert_null(strstr(test_screen_text(screen), "tour:"));
    assert_string_equal(test_screen_asked(screen), "build()");
    test_screen_close(screen);
}

static void pop_ups(void **state)
{
    (void)state;
    test_goldens("help", build_events_middle, "?");
    test_goldens("help-compose", sample_composition, "7 ?");
    test_goldens("why-running", build_events_middle, "w");
    test_goldens("why-failed", build_events_failed, "> w");
    test_goldens("why-waiting", build_events_middle, "2 / 'lzloader' Enter w");
    test_goldens("palette", build_events_middle, ":");
    test_goldens("palette-typed", build_events_middle, ": 'bo'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_of_a_step_and_of_the_build),
        cmocka_unit_test(log_keys_open_places),
        cmocka_unit_test(log_wraps_and_copies),
        cmocka_unit_test(a_long_search_lets_keys_through),
        cmocka_unit_test(target_and_a_pick),
        cmocka_unit_test(target_keys_pick),
        cmocka_unit_test(target_builds_what_is_marked),
        cmocka_unit_test(target_keeps_profiles),
        cmocka_unit_test(target_keeps_the_command_of_make),
        cmocka_unit_test(compose_and_its_edits),
        cmocka_unit_test(the_image_that_is_composed),
        cmocka_unit_test(compose_keys_stage),
        cmocka_unit_test(compose_folds_and_orders),
        cmocka_unit_test(compose_args_are_read),
        cmocka_unit_test(boot_and_its_verdicts),
        cmocka_unit_test(boot_hands_keys_on),
        cmocka_unit_test(graph_of_what_needs_what),
        cmocka_unit_test(graph_keys_go_through_it),
        cmocka_unit_test(graph_edges_are_told),
        cmocka_unit_test(graph_shows_the_way_between_two),
        cmocka_unit_test(time_of_the_lanes),
        cmocka_unit_test(time_zooms_and_pans),
        cmocka_unit_test(time_tells_what_shell_costs),
        cmocka_unit_test(time_keys_play),
        cmocka_unit_test(races_and_what_is_known_of_them),
        cmocka_unit_test(races_keys_ask_for_commands),
        cmocka_unit_test(held_orders_come_and_go),
        cmocka_unit_test(what_is_told_again_of_a_race_counts),
        cmocka_unit_test(two_builds_side_by_side),
        cmocka_unit_test(compare_keys_go_to_its_steps),
        cmocka_unit_test(the_tour),
        cmocka_unit_test(pop_ups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
