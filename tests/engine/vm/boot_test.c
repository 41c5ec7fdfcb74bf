/* From conf to QEMU's command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/conf.h"
#include "vm/spec.h"

struct fixture {
    char root[64];
};

static void put(const struct fixture *f, const char *name, const char *text, size_t length)
{
    char *path = mem_format("%s/%s", f->root, name);
    struct err err = {0};
    if (file_make_parents(path, &err) < 0 || file_write(path, text, length, 0666, &err) < 0)
        fail_msg("%s", err.text);
    free(path);
}

/* A tree of two archs that exist nowhere but here, with an image each way. */
static int set_up(void **state)
{
    struct fixture *f = mem_zero(1, sizeof *f);
    strcpy(f->root, "/tmp/gantry-boot-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    static const char *const files[][2] = {
        {"module.mk", "image-targets += loader.img usr.img\n"},
        {"conf/base.mk", "conf-opt = -O2\n"},
        {"conf/z80.mk", "machine = z80\n"
                        "qemu = qemu-system-z80\n"
                        "qemu-package = qemu-system-zilog\n"
                        "qemu-machine = -machine spectrum -m 48\n"
                        "qemu-boot = disk\n"
                        "qemu-disk = -drive file=%(disk),format=%(format)\n"
                        "default-image = disk\n"},
        {"conf/m68k.mk", "machine = m68k\n"
                         "qemu = qemu-system-m68k\n"
                         "qemu-machine = -machine virt\n"
                         "qemu-boot = kernel\n"
                         "qemu-disk = -device disk,drive=%(disk)\n"
                         "default-image = disk\n"},
        {"conf/images/disk.mk", "boot-image = usr.img\ngoals = usr.img\n"},
        {"conf/images/ram.mk", "boot-image = loader.img\ngoals = loader.img\n"},
        {"conf/images/none.mk", "goals = loader.img\n"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        put(f, files[i][0], files[i][1], strlen(files[i][1]));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    file_remove_tree(f->root, NULL);
    free(f);
    return 0;
}

/* Puts a disk of one sector and boot arguments where a build would. */
static void put_image(const struct fixture *f, const char *name, const char *cmdline)
{
    char disk[8192] = {0};
    disk[510] = 0x55, disk[511] = (char)0xaa;
    strcpy(disk + 0x200, cmdline);
    put(f, name, disk, sizeof disk);
}

/* The words of what would be run, in one line; with the tree's root as "ROOT". */
static char *line_of(const struct fixture *f, const char *arch, const char *image,
                     struct vm_options options, struct err *err)
{
    struct assignment picks[] = {{"arch", arch, ORIGIN_COMMAND_LINE},
                                 {"image", image, ORIGIN_COMMAND_LINE},
                                 {"mode", "release", ORIGIN_COMMAND_LINE}};
    options.root = f->root;
    options.conf = conf_load(f->root, picks, 3, err);
    if (!options.conf)
        fail_msg("%s", err->text);
    struct vm_spec spec = {0};
    struct str line = {0};
    int status = vm_spec_fill(&spec, &options, err);
    for (size_t i = 0; status == 0 && i < spec.argv.len; i++) {
        const char *word = spec.argv.at[i];
        const char *at = strstr(word, f->root);
        str_add(&line, i ? " " : "");
        if (at) {
            str_add_n(&line, word, (size_t)(at - word));
            str_add(&line, "ROOT");
            word = at + strlen(f->root);
        }
        str_add(&line, *word ? word : "''");
    }
    vm_spec_free(&spec);
    conf_free(options.conf);
    return status == 0 ? str_take(&line) : NULL;
}

#define CONSOLE " -no-user-config -nodefaults -display none -serial stdio -monitor none -no-reboot"

static void a_disk_boots_itself(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    put_image(f, "build/release.z80/images/disk/usr.img", "--rootfs=rofs /x");
    char *line = line_of(f, "z80", "disk", (struct vm_options){0}, &err);
    assert_string_equal(line, "qemu-system-z80 -machine spectrum -m 48" CONSOLE
                              " -drive file=ROOT/build/release.z80/images/disk/usr.img,format=raw"
                              " -snapshot");
    free(line);
    const char *const extra[] = {"-s", NULL};
    line = line_of(f, "z80", "disk",
                   (struct vm_options){.memory_mib = 64, .processors = 2, .extra = extra}, &err);
    assert_non_null(strstr(line, " -snapshot -m 64 -smp 2 -s"));
    free(line);
}

static void a_kernel_gets_the_arguments_of_the_image(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    put_image(f, "build/release.m68k/images/disk/usr.img", "--rootfs=rofs /x y");
    put_image(f, "build/release.m68k/images/ram/loader.img", "/shell");
    char *line = line_of(f, "m68k", "disk", (struct vm_options){0}, &err);
    assert_string_equal(line, "qemu-system-m68k -machine virt" CONSOLE
                              " -kernel ROOT/build/release.m68k/images/disk/loader.img"
                              " -append --rootfs=rofs /x y"
                              " -device disk,drive=ROOT/build/release.m68k/images/disk/usr.img"
                              " -snapshot");
    free(line);
    line = line_of(f, "m68k", "ram", (struct vm_options){0}, &err);
    assert_string_equal(line, "qemu-system-m68k -machine virt" CONSOLE
                              " -kernel ROOT/build/release.m68k/images/ram/loader.img"
                              " -append /shell -snapshot");
    free(line);
}

static void what_cannot_be_booted_says_what_to_do(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    assert_null(line_of(f, "z80", "disk", (struct vm_options){0}, &err));
    assert_non_null(strstr(err.text, "images/disk/usr.img: No such file or directory; "
                                     "`gantry compose` makes it"));
    assert_null(line_of(f, "z80", "none", (struct vm_options){0}, &err));
    assert_string_equal(err.text, "image none names no boot-image; add `boot-image = FILE` to it");
    put(f, "conf/z80.mk", "machine = z80\n", 14);
    assert_null(line_of(f, "z80", "disk", (struct vm_options){0}, &err));
    assert_string_equal(err.text,
                        "nothing says how to boot z80: set qemu = PROGRAM in conf/z80.mk");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_disk_boots_itself),
        T(a_kernel_gets_the_arguments_of_the_image),
        T(what_cannot_be_booted_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
