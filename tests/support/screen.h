/*
 * Screen tests: a console (tui/app.h) with scripted keys and events in a terminal of libvterm's. The
 * frames go the whole way, through curses and its bytes. Time is what the events say.
 */
#ifndef GANTRY_TESTS_SUPPORT_SCREEN_H
#define GANTRY_TESTS_SUPPORT_SCREEN_H

#include <stdbool.h>

#include "base/str.h"
#include "tui/app.h"
#include "tui/screen_data.h"

struct test_screen;

enum test_look { TEST_COLOR, TEST_NO_COLOR, TEST_ASCII };

/* A console on an imaginary tree "demo" (x64 release default). Its actions are written down instead
 * of done: see test_screen_asked. */
struct test_screen *test_screen_open(int w, int h, enum test_look look);
void test_screen_close(struct test_screen *screen);
struct app *test_screen_app(struct test_screen *screen);

void test_screen_resize(struct test_screen *screen, int w, int h);
/* Keys by their names in the keymap, separated by blanks: "Down Down Enter ^L". A word in quotes is
 * typed letter by letter: "/ 'sched' Enter". */
void test_screen_keys(struct test_screen *screen, const char *keys);
/* Draws, and gives the screen's text: rows without trailing blanks. Valid until the next call. */
const char *test_screen_text(struct test_screen *screen);
/* The same with marks of what is not plain, a row under each row: r reverse, b bold, d dim, digits
 * for colours, as "   111bb". */
const char *test_screen_marked(struct test_screen *screen);
/* The same in a terminal that has seen nothing before: one whole frame. */
const char *test_screen_afresh(struct test_screen *screen);
/* What was asked of the console's owner since the last call: "build(core/sched.o) stop()". */
const char *test_screen_asked(struct test_screen *screen);
/* Bytes that the last draw wrote. */
size_t test_screen_bytes(const struct test_screen *screen);
/* The log of a step, by its event id; lines separated by newlines. EVENT_NONE: the whole build's. */
void test_screen_log(struct test_screen *screen, uint32_t step, const char *text);

/* What the screens target and compose are given; NULL: there is none. Not copied. */
void test_screen_data(struct test_screen *screen, const struct target_data *targets,
                      const struct compose_data *composition);

/* What the compare screen is given, which is freed with the screen; or why there is nothing. */
void test_screen_compare(struct test_screen *screen, struct compare *compare, const char *why);

/* Compares text with tests/goldens/NAME.txt and fails with the first line that differs. With
 * UPDATE_GOLDENS=1 in the environment it writes the file instead. */
void test_golden(const char *name, const char *text);

/*
 * A screen as it must look, at 20x5, 40x10, 80x24, 120x40 and 200x60: `prepare` (may be NULL) fills
 * a new one, then the keys are given. Goldens: NAME-WxH.txt, NAME-ascii-WxH.txt and, with the marks
 * of colours and attributes, NAME-color-WxH.txt and NAME-nocolor-WxH.txt. Without colour the text
 * must be the same at every size, and without UTF-8 no other byte than ASCII may be drawn. To renew
 * all goldens on purpose: `UPDATE_GOLDENS=1 make test`, then read `git diff tests/goldens`.
 */
void test_goldens(const char *name, void (*prepare)(struct test_screen *), const char *keys);

#endif
