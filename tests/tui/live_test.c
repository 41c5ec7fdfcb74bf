/*
 * The console as a program, on a live build, in a terminal of ours: random keys at random sizes, lost
 * jobs, stops, stalls, a terminal that is closed, one without colours. The program is the one that was
 * built beside this test, so under a sanitizer it is that one's.
 *
 * STRESS_KEYS (400) and STRESS_ROUNDS (1) say how long the random keys last.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "tests/support/pty.h"
#include "tests/support/scratch.h"
#include "tui/key.h"
#include "tui/keymap.h"

enum { STEPS = 24, WAIT_MS = 60000 };

static char program[4096]; /* gantry, built as this test is */
static char *tree;

/* The demo, with steps that print and take a while, and one that waits for a file `go`. */
static int make_tree(void **state)
{
    scratch_make(state);
    tree = path_join(scratch_dir(), "tree");
    char *line = mem_format("'%s' demo '%s' >'%s/demo.out' 2>&1", program, tree, scratch_dir());
    assert_int_equal(system(line), 0);
    free(line);
    struct str module = {0};
    str_addf(&module, "\n");
    for (int i = 0; i < STEPS; i++)
        str_addf(&module,
                 "targets += slow%d.txt\nslow%d.txt: rule = tool\nslow%d.txt: inputs = slow.sh\n"
                 "slow%d.txt: command = sh slow.sh $@\n",
                 i, i, i, i);
    str_add(&module, "targets += held.txt\nheld.txt: rule = tool\nheld.txt: inputs = held.sh\n"
                     "held.txt: command = sh held.sh $@\ngoals = held.txt");
    for (int i = 0; i < STEPS; i++)
        str_addf(&module, " slow%d.txt", i);
    str_add_char(&module, '\n');
    char *path = path_join(tree, "module.mk");
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fputs(str_text(&module), file);
    fclose(file);
    free(path);
    str_free(&module);
    scratch_text("tree/slow.sh", "for i in 1 2 3 4 5; do echo \"$1: line $i of 5\"; sleep 0.05; "
                                 "done\necho \"x.c:$$:1: warning: 'x' is unused\" >&2\necho \"$1\" "
                                 ">\"$1\"\n");
    scratch_text("tree/held.sh", "echo held, and says so\necho $$ >started\nuntil [ -e go ]; do "
                                 "sleep 0.05; done\necho whole >\"$1\"\n");
    scratch_text("state/gantry/toured", "");
    return 0;
}

static int remove_tree(void **state)
{
    free(tree);
    return scratch_remove(state);
}

/* The console on the tree; `more` is one more variable, or NULL. */
static struct pty *start(const char *const *argv, const char *more, int w, int h)
{
    static const char *const tools[] = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"};
    char *reports[3];
    char *state = mem_format("XDG_STATE_HOME=%s", scratch("state"));
    for (int i = 0; i < 3; i++)
        reports[i] = mem_format("%s=exitcode=66:log_path=%s/report", tools[i], scratch_dir());
    const char *const environment[] = {"TERM=xterm-256color",
                                       "LC_ALL=C.UTF-8",
                                       "CI",
                                       "NO_COLOR",
                                       "EDITOR=true",
                                       "VISUAL",
                                       "MAKEFLAGS",
                                       reports[0],
                                       reports[1],
                                       reports[2],
                                       state,
                                       more,
                                       NULL};
    struct pty *pty = pty_start(argv, tree, environment, w, h);
    for (int i = 0; i < 3; i++)
        free(reports[i]);
    free(state);
    return pty;
}

static void shows(struct pty *pty, const char *text)
{
    if (!pty_wait_for(pty, text, WAIT_MS))
        fail_msg("it never showed '%s':\n%s", text, pty_text(pty));
}

/* Until the screen has the text no more. */
static void hides(struct pty *pty, const char *text)
{
    for (int i = 0; strstr(pty_text(pty), text) && i < WAIT_MS / 10; i++)
        pty_run(pty, 10);
    if (strstr(pty_text(pty), text))
        fail_msg("it still shows '%s':\n%s", text, pty_text(pty));
}

static struct pty *start_build(const char *more)
{
    const char *const argv[] = {program, "-j2", NULL};
    struct pty *pty = start(argv, more, 100, 30);
    shows(pty, "held.txt");
    char *started = path_join(tree, "started");
    for (int i = 0; access(started, F_OK) != 0 && i < 6000; i++)
        pty_run(pty, 10);
    free(started);
    return pty;
}

/* No sanitizer wrote a report. */
static void no_report(void)
{
    DIR *dir = opendir(scratch_dir());
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strncmp(entry->d_name, "report", 6) != 0)
            continue;
        size_t length;
        char *text = scratch_read(entry->d_name, &length);
        fail_msg("%.*s", (int)length, text);
    }
    closedir(dir);
}

/* Processes that work in the tree, besides us. */
static bool nobody_left(void)
{
    bool found = false;
    DIR *dir = opendir("/proc");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char link[64], target[4096];
        snprintf(link, sizeof link, "/proc/%.20s/cwd", entry->d_name);
        ssize_t length = readlink(link, target, sizeof target - 1);
        if (length > 0) {
            target[length] = '\0';
            found |= strncmp(target, tree, strlen(tree)) == 0;
        }
    }
    closedir(dir);
    return !found;
}

static void all_gone(void)
{
    for (int i = 0; i < 400; i++) {
        if (nobody_left())
            return;
        usleep(50000);
    }
    fail_msg("processes are left in %s", tree);
}

/* It ended by itself or by SIGTERM, as a build's status is or a signal's, and left all as it was. */
static void ended_well(struct pty *pty)
{
    int status = pty_wait(pty, WAIT_MS);
    if (status == -1)
        fail_msg("it does not end:\n%s", pty_text(pty));
    no_report();
    assert_true(WIFEXITED(status));
    int code = WEXITSTATUS(status);
    assert_true(code <= 2 || code == 128 + SIGINT || code == 128 + SIGTERM);
    const char *spoiled = pty_spoiled(pty);
    if (spoiled)
        fail_msg("%s", spoiled);
    all_gone();
}

/* ---- random keys ---- */

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

static void type_random(struct pty *pty, uint64_t *random, int w, int h)
{
    static const char *const sequences[] = {
        "\033[A",  "\033[B",  "\033[C",
        "\033[D",  "\033[5~", "\033[6~",
        "\033[H",  "\033[F",  "\033[Z",
        "\r",      "\033",    "\t",
        "\033[3~", "\033OP",  "\x0c",
        "\033[2~", "\033[O",  "\033[I",
        " ",       "\177",    "\033[200~pasted [text](*\n\033[201~"};
    char bytes[64];
    unsigned kind = below(random, 100);
    if (kind < 35) { /* a key of the keymap, but those that leave */
        char word[16];
        struct key key;
        enum request request = (enum request)(1 + below(random, REQUESTS_COUNT - 1));
        keymap_first(request, word);
        if (request == REQ_QUIT || request == REQ_INTERRUPT || request == REQ_SUSPEND || !*word ||
            !key_parse(word, &key))
            return;
        pty_type(pty, bytes, key_bytes(&key, bytes));
    } else if (kind < 60) {
        pty_keys(pty, sequences[below(random, sizeof sequences / sizeof *sequences)]);
    } else if (kind < 72) {
        bytes[0] = (char)('1' + below(random, 9));
        pty_type(pty, bytes, 1);
    } else if (kind < 84) {
        static const unsigned buttons[] = {0, 64, 65, 2, 32};
        int length =
            snprintf(bytes, sizeof bytes, "\033[<%u;%u;%uM", buttons[below(random, 5)],
                     1 + below(random, (unsigned)w + 3), 1 + below(random, (unsigned)h + 3));
        pty_type(pty, bytes, (size_t)length);
    } else if (kind < 94) {
        bytes[0] = (char)(32 + below(random, 95));
        if (bytes[0] != 'q')
            pty_type(pty, bytes, 1);
    } else { /* any byte at all, but ^C, ^Z, q */
        bytes[0] = (char)below(random, 256);
        if (bytes[0] != 3 && bytes[0] != 26 && bytes[0] != 'q')
            pty_type(pty, bytes, 1);
    }
}

static unsigned number_of(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text && *text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

/* Random keys on consoles, one after the other: some of them quit, by the palette for one. */
static void one_round(uint64_t seed, unsigned keys)
{
    const char *const argv[] = {program, "-j2", NULL};
    uint64_t random = seed * 0x9E3779B97F4A7C15u + 1;
    for (unsigned i = 0; i < keys;) {
        int w = 80, h = 24;
        struct pty *pty = start(argv, "PATH=/usr/bin:/bin", w, h);
        bool runs = true;
        for (; i < keys && runs; i++) {
            if (below(&random, 25) == 0) {
                w = 1 + (int)below(&random, 220);
                h = 1 + (int)below(&random, 70);
                pty_resize(pty, w, h);
            }
            if (i % 97 == 0) { /* there is always something to build */
                char *text = mem_format("# %u\n", i);
                scratch_text("tree/slow-other.sh", text);
                free(text);
                pty_keys(pty, "\033b");
            }
            type_random(pty, &random, w, h);
            runs = pty_run(pty, below(&random, 8));
        }
        if (runs)
            kill(pty_pid(pty), SIGTERM);
        ended_well(pty);
        pty_close(pty);
    }
}

static void random_keys_at_random_sizes_on_a_live_build(void **state)
{
    (void)state;
    unsigned keys = number_of("STRESS_KEYS", 400), rounds = number_of("STRESS_ROUNDS", 1);
    scratch_text("tree/go", "");
    for (unsigned i = 1; i <= rounds; i++)
        one_round(number_of("STRESS_SEED", 1) + i, keys);
}

/* ---- accidents ---- */

static void a_killed_job_fails_and_the_build_ends(void **state)
{
    (void)state;
    struct pty *pty = start_build(NULL);
    pid_t job = 0; /* the file is there before its number is */
    for (int tries = 0; job <= 0 && tries < 500; tries++) {
        size_t length;
        char *pid = scratch_read("tree/started", &length);
        job = (pid_t)strtol(pid, NULL, 10);
        free(pid);
        pty_run(pty, 10);
    }
    assert_true(job > 0); /* 0 would be all of us */
    assert_int_equal(kill(job, SIGKILL), 0);
    shows(pty, "held.txt  ended by signal 9");
    shows(pty, "✗ failed  ");
    pty_keys(pty, "q");
    pty_run(pty, 100);
    pty_keys(pty, "q");
    ended_well(pty);
    pty_close(pty);
}

static void a_console_that_is_stopped_goes_on(void **state)
{
    (void)state;
    struct pty *pty = start_build(NULL);
    kill(pty_pid(pty), SIGSTOP);
    pty_run(pty, 200);
    pty_keys(pty, "3"); /* typed meanwhile */
    pty_resize(pty, 120, 40);
    scratch_text("tree/go", "");
    pty_run(pty, 300);
    kill(pty_pid(pty), SIGCONT);
    shows(pty, "cursor"); /* the screen Time */
    pty_keys(pty, "1");
    shows(pty, "✓ done  ");
    pty_keys(pty, "q");
    ended_well(pty);
    pty_close(pty);
}

static void a_closed_terminal_ends_the_build(void **state)
{
    (void)state;
    struct pty *pty = start_build(NULL);
    pty_hang_up(pty);
    int status = pty_wait(pty, WAIT_MS);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGHUP);
    no_report();
    all_gone();
    char *held = path_join(tree, "build/release.x64/held.txt");
    assert_int_not_equal(access(held, F_OK), 0); /* nothing half-made */
    free(held);
    pty_close(pty);
}

/* Nobody reads: the build comes to its end all the same, and spins on nothing; then the picture is
 * right and a key is answered. */
static void a_terminal_that_stalls_holds_nothing_up(void **state)
{
    (void)state;
    struct pty *pty = start_build(NULL);
    pty_drain(pty, 0);
    scratch_text("tree/go", "");
    char *last = path_join(tree, "build/release.x64/held.txt");
    for (int i = 0; access(last, F_OK) != 0 && i < WAIT_MS / 10; i++)
        pty_run(pty, 10);
    assert_int_equal(access(last, F_OK), 0);
    free(last);
    pty_drain(pty, UINT64_MAX);
    shows(pty, "✓ done  ");
    pty_keys(pty, "6");
    shows(pty, "aarch64");
    pty_keys(pty, "q");
    ended_well(pty);
    pty_close(pty);
}

/* ---- colours ---- */

/* Every parameter of every SGR sequence that was sent. */
static void look_at_colors(const struct str *sent, bool seen[static 256])
{
    const char *at = str_text(sent), *end = at + sent->len;
    while ((at = memmem(at, (size_t)(end - at), "\033[", 2)) != NULL) {
        const char *first = at += 2;
        while (at < end && ((*at >= '0' && *at <= '9') || *at == ';'))
            at++;
        if (at == end || *at != 'm')
            continue;
        for (unsigned number = 0; first <= at; first++) {
            if (*first >= '0' && *first <= '9') {
                number = number * 10 + (unsigned)(*first - '0');
                continue;
            }
            seen[number < 256 ? number : 255] = true;
            number = 0;
        }
    }
}

/* All screens of a build that has ended, in one kind of terminal. */
static void visit(const char *more, bool seen[static 256])
{
    scratch_text("tree/go", "");
    const char *const argv[] = {program, "-j2", NULL};
    struct pty *pty = start(argv, more, 100, 30);
    shows(pty, "✓ done  ");
    for (char key = '1'; key <= '8'; key++) {
        pty_type(pty, &key, 1);
        pty_run(pty, 150);
    }
    pty_keys(pty, "1");
    pty_run(pty, 150);
    pty_keys(pty, "?");
    shows(pty, "help: Build");
    pty_run(pty, 150);
    memset(seen, 0, 256 * sizeof *seen);
    look_at_colors(pty_sent(pty), seen);
    pty_keys(pty, "\033");
    hides(pty, "help: Build"); /* what follows at once would be taken for Alt */
    pty_keys(pty, "q");
    ended_well(pty);
    pty_close(pty);
}

/* Sixteen colours at most, never a background, and neither black nor white, one of which is the
 * background of somebody. */
static void colors_suit_light_and_dark(void **state)
{
    (void)state;
    static const char *const terms[] = {"TERM=xterm-256color", "TERM=xterm-16color", "TERM=linux",
                                        "TERM=screen"};
    bool seen[256];
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        visit(terms[i], seen);
        assert_true(seen[32] || seen[36]); /* there are colours */
        assert_false(seen[30] || seen[37] || seen[38] || seen[48]);
        for (int color = 40; color < 48; color++)
            assert_false(seen[color]);
        for (int color = 90; color < 108; color++)
            assert_false(seen[color]);
    }
}

static void no_color_is_none(void **state)
{
    (void)state;
    static const char *const without[] = {"NO_COLOR=1", "TERM=vt100"};
    bool seen[256];
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        visit(without[i], seen);
        for (int color = 30; color < 108; color++)
            assert_false(seen[color] && color != 39 && color != 49);
        assert_true(seen[1] && seen[7]); /* bold and reverse stay */
    }
}

/* ---- the mouse ---- */

static void the_mouse_selects_scrolls_and_can_be_switched_off(void **state)
{
    (void)state;
    scratch_text("tree/go", ""); /* nothing holds it: a step may come and go between two frames */
    const char *const argv[] = {program, "-j2", NULL};
    struct pty *pty = start(argv, NULL, 100, 30);
    shows(pty, "✓ done  ");
    pty_keys(pty, "\033[<0;22;2M\033[<0;22;2m"); /* the tab " 3 Time " */
    shows(pty, "cursor");
    pty_keys(pty, "5");
    shows(pty, "log: ");
    pty_keys(pty, "\033[F"); /* End, then up by the wheel */
    pty_run(pty, 200);
    char *before = mem_copy(pty_text(pty));
    pty_keys(pty, "\033[<64;10;10M\033[<64;10;10M");
    for (int i = 0; strcmp(before, pty_text(pty)) == 0 && i < WAIT_MS / 10; i++)
        pty_run(pty, 10);
    assert_string_not_equal(before, pty_text(pty));
    free(before);
    pty_keys(pty, ":mouse\r");
    shows(pty, "the mouse is the terminal's");
    assert_non_null(memmem(pty_sent(pty)->at, pty_sent(pty)->len, "\033[?1000l", 8));
    pty_keys(pty, "q");
    ended_well(pty);
    pty_close(pty);
}

/* ---- the clipboard ---- */

static unsigned digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(digits, c);
    if (!c || !at)
        fail_msg("'%c' is no digit of base 64", c);
    return (unsigned)(at - digits);
}

/* The text of the OSC 52 that was sent last; new. */
static char *clipboard(struct pty *pty)
{
    static const char begin[] = "\033]52;c;";
    const struct str *sent = pty_sent(pty);
    const char *at = NULL, *end = sent->at + sent->len;
    for (const char *next = sent->at;
         (next = memmem(next, (size_t)(end - next), begin, sizeof begin - 1));)
        at = next += sizeof begin - 1;
    if (!at)
        fail_msg("nothing was copied");
    const char *stop = memmem(at, (size_t)(end - at), "\033\\", 2);
    if (!stop || (stop - at) % 4)
        fail_msg("the sequence has no end, or is no base 64");
    struct str text = {0};
    for (; at < stop; at += 4) {
        unsigned bits = 0;
        int count = at[2] == '=' ? 1 : at[3] == '=' ? 2 : 3;
        for (int i = 0; i < 4; i++)
            bits = bits << 6 | (i <= count ? digit_of(at[i]) : 0);
        for (int i = 0; i < count; i++)
            str_add_char(&text, (char)(bits >> (16 - 8 * i)));
    }
    return str_take(&text);
}

/* A line and several, with characters of more than one byte: what the terminal gets is what the log
 * has. */
static void what_is_copied_is_what_the_log_has(void **state)
{
    (void)state;
    scratch_text("tree/go", "");
    const char *const argv[] = {program, "-j1", NULL};
    struct pty *pty = start(argv, NULL, 100, 30);
    shows(pty, "✓ done  ");
    pty_keys(pty, "5");
    shows(pty, "log: whole build");
    pty_keys(pty, "\033[Hy");
    shows(pty, "the line is in the clipboard");
    char *first = clipboard(pty);
    if (strncmp(first, "── ", strlen("── ")) != 0 || !strstr(pty_text(pty), first))
        fail_msg("'%s' was copied of:\n%s", first, pty_text(pty));
    pty_keys(pty, "\033[H \033[B\033[By");
    shows(pty, "3 lines are in the clipboard");
    char *lines = clipboard(pty), *save = NULL;
    assert_int_equal(strncmp(lines, first, strlen(first)), 0);
    assert_int_equal(lines[strlen(first)], '\n');
    unsigned count = 0;
    for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        count += strstr(pty_text(pty), line) != NULL;
    assert_int_equal(count, 3);
    free(lines);
    free(first);
    pty_keys(pty, "q");
    ended_well(pty);
    pty_close(pty);
}

/* ---- notification ---- */

/* A build of more than ten seconds that ends while the terminal is not in front rings; one that is
 * looked at does not. */
static void a_long_build_that_ends_unseen_rings(void **state)
{
    (void)state;
    for (int unseen = 0; unseen < 2; unseen++) {
        struct pty *pty = start_build(NULL);
        pty_keys(pty, unseen ? "\033[O" : "\033[I");
        pty_run(pty, 10500);
        size_t before = pty_sent(pty)->len;
        scratch_text("tree/go", "");
        shows(pty, "✓ done  ");
        pty_run(pty, 200);
        for (int i = 0; unseen && i < WAIT_MS / 10; i++) {
            if (memchr(pty_sent(pty)->at + before, '\a', pty_sent(pty)->len - before))
                break;
            pty_run(pty, 10);
        }
        const char *since = pty_sent(pty)->at + before;
        size_t length = pty_sent(pty)->len - before;
        assert_int_equal(memchr(since, '\a', length) != NULL, unseen);
        assert_int_equal(memmem(since, length, "\033]9;gantry: ", 12) != NULL, unseen);
        pty_keys(pty, "q");
        ended_well(pty);
        pty_close(pty);
        unlink(scratch("tree/go"));
        unlink(scratch("tree/started"));
        unlink(scratch("tree/build/release.x64/held.txt"));
    }
}

/* The program beside this test: out/asan/tests/tui/live_test has out/asan/gantry. */
static void find_program(void)
{
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 16);
    program[length > 0 ? length : 0] = '\0';
    for (int i = 0; i < 3; i++) {
        char *slash = strrchr(program, '/');
        if (slash)
            *slash = '\0';
    }
    strcat(program, "/gantry");
}

#define ON_A_TREE(test) cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)

/* An argument is a pattern of tests' names: those alone. */
int main(int argc, char **argv)
{
    find_program();
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        ON_A_TREE(random_keys_at_random_sizes_on_a_live_build),
        ON_A_TREE(a_killed_job_fails_and_the_build_ends),
        ON_A_TREE(a_console_that_is_stopped_goes_on),
        ON_A_TREE(a_closed_terminal_ends_the_build),
        ON_A_TREE(a_terminal_that_stalls_holds_nothing_up),
        ON_A_TREE(colors_suit_light_and_dark),
        ON_A_TREE(no_color_is_none),
        ON_A_TREE(the_mouse_selects_scrolls_and_can_be_switched_off),
        ON_A_TREE(what_is_copied_is_what_the_log_has),
        ON_A_TREE(a_long_build_that_ends_unseen_rings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
