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
#include "base/path.h"
#include "base/str.h"
#include "conf/conf.h"
#include "image/image.h"
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

/* A machine as conf/osv/ has one, for the options of a run. */
static const char guest_mk[] = "machine = guest\n"
                               "qemu = qemu-system-guest\n"
                               "qemu-boot = disk\n"
                               "qemu-disk = -drive file=%(disk),format=%(format)\n"
                               "qemu-kernel-disk = -disk %(disk)\n"
                               "qemu-kernel = build/kernel.elf\n"
                               "qemu-devices = -rng\n"
                               "qemu-nics = 1\n"
                               "qemu-nic = -netdev user,id=un%(nic)%(forwards)\n"
                               "virtiofsd = served --at=%(socket) -o source=%(dir)\n"
                               "qemu-virtiofs = -share tag=%(tag),size=%(memory)\n"
                               "default-image = disk\n";

static void a_run_takes_the_options_of_run_py(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    put(f, "conf/guest.mk", guest_mk, strlen(guest_mk));
    put(f, "build/kernel.elf", "k", 1);
    put_image(f, "build/release.guest/images/disk/usr.img", "--rootfs=rofs /x");
    const char *const rules[] = {"tcp::8080-:80", "udp::53-:53", NULL};
    char *line =
        line_of(f, "guest", "disk",
                (struct vm_options){
                    .forwards = rules, .own_nics = true, .nics = 2, .gdb_port = 1234, .wait = true},
                &err);
    assert_string_equal(line, "qemu-system-guest" CONSOLE
                              " -rng -drive file=ROOT/build/release.guest/images/disk/usr.img,"
                              "format=raw -snapshot -netdev "
                              "user,id=un0,hostfwd=tcp::8080-:80,hostfwd=udp::53-:53 -netdev "
                              "user,id=un1 -gdb tcp:127.0.0.1:1234,server=on,wait=off -S");
    free(line);
    line = line_of(f, "guest", "disk",
                   (struct vm_options){.by_kernel = true, .arguments = "/other"}, &err);
    assert_string_equal(line, "qemu-system-guest" CONSOLE
                              " -rng -kernel ROOT/build/kernel.elf -append /other -disk "
                              "ROOT/build/release.guest/images/disk/usr.img -snapshot -netdev "
                              "user,id=un0");
    free(line);
    assert_null(line_of(f, "guest", "disk",
                        (struct vm_options){.forwards = rules, .own_nics = true}, &err));
    assert_non_null(strstr(err.text, "no network card to forward to"));
}

static void other_arguments_lie_over_the_image(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    put(f, "conf/guest.mk", guest_mk, strlen(guest_mk));
    put_image(f, "build/release.guest/images/disk/usr.img", "--rootfs=rofs /x");
    char *line = line_of(f, "guest", "disk", (struct vm_options){.arguments = "/other"}, &err);
    assert_non_null(strstr(line, "file=/proc/"));
    assert_non_null(strstr(line, ",format=qcow2"));
    free(line);
    /* The same arguments need nothing. */
    line = line_of(f, "guest", "disk", (struct vm_options){.arguments = "--rootfs=rofs /x"}, &err);
    assert_non_null(strstr(line, "usr.img,format=raw"));
    free(line);
    char *path = path_join(f->root, "build/release.guest/images/disk/usr.img");
    char *own = image_args(path, &err);
    assert_string_equal(own, "--rootfs=rofs /x");
    free(own);
    free(path);
}

static void a_directory_is_shared_by_a_program(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct vm_spec spec = {0};
    struct assignment picks[] = {{"arch", "guest", ORIGIN_COMMAND_LINE}};
    put(f, "conf/guest.mk", guest_mk, strlen(guest_mk));
    put_image(f, "build/release.guest/images/disk/usr.img", "/x");
    struct vm_options options = {.root = f->root,
                                 .conf = conf_load(f->root, picks, 1, &err),
                                 .memory_mib = 96,
                                 .share_dir = f->root};
    assert_int_equal(vm_spec_fill(&spec, &options, &err), 0);
    char *served = mem_format("--at=%s", spec.helper_socket),
         *source = mem_format("source=%s", f->root);
    assert_string_equal(spec.helper.at[0], "served");
    assert_string_equal(spec.helper.at[1], served);
    assert_string_equal(spec.helper.at[3], source);
    assert_string_equal(spec.argv.at[spec.argv.len - 1], "tag=share,size=96");
    char *dir = mem_copy(spec.helper_dir);
    assert_int_equal(access(dir, F_OK), 0);
    vm_spec_free(&spec);
    assert_int_not_equal(access(dir, F_OK), 0);
    free(dir);
    free(served);
    free(source);
    conf_free(options.conf);
}

/* The addresses of two functions of this program are told by this file. */
static void a_crash_is_told_by_file_and_line(void **state)
{
    (void)state;
    char self[4096], text[256];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    self[length] = '\0';
    const struct vm_symbols symbols = {
        .addr2line = (char *)(uintptr_t) "addr2line", .kernel = self, .root = NULL};
    struct vm_symbols none = {0};
    assert_null(crash_new(&none));
    struct crash *crash = crash_new(&symbols);
    /* Of a file that can lie anywhere, addresses count from its beginning, as the kernel's do. */
    extern char __executable_start;
    unsigned long long at = (unsigned long long)((char *)(uintptr_t)(void (*)(
                                                     void **))other_arguments_lie_over_the_image -
                                                 &__executable_start);
    snprintf(text, sizeof text,
             "Aborted\r\n[backtrace]\r\n0x%016llx <abort+4>\r\n0xffffffff00000000 "
             "<???+0>\r\n",
             at);
    crash_feed(crash, text, strlen(text));
    assert_false(crash_waits(crash, false));
    assert_true(crash_waits(crash, true));
    crash_feed(crash, "\r\nbye\r\n", 7);
    assert_true(crash_waits(crash, false));
    struct str out = {0};
    crash_resolve(crash, &out);
    assert_non_null(strstr(str_text(&out), "other_arguments_lie_over_the_image at "));
    assert_non_null(strstr(str_text(&out), "boot_test.c:"));
    assert_null(strstr(str_text(&out), "ffffffff00000000"));
    assert_false(crash_waits(crash, true));
    str_free(&out);
    crash_free(crash);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_disk_boots_itself),
        T(a_kernel_gets_the_arguments_of_the_image),
        T(what_cannot_be_booted_says_what_to_do),
        T(a_run_takes_the_options_of_run_py),
        T(other_arguments_lie_over_the_image),
        T(a_directory_is_shared_by_a_program),
        T(a_crash_is_told_by_file_and_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
