/* Builds to test screens with: events as an engine would send them. */
#ifndef GANTRY_TESTS_SUPPORT_BUILD_EVENTS_H
#define GANTRY_TESTS_SUPPORT_BUILD_EVENTS_H

#include "tests/support/screen.h"

/* A tree of about 60 steps, two lanes, stopped in the middle: 30 done, one failed, two running. */
void build_events_middle(struct test_screen *screen);
/* A make in its middle: who needs whom is not told before its end, but for one small make inside. */
void build_events_of_make(struct test_screen *screen);
/* The same make once more: what the build before recorded is forecast, with what waits for what; ten of
 * its steps have come, and one that nobody knew. */
void build_events_forecast(struct test_screen *screen);
/* ... and its end: make told all, and had nothing to do for what had not come. */
void build_events_forecast_done(struct test_screen *screen);
/* A build that has only begun: nothing is known of it. */
void build_events_begun(struct test_screen *screen);
/* The same build brought to its end; it failed. */
void build_events_failed(struct test_screen *screen);
/* The same build, and races that were found in it: one that counts, one not so bad, one harmless. */
void build_events_raced(struct test_screen *screen);
/* The tree is being built by another Gantry: refused. */
void build_events_blocked(struct test_screen *screen);
/* The same tree with -k: most objects failed, of seven causes. */
void build_events_many_failures(struct test_screen *screen);
/* Stopped by x: what ran ended, the rest was not begun. */
void build_events_cancelled(struct test_screen *screen);
/* The same build in its middle again, and a race that a running step shows. */
void build_events_racing(struct test_screen *screen);
/* A build of the same tree that ran three steps and is done. */
void build_events_done(struct test_screen *screen);
/* A compose: the root file system is being written, 12.3 of 20.2 MB of it; and the same before its
 * writer has told anything. */
void build_events_composing(struct test_screen *screen);
void build_events_composing_begun(struct test_screen *screen);
/* A build on so many lanes, each busy with three steps one after the other that wait for one of the
 * first lane's; and a race from the first lane to the last. */
void build_events_lanes(struct model *model, uint32_t lanes);
/* `dirs` directories of `files` objects each that one step links: the first half done. */
void build_events_large(struct model *model, unsigned dirs, unsigned files);

#endif
