/*
 * Small builds that are run on paper: steps are lists of file operations, schedules are drawn for 1,
 * 2 and 16 lanes, forward, reverse and in 20 random orders, with the operations of steps that run
 * beside each other interleaved. Whatever the schedule, a build that went well must show the same
 * pairs and paths, and nothing else; the class may depend on the order only as the table says.
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
#include "base/path.h"
#include "base/str.h"
#include "race/race.h"
#include "race/report.h"
#include "trace/trace.h"

enum { STEPS_MAX = 8, EDGES_MAX = 12, EXPECT_MAX = 12, OPS_MAX = 12, PATHS_MAX = 64, ORDERS = 22 };

/* Operations: a verb and a path. Those with a '!' fail the build where they cannot be done.
 *   read! exec!   probe (a read that may miss)   stat   list   rm   rmdir
 *   create! (directory must be there)   append!   edit! (must be there)   mkdir-p   mkdir!
 *   guard! (looks, and creates where absent)   guard-dir! (the same by mkdir)  */
struct mini_step {
    const char *ops[OPS_MAX];
    const char *command;
    const char *target;
    unsigned recipe, parent; /* parent: step + 1 */
    unsigned serial;
};

struct mini {
    const char *name;
    const char *there[6]; /* paths before the build */
    struct mini_step steps[STEPS_MAX];
    unsigned edges[EDGES_MAX][2]; /* first before second; ended by two equal numbers */
    /* "A B path class class ..."; A < B. Empty: must stay silent. With '?' in front: only where the
     * look came first, for one that hits is no more than a look. */
    const char *expect[EXPECT_MAX];
};

static const struct mini minis[] = {
    /* ---- races ---- */
    {.name = "objects read a header that is made",
     .there = {"/t", "/t/a.c", "/t/b.c"},
     .steps = {{.ops = {"create! /t/version.h"}, .target = "/t/version.h"},
               {.ops = {"read! /t/a.c", "read! /t/version.h", "create! /t/a.o"}},
               {.ops = {"read! /t/b.c", "read! /t/version.h", "create! /t/b.o"}}},
     .expect = {"0 1 /t/version.h missing-edge", "0 2 /t/version.h missing-edge"}},
    {.name = "a header that is looked for in two places",
     .there = {"/t", "/t/sys", "/t/sys/x.h"},
     .steps = {{.ops = {"create! /t/x.h"}, .target = "/t/x.h"},
               {.ops = {"probe /t/x.h", "probe /t/sys/x.h", "create! /t/a.o"}}},
     .expect = {"0 1 /t/x.h missing-edge shadow"}},
    {.name = "a directory of headers that is not there yet is left out of the search",
     .there = {"/t", "/t/inc", "/t/inc/x.h"},
     .steps = {{.ops = {"mkdir-p /t/first", "create! /t/first/x.h"}},
               {.ops = {"stat /t/first", "read! /t/inc/x.h"},
                .command = "cc -Ifirst -Iinc -c a.c"}},
     .expect = {"?0 1 /t/first shadow"}},
    {.name = "the same, and the header stands in a directory below",
     .there = {"/t", "/t/inc", "/t/inc/sys", "/t/inc/sys/x.h"},
     .steps = {{.ops = {"mkdir-p /t/first", "mkdir-p /t/first/sys", "create! /t/first/sys/x.h"}},
               {.ops = {"stat /t/first", "read! /t/inc/sys/x.h"},
                .command = "cc -Ifirst -Iinc -c a.c"}},
     .expect = {"?0 1 /t/first shadow"}},
    {.name = "two recipes archive one library",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/lib.a"}}, {.ops = {"create! /t/lib.a"}}},
     .expect = {"0 1 /t/lib.a write-write"}},
    {.name = "two sub-makes archive one library",
     .there = {"/t"},
     .steps = {{.ops = {"stat /t"}},
               {.ops = {"stat /t"}},
               {.ops = {"create! /t/lib.a"}, .parent = 1},
               {.ops = {"create! /t/lib.a"}, .parent = 2}},
     .expect = {"2 3 /t/lib.a write-write"}},
    {.name = "a sub-make itself reads what a step of another makes",
     .there = {"/t"},
     .steps = {{.ops = {"stat /t"}, .command = "make -C one"},
               {.ops = {"stat /t"}, .command = "make -C two"},
               {.ops = {"create! /t/list.mk"}, .target = "/t/list.mk", .parent = 1},
               {.ops = {"probe /t/list.mk"}, .parent = 2}, /* the make of "two" itself: */
               {.ops = {"create! /t/two"}, .parent = 2}},
     .edges = {{3, 4}}, /* it comes before all of its steps */
     .expect = {"2 3 /t/list.mk missing-edge shadow"}},
    {.name = "two sub-makes make one library, and one of them reads it",
     .there = {"/t"},
     .steps = {{.ops = {"stat /t"}},
               {.ops = {"stat /t"}},
               {.ops = {"create! /t/lib.a"}, .parent = 1},
               {.ops = {"create! /t/lib.a"}, .parent = 2},
               {.ops = {"read! /t/lib.a"}, .parent = 2}},
     .edges = {{3, 4}},
     .expect = {"2 3 /t/lib.a write-write"}},
    {.name = "one recipe for two targets runs twice",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/p.c", "create! /t/p.h"}, .target = "/t/p.c", .recipe = 7},
               {.ops = {"create! /t/p.c", "create! /t/p.h"}, .target = "/t/p.h", .recipe = 7}},
     .expect = {"0 1 /t/p.c double-work", "0 1 /t/p.h double-work"}},
    {.name = "a source is edited in place",
     .there = {"/t", "/t/conf"},
     .steps = {{.ops = {"read! /t/conf", "edit! /t/conf"}}, {.ops = {"read! /t/conf"}}},
     .expect = {"0 1 /t/conf overwrite"}},
    {.name = "objects in a directory that another makes",
     .there = {"/t"},
     .steps = {{.ops = {"mkdir! /t/obj"}}, {.ops = {"create! /t/obj/a.o"}}},
     .expect = {"0 1 /t/obj directory"}},
    {.name = "two scanners pass through one name",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/lex.yy.c", "rm /t/lex.yy.c", "create! /t/a.c"}},
               {.ops = {"create! /t/lex.yy.c", "rm /t/lex.yy.c", "create! /t/b.c"}}},
     .expect = {"0 1 /t/lex.yy.c scratch write-write"}},
    {.name = "one pattern rule, two stems, one temporary name",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/tmp.c", "rm /t/tmp.c", "create! /t/a.c"},
                .target = "/t/a.c",
                .recipe = 5},
               {.ops = {"create! /t/tmp.c", "rm /t/tmp.c", "create! /t/b.c"},
                .target = "/t/b.c",
                .recipe = 5}},
     .expect = {"0 1 /t/tmp.c scratch write-write"}},
    {.name = "test -e x || ln -s y x",
     .there = {"/t"},
     .steps = {{.ops = {"guard! /t/x"}, .command = "test -e x || ln -s y x"},
               {.ops = {"guard! /t/x"}, .command = "test -e x || ln -s y x; cc"}},
     .expect = {"0 1 /t/x check-then-create"}},
    {.name = "test -d d || mkdir d",
     .there = {"/t"},
     .steps = {{.ops = {"guard-dir! /t/d"}, .command = "test -d d || mkdir d"},
               {.ops = {"guard-dir! /t/d"}, .command = "test -d d || mkdir d"}},
     .expect = {"0 1 /t/d check-then-create"}},
    {.name = "a clean-up removes what another reads",
     .there = {"/t", "/t/part"},
     .steps = {{.ops = {"read! /t/part"}}, {.ops = {"rm! /t/part"}}},
     .expect = {"0 1 /t/part removal"}},
    {.name = "a directory goes while another writes into it",
     .there = {"/t", "/t/d"},
     .steps = {{.ops = {"create! /t/d/x", "rm /t/d/x", "create! /t/d/y"}}, {.ops = {"rmdir /t/d"}}},
     .expect = {"0 1 /t/d removal"}},
    {.name = "sources are listed while one is made",
     .there = {"/t", "/t/src"},
     .steps = {{.ops = {"create! /t/src/gen.c"}}, {.ops = {"list /t/src"}, .command = "find src"}},
     .expect = {"0 1 /t/src listing"}},
    {.name = "a pattern is listed while a match is made",
     .there = {"/t", "/t/src"},
     .steps = {{.ops = {"create! /t/src/gen.c"}},
               {.ops = {"list /t/src"}, .command = "cat src/*.c >all"}},
     .expect = {"0 1 /t/src listing"}},
    {.name = "a tool is executed before it is linked",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/tool"}, .target = "/t/tool"},
               {.ops = {"exec! /t/tool", "create! /t/out"}}},
     .expect = {"0 1 /t/tool missing-edge"}},
    {.name = "in the sub-makes of two unordered steps",
     .there = {"/t"},
     .steps = {{.ops = {"stat /t"}},
               {.ops = {"stat /t"}},
               {.ops = {"create! /t/gen.h"}, .target = "/t/gen.h", .parent = 1},
               {.ops = {"read! /t/gen.h"}, .parent = 2}},
     .expect = {"2 3 /t/gen.h missing-edge"}},
    {.name = "two write a file that is looked for first",
     .there = {"/t"},
     .steps = {{.ops = {"guard! /t/x"}, .command = "test -e x || echo >x"},
               {.ops = {"guard! /t/x", "edit! /t/x"}, .command = "test -e x || echo >x; ed x"}},
     .expect = {"0 1 /t/x check-then-create overwrite write-write missing-edge"}},
    {.name = "two use one name, and one leaves it behind",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/tmp", "rm /t/tmp"}}, {.ops = {"create! /t/tmp"}}},
     .expect = {"0 1 /t/tmp scratch write-write removal"}},
    /* ---- none ---- */
    {.name = "a directory of a search path, in which nothing is made that is looked for",
     .there = {"/t", "/t/inc", "/t/inc/x.h"},
     .steps = {{.ops = {"mkdir-p /t/gen", "create! /t/gen/table.c"}},
               {.ops = {"stat /t/gen", "read! /t/inc/x.h"}, .command = "cc -Igen -Iinc -c a.c"}}},
    {.name = "declared",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/g.h"}}, {.ops = {"read! /t/g.h"}}},
     .edges = {{0, 1}}},
    {.name = "declared through a third",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/g.h"}}, {.ops = {"stat /t"}}, {.ops = {"read! /t/g.h"}}},
     .edges = {{0, 1}, {1, 2}}},
    {.name = "ordered by the steps that ran their makes",
     .there = {"/t"},
     .steps = {{.ops = {"stat /t"}},
               {.ops = {"stat /t"}},
               {.ops = {"create! /t/g.h"}, .parent = 1},
               {.ops = {"read! /t/g.h"}, .parent = 2}},
     .edges = {{0, 1}, {0, 3}}},
    {.name = "a sub-make and the recipe that runs it",
     .there = {"/t"},
     .steps = {{.ops = {"probe /t/x"}}, {.ops = {"create! /t/x"}, .parent = 1}}},
    {.name = "a make that runs one recipe at a time",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/x"}, .serial = 1}, {.ops = {"edit! /t/x"}, .serial = 1}},
     .edges = {{0, 1}}},
    {.name = "own temporary names",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/a.tmp", "rm /t/a.tmp", "create! /t/a"}},
               {.ops = {"create! /t/b.tmp", "rm /t/b.tmp", "create! /t/b", "stat /t/a.tmp"}}}},
    {.name = "a log that all append to",
     .there = {"/t"},
     .steps = {{.ops = {"append! /t/log"}},
               {.ops = {"append! /t/log"}},
               {.ops = {"append! /t/log"}}}},
    {.name = "each makes the directory for itself",
     .there = {"/t"},
     .steps = {{.ops = {"mkdir-p /t/obj", "create! /t/obj/a.o"}},
               {.ops = {"mkdir-p /t/obj", "create! /t/obj/b.o"}}}},
    {.name = "mkdir -p against mkdir -p",
     .there = {"/t"},
     .steps = {{.ops = {"mkdir-p /t/obj"}}, {.ops = {"mkdir-p /t/obj"}}}},
    {.name = "test -d || mkdir -p, and a file in it",
     .there = {"/t", "/t/obj"},
     .steps = {{.ops = {"mkdir-p /t/obj/s"}, .command = "mkdir -p obj/s"},
               {.ops = {"stat /t/obj/s", "mkdir-p /t/obj/s", "create! /t/obj/s/b.o"},
                .command = "test -d obj/s || mkdir -p obj/s"}}},
    {.name = "libtool looks for its directory, and makes it where it is absent",
     .there = {"/t"},
     .steps = {{.ops = {"guard-dir! /t/.libs", "create! /t/.libs/a.o"},
                .command = "sh ./libtool --mode=compile cc -c a.c"},
               {.ops = {"guard-dir! /t/.libs", "create! /t/.libs/b.o"},
                .command = "sh ./libtool --mode=compile cc -c b.c"}}},
    {.name = "a lock file",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/x.lock", "rm /t/x.lock"}},
               {.ops = {"create! /t/x.lock", "rm /t/x.lock"}}}},
    {.name = "devices",
     .there = {"/dev", "/dev/null"},
     .steps = {{.ops = {"edit! /dev/null"}}, {.ops = {"read! /dev/null"}}}},
    {.name = "a compiler cache",
     .there = {"/h", "/h/.ccache", "/h/.ccache/stats"},
     .steps = {{.ops = {"edit! /h/.ccache/stats"}}, {.ops = {"edit! /h/.ccache/stats"}}}},
    {.name = "a directory of a compiler cache, made by the first that needs it",
     .there = {"/h", "/h/.cache", "/h/.cache/ccache"},
     .steps = {{.ops = {"mkdir! /h/.cache/ccache/7", "create! /h/.cache/ccache/7/stats"}},
               {.ops = {"create! /h/.cache/ccache/7/a.o"}}}},
    {.name = "a compiler cache where the environment says",
     .there = {"/fast", "/fast/cc"},
     .steps = {{.ops = {"mkdir! /fast/cc/7", "create! /fast/cc/7/stats"}},
               {.ops = {"create! /fast/cc/7/a.o", "edit! /fast/cc/7/stats"}}}},
    {.name = "byte code of Python",
     .there = {"/t", "/t/__pycache__"},
     .steps = {{.ops = {"guard! /t/__pycache__/m.cpython-311.pyc"}},
               {.ops = {"probe /t/__pycache__/m.cpython-311.pyc"}}}},
    {.name = "a look by stat alone",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/x"}, .command = "cc -o x"},
               {.ops = {"stat /t/x"}, .command = "ls -l"}}},
    {.name = "readers only",
     .there = {"/t", "/t/a.h"},
     .steps = {{.ops = {"read! /t/a.h"}}, {.ops = {"read! /t/a.h"}}}},
    {.name = "its own output, read again",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/x", "read! /t/x", "edit! /t/x"}}, {.ops = {"stat /t"}}}},
    {.name = "two that remove the same leftovers",
     .there = {"/t", "/t/core"},
     .steps = {{.ops = {"rm /t/core"}}, {.ops = {"rm /t/core"}}}},
    {.name = "a list of headers that makes read",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/a.o", "create! /t/a.d"}, .command = "cc -MMD -c a.c"},
               {.ops = {"probe /t/a.d"}, .command = "make -C sub"}}},
    {.name = "a sub-make itself reads what its own steps made before, and makes anew",
     .there = {"/t", "/t/list.mk"},
     .steps = {{.ops = {"stat /t"}, .command = "make -C one"},
               {.ops = {"read! /t/list.mk"}, .parent = 1}, /* the make of "one" itself */
               {.ops = {"create! /t/list.mk"}, .target = "/t/list.mk", .parent = 1}},
     .edges = {{1, 2}}},
    {.name = "a pattern is listed while another name is made",
     .there = {"/t", "/t/src"},
     .steps = {{.ops = {"create! /t/src/a.o"}},
               {.ops = {"list /t/src"}, .command = "cat src/*.c >all"}}},
    {.name = "an archive that is removed and made by one",
     .there = {"/t", "/t/l.a"},
     .steps = {{.ops = {"rm /t/l.a", "create! /t/l.a"}, .target = "/t/l.a"},
               {.ops = {"read! /t/l.a"}}},
     .edges = {{0, 1}}},
    {.name = "one pattern rule, two stems",
     .there = {"/t"},
     .steps = {{.ops = {"create! /t/a.o"}, .target = "/t/a.o", .recipe = 9},
               {.ops = {"create! /t/b.o"}, .target = "/t/b.o", .recipe = 9}}},
};

/* ---- running on paper ---- */

struct run {
    const struct mini *mini;
    unsigned steps;
    struct intern paths;
    bool there[PATHS_MAX];
    struct race_access accesses[PATHS_MAX * 2];
    unsigned accesses_count, clock;
    unsigned at[STEPS_MAX]; /* next operation */
    bool running[STEPS_MAX], done[STEPS_MAX];
    bool failed;
    unsigned seed;
};

static unsigned draw(struct run *run, unsigned below)
{
    run->seed = run->seed * 1103515245u + 12345u;
    return (run->seed >> 16) % below;
}

static struct race_access *touch(struct run *run, unsigned step, uint32_t path)
{
    for (unsigned i = 0; i < run->accesses_count; i++)
        if (run->accesses[i].step == step && run->accesses[i].path == path)
            return &run->accesses[i];
    struct race_access *access = &run->accesses[run->accesses_count++];
    *access = (struct race_access){
        .step = step, .path = path, .when = run->clock++, .found = run->there[path]};
    return access;
}

static void set_there(struct run *run, uint32_t path, bool there)
{
    run->there[path] = there;
}

static bool parent_is_there(struct run *run, const char *text)
{
    char *directory = path_dir(text);
    bool there = run->there[intern_id(&run->paths, directory)];
    free(directory);
    return there;
}

static void write_file(struct run *run, struct race_access *access, const char *text, uint32_t path,
                       unsigned extra)
{
    if (!parent_is_there(run, text)) {
        run->failed = true;
        access->kinds |= ACCESS_STAT;
        return;
    }
    bool first = !(access->kinds & (ACCESS_WRITE | ACCESS_CREATE));
    access->kinds |= (uint16_t)(run->there[path] ? ACCESS_WRITE : ACCESS_CREATE);
    if (extra && first)
        access->kinds |= ACCESS_APPEND;
    set_there(run, path, true);
}

static void make_directory(struct run *run, struct race_access *access, uint32_t path, bool may)
{
    run->failed |= run->there[path] && !may;
    access->kinds |= (uint16_t)(run->there[path] ? ACCESS_ENSURE : ACCESS_MKDIR);
    set_there(run, path, true);
}

static void operate(struct run *run, unsigned step, const char *op)
{
    size_t length = strcspn(op, " ");
    const char *text = op + length + 1;
    uint32_t path = intern_id(&run->paths, text);
    struct race_access *access = touch(run, step, path);
    bool there = run->there[path];
    char verb[16] = "";
    memcpy(verb, op, length);
    if (!strcmp(verb, "read!") || !strcmp(verb, "probe") || !strcmp(verb, "exec!")) {
        access->kinds |= ACCESS_READ;
        if (verb[0] == 'e')
            access->kinds |= ACCESS_EXEC;
        run->failed |= !there && verb[0] != 'p';
    } else if (!strcmp(verb, "stat")) {
        access->kinds |= ACCESS_STAT;
    } else if (!strcmp(verb, "list")) {
        access->kinds |= ACCESS_LIST;
    } else if (!strcmp(verb, "create!") || !strcmp(verb, "append!")) {
        write_file(run, access, text, path, verb[0] == 'a');
    } else if (!strcmp(verb, "edit!")) {
        run->failed |= !there;
        access->kinds |= ACCESS_WRITE;
    } else if (!strcmp(verb, "mkdir-p") || !strcmp(verb, "mkdir!")) {
        make_directory(run, access, path, verb[5] == '-');
    } else if (!strcmp(verb, "guard!") || !strcmp(verb, "guard-dir!")) {
        /* Both parts at once, or the next part fails where another came between. */
        access->kinds |= ACCESS_STAT;
        if (!there && verb[5] == '!')
            write_file(run, access, text, path, 0);
        else if (!there)
            make_directory(run, access, path, false);
    } else if (!strcmp(verb, "rm") || !strcmp(verb, "rm!") || !strcmp(verb, "rmdir")) {
        run->failed |= !there && verb[2] == '!';
        access->kinds |= (uint16_t)(!there           ? ACCESS_STAT
                                    : verb[2] == 'd' ? ACCESS_RMDIR
                                                     : ACCESS_REMOVE);
        set_there(run, path, false);
    } else {
        fail_msg("no such operation: %s", op);
    }
}

static bool is_ready(const struct run *run, unsigned step)
{
    if (run->running[step] || run->done[step])
        return false;
    for (unsigned i = 0; run->mini->edges[i][0] != run->mini->edges[i][1]; i++)
        if (run->mini->edges[i][1] == step && !run->done[run->mini->edges[i][0]])
            return false;
    return true;
}

enum { FORWARD = 0, REVERSE = 1 }; /* and above: random orders */

static int pick_ready(struct run *run, unsigned order)
{
    unsigned ready[STEPS_MAX], count = 0;
    for (unsigned step = 0; step < run->steps; step++)
        if (is_ready(run, step))
            ready[count++] = step;
    if (!count)
        return -1;
    return (int)ready[order == FORWARD ? 0 : order == REVERSE ? count - 1 : draw(run, count)];
}

static void end_step(struct run *run, unsigned step)
{
    run->running[step] = false;
    run->done[step] = true;
    for (unsigned i = 0; i < run->accesses_count; i++)
        if (run->accesses[i].step == step)
            run->accesses[i].left = run->there[run->accesses[i].path];
}

/* One whole build. */
static void run_build(struct run *run, unsigned lanes, unsigned order)
{
    for (unsigned busy = 0;;) {
        for (int step; busy < lanes && (step = pick_ready(run, order)) >= 0; busy++)
            run->running[step] = true;
        if (!busy)
            return;
        unsigned running[STEPS_MAX], count = 0;
        for (unsigned step = 0; step < run->steps; step++)
            if (run->running[step])
                running[count++] = step;
        unsigned step = running[order == REVERSE ? count - 1 : draw(run, count)];
        const char *op = run->at[step] < OPS_MAX ? run->mini->steps[step].ops[run->at[step]] : NULL;
        if (op) {
            operate(run, step, op);
            run->at[step]++;
            op = run->at[step] < OPS_MAX ? run->mini->steps[step].ops[run->at[step]] : NULL;
        }
        if (!op) {
            end_step(run, step);
            busy--;
        }
    }
}

/* ---- what was found ---- */

static void detect(struct run *run, struct race_result *result)
{
    const struct mini *mini = run->mini;
    uint32_t start[STEPS_MAX + 1], needs[EDGES_MAX], used = 0;
    uint32_t parents[STEPS_MAX], serial[STEPS_MAX];
    struct race_step steps[STEPS_MAX];
    for (unsigned step = 0; step < run->steps; step++) {
        const struct mini_step *of = &mini->steps[step];
        start[step] = used;
        for (unsigned i = 0; mini->edges[i][0] != mini->edges[i][1]; i++)
            if (mini->edges[i][1] == step && mini->steps[mini->edges[i][0]].parent == of->parent)
                needs[used++] = mini->edges[i][0];
        parents[step] = of->parent ? of->parent - 1 : ORDER_TOP;
        serial[step] = of->serial;
        steps[step] = (struct race_step){.recipe = of->recipe,
                                         .command = of->command,
                                         .target = of->target ? intern_id(&run->paths, of->target)
                                                              : INTERN_NONE};
    }
    start[run->steps] = used;
    const struct race_input input = {.order = {run->steps, start, needs, parents, serial},
                                     .steps = steps,
                                     .paths = &run->paths,
                                     .accesses = run->accesses,
                                     .accesses_count = run->accesses_count};
    assert_int_equal(race_detect(&input, result), 0);
}

/* Whether the table has a pair, path and class. */
static int expected(const struct mini *mini, const struct race_witness *w, const char *path)
{
    unsigned a = w->first < w->second ? w->first : w->second, b = w->first ^ w->second ^ a;
    char *start = mem_format("%u %u %s ", a, b, path),
         *class = mem_format(" %s ", race_class_name(w->class));
    int found = -1;
    for (int i = 0; i < EXPECT_MAX && mini->expect[i]; i++) {
        char *line = mem_format("%s ", mini->expect[i]);
        const char *pair = line + (line[0] == '?');
        if (str_starts(pair, start) && strstr(pair + strlen(start) - 1, class))
            found = i;
        free(line);
    }
    free(start);
    free(class);
    return found;
}

/* The ids of a miniature's findings, by pair and path, over all of its orders. */
struct ids {
    struct map by_witness; /* "A B path" -> char * */
};

/* The build as a record, for the report that names findings. Paths of the result become its texts. */
static struct record *record_of(struct run *run, struct race_result *result)
{
    const struct mini *mini = run->mini;
    struct record *record = record_new("/t");
    record_make(record, 0, ORDER_TOP, 0, ".");
    for (uint32_t step = 0; step < run->steps; step++) {
        char *name = mem_format("step%u", step);
        uint32_t parent = mini->steps[step].parent;
        if (parent)
            record_make(record, parent, parent - 1, 0, ".");
        record_step(record, &(struct record_spec){.step = step, .make = parent, .target = name});
        free(name);
    }
    for (size_t i = 0; i < result->witnesses.len; i++)
        result->witnesses.at[i].path =
            intern_id(&record->texts, intern_text(&run->paths, result->witnesses.at[i].path));
    return record;
}

/* Whatever the order, a pair and path belong to a finding of the same name. Takes the result. */
static void check_ids(struct run *run, struct race_result *result, struct ids *ids)
{
    struct record *record = record_of(run, result);
    struct race_report report;
    race_report_of(&report, record, result);
    for (size_t i = 0; i < report.findings.len; i++) {
        const struct report_finding *finding = &report.findings.at[i];
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(report.findings.at[k].id, finding->id);
        for (uint32_t k = 0; k < finding->witnesses_count; k++) {
            const struct race_witness *w = &finding->witnesses[k];
            uint32_t a = w->first < w->second ? w->first : w->second;
            char *key =
                mem_format("%u %u %s", a, w->first ^ w->second ^ a, record_text(record, w->path));
            const char *before = map_get(&ids->by_witness, key);
            if (before && strcmp(before, finding->id) != 0)
                fail_msg("%s: %s was %s and is %s as %s", run->mini->name, key, before, finding->id,
                         race_class_name(finding->class));
            if (!before)
                map_put(&ids->by_witness, key, mem_copy(finding->id));
            free(key);
        }
    }
    race_report_free(&report);
    record_free(record);
}

static void check(struct run *run, unsigned lanes, unsigned order, struct ids *ids)
{
    const struct mini *mini = run->mini;
    struct race_result result;
    bool met[EXPECT_MAX] = {0};
    detect(run, &result);
    for (size_t i = 0; i < result.witnesses.len; i++) {
        const struct race_witness *w = &result.witnesses.at[i];
        const char *path = intern_text(&run->paths, w->path);
        int which = expected(mini, w, path);
        if (which < 0)
            fail_msg("%s: -j%u, order %u: %s of %s by %u and %u is not in the table", mini->name,
                     lanes, order, race_class_name(w->class), path, w->first, w->second);
        met[which] = true;
    }
    for (int i = 0; i < EXPECT_MAX && mini->expect[i]; i++)
        if (!met[i] && mini->expect[i][0] != '?')
            fail_msg("%s: -j%u, order %u: not found: %s", mini->name, lanes, order,
                     mini->expect[i]);
    check_ids(run, &result, ids);
}

static bool run_one(const struct mini *mini, unsigned lanes, unsigned order, struct ids *ids)
{
    struct run run = {.mini = mini, .seed = order * 977 + lanes};
    while (run.steps < STEPS_MAX && mini->steps[run.steps].ops[0])
        run.steps++;
    for (size_t i = 0; i < sizeof mini->there / sizeof *mini->there && mini->there[i]; i++)
        run.there[intern_id(&run.paths, mini->there[i])] = true;
    run_build(&run, lanes, order);
    if (!run.failed)
        check(&run, lanes, order, ids);
    intern_free(&run.paths);
    return !run.failed;
}

static void every_order_shows_the_same(void **state)
{
    (void)state;
    static const unsigned lanes[] = {1, 2, 16};
    for (size_t i = 0; i < sizeof minis / sizeof *minis; i++) {
        unsigned went_well = 0;
        struct ids ids = {0};
        for (unsigned l = 0; l < 3; l++)
            for (unsigned order = 0; order < ORDERS; order++)
                went_well += run_one(&minis[i], lanes[l], order, &ids);
        if (went_well < 3)
            fail_msg("%s: only %u orders went well", minis[i].name, went_well);
        for (size_t k = 0; k < ids.by_witness.values.len; k++)
            free(ids.by_witness.values.at[k]);
        map_free(&ids.by_witness);
    }
}

static void there_are_enough_of_both(void **state)
{
    (void)state;
    unsigned silent = 0;
    bool classes[RACE_CLASSES] = {0};
    for (size_t i = 0; i < sizeof minis / sizeof *minis; i++) {
        silent += !minis[i].expect[0];
        for (int k = 0; k < EXPECT_MAX && minis[i].expect[k]; k++)
            for (int class = 0; class < RACE_CLASSES; class ++)
                classes[class] |=
                    strstr(minis[i].expect[k], race_class_name((enum race_class) class)) != NULL;
    }
    assert_true(silent >= 15);
    for (int class = 0; class < RACE_CLASSES; class ++)
        assert_true(classes[class] || class == RACE_GOAL_DEPENDENT); /* make tells of that one */
}

int main(void)
{
    setenv("CCACHE_DIR", "/fast/cc/", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_shows_the_same),
        cmocka_unit_test(there_are_enough_of_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
