/* Two journals to compare, written as an engine writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "journal/compare.h"
#include "journal/journal.h"
#include "tests/support/samples.h"

enum { LIBRARY, PROGRAM, OBJECT, OTHER, LATE, STEPS };

static const char *const targets[STEPS] = {"tools/libtools.so", "tools/route/lsroute.so",
                                           "core/printf.o", "core/sched.o", "usr.img"};

/* One build of the two; times in milliseconds. */
struct recorded {
    const char *tree, *head, *command, *header;
    uint32_t dirty, lanes, library_ms, program_ms;
    bool fails, late; /* the program does; the image was built, too */
};

static void add(struct journal *journal, struct event event, uint64_t ms)
{
    event.t_ns = ms * 1000000;
    journal_add(journal, &event);
}

static void begin(struct journal *journal, uint32_t step, uint32_t lane, const char *command,
                  uint64_t ms)
{
    add(journal,
        (struct event){.kind = EVENT_STEP_BEGIN,
                       .step = step,
                       .target = targets[step],
                       .lane = lane,
                       .text = command},
        ms);
}

static void end(struct journal *journal, uint32_t step, bool failed, uint64_t ms)
{
    add(journal,
        (struct event){.kind = EVENT_STEP_END,
                       .step = step,
                       .target = targets[step],
                       .outcome = failed ? OUTCOME_FAILED : OUTCOME_RAN,
                       .exit = failed,
                       .traced = true},
        ms);
}

static void path(struct journal *journal, const char *tree, uint32_t file, const char *name)
{
    char *whole = name[0] == '/' ? mem_copy(name) : mem_format("%s/%s", tree, name);
    add(journal, (struct event){.kind = EVENT_PATH, .file = file, .path = whole}, 0);
    free(whole);
}

static void touched(struct journal *journal, uint32_t step, const uint32_t *threes, uint32_t count,
                    uint64_t ms)
{
    add(journal,
        (struct event){
            .kind = EVENT_TOUCHED, .step = step, .needs = threes, .needs_count = 3 * count},
        ms);
}

static void record(const char *file, const struct recorded *is)
{
    struct err err = {0};
    struct journal *journal = journal_new();
    assert_non_null(journal);
    assert_int_equal(journal_start(journal, file, NULL, &err), 0);
    add(journal,
        (struct event){.kind = EVENT_BUILD_BEGIN,
                       .tree = is->tree,
                       .head = is->head,
                       .dirty = is->dirty,
                       .arch = "x64",
                       .mode = "release",
                       .image = "default",
                       .lanes = is->lanes},
        0);
    const uint32_t needs[] = {OBJECT};
    for (uint32_t step = 0; step < STEPS; step++)
        add(journal,
            (struct event){.kind = EVENT_STEP,
                           .step = step,
                           .target = targets[step],
                           .rule = "link",
                           .needs = needs,
                           .needs_count = step == PROGRAM},
            1);
    static const char *const names[] = {"tools/libtools.so", "tools/route/lsroute.o",
                                        "tools/route/lsroute.so", "core/printf.c",
                                        "include/printf.h"};
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++)
        path(journal, is->tree, i, names[i]);
    path(journal, is->tree, 5, is->header);
    uint32_t library = is->library_ms, program = is->program_ms,
             absent = program < library ? TOUCH_ABSENT : TOUCH_READ;
    char *command = mem_format("gcc %s -I%s/include -c core/printf.c", is->command, is->tree);
    begin(journal, OBJECT, 0, command, 100);
    free(command);
    touched(journal, OBJECT, (uint32_t[]){3, TOUCH_READ, 110, 4, TOUCH_READ, 115}, 2, 200);
    end(journal, OBJECT, false, 200);
    begin(journal, OTHER, 1, "gcc -O2 -c core/sched.c", 110);
    touched(journal, OTHER, (uint32_t[]){5, TOUCH_READ, 120, 4, TOUCH_READ, 121}, 2, 300);
    end(journal, OTHER, false, 300);
    begin(journal, LIBRARY, 0, "ld -shared -o tools/libtools.so", library - 600);
    touched(journal, LIBRARY, (uint32_t[]){0, TOUCH_WRITE | TOUCH_ABSENT, library - 13}, 1,
            library);
    begin(journal, PROGRAM, 1, "ld -o tools/route/lsroute.so -ltools", program - 70);
    touched(journal, PROGRAM,
            (uint32_t[]){1, TOUCH_READ, program - 10, 0, absent, program, 2,
                         TOUCH_WRITE | TOUCH_ABSENT, program + 5},
            3, program + 90);
    if (is->fails)
        add(journal,
            (struct event){.kind = EVENT_DIAGNOSTIC,
                           .step = PROGRAM,
                           .path = "tools/route/lsroute.o",
                           .severity = SEVERITY_ERROR,
                           .text = "cannot find -ltools"},
            program + 80);
    end(journal, PROGRAM, is->fails, program + 90);
    end(journal, LIBRARY, false, library);
    if (is->late) {
        begin(journal, LATE, 0, "gantry disk", 4000);
        end(journal, LATE, false, 4100);
    }
    add(journal,
        (struct event){.kind = EVENT_BUILD_END,
                       .status = is->fails ? BUILD_FAILED : BUILD_OK,
                       .exit = is->fails,
                       .steps_run = 4 + is->late,
                       .steps_failed = is->fails,
                       .wall_ns = is->late ? 4100000000 : 2500000000},
        is->late ? 4100 : 2500);
    assert_int_equal(journal_close(journal, &err), 0);
}

struct compare *sample_compare(void)
{
    static const struct recorded recorded[2] = {
        {.tree = "/home/ci/osv",
         .head = "master@0e34e4d",
         .command = "-O2",
         .header = "/usr/lib/gcc/x86_64-linux-gnu/13/include/stddef.h",
         .lanes = 8,
         .library_ms = 2144,
         .program_ms = 1810,
         .fails = true},
        {.tree = "/src/osv",
         .head = "master@0e34e4d",
         .dirty = 3,
         .command = "-O0 -g",
         .header = "/usr/lib/gcc/x86_64-linux-gnu/12/include/stddef.h",
         .lanes = 2,
         .library_ms = 1500,
         .program_ms = 1900,
         .late = true}};
    static const char *const names[] = {"ci.jsonl.zst", ".gantry/journal/12.jsonl.zst"};
    struct err err = {0};
    const char *tmp = getenv("TMPDIR");
    char *files[2];
    char *dir = mem_format("%s/gantry-compare-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 2; i++) {
        files[i] = mem_format("%s/%d", dir, i);
        record(files[i], &recorded[i]);
    }
    struct compare *compare = compare_journals(files[0], files[1], &err);
    for (int i = 0; i < 2; i++) {
        unlink(files[i]);
        free(files[i]);
    }
    rmdir(dir);
    free(dir);
    if (!compare)
        fail_msg("%s", err.text);
    for (int i = 0; i < 2; i++) { /* their real place is another each time */
        free(compare->build[i].journal);
        compare->build[i].journal = mem_copy(names[i]);
    }
    return compare;
}

void sample_compared(struct test_screen *screen)
{
    test_screen_compare(screen, sample_compare(), NULL);
}

void sample_incomparable(struct test_screen *screen)
{
    test_screen_compare(screen, NULL,
                        "two recorded builds are needed, and of this configuration there is one: b "
                        "builds; gantry compare JOURNAL JOURNAL takes those of elsewhere");
}
