/* What a configuration needs of this machine: told before anything runs, with what brings it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/path.h"
#include "tests/support/scratch.h"
#include "toolchain/needs.h"

/* A tree whose CC knows one header and one library, on a PATH that has nothing else. */
static void make_tree(const char *module)
{
    static const char compiler[] = "#!/bin/sh\n"
                                   "case \"$*\" in\n"
                                   "*'-include here.h '*) exit 0 ;;\n"
                                   "*-include*) exit 1 ;;\n"
                                   "-print-file-name=libhere.a) echo /usr/lib/libhere.a ;;\n"
                                   "-print-file-name=*) echo \"${1#*=}\" ;;\n"
                                   "-dumpmachine) echo x86_64-linux-gnu ;;\n"
                                   "esac\n";
    static const char *const programs[] = {"gcc", "cc", "ld", "ar", "strip", "objcopy"};
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        char *name = mem_format("bin/%s", programs[i]);
        assert_int_equal(chmod(scratch_text(name, compiler), 0755), 0);
        free(name);
    }
    scratch_text("tree/module.mk", module);
    scratch_text("tree/conf/images/default.mk", "");
    scratch_text("tree/conf/images/uush.mk", "");
    scratch_text("tree/there.txt", "");
    assert_int_equal(setenv("PATH", scratch("bin"), 1), 0);
}

static void look(need_list *missing, const char *arch)
{
    bool cross = strcmp(arch, "x64") != 0;
    const struct assignment picks[] = {
        {"arch", arch, ORIGIN_COMMAND_LINE},
        {"CROSS_PREFIX", cross ? "aarch64-linux-gnu-" : "", ORIGIN_COMMAND_LINE},
        {"qemu", "", ORIGIN_COMMAND_LINE}};
    struct err err = {0};
    struct toolchain tools = {0};
    char *root = path_absolute(scratch("tree"));
    struct conf *conf = conf_load(root, picks, cross ? 2 : 3, &err);
    if (!conf)
        fail_msg("%s", err.text);
    if (!cross && toolchain_resolve(&tools, conf, &err) < 0)
        fail_msg("%s", err.text);
    if (cross)
        assert_int_equal(toolchain_resolve(&tools, conf, &err), -1);
    needs_missing(conf, &tools, missing);
    toolchain_free(&tools);
    conf_free(conf);
    free(root);
}

static void says(const char *module, const char *text, const char *command)
{
    need_list missing = {0};
    make_tree(module);
    look(&missing, "x64");
    char *said = needs_text(&missing), *brings = needs_command(&missing);
    assert_string_equal(said, text);
    assert_string_equal(brings, command);
    free(said);
    free(brings);
    need_list_free(&missing);
}

static void what_is_there_is_not_told(void **state)
{
    (void)state;
    says("", "", "");
    says("needs = here.h -lhere libhere.a ./there.txt gcc\nhost-needs = here.h\n", "", "");
}

static void each_kind_is_told_with_what_brings_it(void **state)
{
    (void)state;
    says("needs = far.h\npackage-far.h = far-dev\n", "header far.h", "apt-get install far-dev");
    says("needs = far/far.h -lfar libfar.a\npackage--lfar = libfar-dev\npackage-libfar.a = "
         "libfar-dev\n",
         "header far/far.h, library -lfar, library libfar.a", "apt-get install libfar-dev");
    says("host-needs = far.h python9\npackage-python9 = python9 python9-more\n",
         "header far.h, python9", "apt-get install python9 python9-more");
    says("needs = ./gone/file\ninstall-./gone/file = git submodule update --init\n", "./gone/file",
         "git submodule update --init");
    says("needs = nobody-knows\n", "nobody-knows", "");
    says("needs = a.h b.h a.h\npackage-a.h = one\npackage-b.h = one\ninstall-b.h = sh more.sh\n",
         "header a.h, header b.h", "apt-get install one && sh more.sh");
}

static void commands_of_targets_are_looked_for(void **state)
{
    (void)state;
    says("targets += x.txt y.txt z.jar w.txt\n"
         "x.txt: rule = tool\nx.txt: command = protoc9 --out $@\npackage-protoc9 = "
         "protobuf-compiler\n"
         "y.txt: rule = tool\ny.txt: command = ./own.sh $@\n"
         "w.txt: rule = tool\nw.txt: shell = 1\nw.txt: command = builtin-of-shell\n"
         "z.jar: rule = ant\nz.jar: dir = .\n",
         "protoc9, ant", "apt-get install protobuf-compiler ant default-jdk-headless");
}

static void cxx_is_needed_where_an_object_is_of_it(void **state)
{
    (void)state;
    scratch_text("tree/part/x.c", "");
    says("targets += p\np: rule = link\np: objects = part/x.o part/y.o\n", "", "");
    scratch_text("tree/part/y.cc", "");
    says("targets += p\np: rule = link\np: objects = part/x.o part/y.o\n", "g++",
         "apt-get install g++");
}

static void a_cross_toolchain_is_told_whole(void **state)
{
    need_list missing = {0};
    (void)state;
    make_tree("needs = CXX\n");
    look(&missing, "aarch64");
    char *said = needs_text(&missing), *brings = needs_command(&missing);
    assert_non_null(
        strstr(said, "aarch64-linux-gnu-gcc, aarch64-linux-gnu-ld, aarch64-linux-gnu-ar"));
    assert_non_null(strstr(said, "qemu-system-aarch64 (to boot)"));
    assert_string_equal(brings, "apt-get install gcc-aarch64-linux-gnu g++-aarch64-linux-gnu "
                                "qemu-system-arm");
    free(said);
    free(brings);
    need_list_free(&missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_there_is_not_told, scratch_make, scratch_remove),
        cmocka_unit_test_setup_teardown(each_kind_is_told_with_what_brings_it, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(commands_of_targets_are_looked_for, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(cxx_is_needed_where_an_object_is_of_it, scratch_make,
                                        scratch_remove),
        cmocka_unit_test_setup_teardown(a_cross_toolchain_is_told_whole, scratch_make,
                                        scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
