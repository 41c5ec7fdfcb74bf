/* Launchers: found on PATH, put before compiles only, or in the place of every compiler on PATH. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/scratch.h"
#include "toolchain/launcher.h"
#include "toolchain/toolchain.h"

static void add_program(const char *name)
{
    assert_int_equal(chmod(scratch_text(name, "#!/bin/sh\n"), 0755), 0);
}

static void stands_before_compiles(void **state)
{
    (void)state;
    struct err err = {0};
    struct launcher launcher = {0};
    add_program("bin/ccache");
    assert_int_equal(setenv("PATH", scratch("bin"), 1), 0);
    assert_int_equal(launcher_find(&launcher, " ccache  -o x ", &err), 0);
    assert_string_equal(launcher.name, "ccache");
    assert_true(launcher_takes(&launcher, "cc") && launcher_takes(&launcher, "cxx") &&
                launcher_takes(&launcher, "host-cc"));
    assert_false(launcher_takes(&launcher, "link") || launcher_takes(&launcher, "as") ||
                 launcher_takes(&launcher, NULL));
    const char *const argv[] = {"gcc", "-c", NULL};
    const char **all = launcher_argv(&launcher, argv);
    assert_string_equal(all[0], scratch("bin/ccache"));
    assert_string_equal(all[1], "-o");
    assert_string_equal(all[2], "x");
    assert_string_equal(all[3], "gcc");
    assert_string_equal(all[4], "-c");
    assert_null(all[5]);
    free(all);
    launcher_free(&launcher);
}

static void none_is_none(void **state)
{
    (void)state;
    static const char *const none[] = {"", "  ", "none"};
    struct err err = {0};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct launcher launcher = {0};
        assert_int_equal(launcher_find(&launcher, none[i], &err), 0);
        assert_false(launcher_takes(&launcher, "cc"));
        launcher_free(&launcher);
    }
    struct launcher launcher = {0};
    assert_int_equal(launcher_find(&launcher, "gone-ccache -x", &err), -1);
    assert_non_null(strstr(err.text, "gone-ccache"));
    assert_non_null(strstr(err.text, "apt-get install"));
    launcher_free(&launcher);
}

static bool is_linked(const char *name)
{
    char target[4096], path[256];
    snprintf(path, sizeof path, "links/%s", name);
    ssize_t length = readlink(scratch(path), target, sizeof target - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    assert_string_equal(target, scratch("bin/distcc"));
    return true;
}

static void stands_in_for_every_compiler(void **state)
{
    (void)state;
    static const char *const compilers[] = {
        "gcc", "cc", "c++", "g++-12", "clang-14.0", "arch-os-gcc", "arch-os-g++-9", "c99-gcc"};
    static const char *const others[] = {"gcc-ar", "c++filt",      "distcc", "gcc12",
                                         "nocc",   "clang-format", "12"};
    struct err err = {0};
    struct launcher launcher = {0};
    char path[512];
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++) {
        snprintf(path, sizeof path, "%s/%s", i % 2 ? "more" : "bin", compilers[i]);
        add_program(path);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(path, sizeof path, "bin/%s", others[i]);
        add_program(path);
    }
    snprintf(path, sizeof path, "%s:/no/such/place::%s", scratch("bin"), scratch("more"));
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_int_equal(launcher_find(&launcher, "distcc", &err), 0);
    for (int again = 0; again < 2; again++) {
        if (launcher_masquerade(&launcher, scratch("links"), &err) < 0)
            fail_msg("%s", err.text);
        for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++)
            if (!is_linked(compilers[i]))
                fail_msg("%s has no link", compilers[i]);
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            if (is_linked(others[i]))
                fail_msg("%s has a link", others[i]);
    }
    assert_int_equal(unlink(scratch("bin/gcc")), 0); /* has gone: so does its link */
    assert_int_equal(launcher_masquerade(&launcher, scratch("links"), &err), 0);
    assert_false(is_linked("gcc"));
    launcher_free(&launcher);
}

static void what_cannot_stand_in_is_refused(void **state)
{
    (void)state;
    static const char *const commands[] = {"wrap", "ccache -x"};
    add_program("bin/ccache");
    add_program("bin/wrap");
    assert_int_equal(setenv("PATH", scratch("bin"), 1), 0);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct err err = {0};
        struct launcher launcher = {0};
        assert_int_equal(launcher_find(&launcher, commands[i], &err), 0);
        assert_int_equal(launcher_masquerade(&launcher, scratch("links"), &err), -1);
        assert_non_null(strstr(err.text, "CC='"));
        launcher_free(&launcher);
    }
}

static void a_tool_is_known_by_any_of_its_names(void **state)
{
    (void)state;
    assert_true(toolchain_names("gcc", "gcc") && toolchain_names("gcc-12", "gcc") &&
                toolchain_names("x86_64-linux-gnu-gcc-12.2", "gcc") &&
                toolchain_names("clang++-14", "clang++") && toolchain_names("cc1", "cc1"));
    assert_false(toolchain_names("gcc-ar", "gcc") || toolchain_names("gcc12", "gcc") ||
                 toolchain_names("distcc", "cc") || toolchain_names("cc1", "cc") ||
                 toolchain_names("-", "gcc") || toolchain_names("", "gcc"));
}

static void its_own_place_is_known(void **state)
{
    (void)state;
    assert_int_equal(setenv("CCACHE_DIR", "/x/store/", 1), 0);
    assert_true(launcher_is_cache("/x/store/1/stats") && launcher_is_cache("/x/store"));
    assert_false(launcher_is_cache("/x/stores/1") || launcher_is_cache("/x") ||
                 launcher_is_cache("a.o"));
    assert_int_equal(setenv("CCACHE_DIR", "", 1), 0);
    assert_false(launcher_is_cache("/x/store/1/stats"));
    assert_true(launcher_is_cache("/home/x/.cache/ccache/1") &&
                launcher_is_cache("a/__pycache__/b"));
    assert_int_equal(unsetenv("CCACHE_DIR"), 0);
}

/* What a client of distcc keeps for its monitors: as distcc 3.4 wrote it, 296 bytes on a 64-bit machine. */
static void put_state(pid_t pid, uint64_t magic, uint64_t owner, const char *host, size_t length)
{
    char bytes[296] = {0}, name[64];
    const uint64_t head[3] = {sizeof bytes, magic, owner};
    memcpy(bytes, head, sizeof head);
    memcpy(bytes + 24, "big.c", 6);
    memcpy(bytes + 152, host, strlen(host));
    snprintf(name, sizeof name, "distcc/state/binstate_%ld", (long)pid);
    FILE *file = fopen(scratch_text(name, ""), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void distcc_says_where_it_compiles(void **state)
{
    (void)state;
    struct launcher distcc = {.name = (char[]){"distcc"}}, ccache = {.name = (char[]){"ccache"}},
                    none = {0};
    char host[LAUNCHER_HOST] = "";
    assert_int_equal(setenv("DISTCC_DIR", scratch("distcc"), 1), 0);
    put_state(4711, 0x44494800, 4711, "farm-3", 296);
    assert_true(launcher_host(&distcc, 4711, host));
    assert_string_equal(host, "farm-3");
    assert_false(launcher_host(&ccache, 4711, host) || launcher_host(&none, 4711, host));
    assert_false(launcher_host(&distcc, 4712, host)); /* does nothing just now */
    put_state(4711, 0x44494800, 4711, "farm-3", 100); /* is being written */
    assert_false(launcher_host(&distcc, 4711, host));
    put_state(4711, 0x44494801, 4711, "farm-3", 296); /* another distcc's form */
    assert_false(launcher_host(&distcc, 4711, host));
    put_state(4711, 0x44494800, 4712, "farm-3", 296); /* of a process of before */
    assert_false(launcher_host(&distcc, 4711, host));
    put_state(4711, 0x44494800, 4711, "", 296); /* not known yet */
    assert_false(launcher_host(&distcc, 4711, host));
    assert_int_equal(unsetenv("DISTCC_DIR"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stands_before_compiles),       TEST(none_is_none),
        TEST(stands_in_for_every_compiler), TEST(what_cannot_stand_in_is_refused),
        TEST(its_own_place_is_known),       TEST(a_tool_is_known_by_any_of_its_names),
        TEST(distcc_says_where_it_compiles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
