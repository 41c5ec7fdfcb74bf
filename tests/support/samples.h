/* What the screens beside the build are tested with: data as the console would gather it. */
#ifndef GANTRY_TESTS_SUPPORT_SAMPLES_H
#define GANTRY_TESTS_SUPPORT_SAMPLES_H

#include "tests/support/screen.h"

/* Three archs (one without its compiler), two modes, two images, some of them made. */
void sample_targets(struct test_screen *screen);
/* Two file systems, with entries that are missing, overridden, not built, staged, removed. */
void sample_composition(struct test_screen *screen);
/* The same, nothing staged, nothing composed yet. */
/* 60 entries in three directories, one missing: long enough to fold. */
void sample_long_manifest(struct test_screen *screen);
/* The composition, its image held by nobody. */
void sample_free_image(struct test_screen *screen);
void sample_uncomposed(struct test_screen *screen);
/* More changes than there is room for, and limits that are overrun. */
void sample_overrun(struct test_screen *screen);
/* The first one while its image is composed: before and after its writer told how far it is. */
void sample_composing_begun(struct test_screen *screen);
void sample_composing(struct test_screen *screen);
/* Both, with a tree of three archs. */
void sample_everything(struct test_screen *screen);
/* The same with a long manifest, and a log of the whole build with long lines. */
void sample_everything_long(struct test_screen *screen);
/* A guest that runs and has printed; one that ended well; and one that failed after another. */
void sample_guest_running(struct test_screen *screen);
void sample_guest_ended(struct test_screen *screen);
void sample_guest_failed(struct test_screen *screen);
/* No tree here; a make tree; a build that runs elsewhere. */
void sample_no_tree(struct test_screen *screen);
void sample_make_tree(struct test_screen *screen);
/* A tree of OSv, its kernels' modes and what was composed. */
void sample_osv_tree(struct test_screen *screen);
void sample_attached(struct test_screen *screen);

/* Two recorded builds: what failed in the first passed in the second, since its library was there by
 * then; a compiler's option differs, a system header, and what else ran. The caller frees. */
struct compare *sample_compare(void);
/* The console shows it. Frees it at its end. */
void sample_compared(struct test_screen *screen);
/* There is one journal only. */
void sample_incomparable(struct test_screen *screen);

#endif
