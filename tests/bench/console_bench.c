/*
 * What the console costs, measured from outside: the program in a terminal of ours (tests/support/pty.h).
 *
 *   console_bench GANTRY DIR [SECONDS]
 *
 * - Two lanes print 100,000 lines a second each while the terminal takes 4,000 bytes a second. The
 *   lanes pace themselves, so what holds them up makes them late: their time is compared with a build
 *   without a console, and with one whose terminal takes all at once. Meanwhile keys are typed: each
 *   is to be answered within 50 ms of the terminal having taken what was sent before.
 * - A journal of 100,000 steps: until its first picture, until all of it is there, a frame while it is
 *   scrolled at 200x60, and the memory of it.
 * - Idle: bytes sent and processor time in two seconds.
 *
 * Lines for people on standard output; one JSON object a line on descriptor 3. DIR is made and
 * removed by the caller.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "journal/journal.h"
#include "tests/support/pty.h"

#define QUESTION "\033[5n" /* the end of a frame */
enum { ROUNDS = 5, KEYS_MAX = 4000, STEPS = 100000, WAIT_MS = 120000, LINES_PER_S = 100000 };

static FILE *json;

static void fail(struct pty *pty, const char *what)
{
    fprintf(stderr, "console_bench: %s\n%s\n", what, pty ? pty_text(pty) : "");
    exit(1);
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
    if (!count)
        return 0;
    qsort(values, count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void tell(const char *work, double value, const char *unit, double limit)
{
    printf("%-58s %10.2f %-3s (at most %g)\n", work, value, unit, limit);
    fflush(stdout);
    if (json)
        fprintf(json, "{\"work\":\"%s\",\"value\":%.4f,\"unit\":\"%s\",\"limit\":%g}\n", work,
                value, unit, limit);
}

static void write_text(const char *directory, const char *name, const char *text)
{
    struct err err = {0};
    char *path = path_join(directory, name);
    if (file_make_parents(path, &err) < 0 || file_write(path, text, strlen(text), 0755, &err) < 0)
        fail(NULL, err.text);
    free(path);
}

/* Processor time of a process and bytes that it wrote to files of all kinds. */
static double cpu_s(pid_t pid)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    size_t got = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[got] = '\0';
    const char *after = strrchr(text, ')');
    if (after)
        sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double peak_mib(pid_t pid)
{
    char path[64], line[256];
    unsigned long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "VmHWM: %lu", &kib);
    if (file)
        fclose(file);
    return (double)kib / 1024;
}

static struct pty *start(const char *const *argv, const char *directory, int w, int h)
{
    char *state = mem_format("XDG_STATE_HOME=%s/state", directory);
    const char *const environment[] = {
        "TERM=xterm-256color", "LC_ALL=C.UTF-8", "CI", "NO_COLOR", state, NULL};
    struct pty *pty = pty_start(argv, directory, environment, w, h);
    free(state);
    return pty;
}

static void quit(struct pty *pty)
{
    pty_drain(pty, UINT64_MAX);
    kill(pty_pid(pty), SIGTERM);
    if (pty_wait(pty, WAIT_MS) == -1)
        fail(pty, "it does not end");
    pty_close(pty);
}

/* ---- a flood of output on a slow terminal ---- */

/* Prints at a pace for some seconds; late where writing blocks. Its own time is in `<target>`. */
static const char flood[] =
    "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <time.h>\n"
    "#include <unistd.h>\n"
    "static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t);\n"
    "  return (double)t.tv_sec + (double)t.tv_nsec / 1e9; }\n"
    "int main(int argc, char **argv) {\n"
    "  double from = now(), seconds = atof(argv[2]), rate = atof(argv[3]), stuck = 0;\n"
    "  long done = 0, all = (long)(seconds * rate); static char out[1 << 20]; (void)argc;\n"
    "  while (done < all) {\n"
    "    long due = (long)((now() - from) * rate) + 1; size_t length = 0;\n"
    "    if (due > all) due = all;\n"
    "    for (; done < due && length < sizeof out - 128; done++)\n"
    "      length += (size_t)sprintf(out + length, \"%s: line %ld of many\\n\", argv[1], done);\n"
    "    double before = now();\n"
    "    for (size_t at = 0; at < length;) at += (size_t)write(1, out + at, length - at);\n"
    "    stuck += now() - before;\n"
    "    usleep(1000);\n"
    "  }\n"
    "  FILE *file = fopen(argv[1], \"w\"); fprintf(file, \"%.6f %.6f\\n\", now() - from, stuck);\n"
    "  return fclose(file); }\n";

static char *make_flood_tree(const char *gantry, const char *directory, unsigned seconds)
{
    char *tree = path_join(directory, "flood");
    char *line = mem_format("'%s' demo '%s' >/dev/null && gcc -O2 -xc -o '%s/flood' - <<'C'\n%sC\n",
                            gantry, tree, tree, flood);
    if (system(line) != 0)
        fail(NULL, "the tree cannot be made");
    free(line);
    struct str module = {0};
    for (int i = 0; i < 2; i++)
        str_addf(&module,
                 "targets += flood%d.txt\nflood%d.txt: rule = tool\n"
                 "flood%d.txt: command = ./flood $@ %u %d\n",
                 i, i, i, seconds, LINES_PER_S);
    str_add(&module, "goals = flood0.txt flood1.txt\n");
    char *path = path_join(tree, "module.mk");
    FILE *file = fopen(path, "ae");
    if (!file)
        fail(NULL, "module.mk cannot be written");
    fprintf(file, "\n%s", str_text(&module));
    fclose(file);
    write_text(tree, "state/gantry/toured", "");
    free(path);
    str_free(&module);
    return tree;
}

/* Seconds that the lanes took, the mean of both; and the part that they stood in write(). */
static double lanes_s(const char *tree, double *stuck_s)
{
    double sum = 0;
    *stuck_s = 0;
    for (int i = 0; i < 2; i++) {
        double took = 0, stuck = 0;
        char *path = mem_format("%s/build/release.x64/flood%d.txt", tree, i);
        char *text = file_read(path, NULL, NULL);
        if (!text || sscanf(text, "%lf %lf", &took, &stuck) != 2)
            fail(NULL, "a lane left no time");
        sum += took / 2;
        *stuck_s += stuck / 2;
        unlink(path);
        free(text);
        free(path);
    }
    return sum;
}

struct key_times {
    double ms[KEYS_MAX];
    size_t count;
};

/*
 * Types a digit, which goes to another screen, and sees when the first byte of its picture comes. What
 * was sent before the key has to be taken first: the clock begins when it was. A question (DSR 5)
 * marks the end of a frame.
 */
static void time_key(struct pty *pty, char digit, const char *shows, struct key_times *times)
{
    uint64_t typed = clock_ns(), free_ns = 0;
    size_t seen = pty_sent(pty)->len;
    pty_type(pty, &digit, 1);
    while (!strstr(pty_text(pty), shows)) {
        if (!pty_run(pty, 1) || clock_ns() > typed + WAIT_MS * 1000000ull)
            fail(pty, "a key is not answered");
        const struct str *sent = pty_sent(pty);
        const char *from = sent->at + seen,
                   *end = memmem(from, sent->len - seen, QUESTION, strlen(QUESTION));
        if (!end || strstr(pty_text(pty), shows))
            continue;
        seen = (size_t)(end - sent->at) + strlen(QUESTION); /* a frame of before the key */
        if (!free_ns)
            free_ns = pty_taken_ns(pty, seen - 1);
    }
    uint64_t from_ns = free_ns > typed ? free_ns : typed, first_ns = pty_taken_ns(pty, seen);
    if (times->count < KEYS_MAX)
        times->ms[times->count++] = first_ns > from_ns ? (double)(first_ns - from_ns) / 1e6 : 0;
}

static double flood_console(const char *gantry, const char *tree, uint64_t rate, double *stuck_s,
                            double *cpu, struct key_times *keys)
{
    const char *const argv[] = {gantry, "-j2", NULL};
    struct pty *pty = start(argv, tree, 200, 60);
    char *done[2];
    for (int i = 0; i < 2; i++)
        done[i] = mem_format("%s/build/release.x64/flood%d.txt", tree, i);
    pty_run(pty, 200);
    pty_drain(pty, rate);
    uint64_t end = clock_ns() + WAIT_MS * 1000000ull;
    for (bool odd = false; access(done[0], F_OK) != 0 || access(done[1], F_OK) != 0; odd = !odd) {
        if (keys)
            time_key(pty, odd ? '1' : '6', odd ? " map " : "aarch64", keys);
        if (!pty_run(pty, 50) || clock_ns() > end)
            fail(pty, "the lanes do not end");
    }
    *cpu = cpu_s(pty_pid(pty));
    quit(pty);
    for (int i = 0; i < 2; i++)
        free(done[i]);
    return lanes_s(tree, stuck_s);
}

static double flood_plain(const char *gantry, const char *tree, double *stuck_s)
{
    char *line = mem_format("cd '%s' && '%s' build -j2 >/dev/null 2>&1", tree, gantry);
    if (system(line) != 0)
        fail(NULL, "the build without a console failed");
    free(line);
    return lanes_s(tree, stuck_s);
}

static void bench_flood(const char *gantry, const char *directory, unsigned seconds)
{
    static struct key_times keys;
    char *tree = make_flood_tree(gantry, directory, seconds);
    double slow[ROUNDS], fast[ROUNDS], none[ROUNDS], stuck[3][ROUNDS], cpu[2][ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        none[i] = flood_plain(gantry, tree, &stuck[2][i]);
        slow[i] = flood_console(gantry, tree, 4000, &stuck[0][i], &cpu[0][i], &keys);
        fast[i] = flood_console(gantry, tree, UINT64_MAX, &stuck[1][i], &cpu[1][i], NULL);
    }
    double base = median(none, ROUNDS);
    printf("two lanes, %d lines/s each for %u s, median of %d (without a console: %.3f s)\n",
           LINES_PER_S, seconds, ROUNDS, base);
    tell("lanes later by, terminal at 4 kB/s", (median(slow, ROUNDS) / base - 1) * 100, "%", 1);
    tell("lanes later by, terminal at full speed", (median(fast, ROUNDS) / base - 1) * 100, "%", 1);
    printf("%-58s %10.0f ms slow, %.0f ms fast, %.0f ms without\n", "  of it in write()",
           median(stuck[0], ROUNDS) * 1e3, median(stuck[1], ROUNDS) * 1e3,
           median(stuck[2], ROUNDS) * 1e3);
    printf("%-58s %10.2f s slow, %.2f s fast\n", "  the console's own processor time",
           median(cpu[0], ROUNDS), median(cpu[1], ROUNDS));
    double middle = median(keys.ms, keys.count);
    size_t at = keys.count ? keys.count * 95 / 100 : 0;
    tell("a key, after the terminal took what was sent: median", middle, "ms", 50);
    tell("  95 in 100", keys.count ? keys.ms[at] : 0, "ms", 50);
    printf("%-58s %10zu\n", "  keys", keys.count);
    free(tree);
}

/* ---- a long journal ---- */

static void add(struct journal *journal, struct event event, uint64_t t_ns)
{
    event.t_ns = t_ns;
    journal_add(journal, &event);
}

static void write_journal(const char *path)
{
    struct err err = {0};
    struct journal *journal = journal_new();
    if (!journal || journal_start(journal, path, NULL, &err) < 0)
        fail(NULL, err.text);
    uint32_t *needs = mem_zero(STEPS, sizeof *needs);
    uint64_t t_ns = 0;
    char target[96], command[256];
    add(journal,
        (struct event){.kind = EVENT_BUILD_BEGIN,
                       .tree = "/src/large",
                       .arch = "x64",
                       .mode = "release",
                       .image = "default",
                       .lanes = 16},
        0);
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t step = 0; step < STEPS; step++) {
            bool link = step % 200 == 199;
            snprintf(target, sizeof target, "build/release.x64/part%u/dir%u/file%u.%s", step / 4000,
                     step / 40, step, link ? "a" : "o");
            for (uint32_t i = 0; i < 199; i++)
                needs[i] = step - 199 + i;
            if (pass == 0) {
                add(journal,
                    (struct event){.kind = EVENT_STEP,
                                   .step = step,
                                   .target = target,
                                   .rule = link ? "archive" : "cc",
                                   .path = "src",
                                   .needs = needs,
                                   .needs_count = link ? 199 : 0,
                                   .state = "waiting"},
                    1000000);
                add(journal,
                    (struct event){
                        .kind = EVENT_STEP_ADD, .step = step, .target = target, .rule = "cc"},
                    1000000);
                continue;
            }
            t_ns += 2000000;
            snprintf(command, sizeof command, "gcc -O2 -Wall -Iinclude -c -o %s src/file%u.c",
                     target, step);
            add(journal,
                (struct event){.kind = EVENT_STEP_READY,
                               .step = step,
                               .target = target,
                               .rule = "cc",
                               .reason = "new"},
                t_ns);
            add(journal,
                (struct event){.kind = EVENT_STEP_BEGIN,
                               .step = step,
                               .target = target,
                               .lane = step % 16,
                               .expect_ns = 30000000,
                               .text = command},
                t_ns);
            if (step >= 16)
                add(journal,
                    (struct event){.kind = EVENT_STEP_END,
                                   .step = step - 16,
                                   .target = "",
                                   .outcome = OUTCOME_RAN,
                                   .wall_ns = 32000000,
                                   .cpu_ns = 30000000,
                                   .rss_kib = 40000,
                                   .accesses = 120,
                                   .traced = true},
                    t_ns);
        }
    add(journal,
        (struct event){.kind = EVENT_BUILD_END,
                       .steps_total = STEPS,
                       .steps_run = STEPS,
                       .wall_ns = t_ns,
                       .cpu_ns = t_ns * 15},
        t_ns);
    if (journal_close(journal, &err) < 0)
        fail(NULL, err.text);
    free(needs);
}

/* Seconds until the first picture, and until the whole journal is there; a scrolled frame. */
static void bench_journal(const char *gantry, const char *directory)
{
    char *path = path_join(directory, "large.jsonl.zst");
    const char *const argv[] = {gantry, "replay", path, NULL};
    double first[ROUNDS], whole[ROUNDS], cpu[ROUNDS], frame[ROUNDS], memory = 0;
    write_text(directory, "state/gantry/toured", "");
    write_journal(path);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t from = clock_ns();
        struct pty *pty = start(argv, directory, 200, 60);
        if (!pty_wait_for(pty, "recorded", WAIT_MS))
            fail(pty, "the journal is not shown");
        first[i] = (double)(clock_ns() - from) / 1e9;
        if (!pty_wait_for(pty, "✓ ", WAIT_MS))
            fail(pty, "the journal does not come to its end");
        whole[i] = (double)(clock_ns() - from) / 1e9;
        cpu[i] = cpu_s(pty_pid(pty));
        pty_keys(pty, "2/kernel\r2");
        pty_run(pty, 300);
        enum { SCROLLS = 150 };
        double before = cpu_s(pty_pid(pty));
        pty_keys(pty, "1\t\t\t");
        pty_run(pty, 100);
        for (int k = 0; k < SCROLLS; k++) {
            pty_keys(pty, k % 10 == 9 ? "\033[6~" : "j");
            pty_run(pty, 36); /* more than a frame is apart: each is one */
        }
        frame[i] = (cpu_s(pty_pid(pty)) - before) / SCROLLS * 1e3;
        double mib = peak_mib(pty_pid(pty));
        memory = mib > memory ? mib : memory;
        quit(pty);
    }
    printf("a journal of %d steps, at 200x60, median of %d\n", STEPS, ROUNDS);
    tell("until its first picture", median(first, ROUNDS), "s", 1);
    tell("until all of it is there", median(whole, ROUNDS), "s", 1);
    tell("  processor time of that", median(cpu, ROUNDS), "s", 1);
    tell("a frame while it is scrolled, processor time", median(frame, ROUNDS), "ms", 16);
    tell("memory at its most", memory, "MiB", 200e6 / 1048576);
    unlink(path);
    free(path);
}

/* ---- idle ---- */

static void bench_idle(const char *gantry, const char *tree)
{
    const char *const argv[] = {gantry, NULL};
    struct pty *pty = start(argv, tree, 80, 24);
    pty_run(pty, 1500);
    size_t bytes = pty_sent(pty)->len;
    double cpu = cpu_s(pty_pid(pty));
    pty_run(pty, 2000);
    printf("idle for 2 s\n");
    tell("bytes sent", (double)(pty_sent(pty)->len - bytes), "B", 0);
    tell("processor time", (cpu_s(pty_pid(pty)) - cpu) * 1e3, "ms", 0);
    quit(pty);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: console_bench GANTRY DIR [SECONDS]\n");
        return 2;
    }
    json = fdopen(3, "w");
    unsigned seconds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 3;
    bench_journal(argv[1], argv[2]);
    bench_flood(argv[1], argv[2], seconds ? seconds : 3);
    char *tree = path_join(argv[2], "flood");
    bench_idle(argv[1], tree);
    free(tree);
    return 0;
}
